//! The local forge of one repository.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use coord_core::effect::CommentEvent;
use coord_core::ids::{AssignmentId, RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use coord_forge::{
    BranchRef, COORDINATOR, Comment, Forge, ForgeError, MergeOutcome, NewIssue, NewPull, Pull,
    PullMerge, PullState, marks,
};
use coord_git::{MergeReport, MergeSpec};
use coord_store::{
    CommentRow, ForgeRows, MergedRow, NewCommentRow, NewIssueRow, NewPullRow, PullRow, Store,
};

use crate::checkout::Checkout;
use crate::{failure, limits};

/// The local forge of one repository: rows in the store, branches and merges in git.
#[derive(Debug, Clone)]
pub struct LocalForge {
    rows: ForgeRows,
    checkout: Checkout,
    author: String,
}

impl LocalForge {
    /// The forge of `repo`, whose git repository is at `path` if this machine has it. Without it
    /// issues and comments work, and whatever needs git is an error.
    #[must_use]
    pub fn new(store: Store, repo: RepoName, path: Option<PathBuf>) -> Self {
        Self {
            rows: ForgeRows::new(store, repo.clone()),
            checkout: Checkout { repo, path },
            author: COORDINATOR.to_owned(),
        }
    }

    /// The same forge, used by a person: issues are opened, and notes on closing them written, in
    /// their name. Comments of the coordinator stay the coordinator's.
    #[must_use]
    pub fn used_by(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Every issue, by number; `state` narrows them down.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn issues(&self, state: Option<IssueState>) -> Result<Vec<Issue>, ForgeError> {
        self.rows.issues(state).await.map_err(failure::of_store)
    }

    const fn repo(&self) -> &RepoName {
        &self.checkout.repo
    }

    async fn complete(&self, row: PullRow) -> Result<Pull, ForgeError> {
        let (head, state) = match row.merged {
            Some(MergedRow { head, commit }) => (Some(head), PullState::Merged { commit }),
            None => (self.checkout.known_tip(&row.branch).await?, PullState::Open),
        };
        Ok(Pull {
            number: row.number,
            title: row.title,
            body: row.body,
            branch: row.branch,
            head,
            base: row.base,
            state,
        })
    }

    async fn need_branch(&self, branch: &str) -> Result<(), ForgeError> {
        match self.checkout.tip(branch).await? {
            Some(_) => Ok(()),
            None => Err(ForgeError::Refused {
                reason: format!("there is no branch `{branch}` in `{}`", self.repo()),
                hint: Some("push the branch first".to_owned()),
            }),
        }
    }

    /// Has git merge it. What an earlier call has merged before it could write that down, git
    /// finds again.
    async fn merge_open(
        &self,
        row: PullRow,
        merge: &PullMerge,
    ) -> Result<MergeOutcome, ForgeError> {
        let spec = MergeSpec {
            branch: row.branch.clone(),
            head: merge.head.clone(),
            base_branch: row.base,
            method: merge.method,
            message: merge.message.clone(),
            assignment: merge.assignment.clone(),
        };
        match self.checkout.merge(spec).await? {
            MergeReport::Merged { commit } | MergeReport::AlreadyMerged { commit } => {
                let merged = MergedRow {
                    head: merge.head.clone(),
                    commit: commit.clone(),
                };
                self.rows
                    .set_merged(row.number, merged)
                    .await
                    .map_err(failure::of_store)?;
                Ok(MergeOutcome::Merged { commit })
            }
            MergeReport::Conflict { base, paths } => Ok(MergeOutcome::Conflict { base, paths }),
            MergeReport::HeadMoved { actual } => Ok(MergeOutcome::Refused {
                reason: format!(
                    "the branch `{}` points at {} now, not at {}",
                    row.branch,
                    actual.short(),
                    merge.head.short()
                ),
            }),
            MergeReport::Refused { reason } => Ok(MergeOutcome::Refused { reason }),
        }
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn open_issues(&self) -> Result<Vec<Issue>, ForgeError> {
        self.issues(Some(IssueState::Open)).await
    }

    async fn issue(&self, number: u64) -> Result<Option<Issue>, ForgeError> {
        self.rows.issue(number).await.map_err(failure::of_store)
    }

    async fn create_issue(&self, new: NewIssue) -> Result<Issue, ForgeError> {
        limits::check_issue(&new)?;
        let row = NewIssueRow {
            title: new.title,
            body: new.body,
            labels: new.labels,
            author: self.author.clone(),
        };
        self.rows
            .create_issue(row, now())
            .await
            .map_err(failure::of_store)
    }

    async fn close_issue(&self, number: u64, note: Option<&str>) -> Result<(), ForgeError> {
        note.map_or(Ok(()), limits::check_body)?;
        let note = note.map(|body| NewCommentRow {
            author: self.author.clone(),
            body: body.to_owned(),
        });
        let found = self.rows.close_issue(number, note, now()).await;
        if found.map_err(failure::of_store)? {
            Ok(())
        } else {
            Err(failure::not_found("issue", self.repo(), number))
        }
    }

    async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let rows = self.rows.comments(number).await;
        match rows.map_err(failure::of_store)? {
            Some(rows) => Ok(rows.into_iter().map(comment).collect()),
            None => Err(failure::not_found("issue", self.repo(), number)),
        }
    }

    async fn find_comment(
        &self,
        number: u64,
        event: CommentEvent,
        assignment: &AssignmentId,
    ) -> Result<Option<Comment>, ForgeError> {
        let comments = self.comments(number).await?;
        Ok(comments
            .into_iter()
            .find(|comment| comment.trusted && marks(&comment.body, event, assignment)))
    }

    async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        limits::check_body(body)?;
        let row = NewCommentRow {
            author: COORDINATOR.to_owned(),
            body: body.to_owned(),
        };
        let row = self.rows.create_comment(number, row, now()).await;
        row.map_err(failure::of_store)?
            .map(comment)
            .ok_or_else(|| failure::not_found("issue", self.repo(), number))
    }

    async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError> {
        self.checkout.branches(prefix).await
    }

    async fn pull_for_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let row = self.rows.pull_for_branch(branch).await;
        match row.map_err(failure::of_store)? {
            Some(row) => Ok(Some(self.complete(row).await?)),
            None => Ok(None),
        }
    }

    async fn open_pull(&self, new: NewPull) -> Result<Pull, ForgeError> {
        limits::check_title(&new.title)?;
        limits::check_body(&new.body)?;
        self.need_branch(&new.branch).await?;
        self.need_branch(&new.base).await?;
        let row = NewPullRow {
            title: new.title,
            body: new.body,
            branch: new.branch,
            base: new.base,
        };
        let row = self.rows.open_pull(row, now()).await;
        self.complete(row.map_err(failure::of_store)?).await
    }

    async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError> {
        match self.rows.pull(number).await.map_err(failure::of_store)? {
            Some(row) => Ok(Some(self.complete(row).await?)),
            None => Ok(None),
        }
    }

    async fn merge_pull(&self, number: u64, merge: &PullMerge) -> Result<MergeOutcome, ForgeError> {
        let row = self.rows.pull(number).await.map_err(failure::of_store)?;
        let Some(row) = row else {
            return Err(failure::not_found("pull request", self.repo(), number));
        };
        match &row.merged {
            None => self.merge_open(row, merge).await,
            Some(merged) if merged.head == merge.head => Ok(MergeOutcome::Merged {
                commit: merged.commit.clone(),
            }),
            Some(merged) => Ok(MergeOutcome::Refused {
                reason: format!(
                    "pull request {number} was merged with {}, which is not {}",
                    merged.head.short(),
                    merge.head.short()
                ),
            }),
        }
    }
}

fn comment(row: CommentRow) -> Comment {
    Comment {
        trusted: row.author == COORDINATOR,
        id: row.id,
        author: row.author,
        body: row.body,
        at: row.at,
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
