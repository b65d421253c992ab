//! `coord smoke`: try a finished branch out on a machine that has what it needs.

use clap::Args;
use coord_core::assignment::AssignmentKind;

use crate::app::App;
use crate::failure::Failure;
use crate::serving::{self, ServeArgs};

#[derive(Debug, Args)]
pub(crate) struct SmokeArgs {
    #[command(flatten)]
    serve: ServeArgs,
}

pub(crate) async fn run(app: &App, args: SmokeArgs) -> Result<u8, Failure> {
    serving::run(app, AssignmentKind::Smoke, args.serve, None).await
}
