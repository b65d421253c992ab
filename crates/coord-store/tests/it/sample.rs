//! Events, decisions and stores to test with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coord_core::assignment::{Assignment, FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::{AssignRequest, ClaimEvidence, WhenBlocked};
use coord_core::effect::{Effect, EffectRequest, Outcome};
use coord_core::ids::{AssignmentId, EffectKey, IssueRef, Timestamp};
use coord_core::issue::{Issue, IssueState};
use coord_core::policy::{ConcurrencyPolicy, MachinePolicy, RepoPolicy};
use coord_core::{Board, BoardEvent, Command, Decision, Policy, Recorded, decide};
use coord_store::{Committed, HistoryFilter, Store};
use tempfile::TempDir;

pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder().join("coord.db")
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(self.database()).await.unwrap()
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

pub(crate) fn id(bits: u64) -> AssignmentId {
    AssignmentId::from_bits(bits)
}

pub(crate) fn events(events: Vec<BoardEvent>) -> Decision {
    Decision {
        events,
        effects: Vec::new(),
        refusal: None,
    }
}

/// An event that is about nothing but `text`.
pub(crate) fn note(text: impl Into<String>) -> BoardEvent {
    BoardEvent::AgentSilent {
        machine: "laptop".into(),
        error: text.into(),
    }
}

pub(crate) fn text(recorded: &Recorded) -> &str {
    match &recorded.event {
        BoardEvent::AgentSilent { error, .. } => error,
        other => panic!("not a note: {other:?}"),
    }
}

pub(crate) fn policy() -> Policy {
    let repo = RepoPolicy {
        depends_on: Vec::new(),
        default_branch: Some("main".to_owned()),
        shared: false,
        github: None,
    };
    let machine = MachinePolicy {
        capabilities: Vec::new(),
        repos: vec!["api".into()],
        max_workers: 10_000,
        account: None,
    };
    Policy {
        repos: BTreeMap::from([("api".into(), repo)]),
        machines: BTreeMap::from([("laptop".into(), machine)]),
        concurrency: ConcurrencyPolicy::default(),
        ..Policy::default()
    }
}

/// The decision of the real core on a request for a worker.
pub(crate) fn assign(board: &Board, bits: u64, issue: u64, now: Timestamp) -> Decision {
    let request = AssignRequest {
        id: id(bits),
        machine: Some("laptop".into()),
        repo: "api".into(),
        issue: Issue {
            number: issue,
            title: format!("issue {issue}"),
            body: "do it".to_owned(),
            labels: Vec::new(),
            state: IssueState::Open,
            author: "anna".to_owned(),
            trusted: true,
            milestone: None,
            assignees: Vec::new(),
        },
        model: None,
        briefing: None,
        scope: FileScope {
            allowed: vec![format!("src/{issue}/**")],
            forbidden: Vec::new(),
        },
        evidence: ClaimEvidence::branches(Vec::new()),
        when_blocked: WhenBlocked::Refuse,
        proposal: None,
        notes: None,
        size: None,
        blocked_by: Vec::new(),
        record: Default::default(),
        waivers: Waivers::default(),
        goal: Goal::Merged,
        freshness: FreshnessRule::default(),
    };
    let command = Command::Assign(Box::new(request));
    decide(board, &policy(), &command, now)
}

/// Puts an assignment on the board and takes its effects away.
pub(crate) async fn assigned(store: &Store, bits: u64, issue: u64) -> Assignment {
    let committed = store
        .transact(at(1), move |board| assign(board, bits, issue, at(1)))
        .await
        .unwrap();
    assert_eq!(committed.refusal, None);
    committed.board.assignments[&id(bits)].clone()
}

pub(crate) async fn archive(store: &Store, bits: u64, now: Timestamp) -> Committed {
    store
        .transact(now, move |_| {
            events(vec![BoardEvent::AssignmentArchived { id: id(bits) }])
        })
        .await
        .unwrap()
}

/// A decision that puts an effect into the outbox.
pub(crate) fn effect(key: &str, not_before: Option<Timestamp>) -> Decision {
    let request = EffectRequest {
        key: EffectKey::from(key),
        effect: Effect::CloseIssue {
            issue: IssueRef {
                repo: "api".into(),
                number: 1,
            },
            commit: "c0ffee".into(),
        },
        not_before,
    };
    Decision {
        events: Vec::new(),
        effects: vec![request],
        refusal: None,
    }
}

pub(crate) fn settled(key: &str) -> Decision {
    events(vec![BoardEvent::EffectSettled {
        key: key.into(),
        outcome: Outcome::IssueClosed,
    }])
}

/// The board by the log alone, whatever snapshots say; checks that the log has no gap.
pub(crate) async fn replayed(store: &Store) -> Board {
    let log = store.history(HistoryFilter::default()).await.unwrap();
    let mut board = Board::default();
    for (expected, recorded) in (1..).zip(&log) {
        assert_eq!(recorded.seq, expected);
        board.apply(recorded);
    }
    board
}
