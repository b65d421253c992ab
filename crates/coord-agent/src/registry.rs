//! Which assignments there are and who has a slot. In memory; the folders are the truth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignmentStatus, CompletedRow, StatusQuery};

use crate::active::Active;
use crate::finished::{Finished, RenderedRow};

/// All assignments of the agent.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    active: HashMap<AssignmentId, Arc<Active>>,
    finished: Finished,
    /// What sessions had cost at the end of their last run, in US dollars.
    sessions: HashMap<String, f64>,
}

/// What is known of one assignment.
#[derive(Debug)]
pub(crate) enum Found {
    /// Pending or running.
    Active(Arc<Active>),
    /// Ended.
    Finished(AssignmentStatus),
}

impl Found {
    /// Where it stands.
    pub(crate) fn status(&self) -> AssignmentStatus {
        match self {
            Self::Active(active) => active.status(),
            Self::Finished(status) => *status,
        }
    }
}

/// How many assignments there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Pending or running.
    pub(crate) active: usize,
    /// Ended.
    pub(crate) finished: usize,
}

impl Registry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The assignment `id`, if there is one.
    pub(crate) fn find(&self, id: &AssignmentId) -> Option<Found> {
        let tables = self.tables();
        if let Some(active) = tables.active.get(id) {
            return Some(Found::Active(Arc::clone(active)));
        }
        tables.finished.status(id).map(Found::Finished)
    }

    /// What a session had cost at the end of its last run here; 0 for one that is not known.
    pub(crate) fn session_cost_usd(&self, session: &str) -> f64 {
        self.tables()
            .sessions
            .get(session)
            .copied()
            .unwrap_or_default()
    }

    /// How many there are.
    pub(crate) fn counts(&self) -> Counts {
        let tables = self.tables();
        Counts {
            active: tables.active.len(),
            finished: tables.finished.len(),
        }
    }

    /// Adds one that is pending or running.
    pub(crate) fn add_active(&self, active: Arc<Active>) {
        self.tables().active.insert(active.id.clone(), active);
    }

    /// Adds one that has ended, and gives back its slot if it had one.
    ///
    /// # Errors
    /// When the row cannot be serialised; none in practice.
    pub(crate) fn add_finished(&self, row: CompletedRow) -> serde_json::Result<()> {
        let id = row.assignment.id.clone();
        let status = row.assignment.status;
        let at = row.assignment.finished_at.unwrap_or_default();
        let session = row.end.as_ref().and_then(|end| {
            let session = end.session.clone()?;
            Some((session, end.cost_usd))
        });
        let rendered = RenderedRow::new(row)?;
        let mut tables = self.tables();
        if let Some((session, cost_usd)) = session {
            let known = tables.sessions.entry(session).or_default();
            *known = known.max(cost_usd);
        }
        tables.active.remove(&id);
        tables.finished.insert(id, at, status, rendered);
        Ok(())
    }

    /// Those that are pending or running, oldest first.
    pub(crate) fn active(&self) -> Vec<Arc<Active>> {
        let mut active: Vec<_> = self.tables().active.values().cloned().collect();
        active.sort_by(|a, b| {
            let by_time = a.accepted_at.total_cmp(&b.accepted_at);
            by_time.then_with(|| a.id.cmp(&b.id))
        });
        active
    }

    /// Those that have ended, see [`Finished::select`].
    pub(crate) fn finished(
        &self,
        query: StatusQuery,
    ) -> Vec<(AssignmentId, Option<Arc<RenderedRow>>)> {
        self.tables().finished.select(query)
    }
}
