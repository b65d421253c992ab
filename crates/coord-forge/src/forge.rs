//! The trait of all forges, with the data that goes in and out.

use async_trait::async_trait;
use coord_core::assignment::MergeMethod;
use coord_core::effect::CommentEvent;
use coord_core::ids::{AssignmentId, CommitId, Timestamp};
use coord_core::issue::Issue;

use crate::error::ForgeError;

/// The author of the coordinator's own comments on forges that have no accounts.
pub const COORDINATOR: &str = "coord";

/// An issue to be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewIssue {
    /// One line, not empty.
    pub title: String,
    /// Markdown; may be empty.
    pub body: String,
    /// Label names.
    pub labels: Vec<String>,
}

/// A comment on an issue or pull request. The text is untrusted whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Unique on the forge.
    pub id: u64,
    /// The account that wrote it.
    pub author: String,
    /// Whether markers in it count: it is the coordinator's own or a collaborator's.
    pub trusted: bool,
    /// Markdown as it was posted.
    pub body: String,
    /// When it was posted.
    pub at: Timestamp,
}

/// A branch on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchRef {
    /// Without `refs/heads/`.
    pub name: String,
    /// Its tip.
    pub head: CommitId,
}

/// A pull request to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPull {
    /// One line, not empty.
    pub title: String,
    /// Markdown; may be empty.
    pub body: String,
    /// The branch with the work; it is there already.
    pub branch: String,
    /// The branch that it is to be merged into.
    pub base: String,
}

/// Where a pull request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullState {
    /// It may be merged.
    Open,
    /// Given up without a merge.
    Closed,
    /// In its base branch.
    Merged {
        /// The commit on the base branch that holds the work.
        commit: CommitId,
    },
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number; issues and pull requests of a repository share one sequence.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// The branch with the work.
    pub branch: String,
    /// The tip of that branch: as it is now while the pull request is open and the branch there.
    pub head: Option<CommitId>,
    /// The branch that it is to be merged into.
    pub base: String,
    /// Where it stands.
    pub state: PullState,
}

/// How a pull request is to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullMerge {
    /// The commit that was tested: the merge is refused when the branch points elsewhere.
    pub head: CommitId,
    /// How.
    pub method: MergeMethod,
    /// The message of a squash or merge commit; its first line is the subject. A rebase keeps the
    /// messages of the commits.
    pub message: String,
    /// Whose work it is; new commits on the base name it in a trailer, where the forge makes them.
    pub assignment: AssignmentId,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The work is in the base branch, by this call or by an earlier one.
    Merged {
        /// The commit on the base branch that holds it.
        commit: CommitId,
    },
    /// The work does not merge with the base as it is now.
    Conflict {
        /// The tip of the base.
        base: CommitId,
        /// The paths in conflict, relative to the root of the repository.
        paths: Vec<String>,
    },
    /// A person has to look at it.
    Refused {
        /// In the forge's words: lower case, no final period.
        reason: String,
    },
}

/// One repository on a forge.
///
/// Every call may be repeated after an unknown outcome: what opens or merges finds what an earlier
/// call has done; for comments see [`Forge::find_comment`].
#[async_trait]
pub trait Forge: Send + Sync {
    /// Every open issue, by number. Pull requests are not issues.
    async fn open_issues(&self) -> Result<Vec<Issue>, ForgeError>;

    /// The issue, open or closed; `None` when there is none of that number.
    async fn issue(&self, number: u64) -> Result<Option<Issue>, ForgeError>;

    /// Opens an issue. The one call whose repetition makes a second one.
    async fn create_issue(&self, new: NewIssue) -> Result<Issue, ForgeError>;

    /// Closes the issue; closing a closed one changes nothing and is no error. `note` is posted as
    /// a comment when this call closes it.
    async fn close_issue(&self, number: u64, note: Option<&str>) -> Result<(), ForgeError>;

    /// Every comment on the issue or pull request, the earliest first.
    async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError>;

    /// The first trusted comment whose marker names this event of this assignment. To be asked
    /// before a comment is posted whose earlier attempt had an unknown outcome.
    async fn find_comment(
        &self,
        number: u64,
        event: CommentEvent,
        assignment: &AssignmentId,
    ) -> Result<Option<Comment>, ForgeError>;

    /// Posts a comment as the coordinator; `body` holds its marker already.
    async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, ForgeError>;

    /// The branches whose names start with `prefix`, as the remote has them now, by name.
    async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError>;

    /// The open pull request of the branch, else its latest one.
    async fn pull_for_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError>;

    /// Opens a pull request, or finds the open one of the same branch and base.
    async fn open_pull(&self, new: NewPull) -> Result<Pull, ForgeError>;

    /// The pull request; `None` when there is none of that number.
    async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError>;

    /// Merges the pull request, provided that its branch still points at the commit that was
    /// tested.
    async fn merge_pull(&self, number: u64, merge: &PullMerge) -> Result<MergeOutcome, ForgeError>;
}
