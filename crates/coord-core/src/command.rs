//! What somebody wants, what the answer is, and why it was refused.

use serde::{Deserialize, Serialize};

use crate::assignment::{
    AssignmentKind, FileScope, FreshnessRule, Goal, MergeMethod, Waivers, WorkerEnd,
};
use crate::delivery::PullAuthor;
use crate::effect::{EffectRequest, ForeignClaim, Outcome};
use crate::event::BoardEvent;
use crate::ids::{
    AssignmentId, CommitId, EffectKey, IssueRef, MachineName, ProposalId, RepoName, SplitId,
    Timestamp,
};
use crate::issue::Issue;
use crate::ladder::TrackRecord;
use crate::lease::Denial;
use crate::policy::Gate;
use crate::proposal::{Candidates, Planner, ProposalDraft, Size, SplitDraft};
use crate::radar::Sighting;
use crate::verdict::TestResult;

/// Everything that can change the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Put a worker on an issue.
    Assign(Box<AssignRequest>),
    /// Go on with an assignment that came to nothing, or not to what was wanted.
    Retry(Box<RetryRequest>),
    /// Tell the worker of an assignment something while it runs.
    Guide {
        /// The assignment.
        id: AssignmentId,
        /// What the person says.
        guidance: String,
    },
    /// Stop a worker, or withdraw an assignment that waits.
    Stop {
        /// The assignment to stop.
        id: AssignmentId,
    },
    /// Test the branch of a finished assignment.
    Test {
        /// The assignment to test.
        id: AssignmentId,
    },
    /// A person's test verdict, for the head that the assignment has now.
    RecordVerdict {
        /// The assignment that it is for.
        id: AssignmentId,
        /// Passed, failed or skipped.
        result: TestResult,
        /// The reason, for people.
        note: String,
        /// What the test has said, as far as somebody who puts it right should know.
        #[serde(default)]
        output: Option<String>,
    },
    /// Somebody has looked where the branch of a finished assignment is.
    BranchSeen {
        /// The assignment.
        id: AssignmentId,
        /// Its tip on the forge.
        head: CommitId,
    },
    /// Have the pull request of a finished branch opened.
    OpenPull {
        /// The assignment.
        id: AssignmentId,
        /// Who writes its text.
        author: PullAuthor,
        /// Whether a review of it is wanted too.
        review: bool,
    },
    /// Have a finished branch read or tried out.
    Serve(Box<ServeRequest>),
    /// Have a finished branch put right.
    Fix(Box<FixRequest>),
    /// Put finished assignments into the merge queue and merge what may be merged.
    Merge {
        /// Which ones; empty means every finished assignment with commits that is not merged.
        ids: Vec<AssignmentId>,
        /// Only those of this repository.
        repo: Option<RepoName>,
        /// How to merge.
        method: MergeMethod,
        /// Whether `ids` is also the order of merging.
        ordered: bool,
        /// Gates to set aside for them as they are now, with the reason.
        #[serde(default)]
        set_aside: Option<SetAside>,
    },
    /// An agent's word about one of its assignments.
    Report {
        /// The agent.
        machine: MachineName,
        /// The assignment.
        id: AssignmentId,
        /// What it said.
        report: AgentReport,
    },
    /// Nobody could reach the agent just now.
    AgentUnreachable {
        /// The agent.
        machine: MachineName,
        /// Why, for people.
        error: String,
    },
    /// Somebody has tried to reach the agent all the time, without success, for as long as it may
    /// be silent.
    AgentStale {
        /// The agent.
        machine: MachineName,
    },
    /// The agent answered.
    AgentReachable {
        /// The agent.
        machine: MachineName,
    },
    /// What came of an effect.
    Outcome {
        /// The key of the effect.
        key: EffectKey,
        /// What came of it.
        outcome: Outcome,
    },
    /// Close the session: everything since the last one was closed.
    CloseSession {
        /// Close it although something is at work; that goes on and belongs to the next one too.
        force: bool,
        /// The repositories that have a checkout on this machine.
        checkouts: Vec<RepoName>,
    },
    /// A planner has proposed something: whatever is valid of it replaces what was proposed before.
    Plan(Box<PlanRequest>),
    /// Put proposals aside.
    Reject {
        /// Proposed assignments.
        proposals: Vec<ProposalId>,
        /// Proposed splits.
        splits: Vec<SplitId>,
    },
    /// Create the sub-issues of a proposed split.
    Split {
        /// Which one.
        id: SplitId,
    },
    /// These issues turned out to be closed: nothing waits for them any more.
    IssuesClosed {
        /// Which ones.
        issues: Vec<IssueRef>,
    },
    /// Somebody has looked which branches of a repository are going to conflict.
    RadarSeen(Box<Sighting>),
    /// Time has passed: start what has waited for it.
    Tick,
}

/// What a person asks for with `coord assign`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssignRequest {
    /// A fresh id.
    pub id: AssignmentId,
    /// Where to run it; `None` lets `decide` choose the machine with the most free slots.
    pub machine: Option<MachineName>,
    /// The repository.
    pub repo: RepoName,
    /// The issue as the forge has it now.
    pub issue: Issue,
    /// The model, before label and default.
    pub model: Option<String>,
    /// What to do; `None` means what the issue says.
    pub briefing: Option<String>,
    /// Declared globs.
    pub scope: FileScope,
    /// What the forge says about existing work on the issue.
    pub evidence: ClaimEvidence,
    /// Whether it may wait for what stands in its way.
    pub when_blocked: WhenBlocked,
    /// Rules that the person sets aside.
    pub waivers: Waivers,
    /// How far the coordinator takes it.
    pub goal: Goal,
    /// What its dispatch does about stale checkouts.
    pub freshness: FreshnessRule,
    /// The proposal that it carries out.
    #[serde(default)]
    pub proposal: Option<ProposalId>,
    /// What a planner adds to the issue. It may repeat what a stranger wrote there.
    #[serde(default)]
    pub notes: Option<String>,
    /// How much work a planner sees in it.
    #[serde(default)]
    pub size: Option<Size>,
    /// The open issues that have to be solved before it.
    #[serde(default)]
    pub blocked_by: Vec<IssueRef>,
    /// How earlier assignments in the repository have done.
    #[serde(default)]
    pub record: TrackRecord,
}

/// What a planner has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Who it is.
    pub planner: Planner,
    /// US dollars that it has cost.
    pub cost_usd: f64,
    /// The issues that it could choose from.
    #[serde(with = "as_list")]
    pub candidates: Candidates,
    /// What it proposes.
    pub proposals: Vec<ProposalDraft>,
    /// What it proposes to split.
    pub splits: Vec<SplitDraft>,
    /// What was of no use before it could be examined.
    pub refused: Vec<Refusal>,
}

/// JSON knows only texts as keys.
mod as_list {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::ids::IssueRef;
    use crate::proposal::{Candidate, Candidates};

    pub(super) fn serialize<S: Serializer>(map: &Candidates, to: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Candidates, D::Error> {
        Ok(Vec::<(IssueRef, Candidate)>::deserialize(from)?
            .into_iter()
            .collect())
    }
}

/// What a person asks for with `coord retry`, and with `coord resume-stuck` once the worker has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryRequest {
    /// A fresh id.
    pub id: AssignmentId,
    /// The assignment to go on with.
    pub follows: AssignmentId,
    /// Where to run it; `None` lets `decide` choose.
    pub machine: Option<MachineName>,
    /// The model; `None`: one up from the one before, or that one where a session goes on.
    pub model: Option<String>,
    /// What the worker is told beyond its briefing.
    pub guidance: Option<String>,
    /// Whether the session of the worker goes on where that is possible, on its own machine.
    pub resume: bool,
    /// The issue as the forge has it now.
    pub issue: Issue,
    /// What the forge says about existing work on the issue.
    pub evidence: ClaimEvidence,
    /// Whether it may wait for what stands in its way.
    pub when_blocked: WhenBlocked,
    /// Rules that the person sets aside, beside those of the assignment before.
    pub waivers: Waivers,
}

/// What a person asks for with `coord review` and `coord smoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeRequest {
    /// A fresh id.
    pub id: AssignmentId,
    /// A kind that does not write.
    pub kind: AssignmentKind,
    /// The assignment whose branch it is about.
    pub about: AssignmentId,
    /// Where to run it; `None` lets `decide` choose.
    pub machine: Option<MachineName>,
    /// The model; `None`: as configured.
    pub model: Option<String>,
}

/// What a person asks for with `coord fix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixRequest {
    /// A fresh id.
    pub id: AssignmentId,
    /// The assignment whose branch is to be put right.
    pub follows: AssignmentId,
    /// Where to run it; `None` lets `decide` choose.
    pub machine: Option<MachineName>,
    /// The model; `None`: one up from the one before.
    pub model: Option<String>,
    /// What the worker is told beyond what was found.
    pub guidance: Option<String>,
}

/// Gates that a person sets aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Which ones.
    pub gates: Vec<Gate>,
    /// Why, in the person's words; not empty.
    pub reason: String,
}

/// What to do with an assignment that cannot start now but could later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenBlocked {
    /// Refuse it.
    Refuse,
    /// Keep it as `waiting` and start it when nothing stands in its way any more.
    Wait,
}

/// What the forge says about existing work on an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimEvidence {
    /// The forge answered.
    Known {
        /// The branches `issue-N-*` on the forge whose work is not merged and whose pull request
        /// is not closed.
        branches: Vec<String>,
        /// The live claims of other coordinators, the earliest first.
        claims: Vec<ForeignClaim>,
    },
    /// The forge could not be asked.
    Unknown {
        /// Why, for people.
        error: String,
    },
}

impl ClaimEvidence {
    /// Branches alone.
    #[must_use]
    pub const fn branches(branches: Vec<String>) -> Self {
        Self::Known {
            branches,
            claims: Vec::new(),
        }
    }
}

/// An agent's word about one of its assignments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "report")]
pub enum AgentReport {
    /// The worker runs.
    Started {
        /// Since when.
        at: Timestamp,
        /// The commit that it started from.
        base: Option<CommitId>,
    },
    /// The worker was seen to change these paths.
    Files {
        /// Relative to the root of the repository.
        paths: Vec<String>,
    },
    /// The worker says that it is stuck.
    Stuck {
        /// Its question.
        question: String,
    },
    /// The worker wants to change a path that it has no lease on.
    LeaseAsked {
        /// The number of the question, for its agent.
        ask: u64,
        /// Relative to the root of the repository.
        path: String,
    },
    /// The worker was kept from changing a path.
    EditDenied {
        /// Relative to the root of the repository.
        path: String,
        /// The tool that it wanted to use.
        tool: String,
        /// Why.
        why: Denial,
    },
    /// The worker changed a path although nobody could be asked whether it may.
    EditUnchecked {
        /// Relative to the root of the repository.
        path: String,
    },
    /// The worker changed files that no worker may change, and they were put back.
    FilesRestored {
        /// Relative to the root of the repository.
        paths: Vec<String>,
    },
    /// The running worker has used so much.
    Spent {
        /// US dollars so far, over its whole session, by the agent's estimate.
        cost_usd: f64,
    },
    /// The account of the machine has hit a usage limit.
    RateLimited {
        /// Until when.
        resets_at: Timestamp,
    },
    /// The worker has ended.
    Finished {
        /// When.
        at: Timestamp,
        /// How.
        end: Box<WorkerEnd>,
    },
    /// The agent answered and does not know the assignment.
    Unknown,
}

/// The answer of `decide`.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a decision that is not stored never happened"]
pub struct Decision {
    /// What happened, in order; may be empty.
    pub events: Vec<BoardEvent>,
    /// What has to be done now.
    pub effects: Vec<EffectRequest>,
    /// What was refused; the events then hold nothing but the record of the refusal.
    pub refusal: Option<Refusal>,
}

/// A refusal is data: what was refused, by which rule, and what would change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The issue that it is about, where there is one.
    pub issue: Option<IssueRef>,
    /// The assignment that it is about, or that stands in the way.
    pub assignment: Option<AssignmentId>,
    /// One sentence for people: lower case, no final period.
    pub why: String,
    /// What would change it, for people.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal by `rule` for the reason `why`.
    #[must_use]
    pub fn new(rule: Rule, why: impl Into<String>) -> Self {
        Self {
            rule,
            issue: None,
            assignment: None,
            why: why.into(),
            hint: None,
        }
    }

    /// Says which issue it is about.
    #[must_use]
    pub fn of_issue(mut self, issue: &IssueRef) -> Self {
        self.issue = Some(issue.clone());
        self
    }

    /// Says which assignment it is about, or which one stands in the way.
    #[must_use]
    pub fn of_assignment(mut self, id: &AssignmentId) -> Self {
        self.assignment = Some(id.clone());
        self
    }

    /// Says what would change it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The rule that refused something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Machine, repository or model is not in the configuration, or they do not go together.
    Configuration,
    /// No assignment has this id.
    UnknownAssignment,
    /// No open issue of this number is known.
    UnknownIssue,
    /// No proposal has this id.
    UnknownProposal,
    /// The issue is closed.
    IssueClosed,
    /// It is there twice.
    Duplicate,
    /// It is not what it should look like.
    Invalid,
    /// The machine does not have what it takes.
    Capability,
    /// The author of the issue is not trusted.
    Untrusted,
    /// Somebody already works on the issue.
    Claimed,
    /// The forge could not be asked whether somebody already works on the issue.
    ClaimUnknown,
    /// An upstream repository has active work, or an issue that it depends on is open.
    Dependency,
    /// Files overlap with active work.
    FileOverlap,
    /// Every slot is taken.
    Slots,
    /// A budget is used up.
    Budget,
    /// It is to start at a later time.
    NotYet,
    /// The assignment is not in a state that allows it.
    State,
    /// A gate does not hold.
    Gate,
}

impl Rule {
    /// Whether waiting can help.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Dependency | Self::FileOverlap | Self::Slots | Self::Budget | Self::NotYet
        )
    }
}
