//! What planners propose, and what people put aside.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::spend;
use crate::command::{PlanRequest, Refusal, Rule};
use crate::event::BoardEvent;
use crate::ids::{IssueRef, ProposalId, SplitId};
use crate::proposal::{self, Examiner, Plan, Proposal, ProposalDraft, Split, SplitDraft};

/// More than any plan can cost.
const MAX_COST_USD: f64 = 1e4;

/// Records what is valid of a plan, and why the rest is not.
pub(super) fn plan(draft: &mut Draft<'_>, request: &PlanRequest) {
    let board = draft.board();
    let examiner = Examiner::new(board, draft.policy, &request.candidates, draft.now);
    let (proposals, splits) = (request.proposals.clone(), request.splits.clone());
    let examined = proposal::examine(examiner, proposals, splits);
    let mut refused = request.refused.clone();
    refused.extend(examined.refused);
    let (last_proposal, last_split) = board.last_planned;
    let title = |issue: &IssueRef| {
        let candidate = request.candidates.get(issue);
        candidate
            .map(|it| it.issue.title.clone())
            .unwrap_or_default()
    };
    let proposal = |(id, it): (u32, ProposalDraft)| Proposal {
        id: ProposalId(id),
        title: title(&it.issue),
        draft: it,
        proposed_at: draft.now,
    };
    let split = |(id, it): (u32, SplitDraft)| Split {
        id: SplitId(id),
        title: title(&it.issue),
        draft: it,
        proposed_at: draft.now,
        under_way: None,
        failed: None,
    };
    let plan = Plan {
        planner: request.planner.clone(),
        cost_usd: match request.cost_usd.is_finite() {
            true => request.cost_usd.clamp(0.0, MAX_COST_USD),
            false => 0.0,
        },
        proposals: (last_proposal.0.saturating_add(1)..)
            .zip(examined.proposals)
            .map(proposal)
            .collect(),
        splits: (last_split.0.saturating_add(1)..)
            .zip(examined.splits)
            .map(split)
            .collect(),
        refused,
    };
    draft.emit(BoardEvent::Planned {
        plan: Box::new(plan),
    });
    spend::stop_over_budget(draft);
}

/// Puts proposals aside: all of them, or none where one is not there.
pub(super) fn reject(
    draft: &mut Draft<'_>,
    proposals: &[ProposalId],
    splits: &[SplitId],
) -> Result<(), Refusal> {
    for id in proposals.iter().collect::<BTreeSet<_>>() {
        if !draft.board().proposals.contains_key(id) {
            return Err(unknown(id));
        }
        draft.emit(BoardEvent::ProposalRejected { proposal: *id });
    }
    for id in splits.iter().collect::<BTreeSet<_>>() {
        let split = draft.board().splits.get(id).ok_or_else(|| unknown(id))?;
        if split.under_way.is_some() {
            let why = format!("the sub-issues of {id} are being created");
            return Err(Refusal::new(Rule::State, why).of_issue(&split.draft.issue));
        }
        draft.emit(BoardEvent::SplitRejected { split: *id });
    }
    Ok(())
}

/// Nothing of this id waits for a person.
pub(super) fn unknown(id: &impl std::fmt::Display) -> Refusal {
    let why = format!("nothing that is proposed has the id {id}");
    let refusal = Refusal::new(Rule::UnknownProposal, why);
    refusal.hint("`coord status` lists what is proposed; a new plan replaces the one before")
}

/// Somebody saw that these issues are closed: whoever waits for one waits for it no longer.
pub(super) fn closed(draft: &mut Draft<'_>, issues: &[IssueRef]) {
    for issue in issues {
        let mut assignments = draft.board().assignments.values();
        if assignments.any(|it| it.blocked_by.contains(issue)) {
            let issue = issue.clone();
            draft.emit(BoardEvent::IssueClosed { issue });
        }
    }
}
