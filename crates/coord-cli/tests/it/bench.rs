//! A person's desk: a home, a repository, a configuration, and an agent where one is wanted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coord_test_support::git_fixture::{RepoFixture, git};
use coord_test_support::processes;
use coord_test_support::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::program::{Program, Ran, until};
use crate::redact;

/// The program under test.
pub(crate) const COORD: &str = env!("CARGO_BIN_EXE_coord");

/// The token for GitHub.
pub(crate) const TOKEN: &str = "ghp_secret";

/// What is special about a desk. Texts are lines of YAML.
pub(crate) struct Special {
    /// The folder of the repository, below the desk's.
    pub(crate) folder: &'static str,
    /// The default branch.
    pub(crate) branch: &'static str,
    /// Of the repository `shop`.
    pub(crate) repo: &'static str,
    /// Further repositories.
    pub(crate) repos: &'static str,
    /// Of the machine `laptop`, which may work on these repositories.
    pub(crate) works_on: &'static str,
    /// At the top level.
    pub(crate) more: &'static str,
    /// How many workers the machine takes at once.
    pub(crate) slots: u32,
    /// How far assignments go by themselves.
    pub(crate) goal: &'static str,
    /// The address of GitHub's API; whoever is on the desk has [`TOKEN`] for it.
    pub(crate) github: Option<String>,
    /// The program of the worker; without one the simulated worker.
    pub(crate) worker: Option<Value>,
}

impl Default for Special {
    fn default() -> Self {
        Self {
            folder: "code",
            branch: "main",
            repo: "    test_command: test -e ok.txt\n",
            repos: "",
            works_on: "shop",
            more: "",
            slots: 20,
            goal: "worked",
            github: None,
            worker: None,
        }
    }
}

/// A desk. What it started is ended when it is dropped.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) repo: RepoFixture,
    special: Special,
    agent: Option<Program>,
}

impl Bench {
    /// A desk without an agent.
    pub(crate) fn new(special: Special) -> Self {
        let sandbox = Sandbox::new().unwrap();
        std::fs::create_dir(sandbox.path().join("runs")).unwrap();
        let folder = sandbox.path().join(special.folder);
        let repo = RepoFixture::with_branch(&folder, special.branch).unwrap();
        repo.commit("ok.txt", "ok\n", "second commit").unwrap();
        repo.push().unwrap();
        identify(&repo.clone_path());
        let bench = Self {
            sandbox,
            repo,
            special,
            agent: None,
        };
        bench.configure(unused_port());
        bench
    }

    /// The same desk with another program as worker, and with an agent.
    pub(crate) fn with_worker(mut self, worker: Option<Value>) -> Self {
        self.special.worker = worker;
        self.configure(unused_port());
        self.start_agent();
        self
    }

    /// Somebody pushes a commit with the file `path` to a branch.
    pub(crate) fn pushes(&self, branch: &str, path: &str) {
        let clone = self.path(&format!("clone-for-{path}"));
        let from = self.repo.remote_path();
        let (from, to) = (from.to_string_lossy(), clone.to_string_lossy());
        git(
            self.sandbox.path(),
            &["clone", "--quiet", "--branch", branch, &from, &to],
        )
        .unwrap();
        identify(&clone);
        std::fs::write(clone.join(path), "").unwrap();
        git(&clone, &["add", "--all"]).unwrap();
        git(&clone, &["commit", "--quiet", "--message", "by hand"]).unwrap();
        git(&clone, &["push", "--quiet"]).unwrap();
    }

    /// A desk with an agent that runs.
    pub(crate) fn with_agent(special: Special) -> Self {
        let mut bench = Self::new(special);
        bench.start_agent();
        bench
    }

    /// Starts the agent on a free port and tells the configuration.
    pub(crate) fn start_agent(&mut self) {
        self.start_agent_with(&[]);
    }

    /// The same with more in its environment.
    pub(crate) fn start_agent_with(&mut self, env: &[(&str, String)]) {
        let mut command = self.command(&["agent", "--port", "0"]);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let mut agent = self.launch(&mut command);
        let line = agent.says("listening on");
        let (_, port) = line.rsplit_once(':').unwrap();
        self.configure(port.parse().unwrap());
        self.agent = Some(agent);
    }

    /// The process of the agent.
    pub(crate) fn agent_pid(&self) -> u32 {
        self.agent.as_ref().unwrap().pid()
    }

    /// Ends the agent as a crash would.
    pub(crate) fn kill_agent(&mut self) {
        self.agent = None;
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("coordinator.yml")
    }

    /// A path on the desk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    fn configure(&self, port: u16) {
        let special = &self.special;
        let simulated = json!([COORD, "__simulated-worker"]);
        let worker = special.worker.as_ref().unwrap_or(&simulated);
        let (repo, repos, more) = (special.repo, special.repos, special.more);
        let (goal, works_on, slots) = (special.goal, special.works_on, special.slots);
        // JSON is YAML, and escapes whatever stands in a path.
        let place = |name| (name, self.repo.clone_path());
        let paths: BTreeMap<&str, PathBuf> = works_on.split(", ").map(place).collect();
        let paths = json!(paths);
        let text = format!(
            "repos:\n  - name: shop\n    forge: local\n{repo}{repos}\
             machines:\n  - name: laptop\n    host: 127.0.0.1\n    port: {port}\n    \
             repos: [{works_on}]\n    repo_paths: {paths}\n\
             concurrency: {{max_workers: {slots}, stagger_seconds: 0, backoff_base: 1}}\n\
             pipeline: {{gates: [test], goal: {goal}}}\n\
             worker: {{command: {worker}, grace_seconds: 1}}\n{more}"
        );
        let github = special.github.iter();
        let github = github.map(|url| format!("github_api_url: {url}\n"));
        let text: String = [text].into_iter().chain(github).collect();
        std::fs::write(self.config(), text).unwrap();
    }

    /// `coord` with these arguments, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(COORD);
        command.args(args).stdin(Stdio::null());
        if self.special.github.is_some() {
            command.env("COORD_GITHUB_TOKEN", TOKEN);
        }
        command
    }

    /// Starts `coord`.
    pub(crate) fn start(&self, args: &[&str]) -> Program {
        self.launch(&mut self.command(args))
    }

    /// Starts a command that was changed.
    pub(crate) fn launch(&self, command: &mut Command) -> Program {
        Program::start(command, &self.path("runs")).unwrap()
    }

    /// Starts a command of the system; `None` where there is none of that name.
    pub(crate) fn try_launch(&self, command: &mut Command) -> Option<Program> {
        let started = Program::start(command, &self.path("runs"));
        match started {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other.unwrap()),
        }
    }

    /// Runs `coord` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.start(args).end()
    }

    /// Runs `coord`, which goes well, and returns what it prints, with what differs each time
    /// taken out.
    pub(crate) fn says(&self, args: &[&str]) -> String {
        self.redact(&self.run(args).ok().out)
    }

    /// The sentence of `coord why`, without what is behind it.
    pub(crate) fn why(&self, subject: &str) -> String {
        let said = self.says(&["why", subject]);
        said.lines().next().unwrap_or_default().to_owned()
    }

    /// Runs `coord`, which ends with `code`, and returns its complaint.
    pub(crate) fn complains(&self, code: i32, args: &[&str]) -> String {
        let ran = self.run(args).code(code);
        assert_eq!(ran.out, "", "{}", ran.err);
        self.redact(&ran.err)
    }

    /// The answer of `coord … --json`, which goes well.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        self.run(&args).ok().json()
    }

    /// Takes out what differs each time.
    pub(crate) fn redact(&self, text: &str) -> String {
        redact::redact(text, self.sandbox.path())
    }

    /// Opens an issue with a script for the simulated worker; returns its number.
    pub(crate) fn issue(&self, title: &str, steps: &[Value]) -> u64 {
        self.issue_for(title, &[("", steps)])
    }

    /// The same with a script for each task: `fix`, `review`, `pr`; the nameless one is the work.
    pub(crate) fn issue_for(&self, title: &str, scripts: &[(&str, &[Value])]) -> u64 {
        let block = |(task, steps): &(&str, &[Value])| {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            format!(
                "{}\n{}\n```",
                format!("```simulate {task}").trim_end(),
                steps.join("\n")
            )
        };
        let blocks: Vec<String> = scripts.iter().map(block).collect();
        let body = blocks.join("\n\n");
        let issue = self.json(&["issue", "new", "--repo", "shop", title, "--body", &body]);
        issue["number"].as_u64().unwrap()
    }

    /// Opens an issue that is solved by writing `path`; returns its number as a text.
    pub(crate) fn small_issue(&self, path: &str) -> String {
        let title = format!("Write {path}");
        self.issue(&title, &[write(path), commit()]).to_string()
    }

    /// Assigns an issue and returns the id of the assignment.
    pub(crate) fn assign(&self, issue: &str) -> String {
        let answer = self.json(&["assign", "laptop", "shop", issue]);
        answer["assignment"]["id"].as_str().unwrap().to_owned()
    }

    /// An assignment whose worker has written and committed `path`.
    pub(crate) fn worked(&self, path: &str) -> String {
        let id = self.assign(&self.small_issue(path));
        self.run(&["wait", &id]).ok();
        id
    }

    /// An assignment whose worker has written and committed `a.txt`, and whose reviewers answer this.
    pub(crate) fn to_review(&self, answer: &Value) -> String {
        let work = [write("a.txt"), commit()];
        let review = [json!({"answer": answer})];
        let issue = self.issue_for("Write a.txt", &[("", &work), ("review", &review)]);
        let id = self.assign(&issue.to_string());
        self.run(&["wait", &id]).ok();
        id
    }

    /// An assignment whose worker runs until the [`Bench::gate`] opens, then commits `path`.
    pub(crate) fn running(&self, path: &str) -> String {
        let up = self.path(&format!("up-{path}"));
        let wait = json!({"run": format!(
            "touch '{}'; while [ ! -e '{}' ]; do sleep 0.02; done",
            up.display(), self.gate().display()
        )});
        let steps = [
            json!({"say": "STATUS: waiting"}),
            wait,
            write(path),
            commit(),
        ];
        let issue = self.issue(&format!("Write {path} late"), &steps);
        let id = self.assign(&issue.to_string());
        self.appears(&up);
        id
    }

    /// The file that waiting workers wait for.
    pub(crate) fn gate(&self) -> PathBuf {
        self.path("gate")
    }

    /// Lets waiting workers go on.
    pub(crate) fn open_gate(&self) {
        std::fs::write(self.gate(), "").unwrap();
    }

    /// Waits until a worker has made this file.
    pub(crate) fn appears(&self, file: &Path) {
        let there = until(|| file.exists().then_some(()));
        let status = || self.run(&["status"]);
        assert!(there.is_some(), "no {}: {:?}", file.display(), status());
    }

    /// The only assignment there is, on the board or finished.
    pub(crate) fn only_assignment(&self) -> Value {
        let status = self.json(&["status", "--finished", "10"]);
        let of = |key: &str| status[key].as_array().unwrap().clone();
        let mut all = [of("assignments"), of("finished")].concat();
        assert_eq!(all.len(), 1, "{status:#}");
        all.remove(0)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.agent = None;
        // Workers outlive their agent: what a failed test has left is ended by id.
        for process in processes::of_folder(self.sandbox.path()).unwrap_or_default() {
            let end = format!("kill -9 {}", process.pid);
            let _ = Command::new("sh").args(["-c", &end]).status();
        }
    }
}

/// Workers commit with the identity of the repository.
pub(crate) fn identify(repo: &Path) {
    git(repo, &["config", "user.name", "Worker"]).unwrap();
    git(repo, &["config", "user.email", "worker@example.invalid"]).unwrap();
}

/// A port that nobody listens on just now.
pub(crate) fn unused_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A step of the simulated worker.
pub(crate) fn write(path: &str) -> Value {
    json!({"write": {"path": path, "content": format!("{path}\n")}})
}

/// A step of the simulated worker.
pub(crate) fn commit() -> Value {
    json!({"commit": "work"})
}
