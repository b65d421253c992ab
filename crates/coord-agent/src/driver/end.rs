//! How a worker came to its end, and what that means for its assignment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_worker::held::{self, ExitRecord};
use coord_worker::outcome::{
    ExitFacts, ExitReason, RunOutcome, answered, classify, classify_command, output_tail,
};
use coord_worker::summary::{Answer, Summary};

use crate::active::Active;

/// How much of the worker's stderr, or of a command's log, is looked at, in bytes.
const TAIL: u64 = 4096;

/// The most that is told of a command's output, in bytes.
const OUTPUT: usize = 4096;

/// How it came to its end.
#[derive(Debug)]
pub(super) struct End {
    cause: Cause,
    pub(super) summary: Summary,
}

#[derive(Debug)]
enum Cause {
    /// As its supervisor wrote down.
    Recorded(ExitRecord),
    /// Its supervisor died without a record.
    Vanished,
    /// It never ran.
    NotStarted(FailureClass, String),
    /// It never ran, because somebody asked for it to stop.
    Cancelled,
}

impl End {
    pub(super) fn of_run(record: Option<ExitRecord>, summary: Summary) -> Self {
        let cause = record.map_or(Cause::Vanished, Cause::Recorded);
        Self { cause, summary }
    }

    pub(super) fn not_started(class: FailureClass, error: String) -> Self {
        Self {
            cause: Cause::NotStarted(class, error),
            summary: Summary::default(),
        }
    }

    pub(super) fn cancelled() -> Self {
        Self {
            cause: Cause::Cancelled,
            summary: Summary::default(),
        }
    }

    pub(super) fn record(&self) -> Option<&ExitRecord> {
        match &self.cause {
            Cause::Recorded(record) => Some(record),
            Cause::Vanished | Cause::NotStarted(..) | Cause::Cancelled => None,
        }
    }

    /// How the request ended by it.
    pub(super) fn outcome(&self, active: &Active) -> RunOutcome {
        let body = &active.body;
        if body.smoke_command.is_some() {
            let output = String::from_utf8_lossy(&printed(active)).into_owned();
            return self.judged(active, output, |_, facts| classify_command(facts));
        }
        let stderr = tail_of(&active.folder.path().join("stderr.log"));
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        let outcome = self.judged(active, stderr, classify);
        match body.output_schema {
            Some(_) => answered(outcome, &self.summary),
            None => outcome,
        }
    }

    /// Its supervisor knows that it was told to stop it, and not why.
    fn why_it_ended(&self, record: &ExitRecord, active: &Active) -> (ExitReason, Option<String>) {
        match record.reason {
            held::ExitReason::Stopped if active.folder.over_budget() => {
                let limit = active.body.max_budget_usd.unwrap_or_default();
                let spent = self.summary.spend.of_run_usd();
                let error =
                    format!("reached its budget of ${limit:.2}: it has used about ${spent:.2}");
                (ExitReason::OverBudget, Some(error))
            }
            reason => (reason.into(), record.error.clone()),
        }
    }

    fn judged(
        &self,
        active: &Active,
        stderr_tail: String,
        judge: impl Fn(&Summary, &ExitFacts) -> RunOutcome,
    ) -> RunOutcome {
        let facts = |code, signal, reason, error| ExitFacts {
            code,
            signal,
            reason,
            error,
            stderr_tail,
        };
        match &self.cause {
            Cause::Recorded(record) => {
                let (code, signal) = (record.code, record.signal);
                let (reason, error) = self.why_it_ended(record, active);
                judge(&self.summary, &facts(code, signal, reason, error))
            }
            Cause::Vanished => judge(
                &self.summary,
                &facts(None, None, ExitReason::Vanished, None),
            ),
            Cause::NotStarted(class, error) => RunOutcome {
                result: WorkerResult::Failed(*class),
                error: Some(error.clone()),
            },
            Cause::Cancelled => RunOutcome {
                result: WorkerResult::Cancelled,
                error: None,
            },
        }
    }

    /// The answer in the schema, if it was kept.
    pub(super) fn answer(&self) -> Option<serde_json::Value> {
        match self.summary.last_result.as_ref()?.answer.as_ref()? {
            Answer::Whole(answer) => Some(answer.clone()),
            Answer::TooLarge(_) => None,
        }
    }

    /// The end of what a smoke command has printed; `None` for a worker and where it never ran.
    pub(super) fn output(&self, active: &Active) -> Option<String> {
        active.body.smoke_command.as_ref()?;
        match &self.cause {
            Cause::Recorded(_) | Cause::Vanished => {}
            Cause::NotStarted(..) | Cause::Cancelled => return None,
        }
        Some(output_tail(&printed(active), OUTPUT))
    }

    /// In the words of its last result, else of its supervisor.
    pub(super) fn stop_reason(&self) -> Option<String> {
        let result = self.summary.last_result.as_ref();
        let told = result.map(|r| {
            r.terminal_reason
                .clone()
                .unwrap_or_else(|| r.subtype.clone())
        });
        told.or_else(|| match &self.cause {
            Cause::Recorded(record) => Some(word(record.reason).to_owned()),
            Cause::Vanished => Some("vanished".to_owned()),
            Cause::NotStarted(..) | Cause::Cancelled => None,
        })
    }
}

/// The end of what a command has printed.
fn printed(active: &Active) -> Vec<u8> {
    let log = tail_of(&active.folder.log());
    // The first lines of the log are not the command's.
    let header = match log.starts_with(b"# agent=") {
        true => {
            let plan = active.folder.plan().ok().flatten();
            1 + plan.map_or(0, |plan| plan.pulled.len())
        }
        false => 0,
    };
    let lines = log.split_inclusive(|byte| *byte == b'\n').skip(header);
    lines.flatten().copied().collect()
}

/// The end of a file; empty where there is none.
fn tail_of(path: &Path) -> Vec<u8> {
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(len.min(TAIL)).unwrap_or_default()];
        file.read_exact_at(&mut bytes, len.saturating_sub(TAIL))?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

fn word(reason: held::ExitReason) -> &'static str {
    match reason {
        held::ExitReason::Exited => "exited",
        held::ExitReason::Stopped => "stopped",
        held::ExitReason::Timeout => "timeout",
        held::ExitReason::Stalled => "stalled",
        held::ExitReason::NoOutput => "no_output",
        held::ExitReason::Hung => "hung",
        held::ExitReason::SpawnFailed => "spawn_failed",
    }
}
