//! Where a worker runs and when it may start there: slots, usage limits, stagger.

use std::cmp::Reverse;

use crate::assignment::Assignment;
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

/// How a label says that an issue needs a machine with a capability: `needs:docker`.
const NEEDS: &str = "needs:";

/// The capabilities that the labels of an issue ask for.
#[must_use]
pub fn needed(labels: &[String]) -> Vec<&str> {
    let asked = labels.iter().filter_map(|it| it.strip_prefix(NEEDS));
    asked.map(str::trim).filter(|it| !it.is_empty()).collect()
}

/// What a machine has to be for a worker.
#[derive(Debug, Clone)]
pub(crate) struct Job<'a> {
    repo: &'a RepoName,
    needed: Vec<&'a str>,
}

impl<'a> Job<'a> {
    /// Work on an issue with these labels.
    pub(crate) fn new(repo: &'a RepoName, labels: &'a [String]) -> Self {
        Self {
            repo,
            needed: needed(labels),
        }
    }

    /// Work on the issue of an assignment.
    pub(crate) fn of(it: &'a Assignment) -> Self {
        Self::new(&it.issue.repo, &it.labels)
    }

    /// The machines that may do it, and can.
    fn able<'p>(&self, policy: &'p Policy) -> impl Iterator<Item = &'p MachineName> {
        may_work(policy, self.repo).filter(|name| {
            let machine = policy.machines.get(*name);
            machine.is_some_and(|it| self.needed.iter().all(|what| it.can(what)))
        })
    }
}

/// The machine for the next worker: one that has a free slot before one that has none,
/// one that answers and is not limited before one that does not or is, then the one with the
/// most free slots, then by name. `None` when no machine may do it.
pub(crate) fn best_machine<'p>(
    board: &Board,
    policy: &'p Policy,
    job: &Job<'_>,
    now: Timestamp,
) -> Option<&'p MachineName> {
    best_of(board, policy, job.able(policy), now)
}

fn best_of<'p>(
    board: &Board,
    policy: &Policy,
    machines: impl Iterator<Item = &'p MachineName>,
    now: Timestamp,
) -> Option<&'p MachineName> {
    machines.min_by_key(|name| (rank(board, policy, name, now), *name))
}

/// The lower the better.
fn rank(
    board: &Board,
    policy: &Policy,
    name: &MachineName,
    now: Timestamp,
) -> (bool, bool, Reverse<u32>) {
    let free = free_slots(board, policy, name);
    let facts = board.machines.get(name);
    let limited = facts.is_some_and(|facts| facts.limited_until > Some(now));
    (free == 0, is_silent(board, name) || limited, Reverse(free))
}

/// The machines that can do it and have a free slot, the best first.
pub(crate) fn in_order<'p>(
    board: &Board,
    policy: &'p Policy,
    job: &Job<'_>,
    now: Timestamp,
) -> Vec<&'p MachineName> {
    let free = |name: &&MachineName| free_slots(board, policy, name) > 0;
    let mut machines: Vec<&MachineName> = job.able(policy).filter(free).collect();
    machines.sort_by_cached_key(|name| (rank(board, policy, name, now), *name));
    machines
}

/// The machine for work that was begun on `before`: the best other one that answers; else that one,
/// where it still can; else whichever is best. One with a free slot comes before one
/// that has none: a worker that waits for an answer may keep its slot for ever.
pub(crate) fn next_machine<'p>(
    board: &Board,
    policy: &'p Policy,
    job: &Job<'_>,
    before: &MachineName,
    now: Timestamp,
) -> Option<&'p MachineName> {
    let is_free = |name: &&MachineName| free_slots(board, policy, name) > 0;
    let other = elsewhere(board, policy, job, before, now);
    let same = job.able(policy).find(|name| *name == before);
    let best = || best_machine(board, policy, job, now);
    other
        .filter(is_free)
        .or_else(|| same.filter(is_free).filter(|name| !is_silent(board, name)))
        .or(other)
        .or(same)
        .or_else(best)
}

/// The best machine that can do it, answers, and is not `before`.
pub(crate) fn elsewhere<'p>(
    board: &Board,
    policy: &'p Policy,
    job: &Job<'_>,
    before: &MachineName,
    now: Timestamp,
) -> Option<&'p MachineName> {
    let others = job
        .able(policy)
        .filter(|name| *name != before && !is_silent(board, name));
    best_of(board, policy, others, now)
}

/// What the machine has to be for somebody who looks at a branch.
pub(crate) struct Reader<'a> {
    /// Where the branch was made.
    pub(crate) author: &'a MachineName,
    /// Whether it is nowhere else.
    pub(crate) tied: bool,
    /// The capabilities that it takes.
    pub(crate) needed: Vec<String>,
    /// Where somebody has looked at it already, to no use.
    pub(crate) tried: Vec<&'a MachineName>,
}

/// The machine for somebody who looks at a branch: one where nobody has tried before, another one
/// without any work before another one with a free slot before the one that it was made on, of those
/// that may work on `repo`.
pub(crate) fn best_reader<'p>(
    board: &Board,
    policy: &'p Policy,
    repo: &RepoName,
    reader: &Reader<'_>,
    now: Timestamp,
) -> Option<&'p MachineName> {
    let Reader {
        author,
        tied,
        needed,
        tried,
    } = reader;
    let can = |name: &&MachineName| {
        let machine = policy.machines.get(*name);
        machine.is_some_and(|it| needed.iter().all(|what| it.capabilities.contains(what)))
            && (!tied || name == author)
    };
    let rank = |name: &MachineName| {
        let free = free_slots(board, policy, name);
        let slots = policy.machines.get(name).map_or(0, |it| it.max_workers);
        let facts = board.machines.get(name);
        let limited = facts.is_some_and(|facts| facts.limited_until > Some(now));
        let away = is_silent(board, name) || limited;
        let tried = tried.contains(&name);
        let busy = free < slots;
        (away, free == 0, tried, name == *author, busy, Reverse(free))
    };
    may_work(policy, repo)
        .filter(can)
        .min_by_key(|name| (rank(name), *name))
}

/// Whether the machine's agent did not answer when it was asked last.
pub(crate) fn is_silent(board: &Board, machine: &MachineName) -> bool {
    let facts = board.machines.get(machine);
    facts.is_some_and(|facts| facts.silent_since.is_some())
}

/// The machines that may work on `repo`.
pub(crate) fn may_work<'p>(
    policy: &'p Policy,
    repo: &RepoName,
) -> impl Iterator<Item = &'p MachineName> {
    let machines = policy.machines.iter();
    machines
        .filter(move |(_, machine)| machine.repos.contains(repo))
        .map(|(name, _)| name)
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
