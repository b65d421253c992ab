//! How a run ended: done, failed with the class that decides what happens next, or cancelled.
//!
//! A run has succeeded when its process ended with 0 **and** its last result is no error; everything
//! else is told apart here and nowhere else. Facts about Claude Code 2.1.330: an API error ends with
//! exit code 1 and subtype `success`, SIGINT with exit code 0 and an error, SIGTERM without a result.

mod command;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_core::ids::Timestamp;

use crate::held;
use crate::summary::{Answer, LastResult, Summary};
use crate::text;

pub use command::{classify_command, output_tail};

const MAX_ERROR: usize = 300;

/// What its supervisor knows of the end of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitFacts {
    /// The exit code; `None` when a signal ended it or it never started.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it ended.
    pub reason: ExitReason,
    /// Why it could not be started, in the supervisor's words; or why it was ended.
    pub error: Option<String>,
    /// The end of what it wrote to stderr; of a command that is no worker, of its log. Untrusted.
    pub stderr_tail: String,
}

/// Why a process ended: what its exit record says, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// By itself, or killed by somebody else.
    Exited,
    /// A person asked for it.
    Stopped,
    /// It went on after its budget was used up.
    OverBudget,
    /// The total time was used up.
    Timeout,
    /// It printed nothing for too long.
    Stalled,
    /// It never printed anything.
    NoOutput,
    /// It stayed after its last result.
    Hung,
    /// It could not be started.
    SpawnFailed,
    /// There is no exit record: its supervisor is gone, and the process with it.
    Vanished,
}

impl From<held::ExitReason> for ExitReason {
    fn from(recorded: held::ExitReason) -> Self {
        match recorded {
            held::ExitReason::Exited => Self::Exited,
            held::ExitReason::Stopped => Self::Stopped,
            held::ExitReason::Timeout => Self::Timeout,
            held::ExitReason::Stalled => Self::Stalled,
            held::ExitReason::NoOutput => Self::NoOutput,
            held::ExitReason::Hung => Self::Hung,
            held::ExitReason::SpawnFailed => Self::SpawnFailed,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Done, failed with its class, or cancelled.
    pub result: WorkerResult,
    /// Why it failed, in one line; untrusted text. `None` when it did not.
    pub error: Option<String>,
}

impl RunOutcome {
    const DONE: Self = Self {
        result: WorkerResult::Done,
        error: None,
    };

    fn failed(class: FailureClass, error: &str) -> Self {
        Self {
            result: WorkerResult::Failed(class),
            error: Some(text::line(error, MAX_ERROR)),
        }
    }
}

const ENVIRONMENTAL: FailureClass = FailureClass::Environmental { retry_at: None };

/// Says how a run ended whose whole log is folded into `summary`.
#[must_use]
pub fn classify(summary: &Summary, exit: &ExitFacts) -> RunOutcome {
    match exit.reason {
        ExitReason::Stopped => RunOutcome {
            result: WorkerResult::Cancelled,
            error: None,
        },
        ExitReason::SpawnFailed => spawn_failed(exit),
        ExitReason::Timeout => RunOutcome::failed(FailureClass::Work, "it ran longer than allowed"),
        // A running tool prints a heartbeat, so silence means that the API does not answer.
        ExitReason::Stalled => RunOutcome::failed(ENVIRONMENTAL, "it printed nothing for too long"),
        ExitReason::NoOutput => RunOutcome::failed(ENVIRONMENTAL, "it never printed anything"),
        ExitReason::Vanished => RunOutcome::failed(
            ENVIRONMENTAL,
            "it is gone, and so is the process that held it",
        ),
        // What it had finished before it heard of it counts.
        ExitReason::OverBudget => match &summary.last_result {
            Some(result) if !result.is_error => RunOutcome::DONE,
            Some(_) | None => over_budget(exit),
        },
        // It was killed by its supervisor for staying: what it had said before counts.
        ExitReason::Hung => match &summary.last_result {
            Some(result) if !result.is_error => RunOutcome::DONE,
            Some(result) => error_result(summary, result),
            None => RunOutcome::failed(FailureClass::Work, "it hung without a result"),
        },
        ExitReason::Exited => exited(summary, exit),
    }
}

/// The outcome of a worker that was given a schema: without an answer it has not done its work.
#[must_use]
pub fn answered(outcome: RunOutcome, summary: &Summary) -> RunOutcome {
    let failed = |error: &str| RunOutcome::failed(FailureClass::Work, error);
    let answer = summary.last_result.as_ref().and_then(|r| r.answer.as_ref());
    match (outcome.result, answer) {
        (WorkerResult::Failed(_) | WorkerResult::Cancelled, _)
        | (WorkerResult::Done, Some(Answer::Whole(_))) => outcome,
        (WorkerResult::Done, Some(Answer::TooLarge(bytes))) => failed(&format!(
            "its answer has {bytes} bytes, more than the {} that are kept",
            Answer::MAX_BYTES
        )),
        (WorkerResult::Done, None) => {
            failed("it ended well and gave no answer in the schema that was asked for")
        }
    }
}

/// As the CLI's own `error_max_budget_usd`.
fn over_budget(exit: &ExitFacts) -> RunOutcome {
    let error = exit.error.as_deref();
    let error = error.unwrap_or("it went on after its budget was used up");
    RunOutcome::failed(FailureClass::Work, error)
}

fn exited(summary: &Summary, exit: &ExitFacts) -> RunOutcome {
    match &summary.last_result {
        Some(result) if result.is_error => error_result(summary, result),
        Some(_) if exit.code == Some(0) => RunOutcome::DONE,
        _ => match killing_signal(exit) {
            Some(signal) => killed(signal),
            None => no_result(summary, exit),
        },
    }
}

/// The worker's own account of its failure.
fn error_result(summary: &Summary, result: &LastResult) -> RunOutcome {
    let error = if result.text.is_empty() {
        &result.subtype
    } else {
        &result.text
    };
    let class = match (result.terminal_reason.as_deref(), result.subtype.as_str()) {
        (Some("prompt_too_long"), _) => FailureClass::Work,
        (Some("api_error"), _) => api_error(summary, result.api_error_status),
        // Interrupted from outside; its session goes on with `--resume`.
        (Some("aborted_tools" | "aborted_streaming"), _) => {
            return RunOutcome::failed(ENVIRONMENTAL, "it was interrupted");
        }
        // It never got as far as a session, e.g. an unknown `--resume`.
        (None, "error_during_execution") if summary.model.is_none() => FailureClass::Configuration,
        _ if result.api_error_status.is_some() => api_error(summary, result.api_error_status),
        _ => FailureClass::Work,
    };
    RunOutcome::failed(class, error)
}

/// The class of an API error by its HTTP status; `None` means that there was no answer.
fn api_error(summary: &Summary, status: Option<u16>) -> FailureClass {
    let limit = summary.limit.as_ref().filter(|limit| limit.rejected);
    match status {
        Some(429) => FailureClass::Environmental {
            retry_at: limit.and_then(|limit| limit.resets_at),
        },
        None | Some(408 | 409 | 500..) => ENVIRONMENTAL,
        // The request itself is what is wrong: another attempt may make another one.
        Some(400 | 413 | 422) => FailureClass::Work,
        // Key, payment, permission, or a model that does not exist.
        Some(_) => FailureClass::Configuration,
    }
}

/// The signal that ended the process, also where a shell or the CLI turned it into 128 + n.
fn killing_signal(exit: &ExitFacts) -> Option<i32> {
    exit.signal.or_else(|| {
        exit.code
            .filter(|code| (129..=159).contains(code))
            .map(|code| code - 128)
    })
}

fn killed(signal: i32) -> RunOutcome {
    const HUP_INT_KILL_TERM: [i32; 4] = [1, 2, 9, 15];
    // These come from outside (a shutdown, the kernel short of memory); others are its own crash.
    let class = if HUP_INT_KILL_TERM.contains(&signal) {
        ENVIRONMENTAL
    } else {
        FailureClass::Work
    };
    RunOutcome::failed(class, &format!("it was killed by signal {signal}"))
}

/// It ended by itself and left no result that could explain it.
fn no_result(summary: &Summary, exit: &ExitFacts) -> RunOutcome {
    let code = exit.code.map_or_else(
        || "no exit code".to_owned(),
        |code| format!("exit code {code}"),
    );
    let error = match last_line(&exit.stderr_tail) {
        Some(line) => format!("{line} ({code})"),
        None if summary.events == 0 && summary.broken.not_json > 0 => {
            format!("it printed text instead of stream-json ({code})")
        }
        None => format!("it ended without a result ({code})"),
    };
    let class = match environmental_words(&exit.stderr_tail) {
        Some(class) => class,
        // Not one event: it refused its arguments, or it is not the program that was meant.
        None if summary.events == 0 => FailureClass::Configuration,
        None => FailureClass::Work,
    };
    RunOutcome::failed(class, &error)
}

fn spawn_failed(exit: &ExitFacts) -> RunOutcome {
    let error = exit.error.as_deref().unwrap_or("it could not be started");
    RunOutcome::failed(
        environmental_words(error).unwrap_or(FailureClass::Configuration),
        error,
    )
}

/// What the system says when the machine, and not the command, is the reason.
fn environmental_words(text: &str) -> Option<FailureClass> {
    const WORDS: [&str; 9] = [
        "No space left on device",
        "ENOSPC",
        "Disk quota exceeded",
        "Cannot allocate memory",
        "ENOMEM",
        "Resource temporarily unavailable",
        "EAGAIN",
        "Too many open files",
        "EMFILE",
    ];
    WORDS
        .iter()
        .any(|word| text.contains(word))
        .then_some(ENVIRONMENTAL)
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// When it is worth trying again, where somebody said so.
#[must_use]
pub const fn retry_at(result: WorkerResult) -> Option<Timestamp> {
    match result {
        WorkerResult::Failed(FailureClass::Environmental { retry_at }) => retry_at,
        WorkerResult::Failed(FailureClass::Configuration | FailureClass::Work)
        | WorkerResult::Done
        | WorkerResult::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Folder;

    fn outcome(log: &str, exit: &ExitFacts) -> RunOutcome {
        let mut folder = Folder::default();
        folder.feed(log.as_bytes());
        folder.finish();
        classify(folder.summary(), exit)
    }

    fn exit(code: i32, reason: ExitReason) -> ExitFacts {
        ExitFacts {
            code: Some(code),
            signal: None,
            reason,
            error: None,
            stderr_tail: String::new(),
        }
    }

    fn class(log: &str, exit: &ExitFacts) -> FailureClass {
        match outcome(log, exit).result {
            WorkerResult::Failed(class) => class,
            other => panic!("{other:?}"),
        }
    }

    const GOOD: &str = r#"{"type":"result","subtype":"success","is_error":false}"#;

    fn api_error_log(status: u16) -> String {
        format!(
            r#"{{"type":"result","subtype":"success","is_error":true,"terminal_reason":"api_error","api_error_status":{status}}}"#
        )
    }

    #[test]
    fn done_needs_the_exit_code_and_the_result() {
        assert_eq!(
            outcome(GOOD, &exit(0, ExitReason::Exited)),
            RunOutcome::DONE
        );
        assert_eq!(
            class(GOOD, &exit(3, ExitReason::Exited)),
            FailureClass::Work
        );
        assert_eq!(
            class(&api_error_log(500), &exit(0, ExitReason::Exited)),
            ENVIRONMENTAL
        );
    }

    #[test]
    fn a_stop_is_a_cancellation_whatever_the_worker_said() {
        let stopped = outcome(GOOD, &exit(0, ExitReason::Stopped));
        assert_eq!(stopped.result, WorkerResult::Cancelled);
    }

    #[test]
    fn a_budget_ends_what_is_not_finished() {
        let mut over = exit(143, ExitReason::OverBudget);
        over.error = Some("reached its budget of $1".to_owned());
        assert_eq!(outcome(GOOD, &over), RunOutcome::DONE);
        for log in [String::new(), api_error_log(529)] {
            let outcome = outcome(&log, &over);
            assert_eq!(outcome.result, WorkerResult::Failed(FailureClass::Work));
            assert_eq!(outcome.error.as_deref(), Some("reached its budget of $1"));
        }
    }

    #[test]
    fn a_worker_that_hangs_after_its_result_is_judged_by_it() {
        assert_eq!(
            outcome(GOOD, &exit(143, ExitReason::Hung)),
            RunOutcome::DONE
        );
        assert_eq!(
            class(&api_error_log(529), &exit(143, ExitReason::Hung)),
            ENVIRONMENTAL
        );
        assert_eq!(class("", &exit(143, ExitReason::Hung)), FailureClass::Work);
    }

    #[test]
    fn api_errors_by_status() {
        let table: Vec<_> = [400, 401, 402, 403, 404, 408, 413, 429, 500, 503, 529]
            .into_iter()
            .map(|status| {
                (
                    status,
                    class(&api_error_log(status), &exit(1, ExitReason::Exited)),
                )
            })
            .map(|(status, class)| match class {
                FailureClass::Environmental { .. } => (status, 'e'),
                FailureClass::Configuration => (status, 'c'),
                FailureClass::Work => (status, 'w'),
            })
            .collect();
        let expected = [
            (400, 'w'),
            (401, 'c'),
            (402, 'c'),
            (403, 'c'),
            (404, 'c'),
            (408, 'e'),
            (413, 'w'),
            (429, 'e'),
            (500, 'e'),
            (503, 'e'),
            (529, 'e'),
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn a_schema_asks_for_an_answer() {
        let with = |rest: &str, code| {
            let log = format!(r#"{{"type":"result","subtype":"success","is_error":false{rest}}}"#);
            let mut folder = Folder::default();
            folder.feed(log.as_bytes());
            folder.finish();
            let exit = exit(code, ExitReason::Exited);
            answered(classify(folder.summary(), &exit), folder.summary())
        };
        let work = WorkerResult::Failed(FailureClass::Work);
        assert_eq!(with(r#","structured_output":{"a":1}"#, 0), RunOutcome::DONE);
        let none = with("", 0);
        assert_eq!(none.result, work);
        assert!(none.error.unwrap().contains("no answer"));
        let large = "x".repeat(Answer::MAX_BYTES);
        let large = with(&format!(r#","structured_output":"{large}""#), 0);
        assert_eq!(large.result, work);
        assert!(large.error.unwrap().contains("262146 bytes"));
        let failed = with("", 3).error.unwrap();
        assert!(failed.contains("exit code 3"), "{failed}");
    }

    #[test]
    fn a_full_disk_is_nobody_s_fault() {
        let mut exit = exit(1, ExitReason::Exited);
        exit.stderr_tail = "Error: ENOSPC: no space left on device, write\n".to_owned();
        assert_eq!(class("", &exit), ENVIRONMENTAL);
        exit.reason = ExitReason::SpawnFailed;
        exit.error =
            Some("cannot start `claude`: No such file or directory (os error 2)".to_owned());
        assert_eq!(class("", &exit), FailureClass::Configuration);
        exit.error = Some("cannot fork: Cannot allocate memory (os error 12)".to_owned());
        assert_eq!(class("", &exit), ENVIRONMENTAL);
    }

    #[test]
    fn signals_from_outside_are_told_from_crashes() {
        let mut exit = exit(0, ExitReason::Exited);
        exit.code = None;
        exit.signal = Some(9);
        assert_eq!(class(GOOD, &exit), ENVIRONMENTAL);
        exit.signal = Some(11);
        assert_eq!(class(GOOD, &exit), FailureClass::Work);
    }

    #[test]
    fn silence_and_time_outs() {
        assert_eq!(
            class("", &exit(143, ExitReason::Timeout)),
            FailureClass::Work
        );
        for reason in [
            ExitReason::Stalled,
            ExitReason::NoOutput,
            ExitReason::Vanished,
        ] {
            assert_eq!(class(GOOD, &exit(143, reason)), ENVIRONMENTAL);
        }
    }

    #[test]
    fn the_time_to_try_again_is_the_limit_s() {
        let log =
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":100}}"#;
        let outcome = outcome(
            &format!("{log}\n{}", api_error_log(429)),
            &exit(1, ExitReason::Exited),
        );
        assert_eq!(
            retry_at(outcome.result),
            Some(Timestamp::from_millis(100_000))
        );
    }
}
