//! `coord retry`: go on with an assignment that came to nothing, elsewhere and one model up.

use clap::Args;
use coord_core::assignment::{Assignment, Waivers};
use coord_core::command::WhenBlocked;
use coord_core::event::BoardEvent;
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::{Decision, Policy};
use coord_engine::{Engine, RetryInput};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::assign::{self, assigned, headline};
use crate::commands::log::{known, on_board};
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The assignment, or the beginning of its id
    id: String,
    /// The machine to run it on, instead of another one than before
    #[arg(long, value_name = "NAME")]
    machine: Option<MachineName>,
    /// The model, instead of the next one up
    #[arg(long)]
    model: Option<String>,
    /// What to tell the worker beside its briefing
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    guidance: Option<String>,
    #[command(flatten)]
    how: HowArgs,
}

/// What every command takes that has another assignment go on.
#[derive(Debug, Args)]
pub(crate) struct HowArgs {
    /// Wait for files, slots and upstream work instead of being refused
    #[arg(long)]
    wait: bool,
    /// Go on although the forge could not be asked for existing branches
    #[arg(long)]
    accept_unknown: bool,
    /// Go on although files overlap with active work
    #[arg(long)]
    allow_overlap: bool,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl HowArgs {
    /// A request to go on with an assignment in this way.
    pub(crate) fn input(&self, follows: AssignmentId) -> RetryInput {
        RetryInput {
            follows,
            machine: None,
            model: None,
            guidance: None,
            resume: false,
            when_blocked: if self.wait {
                WhenBlocked::Wait
            } else {
                WhenBlocked::Refuse
            },
            waivers: Waivers {
                accept_unknown: self.accept_unknown,
                allow_overlap: self.allow_overlap,
                ..Waivers::default()
            },
        }
    }
}

pub(crate) async fn run(app: &App, args: RetryArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    let before = known(&engine, &id).await?;
    let input = RetryInput {
        machine: args.machine.clone(),
        model: args.model.clone(),
        guidance: args.guidance.clone(),
        ..args.how.input(id)
    };
    if args.how.dry_run {
        let decision = engine.retry_dry(input).await?;
        engine.close().await;
        return dry(app.printer, decision);
    }
    let committed = engine.retry(input).await?;
    let carried = assign::hand_over(&engine, &committed).await?;
    let policy = engine.policy().clone();
    engine.close().await;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let code = assign::show(app.printer, &committed, &carried)?;
    if let Some(new) = committed.recorded.iter().find_map(|it| assigned(&it.event)) {
        for note in args.notes(&policy, &before, new) {
            app.printer.note(note);
        }
    }
    Ok(code)
}

impl RetryArgs {
    /// Where it is not what one expects of a retry.
    fn notes(&self, policy: &Policy, old: &Assignment, new: &Assignment) -> Vec<String> {
        let mut notes = Vec::new();
        if new.start.session.is_some() {
            notes.push(format!("its session goes on, on {}", new.machine));
            return notes;
        }
        if new.machine == old.machine && self.machine.is_none() {
            let (repo, machine) = (&new.issue.repo, &new.machine);
            notes.push(format!(
                "no other machine that answers may work on {repo}: it stays on {machine}"
            ));
        }
        let ladder = &policy.models.escalation;
        if let (Some(model), None) = (&new.model, &self.model)
            && new.model == old.model
        {
            notes.push(match ladder.iter().rposition(|it| it == model) {
                Some(rung) if rung + 1 == ladder.len() => {
                    format!("{model} is at the top of the ladder: the model stays")
                }
                Some(_) => format!("the model was not at fault: it stays {model}"),
                None => format!("{model} is not on the ladder of models: it stays"),
            });
        }
        notes.extend(beginning(old, new));
        notes
    }
}

/// Said where work before it is not gone on with.
pub(crate) fn beginning(old: &Assignment, new: &Assignment) -> Option<String> {
    if new.start.branch.is_some() {
        return None;
    }
    let machine = &old.machine;
    Some(match &old.end {
        Some(end) if end.deliverable().is_some() => format!(
            "the commits of the attempt before never left {machine}: it begins anew from the base"
        ),
        Some(_) => "the attempt before left no commits: it begins from the base".to_owned(),
        None => format!(
            "nobody knows what the attempt before did on {machine}: it begins anew from the base"
        ),
    })
}

/// Shows what would be done.
pub(crate) fn dry(printer: Printer, decision: Decision) -> Result<u8, Failure> {
    if let Some(refusal) = decision.refusal {
        return Err(refusal.into());
    }
    if printer.is_json() {
        let effects: Vec<_> = decision.effects.iter().map(|it| &it.effect).collect();
        printer.json(&json!({"dry_run": true, "events": decision.events, "effects": effects}));
        return Ok(exit::OK);
    }
    for event in &decision.events {
        if let BoardEvent::PullWanted { .. } = event {
            printer.line(format_args!("→ {}", describe::event(event)));
        }
        if let BoardEvent::WorkerGuided { id, .. } = event {
            printer.line(format_args!("→ the worker of {id} would be told"));
        }
        if let Some(assignment) = assigned(event) {
            printer.line(headline(assignment));
        }
    }
    printer.line("→ dry run: nothing was done");
    Ok(exit::OK)
}

/// The assignment that goes on with `id` by now.
pub(crate) async fn successor(
    engine: &Engine,
    id: &AssignmentId,
) -> Result<Option<Assignment>, Failure> {
    let board = engine.store().board().await?;
    let by = board
        .assignments
        .get(id)
        .and_then(|it| it.superseded_by.as_ref());
    Ok(by.and_then(|by| board.assignments.get(by)).cloned())
}
