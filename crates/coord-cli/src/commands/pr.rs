//! `coord pr`: open the pull request of a finished branch, then have it reviewed.

use std::ops::ControlFlow;

use clap::Args;
use coord_config::{Config, ForgeKind};
use coord_core::assignment::{Assignment, AssignmentKind};
use coord_core::delivery::PullAuthor;
use coord_core::ids::{AssignmentId, RepoName};
use coord_core::key::EffectKind;
use coord_core::{Board, Command, why};
use coord_engine::{Engine, now};
use coord_store::Committed;
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::log::{known, on_board};
use crate::commands::retry::dry;
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::postponed::Postponed;
use crate::printer::plain;
use crate::serving::{self, Answer};
use crate::tips;

#[derive(Debug, Args)]
pub(crate) struct PrArgs {
    /// The assignment, or the beginning of its id
    id: String,
    /// Take the text from a template instead of a worker that reads the diff
    #[arg(long)]
    no_worker: bool,
    /// Do not have it reviewed
    #[arg(long)]
    no_review: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(app: &App, args: PrArgs) -> Result<u8, Failure> {
    let Bench { engine, config } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    tips::look(app.printer, &engine, std::slice::from_ref(&id)).await?;
    let command = Command::OpenPull {
        id: id.clone(),
        author: match args.no_worker {
            true => PullAuthor::Template,
            false => PullAuthor::Worker,
        },
        review: !args.no_review,
    };
    if args.dry_run {
        let decision = engine.decide(&command).await?;
        engine.close().await;
        return dry(app.printer, decision);
    }
    let committed = engine.command(command).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let opened = open(app, &engine, &id, !args.no_review, &committed, &config);
    let done = app.interruptible(opened).await;
    engine.close().await;
    done
}

async fn open(
    app: &App,
    engine: &Engine,
    id: &AssignmentId,
    review: bool,
    committed: &Committed,
    config: &Config,
) -> Result<u8, Failure> {
    let narrator = Narrator::new(app.printer)
        .only(std::slice::from_ref(id))
        .after(committed);
    let enough = |board: &Board| match rests(board, id, review) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    let first = committed.recorded.first();
    let before = first.map_or(committed.board.seq, |it| it.seq);
    let answer = Answer::since(engine, id, before).await?;
    show(app, engine, id, config, review, &answer).await
}

/// Whether there is all that was asked for, or nothing more comes by itself.
fn rests(board: &Board, id: &AssignmentId, review: bool) -> bool {
    let Some(it) = board.assignments.get(id) else {
        return true;
    };
    let Some(head) = it.deliverable().map(|work| work.head) else {
        return true;
    };
    let known = &it.delivery;
    let reviewed = known.review.as_ref().is_some_and(|it| it.head == *head);
    if known.pull.is_some() && (reviewed || !review) {
        return true;
    }
    let mut keys = board.open_effects_of(id);
    let at_work = keys.any(|key| EffectKind::of(key).is_some_and(EffectKind::is_work));
    let served = [
        AssignmentKind::Pr,
        AssignmentKind::Review,
        AssignmentKind::Smoke,
    ];
    !at_work && served.iter().all(|kind| serving::rests(board, id, *kind))
}

async fn show(
    app: &App,
    engine: &Engine,
    id: &AssignmentId,
    config: &Config,
    review: bool,
    answer: &Answer,
) -> Result<u8, Failure> {
    let it = known(engine, id).await?;
    let known = &it.delivery;
    let Some(number) = known.pull else {
        return Err(match &known.pull_refused {
            Some(reason) => Failure::failed(format!("no pull request: {}", plain(reason))),
            None => unopened(engine, id).await?,
        });
    };
    let judged = answer.review.as_ref().or(known.review.as_ref());
    let judged = judged.filter(|_| review);
    let address = address(config, &it.issue.repo, number);
    if app.printer.is_json() {
        let text = &known.pull_text;
        app.printer
            .json(&json!({"id": id, "pull": number, "address": address,
            "text": text, "review": judged}));
    } else {
        let address = address.map(|address| format!(": {address}"));
        let address = address.unwrap_or_default();
        app.printer.line(format_args!(
            "pull request #{number} of {}{address}",
            it.issue
        ));
        judged
            .iter()
            .for_each(|it| serving::print_review(app.printer, it));
    }
    match judged {
        Some(verdict) => Ok(serving::review_code(verdict)),
        None if review => Err(unreviewed(engine, &it).await?),
        None => Ok(exit::OK),
    }
}

/// Why there is no review: its reviewer came to nothing, or nobody was to begin with one.
async fn unreviewed(engine: &Engine, it: &Assignment) -> Result<Failure, Failure> {
    let board = engine.store().board().await?;
    let kind = AssignmentKind::Review;
    if board.serving(it, kind).next().is_some() {
        return serving::nothing(engine, &it.id, kind, &it.id).await;
    }
    let why = why(&board, engine.policy(), &it.issue, now());
    let failure = Failure::failed(format!("not reviewed: {}", plain(&why.sentence)));
    Ok(match describe::next_step(&why) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    })
}

/// What it waits for, where nobody has refused it.
async fn unopened(engine: &Engine, id: &AssignmentId) -> Result<Failure, Failure> {
    let postponed = Postponed::read(engine.store()).await?;
    let postponed = postponed.only(|key| EffectKind::of(key) == Some(EffectKind::Pull));
    let hint = match postponed.is_empty() {
        true => format!("`coord why {id}` says what it waits for"),
        false => "`coord resume` tries it again".to_owned(),
    };
    Ok(Failure::failed("there is no pull request yet").with_hint(hint))
}

/// Where people find it, where it has pages.
fn address(config: &Config, repo: &RepoName, number: u64) -> Option<String> {
    let github = config
        .repo(repo)
        .filter(|repo| repo.forge == ForgeKind::Github)
        .and_then(|repo| repo.github.as_deref());
    github.map(|name| format!("{}/{name}/pull/{number}", pages(&config.github_api_url)))
}

/// The pages of a GitHub by the address of its API.
fn pages(api_url: &str) -> String {
    match api_url.strip_suffix("/api/v3") {
        Some(host) => host.to_owned(),
        None => api_url.replacen("//api.", "//", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_beside_the_api() {
        assert_eq!(pages("https://api.github.com"), "https://github.com");
        assert_eq!(pages("https://git.acme.io/api/v3"), "https://git.acme.io");
    }
}
