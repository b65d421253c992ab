//! Leases on effects: taking them, and taking over those that nobody works on any more.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use coord_core::ids::EffectKey;
use coord_store::LeasedEffect;

use crate::clock;
use crate::engine::Engine;
use crate::error::EngineError;

/// How long an effect is ours without a word from us.
pub(crate) const LEASE_SECONDS: u64 = 30;

/// What this process is carrying out.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    keys: Mutex<BTreeSet<EffectKey>>,
    /// Held from a look at the outbox until `keys` agrees with it.
    looking: tokio::sync::Mutex<()>,
}

impl InHand {
    pub(crate) fn is_empty(&self) -> bool {
        self.change(|keys| keys.is_empty())
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeSet<EffectKey>) -> T) -> T {
        change(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An effect that this process has leased and is carrying out. Dropped before it has an outcome,
/// as with the drive that it belonged to, it is taken over by whoever looks next.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) leased: LeasedEffect,
    engine: Engine,
}

impl Drop for Held {
    fn drop(&mut self) {
        // What panics would panic again: its lease runs out first.
        if !std::thread::panicking() {
            self.engine
                .0
                .in_hand
                .change(|keys| keys.remove(&self.leased.key));
        }
    }
}

impl Engine {
    /// The name under which this process holds leases.
    pub(crate) fn owner(&self) -> &str {
        self.0.owner.name()
    }

    /// Leases up to `limit` effects that are due.
    pub(crate) async fn take_due(&self, limit: u32) -> Result<Vec<Held>, EngineError> {
        let _looking = self.0.in_hand.looking.lock().await;
        let now = clock::now();
        let due = self
            .store()
            .lease_due(self.owner(), now, LEASE_SECONDS, limit)
            .await?;
        Ok(due.into_iter().map(|leased| self.hold(leased)).collect())
    }

    /// Leases this one effect; `None` when it is done, not due, or somebody else's.
    pub(crate) async fn take(&self, key: &EffectKey) -> Result<Option<Held>, EngineError> {
        let _looking = self.0.in_hand.looking.lock().await;
        let now = clock::now();
        let leased = self
            .store()
            .lease_one(key, self.owner(), now, LEASE_SECONDS)
            .await?;
        Ok(leased.map(|leased| self.hold(leased)))
    }

    fn hold(&self, leased: LeasedEffect) -> Held {
        self.0
            .in_hand
            .change(|keys| keys.insert(leased.key.clone()));
        Held {
            leased,
            engine: self.clone(),
        }
    }

    /// Makes due at once what processes that are gone have left, and what this one has dropped.
    pub(crate) async fn take_over(&self) -> Result<(), EngineError> {
        for name in self.0.owner.gone() {
            self.release(&name).await?;
            self.0.owner.forget(&name);
        }
        self.release(self.owner()).await
    }

    /// Makes every effect due at once that `owner` holds and this process is not carrying out.
    pub(crate) async fn release(&self, owner: &str) -> Result<(), EngineError> {
        let _looking = self.0.in_hand.looking.lock().await;
        for row in self.store().outbox().await? {
            let held = row.lease.is_some_and(|(holder, _)| holder == owner);
            if held && !self.0.in_hand.change(|keys| keys.contains(&row.key)) {
                let now = clock::now();
                self.store()
                    .reschedule(&row.key, owner, now, "its holder is gone")
                    .await?;
            }
        }
        Ok(())
    }
}
