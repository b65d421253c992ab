//! What the coordinator needs of a forge: issues, comments, branches, pull requests, reviews and
//! checks.
//!
//! One [`Forge`] value stands for one repository. Nothing here speaks to a network or runs git;
//! the forges do that.

mod change;
mod check;
mod claims;
mod error;
mod forge;
mod issue_key;
mod marks;
mod review;
mod section;
mod sub_issue;

pub use change::{ChangeKind, ChangedFile, Comparison, lines_in_diff};
pub use check::{Check, CheckState, RequiredChecks};
pub use claims::live_claims;
pub use error::ForgeError;
pub use forge::{
    BranchRef, COORDINATOR, Comment, Forge, MergeOutcome, Mergeable, NewIssue, NewPull, Pull,
    PullMerge, PullState,
};
pub use issue_key::IssueKey;
pub use marks::marks;
pub use review::{LineComment, NewReview, Review, ReviewVerdict};
pub use section::with_section;
pub use sub_issue::{OpenList, SubIssueLink, task_list};
