//! Tests of finished branches, and their verdicts.

use super::draft::Draft;
use super::merge;
use crate::assignment::{Assignment, Goal, MergeState, TestResult, TestVerdict};
use crate::command::{Refusal, Rule};
use crate::effect::Effect;
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, CommitId};
use crate::key::{self, EffectKind};
use crate::policy::Gate;

/// A person wants a branch tested, once more or at all.
pub(super) fn request(draft: &mut Draft<'_>, id: &AssignmentId) -> Result<(), Refusal> {
    testable_head(draft, id)?;
    if draft.board().has_open(id, EffectKind::Test) {
        let refusal = refuse(draft.assignment(id)?, "is being tested already");
        return Err(refusal.hint(format!("`coord wait {id}`")));
    }
    start(draft, id);
    Ok(())
}

/// A person says how the test ended.
pub(super) fn record_by_hand(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    result: TestResult,
    note: &str,
) -> Result<(), Refusal> {
    let head = testable_head(draft, id)?;
    record(draft, id, head, result, note);
    Ok(())
}

/// Has the branch of an ended assignment tested.
pub(super) fn start(draft: &mut Draft<'_>, id: &AssignmentId) {
    draft.emit(BoardEvent::TestStarted { id: id.clone() });
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let Some(work) = assignment.deliverable() else {
        return;
    };
    let key = key::test(id, work.head, assignment.test_runs);
    let effect = Effect::RunTest {
        id: id.clone(),
        issue: assignment.issue.clone(),
        branch: work.branch.to_owned(),
        head: work.head.clone(),
    };
    draft.enqueue(key, id, effect);
}

/// Records a verdict and takes the assignment further, or out of the merge queue.
pub(super) fn record(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    head: CommitId,
    result: TestResult,
    note: &str,
) {
    let verdict = TestVerdict {
        head,
        result,
        note: note.to_owned(),
        at: draft.now,
    };
    draft.emit(BoardEvent::TestRecorded {
        id: id.clone(),
        verdict,
    });
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let state = assignment.merge.as_ref().map(|entry| &entry.state);
    let gated = draft.policy.gates.contains(&Gate::Test);
    if result.is_good() && state.is_none() && assignment.is_automated(Goal::Merged) {
        merge::queue_by_itself(draft, id);
    } else if !result.is_good() && state == Some(&MergeState::Queued) && gated {
        draft.emit(BoardEvent::MergeRefused {
            id: id.clone(),
            reason: "its tests failed".into(),
        });
    }
}

/// The head of an ended assignment that is not merged yet.
fn testable_head(draft: &Draft<'_>, id: &AssignmentId) -> Result<CommitId, Refusal> {
    let it = draft.assignment(id)?;
    if it.state.is_active() {
        let what = format!("is {}", it.state.as_str());
        return Err(refuse(it, &what).hint(format!("`coord wait {id}`")));
    }
    if it.merged_as().is_some() {
        return Err(refuse(it, "is merged"));
    }
    let work = it
        .deliverable()
        .ok_or_else(|| refuse(it, "has no commits"))?;
    Ok(work.head.clone())
}

fn refuse(it: &Assignment, what: &str) -> Refusal {
    Refusal::new(Rule::State, format!("assignment {} {what}", it.id))
        .of_issue(&it.issue)
        .of_assignment(&it.id)
}
