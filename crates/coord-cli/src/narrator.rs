//! What happens while a command works, told line by line on stderr.

use std::cell::RefCell;
use std::collections::BTreeMap;

use coord_core::BoardEvent;
use coord_core::ids::AssignmentId;
use coord_engine::{Carried, Progress};
use coord_protocol::{AgentEvent, AgentEventKind};

use crate::describe::{event, is_detail};
use crate::postponed;
use crate::printer::{FAINT, Printer, paint, plain};

/// Tells what happens while a command works: to stderr, for people.
pub(crate) struct Narrator<'a> {
    printer: Printer,
    only: Option<&'a [AssignmentId]>,
    /// The last status of each worker: one that has nothing new to say is not repeated.
    said: RefCell<BTreeMap<AssignmentId, String>>,
}

impl<'a> Narrator<'a> {
    /// Tells everything.
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            printer,
            only: None,
            said: RefCell::default(),
        }
    }

    /// Tells what concerns these assignments.
    pub(crate) fn only(self, ids: &'a [AssignmentId]) -> Self {
        Self {
            only: Some(ids),
            ..self
        }
    }

    /// Tells one step, if it is worth a line.
    pub(crate) fn show(&self, progress: &Progress) {
        let (at, text) = match progress {
            Progress::Recorded(recorded) if self.concerns(&recorded.event) => {
                (recorded.at, event(&recorded.event))
            }
            Progress::Carried(Carried::Postponed { key, until, error }) => {
                (coord_engine::now(), postponed::sentence(key, *until, error))
            }
            Progress::Worker(agent_event) => {
                let Some(text) = self.status(agent_event) else {
                    return;
                };
                (coord_engine::now(), text)
            }
            Progress::Recorded(_) | Progress::Carried(Carried::Settled { .. }) => return,
        };
        self.printer.note(format_args!(
            "{}  {text}",
            paint(FAINT, crate::time::clock(at))
        ));
    }

    /// What a worker says about itself, if it says something new.
    fn status(&self, event: &AgentEvent) -> Option<String> {
        let AgentEventKind::Progress {
            status: Some(status),
            ..
        } = &event.kind
        else {
            return None;
        };
        let id = event
            .id
            .as_ref()
            .filter(|id| self.only.is_none_or(|ids| ids.contains(id)))?;
        let last = self.said.borrow_mut().insert(id.clone(), status.clone());
        (last.as_ref() != Some(status)).then(|| format!("{id} {}", plain(status)))
    }

    fn concerns(&self, event: &BoardEvent) -> bool {
        let about = event.assignment();
        !is_detail(event)
            && self
                .only
                .is_none_or(|ids| about.is_none_or(|id| ids.contains(id)))
    }
}
