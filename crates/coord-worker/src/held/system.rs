//! What Linux offers for processes that are not our children, and the little that is left elsewhere.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(super) use linux::{end_of_supervisor, kill_marked, marked};

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{end_of_supervisor, kill_marked, marked};
