//! How first attempts have done, told from the log.

use coord_core::BoardEvent;
use coord_core::assignment::{AssignmentKind, Cause, WorkerEnd, WorkerResult};
use coord_core::failure::FailureClass;
use coord_core::ladder::TrackRecord;
use coord_store::Store;
use rusqlite::Connection;

use crate::sample::{Home, assign, at, events, id};

/// What became of a first attempt, and of the one after it.
struct Effort {
    model: Option<&'static str>,
    labels: &'static [&'static str],
    result: WorkerResult,
    next: Option<(Cause, AssignmentKind)>,
    merged: bool,
}

async fn tell(store: &Store, told: Vec<BoardEvent>) {
    store.transact(at(5), move |_| events(told)).await.unwrap();
}

async fn request(store: &Store, number: u64, issue: u64, kind: AssignmentKind, effort: &Effort) {
    let board = coord_core::Board::default();
    let decision = assign(&board, number, issue, at(1));
    let requested = decision.events.into_iter().find_map(|event| match event {
        BoardEvent::AssignmentRequested { assignment } => Some(assignment),
        _ => None,
    });
    let mut assignment = requested.unwrap();
    assignment.kind = kind;
    assignment.model = effort.model.map(str::to_owned);
    assignment.labels = effort.labels.iter().map(|it| (*it).to_owned()).collect();
    let started = BoardEvent::WorkerStarted {
        id: id(number),
        at: at(2),
    };
    let requested = BoardEvent::AssignmentRequested { assignment };
    tell(store, vec![requested, started]).await;
}

async fn end(store: &Store, number: u64, result: WorkerResult, cost_usd: f64) {
    let end = WorkerEnd {
        branch: Some("branch".to_owned()),
        head: Some("c0ffee".into()),
        cost_usd,
        ..WorkerEnd::unreported(result, None)
    };
    let ended = BoardEvent::AssignmentEnded {
        id: id(number),
        at: at(3),
        end: Box::new(end),
    };
    tell(store, vec![ended]).await;
}

/// Carries efforts out, one issue each; the second attempt has the strongest model.
async fn carry_out(store: &Store, efforts: &[Effort]) {
    for (issue, effort) in (1..).zip(efforts) {
        let mut last = issue * 10;
        request(store, last, issue, AssignmentKind::Work, effort).await;
        end(store, last, effort.result, 0.5).await;
        if let Some((cause, kind)) = effort.next {
            last += 1;
            let by = id(last);
            let superseded = BoardEvent::AssignmentSuperseded {
                id: id(last - 1),
                by,
                cause,
            };
            tell(store, vec![superseded]).await;
            let next = Effort {
                model: Some("opus"),
                ..*effort
            };
            request(store, last, issue, kind, &next).await;
            end(store, last, WorkerResult::Done, 0.25).await;
        }
        if effort.merged {
            let merged = BoardEvent::Merged {
                id: id(last),
                commit: "beef".into(),
                warning: None,
            };
            let archived = BoardEvent::AssignmentArchived { id: id(last) };
            tell(store, vec![merged, archived]).await;
        }
    }
}

fn lines(record: &TrackRecord) -> Vec<String> {
    let line = |it: &coord_core::ladder::Tally| {
        let model = it.model.as_deref().unwrap_or("-");
        format!("{model}: {it}")
    };
    record.0.iter().map(line).collect()
}

fn efforts() -> Vec<Effort> {
    use AssignmentKind::{Continue, Fix, Rebase};
    let (done, failed) = (WorkerResult::Done, WorkerResult::Failed(FailureClass::Work));
    let interrupted = WorkerResult::Failed(FailureClass::Environmental { retry_at: None });
    let effort = |model, labels, result, next, merged| Effort {
        model,
        labels,
        result,
        next,
        merged,
    };
    vec![
        effort(Some("haiku"), &["docs"], done, None, true),
        // What came in between is not its fault.
        effort(
            Some("haiku"),
            &["docs", "ui"],
            done,
            Some((Cause::Conflict, Rebase)),
            true,
        ),
        effort(
            Some("haiku"),
            &[],
            interrupted,
            Some((Cause::Environment, Continue)),
            true,
        ),
        effort(
            Some("haiku"),
            &["docs"],
            done,
            Some((Cause::Tests, Fix)),
            true,
        ),
        effort(
            Some("haiku"),
            &[],
            failed,
            Some((Cause::Work, Continue)),
            false,
        ),
        effort(
            Some("haiku"),
            &[],
            WorkerResult::Cancelled,
            Some((Cause::Person, Continue)),
            true,
        ),
        effort(
            Some("haiku"),
            &[],
            done,
            Some((Cause::Person, Continue)),
            false,
        ),
        // Nobody goes on with it.
        effort(Some("haiku"), &[], failed, None, false),
        // Not decided.
        effort(Some("haiku"), &["docs"], done, None, false),
        effort(None, &[], done, None, true),
    ]
}

#[tokio::test]
async fn issues_count_by_the_model_that_they_began_with() {
    let home = Home::new();
    let store = home.store().await;
    assert_eq!(
        store.track_record(&"api".into()).await.unwrap(),
        TrackRecord::default()
    );
    carry_out(&store, &efforts()).await;
    let record = store.track_record(&"api".into()).await.unwrap();
    assert_eq!(
        lines(&record),
        [
            "-: 1 of 1 at the first try, $0.50 each",
            "haiku: 4 of 8 at the first try, $0.69 each",
            "haiku: 2 of 3 at the first try with `docs`, $0.67 each",
            "haiku: 1 of 1 at the first try with `ui`, $0.75 each",
        ]
    );
    assert_eq!(
        store.track_record(&"web".into()).await.unwrap(),
        TrackRecord::default()
    );
}

#[tokio::test]
async fn the_table_can_be_told_from_the_log_alone() {
    let home = Home::new();
    let store = home.store().await;
    carry_out(&store, &efforts()).await;
    let kept = store.track_record(&"api".into()).await.unwrap();
    drop(store);
    // As if a build with another idea of the table had been here.
    let conn = Connection::open(home.database()).unwrap();
    conn.execute_batch(
        "UPDATE efforts SET merged = 0, labels = '[]';
         UPDATE meta SET value = 0 WHERE key = 'efforts_version'",
    )
    .unwrap();
    drop(conn);
    let store = home.store().await;
    assert_eq!(store.track_record(&"api".into()).await.unwrap(), kept);
}
