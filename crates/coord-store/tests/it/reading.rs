//! History, finished assignments, ids.

use coord_core::Recorded;
use coord_store::{FinishedFilter, HistoryFilter};

use crate::sample::{Home, archive, assigned, at, events, id, note, settled};

fn kinds(log: &[Recorded]) -> Vec<String> {
    let kind = |r: &Recorded| serde_json::to_value(&r.event).unwrap()["kind"].to_string();
    log.iter()
        .map(|r| kind(r).trim_matches('"').to_owned())
        .collect()
}

#[tokio::test]
async fn history_is_found_by_every_column() {
    let home = Home::new();
    let store = home.store().await;
    assigned(&store, 1, 7).await;
    assigned(&store, 2, 8).await;
    for second in 10..20 {
        store
            .transact(at(second), |_| events(vec![note("x")]))
            .await
            .unwrap();
    }
    let ask = |filter| async { store.history(filter).await.unwrap() };
    let all = ask(HistoryFilter::default()).await;

    let of_seven = ask(HistoryFilter {
        repo: Some("api".into()),
        issue: Some(7),
        ..HistoryFilter::default()
    })
    .await;
    assert!(kinds(&of_seven).contains(&"assignment_requested".to_owned()));
    assert_eq!(of_seven, all[..of_seven.len()]);
    let of_one = HistoryFilter {
        assignment: Some(id(1)),
        ..HistoryFilter::default()
    };
    assert_eq!(ask(of_one).await, of_seven);
    let elsewhere = HistoryFilter {
        repo: Some("web".into()),
        ..HistoryFilter::default()
    };
    assert_eq!(ask(elsewhere).await, []);

    let timed = ask(HistoryFilter {
        since: Some(at(12)),
        until: Some(at(15)),
        ..HistoryFilter::default()
    })
    .await;
    assert_eq!(
        timed.iter().map(|r| r.at).collect::<Vec<_>>(),
        [at(12), at(13), at(14)]
    );

    let requested = HistoryFilter {
        kinds: vec!["assignment_requested".to_owned(), "no_such".to_owned()],
        ..HistoryFilter::default()
    };
    assert_eq!(kinds(&ask(requested).await), ["assignment_requested"; 2]);

    let last = HistoryFilter {
        limit: Some(3),
        ..HistoryFilter::default()
    };
    assert_eq!(ask(last.clone()).await, all[all.len() - 3..]);
    let next = HistoryFilter {
        after_seq: Some(2),
        ..last
    };
    assert_eq!(ask(next).await, all[2..5]);
}

#[tokio::test]
async fn the_outcome_of_an_effect_is_in_the_history_of_its_issue() {
    let home = Home::new();
    let store = home.store().await;
    assigned(&store, 1, 7).await;
    let key = format!("dispatch:{}", id(1));
    store.transact(at(2), move |_| settled(&key)).await.unwrap();
    let of_seven = HistoryFilter {
        issue: Some(7),
        kinds: vec!["effect_settled".to_owned()],
        ..HistoryFilter::default()
    };
    assert_eq!(store.history(of_seven).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_leaves_the_board_is_finished() {
    let home = Home::new();
    let store = home.store().await;
    let mut expected = Vec::new();
    for bits in 1..=4 {
        expected.push(assigned(&store, bits, 10 + bits).await);
        if bits < 4 {
            let committed = archive(&store, bits, at(bits as i64)).await;
            assert!(!committed.board.assignments.contains_key(&id(bits)));
        }
    }
    let ask = |filter| async { store.finished(filter).await.unwrap() };
    let all = ask(FinishedFilter::default()).await;
    assert_eq!(all, [2, 1, 0].map(|i: usize| expected[i].clone()));
    let narrow = FinishedFilter {
        repo: Some("api".into()),
        issue: Some(12),
        since: Some(at(2)),
        limit: Some(1),
    };
    assert_eq!(ask(narrow.clone()).await, [expected[1].clone()]);
    let later = FinishedFilter {
        since: Some(at(3)),
        ..narrow
    };
    assert_eq!(ask(later).await, []);

    for (bits, assignment) in (1..).zip(expected) {
        assert_eq!(store.assignment(&id(bits)).await.unwrap(), Some(assignment));
    }
    assert_eq!(store.assignment(&id(9)).await.unwrap(), None);
    // Archiving what is not on the board is a fact in the log and nothing else.
    archive(&store, 1, at(9)).await;
    assert_eq!(ask(FinishedFilter::default()).await.len(), 3);
}

#[tokio::test]
async fn people_type_the_start_of_an_id() {
    let home = Home::new();
    let store = home.store().await;
    for (bits, issue) in [
        (0xabc1_0000_0000, 1),
        (0xabc2_0000_0000, 2),
        (0xf000_0000_0000, 3),
    ] {
        assigned(&store, bits, issue).await;
    }
    archive(&store, 0xabc1_0000_0000, at(2)).await;
    let ask = |prefix: &'static str| {
        let store = store.clone();
        async move { store.resolve_prefix(prefix).await.unwrap() }
    };
    assert_eq!(
        ask("abc").await,
        [id(0xabc1_0000_0000), id(0xabc2_0000_0000)]
    );
    assert_eq!(ask(" ABC1").await, [id(0xabc1_0000_0000)]);
    assert_eq!(ask("f").await, [id(0xf000_0000_0000)]);
    assert_eq!(ask("").await.len(), 3);
    for nothing in ["d", "abc%", "abc_", "a'--", "ä", "abc100000000000000"] {
        assert_eq!(ask(nothing).await, [], "{nothing}");
    }
}
