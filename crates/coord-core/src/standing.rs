//! Whether somebody already works on an issue, or takes it apart.

use crate::assignment::AssignmentState;
use crate::board::Board;
use crate::command::{Refusal, Rule};
use crate::ids::IssueRef;
use crate::proposal::Split;

/// Whether no assignment of the board claims the issue, and it is not being split.
pub(crate) fn unclaimed(board: &Board, issue: &IssueRef) -> Result<(), Refusal> {
    let is_split = |it: &&Split| it.under_way.is_some() && it.draft.issue == *issue;
    if let Some(split) = board.splits.values().find(is_split) {
        let why = format!("{issue} is being split ({})", split.id);
        let refusal = Refusal::new(Rule::Claimed, why).of_issue(issue);
        return Err(refusal.hint("assign its sub-issues"));
    }
    let claim = board.of_issue(issue).find(|it| it.claims_issue());
    let Some(first) = claim else {
        return Ok(());
    };
    let (what, hint) = if first.state.is_active() {
        (
            first.state.as_str(),
            format!("`coord stop {}` first", first.id),
        )
    } else if first.merged_as().is_some() {
        ("merged", "its issue is about to be closed".to_owned())
    } else {
        let hint = format!("`coord why {issue}` says what it waits for");
        ("done and on its way to the merge", hint)
    };
    let why = format!(
        "{issue} is claimed by assignment {} on {}, which is {what}",
        first.id, first.machine
    );
    Err(Refusal::new(Rule::Claimed, why)
        .of_issue(issue)
        .of_assignment(&first.id)
        .hint(hint))
}

/// Whether nobody has worked on the issue in vain, or has left something that a person has to look
/// at first. Who was stopped has left nothing.
pub(crate) fn untried(board: &Board, issue: &IssueRef) -> Result<(), Refusal> {
    let Some(last) = board.leading(issue) else {
        return Ok(());
    };
    let id = &last.id;
    let (what, hint) = match last.state {
        AssignmentState::Done if last.deliverable().is_some() => (
            "is done and waits for a person",
            format!("`coord why {issue}` says for what"),
        ),
        AssignmentState::Done => ("made no commits", format!("`coord retry {id}`")),
        AssignmentState::Failed => ("failed", format!("`coord retry {id}`")),
        AssignmentState::Lost => ("was lost", format!("`coord retry {id}`")),
        AssignmentState::Waiting
        | AssignmentState::Requested
        | AssignmentState::Running
        | AssignmentState::Cancelled => return Ok(()),
    };
    let why = format!("the last assignment of {issue}, {id}, {what}");
    let refusal = Refusal::new(Rule::State, why).of_issue(issue);
    Err(refusal.of_assignment(id).hint(hint))
}
