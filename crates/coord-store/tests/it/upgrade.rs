//! Databases of earlier versions.

use std::path::Path;

use coord_core::BoardEvent;
use coord_store::{ForgeRows, HistoryFilter, Mirror, Store};
use rusqlite::Connection;

use crate::sample::{Home, at, events, note, text};

/// As coord 0.1.0 left it: one event, an issue with a comment and a pull request that is merged.
fn old_database(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.pragma_update(None, "application_id", 0x636f_6f72)
        .unwrap();
    conn.execute_batch(include_str!("../../src/schema/1.sql"))
        .unwrap();
    conn.execute_batch(
        "INSERT INTO meta VALUES ('schema_version', 1), ('finished_version', 1);
         INSERT INTO forge_numbers VALUES ('api', 1), ('api', 2);
         INSERT INTO forge_issues VALUES ('api', 1, 't', 'b', '[]', 'anna', TRUE, 1000);
         INSERT INTO forge_comments VALUES (7, 'api', 1, 'coord', 'x', 2000);
         INSERT INTO forge_pulls VALUES ('api', 2, 't', '', 'x', 'main', 'aa', 'bb', 3000);",
    )
    .unwrap();
    let event: BoardEvent = note("old");
    conn.execute(
        "INSERT INTO events (seq, at, version, kind, body) VALUES (1, 1000, 1, 'agent_silent', ?1)",
        [serde_json::to_string(&event).unwrap()],
    )
    .unwrap();
    conn.close().unwrap();
}

#[tokio::test]
async fn a_database_of_version_0_1_0_opens_with_all_that_is_in_it() {
    let home = Home::new();
    old_database(&home.database());
    let opening = [0; 8].map(|_| tokio::spawn(Store::open(home.database())));
    let mut stores = Vec::new();
    for opened in opening {
        stores.push(opened.await.unwrap().unwrap());
    }
    for store in stores {
        let log = store.history(HistoryFilter::default()).await.unwrap();
        assert_eq!(text(&log[0]), "old");
        let rows = ForgeRows::new(store.clone(), "api".into());
        assert_eq!(rows.issue(1).await.unwrap().unwrap().title, "t");
        let comments = rows.comments(1, Some(at(2))).await.unwrap().unwrap();
        assert_eq!((comments[0].id, comments[0].at), (7, at(2)));
        assert_eq!(rows.comments(1, Some(at(3))).await.unwrap(), Some(vec![]));
        let merged = rows.pull(2).await.unwrap().unwrap().merged.unwrap();
        assert_eq!(merged.onto, None);
        let mirror = Mirror::new(store.clone(), "api".into());
        assert_eq!(mirror.issues(None).await.unwrap(), []);
        store
            .transact(at(4), |_| events(vec![note("new")]))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_database_that_grew_has_the_tables_of_a_new_one() {
    let (old, new) = (Home::new(), Home::new());
    old_database(&old.database());
    let tables = async |home: &Home| {
        home.store().await.board().await.unwrap();
        let conn = Connection::open(home.database()).unwrap();
        let mut query = conn
            .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
            .unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .collect::<Result<Vec<(String, Option<String>)>, _>>()
            .unwrap()
    };
    assert_eq!(tables(&old).await, tables(&new).await);
}
