//! Single flight: equal reads at the same time share one request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::header::ACCEPT;
use tower::{ServiceExt, service_fn};

use super::{Answer, Call, Fault, Next, is_read, route};

type Outcome = BoxFuture<'static, Result<Answer, Fault>>;
type Flight = Shared<Outcome>;

#[derive(Default)]
struct Flights {
    /// By route and the form of the answer.
    in_the_air: Mutex<HashMap<Key, WeakShared<Outcome>>>,
    /// Writes that have ended.
    writes: AtomicU64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    route: String,
    accept: Vec<u8>,
    /// Who reads after a write has ended must see it: a flight from before is not joined.
    writes: u64,
}

pub(super) fn layer(inner: impl Next) -> impl Next {
    let flights = Arc::new(Flights::default());
    service_fn(move |call: Call| fly(Arc::clone(&flights), inner.clone(), call))
}

async fn fly(flights: Arc<Flights>, inner: impl Next, call: Call) -> Result<Answer, Fault> {
    if is_read(&call) {
        return flights.join(inner, call).await;
    }
    let _ended = Ended(&flights.writes);
    inner.oneshot(call).await
}

/// Counts a write when it ends, also when its caller gives up on it.
struct Ended<'a>(&'a AtomicU64);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Flights {
    fn join(&self, inner: impl Next, call: Call) -> Flight {
        let key = Key {
            route: route(&call).to_owned(),
            accept: call
                .headers()
                .get(ACCEPT)
                .map_or_else(Vec::new, |it| it.as_bytes().to_vec()),
            writes: self.writes.load(Ordering::SeqCst),
        };
        let mut flights = self
            .in_the_air
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, flight| flight.upgrade().is_some_and(|it| it.peek().is_none()));
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = inner.oneshot(call).boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }
}
