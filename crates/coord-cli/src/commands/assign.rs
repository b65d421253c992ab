//! `coord assign`: one worker on one issue.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use coord_core::assignment::{Assignment, FileScope, Goal, Waivers};
use coord_core::command::WhenBlocked;
use coord_core::effect::Outcome;
use coord_core::event::BoardEvent;
use coord_core::ids::{EffectKey, MachineName, RepoName};
use coord_core::key::EffectKind;
use coord_engine::{AssignInput, Carried, Engine};
use coord_store::Committed;
use serde_json::json;

use crate::app::{App, Bench};
use crate::exit;
use crate::failure::{Failure, io};
use crate::printer::{Printer, plain};

#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// The machine to run it on; `-` lets the coordinator choose
    machine: String,
    /// The repository, as the configuration names it
    repo: RepoName,
    /// The number of the issue
    issue: u64,
    /// The model: haiku, sonnet, opus, or a full name
    #[arg(long)]
    model: Option<String>,
    /// What to do, instead of what the issue says
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "briefing_file",
        allow_hyphen_values = true
    )]
    briefing: Option<String>,
    /// A file with the briefing
    #[arg(long, value_name = "FILE")]
    briefing_file: Option<PathBuf>,
    /// Globs of the files that it will change
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    files: Vec<String>,
    /// Globs of files that it may not change
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    forbid: Vec<String>,
    /// Wait for files, slots and upstream work instead of being refused
    #[arg(long)]
    wait: bool,
    /// How far to take it without a person; the default is the configuration's `pipeline.goal`
    #[arg(long, value_enum)]
    until: Option<Until>,
    /// Dispatch although files overlap with active work
    #[arg(long)]
    allow_overlap: bool,
    /// Dispatch although an upstream repository has active work
    #[arg(long)]
    ignore_deps: bool,
    /// Dispatch although the forge could not be asked for existing branches
    #[arg(long)]
    accept_unknown: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// How far an assignment goes by itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Until {
    /// The worker runs
    Worked,
    /// Its branch is tested as well
    Tested,
    /// Its branch is tested and merged
    Merged,
}

impl From<Until> for Goal {
    fn from(until: Until) -> Self {
        match until {
            Until::Worked => Self::Worked,
            Until::Tested => Self::Tested,
            Until::Merged => Self::Merged,
        }
    }
}

pub(crate) async fn run(app: &App, args: AssignArgs) -> Result<u8, Failure> {
    let Bench { config, engine } = app.bench().await?;
    let dry_run = args.dry_run;
    let input = args.input(config.pipeline.goal)?;
    if dry_run {
        return dry(app.printer, &engine, input).await;
    }
    let committed = engine.assign(input).await?;
    let carried = deliver(&engine, &committed).await?;
    engine.close().await;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    show(app.printer, &committed, &carried)
}

impl AssignArgs {
    fn input(self, default: Goal) -> Result<AssignInput, Failure> {
        let briefing = match (self.briefing, self.briefing_file) {
            (None, Some(file)) => Some(std::fs::read_to_string(&file).map_err(io(file))?),
            (briefing, _) => briefing,
        };
        Ok(AssignInput {
            machine: (self.machine != "-").then(|| MachineName::from(self.machine)),
            repo: self.repo,
            issue: self.issue,
            model: self.model,
            briefing,
            scope: FileScope {
                allowed: self.files,
                forbidden: self.forbid,
            },
            when_blocked: if self.wait {
                WhenBlocked::Wait
            } else {
                WhenBlocked::Refuse
            },
            waivers: Waivers {
                allow_overlap: self.allow_overlap,
                ignore_deps: self.ignore_deps,
                accept_unknown: self.accept_unknown,
            },
            goal: self.until.map_or(default, Goal::from),
        })
    }
}

async fn dry(printer: Printer, engine: &Engine, input: AssignInput) -> Result<u8, Failure> {
    let decision = engine.assign_dry(input).await?;
    engine.close().await;
    if let Some(refusal) = decision.refusal {
        return Err(refusal.into());
    }
    if printer.is_json() {
        let effects: Vec<_> = decision
            .effects
            .iter()
            .map(|request| &request.effect)
            .collect();
        printer.json(&json!({"dry_run": true, "events": decision.events, "effects": effects}));
    } else {
        for assignment in decision.events.iter().filter_map(assigned) {
            printer.line(headline(assignment));
        }
        printer.line("→ dry run: nothing was dispatched");
    }
    Ok(exit::OK)
}

/// Carries out what the command queued, as far as that is possible now.
pub(crate) async fn deliver(
    engine: &Engine,
    committed: &Committed,
) -> Result<Vec<Carried>, Failure> {
    let queued: Vec<EffectKey> = committed
        .recorded
        .iter()
        .filter_map(|recorded| match &recorded.event {
            BoardEvent::EffectQueued { key, .. } => Some(key.clone()),
            _ => None,
        })
        .collect();
    Ok(engine.carry_out_now(&queued).await?)
}

fn assigned(event: &BoardEvent) -> Option<&Assignment> {
    match event {
        BoardEvent::AssignmentRequested { assignment }
        | BoardEvent::AssignmentWaits { assignment, .. } => Some(assignment),
        _ => None,
    }
}

fn headline(assignment: &Assignment) -> String {
    let model = assignment
        .model
        .as_deref()
        .unwrap_or("the worker's default");
    format!(
        "→ {} → {}: {}\n→ model: {model}\n→ branch: {}",
        assignment.machine,
        assignment.issue,
        plain(&assignment.title),
        assignment.branch
    )
}

fn show(printer: Printer, committed: &Committed, carried: &[Carried]) -> Result<u8, Failure> {
    let Some(assignment) = committed.recorded.iter().find_map(|r| assigned(&r.event)) else {
        return Err(Failure::failed("nothing was assigned"));
    };
    let failed = carried.iter().find_map(|carried| match carried {
        Carried::Settled {
            outcome: Outcome::Failed { error, .. },
            key,
        } if is_dispatch(key) => Some(error.clone()),
        _ => None,
    });
    if let Some(error) = failed {
        let why = format!(
            "the agent of `{}` did not take it: {error}",
            assignment.machine
        );
        return Err(Failure::failed(plain(&why)));
    }
    let postponed = carried.iter().find_map(|carried| match carried {
        Carried::Postponed { error, key, .. } if is_dispatch(key) => Some(error.as_str()),
        _ => None,
    });
    let dispatched = carried.iter().any(|carried| {
        matches!(
            carried,
            Carried::Settled {
                outcome: Outcome::Dispatched,
                ..
            }
        )
    });
    if printer.is_json() {
        printer.json(&json!({"assignment": assignment, "dispatched": dispatched,
            "postponed": postponed}));
        return Ok(exit::OK);
    }
    printer.line(headline(assignment));
    let id = &assignment.id;
    let waits = committed
        .recorded
        .iter()
        .find_map(|recorded| match &recorded.event {
            BoardEvent::AssignmentWaits { why, .. } => Some(why.to_string()),
            _ => None,
        });
    match (dispatched, waits, postponed) {
        (true, _, _) => printer.line(format_args!("→ dispatched (assignment {id})")),
        (_, Some(why), _) => printer.line(format_args!("→ waits (assignment {id}): {why}")),
        (_, _, Some(error)) => {
            printer.line(format_args!(
                "→ kept (assignment {id}), not dispatched yet: {}",
                plain(error)
            ));
            printer.note("it goes out as soon as `coord up`, `coord wait` or `coord resume` reaches the agent");
        }
        (false, None, None) => {
            printer.line(format_args!("→ queued (assignment {id})"));
            printer.note("starts are staggered: `coord up` or `coord wait` dispatches it when its time comes");
        }
    }
    Ok(exit::OK)
}

fn is_dispatch(key: &EffectKey) -> bool {
    EffectKind::of(key) == Some(EffectKind::Dispatch)
}
