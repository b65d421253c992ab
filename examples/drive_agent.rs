//! Drives an agent through `coord-protocol` alone: hands it one piece of work, follows the log,
//! prints how it ended.
//!
//! The agent must know the repository, and starts the worker that its configuration names.
//!
//!     cargo run --package coord-examples --example drive_agent -- \
//!         http://127.0.0.1:7433 my-repo /path/to/my-repo 'Fix the typo in README.md'
//!
//! A token, where the agent asks for one, is taken from `COORD_AGENT_TOKEN`.

#![expect(clippy::print_stdout, reason = "a program for people")]

use anyhow::{Context, Result, bail};
use coord_core::ids::AssignmentId;
use coord_protocol::{AgentClient, AssignBody, LogEvent, StatusQuery, Timeouts};
use tokio_stream::StreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, repo, path, task] = args.as_slice() else {
        bail!("usage: drive_agent URL REPO PATH TASK");
    };
    let token = std::env::var("COORD_AGENT_TOKEN").ok();
    let client = AgentClient::new(url, token.as_deref(), Timeouts::default())?;
    let health = client.health().await?;
    println!("{} answers and serves {:?}", health.machine, health.repos);

    let id = fresh_id();
    let work = AssignBody {
        id: Some(id.clone()),
        repo_name: repo.clone(),
        repo_path: path.clone(),
        issue_number: 1,
        issue_title: task.lines().next().unwrap_or_default().to_owned(),
        briefing: task.clone(),
        ..AssignBody::default()
    };
    let accepted = client.assign(&work).await?;
    // The id makes the request repeatable: the agent answers with the same assignment.
    let repeated = client.assign(&work).await?;
    println!(
        "{id} is {}, also when asked again: {}",
        accepted.status, repeated.id
    );

    follow(&client, &id).await?;
    report(&client, &id).await
}

/// Prints the log until the assignment ends.
async fn follow(client: &AgentClient, id: &AssignmentId) -> Result<()> {
    let mut log = client.stream(id, 0);
    while let Some(event) = log.next().await {
        match event? {
            LogEvent::Chunk(chunk) => println!("{}", chunk.text),
            LogEvent::End => break,
        }
    }
    Ok(())
}

async fn report(client: &AgentClient, id: &AssignmentId) -> Result<()> {
    let status = client.status(StatusQuery::default()).await?;
    let row = status
        .completed
        .iter()
        .find(|row| row.assignment.id == *id)
        .context("the agent does not list the assignment as ended")?;
    let branch = row.assignment.branch.as_deref().unwrap_or("no branch");
    println!("{} with {branch}", row.assignment.status);
    Ok(())
}

/// An id that differs from run to run: the clock's lower bits.
fn fresh_id() -> AssignmentId {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    AssignmentId::from_bits(now.map_or(0, |since| since.as_nanos() as u64))
}
