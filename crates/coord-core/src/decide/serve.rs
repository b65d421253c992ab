//! Those who look at a finished branch: reviewers, authors of pull requests, smoke tests.

use super::advance::{self, is_pointless};
use super::draft::{Draft, refuse};
use super::{promote, reassign, stop};
use crate::assignment::{
    About, Assignment, AssignmentKind, AssignmentState, Goal, WorkerEnd, WorkerResult,
};
use crate::command::{Refusal, Rule, ServeRequest};
use crate::delivery::PullText;
use crate::effect::{AnswerSpec, EarlierReview, Effect, Outcome, ServingSpec};
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, MachineName, Timestamp};
use crate::key::{self, EffectKind};
use crate::obstacle::obstacle;
use crate::pipeline;
use crate::placement::{self, Reader};
use crate::verdict::{ReviewVerdict, SmokeVerdict};

/// A person wants a branch read or tried out.
pub(super) fn serve(draft: &mut Draft<'_>, request: &ServeRequest) -> Result<(), Refusal> {
    if let Some(earlier) = draft.board().assignments.get(&request.id) {
        let same = earlier.about.as_ref().map(|about| &about.id) == Some(&request.about);
        return match same {
            true => Ok(()),
            false => Err(refuse(earlier, "has this id already")),
        };
    }
    let it = under_way(draft, &request.about)?.clone();
    if request.kind.writes() {
        return Err(refuse(&it, "can only be looked at"));
    }
    if request.kind == AssignmentKind::Smoke && !draft.policy.smoke.is_configured {
        let why = "there is no command for smoke tests in the configuration";
        let refusal = Refusal::new(Rule::Configuration, why).of_issue(&it.issue);
        return Err(refusal.hint("set `smoke_tests.default_command`"));
    }
    let how = pipeline::serving(draft.board(), &it, request.kind);
    if let pipeline::Serving::Active(by) = how {
        let refusal = refuse(&it, &format!("is being looked at by assignment {}", by.id));
        return Err(refusal.hint(format!("`coord wait {}`", by.id)));
    }
    let machine = match &request.machine {
        Some(name) => wanted_machine(draft, &it, request.kind, name)?,
        None => machine(draft, &it, request.kind).ok_or_else(|| no_machine(draft, &it))?,
    };
    let mut new = assignment(draft, &it, request.kind, request.id.clone(), machine);
    new.pinned |= request.machine.is_some();
    new.model = request.model.clone().or(new.model);
    start_or_wait(draft, new);
    Ok(())
}

/// Begins with somebody who looks at the branch of `id`. Where no machine can, nothing is begun:
/// [`pipeline::next`] has made sure of one.
pub(super) fn begin(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    kind: AssignmentKind,
    not_before: Option<Timestamp>,
) {
    let Some(it) = draft.board().assignments.get(id).cloned() else {
        return;
    };
    let machine = machine(draft, &it, kind).unwrap_or_else(|| it.machine.clone());
    let fresh = reassign::fresh_id(draft, &it);
    let mut new = assignment(draft, &it, kind, fresh, machine);
    new.start.not_before = not_before;
    start_or_wait(draft, new);
}

/// Every obstacle passes for somebody who only looks: nobody's files are in the way.
fn start_or_wait(draft: &mut Draft<'_>, new: Assignment) {
    match obstacle(draft.board(), draft.policy, &new, draft.now) {
        None => promote::start(draft, new),
        Some(why) => draft.emit(BoardEvent::AssignmentWaits {
            assignment: Box::new(new),
            why,
        }),
    }
}

fn assignment(
    draft: &Draft<'_>,
    it: &Assignment,
    kind: AssignmentKind,
    id: AssignmentId,
    machine: MachineName,
) -> Assignment {
    let policy = draft.policy;
    let (branch, head) = it.deliverable().map_or_else(
        || (it.branch.clone(), crate::ids::CommitId::new(String::new())),
        |work| (work.branch.to_owned(), work.head.clone()),
    );
    let reviewer = policy.reviews.model.clone();
    let default = || policy.models.default.clone();
    let model = match kind {
        AssignmentKind::Review => reviewer.or_else(default),
        AssignmentKind::Pr => default(),
        AssignmentKind::Smoke => None,
        AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => it.model.clone(),
    };
    let about = it.id.clone();
    Assignment {
        about: Some(About { id: about, head }),
        issue_body: Some(issue_text(draft, it)),
        model,
        goal: Goal::Worked,
        branch,
        ..Assignment::new(
            id,
            kind,
            it.issue.clone(),
            it.title.clone(),
            machine,
            draft.now,
        )
    }
}

fn issue_text(draft: &Draft<'_>, it: &Assignment) -> String {
    let first = draft.board().chain(it).last().unwrap_or(it);
    let text = first.issue_body.as_ref().unwrap_or(&first.briefing);
    text.clone()
}

/// The best machine to look at the branch of `it`.
pub(super) fn machine(
    draft: &Draft<'_>,
    it: &Assignment,
    kind: AssignmentKind,
) -> Option<MachineName> {
    let needed = match kind {
        AssignmentKind::Smoke => needed(draft, it),
        AssignmentKind::Pr
        | AssignmentKind::Review
        | AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => Vec::new(),
    };
    let (board, policy, repo) = (draft.board(), draft.policy, &it.issue.repo);
    let in_vain = board
        .serving(it, kind)
        .filter(|by| pipeline::useless(by).is_some());
    let reader = Reader {
        author: &it.machine,
        tied: it.end.as_ref().is_some_and(|end| !end.pushed),
        needed,
        tried: in_vain.map(|by| &by.machine).collect(),
    };
    placement::best_reader(board, policy, repo, &reader, draft.now).cloned()
}

fn needed(draft: &Draft<'_>, it: &Assignment) -> Vec<String> {
    let files = it.end.as_ref().map_or(&[][..], |end| &end.files);
    pipeline::needed(&draft.policy.smoke.rules, files)
}

fn wanted_machine(
    draft: &Draft<'_>,
    it: &Assignment,
    kind: AssignmentKind,
    name: &MachineName,
) -> Result<MachineName, Refusal> {
    let name = super::assign::machine(draft, Some(name), &it.issue, &it.labels)?;
    let lacks = |what: &&String| {
        let machine = draft.policy.machines.get(&name);
        machine.is_some_and(|machine| !machine.capabilities.contains(what))
    };
    let needed = needed(draft, it);
    match needed.iter().find(lacks) {
        Some(what) if kind == AssignmentKind::Smoke => {
            let why = format!("{name} has no {what}, which the change needs");
            Err(Refusal::new(Rule::Configuration, why).of_issue(&it.issue))
        }
        Some(_) | None => Ok(name),
    }
}

fn no_machine(draft: &Draft<'_>, it: &Assignment) -> Refusal {
    let needed = needed(draft, it);
    let what = match needed.is_empty() {
        true => String::new(),
        false => format!(" that has {}", needed.join(", ")),
    };
    let why = format!("no machine{what} may work on {}", it.issue.repo);
    Refusal::new(Rule::Configuration, why).of_issue(&it.issue)
}

/// Whoever only looks at a branch has none.
pub(super) fn is_branch(it: &Assignment) -> Result<(), Refusal> {
    let Some(about) = &it.about else {
        return Ok(());
    };
    let refusal = refuse(it, &format!("is a {} of {}", it.kind.as_str(), about.id));
    Err(refusal.hint(format!("name assignment {}", about.id)))
}

/// The branch that a person names, provided that it can be looked at.
pub(super) fn finished<'d>(
    draft: &'d Draft<'_>,
    id: &AssignmentId,
) -> Result<&'d Assignment, Refusal> {
    let it = draft.assignment(id)?;
    is_branch(it)?;
    if it.merged_as().is_some() {
        return Err(refuse(it, "is merged"));
    }
    if let Some(by) = &it.superseded_by {
        let refusal = refuse(it, &format!("was taken over by assignment {by}"));
        return Err(refusal.hint(format!("name assignment {by}")));
    }
    if it.state.is_active() {
        let refusal = refuse(it, &format!("is {}", it.state.as_str()));
        return Err(refusal.hint(format!("`coord wait {id}`")));
    }
    if it.deliverable().is_none() {
        return Err(refuse(it, "has no commits"));
    }
    if it.state != AssignmentState::Done {
        let refusal = refuse(it, &format!("is {}", it.state.as_str()));
        return Err(refusal.hint(format!("`coord retry {id}`")));
    }
    Ok(it)
}

/// The same, provided that it goes on: whoever looked at another one would be stopped at once.
pub(super) fn under_way<'d>(
    draft: &'d Draft<'_>,
    id: &AssignmentId,
) -> Result<&'d Assignment, Refusal> {
    let it = finished(draft, id)?;
    if it.stop_requested {
        let refusal = refuse(it, "was put aside");
        return Err(refusal.hint(format!("`coord merge {id}` takes it up again")));
    }
    if it.question().is_some() {
        let refusal = refuse(it, "ended with a question");
        return Err(refusal.hint(format!("`coord resume-stuck {id} --guidance TEXT`")));
    }
    Ok(it)
}

/// What a dispatch says beside the assignment of somebody who looks at a branch.
pub(super) fn spec(draft: &Draft<'_>, it: &Assignment) -> Option<Box<ServingSpec>> {
    let about = it.about.as_ref()?;
    let board = draft.board();
    let subject = board.assignments.get(&about.id)?;
    let earlier = board
        .chain(subject)
        .filter_map(|it| it.delivery.review.as_ref())
        .find(|review| review.head != about.head);
    let mut line = board.chain(subject);
    let fixed = line.find(|it| it.kind != AssignmentKind::Continue);
    let is_fix = fixed.is_some_and(|it| it.kind == AssignmentKind::Fix);
    let before = line.find_map(|it| Some(it.deliverable()?.head.clone()));
    Some(Box::new(ServingSpec {
        about: about.id.clone(),
        branch: it.branch.clone(),
        head: about.head.clone(),
        base: subject.end.as_ref().and_then(|end| end.base.clone()),
        pull: subject.delivery.pull,
        reviewed: earlier.map(|review| EarlierReview {
            head: review.head.clone(),
            findings: review.findings.clone(),
        }),
        fixed_from: before.filter(|_| is_fix),
    }))
}

/// What follows from the end of somebody who looked at a branch. `end` has the answer still.
pub(super) fn ended(draft: &mut Draft<'_>, id: &AssignmentId, end: &WorkerEnd) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    let Some(about) = it.about.clone() else {
        return;
    };
    match it.kind {
        AssignmentKind::Smoke => smoke_ended(draft, id, &about, end),
        AssignmentKind::Pr | AssignmentKind::Review => {
            if end.result == WorkerResult::Done {
                judge(draft, id, &about, end.answer.as_deref());
            }
        }
        AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => {}
    }
}

fn judge(draft: &mut Draft<'_>, id: &AssignmentId, about: &About, answer: Option<&str>) {
    let it = draft.board().assignments.get(id);
    let given_up = it.is_none_or(|it| it.answer_refused.is_some());
    if given_up || is_pointless(draft, about) {
        return;
    }
    let Some(answer) = answer else {
        return refuse_answer(draft, id, "it gave no answer in its schema");
    };
    let board = draft.board();
    let (Some(it), Some(subject)) = (board.assignments.get(id), board.assignments.get(&about.id))
    else {
        return;
    };
    let spec = AnswerSpec {
        id: id.clone(),
        kind: it.kind,
        machine: it.machine.clone(),
        about: about.id.clone(),
        issue: it.issue.clone(),
        branch: it.branch.clone(),
        head: about.head.clone(),
        base: subject.end.as_ref().and_then(|end| end.base.clone()),
        pull: subject.delivery.pull,
        answer: answer.to_owned(),
    };
    draft.enqueue(key::judge(id), id, Effect::JudgeAnswer(Box::new(spec)));
}

/// Whether the branch is where it was: what is found of an old tip does not replace what is known of
/// the new one.
fn is_about_head(draft: &Draft<'_>, about: &About) -> bool {
    advance::head_of(draft, &about.id).as_ref() == Some(&about.head)
}

fn refuse_answer(draft: &mut Draft<'_>, id: &AssignmentId, why: &str) {
    draft.emit(BoardEvent::AnswerRefused {
        id: id.clone(),
        why: why.to_owned(),
    });
}

fn smoke_ended(draft: &mut Draft<'_>, id: &AssignmentId, about: &About, end: &WorkerEnd) {
    let passed = match end.result {
        WorkerResult::Done => true,
        WorkerResult::Failed(FailureClass::Work) => false,
        WorkerResult::Failed(FailureClass::Environmental { .. } | FailureClass::Configuration)
        | WorkerResult::Cancelled => return,
    };
    if !is_about_head(draft, about) {
        return;
    }
    let (at, note) = (draft.now, end.error.clone());
    draft.emit(BoardEvent::SmokeRecorded {
        id: about.id.clone(),
        verdict: SmokeVerdict {
            head: about.head.clone(),
            passed,
            note: note.unwrap_or_else(|| "it ended with 0".to_owned()),
            output: end.answer.clone().filter(|_| !passed),
            by: id.clone(),
            at,
        },
    });
}

/// What came of an answer.
pub(super) fn judged(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let by = draft.board().assignments.get(id);
    let Some(about) = by.and_then(|it| it.about.clone()) else {
        return;
    };
    if let Outcome::Reviewed {
        result,
        summary,
        findings,
    } = outcome
    {
        if !is_about_head(draft, &about) {
            return;
        }
        let verdict = Box::new(ReviewVerdict {
            head: about.head,
            result: *result,
            summary: summary.clone(),
            findings: findings.clone(),
            by: id.clone(),
            at: draft.now,
        });
        draft.emit(BoardEvent::ReviewRecorded {
            id: about.id,
            verdict,
        });
    } else if let Outcome::PullWritten { title, body } = outcome {
        let (title, body) = (title.clone(), body.clone());
        draft.emit(BoardEvent::PullWritten {
            id: about.id,
            text: PullText { title, body },
        });
    } else if let Outcome::AnswerInvalid { why } | Outcome::Failed { error: why, .. } = outcome {
        refuse_answer(draft, id, why);
    }
}

/// Gives up those who look at branches on a machine that has been silent for too long: another one
/// can say the same. They are stopped when their agent answers.
pub(super) fn stale(draft: &mut Draft<'_>, machine: &MachineName) {
    let assignments = draft.board().assignments.values();
    let silent: Vec<AssignmentId> = assignments
        .filter(|it| it.machine == *machine && it.about.is_some() && it.state.is_active())
        .filter(|it| it.answer_refused.is_none() && !it.stop_requested)
        .map(|it| it.id.clone())
        .collect();
    for id in silent {
        refuse_answer(draft, &id, "its agent did not answer for too long");
        // It is active, so that this is never refused.
        let _ = stop::stop(draft, &id);
    }
}

/// Stops whoever looks at a branch that nobody needs a word about any more.
pub(super) fn stop_pointless(draft: &mut Draft<'_>) {
    let assignments = draft.board().assignments.values();
    let pointless: Vec<AssignmentId> = assignments
        .filter(|it| it.state.is_active() && !it.stop_requested)
        .filter(|it| {
            let about = it.about.as_ref();
            about.is_some_and(|about| is_pointless(draft, about))
        })
        .map(|it| it.id.clone())
        .collect();
    for id in pointless {
        let has_cancel = draft.board().has_open(&id, EffectKind::Cancel);
        if !has_cancel {
            // It is active, so that this is never refused.
            let _ = stop::stop(draft, &id);
        }
    }
}
