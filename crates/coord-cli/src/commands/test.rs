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
use crate::tips;

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The assignment, or the beginning of its id
    id: String,
    /// Record that the branch passed; nothing is run
    #[arg(long, group = "verdict")]
    passed: bool,
    /// Record that the branch failed; nothing is run
    #[arg(long, group = "verdict")]
    fail: bool,
    /// Record that no test is needed; nothing is run
    #[arg(long, group = "verdict")]
    skipped: bool,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "verdict")]
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
    tips::look(app.printer, &engine, std::slice::from_ref(&id)).await?;
    let is_run = verdict.is_none();
    let done = match verdict {
        Some(verdict) => record(&engine, verdict).await,
        None => app.interruptible(run_tests(app, &engine, &id)).await,
    };
    if done? == exit::INTERRUPTED {
        engine.close().await;
        return Ok(exit::INTERRUPTED);
    }
    let shown = show(app, &engine, &id, is_run).await;
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
    let printer = app.printer;
    begin(printer, engine, id).await?;
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

/// Has it tested. A test that is under way already is gone on with, whoever began it.
async fn begin(printer: Printer, engine: &Engine, id: &AssignmentId) -> Result<(), Failure> {
    let is_under_way = |board: &coord_core::Board| !test_is_over(board, id);
    if !is_under_way(&*engine.store().board().await?) {
        let committed = engine.command(Command::Test { id: id.clone() }).await?;
        return match committed.refusal {
            Some(refusal) if !is_under_way(&committed.board) => Err(refusal.into()),
            Some(_) | None => Ok(()),
        };
    }
    printer.note("its test is under way already; this goes on with it");
    Ok(())
}

/// What it came to; only a run that was shown here has left its output.
async fn show(app: &App, engine: &Engine, id: &AssignmentId, is_run: bool) -> Result<u8, Failure> {
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
    let is_written = is_run && verdict.result != TestResult::Skipped;
    let log = is_written.then(|| engine.test_log(id, &verdict.head));
    if app.printer.is_json() {
        app.printer
            .json(&json!({"id": id, "verdict": verdict, "output": log}));
    } else {
        app.printer.line(describe::verdict(verdict));
        if let Some(log) = log {
            let log = log.display();
            app.printer
                .note(format_args!("the whole output is in {log}"));
        }
    }
    let failed = verdict.result == TestResult::Failed;
    Ok(if failed { exit::FAILED } else { exit::OK })
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
