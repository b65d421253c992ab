//! `coord merge`: bring what its gates let pass into the default branch, one after the other.

mod plan;

use std::ops::ControlFlow;

use clap::{Args, ValueEnum};
use coord_core::assignment::{MergeMethod, MergeState};
use coord_core::command::SetAside;
use coord_core::ids::{AssignmentId, RepoName};
use coord_core::policy::Gate;
use coord_core::{Board, Command};
use coord_engine::Engine;

use crate::app::{App, Bench};
use crate::commands::log::on_board;
use crate::commands::wait;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::tips;
use plan::Plan;

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The assignments; without any: everything that is finished
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
    /// Merge although this gate does not hold; it stays in the history, with the reason
    #[arg(
        long = "override",
        value_name = "GATE",
        value_enum,
        requires = "reason"
    )]
    overrides: Vec<GateName>,
    /// Why the gates are set aside
    #[arg(long, value_name = "TEXT", requires = "overrides")]
    reason: Option<String>,
    /// Only show the plan: what is merged in which order, what each waits for, what will conflict
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

/// What must hold before a merge.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum GateName {
    /// A good test verdict
    Test,
    /// A review that does not object
    Review,
    /// The forge's checks
    Ci,
}

impl From<GateName> for Gate {
    fn from(name: GateName) -> Self {
        match name {
            GateName::Test => Self::Test,
            GateName::Review => Self::Review,
            GateName::Ci => Self::Ci,
        }
    }
}

pub(crate) async fn run(app: &App, args: MergeArgs) -> Result<u8, Failure> {
    let set_aside = args.set_aside()?;
    let Bench { config, engine } = app.bench().await?;
    let mut ids = Vec::new();
    for text in args.ids.iter().chain(&args.order) {
        let id = engine.resolve(text).await?;
        on_board(&engine, &id).await?;
        ids.push(id);
    }
    if let Some(repo) = &args.repo {
        engine.repo(repo)?;
    }
    let candidates = match ids.is_empty() {
        true => finished(&*engine.store().board().await?, args.repo.as_ref()),
        false => ids.clone(),
    };
    tips::look(app.printer, &engine, &candidates).await?;
    let method = args.method.map(MergeMethod::from);
    let command = Command::Merge {
        ids: ids.clone(),
        repo: args.repo.clone(),
        method: method.unwrap_or(config.pipeline.merge_method),
        ordered: !args.order.is_empty(),
        set_aside,
    };
    if args.dry_run {
        let planned = app
            .interruptible(dry(app, &engine, &command, args.repo))
            .await;
        engine.close().await;
        return planned;
    }
    let committed = engine.command(command).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let queued = match ids.is_empty() {
        true => queued(&committed.board),
        false => ids,
    };
    let done = app.interruptible(work_off(app, &engine, &queued)).await;
    engine.close().await;
    done
}

impl MergeArgs {
    fn set_aside(&self) -> Result<Option<SetAside>, Failure> {
        let Some(reason) = &self.reason else {
            return Ok(None);
        };
        if reason.trim().is_empty() {
            return Err(Failure::usage("the reason is empty")
                .with_hint("whoever reads the history wants to know why the gate did not count"));
        }
        let mut gates: Vec<Gate> = self.overrides.iter().map(|it| Gate::from(*it)).collect();
        gates.sort_unstable();
        gates.dedup();
        Ok(Some(SetAside {
            gates,
            reason: reason.clone(),
        }))
    }
}

async fn dry(
    app: &App,
    engine: &Engine,
    command: &Command,
    repo: Option<RepoName>,
) -> Result<u8, Failure> {
    let decision = engine.decide(command).await?;
    if let Some(refusal) = decision.refusal {
        return Err(refusal.into());
    }
    let plan = Plan::gather(engine, decision.events, repo.as_ref()).await?;
    plan.show(app.printer);
    Ok(exit::OK)
}

/// Every branch that may be meant where none is named.
fn finished(board: &Board, repo: Option<&RepoName>) -> Vec<AssignmentId> {
    let branches = board.assignments.values();
    branches
        .filter(|it| it.is_finished_branch() && repo.is_none_or(|repo| it.issue.repo == *repo))
        .map(|it| it.id.clone())
        .collect()
}

fn queued(board: &Board) -> Vec<AssignmentId> {
    let in_queue = |state: &MergeState| matches!(state, MergeState::Queued | MergeState::Merging);
    let entries = board.assignments.values();
    entries
        .filter(|a| a.merge.as_ref().is_some_and(|m| in_queue(&m.state)))
        .map(|a| a.id.clone())
        .collect()
}

async fn work_off(app: &App, engine: &Engine, ids: &[AssignmentId]) -> Result<u8, Failure> {
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
