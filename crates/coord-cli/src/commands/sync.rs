//! `coord sync`: reads what is on GitHub into the mirror, for the commands that only read.

use clap::Args;
use coord_core::ids::RepoName;
use coord_engine::{Engine, Synced, SyncedRepo, now};
use serde_json::{Value, json};

use crate::app::{App, Bench};
use crate::budget::Budget;
use crate::describe::count;
use crate::exit;
use crate::failure::Failure;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Only this repository
    #[arg(long, value_name = "NAME")]
    repo: Option<RepoName>,
}

pub(crate) async fn run(app: &App, args: SyncArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let done = sync(app, &engine, args.repo.as_ref()).await;
    engine.close().await;
    done
}

async fn sync(app: &App, engine: &Engine, only: Option<&RepoName>) -> Result<u8, Failure> {
    if let Some(repo) = only {
        engine.repo(repo)?;
    }
    let printer = app.printer;
    note_local(engine, only, printer);
    let outcomes = Outcomes::gather(engine, only).await;
    let budget = Budget::read(engine.store(), now()).await?;
    if printer.is_json() {
        printer.json(&json!({"repos": outcomes.json(), "rate_limits": budget.json()}));
    } else {
        outcomes.print(printer);
        budget.print(printer, now());
    }
    Ok(outcomes.code())
}

fn repos<'a>(engine: &'a Engine, only: Option<&'a RepoName>) -> impl Iterator<Item = &'a RepoName> {
    let names = engine.policy().repos.keys();
    names.filter(move |repo| only.is_none_or(|only| only == *repo))
}

fn note_local(engine: &Engine, only: Option<&RepoName>, printer: Printer) {
    for repo in repos(engine, only).filter(|repo| engine.mirror(repo).is_none()) {
        printer.note(format_args!(
            "{repo}: its issues are in coord's own store; there is nothing to sync"
        ));
    }
}

/// What became of each repository on GitHub.
#[derive(Debug)]
pub(crate) struct Outcomes(Vec<(RepoName, Result<SyncedRepo, Failure>)>);

impl Outcomes {
    /// Brings the mirrors up to date, one after the other: GitHub asks not to be asked several
    /// things at once.
    pub(crate) async fn gather(engine: &Engine, only: Option<&RepoName>) -> Self {
        let mut outcomes = Vec::new();
        for repo in repos(engine, only) {
            match engine.sync(repo).await {
                Ok(Synced::Local) => {}
                Ok(Synced::Mirrored(synced)) => outcomes.push((repo.clone(), Ok(synced))),
                Err(error) => outcomes.push((repo.clone(), Err(Failure::from(error)))),
            }
        }
        Self(outcomes)
    }

    /// A failure for one is a failure.
    pub(crate) fn code(&self) -> u8 {
        match self.0.iter().all(|(_, synced)| synced.is_ok()) {
            true => exit::OK,
            false => exit::FAILED,
        }
    }

    /// Says what failed.
    pub(crate) fn print_failures(&self, printer: Printer) {
        for (_, synced) in &self.0 {
            if let Err(failure) = synced {
                printer.note(failure.render());
            }
        }
    }

    fn print(&self, printer: Printer) {
        for (repo, synced) in &self.0 {
            if let Ok(synced) = synced {
                printer.line(format_args!("{repo}: {}", sentence(synced)));
            }
        }
        self.print_failures(printer);
    }

    pub(crate) fn json(&self) -> Value {
        let outcome = |(repo, synced): &(RepoName, Result<SyncedRepo, Failure>)| match synced {
            Ok(synced) => json!({"repo": repo, "new": synced.report.added,
                "changed": synced.report.changed, "closed": synced.report.closed,
                "comments": synced.comments, "synced_at": synced.at}),
            Err(failure) => json!({"repo": repo, "failed": failure.json()}),
        };
        self.0.iter().map(outcome).collect()
    }
}

fn sentence(synced: &SyncedRepo) -> String {
    let issues = synced.report;
    let changes = [
        (issues.added, "new"),
        (issues.changed, "changed"),
        (issues.closed, "closed"),
    ];
    let changes = changes.into_iter().filter(|(number, _)| *number > 0);
    let mut parts: Vec<String> = changes.map(|(n, word)| format!("{n} {word}")).collect();
    if synced.comments > 0 {
        parts.push(count(synced.comments, "comment"));
    }
    match parts.is_empty() {
        true => "nothing new".to_owned(),
        false => parts.join(", "),
    }
}
