//! Exit codes: part of the interface, and nowhere else written as numbers.

/// Everything went well.
pub(crate) const OK: u8 = 0;
/// Refused, failed, or cancelled.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage, an unknown id, a bad configuration.
pub(crate) const USAGE: u8 = 2;
/// It did not happen within the time that was given.
pub(crate) const TIMED_OUT: u8 = 3;
/// Ended by Ctrl-C, as shells count it.
pub(crate) const INTERRUPTED: u8 = 130;
