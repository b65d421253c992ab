//! Every error of a command, with its hint and its exit code, in one place.

use std::error::Error as StdError;
use std::path::PathBuf;

use coord_agent::AgentError;
use coord_config::ConfigError;
use coord_core::Refusal;
use coord_engine::EngineError;
use coord_forge::ForgeError;
use coord_github::GithubError;
use coord_protocol::ClientError;
use coord_store::StoreError;

use crate::exit;
use crate::printer::{BAD, FAINT, paint, plain};
use crate::time::clock;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
    /// Rendered elsewhere, with its place in a file: printed as it is.
    report: Option<String>,
}

impl Failure {
    /// The command could not do what it was asked.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            code: exit::FAILED,
            message: message.into(),
            hint: None,
            report: None,
        }
    }

    /// The command was asked for something that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: exit::USAGE,
            ..Self::failed(message)
        }
    }

    /// It took longer than was given.
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self {
            code: exit::TIMED_OUT,
            ..Self::failed(message)
        }
    }

    /// An error of a library, with everything behind it.
    pub(crate) fn of(error: &(dyn StdError + 'static), hint: Option<String>) -> Self {
        Self {
            hint,
            ..Self::failed(chain(error))
        }
    }

    /// What a person can do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }

    /// For programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let message = self.report.as_deref().unwrap_or(&self.message);
        serde_json::json!({"error": message, "hint": self.hint, "exit_code": self.code})
    }

    /// What goes to stderr.
    pub(crate) fn render(&self) -> String {
        if let Some(report) = &self.report {
            return format!("{} {}", paint(BAD, "error:"), report.trim_end());
        }
        // Refusals and errors quote issues, branches, and what agents and programs said.
        let mut text = format!("{} {}", paint(BAD, "error:"), plain(&self.message));
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n{} {}", paint(FAINT, "hint:"), plain(hint)));
        }
        text
    }
}

/// The message and its causes in one line. A cause that only repeats its effect is left out.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::UnknownRepo(_)
            | EngineError::UnknownIssue { .. }
            | EngineError::UnknownAssignment(_)
            | EngineError::UnknownProposal(_)
            | EngineError::Ambiguous { .. } => exit::USAGE,
            EngineError::Store(_)
            | EngineError::Forge { .. }
            | EngineError::Git { .. }
            | EngineError::Home { .. } => exit::FAILED,
        };
        let hint = error.hint().or_else(|| when_again(&error));
        Self {
            code,
            ..Self::of(&error, hint)
        }
    }
}

/// The forge has said when.
fn when_again(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Forge {
            source: ForgeError::Transient {
                retry_at: Some(at), ..
            },
            ..
        } => Some(format!("it is asked again from {} on", clock(*at))),
        _ => None,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match &error {
            // It shows its own places and hints.
            ConfigError::Invalid(invalid) => Self {
                report: Some(invalid.to_string()),
                ..Self::usage(String::new())
            },
            ConfigError::Read { .. } | ConfigError::TooLarge { .. } | ConfigError::Print(_) => {
                let hint = error.hint().map(str::to_owned);
                Self {
                    code: exit::USAGE,
                    ..Self::of(&error, hint)
                }
            }
        }
    }
}

impl From<GithubError> for Failure {
    fn from(error: GithubError) -> Self {
        let hint = "correct `github_api_url` in the configuration".to_owned();
        Self {
            code: exit::USAGE,
            ..Self::of(&error, Some(hint))
        }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        let code = match &error {
            AgentError::UnknownMachine { .. } | AgentError::NoToken { .. } => exit::USAGE,
            _ => exit::FAILED,
        };
        let hint = error.hint();
        Self {
            code,
            ..Self::of(&error, hint)
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = error.hint();
        Self::of(&error, hint)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        use coord_core::command::Rule;
        let code = match refusal.rule {
            Rule::Configuration
            | Rule::UnknownAssignment
            | Rule::UnknownIssue
            | Rule::UnknownProposal => exit::USAGE,
            Rule::IssueClosed
            | Rule::Duplicate
            | Rule::Invalid
            | Rule::Capability
            | Rule::Untrusted
            | Rule::Claimed
            | Rule::ClaimUnknown
            | Rule::Dependency
            | Rule::FileOverlap
            | Rule::Slots
            | Rule::Budget
            | Rule::NotYet
            | Rule::State
            | Rule::Gate => exit::FAILED,
        };
        Self {
            code,
            message: refusal.why,
            hint: refusal.hint,
            report: None,
        }
    }
}

/// A file or folder that could not be read or written.
pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.into();
    move |error| Failure::failed(format!("cannot use `{}`: {error}", path.display()))
}
