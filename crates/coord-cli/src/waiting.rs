//! What waits for a person: in one line each, and only once while it is the same.

use std::collections::BTreeSet;

use coord_core::ids::IssueRef;
use coord_core::session::Waiting;
use coord_core::{Board, Policy};
use coord_engine::now;

use crate::printer::plain;

/// `shop#1 Write a.txt: its tests failed (coord fix 1a2b)`.
pub(crate) fn line(it: &Waiting) -> String {
    format!("{} {}: {}", it.issue, plain(&it.title), why(it))
}

fn why(it: &Waiting) -> String {
    let hint = it.hint.as_deref().map(|hint| format!(" ({})", plain(hint)));
    format!("{}{}", plain(&it.why), hint.unwrap_or_default())
}

/// What has been told of it.
#[derive(Debug, Default)]
pub(crate) struct Told(BTreeSet<String>);

impl Told {
    /// What is new, one line each; only of these issues where some are named.
    pub(crate) fn news(
        &mut self,
        board: &Board,
        policy: &Policy,
        only: Option<&BTreeSet<IssueRef>>,
    ) -> Vec<String> {
        let mut waiting = board.waiting_for_a_person(policy, now());
        waiting.retain(|it| only.is_none_or(|only| only.contains(&it.issue)));
        let says = |it: &Waiting| format!("{} waits for you: {}", it.issue, why(it));
        let all: BTreeSet<String> = waiting.iter().map(says).collect();
        let news = all.difference(&self.0).cloned().collect();
        self.0 = all;
        news
    }
}
