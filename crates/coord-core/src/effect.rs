//! What the shell has to do, as data, and what came of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::assignment::{AssignmentKind, FileScope, FreshnessRule, MergeMethod, Start};
use crate::failure::FailureClass;
use crate::ids::{
    AssignmentId, CommitId, EffectKey, IssueRef, MachineName, RepoName, SplitId, Timestamp,
};
use crate::key::EffectKind;
use crate::lease::LeaseMode;
use crate::proposal::Chunk;
use crate::session::{Step, StepResult};
use crate::verdict::{Finding, ReviewResult, TestResult};

/// An effect with its idempotency key: one row of the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRequest {
    /// The same key is never enqueued twice.
    pub key: EffectKey,
    /// What to do.
    pub effect: Effect,
    /// Not to be carried out before this instant.
    pub not_before: Option<Timestamp>,
}

/// Something to be done outside. Carrying one out twice must be the same as once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// Hand the assignment to its agent.
    Dispatch(Box<DispatchSpec>),
    /// Claim the issue on a forge that others use too: post the comment, which carries the claim,
    /// and see whether an earlier one stands. Of live claims the lowest comment id wins.
    Claim {
        /// The briefing comment: its marker is the claim.
        comment: CommentSpec,
        /// Claims up to this comment id were set aside by a person.
        above: Option<u64>,
    },
    /// Take the claim of an assignment back.
    ReleaseClaim {
        /// The claimed issue.
        issue: IssueRef,
        /// The assignment that claimed it.
        id: AssignmentId,
        /// Where it was to run.
        machine: MachineName,
    },
    /// Ask the agent to stop the worker.
    Cancel {
        /// The agent to ask.
        machine: MachineName,
        /// The assignment to stop.
        id: AssignmentId,
    },
    /// Tell the running worker something, once per key.
    Guide {
        /// The agent to ask.
        machine: MachineName,
        /// Whose worker.
        id: AssignmentId,
        /// What a person says.
        guidance: String,
        /// The place in the log of the event that says so, which tells it from anything else that
        /// the worker is told.
        seq: u64,
    },
    /// Tell the running worker what the coordinator has found out, once per key.
    Tell {
        /// The agent to ask.
        machine: MachineName,
        /// Whose worker.
        id: AssignmentId,
        /// In our own words.
        text: String,
        /// The place in the log of the event that says so.
        seq: u64,
    },
    /// Create the sub-issues of an issue, each once, and list them in its body.
    Split(Box<SplitSpec>),
    /// Post a comment, once per marker.
    PostComment(CommentSpec),
    /// Check the commit out into a throwaway worktree and run build and tests there.
    RunTest {
        /// The assignment that the verdict is for.
        id: AssignmentId,
        /// Whose branch it is.
        issue: IssueRef,
        /// The branch that holds the commit.
        branch: String,
        /// The commit to test.
        head: CommitId,
    },
    /// Open the pull request of a branch, or find the one that is open.
    OpenPull {
        /// The assignment whose work it is.
        id: AssignmentId,
        /// The issue that it solves.
        issue: IssueRef,
        /// The branch.
        branch: String,
        /// One line.
        title: String,
        /// Markdown, without the words that close the issue.
        body: String,
    },
    /// Check the answer of a reviewer or an author against its schema and the diff; post a review.
    JudgeAnswer(Box<AnswerSpec>),
    /// Wait for what the forge's own checks say.
    ReadChecks {
        /// The assignment whose work it is.
        id: AssignmentId,
        /// The issue that it solves.
        issue: IssueRef,
        /// The branch.
        branch: String,
        /// Its tip.
        head: CommitId,
    },
    /// Build what the base branch would be with the first entry, with the first two and so on, and
    /// test each; of the first that is red twice, find the entry that it does not go together with.
    TestCombination {
        /// The repository.
        repo: RepoName,
        /// In the order of merging; never empty.
        entries: Vec<CombinationEntry>,
    },
    /// Merge the branch into the default branch, provided that it still points at `head`.
    Merge {
        /// The assignment whose work it is.
        id: AssignmentId,
        /// The issue that it solves.
        issue: IssueRef,
        /// The title of the issue: the subject of a squash or merge commit.
        title: String,
        /// The branch to merge.
        branch: String,
        /// Its tip when the gates were checked.
        head: CommitId,
        /// How to merge it.
        method: MergeMethod,
        /// The tip of the base that it was tested on; `None`: any.
        #[serde(default)]
        onto: Option<CommitId>,
        /// The tree of the result that was tested, as an object id.
        #[serde(default)]
        tree: Option<String>,
    },
    /// Close the issue, after the proof that its work is in the base branch.
    CloseIssue {
        /// The issue to close.
        issue: IssueRef,
        /// The commit on the base branch that holds the work.
        commit: CommitId,
    },
    /// Run a step of a round or session that is over. Of a command nobody can say what it has done
    /// before a crash: it runs again then.
    RunStep {
        /// The place in the log of the event that ended the round or session.
        seq: u64,
        /// Its place among the steps, from 0.
        place: u32,
        /// What to do.
        what: Step,
    },
}

/// The sub-issues of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSpec {
    /// The proposal.
    pub split: SplitId,
    /// One word that no other split has, on whoever's board: what is created carries it.
    pub key: String,
    /// When it was proposed: nothing of it was created before.
    pub at: Timestamp,
    /// The issue that is split.
    pub parent: IssueRef,
    /// The parts, in order.
    pub chunks: Vec<Chunk>,
}

/// The answer of an assignment that had to give it in a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSpec {
    /// Whose answer.
    pub id: AssignmentId,
    /// A review or the text of a pull request.
    pub kind: AssignmentKind,
    /// Where it ran.
    pub machine: MachineName,
    /// The assignment whose branch it is about.
    pub about: AssignmentId,
    /// The issue that the branch solves.
    pub issue: IssueRef,
    /// The branch.
    pub branch: String,
    /// The commit that was read.
    pub head: CommitId,
    /// The commit that the work started from, where it is known.
    pub base: Option<CommitId>,
    /// The pull request, where there is one.
    pub pull: Option<u64>,
    /// JSON, at most 256 KiB; untrusted.
    pub answer: String,
}

/// A branch in a combination that is tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CombinationEntry {
    /// The assignment whose work it is.
    pub id: AssignmentId,
    /// The branch.
    pub branch: String,
    /// Its tip.
    pub head: CommitId,
    /// How it is going to be merged.
    pub method: MergeMethod,
    /// Whether its own tests are green: where the base holds nothing that it does not, that is
    /// the combination.
    pub tested: bool,
}

/// What came of one entry of a combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combined {
    /// The entry.
    pub id: AssignmentId,
    /// The commit that was meant.
    pub head: CommitId,
    /// What came of it.
    pub result: CombinedResult,
}

/// Green, red, in conflict, or not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum CombinedResult {
    /// Green on top of every green entry before it.
    Green {
        /// The tree that was tested, as an object id.
        tree: Option<String>,
    },
    /// Red twice.
    Red {
        /// The entry before it that it does not go together with; `None`: the base.
        with: Option<AssignmentId>,
        /// One line.
        note: String,
        /// The end of what the test has said; untrusted.
        output: Option<String>,
    },
    /// It does not merge with the base as it is.
    Conflict {
        /// The paths in conflict.
        paths: Vec<String>,
    },
    /// Its branch points elsewhere.
    HeadMoved {
        /// Where.
        head: CommitId,
    },
    /// It was not tried, because of one before it.
    Later,
}

/// What somebody who reads or tries out a branch needs beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingSpec {
    /// The assignment whose branch it is.
    pub about: AssignmentId,
    /// The branch.
    pub branch: String,
    /// Its tip, which is checked out.
    pub head: CommitId,
    /// The commit that the work started from, where it is known.
    pub base: Option<CommitId>,
    /// The pull request, where there is one.
    pub pull: Option<u64>,
    /// The last review of the branch before this commit.
    pub reviewed: Option<EarlierReview>,
    /// Where the commit comes from somebody who was to put something right: the tip before that.
    pub fixed_from: Option<CommitId>,
}

/// A review of an earlier tip of the same branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierReview {
    /// The commit that was reviewed.
    pub head: CommitId,
    /// What was found; untrusted.
    pub findings: Vec<Finding>,
}

/// Everything an agent needs to start a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DispatchSpec {
    /// The assignment.
    pub id: AssignmentId,
    /// What it is for.
    #[serde(default)]
    pub kind: AssignmentKind,
    /// What it looks at, where it does not write itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Box<ServingSpec>>,
    /// The agent to hand it to.
    pub machine: MachineName,
    /// The issue to work on.
    pub issue: IssueRef,
    /// Its title.
    pub title: String,
    /// What the worker is asked to do.
    pub briefing: String,
    /// The issue's own text, where `briefing` is a person's: the worker trusts the two differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_body: Option<String>,
    /// What it may and may not change.
    pub scope: FileScope,
    /// How leases on files are enforced.
    #[serde(default)]
    pub leases: LeaseMode,
    /// What those before it were granted beyond its scope: its own now.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leased: BTreeSet<String>,
    /// Paths that other active work in the repository changes.
    pub do_not_touch: Vec<String>,
    /// The branch to create, or to go on with.
    pub branch: String,
    /// Where the worker starts.
    #[serde(default)]
    pub start: Start,
    /// The model; `None` leaves it to the worker.
    pub model: Option<String>,
    /// US dollars that the worker may use.
    pub max_budget_usd: Option<f64>,
    /// What to do about checkouts that are behind their forge.
    #[serde(default)]
    pub freshness: FreshnessRule,
}

/// A claim on an issue by an assignment that is on nobody's board here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignClaim {
    /// The comment that carries it.
    pub comment: u64,
    /// Whose comment that is.
    pub author: String,
    /// The assignment of the other coordinator.
    pub assignment: AssignmentId,
    /// Where it runs, as that coordinator names its machines.
    pub machine: MachineName,
    /// When it was posted.
    pub at: Timestamp,
}

impl fmt::Display for ForeignClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "assignment {} of another coordinator on {} (comment {} by {})",
            self.assignment, self.machine, self.comment, self.author
        )
    }
}

/// What a comment is about: the `event` of its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentEvent {
    /// What the worker was asked to do.
    Briefing,
    /// The worker ended well.
    Completion,
    /// The worker failed.
    Failure,
    /// The worker asks something.
    Stuck,
    /// The work is in the base branch.
    Merge,
    /// A reviewer has judged it.
    Review,
    /// The claim that the comment carried is taken back.
    Withdrawn,
}

impl CommentEvent {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Briefing,
        Self::Completion,
        Self::Failure,
        Self::Stuck,
        Self::Merge,
        Self::Review,
        Self::Withdrawn,
    ];

    /// The word in the marker.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Briefing => "briefing",
            Self::Completion => "completion",
            Self::Failure => "failure",
            Self::Stuck => "stuck",
            Self::Merge => "merge",
            Self::Review => "review",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A comment to be posted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentSpec {
    /// Where to post it.
    pub issue: IssueRef,
    /// What it is about.
    pub event: CommentEvent,
    /// Whose doing it reports.
    pub assignment: AssignmentId,
    /// Where that ran.
    pub machine: MachineName,
    /// For completion and failure.
    pub exit_code: Option<i32>,
    /// Markdown for people, without the marker.
    pub text: String,
}

/// What came of an effect. Transient failures never get here: the runner tries again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The agent has the assignment and answers for it from now on.
    Dispatched,
    /// The claim stands, and no earlier one does.
    Claimed,
    /// Somebody else had claimed the issue before; the claim is taken back.
    ClaimLost {
        /// Who; `None` when that claim is gone in the meantime.
        to: Option<ForeignClaim>,
    },
    /// No claim of the assignment stands any more.
    ClaimReleased,
    /// The agent was asked to stop the worker, or no longer has one.
    CancelDelivered,
    /// The worker was told.
    Guided,
    /// The worker was told, or nobody is there to be told any more.
    Told,
    /// The sub-issues are there.
    SplitDone {
        /// Their numbers, in order.
        created: Vec<u64>,
    },
    /// The comment is there.
    CommentPosted,
    /// The test ran, or was skipped for the lack of a command.
    Tested {
        /// Green, red or skipped.
        result: TestResult,
        /// One line for people.
        note: String,
        /// The end of what a red test has said, at most [`crate::verdict::OUTPUT`] bytes.
        #[serde(default)]
        output: Option<String>,
    },
    /// The pull request is open.
    PullOpened {
        /// Its number.
        number: u64,
    },
    /// The answer is a review, which is posted; its places are in the diff.
    Reviewed {
        /// What it comes to.
        result: ReviewResult,
        /// A few sentences.
        summary: String,
        /// Remarks.
        findings: Vec<Finding>,
    },
    /// The answer is the text of a pull request.
    PullWritten {
        /// One line.
        title: String,
        /// Markdown.
        body: String,
    },
    /// The answer is of no use.
    AnswerInvalid {
        /// Why.
        why: String,
    },
    /// The forge's checks have ended.
    ChecksRead {
        /// Whether every check that is expected is known to be good.
        good: bool,
        /// One line for people.
        note: String,
    },
    /// The combinations are tested, as far as it made sense.
    Combined {
        /// The tip of the base that they were built on.
        base: CommitId,
        /// For each entry, in their order.
        results: Vec<Combined>,
    },
    /// The base is not where the combination was tested.
    BaseMoved {
        /// Where it is.
        base: CommitId,
    },
    /// The branch is not at the commit that the gates hold for.
    HeadMoved {
        /// Where it is.
        head: CommitId,
    },
    /// The work is in the base branch.
    Merged {
        /// The commit on the base branch that holds it.
        commit: CommitId,
        /// What is not as it should be: e.g. that the tree is not the one that was tested.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// The work does not merge with the base as it is now.
    MergeConflict {
        /// The tip of the base.
        base: CommitId,
        /// The paths in conflict.
        paths: Vec<String>,
    },
    /// The forge refused to merge.
    MergeRefused {
        /// In the forge's words.
        reason: String,
    },
    /// The issue is closed.
    IssueClosed,
    /// The step is over.
    StepEnded {
        /// How it ended.
        result: StepResult,
    },
    /// The effect cannot be carried out, now or later.
    Failed {
        /// Why, as a class.
        class: FailureClass,
        /// Why, for people.
        error: String,
    },
}

impl Outcome {
    /// The kind of effect that it answers; `None` for a failure, which answers any.
    #[must_use]
    pub const fn kind(&self) -> Option<EffectKind> {
        Some(match self {
            Self::Dispatched => EffectKind::Dispatch,
            Self::Claimed | Self::ClaimLost { .. } => EffectKind::Claim,
            Self::ClaimReleased => EffectKind::Release,
            Self::CancelDelivered => EffectKind::Cancel,
            Self::Guided => EffectKind::Guide,
            Self::Told => EffectKind::Tell,
            Self::SplitDone { .. } => EffectKind::Split,
            Self::CommentPosted => EffectKind::Comment,
            Self::Tested { .. } => EffectKind::Test,
            Self::PullOpened { .. } => EffectKind::Pull,
            Self::Reviewed { .. } | Self::PullWritten { .. } | Self::AnswerInvalid { .. } => {
                EffectKind::Judge
            }
            Self::ChecksRead { .. } => EffectKind::Checks,
            Self::Combined { .. } => EffectKind::Combine,
            Self::Merged { .. }
            | Self::MergeConflict { .. }
            | Self::MergeRefused { .. }
            | Self::BaseMoved { .. }
            | Self::HeadMoved { .. } => EffectKind::Merge,
            Self::IssueClosed => EffectKind::Close,
            Self::StepEnded { .. } => EffectKind::Step,
            Self::Failed { .. } => return None,
        })
    }

    /// The outcome as an answer to an effect of `kind`. An answer to another question is a defect
    /// of whoever gave it: it counts as a failure, so that nothing hangs on it for ever.
    pub(crate) fn answering(&self, kind: Option<EffectKind>) -> Cow<'_, Self> {
        if self.kind().is_none_or(|it| Some(it) == kind) {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self::Failed {
            class: FailureClass::Configuration,
            error: format!("the answer was of another kind: {self:?}"),
        })
    }
}
