//! How a command ended that is no worker: its exit code is the verdict, and nothing it prints is.

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;

use super::{
    ENVIRONMENTAL, ExitFacts, ExitReason, RunOutcome, environmental_words, killed, killing_signal,
    last_line, spawn_failed,
};

/// The shell's codes for a program that cannot be run and for one that is not there (POSIX, 2.8.2).
const NOT_RUNNABLE: [i32; 2] = [126, 127];

/// Says how a command ended whose whole environment was prepared for it.
///
/// Failed with class `Work` means that it ran to its end and its code is not 0. What kept it from
/// doing so is another class: a missing program is the configuration's, a time limit and a signal
/// from outside the environment's.
#[must_use]
pub fn classify_command(exit: &ExitFacts) -> RunOutcome {
    match exit.reason {
        ExitReason::Stopped => RunOutcome {
            result: WorkerResult::Cancelled,
            error: None,
        },
        ExitReason::SpawnFailed => spawn_failed(exit),
        ExitReason::Timeout => RunOutcome::failed(
            ENVIRONMENTAL,
            "timed out: the command ran longer than allowed",
        ),
        // A command has no budget: only a worker's supervisor is told so.
        ExitReason::OverBudget | ExitReason::Stalled | ExitReason::NoOutput | ExitReason::Hung => {
            RunOutcome::failed(ENVIRONMENTAL, "the command was stopped for its silence")
        }
        ExitReason::Vanished => RunOutcome::failed(
            ENVIRONMENTAL,
            "it is gone, and so is the process that held it",
        ),
        ExitReason::Exited => match (exit.code, killing_signal(exit)) {
            (Some(0), _) => RunOutcome::DONE,
            (_, Some(signal)) => killed(signal),
            (Some(code), None) => red(code, exit),
            (None, None) => RunOutcome::failed(ENVIRONMENTAL, "it ended in an unknown way"),
        },
    }
}

fn red(code: i32, exit: &ExitFacts) -> RunOutcome {
    let last = last_line(&exit.stderr_tail).unwrap_or("it printed nothing");
    let class = match environmental_words(last) {
        Some(class) => class,
        None if NOT_RUNNABLE.contains(&code) => FailureClass::Configuration,
        None => FailureClass::Work,
    };
    RunOutcome::failed(class, &format!("{last} (exit code {code})"))
}

/// The end of what a command has printed, as text of at most `max` bytes that begins with a whole
/// line where it can. Control characters other than line ends and tabs are gone.
#[must_use]
pub fn output_tail(printed: &[u8], max: usize) -> String {
    let keep = |c: &char| *c == '\n' || *c == '\t' || !c.is_control();
    let text: String = String::from_utf8_lossy(printed)
        .chars()
        .filter(keep)
        .collect();
    if text.len() <= max {
        return text;
    }
    let end = &text[text.ceil_char_boundary(text.len() - max)..];
    match end.split_once('\n') {
        Some((_, whole)) if !whole.is_empty() => whole.to_owned(),
        Some(_) | None => end.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i32>, reason: ExitReason, log: &str) -> RunOutcome {
        classify_command(&ExitFacts {
            code,
            signal: None,
            reason,
            error: None,
            stderr_tail: log.to_owned(),
        })
    }

    #[test]
    fn only_the_exit_code_is_the_verdict() {
        let said = "{\"type\":\"result\",\"is_error\":true}\n";
        assert_eq!(ended(Some(0), ExitReason::Exited, said), RunOutcome::DONE);
        let red = ended(Some(1), ExitReason::Exited, "ok 1\nnot ok 2\n\n");
        assert_eq!(red.result, WorkerResult::Failed(FailureClass::Work));
        assert_eq!(red.error.as_deref(), Some("not ok 2 (exit code 1)"));
    }

    #[test]
    fn what_kept_it_from_its_end_is_no_red() {
        let class = |code, reason, log| match ended(code, reason, log).result {
            WorkerResult::Failed(class) => class,
            other => panic!("{other:?}"),
        };
        let timeout = ended(Some(143), ExitReason::Timeout, "");
        assert_eq!(timeout.result, WorkerResult::Failed(ENVIRONMENTAL));
        assert!(timeout.error.unwrap().contains("timed out"));
        let missing = class(Some(127), ExitReason::Exited, "sh: 1: bats: not found");
        assert_eq!(missing, FailureClass::Configuration);
        assert_eq!(class(Some(137), ExitReason::Exited, ""), ENVIRONMENTAL);
        assert_eq!(class(Some(139), ExitReason::Exited, ""), FailureClass::Work);
        assert_eq!(class(None, ExitReason::Vanished, ""), ENVIRONMENTAL);
        let full = "write: No space left on device";
        assert_eq!(class(Some(1), ExitReason::Exited, full), ENVIRONMENTAL);
        let stopped = ended(None, ExitReason::Stopped, "");
        assert_eq!(stopped.result, WorkerResult::Cancelled);
    }

    #[test]
    fn the_end_of_the_output_is_text() {
        assert_eq!(output_tail(b"a\x1b[31mb\r\n\tc", 80), "a[31mb\n\tc");
        assert_eq!(output_tail(b"one\ntwo\nthree\n", 9), "three\n");
        assert_eq!(
            output_tail("\u{e4}".repeat(10).as_bytes(), 5),
            "\u{e4}\u{e4}"
        );
        assert!(output_tail(&[0xff; 4096], 4096).len() <= 4096);
        assert_eq!(output_tail(b"xxxxxxxxx\n", 4), "xxx\n");
    }
}
