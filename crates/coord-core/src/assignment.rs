//! One assignment: one worker's job on one issue, from request to merge.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::delivery::Delivery;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, CommitId, IssueRef, MachineName, Timestamp};
use crate::policy::Gate;
use crate::verdict::{ChecksVerdict, ReviewResult, ReviewVerdict, SmokeVerdict, TestVerdict};

/// What an assignment is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentKind {
    /// Solve the issue on a branch of its own.
    #[default]
    Work,
    /// Go on with what an earlier assignment of the issue did not bring to its end.
    Continue,
    /// Put right what a test, a review or a person found wrong with a branch.
    Fix,
    /// Bring a branch that conflicts up to date with its base.
    Rebase,
    /// Read a branch and write title and text of its pull request.
    Pr,
    /// Read a branch and judge it.
    Review,
    /// Try a branch out on a machine that has what it needs.
    Smoke,
}

impl AssignmentKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Work,
        Self::Continue,
        Self::Fix,
        Self::Rebase,
        Self::Pr,
        Self::Review,
        Self::Smoke,
    ];

    /// The word for it in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Continue => "continue",
            Self::Fix => "fix",
            Self::Rebase => "rebase",
            Self::Pr => "pr",
            Self::Review => "review",
            Self::Smoke => "smoke",
        }
    }

    /// Whether it works on the branch of its issue. The others look at such a branch: they claim
    /// no issue and no files, and publish nothing.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Work | Self::Continue | Self::Fix | Self::Rebase => true,
            Self::Pr | Self::Review | Self::Smoke => false,
        }
    }
}

/// How far the coordinator takes an assignment by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The worker runs; a person does the rest.
    Worked,
    /// The branch is tested as well.
    Tested,
    /// The branch is tested and, once its gates hold, merged.
    Merged,
}

/// The globs that a worker may and may not change; an empty `allowed` means "anything".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileScope {
    /// Globs relative to the root of the repository.
    pub allowed: Vec<String>,
    /// Globs relative to the root of the repository.
    pub forbidden: Vec<String>,
}

/// Where an assignment stands. `stuck` and `unreachable` are facts beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentState {
    /// It claims its issue and waits for files, slots or upstream work.
    Waiting,
    /// Written down; the agent has not answered for it yet.
    Requested,
    /// The agent has accepted it; its worker runs or is about to.
    Running,
    /// The worker ended well.
    Done,
    /// The worker ended otherwise, or could not be started.
    Failed,
    /// A person stopped it, or another coordinator had claimed its issue first.
    Cancelled,
    /// Its agent says that it never heard of it, after having accepted it.
    Lost,
}

impl AssignmentState {
    /// Whether the assignment still claims its issue: nothing else may be dispatched for it.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Waiting | Self::Requested | Self::Running => true,
            Self::Done | Self::Failed | Self::Cancelled | Self::Lost => false,
        }
    }

    /// Whether it takes one of its machine's slots.
    #[must_use]
    pub const fn takes_slot(self) -> bool {
        matches!(self, Self::Requested | Self::Running)
    }

    /// The word for it in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// How a worker ended, as its agent reported it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerEnd {
    /// Done, failed or cancelled.
    pub result: WorkerResult,
    /// The exit code of the process; `None` when a signal ended it or it never started.
    pub exit_code: Option<i32>,
    /// Why it failed, in one line; untrusted text.
    pub error: Option<String>,
    /// The branch that holds its commits; `None` when it made none.
    pub branch: Option<String>,
    /// The tip of that branch.
    pub head: Option<CommitId>,
    /// The commit that the work started from.
    pub base: Option<CommitId>,
    /// How many commits it made.
    pub commits: u32,
    /// Whether the branch reached the remote.
    pub pushed: bool,
    /// Where uncommitted files were saved, e.g. `refs/coord/wip/<id>`.
    pub wip_ref: Option<String>,
    /// Paths that the commits changed, relative to the root of the repository.
    pub files: Vec<String>,
    /// US dollars.
    pub cost_usd: f64,
    /// Model turns.
    pub turns: u32,
    /// The question that it is stuck on, from its own words.
    pub stuck: Option<String>,
    /// The worker's session, for continuing it where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The answer of one that had to give it in a schema: JSON, at most 256 KiB; untrusted. The
    /// board does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// The three ways in which a worker can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerResult {
    /// Exit 0, and its last result is not an error.
    Done,
    /// Anything else, with the class of the failure.
    Failed(FailureClass),
    /// A person stopped it, or another coordinator had claimed its issue first. Nothing was
    /// published.
    Cancelled,
}

/// How a branch becomes part of its base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// The commits again on top of the base.
    Rebase,
    /// One commit.
    #[default]
    Squash,
    /// A merge commit with two parents.
    Merge,
}

/// The place of an assignment in the merge queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeEntry {
    /// Where it stands.
    pub state: MergeState,
    /// How it is to be merged.
    pub method: MergeMethod,
    /// A person's order: lower first, before anything else; `None` comes after every `Some`.
    pub order: Option<u32>,
    /// Since when it has been queued.
    pub queued_at: Timestamp,
    /// How often a merge was tried; part of the effect's key.
    pub attempt: u32,
}

/// Where a merge entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum MergeState {
    /// It waits for its gates or its turn.
    Queued,
    /// The forge was asked.
    Merging,
    /// In the base branch as `commit`.
    Merged {
        /// The commit on the base branch that holds the work.
        commit: CommitId,
    },
    /// It does not merge with the base at `base`; tried again when the base moves.
    Conflict {
        /// The tip of the base when it was tried.
        base: CommitId,
        /// The paths in conflict.
        paths: Vec<String>,
    },
    /// Its own tests are good, and those of the merged result are not.
    Red {
        /// The tip of the base.
        base: CommitId,
        /// The entry that it does not go together with; `None`: what is in the base.
        with: Option<AssignmentId>,
        /// One line.
        note: String,
        /// The end of what the test has said; untrusted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
    },
    /// The forge refused for a reason that a person has to look at.
    Refused {
        /// In the forge's words.
        reason: String,
    },
}

/// One worker's job. Everything that cannot be derived from something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Chosen by the coordinator; the idempotency key of its dispatch.
    pub id: AssignmentId,
    /// What it is for.
    pub kind: AssignmentKind,
    /// The earlier assignment of the issue that it goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<AssignmentId>,
    /// What it looks at, where it does not write itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// The later one that goes on with it: tests, merge, issue and files belong to that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<AssignmentId>,
    /// The issue that it works on.
    pub issue: IssueRef,
    /// The title of the issue when it was requested.
    pub title: String,
    /// What the worker is asked to do: the person's briefing, else the issue's body.
    pub briefing: String,
    /// The issue's own text, where `briefing` is a person's: the worker trusts the two differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_body: Option<String>,
    /// Where it runs.
    pub machine: MachineName,
    /// A person chose the machine; otherwise it may start on another one than it waits for.
    pub pinned: bool,
    /// The model alias or name; `None` leaves it to the worker.
    pub model: Option<String>,
    /// What it declared to change.
    pub scope: FileScope,
    /// What was granted to it beyond that: paths relative to the root of the repository. No other
    /// assignment holds them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leased: BTreeSet<String>,
    /// What it was seen to change: paths relative to the root of the repository.
    pub observed: BTreeSet<String>,
    /// The open issues that have to be solved before it starts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub blocked_by: BTreeSet<IssueRef>,
    /// The labels of the issue when it was requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How far the coordinator takes it.
    pub goal: Goal,
    /// The branch that it works on.
    pub branch: String,
    /// Where its worker starts.
    #[serde(default)]
    pub start: Start,
    /// How often the issue had been retried without a person up to here, this time included.
    #[serde(default)]
    pub retries: u32,
    /// How often in a row the branch was sent back without a person up to here, this time included.
    #[serde(default)]
    pub rounds: u32,
    /// What people told its worker beyond the briefing, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guidance: Vec<String>,
    /// The question that the last of them answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// Its worker never heard the last of them; whoever goes on with it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
    /// Overlaps and upstream work were waived by a person.
    pub waived: Waivers,
    /// Claims of other coordinators up to this comment id were set aside by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_above: Option<u64>,
    /// What its dispatch does about stale checkouts.
    #[serde(default)]
    pub freshness: FreshnessRule,
    /// Where it stands.
    pub state: AssignmentState,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// When its worker started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// A person asked for it to stop.
    pub stop_requested: bool,
    /// The question that it is stuck on.
    pub stuck: Option<String>,
    /// US dollars that its running worker has used so far, by its agent's estimate.
    #[serde(default)]
    pub spent_usd: f64,
    /// The budget that it was stopped for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_budget: Option<String>,
    /// How its worker ended.
    pub end: Option<WorkerEnd>,
    /// Why its answer is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_refused: Option<String>,
    /// How often a test of its branch was requested; part of the effect's key.
    pub test_runs: u32,
    /// The last test verdict; it counts for its own commit only.
    pub verdict: Option<TestVerdict>,
    /// What else is known of its branch.
    #[serde(default)]
    pub delivery: Delivery,
    /// Its place in the merge queue.
    pub merge: Option<MergeEntry>,
}

/// The branch that an assignment looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The assignment whose branch it is.
    pub id: AssignmentId,
    /// The commit.
    pub head: CommitId,
}

/// Where a worker starts; the default is a new branch on the base, at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The branch that holds what was done before; `None`: the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that all of the work on that branch is measured against, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<CommitId>,
    /// The session of the worker before, which is on the same machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The commit of the base branch that the branch has to be brought up to first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onto: Option<CommitId>,
    /// Not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Why the work of an assignment was taken up by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person wanted it.
    Person,
    /// Its worker failed at the work.
    Work,
    /// Its worker was kept from the work by something that passes.
    Environment,
    /// Its agent no longer knew it.
    Lost,
    /// Its agent did not answer for too long.
    Silence,
    /// It had ended before a person's guidance reached its worker.
    Guidance,
    /// The session that it was to go on with could not be continued.
    Session,
    /// Its tests are red.
    Tests,
    /// A reviewer asked for changes.
    Review,
    /// Its smoke test failed.
    Smoke,
    /// Its tests are red together with what is merged before it.
    Combination,
    /// It conflicts with its base.
    Conflict,
}

impl Cause {
    /// What somebody does who goes on with the work without a person.
    #[must_use]
    pub const fn leads_to(self) -> AssignmentKind {
        match self {
            Self::Person
            | Self::Work
            | Self::Environment
            | Self::Lost
            | Self::Silence
            | Self::Guidance
            | Self::Session => AssignmentKind::Continue,
            Self::Tests | Self::Review | Self::Smoke | Self::Combination => AssignmentKind::Fix,
            Self::Conflict => AssignmentKind::Rebase,
        }
    }

    /// In a few words, after "because".
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "a person wanted it",
            Self::Work => "its worker failed",
            Self::Environment => "its worker was interrupted",
            Self::Lost => "its agent no longer knew it",
            Self::Silence => "its agent did not answer for too long",
            Self::Guidance => "it had ended before its guidance arrived",
            Self::Session => "its session could not be continued",
            Self::Tests => "its tests are red",
            Self::Review => "a reviewer asked for changes",
            Self::Smoke => "its smoke test failed",
            Self::Combination => "its tests are red together with what is merged before it",
            Self::Conflict => "it conflicts with its base",
        }
    }
}

/// Rules that a person set aside for one dispatch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waivers {
    /// Dispatch although files overlap with active work.
    pub allow_overlap: bool,
    /// Dispatch although an upstream repository has active work.
    pub ignore_deps: bool,
    /// Dispatch although the forge could not be asked for existing branches.
    pub accept_unknown: bool,
    /// Dispatch although the author of the issue is not trusted.
    #[serde(default)]
    pub trust: bool,
    /// Dispatch although another coordinator has claimed the issue.
    #[serde(default)]
    pub take_over: bool,
}

/// What a dispatch does about checkouts on its machine that are behind their forge: its own
/// repository's and those that it depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreshnessRule {
    /// Say in the briefing what is stale.
    #[default]
    Tell,
    /// Have the agent fast-forward what is stale and clean; say what is left.
    Pull,
    /// Do not look.
    Skip,
}

/// What an ended assignment left to be tested and merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deliverable<'a> {
    /// The branch that holds the commits.
    pub branch: &'a str,
    /// Its tip.
    pub head: &'a CommitId,
}

impl WorkerEnd {
    /// The end of an assignment whose agent never reported one.
    #[must_use]
    pub const fn unreported(result: WorkerResult, error: Option<String>) -> Self {
        Self {
            result,
            exit_code: None,
            error,
            branch: None,
            head: None,
            base: None,
            commits: 0,
            pushed: false,
            wip_ref: None,
            files: Vec::new(),
            cost_usd: 0.0,
            turns: 0,
            stuck: None,
            session: None,
            answer: None,
        }
    }

    /// The branch and its tip; `None` when nothing was committed.
    #[must_use]
    pub fn deliverable(&self) -> Option<Deliverable<'_>> {
        let (branch, head) = (self.branch.as_deref()?, self.head.as_ref()?);
        Some(Deliverable { branch, head })
    }
}

impl Assignment {
    /// One that waits, with everything that depends on nobody's wish.
    pub(crate) fn new(
        id: AssignmentId,
        kind: AssignmentKind,
        issue: IssueRef,
        title: String,
        machine: MachineName,
        requested_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            follows: None,
            about: None,
            superseded_by: None,
            issue,
            title,
            briefing: String::new(),
            issue_body: None,
            machine,
            pinned: false,
            model: None,
            scope: FileScope::default(),
            leased: BTreeSet::new(),
            observed: BTreeSet::new(),
            blocked_by: BTreeSet::new(),
            labels: Vec::new(),
            goal: Goal::Worked,
            branch: String::new(),
            start: Start::default(),
            retries: 0,
            rounds: 0,
            guidance: Vec::new(),
            answered: None,
            unheard: false,
            waived: Waivers::default(),
            claims_above: None,
            freshness: FreshnessRule::default(),
            state: AssignmentState::Waiting,
            requested_at,
            started_at: None,
            finished_at: None,
            stop_requested: false,
            stuck: None,
            spent_usd: 0.0,
            over_budget: None,
            end: None,
            answer_refused: None,
            test_runs: 0,
            verdict: None,
            delivery: Delivery::default(),
            merge: None,
        }
    }

    /// What it left to be tested and merged, once it has ended.
    #[must_use]
    pub fn deliverable(&self) -> Option<Deliverable<'_>> {
        self.end.as_ref()?.deliverable()
    }

    /// The branch that it was given, and the one that its agent says it used.
    pub fn branches(&self) -> impl Iterator<Item = &str> {
        let reported = self.deliverable().map(|work| work.branch);
        std::iter::once(self.branch.as_str()).chain(reported)
    }

    /// The last verdict, provided that it was given for the head that the assignment has now.
    #[must_use]
    pub fn verdict_for_head(&self) -> Option<&TestVerdict> {
        let head = self.deliverable()?.head;
        self.verdict.as_ref().filter(|it| it.head == *head)
    }

    /// Whether it waits in the merge queue or is being merged.
    #[must_use]
    pub fn is_in_merge_queue(&self) -> bool {
        match self.merge.as_ref().map(|entry| &entry.state) {
            Some(MergeState::Queued) => self.superseded_by.is_none() && !self.stop_requested,
            Some(MergeState::Merging) => true,
            Some(
                MergeState::Merged { .. }
                | MergeState::Conflict { .. }
                | MergeState::Red { .. }
                | MergeState::Refused { .. },
            )
            | None => false,
        }
    }

    /// The commit on the base branch that holds its work, once it is merged.
    #[must_use]
    pub fn merged_as(&self) -> Option<&CommitId> {
        match &self.merge.as_ref()?.state {
            MergeState::Merged { commit } => Some(commit),
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. } => None,
        }
    }

    /// Whether its files are its own for now: nothing that overlaps with them is dispatched.
    #[must_use]
    pub fn holds_lease(&self) -> bool {
        if self.superseded_by.is_some() || !self.kind.writes() {
            return false;
        }
        match self.state {
            AssignmentState::Requested | AssignmentState::Running => true,
            AssignmentState::Done => self.is_in_merge_queue() || self.is_on_its_way_to_merge(),
            AssignmentState::Waiting
            | AssignmentState::Failed
            | AssignmentState::Cancelled
            | AssignmentState::Lost => false,
        }
    }

    /// Whether nothing else may be dispatched for its issue: it is at work, its work is on the
    /// way into the base branch, or it has just got there and the issue is about to be closed.
    #[must_use]
    pub fn claims_issue(&self) -> bool {
        let claims = self.is_at_work() || self.holds_lease() || self.merged_as().is_some();
        claims && self.kind.writes()
    }

    /// Whether it ended because of something that passes.
    #[must_use]
    pub fn was_interrupted(&self) -> bool {
        let result = self.end.as_ref().map(|end| end.result);
        matches!(
            result,
            Some(WorkerResult::Failed(FailureClass::Environmental { .. }))
        )
    }

    /// Whether it is to be worked on, and nobody else goes on with it.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.state.is_active() && self.superseded_by.is_none()
    }

    /// Whether it waits for issues to be solved: until then it keeps nothing from anybody.
    #[must_use]
    pub fn waits_for_issues(&self) -> bool {
        let waits = self.state == AssignmentState::Waiting && !self.blocked_by.is_empty();
        waits && !self.waived.ignore_deps
    }

    /// The question that its worker asks, or ended with.
    #[must_use]
    pub fn question(&self) -> Option<&str> {
        let end = self.end.as_ref();
        end.map_or(self.stuck.as_deref(), |end| end.stuck.as_deref())
    }

    /// Whether the coordinator goes on with it by itself now that its worker has ended well, and
    /// without a question.
    #[must_use]
    pub fn is_automated(&self, goal: Goal) -> bool {
        self.goal >= goal && !self.stop_requested && self.is_finished_branch()
    }

    /// Whether it is a branch that the pipeline has to do with: its worker ended well, without a
    /// question and with commits, and nobody goes on with it.
    #[must_use]
    pub fn is_finished_branch(&self) -> bool {
        self.state == AssignmentState::Done
            && self.superseded_by.is_none()
            && self.question().is_none()
            && self.deliverable().is_some()
    }

    /// The last review, provided that it was given for the head that the assignment has now.
    #[must_use]
    pub fn review_of_head(&self) -> Option<&ReviewVerdict> {
        let head = self.deliverable()?.head;
        self.delivery.review.as_ref().filter(|it| it.head == *head)
    }

    /// The last smoke test, provided that it was made of the head that the assignment has now.
    #[must_use]
    pub fn smoke_of_head(&self) -> Option<&SmokeVerdict> {
        let head = self.deliverable()?.head;
        self.delivery.smoke.as_ref().filter(|it| it.head == *head)
    }

    /// What the forge's checks said, provided that it was of the head that the assignment has now.
    #[must_use]
    pub fn checks_of_head(&self) -> Option<&ChecksVerdict> {
        let head = self.deliverable()?.head;
        self.delivery.checks.as_ref().filter(|it| it.head == *head)
    }

    /// The reason for which a person has set the gate aside for the head that it has now.
    #[must_use]
    pub fn overridden(&self, gate: Gate) -> Option<&str> {
        self.delivery.overridden(gate, self.deliverable()?.head)
    }

    /// Whether something was found wrong with the head that it has now.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        let tests = self.verdict_for_head().map(|it| !it.result.is_good());
        let review = self
            .review_of_head()
            .map(|it| it.result == ReviewResult::RequestChanges);
        let smoke = self.smoke_of_head().map(|it| !it.passed);
        [tests, review, smoke].contains(&Some(true))
    }

    fn is_on_its_way_to_merge(&self) -> bool {
        let is_to_be_queued = match self.merge.as_ref().map(|entry| &entry.state) {
            // It waits for what it does not go together with.
            Some(MergeState::Red { with, .. }) => with.is_some(),
            Some(
                MergeState::Queued
                | MergeState::Merging
                | MergeState::Merged { .. }
                | MergeState::Conflict { .. }
                | MergeState::Refused { .. },
            ) => false,
            None => true,
        };
        is_to_be_queued && self.is_automated(Goal::Merged) && !self.is_rejected()
    }
}
