//! From a folded log to what is shown and what is told to followers.

use std::time::Duration;

use coord_protocol::{AgentEventKind, Progress};
use coord_worker::anomaly::{Thresholds, anomalies};
use coord_worker::summary::Summary;
use tokio::time::Instant;

use super::Driver;
use crate::active::Facts;
use crate::leases::Check;

/// The least time between two `progress` events of one assignment.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// The least time between two `spent` events of one assignment.
const SPENT_EVERY: Duration = Duration::from_secs(1);

/// The least difference that is told, in US dollars.
const SPENT_STEP_USD: f64 = 0.01;

/// What followers have been told of one assignment.
#[derive(Debug, Default)]
pub(super) struct Told {
    files: usize,
    stuck: Option<String>,
    limits: u32,
    progress: Option<(Instant, Facts)>,
    spent_usd: f64,
    spent_at: Option<Instant>,
}

impl Told {
    /// An earlier run of the agent has told this much.
    pub(super) fn by_earlier_run(summary: &Summary) -> Self {
        Self {
            files: summary.files.len(),
            stuck: summary.claims.stuck.clone(),
            limits: summary.limits_hit,
            progress: None,
            spent_usd: summary.spend.so_far_usd(),
            spent_at: None,
        }
    }
}

impl Driver {
    /// Shows what the log says, and tells followers what is new in it.
    pub(super) fn announce(&self, summary: &Summary, position: u64, told: &mut Told) {
        let mut facts = facts(summary);
        // What it changes goes nowhere, and a denied call of a tool that it has not got is not taken
        // back in the stream: neither may look like work on these files.
        let keeps_files = !self.active.body.keeps_nothing();
        if !keeps_files {
            facts.files.clear();
        }
        // Where edits are checked, some of those in the stream are denied in a moment: a look at the worktree
        // tells which files are changed.
        let checked = Check::of(&self.active).is_some();
        self.active.live.send_modify(|live| {
            if checked {
                facts.files = std::mem::take(&mut live.facts.files);
            }
            live.log_bytes = position;
            live.facts = facts.clone();
        });
        if keeps_files && !checked {
            self.tell_files(summary, told);
        }
        self.tell_stuck(summary, told);
        self.tell_limit(summary, told);
        self.tell_spent(summary, told);
        self.tell_progress(facts, told);
    }

    fn tell(&self, kind: AgentEventKind) {
        self.shared.hub.publish(&self.active.id, kind);
    }

    fn tell_files(&self, summary: &Summary, told: &mut Told) {
        // A denied edit is taken back, so that the list can also become shorter.
        let fresh = summary.files.get(told.files..).unwrap_or_default();
        let paths: Vec<String> = fresh
            .iter()
            .map(|f| f.path.clone())
            .filter(inside)
            .collect();
        told.files = summary.files.len();
        if !paths.is_empty() {
            self.tell(AgentEventKind::Files { paths });
        }
    }

    fn tell_stuck(&self, summary: &Summary, told: &mut Told) {
        if summary.claims.stuck == told.stuck {
            return;
        }
        told.stuck.clone_from(&summary.claims.stuck);
        if let Some(question) = told.stuck.clone() {
            self.tell(AgentEventKind::Stuck { question });
        }
    }

    fn tell_limit(&self, summary: &Summary, told: &mut Told) {
        if summary.limits_hit <= told.limits {
            return;
        }
        told.limits = summary.limits_hit;
        let resets_at = summary.limit.as_ref().and_then(|limit| limit.resets_at);
        self.tell(AgentEventKind::RateLimited {
            resets_at: resets_at.map(|at| at.as_secs_f64()),
        });
    }

    fn tell_spent(&self, summary: &Summary, told: &mut Told) {
        let cost_usd = summary.spend.so_far_usd();
        let recent = told.spent_at.is_some_and(|at| at.elapsed() < SPENT_EVERY);
        if recent || cost_usd - told.spent_usd < SPENT_STEP_USD {
            return;
        }
        told.spent_usd = cost_usd;
        told.spent_at = Some(Instant::now());
        self.tell(AgentEventKind::Spent { cost_usd });
    }

    fn tell_progress(&self, facts: Facts, told: &mut Told) {
        if let Some((at, last)) = &told.progress
            && (*last == facts || at.elapsed() < PROGRESS_EVERY)
        {
            return;
        }
        self.tell(AgentEventKind::Progress {
            turns: facts.turns,
            cost_usd: facts.cost_usd,
            last_tool: facts.last_tool.clone(),
            status: facts.progress.updates.last().cloned(),
            model: facts.model.clone(),
        });
        told.progress = Some((Instant::now(), facts));
    }
}

/// A path that lies in the repository.
#[expect(clippy::ptr_arg, reason = "a filter of `String`s hands out `&String`")]
fn inside(path: &String) -> bool {
    !path.starts_with('/') && !path.split('/').any(|part| part == "..")
}

/// What of a summary is shown.
pub(super) fn facts(summary: &Summary) -> Facts {
    let warnings = anomalies(summary, &Thresholds::default());
    let files = summary.files.iter().map(|f| f.path.clone());
    Facts {
        progress: Progress {
            updates: summary.claims.updates.iter().cloned().collect(),
            stuck: summary.claims.stuck.clone(),
            warnings: warnings.iter().map(ToString::to_string).collect(),
            latest_confidence: summary.claims.confidence.clone().map(Into::into),
        },
        model: summary.model.clone(),
        turns: summary.turns,
        cost_usd: summary.spend.so_far_usd(),
        last_tool: summary.last_tool.clone(),
        rate_limited: summary.is_rate_limited(),
        files: files.filter(inside).collect(),
    }
}
