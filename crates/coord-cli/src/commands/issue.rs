//! `coord issue`: the work list. Issues on GitHub are listed and shown from the mirror, which
//! `coord sync` refreshes; those of the local forge live here.

mod print;

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use coord_core::ids::RepoName;
use coord_core::issue::{Issue, IssueState};
use coord_engine::{Engine, now};
use coord_forge::{ForgeError, NewIssue};
use coord_store::ForgeRows;

use crate::app::{App, Bench};
use crate::commands::why::only_repo;
use crate::exit;
use crate::failure::{Failure, io};
use crate::mirror;
use crate::printer::Printer;

#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    /// The repository; not needed where there is only one
    #[arg(long, global = true)]
    repo: Option<RepoName>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Open an issue
    New {
        /// One line
        title: String,
        /// What is to be done; `-` reads it from standard input
        #[arg(
            long,
            value_name = "TEXT",
            allow_hyphen_values = true,
            conflicts_with = "body_file"
        )]
        body: Option<String>,
        /// A file with what is to be done
        #[arg(long, value_name = "FILE")]
        body_file: Option<PathBuf>,
        /// A label; may be given again
        #[arg(long, value_name = "NAME")]
        label: Vec<String>,
    },
    /// List the open issues
    List {
        /// The closed ones as well, as far as they are known
        #[arg(long)]
        all: bool,
        /// Ask GitHub first
        #[arg(long)]
        sync: bool,
    },
    /// Show one issue with its comments
    Show {
        /// Its number
        number: u64,
        /// Ask GitHub first, for all of its comments
        #[arg(long)]
        sync: bool,
    },
    /// Close an issue
    Close {
        /// Its number
        number: u64,
        /// A comment that says why
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

pub(crate) async fn run(app: &App, args: IssueArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let repo = match args.repo {
        Some(repo) => repo,
        None => only_repo(&engine)?,
    };
    let done = act(app.printer, &engine, &repo, args.action).await;
    engine.close().await;
    done.map(|()| exit::OK)
}

async fn act(
    printer: Printer,
    engine: &Engine,
    repo: &RepoName,
    action: Action,
) -> Result<(), Failure> {
    match action {
        Action::New {
            title,
            body,
            body_file,
            label,
        } => {
            let body = text(body, body_file)?;
            let new = NewIssue {
                title,
                body,
                labels: label,
                key: None,
            };
            open(printer, engine, repo, new).await
        }
        Action::List { all, sync } => list(printer, engine, repo, all, sync).await,
        Action::Show { number, sync } => show(printer, engine, repo, number, sync).await,
        Action::Close { number, comment } => {
            close(printer, engine, repo, number, comment.as_deref()).await
        }
    }
}

async fn open(
    printer: Printer,
    engine: &Engine,
    repo: &RepoName,
    new: NewIssue,
) -> Result<(), Failure> {
    let created = engine.forge(repo)?.create_issue(new).await;
    let issue = created.map_err(|error| not_opened(engine, repo, error))?;
    keep(engine, repo, &issue).await?;
    print::opened(printer, &issue);
    Ok(())
}

/// The forge remembers what it was asked to open, so that a repeated command opens one issue.
fn not_opened(engine: &Engine, repo: &RepoName, error: ForgeError) -> Failure {
    let is_unsure = matches!(&error, ForgeError::Transient { retry_at: None, .. });
    let failure = Failure::from(mirror::failed(repo)(error));
    if is_unsure && engine.mirror(repo).is_some() {
        return failure.with_hint(format!(
            "whether the issue was opened is not known: the same command again, within a day, finds \
             it or opens it; `coord issue list --repo {repo} --sync` shows what is there"
        ));
    }
    failure
}

async fn list(
    printer: Printer,
    engine: &Engine,
    repo: &RepoName,
    all: bool,
    sync: bool,
) -> Result<(), Failure> {
    engine.repo(repo)?;
    let state = (!all).then_some(IssueState::Open);
    let Some(mirror) = engine.mirror(repo) else {
        let rows = ForgeRows::new(engine.store().clone(), repo.clone());
        print::list(printer, &rows.issues(state).await?, None);
        return Ok(());
    };
    if sync {
        let _ = engine.sync(repo).await?;
    }
    let synced_at = mirror::age(&mirror, repo).await?;
    print::list(printer, &mirror.issues(state).await?, Some(synced_at));
    Ok(())
}

async fn show(
    printer: Printer,
    engine: &Engine,
    repo: &RepoName,
    number: u64,
    sync: bool,
) -> Result<(), Failure> {
    let forge = engine.forge(repo)?;
    let Some(mirror) = engine.mirror(repo) else {
        let issue = engine.issue(repo, number).await?;
        let comments = forge.comments(number, None).await;
        let comments = comments.map_err(mirror::failed(repo))?;
        print::show(printer, &issue, &comments, None);
        return Ok(());
    };
    let synced_at = if sync {
        mirror::refresh_issue(engine, &mirror, repo, number).await?;
        now()
    } else {
        mirror::age(&mirror, repo).await?
    };
    let known = mirror::issue(&mirror, number).await?;
    let (issue, comments) = known.ok_or_else(|| {
        Failure::failed(format!("the issue #{number} of `{repo}` is not known here"))
            .with_hint("pass --sync to ask GitHub for it")
    })?;
    print::show(printer, &issue, &comments, Some(synced_at));
    Ok(())
}

async fn close(
    printer: Printer,
    engine: &Engine,
    repo: &RepoName,
    number: u64,
    comment: Option<&str>,
) -> Result<(), Failure> {
    let forge = engine.forge(repo)?;
    let mut issue = engine.issue(repo, number).await?;
    let closed = forge.close_issue(number, comment).await;
    closed.map_err(mirror::failed(repo))?;
    issue.state = IssueState::Closed;
    keep(engine, repo, &issue).await?;
    print::closed(printer, number);
    Ok(())
}

/// What was changed on GitHub is known here without a sync.
async fn keep(engine: &Engine, repo: &RepoName, issue: &Issue) -> Result<(), Failure> {
    if let Some(mirror) = engine.mirror(repo) {
        mirror.put_issue(issue.clone(), now()).await?;
    }
    Ok(())
}

fn text(body: Option<String>, file: Option<PathBuf>) -> Result<String, Failure> {
    match (body, file) {
        (Some(body), _) if body == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(io("standard input"))?;
            Ok(text)
        }
        (Some(body), _) => Ok(body),
        (None, Some(file)) => std::fs::read_to_string(&file).map_err(io(file)),
        (None, None) => Ok(String::new()),
    }
}
