//! What could not be done for now: which effect, when it is tried again, and why.

use coord_core::ids::{EffectKey, Timestamp};
use coord_store::{OutboxRow, Store, StoreError};
use serde_json::{Value, json};

use crate::describe::effect;
use crate::printer::{Printer, plain};
use crate::time::clock;

/// Effects whose last attempt failed and that nobody carries out just now.
#[derive(Debug)]
pub(crate) struct Postponed(Vec<OutboxRow>);

impl Postponed {
    /// As the outbox has them.
    pub(crate) async fn read(store: &Store) -> Result<Self, StoreError> {
        let mut rows = store.outbox().await?;
        rows.retain(|row| row.lease.is_none() && row.last_error.is_some());
        Ok(Self(rows))
    }

    /// Those of them that `wanted` takes.
    pub(crate) fn only(mut self, wanted: impl Fn(&EffectKey) -> bool) -> Self {
        self.0.retain(|row| wanted(&row.key));
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line for each.
    pub(crate) fn print(&self, printer: Printer, indent: &str) {
        for row in &self.0 {
            let error = row.last_error.as_deref().unwrap_or_default();
            printer.line(format_args!(
                "{indent}{}",
                sentence(&row.key, row.not_before, error)
            ));
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let row = |row: &OutboxRow| {
            json!({"effect": row.key, "until": row.not_before, "attempts": row.attempts,
                "error": row.last_error})
        };
        self.0.iter().map(row).collect()
    }
}

/// That it is tried again, from when on, and what went wrong.
pub(crate) fn sentence(key: &EffectKey, until: Timestamp, error: &str) -> String {
    format!(
        "{} will be tried again from {} on: {}",
        effect(key),
        clock(until),
        plain(error)
    )
}
