//! The assignments that have ended: their rows ready to be sent, the newest in memory.
//!
//! A row is serialised once, when its assignment ends or when the agent starts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignmentStatus, CompletedRow, StatusQuery};

/// How many rows are kept in memory; older ones are read from their folder when asked for.
pub(crate) const KEPT: usize = 500;

/// A row as it travels.
#[derive(Debug)]
pub(crate) struct RenderedRow {
    /// The JSON object with the keys of 0.1.0.
    plain: Box<str>,
    /// The keys that came later, each behind a comma.
    newer: Box<str>,
}

impl RenderedRow {
    /// Serialises `row`.
    ///
    /// # Errors
    /// None in practice: all keys are texts.
    pub(crate) fn new(mut row: CompletedRow) -> serde_json::Result<Self> {
        let end = serde_json::to_string(&row.end.take())?;
        let edits = serde_json::to_string(&std::mem::take(&mut row.edits))?;
        Ok(Self {
            plain: serde_json::to_string(&row)?.into(),
            newer: format!(",\"end\":{end},\"edits\":{edits}").into(),
        })
    }

    /// Appends the row, with the newer keys only for callers that know them.
    pub(crate) fn write(&self, out: &mut String, with_newer: bool) {
        match self.plain.strip_suffix('}') {
            Some(open) if with_newer => {
                out.push_str(open);
                out.push_str(&self.newer);
                out.push('}');
            }
            Some(_) | None => out.push_str(&self.plain),
        }
    }
}

/// The assignments that have ended.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    known: HashMap<AssignmentId, AssignmentStatus>,
    /// By the instant of their end.
    order: BTreeSet<(i64, AssignmentId)>,
    rows: HashMap<AssignmentId, Arc<RenderedRow>>,
    /// The ids in `rows`, by the instant of their end.
    cached: BTreeSet<(i64, AssignmentId)>,
}

impl Finished {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// How `id` ended.
    pub(crate) fn status(&self, id: &AssignmentId) -> Option<AssignmentStatus> {
        self.known.get(id).copied()
    }

    /// Adds an assignment that has ended.
    pub(crate) fn insert(
        &mut self,
        id: AssignmentId,
        finished_at: f64,
        status: AssignmentStatus,
        row: RenderedRow,
    ) {
        let millis = millis(finished_at);
        self.known.insert(id.clone(), status);
        self.order.insert((millis, id.clone()));
        self.cached.insert((millis, id.clone()));
        self.rows.insert(id, Arc::new(row));
        if self.cached.len() > KEPT
            && let Some((_, oldest)) = self.cached.pop_first()
        {
            self.rows.remove(&oldest);
        }
    }

    /// The ids that `query` asks for, oldest first, each with its row where it is in memory.
    pub(crate) fn select(
        &self,
        query: StatusQuery,
    ) -> Vec<(AssignmentId, Option<Arc<RenderedRow>>)> {
        let since = query.since.map_or(i64::MIN, millis);
        // Without any wish the answer is bounded by what is at hand.
        let limit = match (query.completed, query.since) {
            (Some(limit), _) => limit,
            (None, Some(_)) => usize::MAX,
            (None, None) => KEPT,
        };
        let newest = self.order.iter().rev().take_while(|(at, _)| *at >= since);
        let mut chosen: Vec<_> = newest
            .take(limit)
            .map(|(_, id)| (id.clone(), self.rows.get(id).cloned()))
            .collect();
        chosen.reverse();
        chosen
    }
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RenderedRow {
        RenderedRow {
            plain: "{\"a\":1}".into(),
            newer: ",\"end\":{\"b\":2},\"edits\":[]".into(),
        }
    }

    fn finished(count: u64) -> Finished {
        let mut finished = Finished::default();
        for n in 0..count {
            let id = AssignmentId::from_bits(n);
            finished.insert(id, n as f64, AssignmentStatus::Done, row());
        }
        finished
    }

    #[test]
    fn newer_keys_are_for_those_who_know_them() {
        let (mut plain, mut full) = (String::new(), String::new());
        row().write(&mut plain, false);
        row().write(&mut full, true);
        assert_eq!(plain, r#"{"a":1}"#);
        assert_eq!(full, r#"{"a":1,"end":{"b":2},"edits":[]}"#);
    }

    #[test]
    fn the_newest_are_at_hand_and_the_others_are_known() {
        let finished = finished(KEPT as u64 + 2);
        assert_eq!(finished.len(), KEPT + 2);
        assert_eq!(finished.rows.len(), KEPT);
        let default = finished.select(StatusQuery::default());
        assert_eq!(default.len(), KEPT);
        assert!(default.iter().all(|(_, row)| row.is_some()));
        let all = finished.select(StatusQuery {
            since: Some(0.0),
            ..StatusQuery::default()
        });
        assert_eq!(all.iter().filter(|(_, row)| row.is_none()).count(), 2);
    }

    #[test]
    fn count_and_instant_both_limit() {
        let finished = finished(10);
        let select = |completed, since| {
            let rows = finished.select(StatusQuery { completed, since });
            let ids = rows.into_iter().map(|(id, _)| id);
            ids.collect::<Vec<_>>()
        };
        let id = AssignmentId::from_bits;
        assert_eq!(select(Some(2), None), [id(8), id(9)]);
        assert_eq!(select(None, Some(9.0)), [id(9)]);
        assert_eq!(select(Some(1), Some(3.0)), [id(9)]);
        assert!(select(Some(0), None).is_empty());
    }
}
