//! What one operating system has and another lacks, behind one interface.
//!
//! Both modules have the same functions; `portable` says what it cannot promise.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::start_time;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
pub use portable::start_time;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::*;
