//! The token that callers present: where it is found, and that nobody else can read it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::AgentError;

/// Permission bits of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Where `coord agent pair` leaves the token of the agent in the state folder `home`.
#[must_use]
pub fn token_path(home: &Path) -> PathBuf {
    home.join("agent/token")
}

/// Makes a token for the agent with the state folder `home`, unless it has one; `true` for a fresh
/// one. It is 64 hexadecimal digits with 244 random bits, and only its owner can read it.
///
/// # Errors
/// [`AgentError::Home`] when it cannot be written.
pub fn make_token(home: &Path) -> Result<bool, AgentError> {
    let path = token_path(home);
    write_new(&path).map_err(|source| AgentError::Home {
        doing: "write",
        path,
        source,
    })
}

/// Whole or not at all, and never over another one.
fn write_new(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let random = || Uuid::new_v4().simple().to_string();
    let fresh = path.with_extension(random());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(format!("{}{}\n", random(), random()).as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a token from a file of one line that only its owner can read.
///
/// # Errors
/// [`AgentError::TokenFile`].
pub fn read_token(path: &Path) -> Result<String, AgentError> {
    let wrong = |reason: String| AgentError::TokenFile {
        path: path.to_path_buf(),
        reason,
    };
    let cannot = |error: io::Error| wrong(format!("cannot be read: {error}"));
    let mode = fs::metadata(path).map_err(cannot)?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(wrong("can be read by others".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    let token = text.trim();
    match token.is_empty() || token.contains(char::is_whitespace) {
        true => Err(wrong("does not hold one word".to_owned())),
        false => Ok(token.to_owned()),
    }
}

/// The token of an agent: the file that was named, else the value of `COORD_AGENT_TOKEN` (read by
/// the caller), else the file in the state folder if there is one.
///
/// # Errors
/// [`AgentError::TokenFile`] for a file that is there and cannot be used.
pub fn find_token(
    named: Option<&Path>,
    from_env: Option<String>,
    home: &Path,
) -> Result<Option<String>, AgentError> {
    if let Some(path) = named {
        return read_token(path).map(Some);
    }
    if let Some(token) = from_env.filter(|token| !token.trim().is_empty()) {
        return Ok(Some(token.trim().to_owned()));
    }
    let path = token_path(home);
    match path.exists() {
        true => read_token(&path).map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, mode: u32) -> Result<String, AgentError> {
        let home = tempfile::tempdir().unwrap();
        let path = token_path(home.path());
        fs::create_dir(home.path().join("agent")).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        find_token(None, None, home.path()).map(Option::unwrap)
    }

    #[test]
    fn a_fresh_token_is_one_that_is_accepted_and_it_stays() {
        let home = tempfile::tempdir().unwrap();
        assert!(make_token(home.path()).unwrap());
        let token = find_token(None, None, home.path()).unwrap().unwrap();
        assert_eq!(token.len(), 64);
        assert!(!make_token(home.path()).unwrap());
        assert_eq!(find_token(None, None, home.path()).unwrap(), Some(token));
        assert_eq!(fs::read_dir(home.path().join("agent")).unwrap().count(), 1);
    }

    #[test]
    fn one_word_that_only_the_owner_can_read() {
        assert_eq!(token("s3cret\n", 0o600).unwrap(), "s3cret");
        for (text, mode) in [("s3cret", 0o644), ("", 0o600), ("two words", 0o600)] {
            let error = token(text, mode).unwrap_err();
            assert!(
                matches!(error, AgentError::TokenFile { .. }),
                "{text} {mode:o}"
            );
        }
    }

    #[test]
    fn a_named_file_comes_before_the_environment_before_the_state_folder() {
        let home = tempfile::tempdir().unwrap();
        let none = find_token(None, Some(" ".to_owned()), home.path()).unwrap();
        assert_eq!(none, None);
        let env = find_token(None, Some("e".to_owned()), home.path()).unwrap();
        assert_eq!(env.as_deref(), Some("e"));
        let missing = home.path().join("nowhere");
        assert!(find_token(Some(&missing), Some("e".to_owned()), home.path()).is_err());
    }
}
