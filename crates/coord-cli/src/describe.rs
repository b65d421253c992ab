//! Events, standings and log lines in people's words. Everything untrusted goes through [`plain`].

use std::fmt::Display;

use std::cell::RefCell;
use std::collections::BTreeMap;

use coord_core::BoardEvent;
use coord_core::assignment::{
    Assignment, AssignmentState, MergeState, TestResult, TestVerdict, WorkerEnd, WorkerResult,
};
use coord_core::failure::FailureClass;
use coord_core::ids::AssignmentId;
use coord_core::why::{WaitsFor, Why};
use coord_engine::{Carried, Progress};
use coord_protocol::{AgentEvent, AgentEventKind};
use coord_worker::stream::{Block, Broken, Line, Slice, StreamEvent};

use crate::printer::{BAD, FAINT, GOOD, Printer, STRONG, WARN, paint, plain};

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
            plain(&assignment.title)
        ),
        BoardEvent::AssignmentAccepted { id } => format!("{id} accepted by its agent"),
        BoardEvent::WorkerStarted { id, .. } => format!("{id} worker started"),
        BoardEvent::FilesObserved { id, paths } => {
            format!("{id} changes {}", plain(&paths.join(", ")))
        }
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
        BoardEvent::MergeQueued { id, .. } => format!("{id} queued for merging"),
        BoardEvent::MergeStarted { id } => format!("{id} merging"),
        BoardEvent::Merged { id, commit } => {
            format!("{id} {} as {}", paint(GOOD, "merged"), commit.short())
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
            coord_core::effect::Outcome::Failed { error, .. } => {
                format!("effect {key} {}: {}", paint(BAD, "failed"), plain(error))
            }
            _ => format!("effect {key} settled"),
        },
        BoardEvent::AssignmentArchived { id } => format!("{id} archived"),
    }
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

/// Where an assignment stands, in one line.
pub(crate) fn standing(assignment: &Assignment) -> String {
    if let Some(entry) = &assignment.merge {
        return match &entry.state {
            MergeState::Queued => "queued for merging".to_owned(),
            MergeState::Merging => "merging".to_owned(),
            MergeState::Merged { commit } => {
                format!("{} as {}", paint(GOOD, "merged"), commit.short())
            }
            MergeState::Conflict { paths, .. } => {
                format!(
                    "{} in {}",
                    paint(BAD, "conflicts"),
                    plain(&paths.join(", "))
                )
            }
            MergeState::Refused { reason } => {
                format!("{}: {}", paint(BAD, "not merged"), plain(reason))
            }
        };
    }
    match (&assignment.verdict, &assignment.end) {
        (Some(result), _) if result.result == TestResult::Failed => verdict(result),
        (_, Some(end)) => ended(end),
        (_, None) => assignment.state.as_str().to_owned(),
    }
}

/// The state in its colour.
pub(crate) fn state(assignment: &Assignment) -> String {
    let style = match assignment.state {
        AssignmentState::Waiting | AssignmentState::Requested => FAINT,
        AssignmentState::Running => STRONG,
        AssignmentState::Done => GOOD,
        AssignmentState::Failed | AssignmentState::Lost => BAD,
        AssignmentState::Cancelled => WARN,
    };
    paint(style, assignment.state.as_str())
}

/// Tells what happens while a command works: to stderr, for people.
pub(crate) struct Narrator<'a> {
    printer: Printer,
    only: Option<&'a [AssignmentId]>,
    /// The last status of each worker: one that has nothing new to say is not repeated.
    said: RefCell<BTreeMap<AssignmentId, String>>,
}

impl<'a> Narrator<'a> {
    /// Tells everything.
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            printer,
            only: None,
            said: RefCell::default(),
        }
    }

    /// Tells what concerns these assignments.
    pub(crate) fn only(self, ids: &'a [AssignmentId]) -> Self {
        Self {
            only: Some(ids),
            ..self
        }
    }

    /// Tells one step, if it is worth a line.
    pub(crate) fn show(&self, progress: &Progress) {
        let (at, text) = match progress {
            Progress::Recorded(recorded) if self.concerns(&recorded.event) => {
                (recorded.at, event(&recorded.event))
            }
            Progress::Carried(Carried::Postponed { key, error, .. }) => (
                coord_engine::now(),
                format!("{key} will be tried again: {}", plain(error)),
            ),
            Progress::Worker(agent_event) => {
                let Some(text) = self.status(agent_event) else {
                    return;
                };
                (coord_engine::now(), text)
            }
            Progress::Recorded(_) | Progress::Carried(Carried::Settled { .. }) => return,
        };
        self.printer.note(format_args!(
            "{}  {text}",
            paint(FAINT, crate::time::clock(at))
        ));
    }

    /// What a worker says about itself, if it says something new.
    fn status(&self, event: &AgentEvent) -> Option<String> {
        let AgentEventKind::Progress {
            status: Some(status),
            ..
        } = &event.kind
        else {
            return None;
        };
        let id = event
            .id
            .as_ref()
            .filter(|id| self.only.is_none_or(|ids| ids.contains(id)))?;
        let last = self.said.borrow_mut().insert(id.clone(), status.clone());
        (last.as_ref() != Some(status)).then(|| format!("{id} {}", plain(status)))
    }

    fn concerns(&self, event: &BoardEvent) -> bool {
        let about = event.assignment();
        !is_detail(event)
            && self
                .only
                .is_none_or(|ids| about.is_none_or(|id| ids.contains(id)))
    }
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

/// Whether the event is of interest only to who looks for a fault.
pub(crate) const fn is_detail(event: &BoardEvent) -> bool {
    match event {
        BoardEvent::EffectQueued { .. }
        | BoardEvent::AssignmentAccepted { .. }
        | BoardEvent::AssignmentArchived { .. } => true,
        BoardEvent::EffectSettled { outcome, .. } => {
            !matches!(outcome, coord_core::effect::Outcome::Failed { .. })
        }
        _ => false,
    }
}

/// A line of a worker's log as people want to see it; nothing for what they do not.
pub(crate) fn log_line(slice: &Slice<'_>) -> Vec<String> {
    let line = match slice {
        Slice::Line(line) => *line,
        Slice::Overlong { len } => {
            return vec![paint(WARN, format_args!("[skipped] a line of {len} bytes"))];
        }
    };
    match coord_worker::stream::parse_line(line) {
        Line::Event(event) => stream_event(&event),
        Line::Comment => vec![paint(FAINT, plain(&short(&String::from_utf8_lossy(line))))],
        Line::Broken(Broken::NotJson) => vec![plain(&String::from_utf8_lossy(line))],
        Line::Broken(Broken::Damaged) => vec![paint(WARN, "[damaged] a line that is no event")],
        Line::Blank | Line::Unknown { .. } => Vec::new(),
    }
}

fn stream_event(event: &StreamEvent<'_>) -> Vec<String> {
    match event {
        StreamEvent::Init(init) => {
            let session: String = init.session_id.chars().take(8).collect();
            vec![tagged(
                STRONG,
                "init",
                &format!("{} session {session}", init.model),
            )]
        }
        StreamEvent::Assistant(message) => message.blocks.iter().filter_map(block).collect(),
        StreamEvent::ToolResults(results) => results
            .iter()
            .filter(|result| result.is_error)
            .map(|result| tagged(WARN, "error", &short(&result.text)))
            .collect(),
        StreamEvent::Result(result) => {
            let style = if result.is_error { BAD } else { GOOD };
            let cost = result
                .total_cost_usd
                .map(|usd| format!(" ${usd:.2}"))
                .unwrap_or_default();
            let text = format!("{}{cost}: {}", result.subtype, short(&result.text));
            vec![tagged(style, "result", &text)]
        }
        StreamEvent::Retry(retry) => {
            let text = format!("the API said `{}`, attempt {}", retry.error, retry.attempt);
            vec![tagged(WARN, "retry", &text)]
        }
        StreamEvent::RateLimit(limit) if limit.status != "allowed" => {
            vec![tagged(
                WARN,
                "limit",
                &format!("{} {}", limit.window, limit.status),
            )]
        }
        StreamEvent::Denied(denial) => {
            vec![tagged(
                WARN,
                "denied",
                &format!("{} {}", denial.tool, short(&denial.about)),
            )]
        }
        StreamEvent::VcsChanged(what) => vec![tagged(FAINT, "git", what)],
        StreamEvent::RateLimit(_) | StreamEvent::Noise => Vec::new(),
    }
}

fn block(block: &Block<'_>) -> Option<String> {
    match block {
        Block::Text(text) => {
            let lines: Vec<String> = text.lines().map(plain).collect();
            Some(lines.join("\n"))
        }
        Block::ToolUse(tool) => Some(tagged(
            FAINT,
            "tool",
            &format!("{} {}", tool.name, short(tool.target())),
        )),
        Block::Other => None,
    }
}

fn tagged(style: anstyle::Style, tag: &str, text: &str) -> String {
    format!("{} {}", paint(style, format_args!("[{tag}]")), plain(text))
}

/// The first line, cut to a length that is pleasant to read.
fn short(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut cut: String = line.chars().take(160).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}
