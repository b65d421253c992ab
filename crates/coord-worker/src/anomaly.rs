//! Warnings about a run that goes on, as data: nothing is stopped here.

use std::fmt;

use coord_core::ids::Timestamp;
use serde::{Deserialize, Serialize};

use crate::summary::Summary;

/// From which point on something is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// How often one command may run while no file changes.
    pub repeats: u32,
    /// How many turns there may be without a commit.
    pub turns_without_commit: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            repeats: 3,
            turns_without_commit: 40,
        }
    }
}

/// Something odd about a run. What it quotes is untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Anomaly {
    /// It runs the same command again and again, and changes nothing in between.
    RepeatedCommand {
        /// The command.
        command: String,
        /// How often.
        times: u32,
    },
    /// It has been at it for long and has committed nothing.
    NoCommit {
        /// The turns without a commit.
        turns: u32,
    },
    /// It was not allowed to do something.
    Denied {
        /// How often.
        times: u32,
        /// The tool that was refused first.
        tool: String,
        /// The command or file.
        about: String,
    },
    /// A usage limit stops it.
    LimitHit {
        /// E.g. `five_hour`; `None` when the limit is over.
        window: Option<String>,
        /// When it can go on.
        resets_at: Option<Timestamp>,
    },
    /// Its stream has lines that are no events: something else writes to its stdout.
    BrokenLines {
        /// How many.
        lines: u32,
    },
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RepeatedCommand { command, times } => {
                write!(
                    f,
                    "ran the same command {times} times without a change: {command}"
                )
            }
            Self::NoCommit { turns } => write!(f, "{turns} turns without a commit"),
            Self::Denied {
                times: 1,
                tool,
                about,
            } => write!(f, "not allowed: {tool} {about}"),
            Self::Denied { times, tool, about } => {
                write!(f, "{times} calls not allowed, first: {tool} {about}")
            }
            Self::LimitHit {
                window: Some(window),
                ..
            } => write!(f, "usage limit reached ({window})"),
            Self::LimitHit { window: None, .. } => {
                write!(f, "a usage limit was reached, and is over")
            }
            Self::BrokenLines { lines } => write!(f, "{lines} lines of its log are no events"),
        }
    }
}

/// What is odd about a run so far, each kind at most once. What was odd stays so.
#[must_use]
pub fn anomalies(summary: &Summary, thresholds: &Thresholds) -> Vec<Anomaly> {
    let repeated = summary.commands.most_repeated.as_ref();
    let repeated = repeated
        .filter(|repeat| repeat.times >= thresholds.repeats)
        .map(|repeat| Anomaly::RepeatedCommand {
            command: repeat.command.clone(),
            times: repeat.times,
        });
    let turns = summary.commits.longest_gap;
    let no_commit =
        (turns >= thresholds.turns_without_commit).then_some(Anomaly::NoCommit { turns });
    let denied = summary.denials.first().map(|first| Anomaly::Denied {
        times: u32::try_from(summary.denials.len()).unwrap_or(u32::MAX),
        tool: first.tool.clone(),
        about: first.about.clone(),
    });
    let lines = summary.broken.total();
    let broken = (lines > 0).then_some(Anomaly::BrokenLines { lines });
    [repeated, no_commit, denied, limit_hit(summary), broken]
        .into_iter()
        .flatten()
        .collect()
}

fn limit_hit(summary: &Summary) -> Option<Anomaly> {
    let limit = summary.limit.as_ref().filter(|limit| limit.rejected);
    (summary.limits_hit > 0).then(|| Anomaly::LimitHit {
        window: limit.map(|limit| limit.window.clone()),
        resets_at: limit.and_then(|limit| limit.resets_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Folder;

    fn fold(lines: impl IntoIterator<Item = String>) -> Vec<Anomaly> {
        let mut folder = Folder::default();
        for line in lines {
            folder.feed(format!("{line}\n").as_bytes());
        }
        anomalies(folder.summary(), &Thresholds::default())
    }

    fn bash(turn: u32, command: &str) -> String {
        format!(
            r#"{{"type":"assistant","message":{{"id":"m{turn}","content":[{{"type":"tool_use","id":"t","name":"Bash","input":{{"command":"{command}"}}}}]}}}}"#
        )
    }

    #[test]
    fn a_quiet_run_has_none() {
        assert_eq!(
            fold([bash(1, "ls"), bash(2, "cargo test"), bash(3, "ls")]),
            []
        );
    }

    #[test]
    fn the_third_time_is_odd() {
        let warnings = fold((1..=4).map(|turn| bash(turn, "cargo test")));
        let command = "cargo test".to_owned();
        assert_eq!(warnings, [Anomaly::RepeatedCommand { command, times: 4 }]);
        insta::assert_snapshot!(warnings[0], @"ran the same command 4 times without a change: cargo test");
    }

    #[test]
    fn forty_turns_without_a_commit_are_odd() {
        let turns = |n: u32| (1..=n).map(|turn| bash(turn, &format!("echo {turn}")));
        assert_eq!(fold(turns(39)), []);
        assert_eq!(fold(turns(40)), [Anomaly::NoCommit { turns: 40 }]);
        assert_eq!(
            fold(
                turns(30)
                    .chain([bash(31, "git commit -am x")])
                    .chain(turns(30))
            ),
            []
        );
    }

    #[test]
    fn lines_of_something_else_are_odd() {
        assert_eq!(
            fold(["npm notice".to_owned()]),
            [Anomaly::BrokenLines { lines: 1 }]
        );
    }
}
