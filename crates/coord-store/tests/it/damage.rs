//! Files that are not what they should be: an error that says what to do, never an empty board.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use coord_store::{FinishedFilter, HistoryFilter, Store, StoreError};
use rusqlite::Connection;

use crate::child::{command, command_of, said};
use crate::sample::{Home, archive, assigned, at, events, note, replayed};

async fn refused(database: &Path) -> StoreError {
    let before = fs::read(database).unwrap();
    let Err(error) = Store::open(database).await else {
        panic!("{} bytes were opened", before.len());
    };
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(fs::read(database).unwrap(), before, "the file was changed");
    error
}

/// A database with `count` events, all in the main file, that nobody has open.
fn filled(database: &Path, count: u64) {
    // In another process, whose end is the one sure sign that it has let go of the file.
    let output = command("fill", database, count).output().unwrap();
    assert!(output.status.success());
    tamper(database, "PRAGMA wal_checkpoint(TRUNCATE)");
}

fn tamper(database: &Path, sql: &str) {
    let conn = Connection::open(database).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(15))
        .unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let home = Home::new();
    for content in ["", "x", "hello, this is not a database\n"] {
        fs::write(home.database(), content.repeat(100)).unwrap();
        let error = refused(&home.database()).await;
        assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_database_of_another_program() {
    let home = Home::new();
    tamper(&home.database(), "CREATE TABLE bookmarks (url TEXT)");
    let error = refused(&home.database()).await;
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_that_was_cut_short() {
    let home = Home::new();
    filled(&home.database(), 500);
    let content = fs::read(home.database()).unwrap();
    assert!(content.len() > 20_000);
    let whole = content.len();
    for length in [1, 99, 100, 4096, 8192, whole / 2, whole - 4096, whole - 1] {
        fs::write(home.database(), &content[..length]).unwrap();
        let error = refused(&home.database()).await;
        assert!(
            matches!(
                error,
                StoreError::Damaged { .. } | StoreError::NotOurs { .. }
            ),
            "{length}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_newer_database() {
    let home = Home::new();
    filled(&home.database(), 1);
    tamper(
        &home.database(),
        "UPDATE meta SET value = 99 WHERE key = 'schema_version'",
    );
    let error = refused(&home.database()).await;
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_newer_event() {
    let home = Home::new();
    filled(&home.database(), 3);
    tamper(
        &home.database(),
        "UPDATE events SET version = 99, body = '?' WHERE seq = 2",
    );
    let store = home.store().await;
    for error in [
        store.board().await.unwrap_err(),
        store.history(HistoryFilter::default()).await.unwrap_err(),
        store.transact(at(2), |_| events(vec![])).await.unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "event 2 has version 99; this build knows versions up to 1"
        );
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read() {
    let home = Home::new();
    filled(&home.database(), 3);
    tamper(
        &home.database(),
        "UPDATE events SET body = '{\"kind\":\"dance\"}' WHERE seq = 3",
    );
    let store = home.store().await;
    let error = store.board().await.unwrap_err();
    assert!(
        error.to_string().starts_with("event 3 cannot be read: "),
        "{error}"
    );
    let error = store.transact(at(2), |_| events(vec![note("x")])).await;
    assert!(matches!(error, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn events_that_are_missing() {
    let home = Home::new();
    filled(&home.database(), 300);
    tamper(&home.database(), "DELETE FROM events WHERE seq > 250");
    let error = home.store().await.board().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");

    let home = Home::new();
    filled(&home.database(), 10);
    tamper(&home.database(), "DELETE FROM events WHERE seq = 5");
    let error = home.store().await.board().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "event 5 cannot be read: it is missing from the log"
    );
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_used_costs_nothing_but_time() {
    for spoil in [
        "UPDATE snapshots SET body = '{'",
        "UPDATE snapshots SET version = 99, body = 'x'",
        "DELETE FROM snapshots",
    ] {
        let home = Home::new();
        filled(&home.database(), 250);
        let conn = Connection::open(home.database()).unwrap();
        assert_eq!(conn.execute(spoil, []).unwrap(), 1);
        conn.close().unwrap();
        let store = home.store().await;
        assert_eq!(*store.board().await.unwrap(), replayed(&store).await);
    }
}

#[tokio::test]
async fn a_snapshot_of_another_version_is_replaced_as_soon_as_the_store_is_opened() {
    let home = Home::new();
    filled(&home.database(), 250);
    tamper(
        &home.database(),
        "UPDATE snapshots SET version = 1, body = 'x'",
    );
    let opening = [0; 8].map(|_| tokio::spawn(Store::open(home.database())));
    for opened in opening {
        let store = opened.await.unwrap().unwrap();
        assert_eq!(*store.board().await.unwrap(), replayed(&store).await);
    }
    let conn = Connection::open(home.database()).unwrap();
    let kept = "SELECT count(*), max(seq), min(version) > 1 FROM snapshots";
    let row = conn.query_row(kept, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (count, seq, is_new): (i64, i64, bool) = row.unwrap();
    assert_eq!((count, seq, is_new), (1, 250, true));
}

#[tokio::test]
async fn an_old_read_model_is_filled_again() {
    let home = Home::new();
    let store = home.store().await;
    for bits in 1..=3 {
        assigned(&store, bits, bits).await;
        archive(&store, bits, at(2)).await;
    }
    let before = store.finished(FinishedFilter::default()).await.unwrap();
    assert_eq!(before.len(), 3);
    drop(store);
    tamper(
        &home.database(),
        "UPDATE finished SET body = '?';
         INSERT INTO finished VALUES ('ffffffffffff', 'x', 1, 1, 1, '?');
         UPDATE meta SET value = 0 WHERE key = 'finished_version'",
    );
    let store = home.store().await;
    let after = store.finished(FinishedFilter::default()).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made() {
    let home = Home::new();
    let file = home.folder().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(file.join("home").join("coord.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("COORD_HOME"));
    let error = Store::open(home.folder()).await.unwrap_err();
    assert!(error.hint().is_some(), "{error:?}");
}

#[tokio::test]
async fn the_database_is_for_its_owner_only() {
    let home = Home::new();
    let database = home.folder().join("new").join("coord.db");
    let store = Store::open(&database).await.unwrap();
    store
        .transact(at(1), |_| events(vec![note("x")]))
        .await
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(database.parent().unwrap()), 0o700);
    for file in fs::read_dir(database.parent().unwrap()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

/// The answer of a process without special rights that opens the database.
fn opened_by_nobody(home: &Home) -> String {
    let program = home.folder().join("program");
    // By another process: a child that a test beside this one forks just then would inherit our
    // descriptor, and a file that is open for writing cannot be run.
    let copied = std::process::Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command_of(&program, "open", &home.folder().join("state/coord.db"), 0);
    command.current_dir("/").env_remove("COORD_HOME");
    if fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    }) {
        // The administrator may write anywhere, so somebody else has to try.
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = out.lines().find_map(said);
    said.unwrap_or_else(|| panic!("{out}")).to_owned()
}

#[tokio::test]
async fn a_home_that_may_not_be_written() {
    let home = Home::new();
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&home.folder(), 0o755);
    let state = home.folder().join("state");
    fs::create_dir(&state).unwrap();
    chmod(&state, 0o555);
    let answer = opened_by_nobody(&home);
    assert!(
        answer.starts_with("error: cannot use the state folder"),
        "{answer}"
    );
    assert!(answer.contains("hint: make"), "{answer}");

    chmod(&state, 0o755);
    filled(&state.join("coord.db"), 1);
    for file in fs::read_dir(&state).unwrap() {
        chmod(&file.unwrap().path(), 0o444);
    }
    chmod(&state, 0o555);
    let answer = opened_by_nobody(&home);
    assert!(answer.contains("cannot be written"), "{answer}");
    assert!(answer.contains("hint: make"), "{answer}");
    chmod(&state, 0o755);
}
