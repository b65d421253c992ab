//! From a prepared worktree to a running worker.

use coord_core::failure::FailureClass;
use coord_protocol::AgentEventKind;
use coord_worker::held::Held;
use coord_worker::launch::{LaunchError, launch};

use super::{Driver, NotStarted, Started, with_sources};
use crate::active::Phase;
use crate::worker::{self, Place};

impl Driver {
    pub(super) async fn start(&self) -> Result<Started, NotStarted> {
        let prepared = self.prepare().await?;
        let place = prepared.clone();
        let spec = self.blocking(move |shared, active| worker::launch_spec(shared, active, &place));
        let spec = spec
            .await?
            .map_err(|error| NotStarted::Failed(FailureClass::Configuration, error.to_string()))?;
        match launch(&self.shared.supervisor, &spec).await {
            Ok(held) => {
                self.announce_start(&held, &prepared);
                Ok(Started::Running(held))
            }
            Err(LaunchError::AlreadyStarted { .. } | LaunchError::Adopt(_)) => Ok(Started::Before),
            Err(
                error @ (LaunchError::Write { .. }
                | LaunchError::Supervisor { .. }
                | LaunchError::NotASupervisor { .. }
                | LaunchError::Failed { .. }),
            ) => Err(NotStarted::Failed(error.class(), with_sources(&error))),
        }
    }

    fn announce_start(&self, held: &Held, prepared: &Place) {
        self.running(held);
        let kind = AgentEventKind::Started {
            started_at: held.started_at(),
            base: Some(prepared.worktree.base.to_string()),
            branch: Some(prepared.worktree.branch.clone()),
        };
        self.shared.hub.publish(&self.active.id, kind);
    }

    /// Shows the worker as running.
    pub(super) fn running(&self, held: &Held) {
        self.active.live.send_modify(|live| {
            live.phase = Phase::Running;
            live.pid = u32::try_from(held.worker_pid()).ok();
            live.started_at = Some(held.started_at());
        });
    }
}
