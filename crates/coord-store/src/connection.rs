//! Opening the database file: made whole or not at all, checked before it is trusted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{Fault, StoreError};
use crate::{efforts, finished, usage};

/// `coor` in ASCII: tells our databases from those of other programs.
const APPLICATION_ID: i64 = 0x636f_6f72;
/// What makes the tables of version 1, and what turns each version into the next.
const SCHEMAS: [&str; 5] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
];
/// The version of the tables that this build reads and writes.
const SCHEMA_VERSION: u32 = 5;
/// How long a call waits for another process to end its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(15);

/// Opens the database for writing; makes it when there is no file of that name.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    match fs::metadata(path) {
        Ok(file) if file.len() == 0 => {
            // We never leave an empty file behind, so this one has lost its content.
            return Err(StoreError::NotOurs {
                path: path.to_path_buf(),
                reason: "the file is empty".to_owned(),
            });
        }
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => create(path)?,
        Err(e) => return Err(folder_error(path, e)),
    }
    let mut conn = open(path).map_err(|e| StoreError::from_sqlite(path, e))?;
    check(&conn, path).map_err(|fault| fault.at(path))?;
    upgrade(&mut conn).map_err(|e| StoreError::from_sqlite(path, e))?;
    Ok(conn)
}

/// Opens the database that [`open_for_writing`] has checked, for reading only.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let prepare = || {
        let conn = open(path)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    };
    prepare().map_err(|e| StoreError::from_sqlite(path, e))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(conn)
}

/// Makes the database under another name and then gives it its own, so that no other process ever
/// sees, and no crash ever leaves behind, one without tables.
fn create(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| folder_error(path, e))?;
    let fresh = fresh_name(path);
    let made = make(&fresh, path).and_then(|()| match fs::hard_link(&fresh, path) {
        Ok(()) => Ok(()),
        // Another process was faster; its database is as good as ours.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(folder_error(path, e)),
    });
    for name in with_side_files(&fresh) {
        // What cannot be removed is litter, not damage.
        let _ = fs::remove_file(name);
    }
    made?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| folder_error(path, e))
}

fn make(fresh: &Path, path: &Path) -> Result<(), StoreError> {
    // Briefings may be confidential; SQLite gives its side files the mode of the main file.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(fresh)
        .map_err(|e| folder_error(path, e))?;
    let made = || {
        let conn = open(fresh)?;
        fill(&conn)?;
        conn.close().map_err(|(_, e)| e)
    };
    made().map_err(|e| StoreError::from_sqlite(path, e))
}

/// The write-ahead log comes last: on a full disk its content may never reach the file, and closing
/// says nothing about that.
fn fill(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.execute_batch(&format!("BEGIN; {} COMMIT;", SCHEMAS.concat()))?;
    set_meta(conn, "schema_version", SCHEMA_VERSION)?;
    set_meta(conn, "finished_version", finished::VERSION)?;
    set_meta(conn, "usage_version", usage::VERSION)?;
    set_meta(conn, "efforts_version", efforts::VERSION)?;
    conn.pragma_update(None, "journal_mode", "WAL")
}

/// The file, and those that SQLite puts beside it.
fn with_side_files(path: &Path) -> [PathBuf; 4] {
    ["", "-journal", "-wal", "-shm"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    })
}

fn fresh_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".new-{}-{count}", std::process::id()));
    path.with_file_name(name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn folder_error(path: &Path, error: std::io::Error) -> StoreError {
    if error.kind() == ErrorKind::StorageFull {
        return StoreError::Full {
            path: path.to_path_buf(),
        };
    }
    StoreError::Folder {
        path: folder_of(path).to_path_buf(),
        source: Arc::new(error),
    }
}

fn check(conn: &Connection, path: &Path) -> Result<(), Fault> {
    check_length(conn, path)?;
    let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(Fault::Known(StoreError::NotOurs {
            path: path.to_path_buf(),
            reason: "another program made it".to_owned(),
        }));
    }
    let found = meta(conn, "schema_version")?;
    if found > SCHEMA_VERSION {
        return Err(Fault::Known(StoreError::Newer {
            what: format!("the database `{}`", path.display()),
            found,
            known: SCHEMA_VERSION,
        }));
    }
    Ok(())
}

/// Brings the tables of an earlier version up to this one.
fn upgrade(conn: &mut Connection) -> rusqlite::Result<()> {
    if meta(conn, "schema_version")? >= SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = meta(&transaction, "schema_version")?;
    for (version, schema) in (1..).zip(SCHEMAS) {
        if version > found {
            transaction.execute_batch(schema)?;
        }
    }
    set_meta(&transaction, "schema_version", found.max(SCHEMA_VERSION))?;
    transaction.commit()
}

/// SQLite notices missing pages, but takes a page that was cut for one that ends in zeros. While
/// there is a log beside the file a page may be cut for good reason: it is repaired from the log.
fn check_length(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let page: u64 = conn
        .query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?
        .into();
    let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if length(Path::new(&log)) > 0 || length(path).is_multiple_of(page) {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let reason = "the file ends within a page".to_owned();
    Err(Fault::Sqlite(rusqlite::Error::SqliteFailure(
        code,
        Some(reason),
    )))
}

/// A number from the table `meta`.
pub(crate) fn meta(conn: &Connection, key: &str) -> rusqlite::Result<u32> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
        row.get(0)
    })
}

/// Puts a number into the table `meta`.
pub(crate) fn set_meta(conn: &Connection, key: &str, value: u32) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is only in the log is lost with it when the file gets its name.
    #[test]
    fn all_of_a_new_database_is_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (fresh, name) = (folder.path().join("new"), folder.path().join("name"));
        fs::write(&fresh, "").unwrap();
        let conn = open(&fresh).unwrap();
        fill(&conn).unwrap();
        fs::copy(&fresh, &name).unwrap();
        drop(open_for_writing(&name).unwrap());
        let mode: String = conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }
}
