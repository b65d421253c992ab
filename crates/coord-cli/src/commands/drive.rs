//! `coord drive`: the coordinator's loop without an agent, until it is ended.

use std::convert::Infallible;
use std::ops::ControlFlow;

use clap::Args;
use coord_engine::{Engine, now};

use crate::app::{App, Bench};
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::printer::{FAINT, paint};
use crate::time::clock;
use crate::waiting::Told;

#[derive(Debug, Args)]
pub(crate) struct DriveArgs {}

pub(crate) async fn run(app: &App, _: DriveArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    app.printer
        .note("every agent is followed and what is due is done; Ctrl-C ends it, workers go on");
    let done = for_ever(app, &engine).await;
    engine.close().await;
    done
}

/// Follows the agents and does what is due until somebody ends it, which is no failure.
pub(crate) async fn for_ever(app: &App, engine: &Engine) -> Result<u8, Failure> {
    let narrator = Narrator::new(app.printer);
    let mut told = Told::default();
    let forever = |board: &coord_core::Board| {
        for line in told.news(board, engine.policy(), None) {
            let at = paint(FAINT, clock(now()));
            app.printer.note(format_args!("{at}  {line}"));
        }
        ControlFlow::<Infallible>::Continue(())
    };
    let driven = async {
        let never = engine
            .drive(forever, |progress| narrator.show(&progress))
            .await?;
        match never {}
    };
    let code = app.interruptible(driven).await?;
    Ok(match code == exit::INTERRUPTED {
        true => exit::OK,
        false => code,
    })
}
