//! Pull requests: a row of the store and two branches of git.

use coord_forge::{ForgeError, MergeOutcome, Mergeable, Pull, PullMerge, PullState};
use coord_git::{MergeReport, MergeSpec};
use coord_store::{MergedRow, PullRow};

use crate::checkout::Span;
use crate::failure;
use crate::forge::LocalForge;

impl LocalForge {
    pub(crate) async fn pull_row(&self, number: u64) -> Result<PullRow, ForgeError> {
        let row = self.rows.pull(number).await.map_err(failure::of_store)?;
        row.ok_or_else(|| failure::not_found("pull request", self.repo(), number))
    }

    pub(crate) async fn complete(&self, row: PullRow) -> Result<Pull, ForgeError> {
        let (head, state) = match row.merged {
            Some(MergedRow { head, commit, .. }) => (Some(head), PullState::Merged { commit }),
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
            mergeable: Mergeable::Unknown,
        })
    }

    pub(crate) async fn complete_with_mergeable(&self, row: PullRow) -> Result<Pull, ForgeError> {
        let mut pull = self.complete(row).await?;
        match pull.state {
            PullState::Open => {
                pull.head = self.checkout.fetched_tip(&pull.branch).await?;
                let head = pull.head.clone();
                pull.mergeable = self.checkout.mergeable(&pull.base, head).await?;
            }
            PullState::Closed | PullState::Merged { .. } => {}
        }
        Ok(pull)
    }

    pub(crate) async fn need_branch(&self, branch: &str) -> Result<(), ForgeError> {
        match self.checkout.tip(branch).await? {
            Some(_) => Ok(()),
            None => Err(ForgeError::Refused {
                reason: format!("there is no branch `{branch}` in `{}`", self.repo()),
                hint: Some("push the branch first".to_owned()),
            }),
        }
    }

    /// What the pull request is about: of an open one as the remote has it now, of a merged one as
    /// it was then.
    pub(crate) async fn span(&self, row: &PullRow) -> Result<Span, ForgeError> {
        let missing = |branch: &str| ForgeError::NotFound {
            what: format!("the branch `{branch}` of `{}`", self.repo()),
        };
        let Some(merged) = &row.merged else {
            let head = self.checkout.fetched_tip(&row.branch).await?;
            let head = head.ok_or_else(|| missing(&row.branch))?;
            let base = self.checkout.known_tip(&row.base).await?;
            let base = base.ok_or_else(|| missing(&row.base))?;
            return Ok(Span { base, head });
        };
        let head = merged.head.clone();
        if let Some(base) = merged.onto.clone() {
            return Ok(Span { base, head });
        }
        // Somebody else merged it. The two part where they did before, unless they are one now.
        let base = self.checkout.known_tip(&row.base).await?;
        let base = base.ok_or_else(|| missing(&row.base))?;
        let stands = self.checkout.compare(base.as_str(), head.as_str()).await?;
        if stands.ahead == 0 {
            return Err(failure::refused(format!(
                "nobody wrote down where pull request {} left `{}`",
                row.number, row.base
            )));
        }
        Ok(Span { base, head })
    }

    pub(crate) async fn merge(
        &self,
        row: PullRow,
        merge: &PullMerge,
    ) -> Result<MergeOutcome, ForgeError> {
        match &row.merged {
            None => self.merge_open(row, merge).await,
            Some(merged) if merged.head == merge.head => Ok(MergeOutcome::Merged {
                commit: merged.commit.clone(),
            }),
            Some(merged) => Ok(MergeOutcome::Refused {
                reason: format!(
                    "pull request {} was merged with {}, which is not {}",
                    row.number,
                    merged.head.short(),
                    merge.head.short()
                ),
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
            branch: row.branch,
            head: merge.head.clone(),
            base_branch: row.base,
            method: merge.method,
            message: merge.message.clone(),
            assignment: merge.assignment.clone(),
            onto: merge.onto.clone(),
        };
        let (commit, onto) = match self.checkout.merge(spec).await? {
            MergeReport::Merged { commit, onto } => (commit, Some(onto)),
            MergeReport::AlreadyMerged { commit } => (commit, None),
            MergeReport::Conflict { base, paths } => {
                return Ok(MergeOutcome::Conflict { base, paths });
            }
            MergeReport::HeadMoved { actual } => {
                return Ok(MergeOutcome::HeadMoved { head: actual });
            }
            MergeReport::BaseMoved { base } => return Ok(MergeOutcome::BaseMoved { base }),
            MergeReport::Refused { reason } => return Ok(MergeOutcome::Refused { reason }),
        };
        let merged = MergedRow {
            head: merge.head.clone(),
            commit: commit.clone(),
            onto,
        };
        let written = self.rows.set_merged(row.number, merged).await;
        written.map_err(failure::of_store)?;
        Ok(MergeOutcome::Merged { commit })
    }
}
