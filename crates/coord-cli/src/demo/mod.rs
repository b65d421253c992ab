//! `coord demo`: the main job on a scratch project, from five issues to five merges.
//!
//! Everything is real but the workers' minds: real repositories, worktrees, processes, tests and
//! merges. Nothing outside the folder of the demo is read or written.

mod full;
mod project;
mod scenario;
mod table;
pub(crate) mod worker;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use coord_agent::AgentConfig;
use coord_core::assignment::{FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::WhenBlocked;
use coord_core::ids::AssignmentId;
use coord_core::{Board, Command};
use coord_engine::{AssignInput, Engine, now, settled};
use tempfile::TempDir;

use crate::app::{self, App};
use crate::commands::up::{HostedAgent, host_agent};
use crate::exit;
use crate::failure::{Failure, io};
use crate::narrator::Narrator;
use crate::printer::{Printer, STRONG, paint};
use project::Project;
use scenario::Scenario;

/// The hidden first argument that makes this binary the simulated worker.
pub(crate) const SIMULATED_WORKER: &str = "__simulated-worker";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Work in this folder and keep everything
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Everything between a worker's end and the merge: pull requests, reviews, what comes back
    #[arg(long, conflicts_with_all = ["claude", "prepare"])]
    full: bool,
    /// Slow enough for watching
    #[arg(long)]
    slow: bool,
    /// Let the real Claude Code do the work; this costs what it costs
    #[arg(long)]
    claude: bool,
    /// Only make the project and its issues, and say how to go on by hand
    #[arg(long, requires = "dir")]
    prepare: bool,
}

/// Which demo it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// Work, tests, merges; simulated workers.
    Plain,
    /// The same with the real worker.
    Claude,
    /// The whole pipeline; simulated workers.
    Full,
}

impl Play {
    const fn of(args: &DemoArgs) -> Self {
        match (args.full, args.claude) {
            (true, _) => Self::Full,
            (false, true) => Self::Claude,
            (false, false) => Self::Plain,
        }
    }

    const fn scenario(self) -> &'static Scenario {
        match self {
            Self::Plain | Self::Claude => &scenario::PLAIN,
            Self::Full => &full::scenario::FULL,
        }
    }

    const fn is_simulated(self) -> bool {
        match self {
            Self::Plain | Self::Full => true,
            Self::Claude => false,
        }
    }
}

pub(crate) async fn run(app: &App, args: DemoArgs) -> Result<u8, Failure> {
    let place = Place::open(args.dir.as_deref())?;
    let printer = app.printer;
    let play = Play::of(&args);
    let project = Project::open(place.path(), play, delay(&args)).await?;
    let engine = app::engine(
        &project.config,
        project.home.clone(),
        project.home.clone(),
        project.store.clone(),
    )?;
    project::open_issues(engine.forge(&project::repo())?, play).await?;
    if args.prepare {
        engine.close().await;
        project.explain(printer);
        return Ok(exit::OK);
    }
    introduce(printer, &project, play);
    let mut hosted = Vec::new();
    for (machine, home) in project.agents(play) {
        let agent = AgentConfig::from_config(&project.config, Some(machine), home)?;
        hosted.push(host_agent(agent).await?);
    }
    let done = tokio::select! {
        done = perform(printer, &engine, &project, play) => done,
        asked = app::interrupted() => match asked {
            Ok(()) => interrupt(printer, &engine).await,
            Err(failure) => Err(failure),
        },
    };
    end(engine, hosted).await;
    if let Place::Kept(dir) = &place {
        printer.note(format_args!("everything is kept in {}", dir.display()));
    }
    done
}

async fn perform(
    printer: Printer,
    engine: &Engine,
    project: &Project,
    play: Play,
) -> Result<u8, Failure> {
    match play {
        Play::Plain | Play::Claude => self::play(printer, engine).await,
        Play::Full => full::play(printer, engine, project).await,
    }
}

/// Where a demo works.
enum Place {
    /// A folder that goes with the value.
    Scratch(TempDir),
    /// The person's choice.
    Kept(PathBuf),
}

impl Place {
    fn open(dir: Option<&Path>) -> Result<Self, Failure> {
        if let Some(dir) = dir {
            return std::path::absolute(dir).map(Self::Kept).map_err(io(dir));
        }
        let scratch = tempfile::Builder::new().prefix("coord-demo-").tempdir();
        scratch
            .map(Self::Scratch)
            .map_err(io("the folder for temporary files"))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Scratch(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }
}

const fn delay(args: &DemoArgs) -> Duration {
    Duration::from_millis(if args.slow { 1500 } else { 60 })
}

fn introduce(printer: Printer, project: &Project, play: Play) {
    let what = match play {
        Play::Claude => "Claude Code does the work",
        Play::Plain | Play::Full => {
            "the workers are simulated: no model is asked, everything else is real"
        }
    };
    printer.note(paint(
        STRONG,
        format_args!("coord demo in {}", project.dir.display()),
    ));
    printer.note(format_args!(
        "five issues, a bare remote, a test suite; {what}\n"
    ));
}

/// Puts a worker on every open issue that has none yet, and drives until nothing is left to do.
async fn play(printer: Printer, engine: &Engine) -> Result<u8, Failure> {
    let started = now();
    let board = engine.store().board().await?;
    let forge = engine.forge(&project::repo())?;
    let open = forge.open_issues().await.map_err(project::forge_failed)?;
    for issue in open {
        let has_one = board
            .assignments
            .values()
            .any(|a| a.issue.number == issue.number && a.claims_issue());
        if !has_one {
            let committed = engine.assign(request(issue.number)).await?;
            if let Some(refusal) = committed.refusal {
                return Err(refusal.into());
            }
        }
    }
    let all = |board: &Board| {
        if board.assignments.keys().all(|id| settled(board, id)) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let narrator = Narrator::new(printer);
    engine
        .drive(all, |progress| narrator.show(&progress))
        .await?;
    table::show(printer, engine, started).await
}

fn request(number: u64) -> AssignInput {
    let declared = usize::try_from(number - 1)
        .ok()
        .and_then(|index| scenario::PLAIN.issues.get(index));
    let files = declared.map(|issue| issue.files).unwrap_or_default();
    AssignInput {
        machine: None,
        repo: project::repo(),
        issue: number,
        model: None,
        briefing: None,
        scope: FileScope {
            allowed: files.iter().map(|&f| f.to_owned()).collect(),
            ..FileScope::default()
        },
        when_blocked: WhenBlocked::Wait,
        waivers: Waivers::default(),
        goal: Goal::Merged,
        freshness: FreshnessRule::default(),
    }
}

/// Stops every worker: the folder that they work in may be about to go.
async fn interrupt(printer: Printer, engine: &Engine) -> Result<u8, Failure> {
    printer.note("interrupted: stopping the workers");
    let board = engine.store().board().await?;
    let active: Vec<AssignmentId> = board
        .assignments
        .values()
        .filter(|a| a.state.is_active())
        .map(|a| a.id.clone())
        .collect();
    for id in active {
        engine.command(Command::Stop { id }).await?;
    }
    let idle = |board: &Board| {
        if board.assignments.values().any(|a| a.state.is_active()) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let stopped = tokio::time::timeout(Duration::from_secs(30), engine.drive(idle, |_| {}));
    match stopped.await {
        Ok(stopped) => stopped.map(|()| exit::INTERRUPTED).map_err(Failure::from),
        Err(_) => Err(Failure::failed("some workers did not stop within 30 s")),
    }
}

async fn end(engine: Engine, hosted: Vec<HostedAgent>) {
    engine.close().await;
    for agent in hosted {
        agent.shutdown().await;
    }
}
