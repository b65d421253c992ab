//! The trait of all forges, with the data that goes in and out.

use async_trait::async_trait;
use coord_core::assignment::MergeMethod;
use coord_core::effect::CommentEvent;
use coord_core::ids::{AssignmentId, CommitId, Timestamp};
use coord_core::issue::Issue;

use crate::change::{ChangedFile, Comparison};
use crate::check::{Check, RequiredChecks};
use crate::error::ForgeError;
use crate::issue_key::IssueKey;
use crate::marks::marks;
use crate::review::{NewReview, Review};
use crate::sub_issue::{OpenList, SubIssueLink};

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
    /// Under which it is opened once, by whatever call in whatever process.
    pub key: Option<IssueKey>,
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
    /// Whether it would merge as things are now.
    pub mergeable: Mergeable,
}

/// Whether a pull request would merge without a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mergeable {
    /// It would.
    Yes,
    /// It conflicts with its base.
    No,
    /// The forge has not found out, or was not asked: lists do not say it.
    Unknown,
}

/// How a pull request is to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullMerge {
    /// The commit that was tested: nothing is merged when the branch points elsewhere.
    pub head: CommitId,
    /// The tip of the base that it was tested on: nothing is merged onto another one, as far as the
    /// forge can tell beforehand. `None`: any.
    pub onto: Option<CommitId>,
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
    /// The branch points elsewhere than was said. Told before a base that moved.
    HeadMoved {
        /// Where.
        head: CommitId,
    },
    /// The base points elsewhere than was said. Told before a conflict.
    BaseMoved {
        /// Where.
        base: CommitId,
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
/// call has done; for comments see [`Forge::find_comment`], for reviews [`Forge::reviews`].
#[async_trait]
pub trait Forge: Send + Sync {
    /// Every open issue, and which issues they are below.
    async fn open_list(&self) -> Result<OpenList, ForgeError>;

    /// Every open issue, by number. Pull requests are not issues.
    async fn open_issues(&self) -> Result<Vec<Issue>, ForgeError> {
        Ok(self.open_list().await?.issues)
    }

    /// The issue, open or closed; `None` when there is none of that number.
    async fn issue(&self, number: u64) -> Result<Option<Issue>, ForgeError>;

    /// Opens an issue, or finds the one that was opened with the same key.
    ///
    /// Without a key, a second call opens a second issue, unless nobody knows what came of the
    /// first: then it is looked for.
    async fn create_issue(&self, new: NewIssue) -> Result<Issue, ForgeError>;

    /// The sub-issues of the issue in this repository, open and closed, in their order; `None`
    /// where the forge does not know such.
    async fn sub_issues(&self, parent: u64) -> Result<Option<Vec<u64>>, ForgeError>;

    /// Makes an issue the last sub-issue of another one; what is one already stays where it is.
    async fn add_sub_issue(&self, parent: u64, child: u64) -> Result<SubIssueLink, ForgeError>;

    /// Puts `text` at the end of the issue's body, between markers that name `section`; what stood
    /// between them is replaced. `section` is one word of `[a-z0-9-]`.
    ///
    /// Nothing that people write outside of the section is lost, as far as the forge can tell: one
    /// that cannot compare and write in one step looks just before it writes.
    async fn write_section(&self, number: u64, section: &str, text: &str)
    -> Result<(), ForgeError>;

    /// Closes the issue; closing a closed one changes nothing and is no error. `note` is posted as
    /// a comment when this call closes it.
    async fn close_issue(&self, number: u64, note: Option<&str>) -> Result<(), ForgeError>;

    /// Gives the issue labels and takes others away; what is so already stays so.
    async fn label_issue(
        &self,
        number: u64,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ForgeError>;

    /// Every comment on the issue or pull request, the earliest first; with `since` only those
    /// that were written or changed at that instant or later.
    async fn comments(
        &self,
        number: u64,
        since: Option<Timestamp>,
    ) -> Result<Vec<Comment>, ForgeError>;

    /// Comments of the whole repository, each with the number of its issue or pull request, the
    /// latest change first: those that changed at `since` or later, and at most about `limit`.
    async fn recent_comments(
        &self,
        since: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(u64, Comment)>, ForgeError>;

    /// The first trusted comment whose marker names this event of this assignment. To be asked
    /// before a comment is posted whose earlier attempt had an unknown outcome.
    async fn find_comment(
        &self,
        number: u64,
        event: CommentEvent,
        assignment: &AssignmentId,
    ) -> Result<Option<Comment>, ForgeError> {
        let comments = self.comments(number, None).await?;
        Ok(comments
            .into_iter()
            .find(|comment| comment.trusted && marks(&comment.body, event, assignment)))
    }

    /// Posts a comment as the coordinator; `body` holds its marker already.
    async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, ForgeError>;

    /// Replaces the text of a comment of the coordinator.
    async fn edit_comment(&self, id: u64, body: &str) -> Result<(), ForgeError>;

    /// The branch that work is merged into unless somebody says otherwise.
    async fn default_branch(&self) -> Result<String, ForgeError>;

    /// The tip of the branch, as the remote has it now; `None` when there is no such branch.
    async fn branch_head(&self, branch: &str) -> Result<Option<CommitId>, ForgeError>;

    /// The branches whose names start with `prefix`, as the remote has them now, by name.
    async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError>;

    /// How `head` stands to `base`; each is a branch or a commit.
    async fn compare(&self, base: &str, head: &str) -> Result<Comparison, ForgeError>;

    /// The open pull request of the branch, else its latest one.
    async fn pull_for_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError>;

    /// Opens a pull request, or finds the open one of the same branch and base.
    async fn open_pull(&self, new: NewPull) -> Result<Pull, ForgeError>;

    /// The pull request; `None` when there is none of that number.
    async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError>;

    /// The files that the pull request changes, by path.
    async fn pull_files(&self, number: u64) -> Result<Vec<ChangedFile>, ForgeError>;

    /// The unified diff of the pull request against the point where it left its base.
    async fn pull_diff(&self, number: u64) -> Result<String, ForgeError>;

    /// Merges the pull request, provided that its branch still points at the commit that was
    /// tested, and its base at the one that it was tested on. Where a forge cannot make sure of the
    /// base, it looks just before; the commit of the merge tells what it landed on.
    async fn merge_pull(&self, number: u64, merge: &PullMerge) -> Result<MergeOutcome, ForgeError>;

    /// Asks these accounts for a review; asking twice changes nothing.
    async fn request_reviewers(&self, number: u64, accounts: &[String]) -> Result<(), ForgeError>;

    /// Posts a review. Comments on lines that the diff does not have are refused: ask
    /// [`lines_in_diff`](crate::lines_in_diff) first. Called twice it posts two: look for its
    /// marker in [`Forge::reviews`] after an unknown outcome.
    async fn create_review(&self, number: u64, review: &NewReview) -> Result<Review, ForgeError>;

    /// Every review of the pull request, the earliest first.
    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError>;

    /// What checks and commit statuses say of a commit, by name; the latest of each.
    async fn checks(&self, commit: &CommitId) -> Result<Vec<Check>, ForgeError>;

    /// The checks without which the forge merges nothing into `base`.
    async fn required_checks(&self, base: &str) -> Result<RequiredChecks, ForgeError>;
}
