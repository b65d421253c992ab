//! One file per command: its arguments, and `run`: parse, call a library, print.

pub(crate) mod agent;
pub(crate) mod approve;
pub(crate) mod assign;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod done;
pub(crate) mod drive;
pub(crate) mod fix;
pub(crate) mod history;
pub(crate) mod issue;
pub(crate) mod log;
pub(crate) mod merge;
pub(crate) mod notify;
pub(crate) mod plan;
pub(crate) mod pr;
pub(crate) mod radar;
pub(crate) mod reject;
pub(crate) mod resume;
pub(crate) mod resume_stuck;
pub(crate) mod retry;
pub(crate) mod review;
pub(crate) mod session;
pub(crate) mod smoke;
pub(crate) mod split;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod test;
pub(crate) mod up;
pub(crate) mod usage;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod why;

use std::future::Future;

use coord_agent::program::log_to_stderr;

use crate::app::App;
use crate::args::{Cli, Command};
use crate::demo;
use crate::exit;
use crate::failure::{Failure, io};

/// Runs the command. Those that need no runtime do not start one.
pub(crate) fn run(cli: Cli) -> Result<u8, Failure> {
    let app = App::new(cli.globals);
    match cli.command {
        Command::Version => {
            app.printer
                .line(format_args!("coord {}", env!("CARGO_PKG_VERSION")));
            Ok(exit::OK)
        }
        Command::Completions(args) => completions::run(&app, &args),
        Command::Config(args) => config::run(&app, &args),
        Command::Plan(args) => block_on(plan::run(&app, args)),
        Command::Approve(args) => block_on(approve::run(&app, args)),
        Command::Reject(args) => block_on(reject::run(&app, args)),
        Command::Split(args) => block_on(split::run(&app, args)),
        Command::Assign(args) => block_on(assign::run(&app, args)),
        Command::Status(args) => block_on(status::run(&app, args)),
        Command::Watch(args) => block_on(watch::run(&app, args)),
        Command::Log(args) => block_on(log::run(&app, args)),
        Command::Wait(args) => block_on(wait::run(&app, args)),
        Command::Stop(args) => block_on(stop::run(&app, args)),
        Command::Test(args) => block_on(test::run(&app, args)),
        Command::Smoke(args) => block_on(smoke::run(&app, args)),
        Command::Pr(args) => block_on(pr::run(&app, args)),
        Command::Review(args) => block_on(review::run(&app, args)),
        Command::Fix(args) => block_on(fix::run(&app, args)),
        Command::Merge(args) => block_on(merge::run(&app, args)),
        Command::Radar(args) => block_on(radar::run(&app, args)),
        Command::Notify(args) => block_on(notify::run(&app, args)),
        Command::Drive(args) => block_on(drive::run(&app, args)),
        Command::Resume(args) => block_on(resume::run(&app, args)),
        Command::ResumeStuck(args) => block_on(resume_stuck::run(&app, args)),
        Command::Retry(args) => block_on(retry::run(&app, args)),
        Command::Done(args) => block_on(done::run(&app, args)),
        Command::Session(args) => block_on(session::run(&app, args)),
        Command::History(args) => block_on(history::run(&app, args)),
        Command::Why(args) => block_on(why::run(&app, args)),
        Command::Usage(args) => block_on(usage::run(&app, args)),
        Command::Issue(args) => block_on(issue::run(&app, args)),
        Command::Sync(args) => block_on(sync::run(&app, args)),
        Command::Agent(args) => {
            log_to_stderr("info");
            block_on(agent::run(&app, args))
        }
        Command::Up(args) => block_on(up::run(&app, args)),
        Command::Demo(args) => block_on(demo::run(&app, args)),
    }
}

fn block_on(work: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    log_to_stderr("warn");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("the event loop"))?
        .block_on(work)
}
