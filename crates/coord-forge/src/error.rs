//! What can go wrong with a forge, sorted by what happens next.

use std::error::Error;

use coord_core::failure::FailureClass;
use coord_core::ids::Timestamp;

/// A failure of a forge.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// Network, overload, rate limit, a lock held too long, a full disk: worth trying again.
    #[error("{what}")]
    Transient {
        /// What failed.
        what: String,
        /// When it is worth trying again, where the forge said so.
        retry_at: Option<Timestamp>,
        /// What is behind it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// There is no such issue, pull request, branch or repository, or it is hidden from us.
    #[error("{what} does not exist")]
    NotFound {
        /// E.g. `issue api#7`.
        what: String,
    },
    /// The forge does not accept who we are, or what we may do.
    #[error("{what}")]
    Auth {
        /// What failed.
        what: String,
        /// What would change it.
        hint: Option<String>,
    },
    /// The forge understood and refuses: the same request will be refused again.
    #[error("{reason}")]
    Refused {
        /// In the forge's words.
        reason: String,
        /// What would change it.
        hint: Option<String>,
    },
    /// What the forge needs to do its work is broken or missing, and a person has to look at it.
    #[error("{what}")]
    Unusable {
        /// What failed.
        what: String,
        /// What would change it.
        hint: Option<String>,
        /// What is behind it.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl ForgeError {
    /// What the failure means for the work that ran into it.
    #[must_use]
    pub const fn class(&self) -> FailureClass {
        match self {
            Self::Transient { retry_at, .. } => FailureClass::Environmental {
                retry_at: *retry_at,
            },
            Self::NotFound { .. }
            | Self::Auth { .. }
            | Self::Refused { .. }
            | Self::Unusable { .. } => FailureClass::Configuration,
        }
    }

    /// What a person can do about it, where the forge knows.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Transient { .. } | Self::NotFound { .. } => None,
            Self::Auth { hint, .. } | Self::Refused { hint, .. } | Self::Unusable { hint, .. } => {
                hint.as_deref()
            }
        }
    }
}
