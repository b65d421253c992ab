//! `coord test`: build and test a branch in a throwaway worktree, or record a verdict.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use coord_core::Command;
use coord_core::assignment::Assignment;
use coord_core::failure::FailureClass;
use coord_core::ids::AssignmentId;
use coord_core::verdict::{OUTPUT, TestFailure, TestResult};
use coord_engine::{Engine, test_is_over};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::log::{known, on_board};
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::given::end_of;
use crate::live::{LOOK_EVERY, Live};
use crate::narrator::Narrator;
use crate::printer::{Printer, plain};

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The assignment, or the beginning of its id
    id: String,
    /// Record that the branch passed; nothing is run
    #[arg(long, conflicts_with_all = ["fail", "skipped"])]
    passed: bool,
    /// Record that the branch failed; nothing is run
    #[arg(long, conflicts_with = "skipped")]
    fail: bool,
    /// Record that no test is needed; nothing is run
    #[arg(long)]
    skipped: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A file with what the test has said, whose end goes to whoever puts it right; `-` is stdin
    #[arg(
        long,
        value_name = "FILE",
        requires = "fail",
        allow_hyphen_values = true
    )]
    output: Option<PathBuf>,
}

pub(crate) async fn run(app: &App, args: TestArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    let verdict = args.verdict(&id)?;
    let done = match verdict {
        Some(verdict) => record(&engine, verdict).await,
        None => app.interruptible(run_tests(app, &engine, &id)).await,
    };
    if done? == exit::INTERRUPTED {
        engine.close().await;
        return Ok(exit::INTERRUPTED);
    }
    let shown = show(app, &engine, &id).await;
    engine.close().await;
    shown
}

impl TestArgs {
    /// A person's word instead of a run.
    fn verdict(&self, id: &AssignmentId) -> Result<Option<Command>, Failure> {
        let result = match (self.passed, self.fail, self.skipped) {
            (true, _, _) => TestResult::Passed,
            (_, true, _) => TestResult::Failed,
            (_, _, true) => TestResult::Skipped,
            (false, false, false) => return Ok(None),
        };
        let reason = self.reason.clone();
        let output = self.output.as_deref();
        Ok(Some(Command::RecordVerdict {
            id: id.clone(),
            result,
            note: reason.unwrap_or_else(|| "recorded by hand".to_owned()),
            output: output.map(|file| end_of(file, OUTPUT)).transpose()?,
        }))
    }
}

async fn record(engine: &Engine, verdict: Command) -> Result<u8, Failure> {
    let committed = engine.command(verdict).await?;
    committed
        .refusal
        .map_or(Ok(exit::OK), |refusal| Err(refusal.into()))
}

/// Shows what the test says while it runs, whichever process runs it.
async fn run_tests(app: &App, engine: &Engine, id: &AssignmentId) -> Result<u8, Failure> {
    let before = known(engine, id).await?;
    let work = before.deliverable();
    let live = RefCell::new(work.map(|work| Live::new(&engine.test_log(id, work.head))));
    let committed = engine.command(Command::Test { id: id.clone() }).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let printer = app.printer;
    let narrator = Narrator::new(printer).only(std::slice::from_ref(id));
    let look = || {
        if let Some(live) = live.borrow_mut().as_mut() {
            live.look(|line| printer.note(plain(line)));
        }
    };
    let enough = |board: &coord_core::Board| {
        if test_is_over(board, id) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let driven = engine.drive(enough, |progress| {
        // What the test has said comes before what it came to.
        look();
        narrator.show(&progress);
    });
    let mut driven = std::pin::pin!(driven);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            driven = &mut driven => break driven?,
            _ = looks.tick() => look(),
        }
    }
    if let Some(live) = live.borrow_mut().as_mut() {
        live.finish(|line| printer.note(plain(line)));
    }
    Ok(exit::OK)
}

async fn show(app: &App, engine: &Engine, id: &AssignmentId) -> Result<u8, Failure> {
    let assignment = known(engine, id).await?;
    if let Some(failure) = &assignment.delivery.test_failure {
        return Err(no_verdict(engine, &assignment, failure));
    }
    let Some(verdict) = &assignment.verdict else {
        return Err(
            Failure::failed(format!("the tests of {id} could not be run"))
                .with_hint(format!("`coord history --assignment {id}` says why")),
        );
    };
    let log = engine.test_log(id, &verdict.head);
    if app.printer.is_json() {
        app.printer
            .json(&json!({"id": id, "verdict": verdict, "output": log}));
    } else {
        app.printer.line(describe::verdict(verdict));
        show_log(app.printer, &log);
    }
    let failed = verdict.result == TestResult::Failed;
    Ok(if failed { exit::FAILED } else { exit::OK })
}

fn show_log(printer: Printer, log: &std::path::Path) {
    if log.exists() {
        printer.note(format_args!("the whole output is in {}", log.display()));
    }
}

/// What kept the test from an answer says nothing about the branch.
fn no_verdict(engine: &Engine, assignment: &Assignment, failure: &TestFailure) -> Failure {
    let (id, head) = (&assignment.id, failure.head.short());
    let log = engine.test_log(id, &failure.head);
    let again = match failure.class {
        FailureClass::Environmental { .. } => format!("`coord test {id}` tries it again"),
        FailureClass::Configuration | FailureClass::Work => {
            format!("put that right, then `coord test {id}`")
        }
    };
    let hint = match log.exists() {
        true => format!("{again}; the output is in {}", log.display()),
        false => again,
    };
    let why = plain(&failure.why);
    Failure::failed(format!("no verdict for {head}: {why}")).with_hint(hint)
}
