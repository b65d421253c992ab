//! `coord log`: the log of a worker, rendered or raw, from its agent or from this machine's disk.

use clap::Args;
use coord_core::assignment::Assignment;
use coord_core::ids::AssignmentId;
use coord_engine::Engine;
use coord_protocol::{AgentClient, ClientError};

use crate::app::{App, Bench};
use crate::commands::watch::{Rendering, follow};
use crate::exit;
use crate::failure::{Failure, io};

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The assignment, or the beginning of its id
    id: String,
    /// Go on until the worker ends
    #[arg(short, long)]
    follow: bool,
    /// Print the log as it is: one JSON object a line
    #[arg(long)]
    raw: bool,
    /// Read the file on this machine instead of asking the agent
    #[arg(long, conflicts_with = "follow")]
    local: bool,
}

pub(crate) async fn run(app: &App, args: LogArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    let raw = args.raw || app.printer.is_json();
    let mut rendering = Rendering::new(app.printer, raw);
    let done = if args.local {
        local(&mut rendering, &id)
    } else if args.follow {
        app.interruptible(async {
            follow(&engine, &id, &mut rendering).await?;
            Ok(exit::OK)
        })
        .await
    } else {
        whole(&engine, &id, &mut rendering).await
    };
    engine.close().await;
    done
}

fn local(rendering: &mut Rendering, id: &AssignmentId) -> Result<u8, Failure> {
    let folder = App::home()?
        .join("agent")
        .join("assignments")
        .join(id.as_str());
    let path = folder.join("log.ndjson");
    rendering.feed(&std::fs::read(&path).map_err(io(path))?);
    rendering.finish();
    Ok(exit::OK)
}

async fn whole(
    engine: &Engine,
    id: &AssignmentId,
    rendering: &mut Rendering,
) -> Result<u8, Failure> {
    let part = match client_of(engine, id).await?.logs(id, 0).await {
        Ok(part) => part,
        Err(error) => return Err(unreadable(engine, id, error).await),
    };
    rendering.feed(part.text.as_bytes());
    rendering.finish();
    Ok(exit::OK)
}

/// Why there is no log to read. An agent does not know what was never started.
pub(crate) async fn unreadable(engine: &Engine, id: &AssignmentId, error: ClientError) -> Failure {
    match (known(engine, id).await, &error) {
        (Ok(assignment), ClientError::Refused { status: 404, .. })
            if assignment.started_at.is_none() =>
        {
            let state = assignment.state.as_str();
            Failure::failed(format!(
                "assignment {id} has no log: it is {state} and no worker was started"
            ))
            .with_hint(format!("`coord why {id}` says what it waits for"))
        }
        _ => error.into(),
    }
}

/// The client of the agent that runs, or ran, the assignment.
pub(crate) async fn client_of(engine: &Engine, id: &AssignmentId) -> Result<AgentClient, Failure> {
    let assignment = known(engine, id).await?;
    engine
        .agents()
        .get(&assignment.machine)
        .cloned()
        .ok_or_else(|| {
            let machine = &assignment.machine;
            Failure::usage(format!(
                "there is no machine `{machine}` in the configuration any more"
            ))
        })
}

/// Refuses what has left the board: nothing can be done to it any more.
pub(crate) async fn on_board(engine: &Engine, id: &AssignmentId) -> Result<(), Failure> {
    let board = engine.store().board().await?;
    if board.assignments.contains_key(id) {
        Ok(())
    } else {
        Err(Failure::failed(format!("assignment {id} is merged")))
    }
}

/// The assignment, which was there a moment ago.
pub(crate) async fn known(engine: &Engine, id: &AssignmentId) -> Result<Assignment, Failure> {
    let assignment = engine.store().assignment(id).await?;
    assignment.ok_or_else(|| Failure::usage(format!("there is no assignment `{id}`")))
}
