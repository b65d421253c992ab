//! Where a worker runs and when it may start there: slots, usage limits, stagger.

use std::cmp::Reverse;

use crate::board::Board;
use crate::ids::{MachineName, RepoName, Timestamp};
use crate::policy::Policy;

/// How many more workers may run on `machine` now; 0 for one that is not in the configuration.
#[must_use]
pub fn free_slots(board: &Board, policy: &Policy, machine: &MachineName) -> u32 {
    let Some(limit) = policy.machines.get(machine).map(|it| it.max_workers) else {
        return 0;
    };
    let taken = board
        .assignments
        .values()
        .filter(|it| it.machine == *machine && it.state.takes_slot())
        .count();
    limit.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
}

/// The machine for the next worker on `repo`: one that has a free slot before one that has none,
/// one that answers and is not limited before one that does not or is, then the one with the
/// most free slots, then by name. `None` when no machine may work on the repository.
pub(crate) fn best_machine<'p>(
    board: &Board,
    policy: &'p Policy,
    repo: &RepoName,
    now: Timestamp,
) -> Option<&'p MachineName> {
    let may_work = policy
        .machines
        .iter()
        .filter(|(_, machine)| machine.repos.contains(repo));
    let rank = |name: &MachineName| {
        let free = free_slots(board, policy, name);
        let facts = board.machines.get(name);
        let silent = facts.is_some_and(|facts| facts.silent_since.is_some());
        let limited = facts.is_some_and(|facts| facts.limited_until > Some(now));
        (free == 0, silent || limited, Reverse(free))
    };
    may_work
        .map(|(name, _)| name)
        .min_by_key(|name| (rank(name), *name))
}

/// The instant before which nothing may be dispatched to `machine`; `None` when that is past.
pub(crate) fn not_before(
    board: &Board,
    policy: &Policy,
    machine: &MachineName,
    now: Timestamp,
) -> Option<Timestamp> {
    let facts = board.machines.get(machine)?;
    let staggered = facts
        .last_dispatch_at
        .map(|last| last.plus_secs(policy.concurrency.stagger_seconds));
    staggered
        .max(facts.limited_until)
        .filter(|instant| *instant > now)
}
