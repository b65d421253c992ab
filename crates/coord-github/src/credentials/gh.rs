//! The token that `gh` holds.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::CallError;
use crate::secret::Secret;

/// Where the token came from, for messages.
pub(super) const ORIGIN: &str = "`gh auth token`";
/// It reads a file or asks a keyring.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What `gh` needs to find its own files and the keyring. No token is among them: it would print
/// that one instead of its own.
const ENVIRONMENT: [&str; 9] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "GH_CONFIG_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Asks `gh` for the token of `host`.
pub(super) async fn token(program: &Path, host: &str) -> Result<Secret, CallError> {
    let kept = ENVIRONMENT
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let running = Command::new(program)
        .args(["auth", "token", "--hostname", host])
        .env_clear()
        .envs(kept)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(TIMEOUT, running).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            let what = format!(
                "there is no token for GitHub, and gh cannot be run ({})",
                error.kind()
            );
            return Err(nothing_found(&what, host));
        }
        Err(_) => return Err(nothing_found("gh does not answer", host)),
    };
    let token = Secret::new(&String::from_utf8_lossy(&output.stdout), ORIGIN);
    if output.status.success() && token.is_sound() {
        return Ok(token);
    }
    let what = format!("gh has no token for {host} ({})", output.status);
    Err(nothing_found(&what, host))
}

/// No credentials anywhere.
pub(super) fn nothing_found(what: &str, host: &str) -> CallError {
    CallError::Auth {
        what: what.to_owned(),
        hint: Some(format!(
            "set COORD_GITHUB_TOKEN, GITHUB_TOKEN or GH_TOKEN, or sign in with `gh auth login --hostname {host}`, or give the configuration a GitHub app: its id, key file and installation"
        )),
    }
}
