//! `coord resume-stuck`: answer a worker: while it runs, in its session, or through a new one.

use clap::Args;
use coord_core::assignment::Assignment;
use coord_core::effect::Outcome;
use coord_core::event::BoardEvent;
use coord_core::ids::AssignmentId;
use coord_engine::{Carried, RetryInput};
use coord_store::Committed;
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::assign::{self, assigned};
use crate::commands::log::{known, on_board};
use crate::commands::retry::{HowArgs, beginning, dry, successor};
use crate::exit;
use crate::failure::Failure;
use crate::given::GuidanceArgs;
use crate::printer::{Printer, plain};

#[derive(Debug, Args)]
pub(crate) struct ResumeStuckArgs {
    /// The assignment, or the beginning of its id
    id: String,
    #[command(flatten)]
    guidance: GuidanceArgs,
    #[command(flatten)]
    how: HowArgs,
}

pub(crate) async fn run(app: &App, args: ResumeStuckArgs) -> Result<u8, Failure> {
    let guidance = args.guidance.read()?.ok_or_else(|| {
        Failure::usage("there is no guidance")
            .with_hint("give it with --guidance TEXT, or with --guidance-file FILE")
    })?;
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    let before = known(&engine, &id).await?;
    let input = RetryInput {
        resume: true,
        ..args.how.input(id.clone())
    };
    if args.how.dry_run {
        let decision = engine.guide_dry(guidance, input).await?;
        engine.close().await;
        return dry(app.printer, decision);
    }
    let committed = engine.guide(guidance, input).await?;
    let carried = assign::hand_over(&engine, &committed).await?;
    let later = successor(&engine, &id).await?;
    engine.close().await;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let is_told = committed
        .recorded
        .iter()
        .any(|it| matches!(it.event, BoardEvent::WorkerGuided { .. }));
    if is_told {
        told(app.printer, &id, &before, &carried, later.as_ref());
        return Ok(exit::OK);
    }
    goes_on(app.printer, &before, &committed, &carried)
}

/// What became of the message to a worker that was running.
fn told(
    printer: Printer,
    id: &AssignmentId,
    before: &Assignment,
    carried: &[Carried],
    later: Option<&Assignment>,
) {
    let machine = &before.machine;
    let (how, sentence) = match (carried.first(), later) {
        (_, Some(new)) => {
            let how = how(new);
            let sentence = format!("its worker had ended: {} (assignment {})", how.1, new.id);
            (how.0, sentence)
        }
        (
            Some(Carried::Settled {
                outcome: Outcome::Guided,
                ..
            }),
            None,
        ) => ("told", format!("told the worker that runs on {machine}")),
        (Some(Carried::Settled { .. }), None) => (
            "later",
            format!(
                "the worker on {machine} takes no more: whoever goes on with it is told, as soon as it has ended"
            ),
        ),
        (Some(Carried::Postponed { error, .. }), None) => {
            ("later", format!("kept, not told yet: {}", plain(error)))
        }
        (None, None) => ("later", "kept, not told yet".to_owned()),
    };
    if printer.is_json() {
        printer.json(&json!({"id": id, "how": how, "assignment": later}));
        return;
    }
    printer.line(format_args!("→ {sentence}"));
    if how == "later" {
        printer.note("`coord up`, `coord wait` or `coord resume` sees to it");
    }
}

/// In which of the two ways an assignment goes on with another.
fn how(new: &Assignment) -> (&'static str, String) {
    let machine = &new.machine;
    match (&new.start.session, &new.start.branch) {
        (Some(_), _) => ("session", format!("its session is continued on {machine}")),
        (None, Some(branch)) => (
            "branch",
            format!("a new worker goes on with {} on {machine}", plain(branch)),
        ),
        (None, None) => ("branch", format!("a new worker begins anew on {machine}")),
    }
}

fn goes_on(
    printer: Printer,
    before: &Assignment,
    committed: &Committed,
    carried: &[Carried],
) -> Result<u8, Failure> {
    let Some(new) = committed.recorded.iter().find_map(|it| assigned(&it.event)) else {
        return Err(Failure::failed("nothing goes on with it"));
    };
    let (how, sentence) = how(new);
    if printer.is_json() {
        printer.json(&json!({"id": before.id, "how": how, "assignment": new}));
        return Ok(exit::OK);
    }
    printer.line(format_args!("→ {sentence}"));
    let code = assign::show(printer, committed, carried)?;
    if let Some(note) = beginning(before, new).filter(|_| how == "branch") {
        printer.note(note);
    }
    Ok(code)
}
