//! Claiming issues on forges that others use too, and taking claims back.
//!
//! A claim is the briefing comment of an assignment; of those that stand the lowest comment id
//! wins. Every step looks at what is there before it does anything, so that each may be repeated
//! after a crash, or an answer that got lost, at any point.

use std::time::Duration;

use coord_core::effect::{CommentEvent, CommentSpec, ForeignClaim, Outcome};
use coord_core::ids::{AssignmentId, IssueRef, MachineName};
use coord_core::issue::IssueState;
use coord_core::marker::Marker;
use coord_forge::{Comment, Forge, ForgeError, live_claims, marks};

use crate::assign::branches;
use crate::clock;
use crate::dispatch::{given_up, is_given_up};
use crate::effects::{Later, with_marker};
use crate::engine::Engine;
use crate::error::EngineError;

/// Between posting a claim and looking who was first: a forge gives a comment its id before it
/// shows it, so that an earlier one may come to light later.
const SETTLE: Duration = Duration::from_secs(1);

/// What became of an assignment's own claim.
enum Own {
    /// It was never posted.
    Absent,
    /// It stands, in this comment.
    Stands(u64),
    /// It was taken back.
    Withdrawn,
}

impl Engine {
    pub(crate) async fn claim(
        &self,
        comment: &CommentSpec,
        above: Option<u64>,
        again: bool,
    ) -> Result<Outcome, Later> {
        let board = self.store().board().await.map_err(Later::new)?;
        if is_given_up(&board, &comment.assignment) {
            return Ok(given_up());
        }
        match self.contend(comment, above.unwrap_or(0), again).await {
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => Err(Later {
                error: "the forge does not show the claim yet".to_owned(),
                at: Some(clock::now().plus_secs(1)),
            }),
            Err(error) => self.forge_failed(&comment.issue.repo, error),
        }
    }

    /// `None` when the forge does not show our own claim yet: what it shows of others may be as old.
    async fn contend(
        &self,
        claim: &CommentSpec,
        above: u64,
        again: bool,
    ) -> Result<Option<Outcome>, EngineError> {
        let IssueRef { repo, number } = &claim.issue;
        let forge = self.forge(repo)?;
        let failed = EngineError::forge(repo);
        let mut comments = forge.comments(*number, None).await.map_err(&failed)?;
        let own = match own(&comments, &claim.assignment) {
            Own::Withdrawn => {
                let to = self.foreign_claims(&comments).await?.into_iter().next();
                return Ok(Some(Outcome::ClaimLost { to }));
            }
            Own::Stands(own) => own,
            Own::Absent => {
                // A claim may have been parked for long: others may be done by now.
                if again && self.is_taken(&claim.issue).await? {
                    return Ok(Some(Outcome::ClaimLost { to: None }));
                }
                let posted = forge.create_comment(*number, &with_marker(claim)).await;
                let posted = posted.map_err(&failed)?;
                tokio::time::sleep(SETTLE).await;
                comments = forge.comments(*number, None).await.map_err(&failed)?;
                if comments.iter().all(|comment| comment.id != posted.id) {
                    return Ok(None);
                }
                posted.id
            }
        };
        let rivals = self.foreign_claims(&comments).await?;
        let earlier = |rival: &ForeignClaim| above < rival.comment && rival.comment < own;
        let Some(winner) = rivals.into_iter().find(earlier) else {
            return Ok(Some(Outcome::Claimed));
        };
        let why = format!(
            "Withdrawn: another coordinator claimed this issue first (comment {}).",
            winner.comment
        );
        let marker = Marker {
            event: CommentEvent::Withdrawn,
            ..Marker::from(claim)
        };
        withdraw(forge, own, &why, &marker).await.map_err(failed)?;
        Ok(Some(Outcome::ClaimLost { to: Some(winner) }))
    }

    /// Whether the issue is closed, or somebody else has published work on it.
    async fn is_taken(&self, issue: &IssueRef) -> Result<bool, EngineError> {
        let forge = self.forge(&issue.repo)?;
        let (found, branches) =
            tokio::try_join!(forge.issue(issue.number), branches(forge, issue.number))
                .map_err(EngineError::forge(&issue.repo))?;
        let board = self.store().board().await?;
        let is_ours = |name: &String| board.of_issue(issue).any(|it| it.branch == *name);
        let is_open = found.is_some_and(|found| found.state == IssueState::Open);
        Ok(!is_open || !branches.iter().all(is_ours))
    }

    /// The claims that stand, the earliest first, of assignments that were never on this board.
    /// The board itself sees to it that an issue has one of ours at most.
    pub(crate) async fn foreign_claims(
        &self,
        comments: &[Comment],
    ) -> Result<Vec<ForeignClaim>, EngineError> {
        let mut foreign = Vec::new();
        for claim in live_claims(comments) {
            if self.store().assignment(&claim.assignment).await?.is_none() {
                foreign.push(claim);
            }
        }
        Ok(foreign)
    }

    pub(crate) async fn take_claim_back(
        &self,
        issue: &IssueRef,
        id: &AssignmentId,
        machine: &MachineName,
    ) -> Result<Outcome, Later> {
        let marker = Marker {
            event: CommentEvent::Withdrawn,
            assignment: id.clone(),
            machine: machine.clone(),
            issue: issue.clone(),
            exit_code: None,
        };
        match self.withdraw_own(&marker).await {
            Ok(()) => Ok(Outcome::ClaimReleased),
            Err(error) => self.forge_failed(&issue.repo, error),
        }
    }

    async fn withdraw_own(&self, marker: &Marker) -> Result<(), EngineError> {
        let IssueRef { repo, number } = &marker.issue;
        let forge = self.forge(repo)?;
        let failed = EngineError::forge(repo);
        let comments = forge.comments(*number, None).await.map_err(&failed)?;
        match own(&comments, &marker.assignment) {
            Own::Absent | Own::Withdrawn => Ok(()),
            Own::Stands(own) => {
                let why = "Withdrawn: this work was stopped.";
                withdraw(forge, own, why, marker).await.map_err(failed)
            }
        }
    }
}

fn own(comments: &[Comment], id: &AssignmentId) -> Own {
    let find = |event| {
        let mut trusted = comments.iter().filter(|comment| comment.trusted);
        trusted.find(|comment| marks(&comment.body, event, id))
    };
    match (find(CommentEvent::Withdrawn), find(CommentEvent::Briefing)) {
        (Some(_), _) => Own::Withdrawn,
        (None, Some(comment)) => Own::Stands(comment.id),
        (None, None) => Own::Absent,
    }
}

/// Makes the comment of a claim say that it is taken back.
async fn withdraw(
    forge: &dyn Forge,
    own: u64,
    why: &str,
    marker: &Marker,
) -> Result<(), ForgeError> {
    match forge.edit_comment(own, &format!("{why}\n\n{marker}")).await {
        // Somebody deleted it: no claim stands.
        Ok(()) | Err(ForgeError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
