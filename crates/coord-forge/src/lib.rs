//! What the coordinator needs of a forge: issues, comments, branches and pull requests.
//!
//! One [`Forge`] value stands for one repository. Nothing here speaks to a network or runs git;
//! the forges do that.

mod error;
mod forge;
mod marks;

pub use error::ForgeError;
pub use forge::{
    BranchRef, COORDINATOR, Comment, Forge, MergeOutcome, NewIssue, NewPull, Pull, PullMerge,
    PullState,
};
pub use marks::marks;
