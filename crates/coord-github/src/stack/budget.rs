//! What may go out now: writes one after another, few reads at once, and nothing that a rate
//! limit would refuse. What is learned of the limits is kept in the store, for `status` and for
//! processes that start later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use coord_core::ids::Timestamp;
use coord_store::{ForgeCache, RateLimit};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tower::{ServiceExt, service_fn};

use super::limits::{LONGEST_SECS, SECONDARY, asks_for_patience, resource_of, told_in};
use super::{Answer, Call, Fault, Next, is_of_the_app, is_read};
use crate::github::Clock;

/// GitHub counts requests at the same time against secondary limits.
const READS_AT_ONCE: usize = 8;
/// A count in the store may be off by this much, or be this old, before it is written again.
const WORTH_WRITING: u64 = 10;
const STALE_SECS: u64 = 10;

struct Budget {
    cache: ForgeCache,
    clock: Clock,
    reads: Semaphore,
    writes: Semaphore,
    from_store: OnceCell<()>,
    known: Mutex<HashMap<String, Known>>,
}

/// A limit as it was seen last, and what of it was written to the store.
struct Known {
    limit: RateLimit,
    written: Option<RateLimit>,
}

pub(super) fn layer(cache: ForgeCache, clock: Clock, inner: impl Next) -> impl Next {
    let budget = Arc::new(Budget {
        cache,
        clock,
        reads: Semaphore::new(READS_AT_ONCE),
        writes: Semaphore::new(1),
        from_store: OnceCell::new(),
        known: Mutex::default(),
    });
    service_fn(move |call: Call| spend(Arc::clone(&budget), inner.clone(), call))
}

async fn spend(budget: Arc<Budget>, inner: impl Next, call: Call) -> Result<Answer, Fault> {
    budget.from_store.get_or_init(|| budget.load()).await;
    let _lane = budget.lane(&call).await;
    let path = call.uri().path().to_owned();
    budget.check(resource_of(&path))?;
    let answer = inner.oneshot(call).await?;
    budget.learn(&path, answer).await
}

impl Budget {
    async fn load(&self) {
        let limits = self.cache.limits().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read github's rate limits");
            Vec::new()
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for limit in limits {
            let written = Some(limit.clone());
            known.insert(limit.resource.clone(), Known { limit, written });
        }
    }

    async fn lane(&self, call: &Call) -> Option<SemaphorePermit<'_>> {
        let lanes = if is_read(call) {
            &self.reads
        } else {
            &self.writes
        };
        // The semaphores are never closed.
        lanes.acquire().await.ok()
    }

    /// Refuses what GitHub would refuse.
    fn check(&self, resource: &str) -> Result<(), Fault> {
        let now = (self.clock)();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let parked = [resource, SECONDARY]
            .into_iter()
            .filter_map(|resource| Some(&known.get(resource)?.limit))
            .filter(|limit| is_parked(limit, now))
            .filter_map(|limit| Some((limit.parked_until?, &limit.resource)))
            .max();
        match parked {
            Some((until, resource)) => Err(Fault::Limited {
                resource: resource.clone(),
                until,
            }),
            None => Ok(()),
        }
    }

    /// Takes note of what the answer says, and turns it into a fault where it is about limits.
    async fn learn(&self, path: &str, answer: Answer) -> Result<Answer, Fault> {
        let now = (self.clock)();
        let primary = told_in(&answer, path, now).filter(|_| !is_of_the_app(path));
        if let Some(limit) = &primary {
            self.note(limit.clone()).await;
        }
        let Some(until) = asks_for_patience(&answer, now) else {
            return Ok(answer);
        };
        if let Some(RateLimit {
            resource,
            parked_until: Some(until),
            ..
        }) = primary
        {
            return Err(Fault::Limited { resource, until });
        }
        self.note(secondary(until, now)).await;
        Err(Fault::Limited {
            resource: SECONDARY.to_owned(),
            until,
        })
    }

    async fn note(&self, limit: RateLimit) {
        let Some(limit) = self.remember(limit) else {
            return;
        };
        if let Some(until) = limit.parked_until {
            tracing::info!(limit.resource, ?until, "github asks for patience");
        }
        if let Err(error) = self.cache.set_limit(limit).await {
            tracing::warn!(%error, "cannot write github's rate limits");
        }
    }

    /// Answers what is to be written to the store.
    fn remember(&self, mut limit: RateLimit) -> Option<RateLimit> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let old = known.remove(&limit.resource);
        // Answers may overtake each other. Within a window the count only falls, and of secondary
        // limits the one that asks for most patience counts.
        match &old {
            Some(old) if old.limit.resets_at == limit.resets_at => {
                limit.remaining = limit.remaining.min(old.limit.remaining);
                limit.parked_until = limit.parked_until.max(old.limit.parked_until);
            }
            Some(old) if limit.resource == SECONDARY && is_parked(&old.limit, limit.seen_at) => {
                limit.resets_at = limit.resets_at.max(old.limit.resets_at);
                limit.parked_until = limit.parked_until.max(old.limit.parked_until);
            }
            Some(_) | None => {}
        }
        let written = old.and_then(|old| old.written);
        let write = written.as_ref().is_none_or(|old| is_news(old, &limit));
        let resource = limit.resource.clone();
        let written = if write { Some(limit.clone()) } else { written };
        known.insert(
            resource,
            Known {
                limit: limit.clone(),
                written,
            },
        );
        write.then_some(limit)
    }
}

/// What is further away than any window was written when this machine's clock was wrong.
fn is_parked(limit: &RateLimit, now: Timestamp) -> bool {
    let believable = now.plus_secs(LONGEST_SECS);
    limit
        .parked_until
        .is_some_and(|until| now < until && until <= believable)
}

fn is_news(old: &RateLimit, new: &RateLimit) -> bool {
    old.parked_until != new.parked_until
        || old.limit != new.limit
        || old.remaining.abs_diff(new.remaining) >= WORTH_WRITING
        || (old.remaining != new.remaining && new.seen_at >= old.seen_at.plus_secs(STALE_SECS))
}

fn secondary(until: Timestamp, now: Timestamp) -> RateLimit {
    RateLimit {
        resource: SECONDARY.to_owned(),
        limit: 0,
        remaining: 0,
        resets_at: until,
        parked_until: Some(until),
        seen_at: now,
    }
}
