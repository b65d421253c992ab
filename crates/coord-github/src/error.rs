//! What can go wrong: with the settings, and with a call.

use std::error::Error;
use std::sync::Arc;

use coord_core::ids::Timestamp;
use coord_forge::ForgeError;

/// The settings cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// The address of the API is none.
    #[error("`{url}` is not the address of a GitHub API: {reason}")]
    Address {
        /// As it was given, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A token would travel in clear.
    #[error("the address of the GitHub API has to begin with https: `{host}` is not this machine")]
    InClear {
        /// The host.
        host: String,
    },
}

/// What is behind a failure. Shared, because one request may serve several callers.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why a call came to nothing.
#[derive(Debug, Clone)]
pub(crate) enum CallError {
    /// GitHub answered with a 4xx.
    Refused {
        /// The status: 403, 404, 405, 409, 422, ….
        status: u16,
        /// In GitHub's words, on one line.
        message: String,
        /// What is wrong in particular, where GitHub says so.
        errors: Vec<String>,
        /// What would change it.
        hint: Option<String>,
    },
    /// Worth trying again.
    Transient {
        /// What failed.
        what: String,
        /// When it is worth trying again, where GitHub said so.
        retry_at: Option<Timestamp>,
        /// Whether the request may have had its effect all the same.
        outcome_unknown: bool,
        /// What is behind it.
        source: Option<Cause>,
    },
    /// There are no credentials, or GitHub does not accept them.
    Auth {
        /// What failed.
        what: String,
        /// What would change it.
        hint: Option<String>,
    },
    /// Something is broken and a person has to look at it.
    Unusable {
        /// What failed.
        what: String,
        /// What would change it.
        hint: Option<String>,
        /// What is behind it.
        source: Option<Cause>,
    },
}

impl CallError {
    /// For the answer to a write that came and cannot be read: what GitHub did is not undone by it.
    pub(crate) fn with_unknown_outcome(self) -> Self {
        match self {
            Self::Unusable { what, source, .. } => Self::Transient {
                what,
                retry_at: None,
                outcome_unknown: true,
                source,
            },
            Self::Refused { .. } | Self::Transient { .. } | Self::Auth { .. } => self,
        }
    }

    /// As the forge's callers see it; `what` was asked for, e.g. `issue api#7`.
    pub(crate) fn into_forge(self, what: &str) -> ForgeError {
        match self {
            Self::Refused {
                status: 404,
                hint: None,
                ..
            } => ForgeError::NotFound {
                what: what.to_owned(),
            },
            Self::Refused {
                status: 404, hint, ..
            } => ForgeError::Refused {
                reason: format!("{what} does not exist, or is hidden from this account"),
                hint,
            },
            Self::Refused {
                status: 403,
                message,
                hint,
                ..
            } => ForgeError::Auth {
                what: format!("{what}: {message}"),
                hint,
            },
            Self::Refused {
                message,
                errors,
                hint,
                ..
            } => ForgeError::Refused {
                reason: in_one(what, &message, &errors),
                hint,
            },
            Self::Transient {
                what: failed,
                retry_at,
                source,
                ..
            } => ForgeError::Transient {
                what: format!("{what}: {failed}"),
                retry_at,
                source: source.map(boxed),
            },
            Self::Auth { what, hint } => ForgeError::Auth { what, hint },
            Self::Unusable {
                what: failed,
                hint,
                source,
            } => ForgeError::Unusable {
                what: format!("{what}: {failed}"),
                hint,
                source: source.map(boxed),
            },
        }
    }
}

fn boxed(cause: Cause) -> Box<dyn Error + Send + Sync> {
    Box::new(cause)
}

fn in_one(what: &str, message: &str, errors: &[String]) -> String {
    if errors.is_empty() {
        format!("{what}: {message}")
    } else {
        format!("{what}: {message}: {}", errors.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, hint: Option<&str>) -> ForgeError {
        CallError::Refused {
            status,
            message: "Validation Failed".to_owned(),
            errors: vec!["title is missing".to_owned(), "body is long".to_owned()],
            hint: hint.map(str::to_owned),
        }
        .into_forge("issue api#7")
    }

    #[test]
    fn refusals_name_what_was_asked_for() {
        assert_eq!(
            refused(422, None).to_string(),
            "issue api#7: Validation Failed: title is missing; body is long"
        );
        assert!(
            matches!(refused(404, None), ForgeError::NotFound { what } if what == "issue api#7")
        );
        assert!(matches!(refused(403, None), ForgeError::Auth { .. }));
    }

    #[test]
    fn a_hint_is_never_lost() {
        for status in [403, 404, 409, 422] {
            assert_eq!(
                refused(status, Some("do it")).hint(),
                Some("do it"),
                "{status}"
            );
        }
    }
}
