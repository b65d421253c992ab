//! Many threads, many processes, one board.

use std::collections::BTreeSet;
use std::process::{Child, Output};

use coord_store::{HistoryFilter, Store};

use crate::child::{command, said};
use crate::sample::{Home, at, effect, events, id, note, replayed, text};

/// As many as the issue asks for.
const MANY: u64 = 12;

fn finish(children: Vec<Child>) -> Vec<Output> {
    let finish = |child: Child| {
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{out}");
        output
    };
    children.into_iter().map(finish).collect()
}

fn lines(output: &Output) -> Vec<String> {
    let out = String::from_utf8_lossy(&output.stdout);
    out.lines().filter_map(said).map(str::to_owned).collect()
}

#[tokio::test]
async fn twelve_handles_with_threads_of_their_own_lose_nothing() {
    let home = Home::new();
    let threads: Vec<_> = (0..MANY)
        .map(|name| {
            let database = home.database();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let store = Store::open(database).await.unwrap();
                    for count in 0..20 {
                        let event = note(format!("{name}-{count}"));
                        store
                            .transact(at(1), |_| events(vec![event]))
                            .await
                            .unwrap();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let store = home.store().await;
    let log = store.history(HistoryFilter::default()).await.unwrap();
    let texts: BTreeSet<_> = log.iter().map(text).collect();
    assert_eq!(texts.len() as u64, MANY * 20);
    assert_eq!(*store.board().await.unwrap(), replayed(&store).await);
}

#[tokio::test]
async fn twelve_processes_lose_nothing() {
    let home = Home::new();
    let children = (0..MANY)
        .map(|name| command("write", &home.database(), name).spawn().unwrap())
        .collect();
    finish(children);
    let store = home.store().await;
    let log = store.history(HistoryFilter::default()).await.unwrap();
    let texts: BTreeSet<_> = log.iter().map(text).collect();
    assert_eq!(texts.len() as u64, MANY * 25);
    assert_eq!(*store.board().await.unwrap(), replayed(&store).await);
}

#[tokio::test]
async fn twelve_processes_dispatch_one_issue_once() {
    let home = Home::new();
    let children = (0..MANY)
        .map(|name| command("claim", &home.database(), name).spawn().unwrap())
        .collect();
    let words: Vec<String> = finish(children).iter().flat_map(lines).collect();

    let won: Vec<_> = words
        .iter()
        .filter_map(|word| word.strip_prefix("7 is for "))
        .collect();
    let lost: Vec<_> = words
        .iter()
        .filter_map(|word| word.strip_prefix("7 is taken by "))
        .collect();
    assert_eq!(won.len(), 1, "{words:?}");
    assert_eq!(lost, vec![won[0]; MANY as usize - 1]);

    let store = home.store().await;
    let board = store.board().await.unwrap();
    for name in 0..MANY {
        let issue = 100 + name;
        assert!(board.assignments.contains_key(&id(name * 1000 + issue)));
    }
    assert_eq!(board.assignments.len() as u64, MANY + 1);
    assert_eq!(*board, replayed(&store).await);
}

#[tokio::test]
async fn an_effect_is_leased_by_one_process() {
    let home = Home::new();
    let store = home.store().await;
    for count in 0..60 {
        store
            .transact(at(1), move |_| effect(&format!("close:{count}"), None))
            .await
            .unwrap();
    }
    let children = (0..MANY)
        .map(|name| command("lease", &home.database(), name).spawn().unwrap())
        .collect();
    let mut keys: Vec<String> = finish(children).iter().flat_map(lines).collect();
    keys.sort();
    let mut expected: Vec<String> = (0..60).map(|count| format!("close:{count}")).collect();
    expected.sort();
    assert_eq!(keys, expected);
}
