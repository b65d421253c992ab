//! What an event is about: the columns by which the history finds it.

use coord_core::ids::{AssignmentId, EffectKey, IssueRef, RepoName};
use coord_core::{Board, BoardEvent};

/// The issue and the assignment that an event is about, or the repository alone.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Where there is no issue; with one it is that one's.
    repo: Option<RepoName>,
    pub(crate) issue: Option<IssueRef>,
    pub(crate) assignment: Option<AssignmentId>,
}

impl Subject {
    /// What `event` is about; `board` is the one that it has not been applied to yet.
    pub(crate) fn of(event: &BoardEvent, board: &Board) -> Self {
        match event {
            BoardEvent::Refused { refusal } => Self {
                issue: refusal.issue.clone(),
                assignment: refusal.assignment.clone(),
                ..Self::default()
            },
            BoardEvent::AssignmentWaits { assignment, .. }
            | BoardEvent::AssignmentRequested { assignment } => Self {
                issue: Some(assignment.issue.clone()),
                assignment: Some(assignment.id.clone()),
                ..Self::default()
            },
            BoardEvent::ClaimWon { id }
            | BoardEvent::ClaimLost { id, .. }
            | BoardEvent::AssignmentAccepted { id }
            | BoardEvent::WorkerStarted { id, .. }
            | BoardEvent::FilesObserved { id, .. }
            | BoardEvent::OverlapObserved { id, .. }
            | BoardEvent::WorkerStuck { id, .. }
            | BoardEvent::WorkerGuided { id, .. }
            | BoardEvent::GuidanceUnheard { id, .. }
            | BoardEvent::AssignmentSuperseded { id, .. }
            | BoardEvent::StopRequested { id }
            | BoardEvent::AssignmentEnded { id, .. }
            | BoardEvent::AssignmentLost { id }
            | BoardEvent::TestStarted { id, .. }
            | BoardEvent::TestRecorded { id, .. }
            | BoardEvent::TestBroken { id, .. }
            | BoardEvent::PullWanted { id, .. }
            | BoardEvent::PullWritten { id, .. }
            | BoardEvent::PullOpened { id, .. }
            | BoardEvent::PullRefused { id, .. }
            | BoardEvent::ReviewRecorded { id, .. }
            | BoardEvent::AnswerRefused { id, .. }
            | BoardEvent::SmokeRecorded { id, .. }
            | BoardEvent::ChecksRecorded { id, .. }
            | BoardEvent::GateOverridden { id, .. }
            | BoardEvent::BranchMoved { id, .. }
            | BoardEvent::CombinationGreen { id, .. }
            | BoardEvent::CombinationRed { id, .. }
            | BoardEvent::SpendingObserved { id, .. }
            | BoardEvent::BudgetExceeded { id, .. }
            | BoardEvent::MergeQueued { id, .. }
            | BoardEvent::MergeStarted { id }
            | BoardEvent::Merged { id, .. }
            | BoardEvent::MergeConflicted { id, .. }
            | BoardEvent::MergeRefused { id, .. }
            | BoardEvent::LeaseGranted { id, .. }
            | BoardEvent::EditDenied { id, .. }
            | BoardEvent::EditUnchecked { id, .. }
            | BoardEvent::FilesRestored { id, .. }
            | BoardEvent::ConflictForeseen { id, .. }
            | BoardEvent::ConflictGone { id, .. }
            | BoardEvent::ProposalApproved { id, .. }
            | BoardEvent::EffectQueued { id, .. }
            | BoardEvent::AssignmentArchived { id } => Self::assignment(id, board),
            BoardEvent::IssueClosed { issue } | BoardEvent::SplitDone { issue, .. } => {
                Self::about(issue)
            }
            BoardEvent::ProposalRejected { proposal } => {
                let proposal = board.proposals.get(proposal);
                proposal.map_or_else(Self::default, |it| Self::about(&it.draft.issue))
            }
            BoardEvent::SplitRejected { split }
            | BoardEvent::SplitStarted { split, .. }
            | BoardEvent::SplitFailed { split, .. } => {
                let split = board.splits.get(split);
                split.map_or_else(Self::default, |it| Self::about(&it.draft.issue))
            }
            BoardEvent::BaseMoved { repo, .. } => Self {
                repo: Some(repo.clone()),
                ..Self::default()
            },
            BoardEvent::EffectSettled { key, .. } => Self::effect(key, board),
            BoardEvent::Planned { .. }
            | BoardEvent::RateLimited { .. }
            | BoardEvent::AgentSilent { .. }
            | BoardEvent::AgentBack { .. }
            | BoardEvent::RoundCompleted { .. }
            | BoardEvent::SessionClosed { .. }
            | BoardEvent::StepEnded { .. } => Self::default(),
        }
    }

    fn about(issue: &IssueRef) -> Self {
        Self {
            issue: Some(issue.clone()),
            ..Self::default()
        }
    }

    fn assignment(id: &AssignmentId, board: &Board) -> Self {
        Self {
            issue: board.assignments.get(id).map(|a| a.issue.clone()),
            assignment: Some(id.clone()),
            ..Self::default()
        }
    }

    /// The repository, with or without an issue.
    pub(crate) fn repo(&self) -> Option<&RepoName> {
        self.issue
            .as_ref()
            .map(|it| &it.repo)
            .or(self.repo.as_ref())
    }

    fn effect(key: &EffectKey, board: &Board) -> Self {
        board
            .open_effects
            .get(key)
            .map(|id| Self::assignment(id, board))
            .unwrap_or_default()
    }
}
