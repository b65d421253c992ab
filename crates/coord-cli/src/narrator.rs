//! What happens while a command works, told line by line on stderr.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use coord_core::BoardEvent;
use coord_core::assignment::Assignment;
use coord_core::ids::{AssignmentId, EffectKey};
use coord_engine::{Carried, Progress};
use coord_protocol::{AgentEvent, AgentEventKind};
use coord_store::Committed;

use crate::commands::assign::assigned;
use crate::describe::{event, is_detail};
use crate::postponed;
use crate::printer::{FAINT, Printer, WARN, paint, plain};

/// Tells what happens while a command works: to stderr, for people.
pub(crate) struct Narrator {
    printer: Printer,
    /// With whoever goes on with one of them or looks at its branch.
    only: Option<RefCell<BTreeSet<AssignmentId>>>,
    /// Why each effect could not be done when it was told last: the same reason is not repeated.
    postponed: RefCell<BTreeMap<EffectKey, String>>,
    /// The last status of each worker: one that has nothing new to say is not repeated.
    said: RefCell<BTreeMap<AssignmentId, String>>,
}

impl Narrator {
    /// Tells everything.
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            printer,
            only: None,
            postponed: RefCell::default(),
            said: RefCell::default(),
        }
    }

    /// Tells what concerns these assignments, and those that begin on their account.
    pub(crate) fn only(self, ids: &[AssignmentId]) -> Self {
        Self {
            only: Some(RefCell::new(ids.iter().cloned().collect())),
            ..self
        }
    }

    /// Begins with what a command has recorded itself.
    pub(crate) fn after(self, committed: &Committed) -> Self {
        let new = committed
            .recorded
            .iter()
            .filter_map(|it| assigned(&it.event));
        new.for_each(|new| self.learn(new));
        self
    }

    /// Tells one step, if it is worth a line.
    pub(crate) fn show(&self, progress: &Progress) {
        let (at, text) = match progress {
            Progress::Recorded(recorded) if self.concerns(&recorded.event) => {
                (recorded.at, event(&recorded.event))
            }
            Progress::Carried(Carried::Postponed { key, until, error }) => {
                let told = self
                    .postponed
                    .borrow_mut()
                    .insert(key.clone(), error.clone());
                if told.as_ref() == Some(error) {
                    return;
                }
                (coord_engine::now(), postponed::sentence(key, *until, error))
            }
            Progress::Worker(agent_event) => {
                let Some(text) = self.status(agent_event) else {
                    return;
                };
                (coord_engine::now(), text)
            }
            Progress::Radar { repo, trouble } if self.only.is_none() => {
                let what = paint(WARN, "conflicts cannot be foreseen");
                let text = format!("{repo}: {what}: {}", plain(trouble));
                (coord_engine::now(), text)
            }
            Progress::Recorded(_)
            | Progress::Radar { .. }
            | Progress::Carried(Carried::Settled { .. }) => return,
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
        let id = event.id.as_ref().filter(|id| self.is_wanted(id))?;
        let last = self.said.borrow_mut().insert(id.clone(), status.clone());
        (last.as_ref() != Some(status)).then(|| format!("{id} {}", plain(status)))
    }

    fn concerns(&self, event: &BoardEvent) -> bool {
        if let Some(new) = assigned(event) {
            self.learn(new);
        }
        let about = event.assignment();
        !is_detail(event) && about.is_none_or(|id| self.is_wanted(id))
    }

    fn is_wanted(&self, id: &AssignmentId) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|ids| ids.borrow().contains(id))
    }

    fn learn(&self, new: &Assignment) {
        let Some(only) = &self.only else {
            return;
        };
        let about = new.about.as_ref().map(|about| &about.id);
        let mut ids = only.borrow_mut();
        if new.follows.iter().chain(about).any(|id| ids.contains(id)) {
            ids.insert(new.id.clone());
        }
    }
}
