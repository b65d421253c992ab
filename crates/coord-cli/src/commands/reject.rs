//! `coord reject`: what was proposed, and is not wanted.

use clap::Args;
use coord_core::Command;
use coord_core::ids::ProposalId;
use serde_json::json;

use crate::app::{App, Bench};
use crate::exit;
use crate::failure::Failure;
use crate::proposed::{self, Name};

#[derive(Debug, Args)]
pub(crate) struct RejectArgs {
    /// Proposals and splits: `P1,S2`, or one after the other; a number alone is a proposal
    #[arg(value_name = "IDS", value_delimiter = ',', required = true)]
    ids: Vec<String>,
}

pub(crate) async fn run(app: &App, args: RejectArgs) -> Result<u8, Failure> {
    let names = Name::parse_all(&args.ids, |number| Name::Proposal(ProposalId(number)))?;
    let Bench { engine, .. } = app.bench().await?;
    let board = engine.store().board().await?;
    proposed::check(&board, &names)?;
    let (mut proposals, mut splits) = (Vec::new(), Vec::new());
    for name in &names {
        match name {
            Name::Proposal(id) => proposals.push(*id),
            Name::Split(id) => splits.push(*id),
        }
    }
    let committed = engine
        .command(Command::Reject { proposals, splits })
        .await?;
    engine.close().await;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let rejected: Vec<String> = names.iter().map(ToString::to_string).collect();
    match app.printer.is_json() {
        true => app.printer.json(&json!({"rejected": rejected})),
        false => app
            .printer
            .line(format_args!("{} rejected", rejected.join(", "))),
    }
    Ok(exit::OK)
}
