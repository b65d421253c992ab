//! Budgets while workers run: who has used up one is stopped, with its work saved.

use super::draft::Draft;
use crate::assignment::Assignment;
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, IssueRef};
use crate::key::EffectKind;

/// A running worker has used `cost_usd` of its own.
pub(super) fn spent(draft: &mut Draft<'_>, id: &AssignmentId, cost_usd: f64) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    if cost_usd <= it.spent_usd {
        return;
    }
    draft.emit(BoardEvent::SpendingObserved {
        id: id.clone(),
        cost_usd,
    });
    stop_over_budget(draft);
}

/// A worker that failed may have been stopped by its own agent, which knows its budget too: that is
/// no failure at the work.
pub(super) fn ended(draft: &mut Draft<'_>, id: &AssignmentId, cost_usd: f64) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    if it.stop_requested {
        return;
    }
    let unheard = (cost_usd - it.spent_usd).max(0.0);
    if let Some(budget) = used_up(draft, it, unheard) {
        draft.emit(BoardEvent::BudgetExceeded {
            id: id.clone(),
            budget,
        });
    }
}

/// Stops everybody who runs on a budget that is used up.
pub(super) fn stop_over_budget(draft: &mut Draft<'_>) {
    let running = draft.board().assignments.values();
    let over: Vec<(AssignmentId, String)> = running
        .filter(|it| it.state.takes_slot() && !it.stop_requested)
        .filter_map(|it| Some((it.id.clone(), used_up(draft, it, 0.0)?)))
        .collect();
    for (id, budget) in over {
        draft.emit(BoardEvent::BudgetExceeded {
            id: id.clone(),
            budget,
        });
        if !draft.board().has_open(&id, EffectKind::Cancel) {
            draft.cancel(&id);
        }
    }
}

/// The first budget of the assignment that is used up, with so many US dollars that nobody has heard
/// of yet.
fn used_up(draft: &Draft<'_>, it: &Assignment, unheard: f64) -> Option<String> {
    let (board, limits) = (draft.board(), &draft.policy.budgets);
    let issue = |issue: &IssueRef| format!("the budget of {issue}");
    let budgets = [
        (
            "the budget of an assignment".to_owned(),
            it.spent_usd,
            limits.assignment_usd,
        ),
        (
            issue(&it.issue),
            board.spent_on(&it.issue),
            limits.issue_usd,
        ),
        (
            "the budget of the day".to_owned(),
            board.spent_on_day(draft.now),
            limits.day_usd,
        ),
    ];
    let over = budgets
        .into_iter()
        .map(|(name, spent, limit)| (name, spent + unheard, limit))
        .find_map(|(name, spent, limit)| Some((name, spent, limit.filter(|it| spent >= *it)?)));
    over.map(|(name, spent, limit)| format!("{name} is used up: ${spent:.2} of ${limit:.2}"))
}
