//! What keeps an assignment from starting now, although nothing is wrong with it.

use crate::assignment::Assignment;
use crate::board::Board;
use crate::command::{Refusal, Rule};
use crate::graph::DependencyGraph;
use crate::ids::Timestamp;
use crate::lease;
use crate::placement;
use crate::policy::Policy;

/// The first rule that keeps `it` from starting, in the order of the dispatch: its time, dependencies,
/// files, slots, budgets. `it` need not be on the board.
pub(crate) fn obstacle(
    board: &Board,
    policy: &Policy,
    it: &Assignment,
    now: Timestamp,
) -> Option<Refusal> {
    not_yet(it, now)
        .or_else(|| open_issue(it))
        .or_else(|| dependency(board, policy, it))
        .or_else(|| file_overlap(board, it, now))
        .or_else(|| slots(board, policy, it))
        .or_else(|| issue_budget(board, policy, it))
        .or_else(|| day_budget(board, policy, it, now))
}

fn not_yet(it: &Assignment, now: Timestamp) -> Option<Refusal> {
    let at = it.start.not_before.filter(|at| *at > now)?;
    let seconds = (at.as_millis() - now.as_millis() + 999).div_euclid(1000);
    let why = format!("what stopped its worker may be over in {seconds} s");
    let refusal = Refusal::new(Rule::NotYet, why).of_issue(&it.issue);
    Some(refusal.hint(format!("wait, or `coord stop {}`", it.id)))
}

fn open_issue(it: &Assignment) -> Option<Refusal> {
    if it.waived.ignore_deps || !it.kind.writes() {
        return None;
    }
    let first = it.blocked_by.first()?;
    let open = match it.blocked_by.len() - 1 {
        0 => format!("{first}, which is open"),
        more => format!("{first} and {more} more, which are open"),
    };
    let why = format!("{} depends on {open}", it.issue);
    let refusal = Refusal::new(Rule::Dependency, why).of_issue(&it.issue);
    Some(refusal.hint("solve that first, or pass --ignore-deps"))
}

fn dependency(board: &Board, policy: &Policy, it: &Assignment) -> Option<Refusal> {
    if it.waived.ignore_deps || !it.kind.writes() {
        return None;
    }
    let upstreams = DependencyGraph::of(policy).upstreams(&it.issue.repo);
    let busy = board.assignments.values().find(|other| {
        upstreams.contains(&other.issue.repo)
            && (other.is_at_work() || other.holds_lease())
            && !other.waits_for_issues()
    })?;
    let why = format!(
        "{} depends on {}, where assignment {} ({}) is not finished",
        it.issue.repo, busy.issue.repo, busy.id, busy.issue
    );
    let refusal = Refusal::new(Rule::Dependency, why)
        .of_issue(&it.issue)
        .of_assignment(&busy.id)
        .hint("wait for it, or pass --ignore-deps");
    Some(refusal)
}

fn file_overlap(board: &Board, it: &Assignment, now: Timestamp) -> Option<Refusal> {
    if it.waived.allow_overlap {
        return None;
    }
    let (other, what) = lease::first_overlap(board, it, now)?;
    let why = format!(
        "its files overlap with assignment {} ({}): {what}",
        other.id, other.issue
    );
    let refusal = Refusal::new(Rule::FileOverlap, why)
        .of_issue(&it.issue)
        .of_assignment(&other.id)
        .hint("wait for it, narrow the files, or pass --allow-overlap");
    Some(refusal)
}

fn slots(board: &Board, policy: &Policy, it: &Assignment) -> Option<Refusal> {
    if placement::free_slots(board, policy, &it.machine) > 0 {
        return None;
    }
    let why = if it.pinned {
        format!("every slot of {} is taken", it.machine)
    } else {
        format!(
            "no machine that may work on {} has a free slot",
            it.issue.repo
        )
    };
    let refusal = Refusal::new(Rule::Slots, why)
        .of_issue(&it.issue)
        .hint("wait for a worker to end, or raise max_workers");
    Some(refusal)
}

fn issue_budget(board: &Board, policy: &Policy, it: &Assignment) -> Option<Refusal> {
    let limit = policy.budgets.issue_usd?;
    let spent = board.spent_on(&it.issue);
    let name = format!("the budget of {}", it.issue);
    used_up(it, &name, spent, limit).map(|it| it.hint("raise budgets.issue_usd"))
}

fn day_budget(board: &Board, policy: &Policy, it: &Assignment, now: Timestamp) -> Option<Refusal> {
    let limit = policy.budgets.day_usd?;
    let spent = board.spent_on_day(now);
    used_up(it, "the budget of the day", spent, limit)
        .map(|it| it.hint("wait for tomorrow (UTC), or raise budgets.day_usd"))
}

fn used_up(it: &Assignment, budget: &str, spent: f64, limit: f64) -> Option<Refusal> {
    (spent >= limit).then(|| {
        let why = format!("{budget} is used up: ${spent:.2} of ${limit:.2}");
        Refusal::new(Rule::Budget, why).of_issue(&it.issue)
    })
}
