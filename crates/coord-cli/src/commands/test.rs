//! `coord test`: build and test a branch in a throwaway worktree, or record a verdict.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use coord_core::Command;
use coord_core::assignment::TestResult;
use coord_core::ids::AssignmentId;
use coord_engine::{Engine, test_is_over};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::log::on_board;
use crate::exit;
use crate::failure::{Failure, io};
use crate::narrator::Narrator;

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
    /// A file whose end goes with the verdict
    #[arg(long, value_name = "FILE", requires = "fail")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(app: &App, args: TestArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    let verdict = args.verdict()?;
    let done = match verdict {
        Some((result, note)) => record(&engine, &id, result, note).await,
        None => app.interruptible(run_tests(app, &engine, &id)).await,
    };
    done?;
    let shown = show(app, &engine, &id).await;
    engine.close().await;
    shown
}

impl TestArgs {
    fn verdict(&self) -> Result<Option<(TestResult, String)>, Failure> {
        let result = match (self.passed, self.fail, self.skipped) {
            (true, _, _) => TestResult::Passed,
            (_, true, _) => TestResult::Failed,
            (_, _, true) => TestResult::Skipped,
            (false, false, false) => return Ok(None),
        };
        let mut note = self
            .reason
            .clone()
            .unwrap_or_else(|| "recorded by hand".to_owned());
        if let Some(path) = &self.output {
            let text = std::fs::read(path).map_err(io(path))?;
            let text = String::from_utf8_lossy(&text);
            let tail: Vec<&str> = text.lines().rev().take(20).collect();
            note.extend(tail.iter().rev().flat_map(|line| ["\n", *line]));
        }
        Ok(Some((result, note)))
    }
}

async fn record(
    engine: &Engine,
    id: &AssignmentId,
    result: TestResult,
    note: String,
) -> Result<u8, Failure> {
    let committed = engine
        .command(Command::RecordVerdict {
            id: id.clone(),
            result,
            note,
        })
        .await?;
    committed
        .refusal
        .map_or(Ok(exit::OK), |refusal| Err(refusal.into()))
}

async fn run_tests(app: &App, engine: &Engine, id: &AssignmentId) -> Result<u8, Failure> {
    let committed = engine.command(Command::Test { id: id.clone() }).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let narrator = Narrator::new(app.printer).only(std::slice::from_ref(id));
    let enough = |board: &coord_core::Board| {
        if test_is_over(board, id) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    Ok(exit::OK)
}

async fn show(app: &App, engine: &Engine, id: &AssignmentId) -> Result<u8, Failure> {
    let assignment = engine.store().assignment(id).await?;
    let verdict = assignment.as_ref().and_then(|a| a.verdict.as_ref());
    let Some(verdict) = verdict else {
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
        app.printer.line(crate::describe::verdict(verdict));
        if log.exists() {
            app.printer
                .note(format_args!("the whole output is in {}", log.display()));
        }
    }
    let failed = verdict.result == TestResult::Failed;
    Ok(if failed { exit::FAILED } else { exit::OK })
}
