//! What happened: the facts that the board is folded from. Nothing here is ever overwritten.

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, Cause, MergeMethod, WorkerEnd};
use crate::command::Refusal;
use crate::delivery::{PullAuthor, PullText};
use crate::effect::{ForeignClaim, Outcome};
use crate::ids::{
    AssignmentId, CommitId, EffectKey, IssueRef, MachineName, ProposalId, RepoName, SplitId,
    Timestamp,
};
use crate::lease::Denial;
use crate::proposal::Plan;
use crate::session::{Period, Step, StepResult};
use crate::verdict::{
    ChecksVerdict, Combination, Override, ReviewVerdict, SmokeVerdict, TestFailure, TestVerdict,
};

/// The version of the event bodies that this build writes.
pub const EVENT_VERSION: u32 = 1;

/// One fact. The instant stands in `at` of [`Recorded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BoardEvent {
    /// A command was refused.
    Refused {
        /// What, by which rule, and what would change it.
        refusal: Refusal,
    },
    /// An assignment claims its issue; its state is `waiting`.
    AssignmentWaits {
        /// The assignment as it was requested.
        assignment: Box<Assignment>,
        /// What it waits for.
        why: Refusal,
    },
    /// An assignment claims its issue and is to be dispatched; its state is `requested`.
    AssignmentRequested {
        /// The assignment as it was requested, or as it was waiting.
        assignment: Box<Assignment>,
    },
    /// Its claim on the issue stands on the forge.
    ClaimWon {
        /// The assignment.
        id: AssignmentId,
    },
    /// Another coordinator had claimed the issue before.
    ClaimLost {
        /// The assignment.
        id: AssignmentId,
        /// Who, where that claim still stood.
        to: Option<ForeignClaim>,
    },
    /// The agent has accepted it.
    AssignmentAccepted {
        /// The assignment.
        id: AssignmentId,
    },
    /// Its worker runs.
    WorkerStarted {
        /// The assignment.
        id: AssignmentId,
        /// Since when, by the agent's clock.
        at: Timestamp,
    },
    /// It was seen to change more paths.
    FilesObserved {
        /// The assignment.
        id: AssignmentId,
        /// The new ones only.
        paths: Vec<String>,
        /// Those of them that another assignment holds, or that no worker may change; the others
        /// are its own from now on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        foreign: Vec<String>,
    },
    /// Paths that nobody else holds are its own from now on.
    LeaseGranted {
        /// The assignment.
        id: AssignmentId,
        /// The new ones only.
        paths: Vec<String>,
    },
    /// Its worker was kept from changing a path.
    EditDenied {
        /// The assignment.
        id: AssignmentId,
        /// The path.
        path: String,
        /// The tool that it wanted to use; empty where that is not known.
        tool: String,
        /// Why.
        why: Denial,
    },
    /// Its worker changed a path although nobody could be asked whether it may.
    EditUnchecked {
        /// The assignment.
        id: AssignmentId,
        /// The path.
        path: String,
    },
    /// Its worker changed files that no worker may change, and they were put back.
    FilesRestored {
        /// The assignment.
        id: AssignmentId,
        /// The paths.
        paths: Vec<String>,
    },
    /// It is going to conflict with another one, or with its base, as both are now.
    ConflictForeseen {
        /// The one that is told: of two the later.
        id: AssignmentId,
        /// The other one; `None`: the base.
        with: Option<AssignmentId>,
        /// The paths in conflict.
        paths: Vec<String>,
    },
    /// It is not going to conflict any more.
    ConflictGone {
        /// The one that was told.
        id: AssignmentId,
        /// The other one; `None`: the base.
        with: Option<AssignmentId>,
    },
    /// There is a new plan: what was proposed before and is not under way is gone.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// A person has approved a proposal.
    ProposalApproved {
        /// The proposal.
        proposal: ProposalId,
        /// The assignment that carries it out.
        id: AssignmentId,
    },
    /// A person has put a proposal aside.
    ProposalRejected {
        /// The proposal.
        proposal: ProposalId,
    },
    /// A person has put a proposed split aside.
    SplitRejected {
        /// The split.
        split: SplitId,
    },
    /// The sub-issues of a split are to be created.
    SplitStarted {
        /// The split.
        split: SplitId,
        /// The key of the effect.
        key: EffectKey,
    },
    /// The sub-issues of a split are there.
    SplitDone {
        /// The split.
        split: SplitId,
        /// The issue that was split.
        issue: IssueRef,
        /// The numbers of its sub-issues, in order.
        created: Vec<u64>,
    },
    /// The sub-issues of a split could not all be created.
    SplitFailed {
        /// The split.
        split: SplitId,
        /// Why.
        error: String,
    },
    /// Two active assignments were seen to change, or declared, the same path.
    OverlapObserved {
        /// The one that was seen.
        id: AssignmentId,
        /// The other one.
        other: AssignmentId,
        /// The path.
        path: String,
    },
    /// Its worker asks something.
    WorkerStuck {
        /// The assignment.
        id: AssignmentId,
        /// The question.
        question: String,
    },
    /// A person answers its worker, which is told, or whoever goes on with it.
    WorkerGuided {
        /// The assignment.
        id: AssignmentId,
        /// What the person says.
        guidance: String,
    },
    /// Its worker could not be told any more.
    GuidanceUnheard {
        /// The assignment.
        id: AssignmentId,
        /// Why.
        error: String,
    },
    /// Another assignment goes on with it.
    AssignmentSuperseded {
        /// The assignment.
        id: AssignmentId,
        /// The one that goes on with it.
        by: AssignmentId,
        /// Why.
        cause: Cause,
    },
    /// The account of a machine has hit a usage limit.
    RateLimited {
        /// The machine.
        machine: MachineName,
        /// Until when nothing is started there.
        resets_at: Timestamp,
    },
    /// A person asked for it to stop.
    StopRequested {
        /// The assignment.
        id: AssignmentId,
    },
    /// Its worker has ended, or never started.
    AssignmentEnded {
        /// The assignment.
        id: AssignmentId,
        /// When.
        at: Timestamp,
        /// How.
        end: Box<WorkerEnd>,
    },
    /// Its agent no longer knows it.
    AssignmentLost {
        /// The assignment.
        id: AssignmentId,
    },
    /// The agent could not be reached; recorded once per silence.
    AgentSilent {
        /// The agent.
        machine: MachineName,
        /// Why.
        error: String,
    },
    /// The agent answers again.
    AgentBack {
        /// The agent.
        machine: MachineName,
    },
    /// Its branch is to be tested.
    TestStarted {
        /// The assignment.
        id: AssignmentId,
    },
    /// A test result for a commit.
    TestRecorded {
        /// The assignment.
        id: AssignmentId,
        /// The verdict with its commit.
        verdict: TestVerdict,
    },
    /// Its test could not be run, or not to its end.
    TestBroken {
        /// The assignment.
        id: AssignmentId,
        /// Why.
        failure: TestFailure,
    },
    /// A person wants its pull request.
    PullWanted {
        /// The assignment.
        id: AssignmentId,
        /// Who writes its text.
        author: PullAuthor,
        /// Whether a review of it is wanted too.
        review: bool,
    },
    /// A worker has written the text of its pull request.
    PullWritten {
        /// The assignment whose pull request it is.
        id: AssignmentId,
        /// The text.
        text: PullText,
    },
    /// Its pull request is open.
    PullOpened {
        /// The assignment.
        id: AssignmentId,
        /// The number of the pull request.
        number: u64,
    },
    /// The forge does not open its pull request.
    PullRefused {
        /// The assignment.
        id: AssignmentId,
        /// Why.
        reason: String,
    },
    /// A reviewer has judged it.
    ReviewRecorded {
        /// The assignment whose branch was reviewed.
        id: AssignmentId,
        /// The verdict with its commit.
        verdict: Box<ReviewVerdict>,
    },
    /// The answer of a reviewer or author is of no use.
    AnswerRefused {
        /// Whose answer.
        id: AssignmentId,
        /// Why.
        why: String,
    },
    /// It was tried out on a machine that has what it needs.
    SmokeRecorded {
        /// The assignment whose branch was tried.
        id: AssignmentId,
        /// The verdict with its commit.
        verdict: SmokeVerdict,
    },
    /// The forge's own checks of it have ended.
    ChecksRecorded {
        /// The assignment.
        id: AssignmentId,
        /// The verdict with its commit.
        verdict: ChecksVerdict,
    },
    /// A person has set a gate aside.
    GateOverridden {
        /// The assignment.
        id: AssignmentId,
        /// Which one, for which commit, and why.
        set_aside: Override,
    },
    /// Somebody has pushed to its branch: what was found out about the old tip counts no more.
    BranchMoved {
        /// The assignment.
        id: AssignmentId,
        /// The tip now.
        head: CommitId,
    },
    /// It is green on top of what is merged before it.
    CombinationGreen {
        /// The assignment.
        id: AssignmentId,
        /// Which combination.
        combination: Combination,
    },
    /// It is red on top of what is merged before it.
    CombinationRed {
        /// The assignment.
        id: AssignmentId,
        /// The tip of the base.
        base: CommitId,
        /// The entry that it does not go together with; `None`: what is in the base.
        with: Option<AssignmentId>,
        /// One line.
        note: String,
        /// The end of what the test has said; untrusted.
        output: Option<String>,
    },
    /// The base of a repository is somewhere else than its combinations were tested on.
    BaseMoved {
        /// The repository.
        repo: RepoName,
        /// Where it is.
        base: CommitId,
    },
    /// Its running worker has used more.
    SpendingObserved {
        /// The assignment.
        id: AssignmentId,
        /// US dollars so far, by its agent's estimate.
        cost_usd: f64,
    },
    /// A budget is used up: its worker is stopped, and its work saved.
    BudgetExceeded {
        /// The assignment.
        id: AssignmentId,
        /// Which budget, with the numbers.
        budget: String,
    },
    /// It entered the merge queue, or was put back into it.
    MergeQueued {
        /// The assignment.
        id: AssignmentId,
        /// How to merge.
        method: MergeMethod,
        /// A person's order.
        order: Option<u32>,
    },
    /// The forge is asked to merge.
    MergeStarted {
        /// The assignment.
        id: AssignmentId,
    },
    /// It is in the base branch.
    Merged {
        /// The assignment.
        id: AssignmentId,
        /// The commit on the base branch.
        commit: CommitId,
        /// What is not as it should be with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    /// It does not merge with the base.
    MergeConflicted {
        /// The assignment.
        id: AssignmentId,
        /// The tip of the base.
        base: CommitId,
        /// The paths in conflict.
        paths: Vec<String>,
    },
    /// The forge refused to merge it.
    MergeRefused {
        /// The assignment.
        id: AssignmentId,
        /// In the forge's words.
        reason: String,
    },
    /// The issue was closed on the forge.
    IssueClosed {
        /// The issue.
        issue: IssueRef,
    },
    /// An effect was put into the outbox.
    EffectQueued {
        /// Its key.
        key: EffectKey,
        /// The assignment that it is for.
        id: AssignmentId,
        /// Not to be carried out before this instant.
        not_before: Option<Timestamp>,
    },
    /// An effect is over.
    EffectSettled {
        /// Its key.
        key: EffectKey,
        /// What came of it.
        outcome: Outcome,
    },
    /// Merged, and nothing is left to do: it leaves the board and stays in the history.
    AssignmentArchived {
        /// The assignment.
        id: AssignmentId,
    },
    /// Nothing is at work any more. Only recorded where something runs then.
    RoundCompleted {
        /// From the first request on.
        period: Box<Period>,
    },
    /// A person has closed the session.
    SessionClosed {
        /// From the first thing that happened in it.
        period: Box<Period>,
    },
    /// A step of a round or session is over.
    StepEnded {
        /// The key of its effect.
        key: EffectKey,
        /// The place in the log of the event that ended the round or session.
        seq: u64,
        /// Which step.
        what: Step,
        /// How it ended.
        result: StepResult,
    },
}

impl BoardEvent {
    /// The assignment that the event is about, where it is about one.
    #[must_use]
    pub const fn assignment(&self) -> Option<&AssignmentId> {
        match self {
            Self::Refused { refusal } => refusal.assignment.as_ref(),
            Self::AssignmentWaits { assignment, .. } | Self::AssignmentRequested { assignment } => {
                Some(&assignment.id)
            }
            Self::ClaimWon { id }
            | Self::ClaimLost { id, .. }
            | Self::AssignmentAccepted { id }
            | Self::WorkerStarted { id, .. }
            | Self::FilesObserved { id, .. }
            | Self::LeaseGranted { id, .. }
            | Self::EditDenied { id, .. }
            | Self::EditUnchecked { id, .. }
            | Self::FilesRestored { id, .. }
            | Self::ConflictForeseen { id, .. }
            | Self::ConflictGone { id, .. }
            | Self::ProposalApproved { id, .. }
            | Self::OverlapObserved { id, .. }
            | Self::WorkerStuck { id, .. }
            | Self::WorkerGuided { id, .. }
            | Self::GuidanceUnheard { id, .. }
            | Self::AssignmentSuperseded { id, .. }
            | Self::StopRequested { id }
            | Self::AssignmentEnded { id, .. }
            | Self::AssignmentLost { id }
            | Self::TestStarted { id, .. }
            | Self::TestRecorded { id, .. }
            | Self::TestBroken { id, .. }
            | Self::PullWanted { id, .. }
            | Self::PullWritten { id, .. }
            | Self::PullOpened { id, .. }
            | Self::PullRefused { id, .. }
            | Self::ReviewRecorded { id, .. }
            | Self::AnswerRefused { id, .. }
            | Self::SmokeRecorded { id, .. }
            | Self::ChecksRecorded { id, .. }
            | Self::GateOverridden { id, .. }
            | Self::BranchMoved { id, .. }
            | Self::CombinationGreen { id, .. }
            | Self::CombinationRed { id, .. }
            | Self::SpendingObserved { id, .. }
            | Self::BudgetExceeded { id, .. }
            | Self::MergeQueued { id, .. }
            | Self::MergeStarted { id }
            | Self::Merged { id, .. }
            | Self::MergeConflicted { id, .. }
            | Self::MergeRefused { id, .. }
            | Self::EffectQueued { id, .. }
            | Self::AssignmentArchived { id } => Some(id),
            Self::Planned { .. }
            | Self::ProposalRejected { .. }
            | Self::SplitRejected { .. }
            | Self::SplitStarted { .. }
            | Self::SplitDone { .. }
            | Self::SplitFailed { .. }
            | Self::BaseMoved { .. }
            | Self::RateLimited { .. }
            | Self::AgentSilent { .. }
            | Self::AgentBack { .. }
            | Self::IssueClosed { .. }
            | Self::EffectSettled { .. }
            | Self::RoundCompleted { .. }
            | Self::SessionClosed { .. }
            | Self::StepEnded { .. } => None,
        }
    }
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// From 1, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: BoardEvent,
}
