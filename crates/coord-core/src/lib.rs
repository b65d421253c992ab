//! The domain of `coord`: ids, assignments, the event-sourced board, and the pure decisions.
//!
//! Nothing here touches a clock, randomness, a file, a socket, a process or the environment:
//! `now` and fresh ids come in as values. [`decide`] turns (board, policy, command, now) into
//! events and effects; [`Board::apply`] folds events back into a board.

pub mod assignment;
pub mod board;
pub mod command;
pub mod comment;
mod continuation;
mod decide;
pub mod delivery;
pub mod dependency;
pub mod effect;
pub mod event;
pub mod failure;
pub mod fate;
pub mod gates;
pub mod graph;
pub mod ids;
pub mod issue;
pub mod key;
pub mod ladder;
pub mod lease;
pub mod marker;
mod obstacle;
mod pipeline;
pub mod placement;
pub mod policy;
pub mod proposal;
pub mod queue;
pub mod radar;
mod repair;
pub mod scope;
pub mod session;
pub mod stage;
mod standing;
pub mod verdict;
pub mod why;

pub use board::Board;
pub use command::{Command, Decision, Refusal};
pub use decide::decide;
pub use event::{BoardEvent, Recorded};
pub use gates::gates;
pub use policy::Policy;
pub use stage::stage;
pub use why::why;
