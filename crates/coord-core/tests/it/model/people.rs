//! What people do to a run: stop, retry, put right, answer, merge, set gates aside.

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, Goal, MergeMethod, WorkerEnd, WorkerResult};
use coord_core::command::{ClaimEvidence, FixRequest, ServeRequest, SetAside, WhenBlocked};
use coord_core::delivery::PullAuthor;
use coord_core::effect::ForeignClaim;
use coord_core::ids::{AssignmentId, CommitId, IssueRef};
use coord_core::issue::IssueState;
use coord_core::policy::Gate;
use coord_core::verdict::TestResult;

use super::course::Course;
use super::setting;
use crate::world::{again, id, request};

#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    Stop,
    Retry,
    Fix,
    Guide,
    Merge,
    MergeAll,
    Override,
    Verdict,
    Test,
    Review,
    Pull,
}

impl Course {
    pub(super) fn assign_one(&mut self) {
        if let Some(issue) = self.random.pick(&self.issues).cloned() {
            let waits = !self.random.percent(30);
            self.assign(&issue, waits);
        }
    }

    pub(super) fn evidence(&self, issue: &IssueRef) -> ClaimEvidence {
        let repository = &self.repositories[&issue.repo];
        let prefix = format!("issue-{}-", issue.number);
        let claims: Vec<ForeignClaim> = Vec::new();
        let branches = repository
            .branches
            .iter()
            .filter(|(name, tip)| {
                let merged = self.forges[&issue.repo].merged(name, tip).is_some();
                name.starts_with(&prefix) && !merged
            })
            .map(|(name, _)| name.clone())
            .collect();
        ClaimEvidence::Known { branches, claims }
    }

    pub(super) fn assign(&mut self, issue: &IssueRef, waits: bool) {
        let n = self.fresh_id();
        let files = *self.random.pick(&setting::SCOPES[..]).unwrap();
        let mut request = request(n, issue.repo.as_str(), issue.number, files);
        request.evidence = self.evidence(issue);
        if self.forges[&issue.repo].closed.contains(&issue.number) {
            request.issue.state = IssueState::Closed;
        }
        request.blocked_by = self.blocked_by(issue);
        request.waivers.ignore_deps = self.random.percent(8);
        request.waivers.allow_overlap = self.random.percent(8);
        request.goal =
            self.random
                .weighted(&[(85, Goal::Merged), (8, Goal::Tested), (7, Goal::Worked)]);
        if waits {
            request.when_blocked = WhenBlocked::Wait;
        }
        self.command(&Command::Assign(Box::new(request)));
    }

    /// Somebody does something to an assignment.
    pub(super) fn person(&mut self) {
        let deed = self.random.weighted(&[
            (10, Deed::Stop),
            (20, Deed::Retry),
            (12, Deed::Fix),
            (15, Deed::Guide),
            (10, Deed::Merge),
            (8, Deed::MergeAll),
            (9, Deed::Override),
            (6, Deed::Verdict),
            (5, Deed::Test),
            (5, Deed::Review),
            (5, Deed::Pull),
        ]);
        self.does(deed);
    }

    pub(super) fn does(&mut self, deed: Deed) {
        let on_board: Vec<AssignmentId> = self.world.board.assignments.keys().cloned().collect();
        let Some(of) = self.random.pick(&on_board).cloned() else {
            return;
        };
        let command = self.wish(deed, &of);
        let head = self.head_of(&of);
        let decision = self.world.run(&command);
        if let (None, Some(head)) = (&decision.refusal, head) {
            self.note(&command, &of, &head);
        }
        self.after(&decision);
    }

    fn head_of(&self, id: &AssignmentId) -> Option<CommitId> {
        let it = self.world.board.assignments.get(id)?;
        Some(it.deliverable()?.head.clone())
    }

    /// What somebody vouches for.
    fn note(&mut self, command: &Command, id: &AssignmentId, head: &CommitId) {
        match command {
            Command::RecordVerdict { result, .. } => {
                self.ledger.tested(id, head, *result);
                if *result == TestResult::Passed {
                    for repository in self.repositories.values_mut() {
                        repository.vouch_for(head);
                    }
                }
            }
            Command::Merge {
                set_aside: Some(set_aside),
                ..
            } => {
                for gate in &set_aside.gates {
                    self.ledger.set_aside(*gate, head);
                }
            }
            _ => {}
        }
    }

    fn wish(&mut self, deed: Deed, of: &AssignmentId) -> Command {
        let id = of.clone();
        match deed {
            Deed::Stop => Command::Stop { id },
            Deed::Retry => self.retry(of),
            Deed::Fix => self.fix(of),
            Deed::Guide => Command::Guide {
                id,
                guidance: "left".into(),
            },
            Deed::Merge => self.merge_wish(vec![id], None),
            Deed::MergeAll => self.merge_wish(Vec::new(), None),
            Deed::Override => {
                let gates = match self.random.below(4) {
                    0 => vec![Gate::Test],
                    1 => vec![Gate::Review],
                    2 => vec![Gate::Ci],
                    _ => vec![Gate::Test, Gate::Review, Gate::Ci],
                };
                let reason = "I know better".into();
                self.merge_wish(vec![id], Some(SetAside { gates, reason }))
            }
            Deed::Verdict => Command::RecordVerdict {
                id,
                result: self.random.weighted(&[
                    (4, TestResult::Passed),
                    (3, TestResult::Failed),
                    (3, TestResult::Skipped),
                ]),
                note: "I tried".into(),
                output: None,
            },
            Deed::Test => Command::Test { id },
            Deed::Review => {
                let kind = self.random.weighted(&[
                    (7, AssignmentKind::Review),
                    (2, AssignmentKind::Smoke),
                    (1, AssignmentKind::Pr),
                ]);
                let n = self.fresh_id();
                Command::Serve(Box::new(ServeRequest {
                    id: crate::world::id(n),
                    kind,
                    about: id,
                    machine: None,
                    model: None,
                }))
            }
            Deed::Pull => Command::OpenPull {
                id,
                author: match self.random.percent(50) {
                    true => PullAuthor::Worker,
                    false => PullAuthor::Template,
                },
                review: self.random.percent(50),
            },
        }
    }

    fn merge_wish(&mut self, ids: Vec<AssignmentId>, set_aside: Option<SetAside>) -> Command {
        Command::Merge {
            ids,
            repo: None,
            method: self.random.weighted(&[
                (4, MergeMethod::Squash),
                (3, MergeMethod::Merge),
                (3, MergeMethod::Rebase),
            ]),
            ordered: self.random.percent(30),
            set_aside,
        }
    }

    fn retry(&mut self, of: &AssignmentId) -> Command {
        let n = self.fresh_id();
        let it = &self.world.board.assignments[of];
        let asks = it.question().is_some();
        let was_limited = it.end.as_ref().is_some_and(is_failed);
        let issue = it.issue.clone();
        let mut request = again(n, 0, &issue);
        request.follows = of.clone();
        request.evidence = self.evidence(&issue);
        request.resume = asks || (was_limited && self.random.percent(50));
        request.guidance = asks.then(|| "left".to_owned());
        if self.random.percent(70) {
            request.when_blocked = WhenBlocked::Wait;
        }
        Command::Retry(Box::new(request))
    }

    fn fix(&mut self, of: &AssignmentId) -> Command {
        Command::Fix(Box::new(FixRequest {
            id: id(self.fresh_id()),
            follows: of.clone(),
            machine: None,
            model: None,
            guidance: self.random.percent(50).then(|| "mind the gap".to_owned()),
        }))
    }
}

fn is_failed(end: &WorkerEnd) -> bool {
    matches!(end.result, WorkerResult::Failed(_))
}
