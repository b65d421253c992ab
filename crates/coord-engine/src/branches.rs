//! Where the branches of finished assignments are: anybody may have pushed to them.

use coord_core::assignment::Assignment;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_core::{Command, Recorded};

use crate::engine::Engine;
use crate::error::EngineError;

/// What a look at some branches came to.
#[derive(Debug, Default)]
pub struct SeenBranches {
    /// What happened on the board because of it.
    pub recorded: Vec<Recorded>,
    /// The branches that are not there any more.
    pub gone: Vec<AssignmentId>,
    /// The branches that could not be looked at, and why.
    pub unknown: Vec<(AssignmentId, EngineError)>,
}

impl Engine {
    /// Looks on their forges where the branches of these assignments are, and tells the board. Those
    /// that nobody but their machine has, and those that nobody waits for, are left out.
    ///
    /// # Errors
    /// When the store fails. A forge that does not answer is part of the answer.
    pub async fn look_at_branches(
        &self,
        ids: &[AssignmentId],
    ) -> Result<SeenBranches, EngineError> {
        let mut seen = SeenBranches::default();
        for id in ids {
            let board = self.store().board().await?;
            let Some(it) = board.assignments.get(id).filter(|it| is_waited_for(it)) else {
                continue;
            };
            let Some(work) = it.deliverable() else {
                continue;
            };
            match self.tip_of(&it.issue.repo, work.branch).await {
                Ok(Some(head)) if head != *work.head => {
                    let id = id.clone();
                    let told = self.command(Command::BranchSeen { id, head }).await?;
                    seen.recorded.extend(told.recorded);
                }
                Ok(Some(_)) => {}
                Ok(None) => seen.gone.push(id.clone()),
                Err(error) => seen.unknown.push((id.clone(), error)),
            }
        }
        Ok(seen)
    }

    /// Where a branch is on its forge; `None`: nowhere.
    pub(crate) async fn tip_of(
        &self,
        repo: &RepoName,
        branch: &str,
    ) -> Result<Option<CommitId>, EngineError> {
        let tip = self.forge(repo)?.branch_head(branch).await;
        tip.map_err(EngineError::forge(repo))
    }
}

fn is_waited_for(it: &Assignment) -> bool {
    let pushed = it.end.as_ref().is_some_and(|end| end.pushed);
    pushed && it.superseded_by.is_none() && it.merged_as().is_none()
}
