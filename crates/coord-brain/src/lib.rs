//! Planners: what is to be worked on next, where, and on which files.
//!
//! There are two of them, and both only propose. [`rules`] needs no model. The other one is a
//! model: [`prompt`] says what it may know, [`schema`] in which shape it has to answer, [`read`]
//! makes drafts of whatever it said, and [`feedback`] tells it once what was refused. What either
//! proposes counts for nothing until `coord_core::proposal::examine` has let it pass.
//!
//! Nothing here calls a model, reads a repository or knows the time: [`Facts`] come in as values.

mod answer;
mod facts;
mod feedback;
mod guess;
mod mention;
mod prompt;
mod rank;
pub mod rules;
mod schema;
mod size;
mod text;
mod wanted;

pub use answer::{AnswerError, Drafts, read, read_value};
pub use facts::{Facts, PastChange, PastFailure, Remark, RepoFacts};
pub use feedback::feedback;
pub use mention::words_of_interest;
pub use prompt::{Ask, prompt};
pub use schema::schema;
pub use wanted::words_wanted;
