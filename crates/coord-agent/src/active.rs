//! An assignment that is pending or running, as those who look at it see it.
//!
//! Its driver is the only writer of [`Live`]; everybody else watches.

use std::sync::Mutex;

use std::sync::Arc;

use coord_core::ids::AssignmentId;
use coord_protocol::{
    ActiveRow, AgentEventKind, AssignBody, AssignmentRow, AssignmentStatus, Progress,
};
use tokio::sync::watch;

use crate::folder::{Folder, Spec};
use crate::hub::Hub;
use crate::leases::{Token, Watched};

/// So many edits are remembered.
const EDITS: usize = 500;

/// How far a driver has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The worktree is being prepared.
    #[default]
    Preparing,
    /// The worker runs.
    Running,
    /// What the worker left is being saved and published.
    Finishing,
    /// It has ended; `outcome.json` is there.
    Ended,
}

/// What is known of an assignment at the moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    /// How far its driver has got.
    pub(crate) phase: Phase,
    /// The worker's process.
    pub(crate) pid: Option<u32>,
    /// When it started, in seconds since the epoch.
    pub(crate) started_at: Option<f64>,
    /// The branch that it works on.
    pub(crate) branch: Option<String>,
    /// The commit that it started from.
    pub(crate) base: Option<String>,
    /// Its worktree.
    pub(crate) worktree: Option<String>,
    /// What the session that it goes on with had cost before, in US dollars.
    pub(crate) session_cost_usd: f64,
    /// How much of its log has been read, in bytes.
    pub(crate) log_bytes: u64,
    /// What the log says.
    pub(crate) facts: Facts,
    /// What was told of its edits, each once, the oldest first.
    pub(crate) edits: Vec<AgentEventKind>,
    /// Its worker has given its result: it is told nothing more.
    pub(crate) closing: bool,
    /// How it ended, once it has.
    pub(crate) ended: Option<AssignmentRow>,
}

/// What a log says, as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    /// The worker's own words, and what looks wrong.
    pub(crate) progress: Progress,
    /// The model that answers.
    pub(crate) model: Option<String>,
    /// Model turns.
    pub(crate) turns: u32,
    /// US dollars of the whole session, by estimate.
    pub(crate) cost_usd: f64,
    /// The tool that was used last.
    pub(crate) last_tool: Option<String>,
    /// Whether a usage limit was hit.
    pub(crate) rate_limited: bool,
    /// Paths that were changed, relative to the root of the repository.
    pub(crate) files: Vec<String>,
}

/// An assignment that is pending or running.
#[derive(Debug)]
pub(crate) struct Active {
    /// Its id.
    pub(crate) id: AssignmentId,
    /// What was asked for.
    pub(crate) body: AssignBody,
    /// When, in seconds since the epoch.
    pub(crate) accepted_at: f64,
    /// Where it is kept.
    pub(crate) folder: Folder,
    /// What is known of it.
    pub(crate) live: watch::Sender<Live>,
    /// Becomes true when somebody asks for it to stop.
    pub(crate) cancel: watch::Sender<bool>,
    /// Held while its worker is told something, so that nothing is told twice.
    pub(crate) telling: tokio::sync::Mutex<()>,
    /// What its hooks present.
    pub(crate) token: Token,
    /// Where the last look at its worktree left off; held while one is taken.
    pub(crate) watched: Mutex<Option<Watched>>,
}

impl Active {
    /// An assignment as its folder tells it.
    pub(crate) fn new(spec: Spec, folder: Folder) -> Self {
        let cancelled = folder.cancel_requested();
        let live = Live {
            edits: folder.edits(),
            ..Live::default()
        };
        Self {
            id: spec.id,
            body: spec.body,
            accepted_at: spec.accepted_at,
            folder,
            live: watch::Sender::new(live),
            cancel: watch::Sender::new(cancelled),
            telling: tokio::sync::Mutex::new(()),
            token: Token::random(),
            watched: Mutex::new(None),
        }
    }

    /// Tells everybody what became of an edit: who listens now, and who looks later.
    pub(crate) fn tell_edit(self: &Arc<Self>, hub: &Hub, kind: AgentEventKind) {
        let is_new = self.live.send_if_modified(|live| {
            let is_new = live.edits.len() < EDITS && !live.edits.iter().any(|it| same(it, &kind));
            if is_new {
                live.edits.push(kind.clone());
            }
            is_new
        });
        if is_new {
            let (active, kind) = (Arc::clone(self), kind.clone());
            tokio::task::spawn_blocking(move || {
                if let Err(error) = active.folder.add_edit(&kind) {
                    tracing::warn!(id = %active.id, %error, "cannot write down what became of an edit");
                }
            });
        }
        hub.publish(&self.id, kind);
    }

    /// Its status on the wire.
    pub(crate) fn status(&self) -> AssignmentStatus {
        let live = self.live.borrow();
        match (live.phase, &live.ended) {
            (Phase::Preparing, _) => AssignmentStatus::Pending,
            (Phase::Ended, Some(row)) => row.status,
            (Phase::Running | Phase::Finishing | Phase::Ended, _) => AssignmentStatus::Running,
        }
    }

    /// As `/assign` and `/cancel` answer it.
    pub(crate) fn row(&self) -> AssignmentRow {
        let status = self.status();
        let live = self.live.borrow();
        if let Some(row) = &live.ended {
            return row.clone();
        }
        AssignmentRow {
            id: self.id.clone(),
            spec: self.body.clone(),
            status,
            pid: live.pid,
            started_at: live.started_at,
            finished_at: None,
            exit_code: None,
            log_path: Some(self.folder.log().to_string_lossy().into_owned()),
            error: None,
            branch: live.branch.clone(),
            worktree_path: live.worktree.clone(),
        }
    }

    /// As `/status` answers it, with `files` and `edits` only for callers that know the keys.
    pub(crate) fn active_row(&self, with_files: bool) -> ActiveRow {
        let assignment = self.row();
        let (facts, edits) = {
            let live = self.live.borrow();
            (live.facts.clone(), live.edits.clone())
        };
        ActiveRow {
            assignment,
            progress: facts.progress,
            model_used: facts.model,
            turns: facts.turns,
            cost_so_far: facts.cost_usd,
            last_tool: facts.last_tool,
            rate_limited: facts.rate_limited,
            files: if with_files { facts.files } else { Vec::new() },
            edits: if with_files { edits } else { Vec::new() },
        }
    }
}

/// Whether two events say the same of the same path. How often a worker has tried says nothing.
fn same(one: &AgentEventKind, other: &AgentEventKind) -> bool {
    if let (
        AgentEventKind::EditDenied {
            path: one,
            denial: why,
            ..
        },
        AgentEventKind::EditDenied {
            path: other,
            denial: too,
            ..
        },
    ) = (one, other)
    {
        return one == other && why == too;
    }
    one == other
}
