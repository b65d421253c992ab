//! A sandbox with a repository and an agent of its own, which can be killed and started again.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_protocol::{
    AgentClient, AgentEvent, AgentEventKind, AgentEvents, AssignBody, AssignmentRow, CompletedRow,
    EndReport, StatusQuery, Timeouts,
};
use coord_test_support::git_fixture::RepoFixture;
use coord_test_support::processes;
use coord_test_support::sandbox::Sandbox;
use futures_util::StreamExt as _;

/// Nothing takes that long; what does is broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// Awaits `what`, and fails the test when it does not come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

/// A sandbox with a repository and an agent.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) repo: RepoFixture,
    pub(crate) client: AgentClient,
    agent: Child,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

/// What is special about an agent.
#[derive(Default)]
pub(crate) struct Special {
    /// Instead of the scripted worker.
    pub(crate) command: Option<Vec<String>>,
    /// Lines of the configuration's repository.
    pub(crate) repo: &'static str,
    /// Further arguments.
    pub(crate) args: Vec<String>,
    /// The token that it asks for.
    pub(crate) token: Option<&'static str>,
    /// How many workers at once; else two.
    pub(crate) workers: Option<u32>,
    /// It makes no worktrees ready, so that nothing happens in the repository by itself.
    pub(crate) cold: bool,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::special(Special::default())
    }

    pub(crate) fn special(special: Special) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let repo = RepoFixture::create(&sandbox.path().join("a folder ü")).unwrap();
        std::fs::write(sandbox.path().join("worker.sh"), include_str!("worker.sh")).unwrap();
        let script = sandbox
            .path()
            .join("worker.sh")
            .to_string_lossy()
            .into_owned();
        let command = special
            .command
            .clone()
            .unwrap_or_else(|| vec!["sh".to_owned(), script]);
        let config = sandbox.path().join("coordinator.yml");
        let path = repo.clone_path();
        std::fs::write(
            &config,
            format!(
                "repos:\n  - name: shop\n    forge: local\n    default_branch: main\n{}\
                 machines:\n  - name: laptop\n    host: 127.0.0.1\n    capabilities: [docker]\n    \
                 repos: [shop]\n    repo_paths:\n      shop: {path:?}\n    max_workers: {}\n\
                 worker:\n  command: {command:?}\n  grace_seconds: 1\n\
                 housekeeping:\n  warm_worktrees: {}\n",
                special.repo,
                special.workers.unwrap_or(2),
                u8::from(!special.cold)
            ),
        )
        .unwrap();
        let mut args = vec!["--config".to_owned(), config.to_string_lossy().into_owned()];
        args.extend(["--port", "0"].map(str::to_owned));
        args.extend(special.args);
        let token = special
            .token
            .map(|t| ("COORD_AGENT_TOKEN".to_owned(), t.to_owned()));
        let env: Vec<_> = token.into_iter().collect();
        let (agent, url) = spawn(&sandbox, &args, &env);
        let client = AgentClient::new(&url, special.token, Timeouts::default()).unwrap();
        Self {
            sandbox,
            repo,
            client,
            agent,
            args,
            env,
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }

    /// Starts the agent again, on another port.
    pub(crate) fn start(&mut self) {
        let (agent, url) = spawn(&self.sandbox, &self.args, &self.env);
        self.agent = agent;
        self.client = AgentClient::new(&url, None, Timeouts::default()).unwrap();
    }

    /// A request for issue `number` with a worker that does what `words` say.
    pub(crate) fn body(&self, number: u64, words: &str) -> AssignBody {
        let env = [("GATE", self.gate()), ("RAN", self.ran())];
        AssignBody {
            repo_name: "shop".to_owned(),
            repo_path: self.repo.clone_path().to_string_lossy().into_owned(),
            issue_number: number,
            issue_title: "Größe: fix it".to_owned(),
            briefing: words.to_owned(),
            id: Some(AssignmentId::from_bits(number)),
            env: env
                .map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()))
                .into(),
            ..AssignBody::default()
        }
    }

    /// The file that a waiting worker waits for.
    pub(crate) fn gate(&self) -> PathBuf {
        self.sandbox.path().join("gate")
    }

    /// Lets waiting workers go on.
    pub(crate) fn open_gate(&self) {
        std::fs::write(self.gate(), "").unwrap();
    }

    fn ran(&self) -> PathBuf {
        self.sandbox.path().join("ran")
    }

    /// How many workers have been started in all.
    pub(crate) fn starts(&self) -> usize {
        std::fs::read_to_string(self.ran()).map_or(0, |text| text.lines().count())
    }

    /// The folder of an assignment.
    pub(crate) fn folder(&self, id: &AssignmentId) -> PathBuf {
        self.sandbox
            .coord_home()
            .join("agent/assignments")
            .join(id.as_str())
    }

    pub(crate) async fn assign(&self, body: &AssignBody) -> AssignmentRow {
        soon(self.client.assign(body)).await.unwrap()
    }

    /// Assigns and waits for the end.
    pub(crate) async fn run(&self, body: &AssignBody) -> (AssignmentId, EndReport) {
        let mut events = self.client.events(None).await.unwrap();
        let id = self.assign(body).await.id;
        let end = finished(&mut events, &id).await;
        (id, end)
    }

    /// The row of an assignment that has ended.
    pub(crate) async fn completed(&self, id: &AssignmentId) -> CompletedRow {
        let status = soon(self.client.status(StatusQuery::default()))
            .await
            .unwrap();
        let row = status
            .completed
            .into_iter()
            .find(|row| row.assignment.id == *id);
        row.unwrap()
    }

    /// Waits for the end, whether or not it has come already.
    pub(crate) async fn end(&self, id: &AssignmentId) -> CompletedRow {
        let log: Vec<_> = soon(self.client.stream(id, 0).collect()).await;
        assert!(log.iter().all(Result::is_ok), "{log:?}");
        self.completed(id).await
    }

    /// Waits until the worker's log says `text`.
    pub(crate) async fn says(&self, id: &AssignmentId, text: &str) {
        let mut log = self.client.stream(id, 0);
        soon(async {
            loop {
                let event = log.next().await.unwrap().unwrap();
                if matches!(&event, coord_protocol::LogEvent::Chunk(c) if c.text.contains(text)) {
                    return;
                }
                assert_ne!(event, coord_protocol::LogEvent::End, "it never said {text}");
            }
        })
        .await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        end_workers(self.sandbox.path());
    }
}

/// Ends what a failed test has left, by id.
fn end_workers(folder: &Path) {
    for process in processes::of_folder(folder).unwrap_or_default() {
        let kill = format!("kill -9 {}", process.pid);
        let _ = std::process::Command::new("sh")
            .args(["-c", &kill])
            .status();
    }
}

fn spawn(sandbox: &Sandbox, args: &[String], env: &[(String, String)]) -> (Child, String) {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(sandbox.path().join("agent.log"))
        .unwrap();
    let mut agent = sandbox
        .command(env!("CARGO_BIN_EXE_coord-agent"))
        .args(args)
        .envs(env.iter().cloned())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(agent.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line.trim().strip_prefix("listening on ");
    let Some(url) = url else {
        let log = std::fs::read_to_string(sandbox.path().join("agent.log")).unwrap();
        panic!("the agent did not start: {log}");
    };
    (agent, url.to_owned())
}

/// The events of `id` up to and including its end.
pub(crate) async fn events_of(events: &mut AgentEvents, id: &AssignmentId) -> Vec<AgentEvent> {
    let mut seen = Vec::new();
    soon(async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            let ended = matches!(event.kind, AgentEventKind::Finished { .. });
            let theirs = event.id.as_ref() == Some(id);
            if theirs {
                seen.push(event);
            }
            if theirs && ended {
                return seen;
            }
        }
    })
    .await
}

/// How `id` ended.
pub(crate) async fn finished(events: &mut AgentEvents, id: &AssignmentId) -> EndReport {
    match events_of(events, id).await.pop().unwrap().kind {
        AgentEventKind::Finished { end, .. } => *end,
        other => panic!("{other:?}"),
    }
}
