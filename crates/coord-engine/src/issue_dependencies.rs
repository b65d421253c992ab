//! Which open issues an issue has to wait for: those that its text names, those before it below the
//! same parent, and those below it. What forges say of them comes from outside; what is not known
//! counts as open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coord_core::ids::{IssueRef, RepoName};
use coord_core::issue::{Issue, IssueState};
use coord_core::{Board, Command, dependency};
use coord_store::ForgeRows;
use futures_util::{StreamExt as _, stream};

use crate::clock;
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};

/// How many issues are asked for at once.
const PARALLEL: usize = 8;

/// How often whoever drives asks whether issues that others wait for are closed by now.
const PAUSE: Duration = Duration::from_secs(10);

/// An issue that another one has to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The issue.
    pub issue: IssueRef,
    /// Why nobody knows whether it is open, for people; may hold untrusted text.
    pub unknown: Option<String>,
}

/// What is below what in one repository, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Families {
    parents: BTreeMap<u64, u64>,
    children: BTreeMap<u64, Vec<u64>>,
}

impl Families {
    pub(crate) fn of(rows: Vec<(u64, u64)>) -> Self {
        let mut families = Self::default();
        for (parent, child) in rows {
            families.parents.insert(child, parent);
            families.children.entry(parent).or_default().push(child);
        }
        families
    }

    /// What comes before the issue: its earlier siblings, and its own parts.
    pub(crate) fn before(&self, number: u64) -> impl Iterator<Item = u64> {
        let children = |parent: &u64| {
            self.children
                .get(parent)
                .map(Vec::as_slice)
                .unwrap_or_default()
        };
        let siblings = self.parents.get(&number).map(children).unwrap_or_default();
        let earlier = siblings.iter().take_while(move |it| **it != number);
        earlier.chain(children(&number)).copied()
    }

    /// Whether the issue waits for this one because it is a part of it, or a part of a part.
    fn is_above(&self, above: u64, number: u64) -> bool {
        let mut seen = BTreeSet::from([number]);
        let mut at = number;
        while let Some(parent) = self.parents.get(&at).filter(|it| seen.insert(**it)) {
            if *parent == above {
                return true;
            }
            at = *parent;
        }
        false
    }
}

/// What an issue has to wait for, as far as it is open: each once.
pub(crate) fn before(
    policy: &coord_core::Policy,
    families: &Families,
    own: &IssueRef,
    body: &str,
) -> Vec<IssueRef> {
    let mut named = dependency::mentioned(policy, own, body);
    // Neither would ever start: what it is a part of waits for it.
    named.retain(|it| it.repo != own.repo || !families.is_above(it.number, own.number));
    let relatives = families.before(own.number).map(|number| IssueRef {
        repo: own.repo.clone(),
        number,
    });
    let mut seen: BTreeSet<IssueRef> = named.iter().cloned().collect();
    named.extend(relatives.filter(|it| seen.insert(it.clone())));
    named
}

impl Engine {
    /// The open issues that have to be solved before this one, as their forges have them now.
    ///
    /// # Errors
    /// When the store fails. A forge that does not answer is part of the answer.
    pub async fn blocked_by(
        &self,
        repo: &RepoName,
        issue: &Issue,
    ) -> Result<Vec<Blocker>, EngineError> {
        let own = IssueRef {
            repo: repo.clone(),
            number: issue.number,
        };
        let families = self.families(repo).await?;
        let named = before(self.policy(), &families, &own, &issue.body);
        let asked = named.into_iter().map(|issue| async move {
            let unknown = match self.is_open(&issue).await {
                Ok(true) => None,
                Ok(false) => return None,
                Err(error) => Some(with_causes(&error)),
            };
            Some(Blocker { issue, unknown })
        });
        let found: Vec<Option<Blocker>> = stream::iter(asked).buffered(PARALLEL).collect().await;
        Ok(found.into_iter().flatten().collect())
    }

    /// What is below what in a repository, as it was seen last.
    pub(crate) async fn families(&self, repo: &RepoName) -> Result<Families, EngineError> {
        let rows = match self.mirror(repo) {
            Some(mirror) => mirror.families().await?,
            None => self.rows(repo).families().await?,
        };
        Ok(Families::of(rows))
    }

    pub(crate) fn rows(&self, repo: &RepoName) -> ForgeRows {
        ForgeRows::new(self.store().clone(), repo.clone())
    }

    /// Whether the issue is open now. What its forge does not have is nothing to wait for.
    async fn is_open(&self, issue: &IssueRef) -> Result<bool, EngineError> {
        let found = match self.issue(&issue.repo, issue.number).await {
            Ok(found) => found,
            Err(EngineError::UnknownIssue { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let is_open = found.state == IssueState::Open;
        if let Some(mirror) = self.mirror(&issue.repo)
            && mirror.issue(issue.number).await?.as_ref() != Some(&found)
        {
            mirror.put_issue(found, clock::now()).await?;
        }
        Ok(is_open)
    }

    /// Tells the board which issues of a repository are closed that something waits for, by what was
    /// seen of them last.
    pub(crate) async fn tell_closed(&self, repo: &RepoName) -> Result<(), EngineError> {
        let Some(mirror) = self.mirror(repo) else {
            return Ok(());
        };
        let board = self.store().board().await?;
        let mut closed = Vec::new();
        for issue in waited_for(&board).into_iter().filter(|it| it.repo == *repo) {
            if mirror.state(issue.number).await? == Some(IssueState::Closed) {
                closed.push(issue);
            }
        }
        self.closed(closed).await
    }

    /// Asks the forges from time to time whether issues are closed that something waits for. Ends
    /// with the board.
    pub(crate) async fn watch_blockers(self) -> EngineError {
        loop {
            if let Err(error) = self.look_at_blockers().await {
                return error;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look_at_blockers(&self) -> Result<(), EngineError> {
        let board = self.store().board().await?;
        let asked = waited_for(&board).into_iter().map(|issue| async move {
            let is_open = self.is_open(&issue).await;
            // One that nobody can tell anything about is asked for again.
            matches!(is_open, Ok(false)).then_some(issue)
        });
        let closed: Vec<Option<IssueRef>> = stream::iter(asked).buffered(PARALLEL).collect().await;
        self.closed(closed.into_iter().flatten().collect()).await
    }

    async fn closed(&self, issues: Vec<IssueRef>) -> Result<(), EngineError> {
        if !issues.is_empty() {
            self.command(Command::IssuesClosed { issues }).await?;
        }
        Ok(())
    }
}

/// The issues that something has to wait for.
fn waited_for(board: &Board) -> BTreeSet<IssueRef> {
    let active = board.assignments.values().filter(|it| it.state.is_active());
    active
        .flat_map(|it| it.blocked_by.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_siblings_and_own_parts_come_first() {
        let families = Families::of(vec![(1, 4), (1, 2), (1, 3), (3, 9), (3, 8)]);
        let before = |number| families.before(number).collect::<Vec<_>>();
        assert_eq!(before(4), [0; 0]);
        assert_eq!(before(2), [4]);
        assert_eq!(before(3), [4, 2, 9, 8]);
        assert_eq!(before(1), [4, 2, 3]);
        assert_eq!(before(7), [0; 0]);
    }

    #[test]
    fn a_part_does_not_wait_for_what_it_is_a_part_of() {
        let families = Families::of(vec![(1, 2), (2, 3), (8, 9), (9, 8)]);
        let policy = coord_core::Policy::default();
        let waits = |number, body: &str| {
            let repo: RepoName = "lib".into();
            let own = IssueRef { repo, number };
            let waits = before(&policy, &families, &own, body).into_iter();
            waits.map(|it| it.number).collect::<Vec<_>>()
        };
        assert_eq!(waits(3, "Depends on #1, #2 and #4"), [4]);
        assert_eq!(waits(1, "Depends on #3"), [3, 2]);
        assert_eq!(waits(8, "Depends on #7"), [7, 9]);
    }
}
