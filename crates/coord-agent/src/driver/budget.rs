//! A worker that goes on after its budget is used up is stopped.
//!
//! The CLI sees to that itself, between two turns. It knows nothing of prices that it was not told,
//! and another program may not look at all: whoever is still at work a message later is ended here.

use coord_worker::held::Held;
use coord_worker::summary::Summary;

use super::Driver;

impl Driver {
    /// Whether the worker has begun another message after the one that used its budget up.
    pub(super) fn is_over_budget(&self, summary: &Summary) -> bool {
        let limit = self.active.body.max_budget_usd;
        limit.is_some_and(|limit| summary.spend.before_last_message_usd() >= limit)
    }

    /// Writes down why, then gives the order. Whether it was given; otherwise it is tried again.
    pub(super) async fn stop_over_budget(&self, held: &Held) -> bool {
        let folder = self.active.folder.clone();
        match tokio::task::spawn_blocking(move || folder.mark_over_budget()).await {
            Ok(Ok(())) => {
                tracing::warn!(id = %self.active.id, "its budget is used up: it is stopped");
                self.order_stop(held).await
            }
            Ok(Err(error)) => {
                tracing::error!(id = %self.active.id, %error, "cannot write down why it is stopped");
                false
            }
            Err(error) => {
                tracing::error!(id = %self.active.id, %error, "writing down why it is stopped failed");
                false
            }
        }
    }
}
