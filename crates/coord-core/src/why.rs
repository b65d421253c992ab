//! Why an issue is where it is: one sentence, and what it waits for as data.

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, AssignmentKind, AssignmentState, MergeState, WorkerResult};
use crate::board::Board;
use crate::command::Refusal;
use crate::failure::FailureClass;
use crate::gates::{self, GateStatus};
use crate::ids::{AssignmentId, CommitId, IssueRef, MachineName, Timestamp};
use crate::key::EffectKind;
use crate::obstacle;
use crate::pipeline::{self, Busy, Next};
use crate::placement;
use crate::policy::{Gate, Policy};
use crate::queue;
use crate::repair;
use crate::stage::{Stage, stage_of};

/// Where an issue stands and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// How far it has come.
    pub stage: Stage,
    /// The assignment that says so; `None` when the board has none for the issue.
    pub assignment: Option<AssignmentId>,
    /// One sentence for people: lower case, no final period.
    pub sentence: String,
    /// What has to happen next; `None` when the board expects nothing.
    pub waits_for: Option<WaitsFor>,
}

/// What an issue waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "for")]
pub enum WaitsFor {
    /// The rule that keeps its assignment from starting.
    Rule {
        /// Which one, and what stands in the way.
        refusal: Refusal,
    },
    /// The agent has to take the assignment.
    Agent {
        /// The agent.
        machine: MachineName,
    },
    /// The worker has to end.
    Worker {
        /// Where it runs.
        machine: MachineName,
    },
    /// The test of its branch has to end.
    Test {
        /// The commit that is tested.
        head: CommitId,
    },
    /// A gate has to hold.
    Gate {
        /// Which one, and why it does not.
        status: GateStatus,
    },
    /// Another entry of the merge queue comes first.
    Turn {
        /// That entry.
        after: AssignmentId,
    },
    /// The forge has to answer.
    Forge,
    /// The base branch has to move.
    Base,
    /// A person has to do something.
    Person {
        /// A command that would help.
        hint: String,
    },
}

/// Why `issue` is where it is, as far as the board goes: what has left it is in the history.
#[must_use]
pub fn why(board: &Board, policy: &Policy, issue: &IssueRef, now: Timestamp) -> Why {
    let Some(assignment) = board.leading(issue) else {
        return Why {
            stage: Stage::New,
            assignment: None,
            sentence: format!("no assignment on the board is for {issue}"),
            waits_for: None,
        };
    };
    let (mut sentence, waits_for) = explain(board, policy, assignment, now);
    if let Some(before) = goes_on_with(board, assignment) {
        sentence.push_str(&before);
    }
    Why {
        stage: stage_of(board, policy, assignment),
        assignment: Some(assignment.id.clone()),
        sentence,
        waits_for,
    }
}

/// The half-sentence about the attempt before.
fn goes_on_with(board: &Board, it: &Assignment) -> Option<String> {
    let id = it.follows.as_ref().filter(|_| it.state.is_active())?;
    let before = board.assignments.get(id)?;
    if matches!(it.kind, AssignmentKind::Fix | AssignmentKind::Rebase) {
        let cause = repair::found(before).as_str();
        return Some(format!(
            "; it goes on with assignment {id}, because {cause}"
        ));
    }
    let (machine, state) = (&before.machine, before.state.as_str());
    let state = match before.state.is_active() {
        true => format!("is to stop as soon as {machine} answers"),
        false => format!("is {state}"),
    };
    Some(format!("; it goes on with assignment {id}, which {state}"))
}

type Explanation = (String, Option<WaitsFor>);

fn explain(board: &Board, policy: &Policy, it: &Assignment, now: Timestamp) -> Explanation {
    match it.state {
        AssignmentState::Waiting => waiting(board, policy, it, now),
        AssignmentState::Requested => requested(board, it, now),
        AssignmentState::Running => running(board, policy, it),
        AssignmentState::Done => done(board, policy, it, now),
        AssignmentState::Failed | AssignmentState::Cancelled | AssignmentState::Lost => {
            ended(policy, it)
        }
    }
}

fn waiting(board: &Board, policy: &Policy, it: &Assignment, now: Timestamp) -> Explanation {
    match obstacle::obstacle(board, policy, it, now) {
        Some(refusal) => (
            format!("assignment {} waits: {}", it.id, refusal.why),
            Some(WaitsFor::Rule { refusal }),
        ),
        None => (
            format!("assignment {} starts with the next command", it.id),
            None,
        ),
    }
}

fn requested(board: &Board, it: &Assignment, now: Timestamp) -> Explanation {
    if board.has_open(&it.id, EffectKind::Claim) {
        let sentence = format!("assignment {} claims the issue on its forge", it.id);
        return (sentence, Some(WaitsFor::Forge));
    }
    let machine = it.machine.clone();
    let facts = board.machines.get(&machine);
    let sentence = if facts.is_some_and(|facts| facts.silent_since.is_some()) {
        format!(
            "the agent on {machine} cannot be reached; whether it has the assignment is unknown"
        )
    } else if facts.is_some_and(|facts| facts.limited_until > Some(now)) {
        format!("it is to be dispatched to {machine}, whose account has hit a usage limit")
    } else {
        format!("it is to be dispatched to {machine}")
    };
    (sentence, Some(WaitsFor::Agent { machine }))
}

/// What a person can do about a question.
fn answer(it: &Assignment) -> String {
    format!(
        "answer it with `coord resume-stuck {} --guidance TEXT`",
        it.id
    )
}

fn running(board: &Board, policy: &Policy, it: &Assignment) -> Explanation {
    let machine = it.machine.clone();
    let silent = board
        .machines
        .get(&machine)
        .is_some_and(|facts| facts.silent_since.is_some());
    if let Some(question) = &it.stuck {
        let hint = answer(it);
        let sentence = format!("its worker on {machine} is stuck: {question}");
        return (sentence, Some(WaitsFor::Person { hint }));
    }
    let sentence = match (it.stop_requested, silent) {
        (true, _) => match &it.over_budget {
            Some(budget) => format!("its worker on {machine} was asked to stop: {budget}"),
            None => format!("its worker on {machine} was asked to stop"),
        },
        (false, true) => {
            let moves = moves(policy, it);
            format!("its agent on {machine} cannot be reached; its worker may still run{moves}")
        }
        (false, false) => format!("its worker runs on {machine}"),
    };
    (sentence, Some(WaitsFor::Worker { machine }))
}

/// What becomes of work whose agent stays silent.
fn moves(policy: &Policy, it: &Assignment) -> String {
    let rules = &policy.concurrency;
    if !rules.auto_reassign {
        return String::new();
    }
    let minutes = rules.stale_seconds.div_ceil(60);
    match it.retries < rules.max_retries {
        true => format!("; after {minutes} min another machine takes it over, if one can"),
        false => format!("; {} has been retried often enough", it.issue),
    }
}

fn done(board: &Board, policy: &Policy, it: &Assignment, now: Timestamp) -> Explanation {
    let person = |hint: String| Some(WaitsFor::Person { hint });
    let Some(work) = it.deliverable() else {
        return match it.question() {
            Some(question) => (
                format!("its worker ended with a question: {question}"),
                person(answer(it)),
            ),
            None => (
                "its worker ended well without a commit: there is nothing to merge".to_owned(),
                person(read_and_retry(it)),
            ),
        };
    };
    match pipeline::next(board, policy, it, now) {
        Next::Busy(busy) => being_done(board, policy, it, (work.head, &busy), now),
        Next::Person { why, hint } => (why, person(hint)),
        Next::Begin(_) => ("it goes on with the next command".to_owned(), None),
        Next::Nothing => at_rest(board, policy, it),
    }
}

fn being_done(
    board: &Board,
    policy: &Policy,
    it: &Assignment,
    (head, busy): (&CommitId, &Busy),
    now: Timestamp,
) -> Explanation {
    let forge = |sentence: &str| (sentence.to_owned(), Some(WaitsFor::Forge));
    match busy {
        Busy::Effect(EffectKind::Test) => {
            let head = head.clone();
            let sentence = format!("{} is being tested", head.short());
            (sentence, Some(WaitsFor::Test { head }))
        }
        Busy::Effect(EffectKind::Pull) => forge("its pull request is being opened"),
        Busy::Effect(EffectKind::Checks) => forge("the forge's checks of it have not ended"),
        Busy::Effect(_) => forge("the forge was asked to merge it"),
        Busy::Turn(id) => {
            let other = board.assignments.get(id);
            let other = other.map_or_else(|| id.to_string(), |other| other.issue.to_string());
            let sentence = format!(
                "its tests are red together with {other}, which is merged first; then it is put right"
            );
            let after = id.clone();
            (sentence, Some(WaitsFor::Turn { after }))
        }
        Busy::Serving(id) => served(board, policy, it, id, now),
    }
}

/// Somebody looks at the branch.
fn served(
    board: &Board,
    policy: &Policy,
    it: &Assignment,
    by: &AssignmentId,
    now: Timestamp,
) -> Explanation {
    let Some(by) = board.assignments.get(by) else {
        return ("somebody looks at it".to_owned(), None);
    };
    let what = match by.kind {
        AssignmentKind::Smoke => "it is being tried out",
        AssignmentKind::Pr => "the text of its pull request is being written",
        AssignmentKind::Review
        | AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => "it is being reviewed",
    };
    let (machine, id) = (by.machine.clone(), &by.id);
    if by.state == AssignmentState::Waiting
        && let Some(refusal) = obstacle::obstacle(board, policy, by, now)
    {
        let why = &refusal.why;
        let sentence = format!("{what} by assignment {id}, which waits: {why}");
        return (sentence, Some(WaitsFor::Rule { refusal }));
    }
    let where_it_was_made = match machine == it.machine {
        true => ", where it was made",
        false => "",
    };
    let sentence = format!("{what} by assignment {id} on {machine}{where_it_was_made}");
    if by.state.is_active() && placement::is_silent(board, &machine) {
        let hint = format!("`coord stop {id}` gives it up, so that another one can begin");
        let sentence = format!("{sentence}, whose agent cannot be reached");
        return (sentence, Some(WaitsFor::Person { hint }));
    }
    (sentence, Some(WaitsFor::Worker { machine }))
}

/// A branch that the pipeline does nothing more with by itself.
fn at_rest(board: &Board, policy: &Policy, it: &Assignment) -> Explanation {
    let person = |hint: String| Some(WaitsFor::Person { hint });
    match it.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Merged { commit }) => {
            (format!("it is merged as {}", commit.short()), None)
        }
        Some(MergeState::Queued) if !it.stop_requested => queued(board, policy, it),
        Some(MergeState::Merging) => (
            "the forge was asked to merge it".to_owned(),
            Some(WaitsFor::Forge),
        ),
        Some(
            MergeState::Queued
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. },
        )
        | None => match it.question() {
            Some(question) => (
                format!("its worker has committed and ended with a question: {question}"),
                person(format!("{}, or `coord test {}`", answer(it), it.id)),
            ),
            None if it.stop_requested => (
                match &it.over_budget {
                    Some(budget) => format!("its branch is finished and was put aside: {budget}"),
                    None => "a person has put its branch aside".to_owned(),
                },
                person(format!("`coord merge {}`", it.id)),
            ),
            None => unqueued(board, policy, it),
        },
    }
}

fn unqueued(board: &Board, policy: &Policy, it: &Assignment) -> Explanation {
    let (sentence, hint) = match gates::first_closed(board, policy, it) {
        Some(status) => {
            let command = match status.gate {
                Gate::Review => "review",
                Gate::Test => "test",
                Gate::Ci => "merge",
            };
            (
                format!("it is not merged: {}", status.why),
                format!("`coord {command} {}`", it.id),
            )
        }
        None => (
            "its branch is finished and nobody asked for the merge".to_owned(),
            format!("`coord merge {}`", it.id),
        ),
    };
    (sentence, Some(WaitsFor::Person { hint }))
}

fn queued(board: &Board, policy: &Policy, it: &Assignment) -> Explanation {
    if let Some(status) = gates::first_closed(board, policy, it) {
        let sentence = format!("it waits in the merge queue: {}", status.why);
        return (sentence, Some(WaitsFor::Gate { status }));
    }
    let turn = |other: &Assignment| {
        let after = other.id.clone();
        let sentence = format!("{} is merged before it", other.issue);
        (sentence, Some(WaitsFor::Turn { after }))
    };
    if let Some(other) = queue::comes_first(board, policy, it) {
        return turn(other);
    }
    if !queue::is_combined(policy, it) {
        return ("it is next in the merge queue".to_owned(), None);
    }
    match queue::combination(board, policy, it) {
        Some(green) => match green.after.first().and_then(|id| board.assignments.get(id)) {
            Some(other) => turn(other),
            None => ("it is next in the merge queue".to_owned(), None),
        },
        None => (
            "it is tested together with its base, and with what is merged before it".to_owned(),
            it.deliverable().map(|work| WaitsFor::Test {
                head: work.head.clone(),
            }),
        ),
    }
}

fn read_and_retry(it: &Assignment) -> String {
    format!("read `coord log {0}`, then `coord retry {0}`", it.id)
}

fn ended(policy: &Policy, it: &Assignment) -> Explanation {
    let result = it.end.as_ref().map(|end| &end.result);
    let hint = match result {
        Some(WorkerResult::Failed(FailureClass::Configuration)) => {
            format!("put that right, then `coord retry {}`", it.id)
        }
        Some(WorkerResult::Cancelled) => "assign the issue again when it is wanted".to_owned(),
        Some(WorkerResult::Done | WorkerResult::Failed(_)) => read_and_retry(it),
        None => format!("`coord retry {}` begins again", it.id),
    };
    if let Some(budget) = &it.over_budget {
        let kept = it.end.as_ref().and_then(|end| end.wip_ref.as_deref());
        let kept = kept.map_or_else(String::new, |kept| format!("; its work is kept as {kept}"));
        let hint = format!(
            "raise the budget where it is the issue's or the day's, then `coord retry {}`",
            it.id
        );
        let sentence = format!("its worker was stopped: {budget}{kept}");
        return (sentence, Some(WaitsFor::Person { hint }));
    }
    let error = it.end.as_ref().and_then(|end| end.error.as_deref());
    let mut sentence = match error {
        Some(error) => format!("its last assignment is {}: {error}", it.state.as_str()),
        None => format!("its last assignment is {}", it.state.as_str()),
    };
    let rules = &policy.concurrency;
    if rules.auto_reassign && it.retries > 0 && it.retries >= rules.max_retries {
        sentence.push_str(&format!(
            "; that was retry {} of {}",
            it.retries, rules.max_retries
        ));
    }
    (sentence, Some(WaitsFor::Person { hint }))
}
