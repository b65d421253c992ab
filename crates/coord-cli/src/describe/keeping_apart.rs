//! What keeps workers apart, in people's words: leases on files, and conflicts that are foreseen.

use coord_core::ids::AssignmentId;
use coord_core::lease::Denial;

use crate::printer::{BAD, GOOD, WARN, paint, plain};

/// `1a2b changes a.rs, b.rs; it may not change b.rs`: somebody else holds that, or nobody may have it.
pub(super) fn observed(id: &AssignmentId, paths: &[String], foreign: &[String]) -> String {
    let changes = format!("{id} changes {}", listed(paths));
    match foreign.is_empty() {
        true => changes,
        false => {
            let may_not = paint(WARN, "it may not change");
            format!("{changes}; {may_not} {}", listed(foreign))
        }
    }
}

/// `1a2b was kept from changing a.rs (Edit): held by assignment 3c4d`.
pub(super) fn denied(id: &AssignmentId, path: &str, tool: &str, why: &Denial) -> String {
    let tool = match tool.is_empty() {
        true => String::new(),
        false => format!(" ({})", plain(tool)),
    };
    let kept = paint(WARN, "was kept from changing");
    format!(
        "{id} {kept} {}{tool}: {}",
        plain(path),
        plain(&why.to_string())
    )
}

/// An edit that nobody allowed: nobody could be asked, or it went around the question, through a shell.
pub(super) fn unchecked(id: &AssignmentId, path: &str) -> String {
    let unasked = paint(WARN, "although nobody allowed it");
    format!("{id} changes {} {unasked}", plain(path))
}

/// Files that no worker may change.
pub(super) fn restored(id: &AssignmentId, paths: &[String]) -> String {
    let changed = paint(BAD, "changed what no worker may change");
    format!("{id} {changed}; it was put back: {}", listed(paths))
}

/// A conflict that is to come, as both branches are now.
pub(super) fn foreseen(id: &AssignmentId, with: Option<&AssignmentId>, paths: &[String]) -> String {
    let will = paint(BAD, "will conflict");
    format!("{id} {will} with {} in {}", other(with), listed(paths))
}

/// A conflict that is not to come any more.
pub(super) fn gone(id: &AssignmentId, with: Option<&AssignmentId>) -> String {
    let no_more = paint(GOOD, "no longer conflicts");
    format!("{id} {no_more} with {}", other(with))
}

fn other(with: Option<&AssignmentId>) -> String {
    with.map_or_else(|| "its base".to_owned(), ToString::to_string)
}

fn listed(paths: &[String]) -> String {
    plain(&paths.join(", "))
}
