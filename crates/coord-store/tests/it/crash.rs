//! `kill -9` in the middle of writing.

use std::io::{BufRead, BufReader};

use coord_store::HistoryFilter;

use crate::child::{command, said};
use crate::sample::{Home, replayed, text};

/// Kills a writer once it has said `lines` lines; gives the last place in the log that it was
/// told of.
fn kill_after(home: &Home, name: u64, lines: usize) -> Option<u64> {
    let mut child = command("write for ever", &home.database(), name)
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let heard = out
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| said(&line).map(|said| said.parse().unwrap()))
        .take(lines)
        .last();
    child.kill().unwrap();
    child.wait().unwrap();
    heard
}

#[tokio::test]
async fn what_was_acknowledged_is_there_and_nothing_is_there_by_half() {
    let home = Home::new();
    let mut acknowledged = 0;
    // The first is killed while it makes the database, or before.
    for (name, lines) in [0, 1, 0, 2, 3, 40, 7, 5, 1, 11].into_iter().enumerate() {
        let heard = kill_after(&home, name as u64, lines);
        acknowledged = acknowledged.max(heard.unwrap_or(0));

        let store = home.store().await;
        let log = store.history(HistoryFilter::default()).await.unwrap();
        assert!(log.len() as u64 >= acknowledged);
        assert_eq!(log.len() % 2, 0, "a pair is there by half");
        for pair in log.chunks(2) {
            assert_eq!(text(&pair[1]), "second of a pair");
        }
        assert_eq!(store.outbox().await.unwrap().len() * 2, log.len());
        assert_eq!(*store.board().await.unwrap(), replayed(&store).await);
    }
    assert!(acknowledged > 0);
}
