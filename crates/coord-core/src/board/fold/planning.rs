//! What plans, and what people make of them, change on the board.

use crate::board::Board;
use crate::event::BoardEvent;
use crate::ids::{SplitId, Timestamp};
use crate::proposal::{Plan, Split};

impl Board {
    /// Folds an event about proposals; any other changes nothing.
    pub(super) fn apply_planning(&mut self, event: &BoardEvent, at: Timestamp) {
        if let BoardEvent::Planned { plan } = event {
            self.planned(plan, at);
        } else if let BoardEvent::ProposalApproved { proposal, .. }
        | BoardEvent::ProposalRejected { proposal } = event
        {
            self.proposals.remove(proposal);
        } else if let BoardEvent::SplitRejected { split } | BoardEvent::SplitDone { split, .. } =
            event
        {
            self.splits.remove(split);
        } else if let BoardEvent::SplitStarted { split, key } = event {
            self.with_split(*split, |it| {
                it.under_way = Some(key.clone());
                it.failed = None;
            });
        } else if let BoardEvent::SplitFailed { split, error } = event {
            self.with_split(*split, |it| {
                it.under_way = None;
                it.failed = Some(error.clone());
            });
        }
    }

    fn planned(&mut self, plan: &Plan, at: Timestamp) {
        self.pay(at.day(), plan.cost_usd);
        let proposals = plan.proposals.iter();
        self.proposals = proposals.map(|it| (it.id, it.clone())).collect();
        self.splits.retain(|_, it| it.under_way.is_some());
        self.splits
            .extend(plan.splits.iter().map(|it| (it.id, it.clone())));
        let (last_proposal, last_split) = &mut self.last_planned;
        let proposal = self.proposals.keys().next_back();
        *last_proposal = proposal.copied().unwrap_or_default().max(*last_proposal);
        let split = self.splits.keys().next_back();
        *last_split = split.copied().unwrap_or_default().max(*last_split);
    }

    fn with_split(&mut self, id: SplitId, change: impl FnOnce(&mut Split)) {
        if let Some(split) = self.splits.get_mut(&id) {
            change(split);
        }
    }
}
