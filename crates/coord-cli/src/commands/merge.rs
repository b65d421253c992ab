//! `coord merge`: bring what is tested into the default branch, one after the other.

use std::ops::ControlFlow;

use clap::{Args, ValueEnum};
use coord_core::assignment::{MergeMethod, MergeState};
use coord_core::ids::{AssignmentId, RepoName};
use coord_core::{Board, Command};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::log::on_board;
use crate::commands::wait;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The assignments; without any: everything that is tested
    ids: Vec<String>,
    /// Merge these first, in this order
    #[arg(
        long,
        value_name = "IDS",
        value_delimiter = ',',
        conflicts_with = "ids"
    )]
    order: Vec<String>,
    /// Only of this repository
    #[arg(long)]
    repo: Option<RepoName>,
    /// How; the default is the configuration's `pipeline.merge_method`
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Only say what would be merged
    #[arg(long)]
    dry_run: bool,
}

/// How a branch becomes part of its base.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Its commits again on top of the base
    Rebase,
    /// One commit
    Squash,
    /// A merge commit
    Merge,
}

impl From<Method> for MergeMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Rebase => Self::Rebase,
            Method::Squash => Self::Squash,
            Method::Merge => Self::Merge,
        }
    }
}

pub(crate) async fn run(app: &App, args: MergeArgs) -> Result<u8, Failure> {
    let Bench { config, engine } = app.bench().await?;
    let ordered = !args.order.is_empty();
    let mut ids = Vec::new();
    for text in args.ids.iter().chain(&args.order) {
        let id = engine.resolve(text).await?;
        on_board(&engine, &id).await?;
        ids.push(id);
    }
    if let Some(repo) = &args.repo {
        engine.repo(repo)?;
    }
    let method = args
        .method
        .map_or(config.pipeline.merge_method, MergeMethod::from);
    let command = Command::Merge {
        ids,
        repo: args.repo,
        method,
        ordered,
    };
    if args.dry_run {
        let decision = engine.decide(&command).await?;
        engine.close().await;
        return dry(app, decision);
    }
    let committed = engine.command(command).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let queued = queued(&committed.board);
    let done = app.interruptible(work_off(app, &engine, &queued)).await;
    engine.close().await;
    done
}

fn dry(app: &App, decision: coord_core::Decision) -> Result<u8, Failure> {
    if let Some(refusal) = decision.refusal {
        return Err(refusal.into());
    }
    if app.printer.is_json() {
        app.printer
            .json(&json!({"dry_run": true, "events": decision.events}));
    } else {
        for event in decision
            .events
            .iter()
            .filter(|event| !crate::describe::is_detail(event))
        {
            app.printer.line(crate::describe::event(event));
        }
        app.printer.line("dry run: nothing was merged");
    }
    Ok(exit::OK)
}

fn queued(board: &Board) -> Vec<AssignmentId> {
    let in_queue = |state: &MergeState| matches!(state, MergeState::Queued | MergeState::Merging);
    let entries = board.assignments.values();
    entries
        .filter(|a| a.merge.as_ref().is_some_and(|m| in_queue(&m.state)))
        .map(|a| a.id.clone())
        .collect()
}

async fn work_off(
    app: &App,
    engine: &coord_engine::Engine,
    ids: &[AssignmentId],
) -> Result<u8, Failure> {
    if ids.is_empty() {
        app.printer.note("nothing is waiting to be merged");
    }
    let policy = engine.policy();
    let enough = |board: &Board| {
        if ids
            .iter()
            .all(|id| coord_engine::merge_rests(board, policy, id))
        {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let narrator = Narrator::new(app.printer).only(ids);
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    wait::report(app.printer, engine, ids).await
}
