//! What workers do to files while they work: they ask for a lease or do not ask, and no two of them
//! hold the same.

use std::collections::BTreeSet;

use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::lease::{self, Denial};
use coord_core::{Board, BoardEvent, Decision};

use super::agents::{Agent, Job, Surroundings};
use super::course::Course;
use crate::leases::collide;

/// What several workers may want, the last of them although nobody may.
const PATHS: [&str; 6] = [
    "src/shared-1",
    "src/api-1",
    "src/feature-1",
    "docs/a.md",
    "tests/t.rs",
    FORBIDDEN,
];

const FORBIDDEN: &str = "CHANGELOG.md";

#[derive(Debug, Clone, Copy)]
enum Tool {
    /// Its agent asks the coordinator first.
    Edit,
    /// It asks nobody.
    Bash,
    /// Its agent knows enough to say no.
    EditInVain,
    /// Its agent could not ask.
    EditUnchecked,
    /// It changes what nobody may change, and that is put back.
    BashInVain,
}

impl Agent {
    /// A worker uses a tool that writes, or none.
    pub(super) fn touch(&mut self, id: &AssignmentId, around: &mut Surroundings<'_>) {
        let tool = around.random.weighted(&[
            (55, None),
            (22, Some(Tool::Edit)),
            (14, Some(Tool::Bash)),
            (3, Some(Tool::EditInVain)),
            (3, Some(Tool::EditUnchecked)),
            (3, Some(Tool::BashInVain)),
        ]);
        let Some(tool) = tool else {
            return;
        };
        let path = (*around.random.pick(&PATHS).unwrap()).to_owned();
        let also = (*around.random.pick(&PATHS).unwrap()).to_owned();
        let paths = vec![path.clone(), also];
        let report = match tool {
            Tool::Edit => AgentReport::LeaseAsked { ask: 1, path },
            Tool::Bash => AgentReport::Files { paths },
            Tool::EditInVain => denied(path, Denial::Outside),
            Tool::EditUnchecked => {
                self.say(id, AgentReport::EditUnchecked { path });
                AgentReport::Files { paths }
            }
            Tool::BashInVain => AgentReport::FilesRestored { paths },
        };
        self.say(id, report);
    }
}

fn denied(path: String, why: Denial) -> AgentReport {
    let tool = "Edit".to_owned();
    AgentReport::EditDenied { path, tool, why }
}

/// Who holds leases, and who has done so before.
#[derive(Debug, Clone, Default)]
pub(super) struct Holders {
    now: BTreeSet<AssignmentId>,
    /// Their branches were finished and went no further for a while: what was theirs was free.
    lapsed: BTreeSet<AssignmentId>,
}

impl Holders {
    /// No two of them share a path. A finished branch that was given up for a while takes nothing
    /// back from those who have begun since.
    pub(super) fn are_apart(&mut self, board: &Board) {
        let all = board.assignments.values();
        let holders: Vec<&Assignment> = all.filter(|it| it.holds_lease()).collect();
        let now: BTreeSet<AssignmentId> = holders.iter().map(|it| it.id.clone()).collect();
        self.lapsed.extend(self.now.difference(&now).cloned());
        self.now = now;
        let came_back =
            |it: &Assignment| it.state == AssignmentState::Done && self.lapsed.contains(&it.id);
        for (place, one) in holders.iter().enumerate() {
            for other in &holders[place + 1..] {
                let may = one.issue.repo != other.issue.repo
                    || one.waived.allow_overlap
                    || other.waived.allow_overlap
                    || came_back(one)
                    || came_back(other);
                assert!(may || !collide(one, other), "{one:#?} and {other:#?}");
            }
        }
    }
}

impl Course {
    /// After every command.
    pub(super) fn leases_are_apart(&mut self, decision: &Decision) {
        if !decision.events.is_empty() {
            self.ledger.holders.are_apart(&self.world.board);
        }
        for event in &decision.events {
            if let BoardEvent::LeaseGranted { id, paths } = event {
                self.is_free(id, paths);
            }
        }
    }

    fn is_free(&self, id: &AssignmentId, paths: &[String]) {
        let board = &self.world.board;
        let it = &board.assignments[id];
        assert!(!paths.iter().any(|path| path == FORBIDDEN), "{it:?}");
        assert!(it.kind.writes() && it.holds_lease(), "{it:?}");
    }

    /// The agent hears what its worker may do.
    pub(super) fn answer_lease(&mut self, machine: &MachineName, id: &AssignmentId, path: &str) {
        let (board, policy) = (&self.world.board, &self.world.policy);
        match lease::answer(board, policy, id, path) {
            Ok(()) => assert_ne!(path, FORBIDDEN),
            Err(why) => {
                let agent = self.agents.get_mut(machine).unwrap();
                if agent.jobs.get(id).is_some_and(Job::is_live) {
                    agent.say(id, denied(path.to_owned(), why));
                }
            }
        }
    }
}
