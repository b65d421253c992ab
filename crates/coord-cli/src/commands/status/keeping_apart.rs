//! Conflicts that are foreseen, and edits that running workers were kept from.

use coord_core::Board;
use coord_core::assignment::AssignmentState;
use coord_core::event::{BoardEvent, Recorded};
use coord_core::ids::AssignmentId;
use coord_core::radar::Clash;
use coord_engine::Engine;
use coord_store::HistoryFilter;
use serde_json::{Value, json};

use crate::describe;
use crate::failure::Failure;
use crate::printer::{BAD, FAINT, Printer, paint, plain};
use crate::time::clock;

/// How many denials are looked at, and how many are shown.
const LOOKED_AT: u32 = 200;
const SHOWN: usize = 5;

/// What keeps the work on the board apart.
pub(super) struct KeepingApart {
    conflicts: Vec<Clash>,
    /// Of workers that run, in this session.
    denials: Vec<Recorded>,
}

impl KeepingApart {
    /// Only what concerns assignments that are `wanted`.
    pub(super) async fn read(
        engine: &Engine,
        board: &Board,
        wanted: impl Fn(&AssignmentId) -> bool,
    ) -> Result<Self, Failure> {
        let conflicts = board.conflicts.iter().filter(|it| {
            let with = it.with.as_ref();
            wanted(&it.id) || with.is_some_and(&wanted)
        });
        let running = |id: &AssignmentId| {
            let it = board.assignments.get(id);
            it.is_some_and(|it| it.state == AssignmentState::Running) && wanted(id)
        };
        let filter = HistoryFilter {
            kinds: ["edit_denied", "files_restored"]
                .map(str::to_owned)
                .to_vec(),
            since: board.session.map(|session| session.at),
            limit: Some(LOOKED_AT),
            ..HistoryFilter::default()
        };
        let mut denials = engine.store().history(filter).await?;
        denials.retain(|it| it.event.assignment().is_some_and(running));
        Ok(Self {
            conflicts: conflicts.cloned().collect(),
            denials,
        })
    }

    pub(super) fn conflicts_json(&self) -> Value {
        json!(self.conflicts)
    }

    pub(super) fn denials_json(&self) -> Value {
        let denial = |it: &Recorded| match &it.event {
            BoardEvent::EditDenied {
                id,
                path,
                tool,
                why,
            } => Some(json!({"id": id, "at": it.at, "path": path, "tool": tool, "why": why})),
            BoardEvent::FilesRestored { id, paths } => {
                Some(json!({"id": id, "at": it.at, "restored": paths}))
            }
            _ => None,
        };
        self.denials.iter().filter_map(denial).collect()
    }

    pub(super) fn print(&self, printer: Printer, board: &Board) {
        if !self.conflicts.is_empty() {
            printer.line("\nconflicts to come; `coord radar` shows where");
        }
        for it in &self.conflicts {
            let named = |id: &AssignmentId| match board.assignments.get(id) {
                Some(it) => format!("{id} {}", it.issue),
                None => id.to_string(),
            };
            let with = it.with.as_ref();
            let with = with.map_or_else(|| "the base".to_owned(), named);
            let paths = plain(&it.paths.join(", "));
            printer.line(format_args!(
                "  {} {} with {with} in {paths}",
                named(&it.id),
                paint(BAD, "will conflict")
            ));
        }
        if !self.denials.is_empty() {
            printer.line("\nedits that running workers were kept from");
        }
        let more = self.denials.len().saturating_sub(SHOWN);
        for it in &self.denials[more..] {
            let at = paint(FAINT, clock(it.at));
            printer.line(format_args!("  {at}  {}", describe::event(&it.event)));
        }
        if more > 0 {
            printer.line(format_args!(
                "  and {more} before; `coord history --kind edit_denied files_restored` shows them"
            ));
        }
    }
}
