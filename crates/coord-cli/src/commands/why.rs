//! `coord why`: what an issue waits for, in one sentence, and the commits and events behind it.

mod beginning;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use clap::Args;
use coord_core::assignment::Assignment;
use coord_core::event::{BoardEvent, Recorded};
use coord_core::ids::{CommitId, EffectKey, IssueRef, RepoName};
use coord_core::stage::Stage;
use coord_core::why;
use coord_engine::{Engine, now};
use coord_store::{FinishedFilter, HistoryFilter};
use serde::Serialize;
use serde_json::json;

use crate::app::{App, Bench};
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::postponed::Postponed;
use crate::printer::plain;
use beginning::Beginning;

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
        limit: Some(LOOKED_AT),
        ..HistoryFilter::default()
    };
    let events = relevant(engine.store().history(filter).await?);
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
    let begins = Beginning::of(&engine, &board, &issue).await?;
    engine.close().await;
    let said = why.assignment.as_ref();
    let said = said.and_then(|id| board.assignments.get(id));
    let commits = said.or(finished.first()).map(commits).unwrap_or_default();
    if app.printer.is_json() {
        app.printer
            .json(&json!({"issue": issue, "why": why, "finished": finished,
            "postponed": postponed.json(), "blocked_by": begins.blocked_by,
            "proposals": begins.proposals_json(), "splits": begins.splits_json(),
            "commits": commits, "events": events}));
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
    begins.print(app.printer, why.assignment.is_none());
    app.printer.hint(describe::next_step(&why));
    for commit in &commits {
        app.printer.line(format_args!("  {commit}"));
    }
    for recorded in &events {
        let (seq, at) = (recorded.seq, crate::time::date_time(recorded.at));
        let event = describe::event(&recorded.event);
        app.printer.line(format_args!("  #{seq}  {at}  {event}"));
    }
    Ok(exit::OK)
}

/// How many events of the issue are looked at, and how many of them are shown.
const LOOKED_AT: u32 = 200;
const SHOWN: usize = 6;

/// The last of those that say something about where the issue stands.
fn relevant(mut events: Vec<Recorded>) -> Vec<Recorded> {
    let is_talk = |event: &BoardEvent| {
        matches!(
            event,
            BoardEvent::FilesObserved { .. }
                | BoardEvent::EditDenied { .. }
                | BoardEvent::EditUnchecked { .. }
                | BoardEvent::StepEnded { .. }
        )
    };
    events.retain(|it| !describe::is_detail(&it.event) && !is_talk(&it.event));
    events.drain(..events.len().saturating_sub(SHOWN));
    events
}

/// A commit that the sentence is about.
#[derive(Debug, Serialize)]
struct Commit {
    /// `head`, `base`, `onto` or `merged`.
    role: &'static str,
    commit: CommitId,
    /// The branch that points at it, where it is the assignment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.commit.short())?;
        match &self.branch {
            Some(branch) => write!(f, " of {}", plain(branch)),
            None => Ok(()),
        }
    }
}

fn commits(it: &Assignment) -> Vec<Commit> {
    let plain = |role, commit: &CommitId| Commit {
        role,
        commit: commit.clone(),
        branch: None,
    };
    let head = it.deliverable().map(|work| Commit {
        branch: Some(work.branch.to_owned()),
        ..plain("head", work.head)
    });
    let base = it.end.as_ref().and_then(|end| end.base.as_ref());
    let green = it.delivery.combination.as_ref();
    let onto = green.filter(|green| Some(&green.head) == it.deliverable().map(|work| work.head));
    [
        head,
        base.map(|commit| plain("base", commit)),
        onto.map(|green| plain("onto", &green.onto)),
        it.merged_as().map(|commit| plain("merged", commit)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How long ids are, and from which length on digits may be the beginning of one.
const ID_LENGTH: usize = 12;
const BEGINNING: usize = 4;

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
    if text.len() < ID_LENGTH
        && let Ok(number) = text.parse()
    {
        match only_repo(engine) {
            Ok(repo) => {
                let issue = IssueRef { repo, number };
                return Ok(beginning(engine, text, &issue).await?.unwrap_or(issue));
            }
            // Some id begins with these digits, but that is not what was asked for.
            Err(failure) if text.len() < BEGINNING => return Err(failure),
            Err(_) => {}
        }
    }
    let id = engine.resolve(text).await?;
    let assignment = engine.store().assignment(&id).await?;
    assignment
        .map(|assignment| assignment.issue)
        .ok_or_else(|| Failure::usage(format!("there is no assignment `{id}`")))
}

/// The issue of the assignment whose id begins with these digits, where they are many and nothing is
/// known of the issue of that number.
async fn beginning(
    engine: &Engine,
    digits: &str,
    number: &IssueRef,
) -> Result<Option<IssueRef>, Failure> {
    let board = engine.store().board().await?;
    if digits.len() < BEGINNING || board.of_issue(number).next().is_some() {
        return Ok(None);
    }
    let Ok(id) = engine.resolve(digits).await else {
        return Ok(None);
    };
    let found = engine.store().assignment(&id).await?;
    Ok(found.map(|it| it.issue))
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
