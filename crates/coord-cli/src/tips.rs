//! Looking where branches are before anything is said or done about them: somebody may have pushed.

use coord_core::ids::AssignmentId;
use coord_engine::{Engine, SeenBranches};

use crate::commands::log::known;
use crate::describe;
use crate::failure::{Failure, chain};
use crate::printer::{FAINT, Printer, paint, plain};
use crate::time::clock;

/// Looks where the branches of these assignments are, and tells what has changed by that.
pub(crate) async fn look(
    printer: Printer,
    engine: &Engine,
    ids: &[AssignmentId],
) -> Result<(), Failure> {
    let seen = engine.look_at_branches(ids).await?;
    for it in &seen.recorded {
        if !describe::is_detail(&it.event) {
            let at = paint(FAINT, clock(it.at));
            printer.note(format_args!("{at}  {}", describe::event(&it.event)));
        }
    }
    print_missing(printer, engine, &seen).await
}

/// Says which ones are gone, and which ones could not be looked at.
pub(crate) async fn print_missing(
    printer: Printer,
    engine: &Engine,
    seen: &SeenBranches,
) -> Result<(), Failure> {
    for id in &seen.gone {
        let it = known(engine, id).await?;
        if let Some(work) = it.deliverable() {
            let (branch, head) = (plain(work.branch), work.head);
            printer.note(format_args!(
                "the branch of {id} is gone from its forge: push {head} to `{branch}` again"
            ));
        }
    }
    for (id, error) in &seen.unknown {
        printer.note(format_args!(
            "whether anybody has pushed to the branch of {id} is not known: {}",
            plain(&chain(error))
        ));
    }
    Ok(())
}
