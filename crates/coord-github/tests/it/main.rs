//! The forge on GitHub against real servers on loopback: the stateful fake GitHub, and a scripted
//! one for what no GitHub would answer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod budget;
mod cache;
mod credentials;
mod faults;
mod flight;
mod forge_checks;
mod forge_comments;
mod forge_issues;
mod forge_merge;
mod forge_oddities;
mod forge_opening;
mod forge_pulls;
mod forge_refs;
mod forge_reviews;
mod forge_sub_issues;
mod oddities;
mod pages;
mod refusals;
mod scene;
mod scripted;
mod secrecy;
mod tour;
mod world;
