//! What the hooks cost: before an edit that may be made, and until the board knows of one that may not.
//!
//! The hook's program is run as the CLI runs it, for assignments whose workers only wait.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use coord_protocol::{ActiveRow, StatusQuery};
use serde_json::{Value, json};

use super::table::{Table, median};
use crate::lab::{Binaries, Lab, NAME, Setup};

/// Edits that may be made.
const ALLOWED: usize = 41;
/// Edits that may not; each is of a file of its own, for the board says each once.
const DENIED: usize = 21;
/// A worker that stays.
const LASTING: [&str; 3] = ["sh", "-c", "sleep 600"];

pub(super) async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let lab = Lab::new(binaries, &Setup::with_worker(&LASTING))?;
    let agent = lab.start_agent().await?;
    let issue = lab.open_issue("Hold it", "Nothing.")?;
    let holder = Caller::start(&lab, issue, "held/**").await?;
    let issue = lab.open_issue("Want it", "Nothing.")?;
    let other = Caller::start(&lab, issue, "free/**").await?;
    let drive = lab.start(&["drive"])?;

    let mut times = Vec::new();
    for _ in 0..ALLOWED {
        let (answer, time) = other.ask("free/file.txt")?;
        ensure!(answer.is_empty(), "an edit was not allowed: {answer}");
        times.push(time.as_secs_f64() * 1000.0);
    }
    let note = format!("start of the hook's program to its end, median of {ALLOWED}");
    table.add(
        "an edit allowed by the hook",
        median(times),
        10.0,
        "ms",
        note,
    );

    let mut delays = Vec::new();
    for n in 0..DENIED {
        let path = format!("held/{n}.txt");
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0;
        let (answer, _) = other.ask(&path)?;
        ensure!(answer.contains(&holder.id), "it was not denied: {answer}");
        delays.push(recorded(&lab, &path)? - at);
    }
    drive.end()?;
    agent.kill();
    let slowest = delays.iter().copied().fold(0.0, f64::max);
    let note = format!("from the start of the hook's program, the slowest of {DENIED}");
    table.add("an edit denied to the board", slowest, 500.0, "ms", note);
    Ok(())
}

/// When the denial of `path` was recorded, in milliseconds since the epoch.
fn recorded(lab: &Lab, path: &str) -> Result<f64> {
    let mut found = None;
    lab.until("the denial on the board", |lab| {
        let denied = lab.coord_json(&["history", "--limit", "1000", "--kind", "edit_denied"])?;
        let mut denied = denied.as_array().into_iter().flatten();
        let of_path = denied.find(|it| it["event"]["path"] == path);
        found = of_path.and_then(|it| it["at"].as_f64());
        Ok(found.is_some())
    })?;
    found.context("it has no time")
}

/// A worker, as its hooks see it.
struct Caller {
    id: String,
    program: PathBuf,
    /// The way to the agent.
    door: PathBuf,
    worktree: String,
}

impl Caller {
    async fn start(lab: &Lab, issue: u64, files: &str) -> Result<Self> {
        let id = lab.assign_to(NAME, issue, &["--files", files])?;
        lab.wait_started(&id).await?;
        let status = lab.client()?.status(StatusQuery::default()).await?;
        let row = |row: &&ActiveRow| row.assignment.id.as_str() == id;
        let row = status.active.iter().find(row).context("it does not run")?;
        let worktree = row.assignment.worktree_path.clone();
        let folder = lab.sandbox.coord_home().join("agent/assignments");
        Ok(Self {
            program: lab.binaries.supervisor(),
            door: folder.join(&id).join("hook"),
            worktree: worktree.context("it has no worktree")?,
            id,
        })
    }

    /// What the hook prints before an edit of `path`, and how long that takes.
    fn ask(&self, path: &str) -> Result<(String, Duration)> {
        let call: Value = json!({
            "session_id": "s", "cwd": self.worktree, "hook_event_name": "PreToolUse",
            "tool_name": "Write", "tool_use_id": "t",
            "tool_input": {"file_path": format!("{}/{path}", self.worktree), "content": "x"},
        });
        let start = Instant::now();
        let mut hook = Command::new(&self.program)
            .args(["hook", "pre", "warn"])
            .arg(&self.door)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = hook.stdin.take().context("no stdin")?;
        stdin.write_all(call.to_string().as_bytes())?;
        drop(stdin);
        let output = hook.wait_with_output()?;
        let time = start.elapsed();
        ensure!(
            output.status.success(),
            "the hook ended with {}",
            output.status
        );
        Ok((String::from_utf8(output.stdout)?, time))
    }
}
