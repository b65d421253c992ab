//! The forge that needs no network: issues, comments, pull requests and reviews are rows of the
//! store, branches and merges are git's.
//!
//! It decides nothing about git: what merges, what conflicts and what was merged before is for
//! `coord-git` to say.

mod checkout;
mod failure;
mod forge;
mod limits;
mod pulls;
mod reviews;

pub use forge::LocalForge;
