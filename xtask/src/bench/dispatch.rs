//! From `POST /assign` to the start of the worker, against `git worktree add` alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use coord_protocol::AgentClient;
use coord_test_support::git_fixture::git;

use super::table::{Table, median};
use crate::lab::{Binaries, Lab, Setup, Work};

/// Worktrees that the agent keeps ready where the pool is measured.
const WARM: u32 = 2;

/// A worker that stays, so that its worktree is not there to be recycled for the next one.
const LASTING: [&str; 3] = ["sh", "-c", "sleep 600"];

/// A worker that is over at once, so that its worktree goes back into the pool.
const BRIEF: [&str; 3] = ["sh", "-c", "exit 0"];

pub(super) async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    small(binaries, table).await?;
    large(binaries, table).await
}

async fn small(binaries: &Binaries, table: &mut Table) -> Result<()> {
    const RUNS: u64 = 15;
    // As configured by default: with a pool that is filled while nothing else happens.
    let lab = laboratory(binaries, &LASTING, WARM, 100)?;
    let agent = lab.start_agent().await?;
    let (mut ours, mut gits) = (Vec::new(), Vec::new());
    for n in 1..=RUNS {
        pool_filled(&lab).await?;
        ours.push(assign(&lab, n).await?);
        gits.push(worktree_add(&lab, n, &[])?);
    }
    agent.kill();
    let (ours, git) = (median(ours), median(gits));
    let note = format!("{ours:.1} ms against {git:.1} ms, medians of {RUNS}");
    let what = "assign to worker start, small repository, against `git worktree add`";
    table.add(what, ours / git, 1.5, "×", note);
    Ok(())
}

async fn large(binaries: &Binaries, table: &mut Table) -> Result<()> {
    const RUNS: u64 = 3;
    const FILES: usize = 20_000;
    let cold = laboratory(binaries, &LASTING, 0, FILES)?;
    let agent = cold.start_agent().await?;
    let health = HealthProbe::start(cold.client()?);
    let (mut ours, mut gits) = (Vec::new(), Vec::new());
    for n in 1..=RUNS {
        ours.push(assign(&cold, n).await?);
        gits.push(worktree_add(&cold, n, &["-c", "checkout.workers=4"])?);
    }
    let slowest = health.slowest().await?;
    agent.kill();
    let (ours, git) = (median(ours), median(gits));
    let note = format!("{ours:.0} ms against {git:.0} ms, medians of {RUNS}");
    let what =
        "assign to worker start, 20,000 files, against `git -c checkout.workers=4 worktree add`";
    table.add(what, ours / git, 1.0, "×", note);
    table.add(
        "`/health` meanwhile",
        slowest,
        10.0,
        "ms",
        "the slowest answer",
    );

    from_pool(&laboratory(binaries, &BRIEF, WARM, FILES)?, table).await
}

async fn from_pool(lab: &Lab, table: &mut Table) -> Result<()> {
    const RUNS: u64 = 5;
    let agent = lab.start_agent().await?;
    let mut starts = Vec::new();
    for n in 1..=RUNS {
        pool_filled(lab).await?;
        starts.push(assign(lab, n).await?);
    }
    agent.kill();
    let note = format!("20,000 files, median of {RUNS}");
    let what = "assign to worker start from the warm pool";
    table.add(what, median(starts), 60.0, "ms", note);
    Ok(())
}

/// Waits until the pool is full: the agent locks a worktree for as long as it is at work in it.
async fn pool_filled(lab: &Lab) -> Result<()> {
    let full = async {
        loop {
            let list = git(&lab.repo.clone_path(), &["worktree", "list", "--porcelain"])?;
            let linked = list.split("\n\n").skip(1);
            let ready = linked.filter(|entry| !entry.contains("\nlocked"));
            if ready.count() >= WARM as usize {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), full)
        .await
        .context("the agent does not fill its pool")?
}

fn laboratory(binaries: &Binaries, worker: &[&str], warm: u32, files: usize) -> Result<Lab> {
    let setup = Setup {
        max_workers: 32,
        warm_worktrees: warm,
        ..Setup::with_worker(worker)
    };
    let lab = Lab::new(binaries, &setup)?;
    lab.repo.commit_many(files)?;
    lab.repo.push()?;
    Ok(lab)
}

/// Milliseconds from the request to the start of the worker, by the supervisor's record.
async fn assign(lab: &Lab, issue: u64) -> Result<f64> {
    let work = Work::new(issue, "nothing");
    let client = lab.client()?;
    client.health().await?;
    let asked = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    client.assign(&work.body(lab)).await?;
    let row = lab.wait_started(&work.id).await?;
    let started = row.started_at.context("the worker never started")?;
    Ok((started - asked) * 1000.0)
}

/// Milliseconds that git takes for a worktree of the same repository.
fn worktree_add(lab: &Lab, n: u64, options: &[&str]) -> Result<f64> {
    let path = lab.sandbox.path().join(format!("by-git-{n}"));
    let (path, branch) = (path.to_string_lossy(), format!("by-git-{n}"));
    let add = ["worktree", "add", "--quiet", "-b", &branch, &*path];
    let start = Instant::now();
    git(&lab.repo.clone_path(), &[options, &add].concat())?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// Asks for `/health` again and again while something else is measured.
struct HealthProbe {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Result<f64>>,
}

impl HealthProbe {
    fn start(client: AgentClient) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut slowest = 0.0_f64;
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                client.health().await?;
                slowest = slowest.max(start.elapsed().as_secs_f64() * 1000.0);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(slowest)
        });
        Self { stop, task }
    }

    /// Milliseconds of the slowest answer.
    async fn slowest(self) -> Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}
