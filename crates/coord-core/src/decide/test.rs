//! Tests of finished branches, their verdicts, and what keeps one from having any.

use super::draft::{Draft, refuse};
use super::{advance, serve};
use crate::assignment::{Goal, MergeState};
use crate::command::Refusal;
use crate::effect::{Effect, Outcome};
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, CommitId};
use crate::key::{self, EffectKind};
use crate::pipeline;
use crate::policy::Gate;
use crate::verdict::{OUTPUT, TestFailure, TestResult, TestVerdict};

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
    output: Option<&str>,
) -> Result<(), Refusal> {
    let head = testable_head(draft, id)?;
    record(draft, id, head, result, (note, output));
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

/// Records a verdict, and takes what is not to be put right by itself out of the merge queue.
pub(super) fn record(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    head: CommitId,
    result: TestResult,
    (note, output): (&str, Option<&str>),
) {
    let verdict = TestVerdict {
        head,
        result,
        note: note.to_owned(),
        output: output.map(|text| end_of(text).to_owned()),
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
    let goes_back = assignment.is_automated(Goal::Merged);
    if !result.is_good() && state == Some(&MergeState::Queued) && gated && !goes_back {
        draft.emit(BoardEvent::MergeRefused {
            id: id.clone(),
            reason: "its tests failed".into(),
        });
    }
}

/// What came of a test.
pub(super) fn tested(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    // A branch that moves takes the open test back, so that this is the head that was tested.
    let Some(head) = advance::head_of(draft, id) else {
        return;
    };
    if let Outcome::Tested {
        result,
        note,
        output,
    } = outcome
    {
        record(draft, id, head, *result, (note, output.as_deref()));
    } else if let Outcome::Failed { class, error } = outcome {
        let before = draft.board().assignments.get(id);
        let times = before
            .and_then(pipeline::test_failure)
            .map_or(0, |failure| failure.times);
        let failure = TestFailure {
            head,
            class: *class,
            why: error.clone(),
            times: times.saturating_add(1),
        };
        draft.emit(BoardEvent::TestBroken {
            id: id.clone(),
            failure,
        });
    }
}

/// The last [`OUTPUT`] bytes, from a character on.
fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(OUTPUT);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// The head of an ended assignment that is not merged yet.
fn testable_head(draft: &Draft<'_>, id: &AssignmentId) -> Result<CommitId, Refusal> {
    let it = draft.assignment(id)?;
    serve::is_branch(it)?;
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
