//! The clock and fresh ids: the two things that `coord-core` takes as values.

use std::time::{Duration, SystemTime};

use coord_core::ids::{AssignmentId, Timestamp};

/// Now, by the system's clock. A clock set before 1970 reads as 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A fresh id, from the system's randomness.
#[must_use]
pub fn fresh_id() -> AssignmentId {
    AssignmentId::from_bits(uuid::Uuid::new_v4().as_u64_pair().1)
}

/// How long it is from `now` until `at`; zero when that has passed.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.as_millis() - now.as_millis()).unwrap_or(0))
}
