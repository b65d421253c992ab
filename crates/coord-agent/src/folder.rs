//! An assignment's folder: which file is what, and what its files say about how far it got.
//!
//! The folder is the whole truth about an assignment. The supervisor writes `run.json`,
//! `exit.json`, the log and the lock in it; everything else is written here, atomically.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use coord_core::ids::{AssignmentId, CommitId};
use coord_protocol::{AgentEventKind, AssignBody, CompletedRow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::driver::pull::Pulled;
use crate::durable;
use crate::leases::Watched;

/// The extension of folders that are being removed.
const EXPIRED: &str = "expired";

/// The version of the files that are written here.
const VERSION: u32 = 1;

/// `<home>/agent/assignments/<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder(PathBuf);

/// `spec.json`: written first; an assignment without it was never acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    version: u32,
    /// The coordinator's id, or the one that the agent chose.
    pub(crate) id: AssignmentId,
    /// Seconds since the epoch.
    pub(crate) accepted_at: f64,
    /// As it came.
    pub(crate) body: AssignBody,
}

/// `plan.json`: what the worktree is made of. Written before it is made, and again with its
/// path, so that a restart neither starts from another commit nor makes a second worktree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    /// The root of the checkout.
    pub(crate) repo: PathBuf,
    /// The branch that the worker works on.
    pub(crate) branch: String,
    /// The commit that its work is measured against.
    pub(crate) base: CommitId,
    /// An existing branch to continue on.
    pub(crate) start: Option<String>,
    /// Where that branch was.
    #[serde(default)]
    pub(crate) start_tip: Option<CommitId>,
    /// What the session that the worker goes on with had cost before, in US dollars.
    #[serde(default)]
    pub(crate) session_cost_usd: f64,
    /// What became of the repositories that were to be brought up to date.
    #[serde(default)]
    pub(crate) pulled: Vec<Pulled>,
    /// The worktree, once it is there.
    pub(crate) worktree: Option<PathBuf>,
}

/// `settled.json`: whether the end counts as cancelled. Decided once, before anything is
/// published, so that a late cancel or a restart cannot change it half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    version: u32,
    /// Nothing is to be published.
    pub(crate) cancelled: bool,
}

/// `outcome.json`: its presence means that the assignment has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    version: u32,
    /// The row of `/status`, with the end.
    pub(crate) row: CompletedRow,
}

impl Spec {
    /// The request `body`, accepted under `id` at `accepted_at`.
    pub(crate) fn new(id: AssignmentId, accepted_at: f64, body: AssignBody) -> Self {
        Self {
            version: VERSION,
            id,
            accepted_at,
            body,
        }
    }
}

impl Plan {
    /// A plan for a new branch at `base`, whose worktree is yet to be made.
    pub(crate) const fn new(repo: PathBuf, branch: String, base: CommitId) -> Self {
        Self {
            version: VERSION,
            repo,
            branch,
            base,
            start: None,
            start_tip: None,
            session_cost_usd: 0.0,
            pulled: Vec::new(),
            worktree: None,
        }
    }

    /// The commit that the published branch may be replaced at, where the worker continues on it.
    pub(crate) fn replaces(&self) -> Option<&CommitId> {
        let continues = self.start.as_ref() == Some(&self.branch);
        self.start_tip.as_ref().filter(|_| continues)
    }
}

impl Folder {
    /// The folder of `id` below `<home>/agent/assignments`.
    pub(crate) fn of(assignments: &Path, id: &AssignmentId) -> Self {
        Self(assignments.join(id.as_str()))
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The worker's output.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log.ndjson")
    }

    /// The output of the setup command.
    pub(crate) fn setup_log(&self) -> PathBuf {
        self.0.join("setup.log")
    }

    /// Held by the setup command and everything that it starts.
    pub(crate) fn setup_lock(&self) -> PathBuf {
        self.0.join("setup.lock")
    }

    /// The agent's checkpoint of the folded log.
    pub(crate) fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder with its `spec.json`; durable when it returns.
    pub(crate) fn create(&self, spec: &Spec) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        durable::write_json(&self.file("spec.json"), spec)?;
        durable::sync_parent(&self.0)
    }

    /// What was asked for; `None` for a folder whose request was never acknowledged.
    pub(crate) fn spec(&self) -> io::Result<Option<Spec>> {
        durable::read_json(&self.file("spec.json"))
    }

    /// What the worktree is made of.
    pub(crate) fn plan(&self) -> io::Result<Option<Plan>> {
        durable::read_json(&self.file("plan.json"))
    }

    /// Remembers what the worktree is made of.
    pub(crate) fn write_plan(&self, plan: &Plan) -> io::Result<()> {
        durable::write_json(&self.file("plan.json"), plan)
    }

    /// How it ended.
    pub(crate) fn outcome(&self) -> io::Result<Option<Outcome>> {
        durable::read_json(&self.file("outcome.json"))
    }

    /// Ends the assignment.
    pub(crate) fn write_outcome(&self, row: CompletedRow) -> io::Result<()> {
        let outcome = Outcome {
            version: VERSION,
            row,
        };
        durable::write_json(&self.file("outcome.json"), &outcome)
    }

    /// Whether somebody asked for it to stop.
    pub(crate) fn cancel_requested(&self) -> bool {
        self.file("cancel").exists()
    }

    /// Remembers that somebody asked for it to stop.
    pub(crate) fn request_cancel(&self) -> io::Result<()> {
        durable::write(&self.file("cancel"), b"")
    }

    /// Decides once and for all whether the end counts as cancelled.
    pub(crate) fn settle(&self) -> io::Result<bool> {
        let path = self.file("settled.json");
        if let Some(settled) = durable::read_json::<Settled>(&path)? {
            return Ok(settled.cancelled);
        }
        let settled = Settled {
            version: VERSION,
            cancelled: self.cancel_requested(),
        };
        durable::write_json(&path, &settled)?;
        Ok(settled.cancelled)
    }

    /// Whether the worker was stopped because of its budget.
    pub(crate) fn over_budget(&self) -> bool {
        self.file("over-budget").exists()
    }

    /// Remembers that the worker is stopped because of its budget.
    pub(crate) fn mark_over_budget(&self) -> io::Result<()> {
        durable::write(&self.file("over-budget"), b"")
    }

    /// Removes everything. It is put aside in one step first, so that nobody takes what a crash
    /// leaves of it for an assignment that has not ended.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let aside = self.path().with_extension(EXPIRED);
        fs::rename(self.path(), &aside)?;
        fs::remove_dir_all(aside)
    }

    /// Whether the worker was told what carries this key.
    pub(crate) fn was_told(&self, key: &str) -> bool {
        self.told(key).exists()
    }

    /// Remembers that the worker was told what carries this key.
    pub(crate) fn mark_told(&self, key: &str) -> io::Result<()> {
        durable::write(&self.told(key), b"")
    }

    /// A key holds nothing that a name of a file may not hold.
    fn told(&self, key: &str) -> PathBuf {
        self.file(&format!("told-{key}"))
    }

    /// Where the last look at the worktree left off; the next one can do without.
    pub(crate) fn watched(&self) -> Watched {
        let read = durable::read_json(&self.file("looked.json"));
        let read = read.unwrap_or_else(|error| {
            tracing::warn!(%error, folder = %self.0.display(), "the last look cannot be read");
            None
        });
        read.filter(Watched::is_current).unwrap_or_default()
    }

    /// Remembers where a look at the worktree left off. After a power cut it begins anew.
    pub(crate) fn write_watched(&self, watched: &Watched) -> io::Result<()> {
        durable::replace_json(&self.file("looked.json"), watched)
    }

    /// The paths that were granted to the worker beyond those that it declares.
    pub(crate) fn leased(&self) -> io::Result<Vec<String>> {
        self.lines("leased")
    }

    /// Adds a path that was granted.
    pub(crate) fn add_leased(&self, path: &str) -> io::Result<()> {
        self.add_line("leased", path)
    }

    /// What became of edits that were checked; what cannot be read is nothing.
    pub(crate) fn edits(&self) -> Vec<AgentEventKind> {
        self.lines("edits.ndjson").unwrap_or_else(|error| {
            tracing::warn!(%error, folder = %self.0.display(), "what became of edits cannot be read");
            Vec::new()
        })
    }

    /// Adds what became of an edit.
    pub(crate) fn add_edit(&self, edit: &AgentEventKind) -> io::Result<()> {
        self.add_line("edits.ndjson", edit)
    }

    /// The values in a file of lines of JSON.
    fn lines<T: DeserializeOwned>(&self, name: &str) -> io::Result<Vec<T>> {
        let text = match fs::read_to_string(self.file(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text?,
        };
        // The last line of an agent that was killed may be half a line.
        Ok(text
            .lines()
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect())
    }

    fn add_line<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> io::Result<()> {
        // What is before it may be half a line, of an agent that was killed.
        let line = format!("\n{}\n", serde_json::to_string(value)?);
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.file(name))?;
        file.write_all(line.as_bytes())
    }

    /// The calls that hooks have let through because no agent answered, each once.
    pub(crate) fn take_unchecked(&self) -> io::Result<Vec<Vec<u8>>> {
        let taken = self.file("unchecked.taken");
        match fs::rename(self.file(coord_supervisor::files::UNCHECKED), &taken) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !taken.exists() => {
                return Ok(Vec::new());
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Or an agent was killed while it read them.
            Ok(()) | Err(_) => {}
        }
        let calls = fs::read(&taken)?;
        fs::remove_file(taken)?;
        Ok(calls
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect())
    }

    /// Whether the worktree went back to the pool.
    pub(crate) fn released(&self) -> bool {
        self.file("released").exists()
    }

    /// Remembers that the worktree went back to the pool.
    pub(crate) fn mark_released(&self) -> io::Result<()> {
        File::create(self.file("released")).map(drop)
    }
}

/// All folders below `assignments` that carry an id; what is left of removed ones is cleared away.
pub(crate) fn scan(assignments: &Path) -> io::Result<Vec<(AssignmentId, Folder)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(assignments)? {
        let name = entry?.file_name();
        if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
            let folder = Folder::of(assignments, &id);
            found.push((id, folder));
        } else if Path::new(&name).extension().is_some_and(|e| e == EXPIRED) {
            fs::remove_dir_all(assignments.join(name))?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_never_seen_in_parts() {
        let home = tempfile::tempdir().unwrap();
        folder(home.path()).remove().unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
        let cut_short = folder(home.path());
        fs::rename(cut_short.path(), cut_short.path().with_extension(EXPIRED)).unwrap();
        assert!(scan(home.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    fn folder(below: &Path) -> Folder {
        let id = AssignmentId::from_bits(7);
        let folder = Folder::of(below, &id);
        folder
            .create(&Spec::new(id, 1.0, AssignBody::default()))
            .unwrap();
        folder
    }

    #[test]
    fn a_late_cancel_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        assert!(!folder.settle().unwrap());
        folder.request_cancel().unwrap();
        assert!(!folder.settle().unwrap());
    }

    #[test]
    fn an_early_cancel_lasts() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        folder.request_cancel().unwrap();
        assert!(folder.settle().unwrap());
        assert!(folder.settle().unwrap());
    }

    #[test]
    fn the_scan_skips_what_is_no_assignment() {
        let home = tempfile::tempdir().unwrap();
        folder(home.path());
        fs::create_dir(home.path().join("lost+found")).unwrap();
        let found = scan(home.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].1.spec().unwrap().is_some());
    }
}
