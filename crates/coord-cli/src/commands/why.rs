//! `coord why`: what an issue waits for, in one sentence, and what was refused lately.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use clap::Args;
use coord_core::event::BoardEvent;
use coord_core::ids::{EffectKey, IssueRef, RepoName};
use coord_core::stage::Stage;
use coord_core::why;
use coord_engine::{Engine, now};
use coord_store::{FinishedFilter, HistoryFilter};
use serde_json::json;

use crate::app::{App, Bench};
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::postponed::Postponed;
use crate::printer::plain;

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// An assignment, or an issue: `REPO#NUMBER`, or its number where there is one repository
    subject: String,
}

pub(crate) async fn run(app: &App, args: WhyArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let issue = subject(&engine, &args.subject).await?;
    let board = engine.store().board().await?;
    let why = why(&board, engine.policy(), &issue, now());
    let filter = HistoryFilter {
        repo: Some(issue.repo.clone()),
        issue: Some(issue.number),
        limit: Some(10),
        ..HistoryFilter::default()
    };
    let events = engine.store().history(filter).await?;
    let filter = FinishedFilter {
        repo: Some(issue.repo.clone()),
        issue: Some(issue.number),
        ..FinishedFilter::default()
    };
    let mut finished = engine.store().finished(filter).await?;
    // Those of one issue leave the board together, whatever became of each.
    finished.sort_by_key(|it| Reverse((it.claims_issue(), it.requested_at)));
    finished.truncate(1);
    let open: BTreeSet<&EffectKey> = why
        .assignment
        .iter()
        .flat_map(|id| board.open_effects_of(id))
        .collect();
    let postponed = Postponed::read(engine.store()).await?;
    let postponed = postponed.only(|key| open.contains(key));
    engine.close().await;
    if app.printer.is_json() {
        app.printer
            .json(&json!({"issue": issue, "why": why, "finished": finished,
            "postponed": postponed.json(), "events": events}));
        return Ok(exit::OK);
    }
    match finished.first().filter(|_| why.stage == Stage::New) {
        Some(done) => app
            .printer
            .line(format_args!("{issue}: {}", describe::standing(done))),
        None => app
            .printer
            .line(format_args!("{issue}: {}", plain(&why.sentence))),
    }
    postponed.print(app.printer, "");
    app.printer.hint(describe::next_step(&why));
    for recorded in events
        .iter()
        .filter(|r| matches!(r.event, BoardEvent::Refused { .. }))
    {
        let at = crate::time::date_time(recorded.at);
        app.printer
            .line(format_args!("{at}  {}", describe::event(&recorded.event)));
    }
    Ok(exit::OK)
}

async fn subject(engine: &Engine, text: &str) -> Result<IssueRef, Failure> {
    if let Some((repo, number)) = text.rsplit_once('#') {
        let number = number
            .parse()
            .map_err(|_| Failure::usage(format!("`{text}` is not REPO#NUMBER")))?;
        let repo = if repo.is_empty() {
            only_repo(engine)?
        } else {
            RepoName::from(repo)
        };
        engine.repo(&repo)?;
        return Ok(IssueRef { repo, number });
    }
    if text.len() < 12
        && let Ok(number) = text.parse()
        && let Ok(repo) = only_repo(engine)
    {
        return Ok(IssueRef { repo, number });
    }
    let id = engine.resolve(text).await?;
    let assignment = engine.store().assignment(&id).await?;
    assignment
        .map(|assignment| assignment.issue)
        .ok_or_else(|| Failure::usage(format!("there is no assignment `{id}`")))
}

/// The repository, where there is just one to choose from.
pub(crate) fn only_repo(engine: &Engine) -> Result<RepoName, Failure> {
    let mut names = engine.policy().repos.keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name.clone()),
        _ => Err(Failure::usage("there is more than one repository")
            .with_hint("name it with --repo, or as REPO#NUMBER")),
    }
}
