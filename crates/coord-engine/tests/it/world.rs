//! A repository with a remote, a store, the local forge, a scripted agent, and engines on them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coord_core::assignment::{Assignment, FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::WhenBlocked;
use coord_core::effect::{CommentEvent, Effect, EffectRequest, Outcome};
use coord_core::ids::{AssignmentId, EffectKey, MachineName};
use coord_core::issue::{Issue, IssueState};
use coord_core::key::EffectKind;
use coord_core::policy::{ConcurrencyPolicy, Gate, MachinePolicy, RepoPolicy};
use coord_core::{Board, BoardEvent, Decision, Policy, marker};
use coord_engine::{
    Agents, AssignInput, Carried, Engine, Progress, RepoContext, ReviewTexts, Setup, SmokeCommand,
    now, settled,
};
use coord_forge::{Forge, NewIssue};
use coord_forge_local::LocalForge;
use coord_protocol::{AgentClient, EndReport, EndResult, Timeouts};
use coord_store::{FinishedFilter, HistoryFilter, OutboxRow, Store};
use coord_test_support::git_fixture::{RepoFixture, git};
use tempfile::TempDir;

use crate::agent::{ScriptedAgent, ended};

/// How long a test waits for what has to happen; nothing takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than any test: what is leased for so long is not given back by time.
const FOR_EVER: u64 = 3600;

pub(crate) struct World {
    folder: TempDir,
    pub(crate) fixture: RepoFixture,
    pub(crate) agent: ScriptedAgent,
    /// The agent of the machine `m2`, in worlds that have one.
    pub(crate) second: Option<ScriptedAgent>,
    pub(crate) store: Store,
    pub(crate) forge: LocalForge,
    /// Build and test commands of the engines that are made from here on.
    pub(crate) commands: Vec<String>,
    pub(crate) test_limit: Duration,
    /// Whether the machine of those engines has the repository.
    pub(crate) has_checkout: bool,
    pub(crate) test_env: Vec<(String, String)>,
    pub(crate) request_timeout: Duration,
    pub(crate) reviews: ReviewTexts,
    pub(crate) smoke: Option<SmokeCommand>,
    /// Of the engines that are made from here on.
    pub(crate) policy: Policy,
}

impl World {
    /// Every worker does its work at once, and every test is green.
    pub(crate) async fn new() -> Self {
        let world = Self::with_idle_workers().await;
        let (remote, desks) = (world.fixture.remote_path(), world.path("desks"));
        world.agent.workers_do(Arc::new(move |body| {
            let (branch, number) = (body.work_branch.as_deref().unwrap(), body.issue_number);
            publish(
                &remote,
                &desks,
                branch,
                &format!("issue-{number}.txt"),
                "solved\n",
            )
        }));
        world
    }

    /// The test says what the workers do.
    pub(crate) async fn with_idle_workers() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = RepoFixture::create(folder.path()).unwrap();
        let store = Store::open(folder.path().join("coord.db")).await.unwrap();
        let forge = LocalForge::new(store.clone(), "api".into(), Some(fixture.clone_path()));
        Self {
            folder,
            fixture,
            agent: ScriptedAgent::start(),
            second: None,
            store,
            forge,
            commands: vec!["true".to_owned()],
            test_limit: Duration::from_secs(60),
            has_checkout: true,
            test_env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
            request_timeout: Duration::from_secs(20),
            reviews: ReviewTexts::default(),
            smoke: None,
            policy: policy(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An engine with a store of its own, as another process would have.
    pub(crate) async fn engine(&self) -> Engine {
        let store = Store::open(self.path("coord.db")).await.unwrap();
        let forge = LocalForge::new(store.clone(), "api".into(), Some(self.fixture.clone_path()));
        let context = RepoContext {
            forge: Arc::new(forge),
            path: self.has_checkout.then(|| self.fixture.clone_path()),
            commands: self.commands.clone(),
            test_limit: self.test_limit,
        };
        let second = self
            .second
            .iter()
            .map(|agent| ("m2".into(), self.client(agent)));
        let agents: BTreeMap<MachineName, AgentClient> = [("m1".into(), self.client(&self.agent))]
            .into_iter()
            .chain(second)
            .collect();
        let place = |name: &MachineName| ((name.clone(), "api".into()), "/srv/api".to_owned());
        let mut policy = self.policy.clone();
        policy.smoke.is_configured |= self.smoke.is_some();
        let setup = Setup {
            policy,
            home: self.folder.path().to_owned(),
            folder: self.folder.path().to_owned(),
            store,
            repos: BTreeMap::from([("api".into(), context)]),
            repo_paths: agents.keys().map(place).collect(),
            agents: Agents::new(agents),
            test_env: self.test_env.clone(),
            reviews: self.reviews.clone(),
            smoke: self.smoke.clone(),
        };
        Engine::new(setup).unwrap()
    }

    /// Adds the machine `m2`.
    pub(crate) fn with_second_machine(mut self) -> Self {
        let machine = self.policy.machines[&"m1".into()].clone();
        self.policy.machines.insert("m2".into(), machine);
        self.second = Some(ScriptedAgent::start());
        self
    }

    fn client(&self, agent: &ScriptedAgent) -> AgentClient {
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            request: self.request_timeout,
            idle: PATIENCE,
        };
        AgentClient::new(&agent.url(), None, timeouts).unwrap()
    }

    pub(crate) async fn issue(&self, title: &str) -> Issue {
        let new = NewIssue {
            title: title.to_owned(),
            body: "Please do it.".to_owned(),
            labels: Vec::new(),
            key: None,
        };
        self.forge.create_issue(new).await.unwrap()
    }

    /// Opens an issue and has it taken as far as the merge.
    pub(crate) async fn assigned(&self, engine: &Engine, title: &str) -> AssignmentId {
        let issue = self.issue(title).await;
        assign(engine, issue.number).await
    }

    /// An assignment whose worker runs; the test says what it does.
    pub(crate) async fn running(&self, engine: &Engine, title: &str) -> AssignmentId {
        let id = self.assigned(engine, title).await;
        let reach_agent = async {
            self.agent.until(|seen| seen.workers.contains(&id)).await;
            self.agent.worker_starts(&id);
        };
        let runs = drive(engine, |board| board.assignments[&id].started_at.is_some());
        tokio::join!(reach_agent, runs);
        id
    }

    /// What somebody who solved the issue would report.
    pub(crate) fn solved(&self, branch: &str, file: &str, text: &str) -> EndReport {
        publish(
            &self.fixture.remote_path(),
            &self.path("desks"),
            branch,
            file,
            text,
        )
    }

    pub(crate) async fn assignment(&self, id: &AssignmentId) -> Assignment {
        self.store.assignment(id).await.unwrap().unwrap()
    }

    /// What was posted to the issue, by the last marker of each comment, sorted.
    pub(crate) async fn comments(&self, issue: u64) -> Vec<CommentEvent> {
        let comments = self.forge.comments(issue, None).await.unwrap();
        let marked = |body: &str| marker::find_all(body).last().unwrap().event;
        let mut events: Vec<_> = comments.iter().map(|it| marked(&it.body)).collect();
        events.sort();
        events
    }

    /// The events so far that `pick` takes.
    pub(crate) async fn history<T>(&self, pick: impl Fn(&BoardEvent) -> Option<T>) -> Vec<T> {
        let all = self.store.history(HistoryFilter::default()).await.unwrap();
        all.iter()
            .filter_map(|recorded| pick(&recorded.event))
            .collect()
    }

    /// The effects of one kind that are open.
    pub(crate) async fn open(&self, kind: EffectKind) -> Vec<OutboxRow> {
        let mut rows = self.store.outbox().await.unwrap();
        rows.retain(|row| EffectKind::of(&row.key) == Some(kind));
        rows
    }

    /// Where the checkout looks for its remote from here on.
    pub(crate) fn remote_is_at(&self, url: &str) {
        let clone = self.fixture.clone_path();
        git(&clone, &["remote", "set-url", "origin", url]).unwrap();
    }

    /// How many commits the remote's default branch has.
    pub(crate) fn main_length(&self) -> usize {
        let count = git(
            &self.fixture.remote_path(),
            &["rev-list", "--count", "main"],
        );
        count.unwrap().parse().unwrap()
    }

    /// A process takes the effects of this kind and is killed before it does anything.
    pub(crate) async fn held_by_the_dead(&self, kind: EffectKind) {
        let owners = self.path("owners");
        std::fs::write(owners.join("dead.lock"), "").unwrap();
        for row in self.open(kind).await {
            let leased = self
                .store
                .lease_one(&row.key, "dead", now(), FOR_EVER)
                .await;
            assert!(leased.unwrap().is_some(), "{} is somebody's", row.key);
        }
    }

    /// What was held when a process was killed stays held as far as time is concerned.
    pub(crate) async fn time_gives_nothing_back(&self) {
        for row in self.store.outbox().await.unwrap() {
            if let Some((owner, _)) = row.lease {
                self.store
                    .renew(&row.key, &owner, now(), FOR_EVER)
                    .await
                    .unwrap();
            }
        }
    }

    /// One issue went all the way, and nothing was done twice.
    pub(crate) async fn all_is_done_once(&self, id: &AssignmentId) {
        let it = self.assignment(id).await;
        let number = it.issue.number;
        let finished = self
            .store
            .finished(FinishedFilter::default())
            .await
            .unwrap();
        assert!(
            finished.iter().any(|other| other.id == *id),
            "{id} is not archived"
        );
        let issue = self.forge.issue(number).await.unwrap().unwrap();
        assert_eq!(issue.state, IssueState::Closed);
        let once = [
            CommentEvent::Briefing,
            CommentEvent::Completion,
            CommentEvent::Merge,
        ];
        assert_eq!(self.comments(number).await, once);
        let workers = self
            .agent
            .seen(|seen| seen.workers.iter().filter(|w| *w == id).count());
        assert_eq!(workers, 1);
        let trailer = format!("--grep=Coord-Assignment: {id}");
        let remote = self.fixture.remote_path();
        let merges = git(&remote, &["rev-list", "--count", &trailer, "main"]).unwrap();
        assert_eq!(merges, "1");
        let file = format!("issue-{number}.txt");
        assert_eq!(
            self.fixture.remote_file("main", &file).as_deref(),
            Some("solved")
        );
    }
}

fn policy() -> Policy {
    let repo = RepoPolicy {
        depends_on: Vec::new(),
        default_branch: None,
        shared: false,
        github: None,
    };
    let machine = MachinePolicy {
        capabilities: Vec::new(),
        repos: vec!["api".into()],
        max_workers: 8,
        account: None,
    };
    Policy {
        repos: BTreeMap::from([("api".into(), repo)]),
        machines: BTreeMap::from([("m1".into(), machine)]),
        gates: vec![Gate::Test],
        concurrency: ConcurrencyPolicy {
            backoff_base_seconds: 1,
            ..ConcurrencyPolicy::default()
        },
        ..Policy::default()
    }
}

/// What `coord assign - api ISSUE` asks for.
pub(crate) fn input(issue: u64) -> AssignInput {
    AssignInput {
        machine: None,
        repo: "api".into(),
        issue,
        model: None,
        briefing: None,
        scope: FileScope::default(),
        when_blocked: WhenBlocked::Refuse,
        waivers: Waivers {
            allow_overlap: true,
            ..Waivers::default()
        },
        goal: Goal::Merged,
        freshness: FreshnessRule::Tell,
    }
}

/// Assigns the issue; the dispatch waits in the outbox.
pub(crate) async fn assign(engine: &Engine, issue: u64) -> AssignmentId {
    let committed = engine.assign(input(issue)).await.unwrap();
    assert_eq!(committed.refusal, None);
    let assignments = committed.board.assignments.values();
    assignments
        .filter(|it| it.issue.number == issue)
        .max_by_key(|it| it.requested_at)
        .unwrap()
        .id
        .clone()
}

/// Puts an effect into the outbox that nobody decided on.
pub(crate) async fn enqueue(engine: &Engine, key: &str, effect: Effect) -> EffectKey {
    let key = EffectKey::new(key);
    let request = EffectRequest {
        key: key.clone(),
        effect,
        not_before: None,
    };
    let decide = move |_: &Board| Decision {
        events: Vec::new(),
        effects: vec![request],
        refusal: None,
    };
    engine.store().transact(now(), decide).await.unwrap();
    key
}

/// Carries out once what nobody decided on.
pub(crate) async fn carried(engine: &Engine, key: &str, effect: Effect) -> Carried {
    let key = enqueue(engine, key, effect).await;
    engine.carry_out_now(&[key]).await.unwrap().remove(0)
}

/// What came of an effect that is settled.
pub(crate) fn outcome(carried: Carried) -> Outcome {
    match carried {
        Carried::Settled { outcome, .. } => outcome,
        Carried::Postponed { error, .. } => panic!("it is put off: {error}"),
    }
}

/// Why an effect is put off.
pub(crate) fn put_off(carried: Carried) -> String {
    match carried {
        Carried::Postponed { error, .. } => error,
        Carried::Settled { outcome, .. } => panic!("it is settled: {outcome:?}"),
    }
}

/// Drives until the board is as wanted.
pub(crate) async fn drive(engine: &Engine, enough: impl FnMut(&Board) -> bool) {
    drive_and_see(engine, enough, |_| {}).await;
}

pub(crate) async fn drive_and_see(
    engine: &Engine,
    mut enough: impl FnMut(&Board) -> bool,
    show: impl FnMut(Progress),
) {
    let enough = |board: &Board| match enough(board) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let driven = tokio::time::timeout(PATIENCE, engine.drive(enough, show)).await;
    driven.expect("the board never got there").unwrap();
}

/// Drives until nothing more happens to the assignment by itself.
pub(crate) async fn drive_to_the_end(engine: &Engine, id: &AssignmentId) {
    drive(engine, |board| settled(board, id)).await;
}

/// Whether the assignment has an open effect of this kind.
pub(crate) fn has_open(board: &Board, kind: EffectKind) -> bool {
    board
        .open_effects
        .keys()
        .any(|key| EffectKind::of(key) == Some(kind))
}

pub(crate) fn is_kind(key: &EffectKey, kind: EffectKind) -> bool {
    EffectKind::of(key) == Some(kind)
}

/// A worker's end without anything to merge.
pub(crate) fn cancelled() -> EndReport {
    ended(EndResult::Cancelled)
}

/// Commits one file on a branch from the remote's `main`, in a clone of its own, and pushes it.
pub(crate) fn publish(
    remote: &Path,
    desks: &Path,
    branch: &str,
    file: &str,
    text: &str,
) -> EndReport {
    std::fs::create_dir_all(desks).unwrap();
    let desk = desks.join(branch);
    let (from, to) = (remote.to_str().unwrap(), desk.to_str().unwrap());
    git(desks, &["clone", "--quiet", from, to]).unwrap();
    git(&desk, &["checkout", "--quiet", "-b", branch]).unwrap();
    let base = git(&desk, &["rev-parse", "HEAD"]).unwrap();
    pushed(&desk, branch, base, &[(file, text)])
}

/// The end of a worker that has committed these files on the branch of its desk, and whose agent has
/// pushed it.
pub(crate) fn pushed(desk: &Path, branch: &str, base: String, files: &[(&str, &str)]) -> EndReport {
    for (path, text) in files {
        let file = desk.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    git(desk, &["add", "--all"]).unwrap();
    git(desk, &["commit", "--quiet", "--message", "work"]).unwrap();
    git(desk, &["push", "--quiet", "origin", branch]).unwrap();
    EndReport {
        exit_code: Some(0),
        branch: Some(branch.to_owned()),
        head: Some(git(desk, &["rev-parse", "HEAD"]).unwrap()),
        base: Some(base),
        commits: 1,
        pushed: true,
        files: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        ..ended(EndResult::Done)
    }
}
