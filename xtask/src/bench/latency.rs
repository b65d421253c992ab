//! How soon a line of the log reaches a client, and how soon `/status` answers after much work.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use coord_protocol::{LogEvent, StatusQuery};
use futures_util::StreamExt as _;
use http::Request;
use serde::{Deserialize, Serialize};
use tower::Service as _;

use super::table::{Table, median};
use crate::lab::{Binaries, Lab, Setup, Work};

pub(super) async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    log_to_client(binaries, table).await?;
    status_of_many(binaries, table).await
}

/// A line of the clock: when it was written, in nanoseconds since the epoch.
#[derive(Serialize, Deserialize)]
struct Tick {
    #[serde(rename = "type")]
    kind: String,
    at: u64,
}

/// How many lines the clock writes, and how far apart.
const TICKS: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// The worker of this bench: writes the time, line by line.
pub(crate) fn clock() -> Result<()> {
    for _ in 0..TICKS {
        let tick = Tick {
            kind: "clock".to_owned(),
            at: nanoseconds()?,
        };
        println!("{}", serde_json::to_string(&tick)?);
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

async fn log_to_client(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let this = std::env::current_exe()?;
    let worker = [&*this.to_string_lossy(), "clock"];
    let lab = Lab::new(binaries, &Setup::with_worker(&worker))?;
    let agent = lab.start_agent().await?;
    let work = Work::new(1, "tell the time");
    let client = lab.client()?;
    client.assign(&work.body(&lab)).await?;
    let id = work.id.parse().context("not an id")?;
    let mut log = client.stream(&id, 0);
    let mut delays = Vec::new();
    while let Some(event) = log.next().await {
        let LogEvent::Chunk(chunk) = event? else {
            break;
        };
        let now = nanoseconds()?;
        let ticks = chunk
            .text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        delays.extend(ticks.map(|tick: Tick| now.saturating_sub(tick.at) as f64 / 1e6));
    }
    agent.kill();
    ensure!(
        delays.len() == TICKS,
        "{} of {TICKS} lines arrived",
        delays.len()
    );
    let note = format!("median of {TICKS} lines");
    table.add("log line to SSE client", median(delays), 5.0, "ms", note);
    Ok(())
}

fn nanoseconds() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_nanos())?)
}

async fn status_of_many(binaries: &Binaries, table: &mut Table) -> Result<()> {
    const FINISHED: u64 = 500;
    const RUNS: usize = 41;
    let megabyte = "head -c 1000000 /dev/zero | tr '\\0' 'x' | fold -w 1000";
    let lab = Lab::new(binaries, &Setup::with_worker(&["sh", "-c", megabyte]))?;
    let agent = lab.start_agent().await?;
    let first = Work::new(1, "write a megabyte");
    lab.client()?.assign(&first.body(&lab)).await?;
    lab.wait_finished(&first.id).await?;
    agent.kill();

    let folder = lab.sandbox.coord_home().join("agent/assignments");
    for n in 2..=FINISHED {
        copy_assignment(&folder, &first.id, &Work::new(n, "").id)?;
    }
    let agent = lab.start_agent().await?;
    let mut client = lab.client()?;
    let listed = client.status(StatusQuery::default()).await?.completed.len();
    ensure!(
        listed as u64 == FINISHED,
        "/status lists {listed} assignments"
    );
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        // The agent's part: until its whole answer is here. Reading 500 rows is the caller's.
        let answer = client
            .call(Request::get("/status").body(Bytes::new())?)
            .await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        ensure!(answer.status().is_success(), "{}", answer.status());
    }
    agent.kill();
    let note = format!("{FINISHED} finished with 1 MB of log each, median of {RUNS}");
    table.add("`/status`", median(times), 5.0, "ms", note);
    Ok(())
}

/// The folder of one assignment again under another id; the log is shared, not copied.
fn copy_assignment(folder: &Path, from: &str, to: &str) -> Result<()> {
    let target = folder.join(to);
    std::fs::create_dir(&target)?;
    for entry in std::fs::read_dir(folder.join(from))? {
        let entry = entry?;
        let copy = target.join(entry.file_name());
        if !entry.file_type()?.is_file() {
            continue;
        }
        if entry.metadata()?.len() > 100_000 {
            std::fs::hard_link(entry.path(), copy)?;
        } else {
            let text = String::from_utf8(std::fs::read(entry.path())?)?;
            std::fs::write(copy, text.replace(from, to))?;
        }
    }
    Ok(())
}
