//! One command, one transaction.

use std::sync::Arc;

use coord_core::BoardEvent;
use coord_core::assignment::{WorkerEnd, WorkerResult};
use coord_store::{HistoryFilter, StoreError};

use crate::sample::{
    Home, archive, assign, assigned, at, effect, events, id, note, replayed, settled,
};

fn ended(bits: u64, cost_usd: f64) -> BoardEvent {
    let end = WorkerEnd {
        result: WorkerResult::Done,
        exit_code: Some(0),
        error: None,
        branch: None,
        head: None,
        base: None,
        commits: 0,
        pushed: false,
        wip_ref: None,
        files: Vec::new(),
        cost_usd,
        turns: 1,
        stuck: None,
        session: None,
        answer: None,
    };
    BoardEvent::AssignmentEnded {
        id: id(bits),
        at: at(2),
        end: Box::new(end),
    }
}

#[tokio::test]
async fn a_decision_is_there_for_every_handle() {
    let home = Home::new();
    let store = home.store().await;
    let committed = store
        .transact(at(1), |board| assign(board, 1, 7, at(1)))
        .await
        .unwrap();
    let seqs: Vec<u64> = committed.recorded.iter().map(|r| r.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert!(committed.recorded.iter().all(|r| r.at == at(1)));
    assert!(committed.board.assignments.contains_key(&id(1)));

    let other = home.store().await;
    assert_eq!(other.board().await.unwrap(), committed.board);
    assert_eq!(
        other.history(HistoryFilter::default()).await.unwrap(),
        committed.recorded
    );
    let outbox = other.outbox().await.unwrap();
    assert!(
        outbox
            .iter()
            .any(|row| row.key.as_str().starts_with("dispatch:"))
    );
}

#[tokio::test]
async fn a_decision_sees_what_another_handle_has_written() {
    let home = Home::new();
    let (one, other) = (home.store().await, home.store().await);
    assigned(&one, 1, 7).await;
    let committed = other
        .transact(at(2), |board| assign(board, 2, 7, at(2)))
        .await
        .unwrap();
    assert_eq!(committed.refusal.unwrap().assignment, Some(id(1)));
    assigned(&other, 3, 8).await;
    assert_eq!(one.board().await.unwrap().assignments.len(), 2);
}

#[tokio::test]
async fn calls_that_wait_together_are_kept_or_lost_one_by_one() {
    let home = Home::new();
    let store = home.store().await;
    let calls: Vec<_> = (0..200_u64)
        .map(|count| {
            let store = store.clone();
            tokio::spawn(async move {
                let cost = if count % 5 == 0 { f64::NAN } else { 0.1 };
                store
                    .transact(at(1), move |_| {
                        let mut decision = effect(&format!("close:{count}"), None);
                        decision.events = vec![note(format!("{count}")), ended(1, cost)];
                        decision
                    })
                    .await
            })
        })
        .collect();
    for (count, call) in calls.into_iter().enumerate() {
        match call.await.unwrap() {
            Ok(_) => assert_ne!(count % 5, 0),
            Err(e) => {
                assert_eq!(count % 5, 0);
                assert!(matches!(e, StoreError::Unstorable { .. }), "{e:?}");
            }
        }
    }
    assert_eq!(store.outbox().await.unwrap().len(), 160);
    assert_eq!(replayed(&store).await.seq, 320);
    let fresh = home.store().await;
    assert_eq!(fresh.board().await.unwrap().seq, 320);
}

#[tokio::test]
async fn the_board_from_a_snapshot_is_the_board_from_the_log() {
    let home = Home::new();
    let store = home.store().await;
    for bits in 1..=140 {
        assigned(&store, bits, bits).await;
        // A sum of such numbers differs in its last bits with the order of adding them.
        let cost = 0.1 + 1.0 / bits as f64;
        store
            .transact(at(2), move |_| events(vec![ended(bits, cost)]))
            .await
            .unwrap();
        if bits % 3 == 0 {
            archive(&store, bits, at(3)).await;
        }
        if bits % 10 == 0 {
            let fresh = home.store().await;
            let board = fresh.board().await.unwrap();
            assert_eq!(board, store.board().await.unwrap());
            assert_eq!(*board, replayed(&store).await);
        }
    }
    let log = replayed(&store).await.seq;
    assert!(log > 600, "{log} events make no three snapshots");
}

#[tokio::test]
async fn an_effect_is_queued_once_and_done_with_its_outcome() {
    let home = Home::new();
    let store = home.store().await;
    for decision in [effect("close:1", None), effect("close:1", Some(at(9)))] {
        store.transact(at(1), |_| decision).await.unwrap();
    }
    let rows = store.outbox().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].not_before, at(1));

    store.transact(at(2), |_| settled("close:1")).await.unwrap();
    assert_eq!(store.outbox().await.unwrap(), []);
    store
        .transact(at(3), |_| effect("close:1", None))
        .await
        .unwrap();
    assert_eq!(store.outbox().await.unwrap(), [], "a key never comes back");
}

#[tokio::test]
async fn a_decision_to_do_nothing_leaves_no_trace() {
    let home = Home::new();
    let store = home.store().await;
    let committed = store.transact(at(1), |_| events(vec![])).await.unwrap();
    assert_eq!(committed.recorded, []);
    assert_eq!(committed.board.seq, 0);
}

#[tokio::test]
async fn watchers_hear_of_changes_of_this_and_of_other_processes() {
    let home = Home::new();
    let (one, other) = (home.store().await, home.store().await);
    let mut watched = one.changes();
    assert_eq!(*watched.borrow_and_update(), 0);
    one.transact(at(1), |_| events(vec![note("ours")]))
        .await
        .unwrap();
    watched.changed().await.unwrap();
    assert_eq!(*watched.borrow_and_update(), 1);
    other
        .transact(at(1), |_| events(vec![note("theirs")]))
        .await
        .unwrap();
    watched.changed().await.unwrap();
    assert_eq!(*watched.borrow_and_update(), 2);
}

#[tokio::test]
async fn a_board_that_somebody_holds_does_not_change() {
    let home = Home::new();
    let store = home.store().await;
    let before = store.board().await.unwrap();
    assigned(&store, 1, 7).await;
    assert_eq!(before.seq, 0);
    let after = store.board().await.unwrap();
    assert!(!Arc::ptr_eq(&before, &after));
    assert!(Arc::ptr_eq(&after, &store.board().await.unwrap()));
}
