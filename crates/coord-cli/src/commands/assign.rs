//! `coord assign`: one worker on one issue.

use std::path::PathBuf;

use clap::Args;
use coord_core::assignment::{Assignment, AssignmentKind, FileScope, Goal, Waivers};
use coord_core::effect::{ForeignClaim, Outcome};
use coord_core::event::BoardEvent;
use coord_core::ids::{AssignmentId, EffectKey, MachineName, RepoName};
use coord_core::key::{self, EffectKind};
use coord_engine::{AssignInput, Carried, Engine, now};
use coord_store::Committed;
use serde_json::{Value, json};

use crate::app::{App, Bench};
use crate::describe;
use crate::exit;
use crate::failure::{Failure, io};
use crate::printer::{Printer, plain};
use crate::start::StartArgs;
use crate::time::date_time;

#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// The machine to run it on; `-` lets the coordinator choose: one that has what the labels of
    /// the issue ask for, and free slots
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
    /// Dispatch although files overlap with active work
    #[arg(long)]
    allow_overlap: bool,
    /// Dispatch although the forge could not be asked for existing branches
    #[arg(long)]
    accept_unknown: bool,
    /// Dispatch although the author of the issue is not trusted
    #[arg(long)]
    trust: bool,
    /// Dispatch although another coordinator has claimed the issue
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    start: StartArgs,
}

pub(crate) async fn run(app: &App, args: AssignArgs) -> Result<u8, Failure> {
    let Bench { config, engine } = app.bench().await?;
    let dry_run = args.start.dry_run;
    let input = args.input(config.pipeline.goal)?;
    let work = async {
        match dry_run {
            true => dry(app.printer, &engine, input).await,
            false => assign(app.printer, &engine, input).await,
        }
    };
    let done = app.interruptible(work).await;
    engine.close().await;
    done
}

async fn assign(printer: Printer, engine: &Engine, input: AssignInput) -> Result<u8, Failure> {
    let committed = engine.assign(input).await?;
    let carried = hand_over(engine, &committed).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    show(printer, &committed, &carried)
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
            when_blocked: self.start.when_blocked(),
            waivers: Waivers {
                allow_overlap: self.allow_overlap,
                ignore_deps: self.start.ignore_deps,
                accept_unknown: self.accept_unknown,
                trust: self.trust,
                take_over: self.take_over,
            },
            goal: self.start.goal(default),
            freshness: self.start.freshness(),
        })
    }
}

async fn dry(printer: Printer, engine: &Engine, input: AssignInput) -> Result<u8, Failure> {
    let decision = engine.assign_dry(input).await?;
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

/// Carries out what has a new assignment start, as far as that is possible now.
pub(crate) async fn hand_over(
    engine: &Engine,
    committed: &Committed,
) -> Result<Vec<Carried>, Failure> {
    let mut carried = deliver(engine, committed).await?;
    if let Some(id) = claimed(committed, &carried) {
        // A claim that stands has queued the dispatch.
        carried.extend(engine.carry_out_now(&[key::dispatch(id)]).await?);
    }
    Ok(carried)
}

/// The new assignment, where its issue was claimed just now.
fn claimed<'a>(committed: &'a Committed, carried: &[Carried]) -> Option<&'a AssignmentId> {
    let won = carried.iter().any(|carried| {
        matches!(
            carried,
            Carried::Settled {
                outcome: Outcome::Claimed,
                ..
            }
        )
    });
    let new = committed.recorded.iter().find_map(|r| assigned(&r.event));
    new.filter(|_| won).map(|assignment| &assignment.id)
}

/// The assignment that an event puts on the board.
pub(crate) fn assigned(event: &BoardEvent) -> Option<&Assignment> {
    match event {
        BoardEvent::AssignmentRequested { assignment }
        | BoardEvent::AssignmentWaits { assignment, .. } => Some(assignment),
        _ => None,
    }
}

/// Where an assignment goes, in a few lines.
pub(crate) fn headline(assignment: &Assignment) -> String {
    let model = match (&assignment.model, assignment.kind) {
        // The agent runs a command: no model is asked.
        (None, AssignmentKind::Smoke) => String::new(),
        (None, _) => "\n→ model: the worker's default".to_owned(),
        (Some(model), _) => format!("\n→ model: {model}"),
    };
    format!(
        "→ {} → {}: {}{model}\n→ branch: {}",
        assignment.machine,
        assignment.issue,
        describe::job(assignment),
        assignment.branch
    )
}

/// How far the assignment came with this command.
#[derive(Debug, PartialEq)]
enum Reached {
    /// Its agent has it.
    Dispatched,
    /// It claims its issue and waits.
    Waits(String),
    /// It was to be dispatched, which is tried again.
    Postponed(String),
    /// It was to be dispatched, which is not due yet.
    Queued,
}

/// Says how far a new assignment came.
pub(crate) fn show(
    printer: Printer,
    committed: &Committed,
    carried: &[Carried],
) -> Result<u8, Failure> {
    let started = Started::of(committed, carried)?;
    match printer.is_json() {
        true => printer.json(&started.json()),
        false => started.print(printer),
    }
    Ok(exit::OK)
}

/// A new assignment, and how far it came with the command that made it.
pub(crate) struct Started<'a> {
    committed: &'a Committed,
    assignment: &'a Assignment,
    reached: Reached,
}

impl<'a> Started<'a> {
    /// What came of it; that it failed for good, or that somebody else was first, is an error.
    pub(crate) fn of(committed: &'a Committed, carried: &[Carried]) -> Result<Self, Failure> {
        let new = committed.recorded.iter().find_map(|r| assigned(&r.event));
        let assignment = new.ok_or_else(|| Failure::failed("nothing was assigned"))?;
        Ok(Self {
            committed,
            assignment,
            reached: reached(assignment, committed, carried)?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let postponed = match &self.reached {
            Reached::Postponed(error) => Some(error),
            Reached::Dispatched | Reached::Waits(_) | Reached::Queued => None,
        };
        json!({"assignment": self.assignment,
            "dispatched": self.reached == Reached::Dispatched, "postponed": postponed})
    }

    pub(crate) fn print(&self, printer: Printer) {
        printer.line(headline(self.assignment));
        let id = &self.assignment.id;
        match &self.reached {
            Reached::Dispatched => printer.line(format_args!("→ dispatched (assignment {id})")),
            Reached::Waits(why) => {
                printer.line(format_args!("→ waits (assignment {id}): {}", plain(why)));
            }
            Reached::Postponed(error) => {
                printer.line(format_args!(
                    "→ kept (assignment {id}), not dispatched yet: {}",
                    plain(error)
                ));
                printer.note("it goes out as soon as `coord up`, `coord wait` or `coord resume` reaches the agent");
            }
            Reached::Queued => {
                printer.line(format_args!("→ queued (assignment {id})"));
                printer.note(format_args!(
                    "{}: `coord up` or `coord wait` dispatches it when its time comes",
                    why_not_yet(self.committed, self.assignment)
                ));
            }
        }
    }
}

/// Why its dispatch is not due yet.
fn why_not_yet(committed: &Committed, assignment: &Assignment) -> String {
    let machine = &assignment.machine;
    let facts = committed.board.machines.get(machine);
    let limited = facts.and_then(|facts| facts.limited_until);
    match limited.filter(|at| *at > now()) {
        Some(at) => format!("{machine} has hit a usage limit until {}", date_time(at)),
        None => "starts are staggered".to_owned(),
    }
}

/// As far as the effects were carried out.
fn reached(
    assignment: &Assignment,
    committed: &Committed,
    carried: &[Carried],
) -> Result<Reached, Failure> {
    let mut reached = match committed.recorded.iter().find_map(|r| waits(&r.event)) {
        Some(why) => Reached::Waits(why),
        None => Reached::Queued,
    };
    for carried in carried {
        match carried {
            Carried::Settled { key, outcome } => {
                if let Outcome::ClaimLost { to } = outcome {
                    return Err(lost(assignment, to.as_ref()));
                }
                if let (Outcome::Failed { error, .. }, true) = (outcome, starts(key)) {
                    return Err(failed(assignment, key, error));
                }
                if *outcome == Outcome::Dispatched {
                    reached = Reached::Dispatched;
                }
            }
            Carried::Postponed { key, error, .. } if starts(key) => {
                reached = Reached::Postponed(error.clone());
            }
            Carried::Postponed { .. } => {}
        }
    }
    Ok(reached)
}

fn waits(event: &BoardEvent) -> Option<String> {
    match event {
        BoardEvent::AssignmentWaits { why, .. } => Some(why.to_string()),
        _ => None,
    }
}

/// Whether no worker starts without this effect.
fn starts(key: &EffectKey) -> bool {
    matches!(
        EffectKind::of(key),
        Some(EffectKind::Claim | EffectKind::Dispatch)
    )
}

fn failed(assignment: &Assignment, key: &EffectKey, error: &str) -> Failure {
    let why = match EffectKind::of(key) {
        Some(EffectKind::Claim) => format!("{} could not be claimed: {error}", assignment.issue),
        _ => format!(
            "the agent of `{}` did not take it: {error}",
            assignment.machine
        ),
    };
    Failure::failed(plain(&why)).with_hint("put that right, then assign the issue again")
}

fn lost(assignment: &Assignment, to: Option<&ForeignClaim>) -> Failure {
    let issue = &assignment.issue;
    let claim = describe::claimed_by(to);
    Failure::failed(format!("{issue} was claimed before: {claim}"))
        .with_hint("no worker was started; if that coordinator is gone for good, pass --take-over")
}
