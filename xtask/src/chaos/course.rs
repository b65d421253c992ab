//! One run of the demo under fire: a server that is killed and started again, and a person who
//! types commands and repeats those that were killed.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use coord_test_support::processes;
use coord_test_support::sandbox::Sandbox;
use serde_json::Value;

use super::schedule::{Kill, Layout, Schedule, Target};
use crate::lab::{Answer, Binaries, end_all};

/// What the demo's configuration calls its machine and its repository.
const MACHINE: &str = "here";
const REPO: &str = "greetings";

/// The issues of the demo and the files that a person would declare for each: the third and the
/// fourth overlap.
pub(super) const ISSUES: &[(u64, &[&str])] = &[
    (1, &["lib/slug.sh", "tests/slug_test.sh"]),
    (2, &["lib/words.sh", "tests/words_test.sh"]),
    (3, &["lib/greet.sh", "tests/greet_test.sh"]),
    (4, &["lib/greet.sh", "tests/world_test.sh"]),
    (5, &["README.md"]),
];

/// How long one run may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often the state of things is looked at.
const TICK: Duration = Duration::from_millis(3);

/// A prepared demo and what runs in it.
pub(super) struct Course {
    sandbox: Option<Sandbox>,
    /// The sandbox's folder: what runs is found by it.
    root: PathBuf,
    coord: PathBuf,
    server: Option<Child>,
    start: Instant,
    /// The kills that are still to come, the next one last.
    to_come: Vec<Kill>,
    /// When the server is started again.
    server_back: Option<Instant>,
    killed: usize,
}

impl Course {
    /// Lets the demo make its project, and runs nothing yet.
    pub(super) fn prepare(binaries: &Binaries) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let course = Self {
            root: sandbox.path().to_path_buf(),
            sandbox: Some(sandbox),
            coord: binaries.coord(),
            server: None,
            start: Instant::now(),
            to_come: Vec::new(),
            server_back: None,
            killed: 0,
        };
        let folder = course.folder().to_string_lossy().into_owned();
        let mut prepare = course.coord(&["demo", "--prepare", "--dir", &folder])?;
        Answer::of(&mut prepare)?.expect(0)?;
        Ok(course)
    }

    /// The folder of the demo.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.join("demo")
    }

    /// A `coord` command in the demo's own home.
    pub(super) fn coord(&self, args: &[&str]) -> Result<Command> {
        let sandbox = self.sandbox.as_ref().context("the sandbox is gone")?;
        let mut command = sandbox.command(&self.coord);
        command
            .env("COORD_HOME", self.folder().join("home"))
            .env("COORD_CONFIG", self.folder().join("coordinator.yml"))
            .args(args);
        Ok(command)
    }

    /// Ends what still runs and leaves the folder on disk.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.end();
        match self.sandbox.take() {
            Some(sandbox) => sandbox.keep(),
            None => self.root.clone(),
        }
    }

    /// Plays the demo to its end while `schedule` is carried out; how many processes were killed.
    pub(super) fn run(&mut self, schedule: &Schedule) -> Result<usize> {
        self.start = Instant::now();
        self.to_come = schedule.kills.iter().rev().copied().collect();
        self.start_server(schedule.layout)?;
        for (issue, files) in ISSUES {
            self.assign(schedule.layout, *issue, files)?;
        }
        while let Some((issue, files)) = self.unassigned()? {
            self.assign(schedule.layout, issue, files)?;
        }
        self.resume(schedule.layout)?;
        self.stop_server()?;
        Ok(self.killed)
    }

    /// As a person would: again, until it was not killed. A refusal is fine: it may be the answer
    /// to a repetition.
    fn assign(&mut self, layout: Layout, issue: u64, files: &[&str]) -> Result<()> {
        let issue = issue.to_string();
        let what = [
            "assign", "--wait", "--until", "merged", MACHINE, REPO, &issue, "--files",
        ];
        self.type_in(layout, &[&what, files].concat()).map(drop)
    }

    /// Resumes until every issue is merged. When nobody kills any more, once has to be enough; a
    /// second time is granted for a kill that fell between the end of the first and the look.
    fn resume(&mut self, layout: Layout) -> Result<()> {
        let mut undisturbed = 0;
        while undisturbed < 2 {
            let killed = self.killed;
            self.type_in(layout, &["resume"])?;
            if self.all_merged()? {
                return Ok(());
            }
            if self.killed == killed && self.server.is_some() {
                undisturbed += 1;
            }
            std::thread::sleep(TICK);
        }
        bail!(
            "`coord resume` ends, and not every issue is merged:\n{}",
            self.reasons()?
        )
    }

    /// What `coord why` says about each issue.
    fn reasons(&self) -> Result<String> {
        let why = |(issue, _): &(u64, &[&str])| {
            let mut command = self.coord(&["why", &issue.to_string()])?;
            Ok(Answer::of(&mut command)?.stdout)
        };
        ISSUES.iter().map(why).collect()
    }

    /// Runs a command while kills are carried out; repeats it when it was killed itself.
    fn type_in(&mut self, layout: Layout, args: &[&str]) -> Result<ExitStatus> {
        loop {
            let log = self.log("commands.log")?;
            let mut command = self.coord(args)?;
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log);
            let mut child = command.spawn()?;
            let (status, was_killed) = self.attend(layout, &mut child, args)?;
            if !was_killed {
                return Ok(status);
            }
        }
    }

    /// Waits for the end of a command; whether it was killed.
    fn attend(
        &mut self,
        layout: Layout,
        child: &mut Child,
        args: &[&str],
    ) -> Result<(ExitStatus, bool)> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status, false));
            }
            if self.start.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                bail!("`coord {}` does not end", args.join(" "));
            }
            if let Some(kill) = self.tend(layout)? {
                child.kill()?;
                let status = child.wait()?;
                self.killed += 1;
                std::thread::sleep(kill.down);
                return Ok((status, true));
            }
            std::thread::sleep(TICK);
        }
    }

    /// Carries out what is due; a kill that is meant for the command is returned.
    fn tend(&mut self, layout: Layout) -> Result<Option<Kill>> {
        if self.server_back.is_some_and(|at| at <= Instant::now()) {
            self.server_back = None;
            self.start_server(layout)?;
        }
        if let Some(server) = &mut self.server
            && let Some(status) = server.try_wait()?
        {
            bail!("the server ended by itself with {status}");
        }
        let due = self
            .to_come
            .last()
            .is_some_and(|kill| kill.at <= self.start.elapsed());
        let Some(kill) = due.then(|| self.to_come.pop()).flatten() else {
            return Ok(None);
        };
        match kill.target {
            Target::Command => return Ok(Some(kill)),
            Target::Server => self.kill_server(kill)?,
        }
        Ok(None)
    }

    fn kill_server(&mut self, kill: Kill) -> Result<()> {
        // It may be down already.
        if let Some(mut server) = self.server.take() {
            server.kill()?;
            server.wait()?;
            self.killed += 1;
            self.server_back = Some(Instant::now() + kill.down);
        }
        Ok(())
    }

    fn start_server(&mut self, layout: Layout) -> Result<()> {
        let command = match layout {
            Layout::Apart => "agent",
            Layout::Together => "up",
        };
        let log = self.log("server.log")?;
        let mut command = self.coord(&[command])?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.server = Some(command.spawn()?);
        Ok(())
    }

    /// Asks the server to end, as Ctrl-C does, and waits for it.
    fn stop_server(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let pid = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        let asked = Instant::now();
        while server.try_wait()?.is_none() {
            if asked.elapsed() > Duration::from_secs(20) {
                server.kill()?;
                server.wait()?;
                bail!("the server does not end when it is asked to");
            }
            std::thread::sleep(TICK);
        }
        processes::wait_only(&self.root, &[], Duration::from_secs(20))
    }

    /// The first issue that no assignment, active or finished, is for.
    fn unassigned(&self) -> Result<Option<(u64, &'static [&'static str])>> {
        let rows = self.assignments()?;
        let taken = |issue: u64| rows.iter().any(|row| row["issue"]["number"] == issue);
        Ok(ISSUES.iter().copied().find(|(issue, _)| !taken(*issue)))
    }

    fn all_merged(&self) -> Result<bool> {
        let rows = self.assignments()?;
        let merged = rows
            .iter()
            .filter(|row| row["merge"]["state"]["state"] == "merged");
        Ok(merged.count() == ISSUES.len())
    }

    /// Every assignment that `coord status` knows.
    pub(super) fn assignments(&self) -> Result<Vec<Value>> {
        let mut command = self.coord(&["status", "--json", "--finished", "100"])?;
        let answer = Answer::of(&mut command)?;
        answer.expect(0)?;
        let status = answer.json()?;
        let lists = ["assignments", "finished"]
            .iter()
            .filter_map(|key| status[key].as_array());
        Ok(lists.flatten().cloned().collect())
    }

    fn log(&self, name: &str) -> Result<File> {
        let sandbox = self.sandbox.as_ref().context("the sandbox is gone")?;
        let path = sandbox.path().join(name);
        Ok(File::options().create(true).append(true).open(path)?)
    }

    fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        end_all(&self.root);
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        self.end();
    }
}
