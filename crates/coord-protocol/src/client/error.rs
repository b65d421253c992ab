//! Why a call did not give what was asked for.

use std::time::Duration;

use coord_core::failure::FailureClass;

/// A boxed cause.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the agent is none.
    #[error("`{url}` is not the address of an agent: {reason}")]
    BadAddress {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answered. Unless `sent` is false, the agent may have done what was asked.
    #[error("cannot reach the agent at {url}")]
    Unreachable {
        /// The address of the agent.
        url: String,
        /// Whether the request may have arrived.
        sent: bool,
        /// What the network said.
        #[source]
        source: BoxError,
    },
    /// No answer in time. The agent may have done what was asked.
    #[error("the agent at {url} has not answered within {} s", after.as_secs_f64())]
    TimedOut {
        /// The address of the agent.
        url: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The agent answered, and the answer is no.
    #[error("the agent refused ({status}): {error}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In the agent's words.
        error: String,
        /// What would help, in the agent's words.
        hint: Option<String>,
        /// When to ask again, where the agent said so.
        retry_after: Option<Duration>,
    },
    /// Something answered that does not speak the protocol.
    #[error("the answer of {url} is not an agent's: {reason}")]
    Invalid {
        /// The address that answered.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl ClientError {
    /// What a coordinator does about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        let later = FailureClass::Environmental { retry_at: None };
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => later,
            Self::Refused { status, .. } => match status {
                408 | 429 | 500..=599 => later,
                _ => FailureClass::Configuration,
            },
            Self::BadAddress { .. } | Self::Invalid { .. } => FailureClass::Configuration,
        }
    }

    /// How long the agent asked to wait before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::BadAddress { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Invalid { .. } => None,
        }
    }

    /// Whether nobody can know if the agent did what was asked.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. } => *sent,
            Self::TimedOut { .. } | Self::Invalid { .. } => true,
            Self::BadAddress { .. } | Self::Refused { .. } => false,
        }
    }

    /// What would help a person.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused {
                hint: Some(hint), ..
            } => Some(hint.clone()),
            Self::Refused { status: 401, .. } => Some(
                "give the agent's token: COORD_AGENT_TOKEN, or the token file of the machine"
                    .to_owned(),
            ),
            Self::Unreachable { .. } => {
                Some("start it there with `coord agent`, or check host and port".to_owned())
            }
            Self::BadAddress { .. } => Some("an address is like http://127.0.0.1:7433".to_owned()),
            Self::Refused { .. } | Self::TimedOut { .. } | Self::Invalid { .. } => None,
        }
    }
}
