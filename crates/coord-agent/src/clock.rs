//! The one place that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch, as they travel on the wire.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // Milliseconds, as the coordinator keeps them: no digits that mean nothing.
    since.map_or(0.0, |since| since.as_millis() as f64 / 1000.0)
}
