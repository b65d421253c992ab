//! Events and standings in people's words. Everything untrusted goes through [`plain`].

mod delivery;
mod keeping_apart;
mod planning;
mod standing;

use std::fmt::Display;

use coord_core::BoardEvent;
use coord_core::assignment::{Assignment, AssignmentKind, WorkerEnd, WorkerResult};
use coord_core::delivery::PullAuthor;
use coord_core::effect::{ForeignClaim, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::EffectKey;
use coord_core::key::EffectKind;
use coord_core::session::Period;
use coord_core::verdict::{TestResult, TestVerdict};
use coord_core::why::{WaitsFor, Why};

use crate::printer::{BAD, GOOD, STRONG, WARN, paint, plain};

pub(crate) use delivery::{finding, review, smoke};
pub(crate) use planning::planner;
pub(crate) use standing::{standing, state};

/// One event in one line.
pub(crate) fn event(event: &BoardEvent) -> String {
    match event {
        BoardEvent::Refused { refusal } => {
            format!("{}: {}", paint(WARN, "refused"), plain(&refusal.why))
        }
        BoardEvent::AssignmentWaits { assignment, why } => format!(
            "{} {} waits: {}",
            assignment.id,
            assignment.issue,
            plain(&why.why)
        ),
        BoardEvent::AssignmentRequested { assignment } => format!(
            "{} {} requested on {}: {}",
            assignment.id,
            assignment.issue,
            assignment.machine,
            job(assignment)
        ),
        BoardEvent::ClaimWon { id } => format!("{id} has claimed its issue on the forge"),
        BoardEvent::ClaimLost { id, to } => format!(
            "{id} {}: {}",
            paint(WARN, "claimed too late"),
            claimed_by(to.as_ref())
        ),
        BoardEvent::AssignmentAccepted { id } => format!("{id} accepted by its agent"),
        BoardEvent::WorkerStarted { id, .. } => format!("{id} worker started"),
        BoardEvent::FilesObserved { id, paths, foreign } => {
            keeping_apart::observed(id, paths, foreign)
        }
        BoardEvent::LeaseGranted { id, paths } => {
            format!("{id} holds {} from now on", plain(&paths.join(", ")))
        }
        BoardEvent::EditDenied {
            id,
            path,
            tool,
            why,
        } => keeping_apart::denied(id, path, tool, why),
        BoardEvent::EditUnchecked { id, path } => keeping_apart::unchecked(id, path),
        BoardEvent::FilesRestored { id, paths } => keeping_apart::restored(id, paths),
        BoardEvent::ConflictForeseen { id, with, paths } => {
            keeping_apart::foreseen(id, with.as_ref(), paths)
        }
        BoardEvent::ConflictGone { id, with } => keeping_apart::gone(id, with.as_ref()),
        BoardEvent::Planned { plan } => planning::planned(plan),
        BoardEvent::ProposalApproved { proposal, id } => {
            format!("{id} carries out proposal {proposal}")
        }
        BoardEvent::ProposalRejected { proposal } => format!("proposal {proposal} rejected"),
        BoardEvent::SplitRejected { split } => format!("split {split} rejected"),
        BoardEvent::SplitStarted { split, .. } => {
            format!("split {split}: its sub-issues are being created")
        }
        BoardEvent::SplitDone {
            split,
            issue,
            created,
        } => planning::split(*split, issue, created),
        BoardEvent::SplitFailed { split, error } => planning::not_split(*split, error),
        BoardEvent::OverlapObserved { id, other, path } => {
            format!(
                "{} {id} and {other} both change {}",
                paint(WARN, "overlap:"),
                plain(path)
            )
        }
        BoardEvent::WorkerStuck { id, question } => {
            format!("{id} is {}: {}", paint(WARN, "stuck"), plain(question))
        }
        BoardEvent::WorkerGuided { id, guidance } => {
            format!("{id} is told: {}", plain(guidance))
        }
        BoardEvent::GuidanceUnheard { id, error } => {
            format!("{id} {}: {}", paint(WARN, "was not told"), plain(error))
        }
        BoardEvent::AssignmentSuperseded { id, by, cause } => {
            format!("{id} is taken over by {by}: {}", cause.as_str())
        }
        BoardEvent::RateLimited { machine, resets_at } => {
            format!(
                "{machine} has hit a usage limit until {}",
                crate::time::date_time(*resets_at)
            )
        }
        BoardEvent::StopRequested { id } => format!("{id} is to stop"),
        BoardEvent::AssignmentEnded { id, end, .. } => format!("{id} {}", ended(end)),
        BoardEvent::AssignmentLost { id } => {
            format!(
                "{id} is {}: its agent no longer knows it",
                paint(BAD, "lost")
            )
        }
        BoardEvent::AgentSilent { machine, error } => {
            format!("the agent of {machine} does not answer: {}", plain(error))
        }
        BoardEvent::AgentBack { machine } => format!("the agent of {machine} answers again"),
        BoardEvent::TestStarted { id } => format!("{id} testing"),
        BoardEvent::TestRecorded {
            id,
            verdict: result,
        } => format!("{id} {}", verdict(result)),
        BoardEvent::TestBroken { id, failure } => {
            let head = failure.head.short();
            let why = plain(&failure.why);
            format!("{id} {} for {head}: {why}", paint(WARN, "no test verdict"))
        }
        BoardEvent::PullWanted { id, author, review } => {
            let by = match author {
                PullAuthor::Template => "",
                PullAuthor::Worker => ", written by a worker",
            };
            let review = if *review { ", and its review" } else { "" };
            format!("{id} is to get a pull request{by}{review}")
        }
        BoardEvent::PullWritten { id, text } => {
            format!("{id} pull request written: {}", plain(&text.title))
        }
        BoardEvent::PullOpened { id, number } => format!("{id} pull request #{number} is open"),
        BoardEvent::PullRefused { id, reason } => {
            let reason = plain(reason);
            format!("{id} {}: {reason}", paint(BAD, "no pull request"))
        }
        BoardEvent::ReviewRecorded { id, verdict } => format!("{id} {}", review(verdict)),
        BoardEvent::AnswerRefused { id, why } => {
            format!("{id} {}: {}", paint(BAD, "answer of no use"), plain(why))
        }
        BoardEvent::SmokeRecorded { id, verdict } => format!("{id} {}", smoke(verdict)),
        BoardEvent::ChecksRecorded { id, verdict } => {
            format!("{id} {}", delivery::checks(verdict))
        }
        BoardEvent::GateOverridden { id, set_aside } => {
            format!("{id} {}", delivery::set_aside(set_aside))
        }
        BoardEvent::BranchMoved { id, head } => {
            let head = head.short();
            format!(
                "{id} {} to {head}: it is judged anew",
                paint(WARN, "branch moved")
            )
        }
        BoardEvent::CombinationGreen { id, combination } => {
            format!("{id} {}", delivery::combination(combination))
        }
        BoardEvent::CombinationRed {
            id,
            base,
            with,
            note,
            ..
        } => {
            format!("{id} {}", delivery::red(base, with.as_ref(), note))
        }
        BoardEvent::BaseMoved { repo, base } => {
            format!("{repo}: the base moved to {}", base.short())
        }
        BoardEvent::SpendingObserved { id, cost_usd } => format!("{id} has used ${cost_usd:.2}"),
        BoardEvent::BudgetExceeded { id, budget } => {
            format!("{id} {}: {}", paint(BAD, "over budget"), plain(budget))
        }
        BoardEvent::MergeQueued { id, .. } => format!("{id} queued for merging"),
        BoardEvent::MergeStarted { id } => format!("{id} merging"),
        BoardEvent::Merged {
            id,
            commit,
            warning,
        } => {
            let merged = paint(GOOD, "merged");
            let warning = warning.as_deref().map(plain);
            let warning = warning.map(|text| format!("; {} {text}", paint(WARN, "but")));
            let warning = warning.unwrap_or_default();
            format!("{id} {merged} as {}{warning}", commit.short())
        }
        BoardEvent::MergeConflicted { id, paths, .. } => {
            format!(
                "{id} {} in {}",
                paint(BAD, "conflicts"),
                plain(&paths.join(", "))
            )
        }
        BoardEvent::MergeRefused { id, reason } => {
            format!("{id} {}: {}", paint(BAD, "not merged"), plain(reason))
        }
        BoardEvent::IssueClosed { issue } => format!("{issue} closed"),
        BoardEvent::EffectQueued { key, .. } => format!("effect {key} queued"),
        BoardEvent::EffectSettled { key, outcome } => match outcome {
            Outcome::Failed { error, .. } => {
                let what = effect(key);
                format!("{what} {}: {}", paint(BAD, "failed"), plain(error))
            }
            _ => format!("effect {key} settled"),
        },
        BoardEvent::AssignmentArchived { id } => format!("{id} archived"),
        BoardEvent::RoundCompleted { period } => {
            format!("{}{}", paint(STRONG, "round complete"), to_run(period))
        }
        BoardEvent::SessionClosed { period } => {
            format!("{}{}", paint(STRONG, "session closed"), to_run(period))
        }
        BoardEvent::StepEnded { what, result, .. } => {
            let (what, note) = (plain(&what.to_string()), plain(&result.note));
            match result.ok {
                true => format!("{what}: {note}"),
                false => format!("{what} {}: {note}", paint(BAD, "failed")),
            }
        }
    }
}

/// What an assignment is for, in a few words.
pub(crate) fn job(assignment: &Assignment) -> String {
    let title = plain(&assignment.title);
    let what = match assignment.kind {
        AssignmentKind::Work | AssignmentKind::Continue => return title,
        AssignmentKind::Fix | AssignmentKind::Rebase => {
            return format!("{}: {title}", assignment.kind.as_str());
        }
        AssignmentKind::Pr => "text for the pull request",
        AssignmentKind::Review => "review",
        AssignmentKind::Smoke => "smoke test",
    };
    match &assignment.about {
        Some(about) => format!("{what} of {} at {}", about.id, about.head.short()),
        None => what.to_owned(),
    }
}

fn to_run(period: &Period) -> String {
    let steps: Vec<String> = period.steps.iter().map(ToString::to_string).collect();
    match steps.is_empty() {
        true => String::new(),
        false => format!("; to run: {}", plain(&steps.join(", "))),
    }
}

/// Who had claimed an issue before us.
pub(crate) fn claimed_by(to: Option<&ForeignClaim>) -> String {
    to.map_or_else(
        || "another coordinator was first".to_owned(),
        |claim| plain(&claim.to_string()),
    )
}

fn ended(end: &WorkerEnd) -> String {
    let published = match (&end.branch, &end.head) {
        (Some(branch), Some(head)) => {
            let commits = count(end.commits, "commit");
            let where_to = if end.pushed { "" } else { ", not pushed" };
            format!(
                "{commits} on {} at {}{where_to}",
                plain(branch),
                head.short()
            )
        }
        _ => "no commits".to_owned(),
    };
    let error = end.error.as_deref().map(plain).unwrap_or_default();
    if let Some(how) = looked(end, &error) {
        return how;
    }
    match end.result {
        WorkerResult::Done => format!("{}: {published}", paint(GOOD, "done")),
        WorkerResult::Cancelled => format!("{}; nothing was published", paint(WARN, "cancelled")),
        WorkerResult::Failed(class) => {
            format!(
                "{} ({}): {error}; {published}",
                paint(BAD, "failed"),
                class_name(class)
            )
        }
    }
}

/// How somebody ended who had nothing to write: a reader answers, a command of a smoke test has no
/// session and no model.
fn looked(end: &WorkerEnd, error: &str) -> Option<String> {
    let answered = end.answer.is_some();
    match end.result {
        _ if end.branch.is_some() => None,
        WorkerResult::Done if end.session.is_none() => Some(paint(GOOD, "ended with 0")),
        WorkerResult::Done if answered => Some(paint(GOOD, "answered")),
        WorkerResult::Failed(class) if answered => Some(format!(
            "{} ({}): {error}",
            paint(BAD, "failed"),
            class_name(class)
        )),
        WorkerResult::Done | WorkerResult::Failed(_) | WorkerResult::Cancelled => None,
    }
}

const fn class_name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Environmental { .. } => "environment",
        FailureClass::Configuration => "configuration",
        FailureClass::Work => "work",
    }
}

/// `1 commit`, `2 commits`.
pub(crate) fn count<N: Copy + Display + From<u8> + PartialEq>(number: N, noun: &str) -> String {
    let s = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// A test verdict in one line.
pub(crate) fn verdict(verdict: &TestVerdict) -> String {
    let result = match verdict.result {
        TestResult::Passed => paint(GOOD, "tests passed"),
        TestResult::Failed => paint(BAD, "tests failed"),
        TestResult::Skipped => paint(WARN, "tests skipped"),
    };
    format!(
        "{result} for {}: {}",
        verdict.head.short(),
        plain(&verdict.note)
    )
}

/// What a person has to do, where the issue waits for that.
pub(crate) fn next_step(why: &Why) -> Option<&str> {
    match &why.waits_for {
        Some(WaitsFor::Person { hint }) => Some(hint),
        Some(WaitsFor::Rule { refusal }) => refusal.hint.as_deref(),
        Some(
            WaitsFor::Agent { .. }
            | WaitsFor::Worker { .. }
            | WaitsFor::Test { .. }
            | WaitsFor::Gate { .. }
            | WaitsFor::Turn { .. }
            | WaitsFor::Forge
            | WaitsFor::Base,
        )
        | None => None,
    }
}

/// What is done outside, by its key: `the dispatch of 1a2b3c4d5e6f`.
pub(crate) fn effect(key: &EffectKey) -> String {
    let mut words = key.as_str().split(':').skip(1);
    let (first, second) = (words.next(), words.next());
    let (Some(kind), Some(first)) = (EffectKind::of(key), first) else {
        return format!("effect {key}");
    };
    let what = match kind {
        EffectKind::Claim => "the claim for",
        EffectKind::Release => "taking back the claim for",
        EffectKind::Dispatch => "the dispatch of",
        EffectKind::Cancel => "the stop of",
        EffectKind::Guide => "the guidance for",
        EffectKind::Tell => "the word to",
        EffectKind::Split => "creating the sub-issues of",
        EffectKind::Comment => {
            return format!("the comment `{first}` on {}", second.unwrap_or_default());
        }
        EffectKind::Test => "the test of",
        EffectKind::Pull => "the pull request of",
        EffectKind::Judge => "the look at the answer of",
        EffectKind::Checks => "the look at the forge's checks of",
        EffectKind::Combine => "the test of the combination with",
        EffectKind::Merge => "the merge of",
        EffectKind::Close => "closing the issue of",
        EffectKind::Step => "a hook of session or round",
    };
    format!("{what} {first}")
}

/// Whether another event says what a failure means.
fn is_told_otherwise(key: &EffectKey) -> bool {
    matches!(
        EffectKind::of(key),
        Some(EffectKind::Test | EffectKind::Pull | EffectKind::Judge | EffectKind::Split)
    )
}

/// Whether the event is of interest only to who looks for a fault.
pub(crate) fn is_detail(event: &BoardEvent) -> bool {
    match event {
        BoardEvent::EffectQueued { .. }
        | BoardEvent::ClaimWon { .. }
        | BoardEvent::AssignmentAccepted { .. }
        | BoardEvent::SpendingObserved { .. }
        | BoardEvent::LeaseGranted { .. }
        | BoardEvent::ProposalApproved { .. }
        | BoardEvent::AssignmentArchived { .. } => true,
        BoardEvent::EffectSettled { key, outcome } => {
            !matches!(outcome, Outcome::Failed { .. }) || is_told_otherwise(key)
        }
        _ => false,
    }
}
