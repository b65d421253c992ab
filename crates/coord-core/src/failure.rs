//! Why something failed, as far as it decides what happens next.

use serde::{Deserialize, Serialize};

use crate::ids::Timestamp;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Usage limit, overload, network, disk full, agent unreachable: wait, then go on; burns no retry.
    Environmental {
        /// When it is worth trying again, where somebody said so.
        retry_at: Option<Timestamp>,
    },
    /// Bad flag, missing binary, permission refused, unknown model: never retried as it is.
    Configuration,
    /// The work itself: exit without success, stuck, tests red, no commits.
    Work,
}

impl FailureClass {
    /// The word for it in tables and comments.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environmental { .. } => "environmental",
            Self::Configuration => "configuration",
            Self::Work => "work",
        }
    }
}

/// How often in a row an interruption is waited out without a person.
pub(crate) const INTERRUPTIONS: usize = 10;

/// How long to wait after the `times`th interruption in a row that nobody knows the end of: half a
/// minute, which doubles up to an hour. In seconds.
pub(crate) fn wait_after(times: usize) -> u64 {
    let doubled = times.saturating_sub(1).min(7);
    (30 << doubled).min(3600)
}

/// What is known of a worker that did not end well. Measured on Claude Code 2.1.330.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailureFacts<'a> {
    /// `api_error_status` of the last result: the HTTP status of the model's API.
    pub api_error_status: Option<u16>,
    /// `terminal_reason` of the last result, e.g. `api_error`, `prompt_too_long`.
    pub terminal_reason: Option<&'a str>,
    /// The exit code; `None` when a signal ended it or it never started.
    pub exit_code: Option<i32>,
    /// The signal that ended it, unless we sent it ourselves.
    pub signal: Option<i32>,
    /// Nothing at all came on stdout: bad flags and settings are told on stderr alone.
    pub no_output: bool,
    /// The program could not be started.
    pub spawn_failed: bool,
    /// The usage limit that was hit ends at this instant.
    pub limit_resets_at: Option<Timestamp>,
}

/// The class of a failure from its facts; what nobody can blame on anything else is the work.
#[must_use]
pub fn classify(facts: &FailureFacts<'_>) -> FailureClass {
    let environmental = FailureClass::Environmental {
        retry_at: facts.limit_resets_at,
    };
    if facts.spawn_failed || (facts.no_output && facts.exit_code.is_some_and(|code| code != 0)) {
        return FailureClass::Configuration;
    }
    match (facts.terminal_reason, facts.api_error_status) {
        (Some("prompt_too_long"), _) => FailureClass::Work,
        (_, Some(408 | 425 | 429 | 500..=599)) => environmental,
        (_, Some(400 | 401 | 403 | 404)) => FailureClass::Configuration,
        // An API error without a status never reached the API.
        (Some("api_error"), None) => environmental,
        (_, _) if facts.limit_resets_at.is_some() => environmental,
        // SIGHUP, SIGINT, SIGKILL and SIGTERM come from outside: a shutdown, the kernel short of memory.
        (_, _) if matches!(facts.signal, Some(1 | 2 | 9 | 15)) => environmental,
        (_, _) => FailureClass::Work,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp::from_millis(7);
    const ENVIRONMENTAL: FailureClass = FailureClass::Environmental { retry_at: None };

    fn class_of_status(status: u16) -> FailureClass {
        classify(&FailureFacts {
            api_error_status: Some(status),
            terminal_reason: Some("api_error"),
            exit_code: Some(1),
            ..FailureFacts::default()
        })
    }

    #[test]
    fn the_status_of_the_api_decides() {
        for status in [429, 500, 502, 529] {
            assert_eq!(class_of_status(status), ENVIRONMENTAL, "{status}");
        }
        for status in [400, 401, 403, 404] {
            assert_eq!(
                class_of_status(status),
                FailureClass::Configuration,
                "{status}"
            );
        }
    }

    #[test]
    fn a_limit_says_when_to_go_on() {
        let facts = FailureFacts {
            api_error_status: Some(429),
            limit_resets_at: Some(LATER),
            ..FailureFacts::default()
        };
        let retry_at = Some(LATER);
        assert_eq!(classify(&facts), FailureClass::Environmental { retry_at });
    }

    #[test]
    fn a_network_error_has_no_status() {
        let facts = FailureFacts {
            terminal_reason: Some("api_error"),
            exit_code: Some(1),
            ..FailureFacts::default()
        };
        assert_eq!(classify(&facts), ENVIRONMENTAL);
    }

    #[test]
    fn a_prompt_that_is_too_long_is_not_a_wrong_setting() {
        let facts = FailureFacts {
            api_error_status: Some(400),
            terminal_reason: Some("prompt_too_long"),
            ..FailureFacts::default()
        };
        assert_eq!(classify(&facts), FailureClass::Work);
    }

    #[test]
    fn silence_and_a_bad_exit_are_a_bad_command_line() {
        let facts = FailureFacts {
            exit_code: Some(1),
            no_output: true,
            ..FailureFacts::default()
        };
        assert_eq!(classify(&facts), FailureClass::Configuration);
        let spawn_failed = FailureFacts {
            spawn_failed: true,
            ..FailureFacts::default()
        };
        assert_eq!(classify(&spawn_failed), FailureClass::Configuration);
    }

    #[test]
    fn the_rest_is_the_work() {
        let exit = |exit_code, signal| {
            classify(&FailureFacts {
                exit_code,
                signal,
                ..FailureFacts::default()
            })
        };
        assert_eq!(exit(Some(1), None), FailureClass::Work);
        assert_eq!(exit(None, Some(11)), FailureClass::Work);
        assert_eq!(exit(None, Some(9)), ENVIRONMENTAL);
    }
}
