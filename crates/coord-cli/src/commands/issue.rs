//! `coord issue`: the work list. On the local forge this is where issues live.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use coord_core::ids::RepoName;
use coord_core::issue::{Issue, IssueState};
use coord_engine::{Engine, EngineError};
use coord_forge::{Comment, ForgeError, NewIssue};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::why::only_repo;
use crate::exit;
use crate::failure::{Failure, io};
use crate::printer::{FAINT, Printer, STRONG, paint, plain};

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
    List,
    /// Show one issue with its comments
    Show {
        /// Its number
        number: u64,
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
    let forge = engine.forge(repo)?;
    let failed = |source: ForgeError| EngineError::Forge {
        repo: repo.clone(),
        source,
    };
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
            };
            let issue = forge.create_issue(new).await.map_err(failed)?;
            opened(printer, &issue);
        }
        Action::List => list(printer, &forge.open_issues().await.map_err(failed)?),
        Action::Show { number } => {
            let issue = forge.issue(number).await.map_err(failed)?;
            let issue = issue.ok_or_else(|| unknown(repo, number))?;
            show(
                printer,
                &issue,
                &forge.comments(number).await.map_err(failed)?,
            );
        }
        Action::Close { number, comment } => {
            forge
                .issue(number)
                .await
                .map_err(failed)?
                .ok_or_else(|| unknown(repo, number))?;
            forge
                .close_issue(number, comment.as_deref())
                .await
                .map_err(failed)?;
            closed(printer, number);
        }
    }
    Ok(())
}

fn unknown(repo: &RepoName, number: u64) -> EngineError {
    EngineError::UnknownIssue {
        repo: repo.clone(),
        number,
    }
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

fn opened(printer: Printer, issue: &Issue) {
    if printer.is_json() {
        printer.json(issue);
    } else {
        printer.line(format_args!("#{} {}", issue.number, plain(&issue.title)));
    }
}

fn closed(printer: Printer, number: u64) {
    if printer.is_json() {
        printer.json(&json!({"number": number, "state": IssueState::Closed}));
    } else {
        printer.line(format_args!("#{number} is closed"));
    }
}

fn list(printer: Printer, issues: &[Issue]) {
    if printer.is_json() {
        return printer.json(&issues);
    }
    if issues.is_empty() {
        return printer.note("there are no open issues; `coord issue new TITLE` opens one");
    }
    let row = |issue: &Issue| {
        vec![
            format!("#{}", issue.number),
            plain(&issue.title),
            plain(&issue.labels.join(", ")),
            plain(&issue.author),
        ]
    };
    printer.table(
        &["issue", "title", "labels", "author"],
        issues.iter().map(row).collect(),
    );
}

fn show(printer: Printer, issue: &Issue, comments: &[Comment]) {
    if printer.is_json() {
        let comments: Vec<_> = comments
            .iter()
            .map(|c| json!({"id": c.id, "author": c.author, "trusted": c.trusted, "body": c.body, "at": c.at}))
            .collect();
        return printer.json(&json!({"issue": issue, "comments": comments}));
    }
    let state = match issue.state {
        IssueState::Open => "open",
        IssueState::Closed => "closed",
    };
    let title = format!("#{} {}", issue.number, plain(&issue.title));
    printer.line(format_args!("{} ({state})", paint(STRONG, title)));
    if !issue.body.is_empty() {
        printer.line(paragraph(&issue.body));
    }
    for comment in comments {
        let head = format!(
            "\n{} · {}",
            plain(&comment.author),
            crate::time::date_time(comment.at)
        );
        printer.line(paint(FAINT, head));
        printer.line(paragraph(&comment.body));
    }
}

/// Untrusted text of several lines.
fn paragraph(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}
