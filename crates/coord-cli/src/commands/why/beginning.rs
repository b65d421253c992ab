//! What there is before the work on an issue: other issues that come first, and what is proposed.

use coord_core::Board;
use coord_core::ids::IssueRef;
use coord_core::proposal::{Proposal, Split};
use coord_engine::Engine;
use serde_json::Value;

use crate::blocked;
use crate::failure::Failure;
use crate::printer::{Printer, plain};
use crate::proposed;

/// What an issue waits for before anybody works on it.
pub(super) struct Beginning<'b> {
    /// The open issues that have to be solved first.
    pub(super) blocked_by: Vec<IssueRef>,
    proposals: Vec<&'b Proposal>,
    splits: Vec<&'b Split>,
}

impl<'b> Beginning<'b> {
    pub(super) async fn of(
        engine: &Engine,
        board: &'b Board,
        issue: &IssueRef,
    ) -> Result<Self, Failure> {
        let blocked = blocked::issues(engine).await?;
        let own = blocked.into_iter().find(|it| it.issue == *issue);
        let proposals = board.proposals.values();
        let splits = board.splits.values();
        Ok(Self {
            blocked_by: own.map(|it| it.blocked_by).unwrap_or_default(),
            proposals: proposals.filter(|it| it.draft.issue == *issue).collect(),
            splits: splits.filter(|it| it.draft.issue == *issue).collect(),
        })
    }

    pub(super) fn proposals_json(&self) -> Value {
        self.proposals.iter().copied().map(proposed::json).collect()
    }

    pub(super) fn splits_json(&self) -> Value {
        let splits = self.splits.iter().copied();
        splits.map(proposed::split_json).collect()
    }

    /// An assignment that waits says itself what for.
    pub(super) fn print(&self, printer: Printer, is_unassigned: bool) {
        match self.blocked_by.as_slice() {
            [] => {}
            _ if !is_unassigned => {}
            [one] => printer.line(format_args!("it depends on {one}, which is open")),
            several => {
                let several = blocked::named(several);
                printer.line(format_args!("it depends on {several}, which are open"));
            }
        }
        for it in &self.proposals {
            let (id, machine) = (it.id, plain(it.draft.machine.as_str()));
            printer.line(format_args!(
                "it is proposed for {machine}: `coord approve {id}` starts the work"
            ));
        }
        for it in &self.splits {
            printer.line(proposed::split_line(it));
        }
    }
}
