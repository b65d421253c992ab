//! The command line as data.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    agent, approve, assign, completions, config, done, drive, fix, history, issue, log, merge,
    notify, plan, pr, radar, reject, resume, resume_stuck, retry, review, session, smoke, split,
    status, stop, sync, test, up, usage, wait, watch, why,
};
use crate::demo;
use crate::printer::Printer;

/// Coordinates fleets of Claude Code workers: each issue from dispatch to merged branch.
#[derive(Debug, Parser)]
#[command(
    name = "coord",
    version,
    propagate_version = false,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten, next_help_heading = "Everywhere")]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// The configuration; else $COORD_CONFIG, ./coordinator.yml, ~/.coord/coordinator.yml
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Cli {
    pub(crate) const fn printer(&self) -> Printer {
        Printer::new(self.globals.json)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)] // Only the arguments of the command that is given are built.
pub(crate) enum Command {
    /// Propose what to work on next, and where
    Plan(plan::PlanArgs),
    /// Start the work that a plan proposes
    Approve(approve::ApproveArgs),
    /// Put aside what a plan proposes
    Reject(reject::RejectArgs),
    /// Open the sub-issues that a plan proposes
    Split(split::SplitArgs),
    /// Put a worker on an issue
    Assign(assign::AssignArgs),
    /// Show machines, assignments and the merge queue
    Status(status::StatusArgs),
    /// Show what a worker does, as it does it
    Watch(watch::WatchArgs),
    /// Print the log of a worker
    Log(log::LogArgs),
    /// Wait until assignments are as far as they go
    Wait(wait::WaitArgs),
    /// Stop a worker; what it wrote is kept
    Stop(stop::StopArgs),
    /// Test the branch of an assignment, or record a verdict
    Test(test::TestArgs),
    /// Try a branch out on a machine that has what it needs
    Smoke(smoke::SmokeArgs),
    /// Open the pull request of a branch, then have it reviewed
    Pr(pr::PrArgs),
    /// Have a branch judged by a second worker that can only read
    Review(review::ReviewArgs),
    /// Have a branch put right, one model up
    Fix(fix::FixArgs),
    /// Merge what its gates let pass, in order, each tested together with what is merged before
    Merge(merge::MergeArgs),
    /// Show which branches are going to conflict, and where
    Radar(radar::RadarArgs),
    /// Do one pass of the loop: hear the agents, do what is due, tell what happened
    Notify(notify::NotifyArgs),
    /// Run the loop without an agent: follow all agents, do what is due
    Drive(drive::DriveArgs),
    /// Go on after a crash: ask the agents, finish what was begun
    Resume(resume::ResumeArgs),
    /// Answer a worker: while it runs, in its session, or through a new one
    ResumeStuck(resume_stuck::ResumeStuckArgs),
    /// Go on with what came to nothing: on another machine, on the same branch, one model up
    Retry(retry::RetryArgs),
    /// Close the session: run its hooks and the housekeeping, show what it came to
    Done(done::DoneArgs),
    /// Show what the last session came to
    Session(session::SessionArgs),
    /// Show what happened, and when
    History(history::HistoryArgs),
    /// Say what an issue waits for, or why it was refused
    Why(why::WhyArgs),
    /// Show what the work has cost
    Usage(usage::UsageArgs),
    /// Open, list, show and close issues
    Issue(issue::IssueArgs),
    /// Read what is on GitHub into the mirror that other commands show
    Sync(sync::SyncArgs),
    /// Show the configuration as it is understood
    Config(config::ConfigArgs),
    /// Run the agent of this machine
    Agent(agent::AgentArgs),
    /// Run the agent of this machine and the coordinator's loop in one process
    Up(up::UpArgs),
    /// See the whole thing work on a scratch project, without network or accounts
    Demo(demo::DemoArgs),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}
