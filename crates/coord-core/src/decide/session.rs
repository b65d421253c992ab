//! The end of rounds and sessions: who may close one, and what runs then, step by step.

use super::draft::Draft;
use crate::assignment::Assignment;
use crate::board::Board;
use crate::command::{Refusal, Rule};
use crate::effect::{Effect, EffectRequest, Outcome};
use crate::event::BoardEvent;
use crate::ids::{EffectKey, RepoName};
use crate::key::EffectKind;
use crate::policy::HousekeepingPolicy;
use crate::session::{Period, Since, Step, StepResult};

/// How many assignments a refusal names.
const NAMED: usize = 5;

/// Closes the session. Of two people who do so at once the second finds that nothing has happened
/// since.
pub(super) fn close(
    draft: &mut Draft<'_>,
    force: bool,
    checkouts: &[RepoName],
) -> Result<(), Refusal> {
    let Some(since) = draft.board().session else {
        let why = "nothing has happened since the last session was closed";
        return Err(Refusal::new(Rule::State, why).hint(nothing_hint(draft.board())));
    };
    let at_work: Vec<&Assignment> = draft.board().at_work().collect();
    if let (Some(first), false) = (at_work.first(), force) {
        return Err(still_at_work(first, &at_work));
    }
    let mut steps = draft.policy.on_session_end.clone();
    steps.extend(housekeeping(&draft.policy.housekeeping, checkouts));
    let period = Box::new(period(draft, since, steps));
    draft.emit(BoardEvent::SessionClosed { period });
    enqueue_step(draft, draft.board().seq);
    Ok(())
}

/// Ends the round when the last of its work has just ended. `before` is the board before the
/// command: a round ends once, with the command that ends it.
pub(super) fn complete_round(draft: &mut Draft<'_>, before: &Board) {
    let steps = &draft.policy.on_round_complete;
    let is_at_work = |board: &Board| board.at_work().next().is_some();
    let Some(since) = draft.board().round.filter(|_| !steps.is_empty()) else {
        return;
    };
    if !is_at_work(before) || is_at_work(draft.board()) {
        return;
    }
    let period = Box::new(period(draft, since, steps.clone()));
    draft.emit(BoardEvent::RoundCompleted { period });
    enqueue_step(draft, draft.board().seq);
}

/// What came of a step: recorded once, then the next one runs. One that failed stops none.
pub(super) fn end_step(draft: &mut Draft<'_>, key: &EffectKey, outcome: &Outcome) {
    let runs = &draft.board().step_runs;
    let open = runs.iter().find(|(seq, run)| run.key(**seq) == *key);
    let Some((&seq, run)) = open else {
        return;
    };
    let Some(what) = run.left.first().cloned() else {
        return;
    };
    let outcome = outcome.answering(Some(EffectKind::Step));
    let result = if let Outcome::StepEnded { result } = &*outcome {
        result.clone()
    } else if let Outcome::Failed { error, .. } = &*outcome {
        StepResult {
            ok: false,
            note: error.clone(),
            file: None,
        }
    } else {
        return;
    };
    draft.emit(BoardEvent::StepEnded {
        key: key.clone(),
        seq,
        what,
        result,
    });
    enqueue_step(draft, seq);
}

/// Puts the step whose turn it is into the outbox, where one is left.
fn enqueue_step(draft: &mut Draft<'_>, seq: u64) {
    let Some(run) = draft.board().step_runs.get(&seq) else {
        return;
    };
    let (key, place) = (run.key(seq), run.done);
    if let Some(what) = run.left.first().cloned() {
        draft.request(EffectRequest {
            key,
            effect: Effect::RunStep { seq, place, what },
            not_before: None,
        });
    }
}

fn period(draft: &Draft<'_>, since: Since, steps: Vec<Step>) -> Period {
    let board = draft.board();
    Period {
        since,
        at_work: board.at_work().map(|it| it.id.clone()).collect(),
        waiting: board.waiting_for_a_person(draft.policy, draft.now),
        steps,
    }
}

/// Every checkout is brought up to date before anything runs in it.
fn housekeeping(policy: &HousekeepingPolicy, checkouts: &[RepoName]) -> Vec<Step> {
    let pulls = checkouts.iter().filter(|_| policy.pull);
    let pulls = pulls.map(|repo| Step::Pull { repo: repo.clone() });
    let commands = policy.commands.iter().flat_map(|it| {
        let repos = checkouts
            .iter()
            .filter(|repo| it.repos.is_empty() || it.repos.contains(repo));
        repos.map(|repo| Step::InCheckout {
            repo: repo.clone(),
            command: it.command.clone(),
            timeout_seconds: it.timeout_seconds,
        })
    });
    pulls.chain(commands).collect()
}

fn nothing_hint(board: &Board) -> &'static str {
    if board.step_runs.is_empty() {
        "`coord session` shows the last one"
    } else {
        "`coord session` shows the last one; its hooks are not over, `coord resume` finishes them"
    }
}

fn still_at_work(first: &Assignment, all: &[&Assignment]) -> Refusal {
    let name = |it: &&Assignment| format!("{} ({}, {})", it.id, it.issue, it.state.as_str());
    let mut names: Vec<String> = all.iter().take(NAMED).map(name).collect();
    if all.len() > NAMED {
        names.push(format!("{} more", all.len() - NAMED));
    }
    let why = format!("still at work: {}", names.join(", "));
    Refusal::new(Rule::State, why)
        .of_assignment(&first.id)
        .hint("`coord wait` or `coord stop` them; with --force they go on into the next session")
}
