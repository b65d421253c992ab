//! Answers that say that something is not there.

use crate::error::CallError;

/// `None` where GitHub says that there is no such thing, or that it is gone for good.
pub(super) fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(CallError::Refused {
            status: 404 | 410, ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the request may have had its effect.
pub(super) const fn unknown(error: &CallError) -> bool {
    match error {
        CallError::Transient {
            outcome_unknown, ..
        } => *outcome_unknown,
        CallError::Refused { .. } | CallError::Auth { .. } | CallError::Unusable { .. } => false,
    }
}
