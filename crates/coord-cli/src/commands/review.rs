//! `coord review`: have a finished branch judged by a second worker that can only read.

use clap::Args;
use coord_core::assignment::AssignmentKind;

use crate::app::App;
use crate::failure::Failure;
use crate::serving::{self, ServeArgs};

#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// The model, instead of what the configuration says
    #[arg(long)]
    model: Option<String>,
}

pub(crate) async fn run(app: &App, args: ReviewArgs) -> Result<u8, Failure> {
    serving::run(app, AssignmentKind::Review, args.serve, args.model).await
}
