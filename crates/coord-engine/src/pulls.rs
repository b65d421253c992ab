//! The pull request of a branch: found, or opened.

use coord_core::effect::{Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::IssueRef;
use coord_forge::{NewPull, Pull, PullState};

use crate::answers::closing_nothing;
use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    pub(crate) async fn open_pull(&self, effect: &Effect) -> Result<Outcome, EngineError> {
        let Effect::OpenPull {
            issue,
            branch,
            title,
            body,
            ..
        } = effect
        else {
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error: "it is not a pull request".to_owned(),
            });
        };
        let error = match self.pull_of(issue, branch, title, body).await {
            Ok(Pull { number, .. }) => return Ok(Outcome::PullOpened { number }),
            Err(error) => error,
        };
        // What a forge says to that is for its programmers.
        if let Ok(None) = self.tip_of(&issue.repo, branch).await {
            return Ok(Outcome::Failed {
                class: FailureClass::Work,
                error: format!("its branch `{branch}` is gone from the forge"),
            });
        }
        Err(error)
    }

    /// The open pull request of the branch, else a new one. `body` is without the words that close
    /// the issue.
    pub(crate) async fn pull_of(
        &self,
        issue: &IssueRef,
        branch: &str,
        title: &str,
        body: &str,
    ) -> Result<Pull, EngineError> {
        let forge = self.forge(&issue.repo)?;
        let failed = EngineError::forge(&issue.repo);
        let found = forge.pull_for_branch(branch).await.map_err(&failed)?;
        if let Some(pull) = found.filter(|pull| pull.state == PullState::Open) {
            return Ok(pull);
        }
        let new = NewPull {
            title: closing_nothing(title),
            body: closing(body, issue.number),
            branch: branch.to_owned(),
            base: self.default_branch(&issue.repo).await?,
        };
        forge.open_pull(new).await.map_err(failed)
    }
}

/// The body with the words by which GitHub closes the issue once the work is merged. To other forges
/// they are text.
fn closing(body: &str, issue: u64) -> String {
    let closes = format!("Closes #{issue}.");
    match body.trim() {
        "" => closes,
        body => format!("{body}\n\n{closes}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_with_the_words_that_close_the_issue() {
        assert_eq!(closing(" \n", 7), "Closes #7.");
        assert_eq!(closing("Why.\n", 7), "Why.\n\nCloses #7.");
    }
}
