//! Having a finished branch read or tried out: the request, the wait, the answer.

use std::ops::ControlFlow;

use clap::Args;
use coord_core::assignment::{Assignment, AssignmentKind};
use coord_core::command::ServeRequest;
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::key::EffectKind;
use coord_core::verdict::{ReviewResult, ReviewVerdict, SmokeVerdict};
use coord_core::{Board, BoardEvent, Command};
use coord_engine::{Engine, fresh_id};
use coord_store::{Committed, HistoryFilter};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::assign::{self, assigned, headline};
use crate::commands::log::{known, on_board};
use crate::commands::retry::dry;
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::printer::{Printer, plain};
use crate::tips;

/// What every command takes that has a branch read or tried out.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The assignment whose branch it is, or the beginning of its id
    id: String,
    /// The machine to run it on; otherwise the coordinator chooses
    #[arg(long, value_name = "NAME")]
    machine: Option<MachineName>,
    /// Do not wait for the answer
    #[arg(long)]
    no_wait: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Has the branch read or tried out, and shows the answer.
pub(crate) async fn run(
    app: &App,
    kind: AssignmentKind,
    args: ServeArgs,
    model: Option<String>,
) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let about = engine.resolve(&args.id).await?;
    on_board(&engine, &about).await?;
    tips::look(app.printer, &engine, std::slice::from_ref(&about)).await?;
    let request = ServeRequest {
        id: fresh_id(),
        kind,
        about,
        machine: args.machine,
        model,
    };
    let command = Command::Serve(Box::new(request.clone()));
    if args.dry_run {
        let decision = engine.decide(&command).await?;
        engine.close().await;
        return dry(app.printer, decision);
    }
    let committed = engine.command(command).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let done = match args.no_wait {
        true => hand_over(app.printer, &engine, &committed).await,
        false => {
            let waited = wait(app, &engine, &request, &committed);
            app.interruptible(waited).await
        }
    };
    engine.close().await;
    done
}

async fn hand_over(
    printer: Printer,
    engine: &Engine,
    committed: &Committed,
) -> Result<u8, Failure> {
    let carried = assign::hand_over(engine, committed).await?;
    assign::show(printer, committed, &carried)
}

async fn wait(
    app: &App,
    engine: &Engine,
    request: &ServeRequest,
    committed: &Committed,
) -> Result<u8, Failure> {
    let printer = app.printer;
    if let Some(new) = committed.recorded.iter().find_map(|it| assigned(&it.event)) {
        printer.note(headline(new));
        let writer = known(engine, &request.about).await?;
        if writer.machine == new.machine && request.machine.is_none() {
            let machine = &new.machine;
            printer.note(format_args!(
                "no other machine that answers can do it: it runs on {machine}, as the work did"
            ));
        }
    }
    let before = committed.recorded.first().map_or(0, |it| it.seq);
    let about = std::slice::from_ref(&request.about);
    let narrator = Narrator::new(printer).only(about).after(committed);
    let enough = |board: &Board| match rests(board, &request.about, request.kind) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    let answer = Answer::since(engine, &request.about, before).await?;
    match request.kind {
        AssignmentKind::Smoke => show_smoke(printer, engine, request, answer.smoke).await,
        AssignmentKind::Review => show_review(printer, engine, request, answer.review).await,
        AssignmentKind::Pr
        | AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => Ok(exit::OK),
    }
}

/// Whether nobody of this kind is at work on the branch of `about` any more, and no answer is
/// still to be looked at.
pub(crate) fn rests(board: &Board, about: &AssignmentId, kind: AssignmentKind) -> bool {
    let Some(about) = board.assignments.get(about) else {
        return true;
    };
    let at_work = |it: &Assignment| {
        let mut keys = board.open_effects_of(&it.id);
        it.state.is_active() || keys.any(|key| EffectKind::of(key).is_some_and(EffectKind::is_work))
    };
    !board.serving(about, kind).any(at_work)
}

/// What was recorded about a branch.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) review: Option<ReviewVerdict>,
    pub(crate) smoke: Option<SmokeVerdict>,
}

impl Answer {
    /// The last ones after this place in the log: the branch may have gone on since.
    pub(crate) async fn since(
        engine: &Engine,
        about: &AssignmentId,
        seq: u64,
    ) -> Result<Self, Failure> {
        let filter = HistoryFilter {
            assignment: Some(about.clone()),
            kinds: ["review_recorded", "smoke_recorded"]
                .map(str::to_owned)
                .to_vec(),
            after_seq: Some(seq),
            ..HistoryFilter::default()
        };
        let mut answer = Self::default();
        for recorded in engine.store().history(filter).await? {
            match recorded.event {
                BoardEvent::ReviewRecorded { verdict, .. } => answer.review = Some(*verdict),
                BoardEvent::SmokeRecorded { verdict, .. } => answer.smoke = Some(verdict),
                _ => {}
            }
        }
        Ok(answer)
    }
}

async fn show_smoke(
    printer: Printer,
    engine: &Engine,
    request: &ServeRequest,
    verdict: Option<SmokeVerdict>,
) -> Result<u8, Failure> {
    let Some(verdict) = verdict else {
        return Err(nothing(engine, &request.about, request.kind, &request.id).await?);
    };
    if printer.is_json() {
        printer.json(&json!({"id": request.about, "by": verdict.by, "smoke": verdict}));
    } else {
        printer.line(describe::smoke(&verdict));
        for line in verdict.output.iter().flat_map(|output| output.lines()) {
            printer.line(plain(line));
        }
    }
    Ok(match verdict.passed {
        true => exit::OK,
        false => exit::FAILED,
    })
}

async fn show_review(
    printer: Printer,
    engine: &Engine,
    request: &ServeRequest,
    verdict: Option<ReviewVerdict>,
) -> Result<u8, Failure> {
    let Some(verdict) = verdict else {
        return Err(nothing(engine, &request.about, request.kind, &request.id).await?);
    };
    if printer.is_json() {
        printer.json(&json!({"id": request.about, "by": verdict.by, "review": verdict}));
    } else {
        print_review(printer, &verdict);
    }
    Ok(review_code(&verdict))
}

/// The verdict, its reasons, and its remarks with their places.
pub(crate) fn print_review(printer: Printer, verdict: &ReviewVerdict) {
    printer.line(describe::review(verdict));
    for line in verdict.summary.lines() {
        printer.line(plain(line));
    }
    for finding in &verdict.findings {
        printer.line(describe::finding(finding));
    }
}

/// Only a request for changes is a no.
pub(crate) const fn review_code(verdict: &ReviewVerdict) -> u8 {
    match verdict.result {
        ReviewResult::Approve | ReviewResult::Comment => exit::OK,
        ReviewResult::RequestChanges => exit::FAILED,
    }
}

/// Why there is no verdict, in the words of whoever tried last.
pub(crate) async fn nothing(
    engine: &Engine,
    about: &AssignmentId,
    kind: AssignmentKind,
    first: &AssignmentId,
) -> Result<Failure, Failure> {
    let board = engine.store().board().await?;
    let about_it = board.assignments.get(about);
    let last = about_it.and_then(|it| board.serving(it, kind).last());
    let last = match last {
        Some(last) => last.clone(),
        None => known(engine, first).await?,
    };
    let error = last.end.as_ref().and_then(|end| end.error.as_deref());
    let why = last.answer_refused.as_deref().or(error);
    let (id, kind) = (&last.id, kind.as_str());
    let message = match why {
        Some(why) => format!("no verdict: {kind} {id} came to nothing: {}", plain(why)),
        None => format!("no verdict: {kind} {id} is {}", last.state.as_str()),
    };
    let before = match last.started_at {
        Some(_) => format!("read `coord log {id}`"),
        None => "put that right".to_owned(),
    };
    Ok(Failure::failed(message).with_hint(format!("{before}, then `coord {kind} {about}`")))
}
