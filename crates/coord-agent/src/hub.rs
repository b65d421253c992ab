//! The agent's transitions on their way to whoever follows `GET /events`.
//!
//! The newest events are kept in a ring that every follower reads at its own pace, so that a slow
//! follower costs nothing and is told when it has missed something.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coord_core::ids::AssignmentId;
use coord_protocol::{AgentEvent, AgentEventKind};
use tokio::sync::watch;

use crate::clock;
use crate::http::sse;

/// How many events a follower may be behind.
const KEPT: usize = 1024;

/// The events of one run of the agent.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Names this run: a cursor of another run says nothing here.
    boot: String,
    ring: Mutex<VecDeque<Arc<str>>>,
    /// The number of the newest event; 0 before the first.
    newest: watch::Sender<u64>,
}

/// What a follower gets next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Events as they travel, and the number of the last of them.
    Events(Vec<Arc<str>>, u64),
    /// It has missed events: the message that says so, and the number to go on from.
    Missed(Arc<str>, u64),
    /// Nothing yet.
    Nothing,
}

impl Hub {
    /// A hub for the run `boot`, a short text without `-`.
    pub(crate) fn new(boot: String) -> Self {
        Self {
            boot,
            ring: Mutex::new(VecDeque::new()),
            newest: watch::Sender::new(0),
        }
    }

    /// Tells everybody what happened to `id`.
    pub(crate) fn publish(&self, id: &AssignmentId, kind: AgentEventKind) {
        let mut ring = self.ring();
        let seq = *self.newest.borrow() + 1;
        ring.push_back(self.render(seq, Some(id.clone()), kind));
        if ring.len() > KEPT {
            ring.pop_front();
        }
        // Inside the lock, so that the number never runs ahead of the ring or behind it.
        self.newest.send_replace(seq);
    }

    /// Wakes up with every event.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Where a follower with this `Last-Event-ID` goes on: behind the event with the number, or
    /// nowhere for a cursor of another run. Without a cursor it begins with what comes next.
    pub(crate) fn position(&self, cursor: Option<&str>) -> Option<u64> {
        let newest = *self.newest.borrow();
        let Some(cursor) = cursor else {
            return Some(newest);
        };
        let (boot, seq) = cursor.rsplit_once('-')?;
        let seq = seq.parse().ok()?;
        (boot == self.boot && seq <= newest).then_some(seq)
    }

    /// What follows the event with the number `after`; `None` stands for a cursor of another run.
    pub(crate) fn after(&self, after: Option<u64>) -> Next {
        let ring = self.ring();
        let newest = *self.newest.borrow();
        let oldest = newest - ring.len() as u64;
        match after {
            Some(after) if after >= newest => Next::Nothing,
            Some(after) if after >= oldest => {
                let skip = usize::try_from(after - oldest).unwrap_or(usize::MAX);
                Next::Events(ring.iter().skip(skip).cloned().collect(), newest)
            }
            Some(_) | None => {
                Next::Missed(self.render(newest, None, AgentEventKind::Resync), newest)
            }
        }
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<str>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn render(&self, seq: u64, id: Option<AssignmentId>, kind: AgentEventKind) -> Arc<str> {
        let name = kind.as_str();
        let event = AgentEvent {
            seq,
            at: clock::now(),
            id,
            kind,
            cursor: String::new(),
        };
        let mut cursor = String::new();
        let _ = write!(cursor, "{}-{seq}", self.boot);
        // A map with text keys and finite numbers always serialises.
        let json = serde_json::to_string(&event).unwrap_or_default();
        sse::message(&cursor, name, &json).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(turns: u32) -> AgentEventKind {
        AgentEventKind::Progress {
            turns,
            cost_usd: 0.0,
            last_tool: None,
            status: None,
            model: None,
        }
    }

    fn hub(events: u32) -> Hub {
        let hub = Hub::new("b".to_owned());
        for n in 0..events {
            hub.publish(&AssignmentId::from_bits(1), progress(n));
        }
        hub
    }

    #[test]
    fn a_follower_gets_what_came_after_its_cursor() {
        let hub = hub(5);
        let position = hub.position(Some("b-3"));
        let Next::Events(events, last) = hub.after(position) else {
            panic!("no events");
        };
        assert_eq!((events.len(), last), (2, 5));
        assert!(
            events[0].starts_with("id: b-4\nevent: progress\n"),
            "{}",
            events[0]
        );
        assert_eq!(hub.after(Some(5)), Next::Nothing);
    }

    #[test]
    fn without_a_cursor_only_the_future_counts() {
        let hub = hub(5);
        assert_eq!(hub.after(hub.position(None)), Next::Nothing);
    }

    #[test]
    fn a_cursor_of_another_run_or_too_far_back_means_resync() {
        let hub = hub(KEPT as u32 + 10);
        for cursor in ["other-3", "b-2", "b-99999", "nonsense", "b-x"] {
            let Next::Missed(message, from) = hub.after(hub.position(Some(cursor))) else {
                panic!("{cursor} was accepted");
            };
            assert!(message.contains("event: resync\n"), "{message}");
            assert_eq!(from, KEPT as u64 + 10);
        }
        let oldest = hub.after(hub.position(Some("b-10")));
        assert!(matches!(oldest, Next::Events(events, _) if events.len() == KEPT));
    }
}
