//! Before an edit: allowed, denied, or a question to the coordinator.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use coord_protocol::{AgentEventKind, LeaseAnswer, LeaseDenial};
use coord_worker::text::line;

use super::call::{deny, edited_path};
use super::place::{Place, place};
use super::table::Verdict;
use super::{Call, Check, Denied, barred, words};
use crate::active::Active;
use crate::shared::Shared;

/// The longest path that followers are told, in bytes.
const LONGEST_PATH: usize = 1024;

/// What the first look at an edit says.
enum First {
    /// It may be made.
    Allowed,
    /// It may not.
    Denied(Denied),
    /// The path is reserved; the coordinator has to say.
    Reserved,
}

/// What the hook is to print: nothing for an edit that may be made.
///
/// Never dropped half-way: a reservation ends with it.
pub(crate) async fn before(
    shared: Arc<Shared>,
    active: Arc<Active>,
    check: Check,
    call: Call,
    body: Bytes,
) -> String {
    let Some(asked) = edited_path(&body) else {
        // Not of the shape that was measured: what it would change is found afterwards.
        return match check {
            Check::Strict => deny("The coordinator cannot tell which file this call would change."),
            Check::Warn => String::new(),
        };
    };
    let edit = Edit {
        shared,
        active,
        check,
        tool: call.tool,
    };
    match edit.decide(asked).await {
        Ok(()) => String::new(),
        Err(reason) => deny(&reason),
    }
}

/// One edit that somebody wants to make.
struct Edit {
    shared: Arc<Shared>,
    active: Arc<Active>,
    check: Check,
    tool: String,
}

impl Edit {
    /// `Err`: why not, for the worker.
    async fn decide(&self, asked: String) -> Result<(), String> {
        let (path, first) = self.first(asked.clone()).await;
        match first {
            First::Allowed => Ok(()),
            First::Denied(denied) => Err(self.denied(&path, &denied, None)),
            First::Reserved => self.ask(&path).await,
        }
    }

    /// The path that the edit really goes to, and what this machine alone can say of it.
    async fn first(&self, asked: String) -> (String, First) {
        let (shared, active, check) = (
            Arc::clone(&self.shared),
            Arc::clone(&self.active),
            self.check,
        );
        let shown = asked.clone();
        let first = tokio::task::spawn_blocking(move || first(&shared, &active, check, &asked));
        match first.await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "checking an edit failed");
                (shown, First::Denied(Denied::Unreachable))
            }
        }
    }

    async fn ask(&self, path: &str) -> Result<(), String> {
        let Self {
            shared,
            active,
            check,
            ..
        } = self;
        let asks = &shared.leases.asks;
        let answer = asks.ask(&shared.hub, &active.id, path, *check).await;
        match (answer, check) {
            (Some(LeaseAnswer { granted: true, .. }), _) => {
                self.settle(path, true).await;
                Ok(())
            }
            (Some(answer), _) => {
                self.settle(path, false).await;
                let more = answer.reason.clone();
                Err(self.denied(path, &refused(answer), more.as_deref()))
            }
            (None, Check::Strict) => {
                self.settle(path, false).await;
                Err(self.denied(path, &Denied::Unreachable, None))
            }
            (None, Check::Warn) => {
                self.settle(path, true).await;
                let path = line(path, LONGEST_PATH);
                self.tell(AgentEventKind::EditUnchecked { path });
                Ok(())
            }
        }
    }

    /// Ends the reservation. What has become its own is written down first: it stays so when the agent is killed.
    async fn settle(&self, path: &str, granted: bool) {
        let (shared, active) = (Arc::clone(&self.shared), Arc::clone(&self.active));
        let path = path.to_owned();
        let settled = tokio::task::spawn_blocking(move || {
            let fresh = shared.leases.table.settle(&active.id, &path, granted);
            match fresh {
                true => active.folder.add_leased(&path),
                false => Ok(()),
            }
        });
        match settled.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(id = %self.active.id, %error, "cannot write down what was granted");
            }
            Err(error) => tracing::error!(%error, "ending a reservation failed"),
        }
    }

    /// Everybody learns of a denial before the worker does.
    fn denied(&self, path: &str, denied: &Denied, more: Option<&str>) -> String {
        let reason = words::denial(path, denied, more);
        tracing::info!(id = %self.active.id, path, ?denied, "an edit is denied");
        self.tell(AgentEventKind::EditDenied {
            path: line(path, LONGEST_PATH),
            tool: self.tool.clone(),
            reason: reason.clone(),
            denial: words::on_the_wire(denied),
        });
        reason
    }

    fn tell(&self, kind: AgentEventKind) {
        self.active.tell_edit(&self.shared.hub, kind);
    }
}

fn first(shared: &Shared, active: &Active, check: Check, asked: &str) -> (String, First) {
    match located(shared, active, asked) {
        Some(Place::Inside(path)) => {
            let first = match shared.leases.table.request(&active.id, &path, check) {
                Verdict::Allowed => First::Allowed,
                Verdict::Denied(denied) => First::Denied(denied),
                Verdict::Reserved => First::Reserved,
            };
            (path, first)
        }
        Some(Place::Outside) => (asked.to_owned(), First::Allowed),
        Some(Place::Barred) => (asked.to_owned(), First::Denied(Denied::Elsewhere)),
        None => (asked.to_owned(), First::Denied(Denied::Unreachable)),
    }
}

/// Where `asked` leads; `None` when the worktree cannot be told.
pub(super) fn located(shared: &Shared, active: &Active, asked: &str) -> Option<Place> {
    let repo = shared.leases.table.repo(&active.id)?;
    let worktree = active.live.borrow().worktree.clone();
    let worktree = match worktree {
        Some(worktree) => worktree.into(),
        // Whoever was adopted just now is not shown yet.
        None => active.folder.plan().ok()??.worktree?,
    };
    let worktree = Path::new(&worktree).canonicalize().ok()?;
    Some(place(&worktree, &barred(shared, &repo), asked))
}

/// Why the coordinator did not grant it.
fn refused(answer: LeaseAnswer) -> Denied {
    match (answer.by, answer.why) {
        (Some(by), _) => Denied::Leased(by),
        (None, Some(LeaseDenial::Forbidden { glob })) => Denied::Forbidden(glob),
        (None, Some(LeaseDenial::Outside)) => Denied::Undeclared,
        (None, why) => Denied::Refused(why),
    }
}
