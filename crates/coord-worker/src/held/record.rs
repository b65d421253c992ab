//! The records that the supervisor leaves in an assignment's folder, as it writes them.

use serde::{Deserialize, Serialize};

/// `run.json`: that a worker was started, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The supervisor's process id.
    pub supervisor_pid: i32,
    /// When the supervisor started, in clock ticks since boot; `None` where the system does not tell.
    pub supervisor_start: Option<u64>,
    /// The worker's process id, which is its process group too.
    pub pid: i32,
    /// When the worker started, in clock ticks since boot.
    pub start_time: Option<u64>,
    /// When the worker started, in seconds since the epoch.
    pub started_at: f64,
}

/// `exit.json`: how a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The exit code, unless a signal ended it or it never ran.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// In seconds since the epoch; `None` if it never ran.
    pub started_at: Option<f64>,
    /// When nothing of it was left, in seconds since the epoch.
    pub finished_at: f64,
    /// Why it ended.
    pub reason: ExitReason,
    /// What went wrong around it: why it could not be started, or what the log lacks.
    pub error: Option<String>,
    /// The length of the log.
    #[serde(default)]
    pub log_bytes: u64,
    /// What the worker said and the log lacks.
    #[serde(default)]
    pub lost_bytes: u64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// By itself.
    Exited,
    /// It was asked to.
    Stopped,
    /// The total time was used up.
    Timeout,
    /// Nothing came for too long.
    Stalled,
    /// Nothing came at all.
    NoOutput,
    /// It stayed after its last result.
    Hung,
    /// It never ran.
    SpawnFailed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use coord_supervisor::Reason;

    #[test]
    fn the_words_are_those_of_the_supervisor() {
        let pairs = [
            (Reason::Exited, ExitReason::Exited),
            (Reason::Stopped, ExitReason::Stopped),
            (Reason::Timeout, ExitReason::Timeout),
            (Reason::Stalled, ExitReason::Stalled),
            (Reason::NoOutput, ExitReason::NoOutput),
            (Reason::Hung, ExitReason::Hung),
            (Reason::SpawnFailed, ExitReason::SpawnFailed),
        ];
        for (written, read) in pairs {
            assert_eq!(serde_json::to_value(read).unwrap(), written.as_str());
        }
    }
}
