//! Reviews of pull requests.

use coord_core::ids::{CommitId, Timestamp};

/// What a review comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewVerdict {
    /// It may be merged.
    Approve,
    /// It may not be merged as it is.
    RequestChanges,
    /// Neither.
    Comment,
    /// It was one of the above, and somebody set it aside.
    Dismissed,
}

/// A review to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// The commit that was reviewed.
    pub head: CommitId,
    /// What it comes to; a review cannot be posted as dismissed.
    pub verdict: ReviewVerdict,
    /// Markdown, with its marker already.
    pub body: String,
    /// Remarks on lines.
    pub comments: Vec<LineComment>,
}

/// A remark on one line of the diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineComment {
    /// Relative to the root of the repository.
    pub path: String,
    /// The line of the new file, from 1.
    pub line: u32,
    /// Markdown.
    pub body: String,
}

/// A review as it was posted. The text is untrusted whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Unique on the forge.
    pub id: u64,
    /// The account that wrote it.
    pub author: String,
    /// Whether markers in it count.
    pub trusted: bool,
    /// What it comes to.
    pub verdict: ReviewVerdict,
    /// The commit that was reviewed; `None` where the forge no longer knows it.
    pub head: Option<CommitId>,
    /// Markdown as it was posted.
    pub body: String,
    /// When it was posted.
    pub at: Timestamp,
}
