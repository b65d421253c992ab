//! What the board, the forges and the history say: what a planner knows before it looks at files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coord_brain::{PastFailure, Remark};
use coord_core::assignment::{Assignment, WorkerResult};
use coord_core::ids::{AssignmentId, IssueRef, RepoName};
use coord_core::issue::{Issue, IssueState};
use coord_core::ladder::TrackRecord;
use coord_core::marker;
use coord_core::proposal::{Candidate, Candidates};
use coord_core::{Board, BoardEvent};
use coord_store::HistoryFilter;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::issue_dependencies::before;

/// How many ends of assignments are looked at for failures, and how many failures count.
const ENDS: u32 = 300;
const FAILURES: usize = 20;

/// How much of a comment counts, in characters, and how many of the latest ones of an issue.
const COMMENT: usize = 2000;
const COMMENTS: usize = 20;

/// What a planner knows before it looks at files.
pub(super) struct Known {
    pub(super) board: Arc<Board>,
    pub(super) candidates: Candidates,
    pub(super) record: BTreeMap<RepoName, TrackRecord>,
    pub(super) comments: BTreeMap<IssueRef, Vec<Remark>>,
    pub(super) failures: Vec<PastFailure>,
}

/// The open issues by repository; `None`: nobody ever saw them.
type OpenIssues = BTreeMap<RepoName, Option<Vec<Issue>>>;

impl Engine {
    /// Of comments nothing is known unless they are wanted: only a model reads them.
    pub(super) async fn known(
        &self,
        only: &[RepoName],
        comments: bool,
    ) -> Result<Known, EngineError> {
        let open = self.open_issues().await?;
        let candidates = self.choosable(open, only).await?;
        let mut record = BTreeMap::new();
        for repo in self.policy().repos.keys() {
            record.insert(repo.clone(), self.store().track_record(repo).await?);
        }
        Ok(Known {
            board: self.store().board().await?,
            comments: match comments {
                true => self.remarks(&candidates).await?,
                false => BTreeMap::new(),
            },
            candidates,
            record,
            failures: self.failures().await?,
        })
    }

    async fn open_issues(&self) -> Result<OpenIssues, EngineError> {
        let mut open = OpenIssues::new();
        for repo in self.policy().repos.keys() {
            let issues = match self.mirror(repo) {
                Some(mirror) if mirror.synced_at().await?.is_none() => None,
                Some(mirror) => Some(mirror.issues(Some(IssueState::Open)).await?),
                None => {
                    let issues = self.forge(repo)?.open_issues().await;
                    Some(issues.map_err(EngineError::forge(repo))?)
                }
            };
            open.insert(repo.clone(), issues);
        }
        Ok(open)
    }

    async fn choosable(
        &self,
        open: OpenIssues,
        only: &[RepoName],
    ) -> Result<Candidates, EngineError> {
        let numbers = |issues: &Vec<Issue>| issues.iter().map(|it| it.number).collect();
        let known: BTreeMap<RepoName, Option<BTreeSet<u64>>> = open
            .iter()
            .map(|(repo, issues)| (repo.clone(), issues.as_ref().map(numbers)))
            .collect();
        let is_open = |it: &IssueRef| match known.get(&it.repo) {
            Some(Some(numbers)) => numbers.contains(&it.number),
            Some(None) | None => true,
        };
        let mut candidates = Candidates::new();
        for (repo, issues) in open {
            if !only.is_empty() && !only.contains(&repo) {
                continue;
            }
            let families = self.families(&repo).await?;
            for issue in issues.unwrap_or_default() {
                let own = IssueRef {
                    repo: repo.clone(),
                    number: issue.number,
                };
                let mut blocked_by = before(self.policy(), &families, &own, &issue.body);
                blocked_by.retain(is_open);
                candidates.insert(own, Candidate { issue, blocked_by });
            }
        }
        Ok(candidates)
    }

    /// What was said of issues that could be chosen, by authors that are trusted.
    async fn remarks(
        &self,
        candidates: &Candidates,
    ) -> Result<BTreeMap<IssueRef, Vec<Remark>>, EngineError> {
        let mut remarks = BTreeMap::new();
        for (issue, candidate) in candidates {
            if !candidate.issue.trusted {
                continue;
            }
            let said = self.said(issue).await?;
            if !said.is_empty() {
                remarks.insert(issue.clone(), said);
            }
        }
        Ok(remarks)
    }

    async fn said(&self, issue: &IssueRef) -> Result<Vec<Remark>, EngineError> {
        let comments: Vec<(bool, String, String)> = match self.mirror(&issue.repo) {
            Some(mirror) => {
                let comments = mirror.comments(issue.number).await?.into_iter();
                comments
                    .map(|it| (it.trusted, it.author, it.body))
                    .collect()
            }
            None => {
                let forge = self.forge(&issue.repo)?;
                let comments = forge.comments(issue.number, None).await;
                let comments = comments.map_err(EngineError::forge(&issue.repo))?;
                comments
                    .into_iter()
                    .map(|it| (it.trusted, it.author, it.body))
                    .collect()
            }
        };
        // Our own reports are on the board.
        let by_people = comments
            .into_iter()
            .filter(|(trusted, _, body)| *trusted && marker::find_all(body).is_empty());
        let mut said: Vec<Remark> = by_people
            .map(|(_, author, body)| Remark {
                author,
                text: body.chars().take(COMMENT).collect(),
            })
            .collect();
        said.drain(..said.len().saturating_sub(COMMENTS));
        Ok(said)
    }

    /// What failed lately, the latest first.
    async fn failures(&self) -> Result<Vec<PastFailure>, EngineError> {
        let filter = HistoryFilter {
            kinds: vec!["assignment_ended".to_owned()],
            limit: Some(ENDS),
            ..HistoryFilter::default()
        };
        let ended = self.store().history(filter).await?;
        let failed = ended
            .iter()
            .rev()
            .filter_map(|recorded| failure(&recorded.event));
        let mut failures = Vec::new();
        for (id, what, class) in failed.take(FAILURES) {
            if let Some(Assignment { issue, machine, .. }) = self.store().assignment(id).await? {
                failures.push(PastFailure {
                    issue,
                    machine,
                    class,
                    what,
                });
            }
        }
        Ok(failures)
    }
}

type Failure<'a> = (&'a AssignmentId, String, coord_core::failure::FailureClass);

fn failure(event: &BoardEvent) -> Option<Failure<'_>> {
    let BoardEvent::AssignmentEnded { id, end, .. } = event else {
        return None;
    };
    match end.result {
        WorkerResult::Failed(class) => Some((id, end.error.clone().unwrap_or_default(), class)),
        WorkerResult::Done | WorkerResult::Cancelled => None,
    }
}
