//! What the work has cost: the sums by SQLite against the log, folded anew.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::assignment::{
    Assignment, AssignmentKind, AssignmentState, Cause, MergeMethod, WorkerEnd, WorkerResult,
};
use coord_core::failure::FailureClass;
use coord_core::fate::Fate;
use coord_core::ids::{AssignmentId, IssueRef, Timestamp};
use coord_core::{Board, BoardEvent};
use coord_store::{HistoryFilter, Store, Usage, UsageBy, UsageFilter, UsageKey, UsageReport};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::sample::{Home, assign, assigned, at, events, id};

const DAY: i64 = 86_400;

/// One thing that happens to the assignment of this number.
#[derive(Debug, Clone)]
enum Step {
    Request {
        issue: u64,
        repo: usize,
        model: usize,
        kind: AssignmentKind,
    },
    Accept,
    End {
        result: usize,
        cost: f64,
        turns: u32,
        commits: bool,
    },
    Lose,
    Supersede,
    Queue,
    Merge,
    Refuse,
    Spend,
    Archive,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u64..4, 0usize..2, 0usize..3, kind())
            .prop_map(|(issue, repo, model, kind)| Step::Request { issue, repo, model, kind }),
        2 => Just(Step::Accept),
        5 => (0usize..3, 0.0..20.0, 0u32..50, any::<bool>())
            .prop_map(|(result, cost, turns, commits)| Step::End { result, cost, turns, commits }),
        1 => Just(Step::Lose),
        1 => Just(Step::Supersede),
        2 => Just(Step::Queue),
        3 => Just(Step::Merge),
        1 => Just(Step::Refuse),
        1 => Just(Step::Spend),
        1 => Just(Step::Archive),
    ]
}

fn kind() -> impl Strategy<Value = AssignmentKind> {
    prop_oneof![
        3 => Just(AssignmentKind::Work),
        1 => Just(AssignmentKind::Fix),
        1 => Just(AssignmentKind::Review),
        1 => Just(AssignmentKind::Smoke),
    ]
}

fn end(result: WorkerResult, cost_usd: f64, turns: u32, commits: bool) -> WorkerEnd {
    WorkerEnd {
        branch: commits.then(|| "branch".to_owned()),
        head: commits.then(|| "c0ffee".into()),
        cost_usd,
        turns,
        ..WorkerEnd::unreported(result, None)
    }
}

/// The event; a second request of the same assignment is none, as in the core.
fn event(step: &Step, number: u64, board: &Board, seen: &mut BTreeSet<u64>) -> Option<BoardEvent> {
    let id = id(number);
    Some(match *step {
        Step::Request {
            issue,
            repo,
            model,
            kind,
        } => {
            if !seen.insert(number) {
                return None;
            }
            let requested = assign(&Board::default(), number, issue, at(1));
            let mut assignment = requested.events.into_iter().find_map(|event| match event {
                BoardEvent::AssignmentRequested { assignment } => Some(assignment),
                _ => None,
            })?;
            assignment.issue.repo = ["api", "web"][repo].into();
            assignment.kind = kind;
            assignment.model = [None, Some("haiku"), Some("opus")][model].map(str::to_owned);
            BoardEvent::AssignmentRequested { assignment }
        }
        Step::Accept => BoardEvent::AssignmentAccepted { id },
        Step::End {
            result,
            cost,
            turns,
            commits,
        } => {
            let result = [
                WorkerResult::Done,
                WorkerResult::Failed(FailureClass::Work),
                WorkerResult::Cancelled,
            ][result];
            let ended = board.assignments.get(&id)?;
            // The clock of an agent may be anything.
            let at = ended.requested_at;
            BoardEvent::AssignmentEnded {
                id,
                at,
                end: Box::new(end(result, cost, turns, commits)),
            }
        }
        Step::Lose => BoardEvent::AssignmentLost { id },
        Step::Supersede => BoardEvent::AssignmentSuperseded {
            id,
            by: AssignmentId::from_bits(99),
            cause: Cause::Person,
        },
        Step::Queue => BoardEvent::MergeQueued {
            id,
            method: MergeMethod::Squash,
            order: None,
        },
        Step::Merge => BoardEvent::Merged {
            id,
            commit: "beef".into(),
            warning: None,
        },
        Step::Refuse => BoardEvent::AnswerRefused {
            id,
            why: "nonsense".to_owned(),
        },
        // Nobody reports what an ended worker spends.
        Step::Spend if !board.assignments.get(&id)?.state.is_active() => return None,
        Step::Spend => BoardEvent::SpendingObserved { id, cost_usd: 0.25 },
        Step::Archive => BoardEvent::AssignmentArchived { id },
    })
}

/// Writes a history, a transaction each; every step is some hours after the one before.
async fn write(store: &Store, steps: Vec<(u64, Step)>) {
    let mut seen = BTreeSet::new();
    for (index, (number, step)) in steps.into_iter().enumerate() {
        let board = store.board().await.unwrap();
        if let Some(event) = event(&step, number, &board, &mut seen) {
            let now = at(index as i64 * DAY / 5);
            store.transact(now, |_| events(vec![event])).await.unwrap();
        }
    }
}

/// An ended assignment as the log tells it.
struct Ended {
    at: Timestamp,
    last: Assignment,
    archived: bool,
}

impl Ended {
    fn fate(&self) -> Fate {
        let fate = Fate::of(&self.last).unwrap();
        if self.archived { fate.archived() } else { fate }
    }

    fn key(&self, by: UsageBy) -> UsageKey {
        match by {
            UsageBy::Issue => UsageKey::Issue(self.last.issue.clone()),
            UsageBy::Repo => UsageKey::Repo(self.last.issue.repo.clone()),
            UsageBy::Model => UsageKey::Model(self.last.model.clone()),
            UsageBy::Stage => UsageKey::Stage(self.last.kind, self.fate()),
            UsageBy::Day => UsageKey::Day(self.at.day()),
        }
    }
}

async fn ended(store: &Store) -> Vec<Ended> {
    let mut board = Board::default();
    let mut all: BTreeMap<AssignmentId, Ended> = BTreeMap::new();
    for recorded in store.history(HistoryFilter::default()).await.unwrap() {
        board.apply(&recorded);
        let Some(id) = recorded.event.assignment() else {
            continue;
        };
        let Some(last) = board.assignments.get(id).cloned() else {
            all.get_mut(id)
                .into_iter()
                .for_each(|it| it.archived = true);
            continue;
        };
        let ends = matches!(
            recorded.event,
            BoardEvent::AssignmentEnded { .. } | BoardEvent::AssignmentLost { .. }
        );
        if ends {
            let new = Ended {
                at: recorded.at,
                last,
                archived: false,
            };
            all.insert(id.clone(), new);
        } else if let Some(it) = all.get_mut(id) {
            it.last = last;
        }
    }
    all.into_values().collect()
}

fn sum(of: &[&Ended], solved: &BTreeSet<&IssueRef>) -> Usage {
    let mut usage = Usage::default();
    for it in of {
        let (cost, turns) = it
            .last
            .end
            .as_ref()
            .map_or((it.last.spent_usd, 0), |e| (e.cost_usd, e.turns));
        let micros = (cost * 1e6).round() as u64;
        let in_state = |state| u64::from(it.last.state == state);
        usage.assignments += 1;
        usage.done += in_state(AssignmentState::Done);
        usage.failed += in_state(AssignmentState::Failed);
        usage.cancelled += in_state(AssignmentState::Cancelled);
        usage.lost += in_state(AssignmentState::Lost);
        usage.merged += u64::from(it.fate() == Fate::Merged);
        usage.turns += u64::from(turns);
        usage.cost_micros += micros;
        if solved.contains(&it.last.issue) {
            usage.solved_micros += micros;
        }
    }
    usage
}

/// The answer that the log itself gives.
fn naive(all: &[Ended], filter: &UsageFilter) -> (Usage, Vec<Vec<(UsageKey, Usage)>>) {
    let merged = all.iter().filter(|it| it.fate() == Fate::Merged);
    let solved: BTreeSet<&IssueRef> = merged.map(|it| &it.last.issue).collect();
    let wanted = |it: &&Ended| {
        filter
            .repo
            .as_ref()
            .is_none_or(|repo| *repo == it.last.issue.repo)
            && filter.since.is_none_or(|since| it.at >= since)
    };
    let wanted: Vec<&Ended> = all.iter().filter(wanted).collect();
    let group = |by| {
        let mut keys: Vec<UsageKey> = Vec::new();
        for it in &wanted {
            if !keys.contains(&it.key(by)) {
                keys.push(it.key(by));
            }
        }
        let rows = keys.into_iter().map(|key| {
            let of: Vec<&Ended> = wanted
                .iter()
                .copied()
                .filter(|it| it.key(by) == key)
                .collect();
            (key, sum(&of, &solved))
        });
        rows.collect()
    };
    (sum(&wanted, &solved), UsageBy::ALL.map(group).into())
}

/// Rows in one order, whatever order they came in; that they come sorted is checked on the way.
fn sorted(by: UsageBy, rows: &[(UsageKey, Usage)]) -> Vec<String> {
    let falls = rows
        .windows(2)
        .all(|pair| match (by, &pair[0].0, &pair[1].0) {
            (UsageBy::Day, UsageKey::Day(one), UsageKey::Day(other)) => one > other,
            _ => pair[0].1.cost_micros >= pair[1].1.cost_micros,
        });
    assert!(falls, "{rows:?}");
    plain(rows)
}

fn plain(rows: &[(UsageKey, Usage)]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

async fn ask(store: &Store, filter: UsageFilter) -> UsageReport {
    store
        .usage(filter, UsageBy::ALL.into(), u32::MAX)
        .await
        .unwrap()
}

async fn agrees_with_the_log(store: &Store) {
    let all = ended(store).await;
    let board = store.board().await.unwrap();
    for repo in [None, Some("api".into()), Some("nowhere".into())] {
        for since in [None, Some(at(2 * DAY)), Some(at(5 * DAY + 1))] {
            let filter = UsageFilter {
                repo: repo.clone(),
                since,
            };
            let (total, groups) = naive(&all, &filter);
            let report = ask(store, filter.clone()).await;
            assert_eq!(report.total, total, "{filter:?}");
            for (breakdown, expected) in report.breakdowns.iter().zip(groups) {
                assert_eq!(
                    sorted(breakdown.by, &breakdown.rows),
                    plain(&expected),
                    "{filter:?}"
                );
                assert_eq!(breakdown.left_out, 0);
            }
            let running = board.assignments.values().filter(|it| {
                it.state.takes_slot() && repo.as_ref().is_none_or(|repo| *repo == it.issue.repo)
            });
            assert_eq!(report.running, running.count() as u64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sums_are_those_of_the_log(
        steps in proptest::collection::vec((0u64..6, step()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let store = home.store().await;
            write(&store, steps).await;
            agrees_with_the_log(&store).await;
            // The same table from the log alone.
            let kept = ask(&store, UsageFilter::default()).await;
            outdate(&home);
            let store = home.store().await;
            prop_assert_eq!(ask(&store, UsageFilter::default()).await, kept);
            Ok(())
        })?;
    }
}

/// As if a build with another idea of the table had been here.
fn outdate(home: &Home) {
    let conn = Connection::open(home.database()).unwrap();
    conn.execute_batch(
        "UPDATE usage SET cost = 1, fate = 'lost', solved = 0;
         UPDATE meta SET value = 0 WHERE key = 'usage_version'",
    )
    .unwrap();
}

#[tokio::test]
async fn nothing_has_cost_nothing() {
    let home = Home::new();
    let store = home.store().await;
    let report = ask(&store, UsageFilter::default()).await;
    assert_eq!((report.running, report.total), (0, Usage::default()));
    assert!(
        report
            .breakdowns
            .iter()
            .all(|it| it.rows.is_empty() && it.left_out == 0)
    );
    assert_eq!(report.total.micros_per_merged(), None);
    assert_eq!(store.used_repos().await.unwrap(), []);

    assigned(&store, 1, 1).await;
    let report = ask(&store, UsageFilter::default()).await;
    assert_eq!((report.running, report.total), (1, Usage::default()));
}

#[tokio::test]
async fn every_attempt_at_a_merged_issue_counts_and_the_rest_stands_apart() {
    let home = Home::new();
    let store = home.store().await;
    let request = |issue| Step::Request {
        issue,
        repo: 0,
        model: 0,
        kind: AssignmentKind::Work,
    };
    let end = |result, cost| Step::End {
        result,
        cost,
        turns: 3,
        commits: true,
    };
    write(
        &store,
        vec![
            (1, request(1)),
            (1, end(1, 0.1)),
            (2, request(1)),
            (2, end(0, 0.2)),
            (2, Step::Queue),
            (2, Step::Merge),
            (3, request(2)),
            (3, end(2, 5.0)),
            (4, request(3)),
            (4, end(0, 0.7)),
        ],
    )
    .await;
    let report = ask(&store, UsageFilter::default()).await;
    // Binary fractions would make 0.30000000000000004 of it.
    assert_eq!(report.total.micros_per_merged(), Some(300_000));
    assert_eq!(report.total.unsolved_micros(), 5_700_000);
    let stage = |fate| UsageKey::Stage(AssignmentKind::Work, fate);
    let stages: Vec<(UsageKey, u64)> = report.breakdowns[3]
        .rows
        .iter()
        .map(|(key, usage)| (key.clone(), usage.cost_micros))
        .collect();
    assert_eq!(
        stages,
        [
            (stage(Fate::Cancelled), 5_000_000),
            (stage(Fate::UnderWay), 700_000),
            (stage(Fate::Merged), 200_000),
            (stage(Fate::Failed), 100_000),
        ]
    );
    let top = store
        .usage(UsageFilter::default(), vec![UsageBy::Issue], 2)
        .await
        .unwrap();
    let [issues] = &top.breakdowns[..] else {
        panic!("{top:?}")
    };
    assert_eq!((issues.rows.len(), issues.left_out), (2, 1));
    assert_eq!(store.used_repos().await.unwrap(), ["api".into()]);
}

#[tokio::test]
async fn whoever_only_looks_is_a_stage_and_counts_for_the_issue() {
    let home = Home::new();
    let store = home.store().await;
    let request = |kind| Step::Request {
        issue: 1,
        repo: 0,
        model: 0,
        kind,
    };
    let end = |cost, commits| Step::End {
        result: 0,
        cost,
        turns: 1,
        commits,
    };
    let steps = vec![
        (1, request(AssignmentKind::Work)),
        (1, end(1.0, true)),
        (2, request(AssignmentKind::Review)),
        (2, end(0.3, false)),
        (3, request(AssignmentKind::Review)),
        (3, end(0.2, false)),
        (3, Step::Refuse),
        (1, Step::Queue),
        (1, Step::Merge),
    ];
    write(&store, steps).await;
    let report = ask(&store, UsageFilter::default()).await;
    let stages: Vec<UsageKey> = report.breakdowns[3]
        .rows
        .iter()
        .map(|it| it.0.clone())
        .collect();
    let review = |fate| UsageKey::Stage(AssignmentKind::Review, fate);
    let merged = UsageKey::Stage(AssignmentKind::Work, Fate::Merged);
    assert_eq!(stages, [merged, review(Fate::Served), review(Fate::Failed)]);
    assert_eq!(report.total.merged, 1);
    assert_eq!(report.total.micros_per_merged(), Some(1_500_000));
}
