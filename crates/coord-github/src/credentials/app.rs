//! The private key of an app.

use std::path::Path;
use std::sync::Arc;

use octocrab::EncodingKey;
use octocrab::auth::AppAuth;
use octocrab::models::AppId;

use super::AppCredentials;
use crate::error::CallError;

pub(super) async fn read(app: &AppCredentials) -> Result<AppAuth, CallError> {
    let path = &app.key_file;
    let pem = tokio::fs::read(path)
        .await
        .map_err(|error| CallError::Unusable {
            what: format!(
                "cannot read the key of the GitHub app, `{}`",
                path.display()
            ),
            hint: Some("name the file that GitHub gave you when the key was made".to_owned()),
            source: Some(Arc::new(error)),
        })?;
    warn_when_open(path).await;
    let key = EncodingKey::from_rsa_pem(&pem).map_err(|_| CallError::Unusable {
        what: format!("`{}` is no private key of a GitHub app", path.display()),
        hint: Some("it is a PEM file that holds an RSA private key".to_owned()),
        // What the parser says could quote the key.
        source: None,
    })?;
    Ok(AppAuth {
        app_id: AppId(app.app_id),
        key,
    })
}

#[cfg(unix)]
async fn warn_when_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = tokio::fs::metadata(path).await else {
        return;
    };
    if found.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "the key of the GitHub app can be read by other users of this machine: chmod 600 it"
        );
    }
}

#[cfg(not(unix))]
async fn warn_when_open(_path: &Path) {}
