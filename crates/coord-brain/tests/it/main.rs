//! The planners from outside: what a model is told, whatever it answers, and what rules propose.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod injection;
mod large;
mod oracle;
mod prompts;
mod rules;
mod world;
