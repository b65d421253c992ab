//! Why an agent cannot start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Callers from other machines would need no token.
    #[error("refusing to listen on {bind} without a token")]
    NoToken {
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// Somebody else listens there.
    #[error("port {} on {} is in use", bind.port(), bind.ip())]
    PortInUse {
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {bind}")]
    Listen {
        /// Where it was to listen.
        bind: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another agent runs on the same state folder.
    #[error("another agent already works in `{}`", home.display())]
    HomeInUse {
        /// The state folder.
        home: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("cannot {doing} `{}`", path.display())]
    Home {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The token's file cannot be used.
    #[error("the token file `{}` {reason}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration does not name this machine.
    #[error("the configuration has no machine `{machine}`")]
    UnknownMachine {
        /// The name that was looked for.
        machine: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A value of the configuration makes no sense here.
    #[error("{0}")]
    Invalid(String),
    /// No git, or too old.
    #[error(transparent)]
    Git(#[from] coord_git::GitError),
}

impl AgentError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoToken { .. } => Some(
                "make a token with `coord agent pair`, or listen on 127.0.0.1; \
                 --insecure-no-auth lets anyone start programs here"
                    .to_owned(),
            ),
            Self::PortInUse { .. } => Some(
                "another agent may be running (`coord status` asks it); otherwise choose another \
                 port with --port or `machines[].port`"
                    .to_owned(),
            ),
            Self::HomeInUse { .. } => Some(
                "stop the other agent first, or give this one a COORD_HOME of its own".to_owned(),
            ),
            Self::Home { .. } => {
                Some("make the folder writable, or set COORD_HOME to one that is".to_owned())
            }
            Self::TokenFile { .. } => Some(
                "it holds one word and is readable by its owner only (chmod 600); for an \
                     agent without a token, take `token_file` out of the configuration"
                    .to_owned(),
            ),
            Self::UnknownMachine { known, .. } => {
                Some(format!("choose one with --machine: {}", known.join(", ")))
            }
            Self::Git(error) => error.hint(),
            Self::Listen { .. } | Self::Invalid(_) => None,
        }
    }
}
