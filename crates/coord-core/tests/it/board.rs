//! The fold by itself.

use coord_core::assignment::{MergeMethod, WorkerEnd, WorkerResult};
use coord_core::ids::{AssignmentId, CommitId, ProposalId};
use coord_core::verdict::{TestResult, TestVerdict};
use coord_core::{Board, BoardEvent, Recorded};

use crate::world::{START, World, id, request};

/// Every event about an assignment that the board may not know.
fn events_of(id: &AssignmentId) -> Vec<BoardEvent> {
    let (id, at) = (id.clone(), START);
    let commit = CommitId::new("c".repeat(40));
    vec![
        BoardEvent::AssignmentAccepted { id: id.clone() },
        BoardEvent::WorkerStarted { id: id.clone(), at },
        BoardEvent::FilesObserved {
            id: id.clone(),
            paths: vec!["a".into()],
            foreign: Vec::new(),
        },
        BoardEvent::LeaseGranted {
            id: id.clone(),
            paths: vec!["a".into()],
        },
        BoardEvent::ConflictForeseen {
            id: id.clone(),
            with: None,
            paths: vec!["a".into()],
        },
        BoardEvent::ConflictGone {
            id: id.clone(),
            with: None,
        },
        BoardEvent::ProposalApproved {
            proposal: ProposalId(1),
            id: id.clone(),
        },
        BoardEvent::WorkerStuck {
            id: id.clone(),
            question: "?".into(),
        },
        BoardEvent::StopRequested { id: id.clone() },
        BoardEvent::AssignmentEnded {
            id: id.clone(),
            at,
            end: Box::new(WorkerEnd {
                cost_usd: 1.0,
                ..WorkerEnd::unreported(WorkerResult::Done, None)
            }),
        },
        BoardEvent::AssignmentLost { id: id.clone() },
        BoardEvent::TestStarted { id: id.clone() },
        BoardEvent::TestRecorded {
            id: id.clone(),
            verdict: TestVerdict {
                head: commit.clone(),
                result: TestResult::Passed,
                note: String::new(),
                output: None,
                at,
            },
        },
        BoardEvent::MergeQueued {
            id: id.clone(),
            method: MergeMethod::Squash,
            order: None,
        },
        BoardEvent::MergeStarted { id: id.clone() },
        BoardEvent::Merged {
            id: id.clone(),
            commit: commit.clone(),
            warning: None,
        },
        BoardEvent::MergeConflicted {
            id: id.clone(),
            base: commit,
            paths: Vec::new(),
        },
        BoardEvent::MergeRefused {
            id: id.clone(),
            reason: "no".into(),
        },
        BoardEvent::AssignmentArchived { id },
    ]
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut board = Board::default();
    for (seq, event) in (1..).zip(events_of(&id(1))) {
        let at = START;
        board.apply(&Recorded { seq, at, event });
        let untouched = Board {
            seq,
            ..Board::default()
        };
        assert_eq!(board, untouched);
    }
}

/// Without a place in the queue there is nothing to merge, whatever the log says.
#[test]
fn a_merge_that_was_never_queued_is_none() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let merges = events_of(&id(1)).into_iter().filter(|event| {
        matches!(
            event,
            BoardEvent::MergeStarted { .. } | BoardEvent::Merged { .. }
        )
    });
    for event in merges {
        let (seq, at) = (world.board.seq + 1, START);
        world.board.apply(&Recorded { seq, at, event });
    }
    assert_eq!(world.get(1).merge, None);
}
