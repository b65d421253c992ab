//! Splitting an issue into sub-issues.

use super::draft::Draft;
use super::plan;
use crate::command::{Refusal, Rule};
use crate::effect::{Effect, EffectRequest, Outcome, SplitSpec};
use crate::event::BoardEvent;
use crate::ids::{EffectKey, SplitId};
use crate::key::{self, EffectKind};
use crate::standing;

/// Has the sub-issues of a proposed split created. Asked for twice it is one split.
pub(super) fn split(draft: &mut Draft<'_>, id: SplitId) -> Result<(), Refusal> {
    let board = draft.board();
    let split = board.splits.get(&id).ok_or_else(|| plan::unknown(&id))?;
    if split.under_way.is_some() {
        return Ok(());
    }
    let issue = &split.draft.issue;
    if !draft.policy.repos.contains_key(&issue.repo) {
        let why = format!("no repository is called {}", issue.repo);
        return Err(Refusal::new(Rule::Configuration, why).of_issue(issue));
    }
    standing::unclaimed(board, issue)?;
    let spec = SplitSpec {
        split: id,
        // The number alone is that of another split on another board.
        key: format!("{}-{id}", split.proposed_at.as_millis()),
        at: split.proposed_at,
        parent: issue.clone(),
        chunks: split.draft.chunks.clone(),
    };
    let key = key::split(id, board.seq);
    draft.emit(BoardEvent::SplitStarted {
        split: id,
        key: key.clone(),
    });
    draft.request(EffectRequest {
        key,
        effect: Effect::Split(Box::new(spec)),
        not_before: None,
    });
    Ok(())
}

/// What came of it. A split that failed stays, and may be tried again.
pub(super) fn carried_out(draft: &mut Draft<'_>, key: &EffectKey, outcome: &Outcome) {
    let mut splits = draft.board().splits.values();
    let Some(split) = splits.find(|it| it.under_way.as_ref() == Some(key)) else {
        return;
    };
    let (id, issue) = (split.id, split.draft.issue.clone());
    draft.emit(BoardEvent::EffectSettled {
        key: key.clone(),
        outcome: outcome.clone(),
    });
    let outcome = outcome.answering(Some(EffectKind::Split));
    if let Outcome::SplitDone { created } = &*outcome {
        draft.emit(BoardEvent::SplitDone {
            split: id,
            issue,
            created: created.clone(),
        });
    } else if let Outcome::Failed { error, .. } = &*outcome {
        draft.emit(BoardEvent::SplitFailed {
            split: id,
            error: error.clone(),
        });
    }
}
