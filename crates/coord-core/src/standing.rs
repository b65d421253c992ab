//! Whether somebody already works on an issue, or takes it apart.

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
