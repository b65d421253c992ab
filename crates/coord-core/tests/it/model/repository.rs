//! A repository as far as the pipeline depends on it: commits with parents, trees that merge line
//! by line or conflict, and tests that are a function of the tree.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::effect::{CombinationEntry, Combined, CombinedResult, Outcome};
use coord_core::ids::{AssignmentId, CommitId};

use super::random::Random;

/// A line of the code, which has one value per version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// What solves an issue.
    Feature(u64),
    /// What somebody wrote who did not finish.
    Half(u64),
    /// What several issues change, each in its own way.
    Shared(u64),
    /// A defect of the work on an issue: red for as long as it is there.
    Bug(u64),
    /// How the work on an issue uses what another one changes: 1 is the old way.
    Api(u64),
    /// What is changed for no reason.
    Note(u64),
    /// What outsiders change.
    Other(u64),
    /// What outsiders break.
    Broken,
}

impl Place {
    pub(super) fn path(self) -> String {
        match self {
            Self::Feature(n) if n.is_multiple_of(3) => format!("gpu/feature-{n}"),
            Self::Feature(n) => format!("src/feature-{n}"),
            Self::Half(n) => format!("src/half-{n}"),
            Self::Shared(n) => format!("src/shared-{n}"),
            Self::Bug(n) => format!("src/bug-{n}"),
            Self::Api(n) => format!("src/api-{n}"),
            Self::Note(n) => format!("docs/note-{n}"),
            Self::Other(n) => format!("docs/other-{n}"),
            Self::Broken => "src/broken".into(),
        }
    }
}

pub(super) type Tree = BTreeMap<Place, u64>;

#[derive(Debug)]
struct Commit {
    parents: Vec<CommitId>,
    tree: Tree,
    /// Parents have lower ones.
    number: u64,
}

/// What somebody wants done in a repository.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// The line that others change too.
    pub(super) shared: Option<u64>,
    /// How often it has to be put right before its tests are green.
    pub(super) bugs: u64,
}

#[derive(Debug)]
pub(super) struct Repository {
    commits: BTreeMap<CommitId, Commit>,
    /// What makes the ids of two repositories different.
    salt: u64,
    pub(super) main: CommitId,
    pub(super) branches: BTreeMap<String, CommitId>,
    pub(super) tasks: BTreeMap<u64, Task>,
    /// Issues that are green alone and red together, while both use the old way.
    pub(super) clashes: Vec<(u64, u64)>,
    /// The trees that are known to be green, because somebody ran the tests or says so.
    pub(super) green: BTreeSet<String>,
    /// A commit that somebody rewrote, and what it was.
    pub(super) rewritten: BTreeMap<CommitId, CommitId>,
}

impl Repository {
    pub(super) fn new(salt: u64) -> Self {
        let mut repository = Self {
            commits: BTreeMap::new(),
            salt,
            main: CommitId::new(String::new()),
            branches: BTreeMap::new(),
            tasks: BTreeMap::new(),
            clashes: Vec::new(),
            green: BTreeSet::new(),
            rewritten: BTreeMap::new(),
        };
        repository.main = repository.commit(&[], Tree::new());
        repository
    }

    pub(super) fn commit(&mut self, parents: &[&CommitId], tree: Tree) -> CommitId {
        let number = self.commits.len() as u64 + 1;
        let id = CommitId::new(format!("{:08x}{number:032x}", self.salt));
        let parents = parents.iter().map(|id| (*id).clone()).collect();
        let commit = Commit {
            parents,
            tree,
            number,
        };
        self.commits.insert(id.clone(), commit);
        id
    }

    pub(super) fn has(&self, commit: &CommitId) -> bool {
        self.commits.contains_key(commit)
    }

    pub(super) fn tree(&self, commit: &CommitId) -> &Tree {
        &self.commits[commit].tree
    }

    /// Stands for the object id of a tree.
    pub(super) fn tree_id(tree: &Tree) -> String {
        format!("{tree:?}")
    }

    fn ancestors(&self, commit: &CommitId) -> BTreeSet<&CommitId> {
        let mut found = BTreeSet::new();
        let mut open = vec![commit];
        while let Some(id) = open.pop() {
            if let Some((id, commit)) = self.commits.get_key_value(id)
                && found.insert(id)
            {
                open.extend(&commit.parents);
            }
        }
        found
    }

    pub(super) fn contains(&self, tip: &CommitId, commit: &CommitId) -> bool {
        self.ancestors(tip).contains(commit)
    }

    /// What both come from.
    fn fork_of(&self, one: &CommitId, other: &CommitId) -> &Tree {
        let ours = self.ancestors(one);
        let both = self.ancestors(other);
        let last = both
            .intersection(&ours)
            .max_by_key(|id| self.commits[**id].number);
        self.tree(last.unwrap())
    }

    /// Both together, with the lines that they do not agree on as `one` has them, and those lines.
    pub(super) fn together(&self, one: &CommitId, other: &CommitId) -> (Tree, Vec<Place>) {
        let (before, ours, theirs) = (self.fork_of(one, other), self.tree(one), self.tree(other));
        let (mut tree, mut conflicts) = (ours.clone(), Vec::new());
        let places: BTreeSet<Place> = before.keys().chain(theirs.keys()).copied().collect();
        for place in places {
            let (was, mine, new) = (before.get(&place), ours.get(&place), theirs.get(&place));
            if new == was || new == mine {
                continue;
            }
            if mine != was {
                conflicts.push(place);
                continue;
            }
            match new {
                Some(value) => tree.insert(place, *value),
                None => tree.remove(&place),
            };
        }
        (tree, conflicts)
    }

    /// What the base would be with `head`, or the paths in conflict.
    fn added(&self, onto: &CommitId, head: &CommitId) -> Result<Tree, Vec<String>> {
        match self.together(onto, head) {
            (tree, conflicts) if conflicts.is_empty() => Ok(tree),
            (_, conflicts) => Err(conflicts.into_iter().map(Place::path).collect()),
        }
    }

    /// Puts `head` on top of the base.
    pub(super) fn land(
        &mut self,
        head: &CommitId,
        keeps_parents: bool,
    ) -> Result<CommitId, Vec<String>> {
        let base = self.main.clone();
        let tree = self.added(&base, head)?;
        self.main = match keeps_parents {
            true => self.commit(&[&base, head], tree),
            false => self.commit(&[&base], tree),
        };
        Ok(self.main.clone())
    }

    pub(super) fn is_red(&self, tree: &Tree) -> bool {
        let old = |n: &u64| tree.get(&Place::Api(*n)) == Some(&1);
        let bad = |place: &Place| matches!(place, Place::Bug(_) | Place::Broken);
        tree.keys().any(bad)
            || self
                .clashes
                .iter()
                .any(|(one, other)| old(one) && old(other))
    }

    /// Runs the tests; whether they are green.
    pub(super) fn test(&mut self, commit: &CommitId) -> bool {
        let tree = self.tree(commit).clone();
        let green = !self.is_red(&tree);
        if green {
            self.green.insert(Self::tree_id(&tree));
        }
        green
    }

    pub(super) fn vouch_for(&mut self, commit: &CommitId) {
        if let Some(commit) = self.commits.get(commit) {
            self.green.insert(Self::tree_id(&commit.tree));
        }
    }

    /// What the coordinator does to test what the base would be; see the contract of
    /// [`coord_core::effect::Effect::TestCombination`].
    pub(super) fn combine(&mut self, entries: &[CombinationEntry], random: &mut Random) -> Outcome {
        let base = self.main.clone();
        let mut green: Vec<(AssignmentId, CommitId)> = Vec::new();
        let mut results = Vec::new();
        for entry in entries {
            let result = self.judge(&base, &mut green, entry, random);
            results.push(Combined {
                id: entry.id.clone(),
                head: entry.head.clone(),
                result,
            });
        }
        Outcome::Combined { base, results }
    }

    fn judge(
        &mut self,
        base: &CommitId,
        green: &mut Vec<(AssignmentId, CommitId)>,
        entry: &CombinationEntry,
        random: &mut Random,
    ) -> CombinedResult {
        if let Some(tip) = self.branches.get(&entry.branch)
            && *tip != entry.head
        {
            return CombinedResult::HeadMoved { head: tip.clone() };
        }
        let onto = green.last().map_or(base, |(_, commit)| commit).clone();
        let tree = match (
            self.added(&onto, &entry.head),
            self.added(base, &entry.head),
        ) {
            (Ok(tree), _) => tree,
            (Err(_), Ok(_)) => return CombinedResult::Later,
            (Err(_), Err(paths)) => return CombinedResult::Conflict { paths },
        };
        let known = entry.tested && tree == *self.tree(&entry.head);
        let built = self.commit(&[&onto, &entry.head], tree);
        // Red is what is red twice, so that a flaky test is rarely taken for a red one.
        if known || (self.test(&built) && !random.percent(1)) {
            let tree = Some(Self::tree_id(self.tree(&built)));
            green.push((entry.id.clone(), built));
            return CombinedResult::Green { tree };
        }
        CombinedResult::Red {
            with: self.partner(base, green, entry),
            note: "red".into(),
            output: None,
        }
    }

    fn partner(
        &self,
        base: &CommitId,
        green: &[(AssignmentId, CommitId)],
        entry: &CombinationEntry,
    ) -> Option<AssignmentId> {
        let is_red = |onto: &CommitId| {
            let tree = self.added(onto, &entry.head);
            tree.is_ok_and(|tree| self.is_red(&tree))
        };
        if is_red(base) {
            return None;
        }
        let first = green.iter().find(|(_, onto)| is_red(onto));
        first.map(|(id, _)| id.clone())
    }

    /// Everything that somebody can get at who has the tips; a rewritten commit stands for what it
    /// was.
    pub(super) fn kept<'t>(
        &'t self,
        tips: impl Iterator<Item = &'t CommitId>,
    ) -> BTreeSet<&'t CommitId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&CommitId> = tips.collect();
        while let Some(id) = open.pop() {
            if let Some(commit) = self.commits.get(id)
                && found.insert(id)
            {
                open.extend(&commit.parents);
                open.extend(self.rewritten.get(id));
            }
        }
        found
    }
}
