//! What a person wants for an assignment that came to nothing, or whose worker asks something.

use super::assign;
use super::draft::{Draft, refuse};
use super::follow;
use crate::assignment::{Assignment, Cause, WorkerResult};
use crate::command::{Refusal, RetryRequest, Rule};
use crate::continuation::{self, Plan};
use crate::effect::Effect;
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, MachineName};
use crate::key;
use crate::ladder;
use crate::placement::{self, Job};
use crate::standing;

/// Has another assignment go on with one that has ended, or whose agent is gone.
pub(super) fn retry(draft: &mut Draft<'_>, request: &RetryRequest) -> Result<(), Refusal> {
    if let Some(earlier) = draft.board().assignments.get(&request.id) {
        return asked_again(earlier, request);
    }
    let old = draft.assignment(&request.follows)?.clone();
    may_be_followed(draft, &old)?;
    assign::may_be_worked_on(
        draft,
        &old.issue,
        &request.issue,
        &request.evidence,
        &continuation::both(old.waived, request.waivers),
    )?;
    // Whoever was stopped for the money has done nothing wrong.
    let resume = request.resume || old.over_budget.is_some();
    let machine = machine(draft, request, &old, resume)?;
    let model = model(draft, request, &old, resume);
    let resume = resume && !placement::is_silent(draft.board(), &machine);
    let plan = Plan {
        pinned: request.machine.is_some(),
        model,
        guidance: request.guidance.clone(),
        issue_text: Some(text_of(request)),
        resume,
        onto: old.start.onto.clone(),
        retries: old.retries,
        rounds: 0,
        waivers: request.waivers,
        ..Plan::new(&old, request.id.clone(), Cause::Person, machine, draft.now)
    };
    let new = continuation::follow(draft.board(), &old, plan);
    follow::supersede(draft, &old.id, new, Cause::Person, request.when_blocked)
}

/// Tells a running worker something.
pub(super) fn guide(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    guidance: &str,
) -> Result<(), Refusal> {
    let it = draft.assignment(id)?;
    if guidance.trim().is_empty() {
        return Err(refuse(it, "needs words, and the guidance has none"));
    }
    if !it.kind.writes() {
        return Err(refuse(
            it,
            "only looks at a branch, and is not told anything",
        ));
    }
    if it.stop_requested || !follow::may_be_with_its_agent(draft, it) {
        let what = match it.stop_requested {
            true => "was asked to stop".to_owned(),
            false => format!("is {}", it.state.as_str()),
        };
        return Err(refuse(it, &what).hint(format!("`coord why {id}`")));
    }
    let machine = it.machine.clone();
    draft.emit(BoardEvent::WorkerGuided {
        id: id.clone(),
        guidance: guidance.to_owned(),
    });
    let seq = draft.board().seq;
    let effect = Effect::Guide {
        machine,
        id: id.clone(),
        guidance: guidance.to_owned(),
        seq,
    };
    draft.enqueue(key::guide(id, seq), id, effect);
    Ok(())
}

/// The same command twice, as after a crash, is one assignment.
fn asked_again(earlier: &Assignment, request: &RetryRequest) -> Result<(), Refusal> {
    if earlier.follows.as_ref() == Some(&request.follows) {
        return Ok(());
    }
    let why = format!("the id {} belongs to {}", earlier.id, earlier.issue);
    Err(Refusal::new(Rule::State, why).of_assignment(&earlier.id))
}

fn may_be_followed(draft: &Draft<'_>, old: &Assignment) -> Result<(), Refusal> {
    if let Some(about) = &old.about {
        let (kind, id) = (old.kind.as_str(), &about.id);
        let refusal = refuse(
            old,
            &format!("is a {kind} of {id}, which nobody goes on with"),
        );
        return Err(refusal.hint(format!("`coord {kind} {id}` begins another one")));
    }
    if let Some(by) = &old.superseded_by {
        let refusal = refuse(old, &format!("was taken over by assignment {by}"));
        return Err(refusal.hint(format!("`coord retry {by}`")));
    }
    if follow::may_be_with_its_agent(draft, old) && is_stale(draft, &old.machine) {
        return Ok(());
    }
    if old.state.is_active() {
        let refusal = refuse(old, &format!("is {}", old.state.as_str()));
        return Err(refusal.hint(format!(
            "`coord stop {0}` ends it, `coord resume-stuck {0} --guidance TEXT` tells it something",
            old.id
        )));
    }
    standing::unclaimed(draft.board(), &old.issue)
}

/// Whether the agent has been silent for as long as it may be.
pub(super) fn is_stale(draft: &Draft<'_>, machine: &MachineName) -> bool {
    let facts = draft.board().machines.get(machine);
    let limit = draft.policy.concurrency.stale_seconds;
    facts
        .and_then(|facts| facts.silent_since)
        .is_some_and(|since| since.plus_secs(limit) <= draft.now)
}

fn machine(
    draft: &Draft<'_>,
    request: &RetryRequest,
    old: &Assignment,
    resume: bool,
) -> Result<MachineName, Refusal> {
    let (board, policy, repo) = (draft.board(), draft.policy, &old.issue.repo);
    let (here, job) = (&old.machine, Job::of(old));
    let stays = resume
        && placement::may_work(policy, repo).any(|name| name == here)
        && (!placement::is_silent(board, here)
            || placement::elsewhere(board, policy, &job, here, draft.now).is_none());
    match &request.machine {
        None if stays => Ok(here.clone()),
        None => match placement::next_machine(board, policy, &job, here, draft.now) {
            Some(name) => Ok(name.clone()),
            None => assign::machine(draft, None, &old.issue, &old.labels),
        },
        Some(name) => assign::machine(draft, Some(name), &old.issue, &old.labels),
    }
}

/// One up, unless the model was not at fault: where a person answers a question, or the worker could
/// not be started.
fn model(
    draft: &Draft<'_>,
    request: &RetryRequest,
    old: &Assignment,
    resume: bool,
) -> Option<String> {
    let result = old.end.as_ref().map(|end| end.result);
    let misconfigured = result == Some(WorkerResult::Failed(FailureClass::Configuration));
    let up = || match resume || misconfigured {
        true => None,
        false => ladder::next_up(&draft.policy.models, old.model.as_deref()).map(str::to_owned),
    };
    let asked = request.model.clone();
    asked.or_else(up).or_else(|| old.model.clone())
}

fn text_of(request: &RetryRequest) -> String {
    let issue = &request.issue;
    let text = if issue.body.trim().is_empty() {
        &issue.title
    } else {
        &issue.body
    };
    text.clone()
}
