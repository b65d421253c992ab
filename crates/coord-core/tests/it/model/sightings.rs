//! What the radar says: right, wrong, late, and about assignments that are gone.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::effect::Effect;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_core::radar::{Seen, Sighting};
use coord_core::{Command, Decision};

use super::course::Course;
use super::repository::Place;
use crate::world::{commit, id};

/// A pair in any order, and where they conflict.
type Pairs = BTreeMap<BTreeSet<Option<AssignmentId>>, BTreeSet<String>>;

impl Course {
    /// Somebody looks.
    pub(super) fn look(&mut self) {
        let names: Vec<RepoName> = self.repositories.keys().cloned().collect();
        let repo = self.random.pick(&names).unwrap().clone();
        let kind = self.random.below(10);
        let sighting = match kind {
            0..6 => self.as_it_is(&repo),
            6..8 => self.nonsense(&repo),
            _ => match self.random.pick(&self.sightings) {
                Some(earlier) => earlier.clone(),
                None => return,
            },
        };
        let command = Command::RadarSeen(Box::new(sighting.clone()));
        self.command(&command);
        let again = self.world.decide(&command);
        assert_eq!((again.events, again.effects), (Vec::new(), Vec::new()));
        if kind < 6 {
            self.is_seen(&sighting);
        }
        self.sightings.push(sighting);
    }

    /// The heads of everything that is worked on or wait for its merge.
    fn heads(&self, repo: &RepoName) -> Vec<(AssignmentId, CommitId)> {
        let all = self.world.board.assignments.values();
        let here = all.filter(|it| it.issue.repo == *repo && it.kind.writes());
        let head = |it: &Assignment| match it.state {
            AssignmentState::Running => {
                let agent = self.agents.get(&it.machine)?;
                Some(agent.jobs.get(&it.id)?.tip.clone())
            }
            AssignmentState::Done => Some(it.deliverable()?.head.clone()),
            _ => None,
        };
        let heads = here.filter_map(|it| Some((it.id.clone(), head(it)?)));
        let repository = &self.repositories[repo];
        heads.filter(|(_, head)| repository.has(head)).collect()
    }

    fn as_it_is(&self, repo: &RepoName) -> Sighting {
        let (heads, repository) = (self.heads(repo), &self.repositories[repo]);
        let base = repository.main.clone();
        let paths = |one: &CommitId, other: &CommitId| -> Vec<String> {
            let (_, places) = repository.together(one, other);
            places.into_iter().map(Place::path).collect()
        };
        let mut conflicts = Vec::new();
        for (place, (one, head)) in heads.iter().enumerate() {
            let others = heads[place + 1..].iter();
            let others = others.map(|(id, head)| (Some(id.clone()), head));
            for (other, theirs) in others.chain([(None, &base)]) {
                let (one, paths) = (one.clone(), paths(head, theirs));
                if !paths.is_empty() {
                    conflicts.push(Seen { one, other, paths });
                }
            }
        }
        let repo = repo.clone();
        Sighting {
            repo,
            base,
            heads,
            conflicts,
        }
    }

    /// Of anything that is, or was, or will be on the board.
    fn nonsense(&mut self, repo: &RepoName) -> Sighting {
        let on_board = self.world.board.assignments.keys();
        let ids: Vec<AssignmentId> = on_board.cloned().chain([id(1), id(9999)]).collect();
        let mut some = || self.random.pick(&ids).unwrap().clone();
        let conflicts: Vec<Seen> = (0..3)
            .map(|place| Seen {
                one: some(),
                other: (place > 0).then(&mut some),
                paths: vec!["src/a".into(), format!("src/{place}"), "src/a".into()],
            })
            .collect();
        Sighting {
            repo: repo.clone(),
            base: commit(1),
            heads: ids.into_iter().map(|id| (id, commit(2))).collect(),
            conflicts,
        }
    }

    /// Exactly that is on the board.
    fn is_seen(&self, sighting: &Sighting) {
        let board = &self.world.board;
        let mut on_board = Pairs::new();
        for clash in &board.conflicts {
            if board.assignments[&clash.id].issue.repo == sighting.repo {
                let pair = [Some(clash.id.clone()), clash.with.clone()].into();
                on_board.insert(pair, clash.paths.iter().cloned().collect());
            }
        }
        let mut seen = Pairs::new();
        for it in &sighting.conflicts {
            let pair = [Some(it.one.clone()), it.other.clone()].into();
            seen.insert(pair, it.paths.iter().cloned().collect());
        }
        assert_eq!(on_board, seen);
    }

    /// After every command.
    pub(super) fn clashes_are_of_somebody(&self, decision: &Decision) {
        let board = &self.world.board;
        let mut pairs = BTreeSet::new();
        for clash in &board.conflicts {
            let of = |id: &AssignmentId| {
                let it = board.assignments.get(id);
                it.unwrap_or_else(|| panic!("{clash:?} is of nobody"))
            };
            let it = of(&clash.id);
            assert!(pairs.insert((&clash.id, &clash.with)), "{clash:?} twice");
            if let Some(other) = clash.with.as_ref().map(of) {
                assert!(it.id != other.id && it.issue.repo == other.issue.repo);
                assert!(it.kind.writes() && other.kind.writes(), "{clash:?}");
            }
        }
        for request in &decision.effects {
            if let Effect::Tell { machine, id, .. } = &request.effect {
                let it = &board.assignments[id];
                let runs = it.state == AssignmentState::Running && !it.stop_requested;
                let hears = runs && it.superseded_by.is_none() && it.kind.writes();
                assert!(hears && it.machine == *machine, "{it:?} is told");
            }
        }
    }
}
