//! `coord watch`: what a worker does, as it does it, in one line each.

use std::ops::ControlFlow;

use clap::Args;
use coord_core::ids::AssignmentId;
use coord_core::{Board, BoardEvent};
use coord_engine::{Engine, Progress, settled};
use coord_protocol::LogEvent;
use coord_worker::stream::{Lines, Slice};
use tokio_stream::StreamExt as _;

use crate::app::{App, Bench};
use crate::commands::log::{client_of, known, unreadable};
use crate::commands::wait;
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The assignment, or the beginning of its id
    id: String,
}

pub(crate) async fn run(app: &App, args: WatchArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    let done = app.interruptible(watch(app, &engine, &id)).await;
    engine.close().await;
    done
}

/// Whether its worker runs, or it has ended without one.
fn is_past_start(board: &Board, id: &AssignmentId) -> bool {
    let of_board = board.assignments.get(id);
    of_board.is_none_or(|it| it.started_at.is_some() || !it.state.is_active())
}

const fn stop_when(is_over: bool) -> ControlFlow<()> {
    match is_over {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Waits for the start, then shows the log while the loop carries the assignment on; ends when the assignment does.
async fn watch(app: &App, engine: &Engine, id: &AssignmentId) -> Result<u8, Failure> {
    let begun = |board: &Board| stop_when(is_past_start(board, id));
    let only = std::slice::from_ref(id);
    let narrator = Narrator::new(app.printer).only(only);
    engine
        .drive(begun, |progress| narrator.show(&progress))
        .await?;
    let mut rendering = Rendering::new(app.printer, app.printer.is_json());
    let ended = |board: &Board| stop_when(settled(board, id));
    // The log says what the worker does; what it may not do is told beside it.
    let show = |progress: Progress| {
        if is_about_files(&progress) {
            narrator.show(&progress);
        }
    };
    let mut driven = std::pin::pin!(engine.drive(ended, show));
    if known(engine, id).await?.started_at.is_some() {
        let mut followed = std::pin::pin!(follow(engine, id, &mut rendering));
        tokio::select! {
            // The log ends before the assignment does: its branch is still to be published.
            shown = &mut followed => { shown?; driven.await?; }
            driven = &mut driven => { driven?; followed.await?; }
        }
    } else {
        driven.await?;
    }
    let assignment = known(engine, id).await?;
    app.printer.note(format_args!(
        "{id} {}: {}",
        assignment.issue,
        describe::standing(&assignment)
    ));
    Ok(if wait::went_well(&assignment) {
        exit::OK
    } else {
        exit::FAILED
    })
}

/// Whether it is about files that others hold, or change as well.
fn is_about_files(progress: &Progress) -> bool {
    let Progress::Recorded(recorded) = progress else {
        return false;
    };
    matches!(
        recorded.event,
        BoardEvent::EditDenied { .. }
            | BoardEvent::EditUnchecked { .. }
            | BoardEvent::FilesRestored { .. }
            | BoardEvent::ConflictForeseen { .. }
            | BoardEvent::ConflictGone { .. }
            | BoardEvent::OverlapObserved { .. }
    )
}

/// Follows the log of one assignment to its end.
pub(crate) async fn follow(
    engine: &Engine,
    id: &AssignmentId,
    rendering: &mut Rendering,
) -> Result<(), Failure> {
    let client = client_of(engine, id).await?;
    let mut log = client.stream(id, 0);
    while let Some(event) = log.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => return Err(unreadable(engine, id, error).await),
        };
        match event {
            // Whole lines, the last one without its end.
            LogEvent::Chunk(chunk) => {
                rendering.feed(chunk.text.as_bytes());
                rendering.feed(b"\n");
            }
            LogEvent::End => break,
        }
    }
    rendering.finish();
    Ok(())
}

/// Turns the bytes of a log into lines for people, or passes them on as they are.
pub(crate) struct Rendering {
    printer: Printer,
    raw: bool,
    lines: Lines,
}

impl Rendering {
    /// Starts at the beginning of a log.
    pub(crate) fn new(printer: Printer, raw: bool) -> Self {
        Self {
            printer,
            raw,
            lines: Lines::default(),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.raw {
            return self.printer.raw(bytes);
        }
        let printer = self.printer;
        self.lines.feed(bytes, |line| print(printer, &line));
    }

    /// Takes what stands after the last newline.
    pub(crate) fn finish(&mut self) {
        let printer = self.printer;
        self.lines.finish(|line| print(printer, &line));
    }
}

fn print(printer: Printer, line: &Slice<'_>) {
    for text in crate::log_line::log_line(line) {
        printer.line(text);
    }
}
