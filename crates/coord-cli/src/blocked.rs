//! What cannot begin: repositories whose upstream has active work, and open issues that depend on
//! other open ones. Nobody is asked: it is what the board and the last look at the forges say.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::ids::{IssueRef, RepoName};
use coord_core::issue::{Issue, IssueState};
use coord_core::{Board, Policy, dependency};
use coord_engine::Engine;
use coord_store::ForgeRows;
use serde::Serialize;

use crate::failure::Failure;
use crate::printer::{Printer, WARN, paint, plain};

/// A repository that has to wait for others.
#[derive(Debug, Serialize)]
pub(crate) struct BlockedRepo {
    pub(crate) repo: RepoName,
    pub(crate) blocked_by: Vec<RepoName>,
}

/// An open issue that has to wait for other open ones.
#[derive(Debug, Serialize)]
pub(crate) struct BlockedIssue {
    pub(crate) issue: IssueRef,
    pub(crate) title: String,
    pub(crate) blocked_by: Vec<IssueRef>,
}

/// Repositories whose upstream has active work.
pub(crate) fn repos(board: &Board, policy: &Policy) -> Vec<BlockedRepo> {
    let active = board.assignments.values().filter(|a| a.state.is_active());
    let busy: BTreeSet<&RepoName> = active.map(|a| &a.issue.repo).collect();
    let repos = policy.repos.iter().map(|(name, repo)| BlockedRepo {
        repo: name.clone(),
        blocked_by: repo
            .depends_on
            .iter()
            .filter(|upstream| busy.contains(upstream))
            .cloned()
            .collect(),
    });
    repos.filter(|it| !it.blocked_by.is_empty()).collect()
}

/// What is known of one repository.
struct Known {
    open: Vec<Issue>,
    /// Whether its issues were ever read: otherwise each of them may be open.
    is_read: bool,
    /// Parents and the issues below them, in order.
    families: Vec<(u64, u64)>,
}

impl Known {
    async fn read(engine: &Engine, repo: &RepoName) -> Result<Self, Failure> {
        let open = Some(IssueState::Open);
        Ok(match engine.mirror(repo) {
            Some(mirror) => Self {
                open: mirror.issues(open).await?,
                is_read: mirror.synced_at().await?.is_some(),
                families: mirror.families().await?,
            },
            None => {
                let rows = ForgeRows::new(engine.store().clone(), repo.clone());
                Self {
                    open: rows.issues(open).await?,
                    is_read: true,
                    families: rows.families().await?,
                }
            }
        })
    }

    fn is_open(&self, number: u64) -> bool {
        !self.is_read || self.open.iter().any(|it| it.number == number)
    }

    /// What comes before the issue: its earlier siblings, and its own parts.
    fn before(&self, number: u64) -> impl Iterator<Item = u64> {
        let below = self.families.iter().find(|(_, child)| *child == number);
        let parent = below.map(|(parent, _)| *parent);
        let of = move |wanted: Option<u64>| {
            let families = self.families.iter();
            let own = families.filter(move |(parent, _)| Some(*parent) == wanted);
            own.map(|(_, child)| *child)
        };
        let earlier = of(parent).take_while(move |sibling| *sibling != number);
        earlier.chain(of(Some(number)))
    }
}

/// The open issues that depend on other open ones, in the order of their names.
pub(crate) async fn issues(engine: &Engine) -> Result<Vec<BlockedIssue>, Failure> {
    let mut known = BTreeMap::new();
    for repo in engine.policy().repos.keys() {
        known.insert(repo.clone(), Known::read(engine, repo).await?);
    }
    let mut blocked = Vec::new();
    for (repo, of_repo) in &known {
        for issue in &of_repo.open {
            let own = IssueRef {
                repo: repo.clone(),
                number: issue.number,
            };
            let blocked_by = blockers(engine.policy(), &known, &own, issue);
            if !blocked_by.is_empty() {
                blocked.push(BlockedIssue {
                    issue: own,
                    title: issue.title.clone(),
                    blocked_by,
                });
            }
        }
    }
    Ok(blocked)
}

fn blockers(
    policy: &Policy,
    known: &BTreeMap<RepoName, Known>,
    own: &IssueRef,
    issue: &Issue,
) -> Vec<IssueRef> {
    let mut named = dependency::mentioned(policy, own, &issue.body);
    for number in known
        .get(&own.repo)
        .into_iter()
        .flat_map(|it| it.before(own.number))
    {
        let repo = own.repo.clone();
        let relative = IssueRef { repo, number };
        if !named.contains(&relative) {
            named.push(relative);
        }
    }
    let is_open = |it: &IssueRef| known.get(&it.repo).is_none_or(|of| of.is_open(it.number));
    named.retain(is_open);
    named
}

/// How many issues are worth a line each.
const SHOWN: usize = 10;

/// One line for each, below an empty one; nothing where nothing is blocked.
pub(crate) fn print(printer: Printer, repos: &[BlockedRepo], issues: &[&BlockedIssue]) {
    if repos.is_empty() && issues.is_empty() {
        return;
    }
    printer.line("\nblocked");
    for it in repos {
        let by: Vec<&str> = it.blocked_by.iter().map(RepoName::as_str).collect();
        let by = by.join(", ");
        let line = format!("  {} is blocked by work in {by}", it.repo);
        printer.line(paint(WARN, line));
    }
    for it in issues.iter().take(SHOWN) {
        printer.line(format_args!(
            "  {} {} depends on {}",
            it.issue,
            plain(&it.title),
            named(&it.blocked_by)
        ));
    }
    if let Some(more) = issues.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        printer.line(format_args!("  and {more} more issues"));
    }
}

/// `shop#1, shop#2`.
pub(crate) fn named(issues: &[IssueRef]) -> String {
    let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
    issues.join(", ")
}
