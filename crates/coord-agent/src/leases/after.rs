//! After whatever can write: what has really changed in the worktree, however it was done.
//!
//! Each look saves everything under the WIP ref. What a forbidden glob covers is put back; what belongs
//! to somebody else is told to the worker and to everybody, and stays: it may be the worker's own way to
//! put it right.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use coord_core::ids::CommitId;
use coord_git::{GitError, Repo, Worktree};
use coord_protocol::AgentEventKind;

use super::before::located;
use super::call::{edited_path, tell};
use super::place::Place;
use super::table::Verdict;
use super::{Check, Denied, Moment, Watched, words};
use crate::active::Active;
use crate::background::in_background;
use crate::driver::{compared_with, worktree_of};
use crate::shared::Shared;

/// What a look has found.
#[derive(Debug, Default)]
struct Found {
    /// Paths that are changed and that nobody was told of.
    fresh: Vec<String>,
    /// Forbidden ones that were put back.
    restored: Vec<String>,
    /// Forbidden ones that could not be put back.
    stayed: Vec<String>,
    /// Paths that the worker should not have changed, with why.
    objections: Vec<(String, Denied)>,
    /// Those of them that nobody was told of, and paths that nobody could be asked about.
    unchecked: Vec<String>,
}

/// What stopped a look.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The assignment's folder cannot be used.
    #[error("cannot use the assignment's folder")]
    Folder(#[from] std::io::Error),
}

/// What the hook is to print: nothing, or what the worker has to know.
pub(crate) async fn after(
    shared: Arc<Shared>,
    active: Arc<Active>,
    check: Check,
    moment: Moment,
) -> String {
    let looked = {
        let (shared, active) = (Arc::clone(&shared), Arc::clone(&active));
        in_background(move || look(&shared, &active, check)).await
    };
    match looked {
        Ok(Ok(found)) => {
            let text = found.for_the_worker();
            found.publish(&shared, &active);
            match text.is_empty() {
                true => String::new(),
                false => tell(moment, &text.join("\n\n")),
            }
        }
        // The next look sees it; the worker can do nothing about it.
        Ok(Err(error)) => {
            tracing::warn!(id = %active.id, %error, "cannot look at the worktree");
            String::new()
        }
        Err(error) => {
            tracing::error!(id = %active.id, %error, "looking at the worktree failed");
            String::new()
        }
    }
}

/// The last look, when nothing of the worker is left: what something in its background has done.
pub(crate) async fn at_the_end(shared: Arc<Shared>, active: Arc<Active>) {
    if let Some(check) = Check::of(&active) {
        after(shared, active, check, Moment::After).await;
    }
}

/// The look before the worker begins, which tells its changes from those of the preparation.
///
/// Blocks on git.
///
/// # Errors
/// [`LookError`].
pub(crate) fn baseline(active: &Active, worktree: &Worktree) -> Result<(), LookError> {
    let looked = coord_git::look(&worktree.path, &active.id, None)?;
    let watched = Watched::begin(looked.tree, worktree.base.clone());
    active.folder.write_watched(&watched)?;
    *active
        .watched
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(watched);
    Ok(())
}

/// One look at a time for each assignment: two that ran side by side would each undo what the other has seen.
fn look(shared: &Shared, active: &Active, check: Check) -> Result<Found, LookError> {
    let mut remembered = active
        .watched
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut found = Found::default();
    found.take_notes(shared, active, check)?;
    let plan = active.folder.plan()?.filter(|_| !active.folder.released());
    let Some(worktree) = plan.as_ref().and_then(worktree_of) else {
        return Ok(found);
    };
    let before = match remembered.take() {
        Some(watched) => watched,
        None => active.folder.watched(),
    };
    let look = Look {
        shared,
        active,
        check,
        worktree,
        before,
    };
    let now = look.take(&mut found)?;
    if now != look.before {
        active.folder.write_watched(&now)?;
    }
    *remembered = Some(now);
    Ok(found)
}

/// A look that is being taken.
struct Look<'a> {
    shared: &'a Shared,
    active: &'a Active,
    check: Check,
    worktree: Worktree,
    before: Watched,
}

/// A path as git has it, and as it is told.
type Changed = (PathBuf, String);

impl Look<'_> {
    fn take(&self, found: &mut Found) -> Result<Watched, GitError> {
        let Self {
            active,
            worktree,
            before,
            ..
        } = self;
        let mut now = before.clone();
        let looked = coord_git::look(&worktree.path, &active.id, before.tree.as_deref())?;
        let changed: Vec<Changed> = looked
            .changed
            .into_iter()
            .map(|it| (it.path.clone(), it.path.to_string_lossy().into_owned()))
            .collect();
        now.tree = Some(looked.tree);
        if changed.is_empty() {
            return Ok(now);
        }
        // What came from the base branch is not the worker's.
        let base = compared_with(self.shared, active, worktree)?;
        let own = self.own(&base, &looked.wip)?;
        let put_back = |path: &String| !own.contains(path);
        now.objected.retain(|path| !put_back(path));
        let changed = changed.into_iter().filter(|(_, path)| own.contains(path));
        let (forbidden, others): (Vec<Changed>, Vec<Changed>) =
            changed.partition(|(_, path)| self.forbids(path));
        if !forbidden.is_empty() {
            now.tree = Some(self.restore(forbidden, &base, found)?);
        }
        now.base = Some(base);
        for (_, path) in others {
            self.sort_in(path, &mut now, found);
        }
        Ok(now)
    }

    fn forbids(&self, path: &str) -> bool {
        let table = &self.shared.leases.table;
        table.forbidden(&self.active.id, path).is_some()
    }

    /// What differs from the base branch.
    fn own(&self, base: &CommitId, wip: &CommitId) -> Result<HashSet<String>, GitError> {
        let repo = Repo::open(&self.worktree.repo_path)?;
        Ok(repo.differing_files(base, wip)?.into_iter().collect())
    }

    /// Puts forbidden files back to what they were before the call, and gives the tree that is there now. Where the
    /// work was brought up to a newer base meanwhile, they are what they are there.
    fn restore(
        &self,
        forbidden: Vec<Changed>,
        base: &CommitId,
        found: &mut Found,
    ) -> Result<String, GitError> {
        let moved = self.before.base.as_ref().is_some_and(|it| it != base);
        let from = match &self.before.tree {
            Some(tree) if !moved => tree.as_str(),
            Some(_) | None => base.as_str(),
        };
        let paths: Vec<PathBuf> = forbidden.into_iter().map(|(path, _)| path).collect();
        let restored = coord_git::restore(&self.worktree.path, from, &paths)?;
        let shown = |paths: Vec<PathBuf>| {
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            let mut paths: Vec<String> = paths.into_iter().map(text).collect();
            paths.sort();
            paths
        };
        found.restored = shown(restored.paths);
        found.stayed = shown(restored.left);
        // Once more, so that the WIP ref is without what was undone.
        let looked = coord_git::look(&self.worktree.path, &self.active.id, Some(from))?;
        Ok(looked.tree)
    }

    fn sort_in(&self, path: String, now: &mut Watched, found: &mut Found) {
        let table = &self.shared.leases.table;
        if now.see(&path) {
            found.fresh.push(path.clone());
        }
        if let Some(denied) = table.objection(&self.active.id, &path, self.check) {
            if now.object(&path) {
                found.unchecked.push(path.clone());
            }
            found.objections.push((path, denied));
        }
    }
}

impl Found {
    /// What hooks have let through while no agent answered.
    fn take_notes(
        &mut self,
        shared: &Shared,
        active: &Active,
        check: Check,
    ) -> std::io::Result<()> {
        for note in active.folder.take_unchecked()? {
            let asked = edited_path(&note);
            let place = asked.and_then(|asked| located(shared, active, &asked));
            if let Some(Place::Inside(path)) = place {
                self.let_through(shared, active, check, path)?;
            }
        }
        Ok(())
    }

    /// As if it had asked just now, and nobody had answered.
    fn let_through(
        &mut self,
        shared: &Shared,
        active: &Active,
        check: Check,
        path: String,
    ) -> std::io::Result<()> {
        let table = &shared.leases.table;
        match table.request(&active.id, &path, check) {
            Verdict::Reserved if table.settle(&active.id, &path, true) => {
                active.folder.add_leased(&path)?;
                self.unchecked.push(path);
            }
            // Allowed anyway, or found in the worktree in a moment.
            Verdict::Reserved | Verdict::Allowed | Verdict::Denied(_) => {}
        }
        Ok(())
    }

    fn for_the_worker(&self) -> Vec<String> {
        let mut text = Vec::new();
        if !self.restored.is_empty() {
            text.push(words::restored(&self.restored));
        }
        if !self.stayed.is_empty() {
            text.push(words::stayed(&self.stayed));
        }
        let some = self.objections.iter().take(words::MOST_NAMED);
        text.extend(some.map(|(path, denied)| words::objection(path, denied)));
        text
    }

    fn publish(self, shared: &Shared, active: &Arc<Active>) {
        let tell = |kind| active.tell_edit(&shared.hub, kind);
        if !self.fresh.is_empty() {
            active
                .live
                .send_modify(|live| live.facts.files.extend(self.fresh.iter().cloned()));
            let files = AgentEventKind::Files { paths: self.fresh };
            shared.hub.publish(&active.id, files);
        }
        if !self.restored.is_empty() {
            tell(AgentEventKind::FilesRestored {
                paths: self.restored,
            });
        }
        for path in self.unchecked {
            tell(AgentEventKind::EditUnchecked { path });
        }
    }
}
