//! `coord history`: what happened, by issue, time and kind.

use clap::Args;
use coord_core::BoardEvent;
use coord_core::ids::RepoName;
use coord_engine::now;
use coord_store::HistoryFilter;
use serde_json::json;

use crate::app::{App, Bench};
use crate::describe;
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only this repository
    #[arg(long)]
    repo: Option<RepoName>,
    /// Only the issue of this number
    #[arg(long)]
    issue: Option<u64>,
    /// Only this assignment
    #[arg(long, value_name = "ID")]
    assignment: Option<String>,
    /// Only from this time on: a date, or a span such as 2h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only events of these kinds, e.g. merged
    #[arg(long, value_name = "KIND", num_args = 1..)]
    kind: Vec<String>,
    /// How many at most, the latest
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(crate) async fn run(app: &App, args: HistoryArgs) -> Result<u8, Failure> {
    args.kind.iter().try_for_each(|kind| check(kind))?;
    let Bench { engine, .. } = app.bench().await?;
    if let Some(repo) = &args.repo {
        engine.repo(repo)?;
    }
    let now = now();
    let time = |text: Option<&str>| {
        text.map(|text| crate::time::parse(text, now))
            .transpose()
            .map_err(Failure::usage)
    };
    let assignment = match &args.assignment {
        Some(text) => Some(engine.resolve(text).await?),
        None => None,
    };
    let filter = HistoryFilter {
        repo: args.repo,
        issue: args.issue,
        assignment,
        since: time(args.since.as_deref())?,
        until: time(args.until.as_deref())?,
        kinds: args.kind,
        after_seq: None,
        limit: Some(args.limit),
    };
    let events = engine.store().history(filter).await?;
    engine.close().await;
    if app.printer.is_json() {
        app.printer.json(&events);
    } else {
        for recorded in &events {
            let at = crate::time::date_time(recorded.at);
            app.printer
                .line(format_args!("{at}  {}", describe::event(&recorded.event)));
        }
    }
    Ok(exit::OK)
}

/// Which kinds there are is known where events are read: an unknown one is refused there first.
fn check(kind: &str) -> Result<(), Failure> {
    let event: Result<BoardEvent, _> = serde_json::from_value(json!({"kind": kind}));
    let error = event
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    match error.split_once("expected one of ") {
        Some((wrong, kinds)) if wrong.starts_with("unknown variant") => {
            Err(Failure::usage(format!("no event is of the kind `{kind}`"))
                .with_hint(format!("there are {}", kinds.replace('`', ""))))
        }
        _ => Ok(()),
    }
}
