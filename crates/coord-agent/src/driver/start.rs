//! From a prepared worktree to a running worker.

use coord_core::failure::FailureClass;
use coord_git::Worktree;
use coord_protocol::AgentEventKind;
use coord_worker::held::Held;
use coord_worker::launch::{LaunchError, launch};

use super::{Driver, NotStarted, Started, prepare, with_sources};
use crate::active::{Active, Phase};
use crate::leases::{self, Check, LookError};
use crate::shared::Shared;
use crate::worker::{self, Place};

impl Driver {
    pub(super) async fn start(&self) -> Result<Started, NotStarted> {
        let prepared = self.prepare().await?;
        let place = prepared.clone();
        let spec = self.blocking(move |shared, active| {
            watch(shared, active, &place.worktree)?;
            worker::launch_spec(shared, active, &place)
                .map_err(|error| NotStarted::Failed(FailureClass::Configuration, error.to_string()))
        });
        let spec = spec.await??;
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

/// Before a worker whose edits are checked begins: what is there already, and where its hooks ask.
fn watch(shared: &Shared, active: &Active, worktree: &Worktree) -> Result<(), NotStarted> {
    if Check::of(active).is_none() {
        return Ok(());
    }
    leases::open_door(active, shared.addr).map_err(|error| prepare::storage(&error))?;
    leases::baseline(active, worktree).map_err(|error| match error {
        LookError::Git(error) => error.into(),
        LookError::Folder(error) => prepare::storage(&error),
    })
}
