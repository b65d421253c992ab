//! What is known of a run, folded line by line from its log.
//!
//! A [`Summary`] is a checkpoint: it holds the offset up to which it was folded, is bounded however
//! long the log grows, and can be stored and taken up again, so that no log is ever parsed twice.
//! Chunks may end anywhere; the result does not depend on where. Everything in it that is text comes
//! from the worker: untrusted, cut to a length, free of control characters.

mod claims;
mod commands;
mod fold;
mod price;
mod spend;

use std::collections::{BTreeMap, VecDeque};

use coord_core::ids::Timestamp;
use serde::{Deserialize, Serialize};

use crate::stream::{Lines, Slice};

pub use claims::Claims;
pub use commands::{Commands, Repeat};
pub use spend::Spend;

/// A rolling summary of one worker's log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Bytes of the log that are folded in; always the beginning of a line while the worker lives.
    pub offset: u64,
    /// The session that `--resume` continues.
    pub session_id: Option<String>,
    /// The full name of the model.
    pub model: Option<String>,
    /// The folder that the worker started in, as it says.
    pub cwd: Option<String>,
    /// Messages of the model itself: neither subagents' nor made up by the CLI.
    pub turns: u32,
    /// US dollars of the whole session, to a millionth. A resumed session counts its earlier runs
    /// too, and a run that was killed has told no cost.
    pub cost_usd: f64,
    /// The cost so far, told or not.
    pub spend: Spend,
    /// Calls by tool.
    pub tools: BTreeMap<String, u32>,
    /// The tool that was called last.
    pub last_tool: Option<String>,
    /// What it was seen to do last, in one line.
    pub activity: Option<String>,
    /// Files that edit tools were pointed at, in the order of their first edit. What Bash changed is
    /// not among them, and an edit that failed is.
    pub files: Vec<FileEdit>,
    /// Its Bash commands.
    pub commands: Commands,
    /// Calls that were not allowed, each once.
    pub denials: Vec<DeniedCall>,
    /// How often the API was asked again.
    pub retries: u32,
    /// The failed call that it is repeating at the moment.
    pub retrying: Option<Retrying>,
    /// The usage limit that it is at or near, until the API says otherwise.
    pub limit: Option<Limit>,
    /// How often a usage limit refused it.
    pub limits_hit: u32,
    /// What it says about itself.
    pub claims: Claims,
    /// Its commits, and how long it went without one.
    pub commits: Commits,
    /// How many results it printed: more than one where background tasks woke it up.
    pub results: u32,
    /// The last of them.
    pub last_result: Option<LastResult>,
    /// Lines that were events of any kind.
    pub events: u64,
    /// Lines that were not.
    pub broken: BrokenLines,
    /// Events of kinds that this version does not know, by kind.
    pub unknown: BTreeMap<String, u32>,
    /// Fingerprints of the latest message ids: a message comes in several events.
    recent_messages: VecDeque<u64>,
}

/// A file that an edit tool was pointed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEdit {
    /// Relative to [`Summary::cwd`] where it lies below it, else as the worker gave it.
    pub path: String,
    /// The call that named it first; a denial of that call takes the file back.
    pub tool_use_id: String,
}

/// A tool call that was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedCall {
    /// E.g. `Bash`.
    pub tool: String,
    /// The call.
    pub tool_use_id: String,
    /// The command or the file; until that is told, the CLI's explanation.
    pub about: String,
}

/// A call of the API that failed and is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrying {
    /// From 1.
    pub attempt: u32,
    /// The HTTP status; `None` where there was no answer at all.
    pub status: Option<u16>,
    /// E.g. `rate_limit`.
    pub error: String,
}

/// A usage limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Whether calls are refused; otherwise the limit is only near.
    pub rejected: bool,
    /// E.g. `five_hour`.
    pub window: String,
    /// When the window begins anew.
    pub resets_at: Option<Timestamp>,
}

/// How much of the work is committed, as far as the stream tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commits {
    /// `git commit` commands; the CLI announces only some of the commits that they make.
    pub commands: u32,
    /// Commits that the CLI announced.
    pub announced: u32,
    /// Turns since the last of either.
    pub turns_since: u32,
    /// The most turns that there were between two of them.
    pub longest_gap: u32,
}

/// The result that counts when the process has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastResult {
    /// `success` also for a run that ended with an API error.
    pub subtype: String,
    /// What counts.
    pub is_error: bool,
    /// E.g. `completed`, `api_error`, `max_turns`.
    pub terminal_reason: Option<String>,
    /// The HTTP status of the API error; `None` where there was no answer at all.
    pub api_error_status: Option<u16>,
    /// The beginning of the final text, else of the errors.
    pub text: String,
    /// The answer in the requested schema.
    pub answer: Option<Answer>,
}

/// An answer in the requested schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// As the worker gave it.
    Whole(serde_json::Value),
    /// It was too large to be kept: so many bytes of JSON.
    TooLarge(usize),
}

impl Answer {
    /// The most that is kept of an answer, in bytes of JSON.
    pub const MAX_BYTES: usize = 256 * 1024;

    fn bounded(answer: &serde_json::Value) -> Self {
        match answer.to_string().len() {
            bytes if bytes > Self::MAX_BYTES => Self::TooLarge(bytes),
            _ => Self::Whole(answer.clone()),
        }
    }
}

/// Lines that were no events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokenLines {
    /// Text: something else wrote to the worker's stdout.
    pub not_json: u32,
    /// JSON that is cut short or damaged.
    pub damaged: u32,
    /// Longer than [`crate::stream::MAX_LINE_BYTES`].
    pub overlong: u32,
}

impl BrokenLines {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.not_json
            .saturating_add(self.damaged)
            .saturating_add(self.overlong)
    }
}

impl Summary {
    /// Whether the API is refusing it at the moment because of a rate or usage limit.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.rejected)
            || self
                .retrying
                .as_ref()
                .is_some_and(|retry| retry.status == Some(429))
    }
}

/// Folds a log into a [`Summary`], chunk by chunk.
#[derive(Debug, Default)]
pub struct Folder {
    summary: Summary,
    lines: Lines,
    /// Nothing in the log is an event.
    plain: bool,
}

impl Folder {
    /// Goes on from a checkpoint: feed it the log from [`Folder::position`] on.
    #[must_use]
    pub fn resume(summary: Summary) -> Self {
        Self {
            summary,
            ..Self::default()
        }
    }

    /// For the log of a worker that goes on with a session which had cost so much, in US dollars. A
    /// log that is begun already has been told.
    #[must_use]
    pub fn after_runs_that_cost(mut self, before_usd: f64) -> Self {
        if self.summary.offset == 0 {
            self.summary.spend.goes_on(before_usd);
        }
        self
    }

    /// For the log of a command that is no worker: only its bytes are counted, whatever they look
    /// like.
    #[must_use]
    pub fn of_plain_text(self) -> Self {
        Self {
            plain: true,
            ..self
        }
    }

    /// Folds the next bytes of the log.
    pub fn feed(&mut self, chunk: &[u8]) {
        let summary = &mut self.summary;
        if self.plain {
            summary.offset += chunk.len() as u64;
            return;
        }
        self.lines.feed(chunk, |slice| {
            summary.offset += slice.len() + 1;
            summary.take(&slice);
        });
    }

    /// Folds a last line that has no end: the worker is gone, and nothing will follow.
    pub fn finish(&mut self) {
        let summary = &mut self.summary;
        self.lines.finish(|slice| {
            summary.offset += slice.len();
            summary.take(&slice);
        });
    }

    /// The offset in the log from which to read on.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.summary.offset + self.lines.pending()
    }

    /// What is known so far.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl Summary {
    fn take(&mut self, slice: &Slice<'_>) {
        match slice {
            Slice::Line(line) => self.fold_line(line),
            Slice::Overlong { .. } => self.broken.overlong = self.broken.overlong.saturating_add(1),
        }
    }
}
