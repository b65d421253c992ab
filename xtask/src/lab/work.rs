//! One piece of work for a laboratory's agent, and waiting for what becomes of it.

use std::time::Duration;

use anyhow::{Context, Result};
use coord_protocol::{ActiveRow, AssignBody, AssignmentRow, CompletedRow, StatusQuery};

use super::{Lab, NAME};

/// How long anything in a laboratory may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One assignment: its id and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Twelve hexadecimal digits, made from the number of the issue.
    pub(crate) id: String,
    /// The number of the issue.
    pub(crate) issue: u64,
    /// What the worker is asked to do.
    pub(crate) briefing: String,
}

impl Work {
    /// Work on issue `issue`; the id follows from it, so that a repeated run is a repeated run.
    pub(crate) fn new(issue: u64, briefing: impl Into<String>) -> Self {
        Self {
            id: format!("{issue:012x}"),
            issue,
            briefing: briefing.into(),
        }
    }

    /// What the agent is sent.
    pub(crate) fn body(&self, lab: &Lab) -> AssignBody {
        AssignBody {
            id: self.id.parse().ok(),
            repo_name: NAME.to_owned(),
            repo_path: lab.repo.clone_path().to_string_lossy().into_owned(),
            issue_number: self.issue,
            issue_title: format!("Issue {}", self.issue),
            briefing: self.briefing.clone(),
            ..AssignBody::default()
        }
    }
}

impl Lab {
    /// Waits until the worker runs, or has ended already.
    pub(crate) async fn wait_started(&self, id: &str) -> Result<AssignmentRow> {
        self.wait_for(id, "start", |active, completed| {
            let started = active.map(|row| &row.assignment);
            let started = started.filter(|row| row.started_at.is_some());
            started.or(completed.map(|row| &row.assignment)).cloned()
        })
        .await
    }

    /// Waits until the assignment has ended.
    pub(crate) async fn wait_finished(&self, id: &str) -> Result<CompletedRow> {
        self.wait_for(id, "end", |_, completed| completed.cloned())
            .await
    }

    async fn wait_for<T>(
        &self,
        id: &str,
        what: &str,
        pick: impl Fn(Option<&ActiveRow>, Option<&CompletedRow>) -> Option<T>,
    ) -> Result<T> {
        let client = self.client()?;
        let search = async {
            loop {
                let status = client.status(StatusQuery::default()).await?;
                let active = status
                    .active
                    .iter()
                    .find(|r| r.assignment.id.as_str() == id);
                let ended = status
                    .completed
                    .iter()
                    .find(|r| r.assignment.id.as_str() == id);
                if let Some(found) = pick(active, ended) {
                    return Ok(found);
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .with_context(|| format!("{id} does not {what}"))?
    }
}
