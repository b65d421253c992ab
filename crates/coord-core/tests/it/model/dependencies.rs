//! Issues that depend on others: of the run, and of nobody's.

use std::collections::BTreeMap;

use coord_core::Command;
use coord_core::ids::{IssueRef, RepoName};

use super::course::Course;
use super::random::Random;

/// An issue of each repository that nobody here works on.
pub(super) const OUTSIDE: u64 = 90;

pub(super) type Dependencies = BTreeMap<IssueRef, Vec<IssueRef>>;

/// Some depend on the one before, some on one that others are to solve, and some on one of the
/// repository that builds on theirs.
pub(super) fn dependencies(issues: &[IssueRef], random: &mut Random) -> Dependencies {
    let mut found = Dependencies::new();
    for issue in issues {
        let repo = &issue.repo;
        let other = |number| IssueRef {
            repo: repo.clone(),
            number,
        };
        let before = (issue.number > 1 && random.percent(25)).then(|| other(issue.number - 1));
        let outside = random.percent(10).then(|| other(OUTSIDE));
        let downstream = repo.as_str() == "lib" && random.percent(6);
        let downstream = downstream.then(|| crate::world::issue_ref("app", 1));
        let all = before.into_iter().chain(outside).chain(downstream);
        let all: Vec<IssueRef> = all.collect();
        if !all.is_empty() {
            found.insert(issue.clone(), all);
        }
    }
    found
}

impl Course {
    /// What is still open of that, as the forge has it.
    pub(super) fn blocked_by(&self, issue: &IssueRef) -> Vec<IssueRef> {
        let all = self.dependencies.get(issue).into_iter().flatten();
        all.filter(|it| !self.is_closed(it)).cloned().collect()
    }

    pub(super) fn is_closed(&self, issue: &IssueRef) -> bool {
        self.forges[&issue.repo].closed.contains(&issue.number)
    }

    /// Others solve theirs; the coordinator may hear of it, among other things.
    pub(super) fn solve_outside(&mut self) {
        let names: Vec<RepoName> = self.forges.keys().cloned().collect();
        let repo = self.random.pick(&names).unwrap().clone();
        self.forges.get_mut(&repo).unwrap().closed.insert(OUTSIDE);
        if self.random.percent(70) {
            self.see_what_is_closed();
        }
    }

    /// Everything that is closed, and something that nobody has heard of.
    pub(super) fn see_what_is_closed(&mut self) {
        let closed = self.forges.iter().flat_map(|(repo, forge)| {
            let issue = |number: &u64| IssueRef {
                repo: repo.clone(),
                number: *number,
            };
            forge.closed.iter().map(issue)
        });
        let mut issues: Vec<IssueRef> = closed.collect();
        issues.push(crate::world::issue_ref("kitchen", 3));
        self.ledger.plans.heard_closed(&issues);
        self.command(&Command::IssuesClosed { issues });
    }
}
