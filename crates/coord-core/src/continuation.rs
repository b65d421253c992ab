//! What an assignment is made of that goes on with an earlier one: where it starts, and what its
//! worker is told. Which machine and model it gets is decided elsewhere.
//!
//! Words of workers and issues are not trusted: they join the text of the issue, which is fenced
//! in the worker's prompt. Only a person's words and our own stand in the briefing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::assignment::{
    Assignment, AssignmentKind, Cause, MergeState, Start, Waivers, WorkerEnd, WorkerResult,
};
use crate::board::Board;
use crate::ids::{AssignmentId, CommitId, MachineName, Timestamp};
use crate::issue::branch_name;
use crate::repair;

/// How much of a worker's last words is passed on, in characters.
const LAST_WORDS: usize = 1500;

/// What is decided about the assignment that goes on.
pub(crate) struct Plan {
    pub(crate) id: AssignmentId,
    /// A kind that writes, and is not the first.
    pub(crate) kind: AssignmentKind,
    pub(crate) cause: Cause,
    pub(crate) machine: MachineName,
    pub(crate) pinned: bool,
    pub(crate) model: Option<String>,
    /// What a person says now.
    pub(crate) guidance: Option<String>,
    /// The text of the issue as it is now; `None`: as it was.
    pub(crate) issue_text: Option<String>,
    /// Whether the session of the worker goes on, where the machine has it.
    pub(crate) resume: bool,
    pub(crate) not_before: Option<Timestamp>,
    /// The commit of the base that the branch is to be brought up to.
    pub(crate) onto: Option<CommitId>,
    pub(crate) retries: u32,
    pub(crate) rounds: u32,
    pub(crate) waivers: Waivers,
    pub(crate) now: Timestamp,
}

impl Plan {
    /// What goes on without a person's word, with the same model, because of `cause`.
    pub(crate) fn new(
        old: &Assignment,
        id: AssignmentId,
        cause: Cause,
        machine: MachineName,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: cause.leads_to(),
            cause,
            machine,
            pinned: false,
            model: old.model.clone(),
            guidance: None,
            issue_text: None,
            resume: false,
            not_before: None,
            onto: None,
            retries: 0,
            rounds: old.rounds,
            waivers: Waivers::default(),
            now,
        }
    }
}

/// The assignment that goes on with `old`, which stands on `board`.
pub(crate) fn follow(board: &Board, old: &Assignment, plan: Plan) -> Assignment {
    let mut start = start(old, &plan.machine, plan.resume);
    start.not_before = plan.not_before;
    start.onto = plan.onto.clone();
    start.base = plan.onto.clone().or(start.base);
    // Commits that are only on that machine, or a session, cannot be gone on with elsewhere.
    let tied = start.session.is_some() || (start.branch.is_some() && !is_published(old, &start));
    let told = match plan.kind {
        AssignmentKind::Fix | AssignmentKind::Rebase => repair::told(board, old, &plan),
        AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Pr
        | AssignmentKind::Review
        | AssignmentKind::Smoke => told(board, old, &plan, &start),
    };
    let (issue, title) = (old.issue.clone(), old.title.clone());
    Assignment {
        follows: Some(old.id.clone()),
        briefing: told.briefing,
        issue_body: Some(told.issue),
        pinned: plan.pinned || tied,
        model: plan.model,
        scope: old.scope.clone(),
        leased: needed(old),
        labels: old.labels.clone(),
        blocked_by: old.blocked_by.clone(),
        goal: old.goal,
        branch: branch(board, old),
        start,
        retries: plan.retries,
        rounds: plan.rounds,
        guidance: plan.guidance.into_iter().collect(),
        waived: both(old.waived, plan.waivers),
        claims_above: old.claims_above,
        freshness: old.freshness,
        delivery: old.delivery.for_next(),
        ..Assignment::new(plan.id, plan.kind, issue, title, plan.machine, plan.now)
    }
}

/// The paths that whoever goes on with `old` has to be able to change: what was granted, what its
/// branch has changed by whatever means, and what is in conflict.
fn needed(old: &Assignment) -> BTreeSet<String> {
    let changed = old.end.as_ref().map(|end| &end.files);
    let conflict = match old.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Conflict { paths, .. }) => Some(paths),
        Some(
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Merged { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. },
        )
        | None => None,
    };
    let seen = changed.into_iter().chain(conflict).flatten();
    old.leased.iter().chain(seen).cloned().collect()
}

/// Where work that `old` began can be gone on with on `machine`.
fn start(old: &Assignment, machine: &MachineName, resume: bool) -> Start {
    let end = old.end.as_ref();
    let same = *machine == old.machine;
    let done = end.filter(|end| end.deliverable().is_some() && (end.pushed || same));
    let branch = done.and_then(|end| end.branch.clone());
    let session = end.filter(|_| same && resume);
    Start {
        base: end
            .and_then(|end| end.base.clone())
            .filter(|_| branch.is_some())
            .or_else(|| old.start.base.clone()),
        branch: branch.or_else(|| old.start.branch.clone()),
        session: session.and_then(|end| end.session.clone()),
        onto: None,
        not_before: None,
    }
}

/// Whether the branch of `start` is where every machine finds it.
fn is_published(old: &Assignment, start: &Start) -> bool {
    let pushed = old.end.as_ref().is_some_and(|end| end.pushed);
    pushed || start.branch == old.start.branch
}

/// The branch of `old`; a new one where nobody knows whether `old` still uses its own.
fn branch(board: &Board, old: &Assignment) -> String {
    if let Some(end) = &old.end {
        return end.branch.clone().unwrap_or_else(|| old.branch.clone());
    }
    let taken: BTreeSet<&str> = board
        .of_issue(&old.issue)
        .flat_map(Assignment::branches)
        .collect();
    let plain = branch_name(old.issue.number, &old.title);
    let free = |name: &String| !taken.contains(name.as_str());
    (2..)
        .map(|n: u32| format!("{plain}-{n}"))
        .find(free)
        .unwrap_or(plain)
}

/// What either of two sets aside.
pub(crate) fn both(one: Waivers, other: Waivers) -> Waivers {
    Waivers {
        allow_overlap: one.allow_overlap || other.allow_overlap,
        ignore_deps: one.ignore_deps || other.ignore_deps,
        accept_unknown: one.accept_unknown || other.accept_unknown,
        trust: one.trust || other.trust,
        take_over: one.take_over || other.take_over,
    }
}

/// What the worker is told.
pub(crate) struct Told {
    /// The text of the issue, and what workers and tests have said; not trusted.
    pub(crate) issue: String,
    /// The task; trusted.
    pub(crate) briefing: String,
}

fn told(board: &Board, old: &Assignment, plan: &Plan, start: &Start) -> Told {
    let first = begun_by(board, old);
    let (text, task) = match &first.issue_body {
        Some(text) => (text, Some(&first.briefing)),
        None => (&first.briefing, None),
    };
    // What was found wrong stands after the text of the issue as it was then.
    let as_it_is_now = plan.issue_text.clone();
    let mut issue = as_it_is_now
        .filter(|_| first.kind == AssignmentKind::Work)
        .unwrap_or_else(|| text.clone());
    let has_words = push_last_words(&mut issue, old);
    let mut said = said(board, old, plan);

    let mut briefing = String::new();
    if start.session.is_some() {
        briefing.push_str(match (old.question(), said.is_empty()) {
            (Some(_), false) => "You ended with a question. Go on with your task.",
            (Some(_), true) | (None, _) => {
                "You were interrupted before this was done. Go on with it."
            }
        });
        // The session has heard the rest, unless its worker had ended by then.
        let heard = if old.unheard { 1 } else { 0 } + plan.guidance.iter().len();
        said.drain(..said.len().saturating_sub(heard));
    } else {
        let usual = "Solve the problem that the issue describes.".to_owned();
        briefing.push_str(task.unwrap_or(&usual).trim_end());
        briefing.push_str("\n\n");
        briefing.push_str(match &start.branch {
            Some(_) => {
                "An earlier worker began with it and did not finish: its commits are on this branch. \
                 Read them, keep what is good, and go on from there."
            }
            None => {
                "An earlier worker did not get it done, and nothing of its work is on this branch: \
                 begin anew."
            }
        });
        if has_words {
            briefing.push_str(" Its last words stand after the text of the issue.");
        }
    }
    push_kept(&mut briefing, old);
    push_said(&mut briefing, &said);
    Told { issue, briefing }
}

/// The assignment whose task is gone on with.
fn begun_by<'b>(board: &'b Board, old: &'b Assignment) -> &'b Assignment {
    let begun = |it: &&Assignment| it.kind != AssignmentKind::Continue;
    let first = board.chain(old).find(begun);
    first.or_else(|| board.chain(old).last()).unwrap_or(old)
}

/// What people said to anybody who worked on it, in their order, and what one says now.
pub(crate) fn said<'b>(board: &'b Board, old: &'b Assignment, plan: &'b Plan) -> Vec<&'b String> {
    let before = board.chain(old).flat_map(|it| it.guidance.iter().rev());
    let mut said: Vec<&String> = before.collect();
    said.reverse();
    said.extend(&plan.guidance);
    said
}

/// Puts what people said after the task.
pub(crate) fn push_said(briefing: &mut String, said: &[&String]) {
    for text in said {
        push(
            briefing,
            format_args!("\n\nA person says about it:\n\n{}", text.trim()),
        );
    }
}

/// The question or the error that the worker before has ended with; whether there was one.
fn push_last_words(issue: &mut String, old: &Assignment) -> bool {
    let failure = |end: &'_ WorkerEnd| match end.result {
        WorkerResult::Failed(_) => end.error.clone(),
        WorkerResult::Done | WorkerResult::Cancelled => None,
    };
    let question = old.question().or(old.answered.as_deref());
    let (what, words) = match (question, old.end.as_ref().and_then(failure)) {
        (Some(question), _) => ("asked", question.to_owned()),
        (None, Some(error)) => ("failed with", error),
        (None, None) => return false,
    };
    let words: String = words.chars().take(LAST_WORDS).collect();
    let text = format_args!("\n\n(Not part of the issue: an earlier worker {what}:)\n\n{words}");
    push(issue, text);
    true
}

/// Where uncommitted files are kept. The agent names the place; what it says is not repeated.
fn push_kept(briefing: &mut String, old: &Assignment) {
    let kept = format!("refs/coord/wip/{}", old.id);
    let end = old.end.as_ref();
    if end.and_then(|end| end.wip_ref.as_ref()) == Some(&kept) {
        let (machine, sentence) = (&old.machine, "Files that it had not committed are kept");
        let text =
            format_args!(" {sentence} on {machine}, as the commit `{kept}` of the repository.");
        push(briefing, text);
    }
}

/// Writing to a string cannot fail.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
