//! Issues that an earlier call may have opened.

use std::sync::{Mutex, PoisonError};

use coord_forge::NewIssue;

/// More than that many are not kept.
const MOST: usize = 100;

/// What calls could not find out before they failed: whether there is an issue with their key.
/// Whoever asks for the same issue again gets that one.
#[derive(Debug, Default)]
pub(super) struct Unsure {
    issues: Mutex<Vec<(NewIssue, String)>>,
}

impl Unsure {
    /// The key with which this issue may be there already.
    pub(super) fn take(&self, new: &NewIssue) -> Option<String> {
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        let at = issues.iter().position(|(issue, _)| issue == new)?;
        Some(issues.remove(at).1)
    }

    pub(super) fn put(&self, new: NewIssue, key: String) {
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        if issues.len() == MOST {
            issues.remove(0);
        }
        issues.push((new, key));
    }
}
