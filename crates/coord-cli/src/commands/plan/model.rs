//! Which model is going to work on what is proposed, and how that has gone so far.

use std::collections::BTreeMap;

use coord_core::ids::{IssueRef, ProposalId};
use coord_core::ladder::{self, Choice, Task};
use coord_core::proposal::Proposal;
use coord_engine::Engine;
use coord_store::ForgeRows;

use crate::failure::Failure;

/// The choice that approving makes, by the labels that are known here.
pub(super) type Choices = BTreeMap<ProposalId, Choice>;

pub(super) async fn choices(engine: &Engine, proposals: &[Proposal]) -> Result<Choices, Failure> {
    let mut choices = Choices::new();
    for it in proposals {
        let labels = labels(engine, &it.draft.issue).await?;
        let task = Task {
            asked: it.draft.model.as_deref(),
            labels: &labels,
            size: it.draft.size,
        };
        let record = engine.store().track_record(&it.draft.issue.repo).await?;
        let choice = ladder::choose(&engine.policy().models, task, &record);
        choices.insert(it.id, choice);
    }
    Ok(choices)
}

async fn labels(engine: &Engine, issue: &IssueRef) -> Result<Vec<String>, Failure> {
    let found = match engine.mirror(&issue.repo) {
        Some(mirror) => mirror.issue(issue.number).await?,
        None => {
            let rows = ForgeRows::new(engine.store().clone(), issue.repo.clone());
            rows.issue(issue.number).await?
        }
    };
    Ok(found.map(|it| it.labels).unwrap_or_default())
}
