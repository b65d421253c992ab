//! Agents and their workers: what becomes of an assignment once it is handed over.

use std::collections::{BTreeMap, VecDeque};

use coord_core::Board;
use coord_core::assignment::{AssignmentKind, AssignmentState, WorkerEnd, WorkerResult};
use coord_core::command::AgentReport;
use coord_core::effect::DispatchSpec;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, MachineName, Timestamp};

use super::random::Random;
use super::repository::{Place, Repository, Tree};

/// The most that a turn of a model costs, in US dollars.
pub(super) const TURN: f64 = 0.05;

/// How a worker is going to end, drawn when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeed,
    SucceedWithoutCommit,
    Fail,
    HitLimit,
    Interrupted,
    Misconfigured,
    /// Asks something, and waits for the answer.
    Stuck,
    /// Ends with a question.
    EndWithQuestion,
    /// Does nothing more until it is ended for that.
    Hang,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) spec: DispatchSpec,
    /// Where its branch was on the remote when it started, if it goes on with it.
    replaces: Option<CommitId>,
    branch: String,
    base: CommitId,
    pub(super) tip: CommitId,
    fate: Fate,
    turns_left: u64,
    started_at: Timestamp,
    question: Option<String>,
    session: String,
    pub(super) spent: f64,
    pub(super) cancelled: bool,
    pub(super) end: Option<(Timestamp, WorkerEnd)>,
}

/// An agent with its machine.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: MachineName,
    pub(super) reachable: bool,
    /// Whether the coordinator listens: what is said while it does not has to be asked for.
    pub(super) heard: bool,
    pub(super) jobs: BTreeMap<AssignmentId, Job>,
    pub(super) words: VecDeque<(AssignmentId, AgentReport)>,
    /// Local branches, by repository.
    pub(super) local: BTreeMap<(String, String), CommitId>,
    /// What was saved of work that was not published.
    pub(super) saved: Vec<CommitId>,
    /// What its sessions have cost.
    sessions: BTreeMap<String, f64>,
}

/// What an agent and its workers see of the rest.
pub(super) struct Surroundings<'a> {
    pub(super) repository: &'a mut Repository,
    pub(super) random: &'a mut Random,
    pub(super) now: Timestamp,
    /// Nothing goes wrong any more that is not the work itself.
    pub(super) calm: bool,
}

impl Job {
    pub(super) fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// Whether nothing happens to it until somebody outside does something.
    pub(super) fn waits(&self) -> bool {
        // Whoever only reads has a time limit.
        self.question.is_some() && !self.cancelled && self.spec.kind.writes()
    }

    /// What its worker has used, as its session tells it.
    fn told(&self, before: f64) -> f64 {
        before + self.spent
    }
}

impl Agent {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            reachable: true,
            heard: true,
            jobs: BTreeMap::new(),
            words: VecDeque::new(),
            local: BTreeMap::new(),
            saved: Vec::new(),
            sessions: BTreeMap::new(),
        }
    }

    pub(super) fn say(&mut self, id: &AssignmentId, report: AgentReport) {
        if self.heard {
            self.words.push_back((id.clone(), report));
        }
    }

    /// Takes an assignment over; one that it has already is left as it is.
    pub(super) fn take(&mut self, spec: &DispatchSpec, around: &mut Surroundings<'_>) {
        if self.jobs.contains_key(&spec.id) {
            return;
        }
        let repo = spec.issue.repo.as_str().to_owned();
        let local = |branch: &str| self.local.get(&(repo.clone(), branch.to_owned())).cloned();
        let remote = around.repository.branches.clone();
        let (branch, tip, replaces) = match &spec.start.branch {
            Some(from) => {
                let published = remote.get(from).cloned();
                let tip = published.clone().or_else(|| local(from));
                let tip = tip.unwrap_or_else(|| around.repository.main.clone());
                let same = *from == spec.branch;
                (spec.branch.clone(), tip, published.filter(|_| same))
            }
            None if spec.kind.writes() => {
                let taken = |name: &String| remote.contains_key(name) || local(name).is_some();
                let mut names = (2..).map(|n| format!("{}-{n}", spec.branch));
                let branch = match taken(&spec.branch) {
                    true => names.find(|name| !taken(name)).unwrap(),
                    false => spec.branch.clone(),
                };
                (branch, around.repository.main.clone(), None)
            }
            None => (spec.branch.clone(), around.repository.main.clone(), None),
        };
        let lost_session = match &spec.start.session {
            Some(session) => !self.sessions.contains_key(session),
            None => false,
        };
        let fate = match lost_session {
            true => Fate::Misconfigured,
            false => fate(spec.kind, around),
        };
        let fate = match (fate, &spec.start.branch) {
            // Otherwise what somebody else has begun would pass for a solution.
            (Fate::SucceedWithoutCommit, Some(_)) => Fate::Succeed,
            (fate, _) => fate,
        };
        let session = spec.start.session.clone();
        let session = session.unwrap_or_else(|| format!("session of {}", spec.id));
        self.sessions.entry(session.clone()).or_default();
        let job = Job {
            spec: spec.clone(),
            replaces,
            branch,
            base: spec.start.base.clone().unwrap_or_else(|| tip.clone()),
            tip,
            fate,
            turns_left: 1 + around.random.below(3),
            started_at: around.now,
            question: None,
            session,
            spent: 0.0,
            cancelled: false,
            end: None,
        };
        self.jobs.insert(spec.id.clone(), job);
        let (at, base) = (around.now, None);
        self.say(&spec.id, AgentReport::Started { at, base });
    }

    /// Stops a worker; one that is not here is none.
    pub(super) fn cancel(&mut self, id: &AssignmentId) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.cancelled = true;
        }
    }

    /// Tells a worker something; whether there was one.
    pub(super) fn tell(&mut self, id: &AssignmentId) -> bool {
        let live = self
            .jobs
            .get_mut(id)
            .filter(|job| job.is_live() && !job.cancelled);
        if let Some(job) = live {
            if job.question.take().is_some() {
                job.fate = Fate::Succeed;
            }
            return true;
        }
        false
    }

    /// Everything that it says when it is asked for what the board has of it: see
    /// `coord_engine::follow`.
    pub(super) fn status(&self, board: &Board) -> Vec<(AssignmentId, AgentReport)> {
        let mine = board
            .assignments
            .values()
            .filter(|it| it.machine == self.name);
        mine.flat_map(|it| {
            let says = |report| (it.id.clone(), report);
            let job = self.jobs.get(&it.id);
            let takes_slot = it.state.takes_slot();
            let Some(job) = job.filter(|job| takes_slot || job.is_live()) else {
                let unknown = it.state == AssignmentState::Running;
                return unknown
                    .then(|| says(AgentReport::Unknown))
                    .into_iter()
                    .collect();
            };
            let (at, base) = (job.started_at, None);
            let mut reports = vec![says(AgentReport::Started { at, base })];
            if let Some((at, end)) = &job.end {
                let (at, end) = (*at, Box::new(end.clone()));
                reports.push(says(AgentReport::Finished { at, end }));
            } else {
                let cost_usd = job.told(self.sessions[&job.session]);
                reports.push(says(AgentReport::Spent { cost_usd }));
                let question = job.question.clone();
                reports.extend(question.map(|question| says(AgentReport::Stuck { question })));
            }
            reports
        })
        .collect()
    }

    /// The worker of `id` goes on for a turn.
    pub(super) fn turn(&mut self, id: &AssignmentId, around: &mut Surroundings<'_>) {
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.is_live()) else {
            return;
        };
        if job.cancelled {
            return self.finish(id, WorkerResult::Cancelled, None, around);
        }
        if job.waits() {
            return;
        }
        if job.question.is_some() {
            let why = Some("its time is up".to_owned());
            return self.finish(id, WorkerResult::Failed(FailureClass::Work), why, around);
        }
        job.spent += TURN * (1 + around.random.below(5)) as f64 / 5.0;
        job.turns_left = job.turns_left.saturating_sub(1);
        let (spent, is_over) = (job.spent, job.turns_left == 0);
        let is_broke = job.spec.max_budget_usd.is_some_and(|limit| spent >= limit);
        let (fate, session) = (job.fate, job.session.clone());
        let cost_usd = spent + self.sessions[&session];
        if around.calm || around.random.percent(80) {
            self.say(id, AgentReport::Spent { cost_usd });
        }
        self.touch(id, around);
        if is_broke {
            let why = "its budget is used up".to_owned();
            return self.finish(
                id,
                WorkerResult::Failed(FailureClass::Work),
                Some(why),
                around,
            );
        }
        if is_over {
            self.meet_fate(id, fate, around);
        }
    }

    fn meet_fate(&mut self, id: &AssignmentId, fate: Fate, around: &mut Surroundings<'_>) {
        let failed = |class| WorkerResult::Failed(class);
        let said = |text: &str| Some(text.to_owned());
        match fate {
            Fate::Succeed | Fate::EndWithQuestion => {
                self.finish(id, WorkerResult::Done, None, around);
            }
            Fate::SucceedWithoutCommit => self.finish(id, WorkerResult::Done, None, around),
            Fate::Fail => self.finish(id, failed(FailureClass::Work), said("no idea"), around),
            Fate::Misconfigured => {
                let why = said("no such model");
                self.finish(id, failed(FailureClass::Configuration), why, around);
            }
            Fate::HitLimit => {
                let resets_at = around.now.plus_secs(600 + around.random.below(20_000));
                self.say(id, AgentReport::RateLimited { resets_at });
                let retry_at = Some(resets_at);
                let class = FailureClass::Environmental { retry_at };
                self.finish(id, failed(class), said("usage limit"), around);
            }
            Fate::Interrupted => {
                let class = FailureClass::Environmental { retry_at: None };
                self.finish(id, failed(class), said("overloaded"), around);
            }
            Fate::Stuck => {
                let question = "left or right?".to_owned();
                if let Some(job) = self.jobs.get_mut(id) {
                    job.question = Some(question.clone());
                }
                self.say(id, AgentReport::Stuck { question });
            }
            Fate::Hang if around.calm || around.random.percent(10) => {
                let why = said("it did nothing for too long");
                self.finish(id, failed(FailureClass::Work), why, around);
            }
            Fate::Hang => {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.turns_left = 1;
                }
            }
        }
    }

    fn finish(
        &mut self,
        id: &AssignmentId,
        result: WorkerResult,
        error: Option<String>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        let before = self.sessions.get(&job.session).copied().unwrap_or_default();
        let mut end = WorkerEnd {
            error,
            cost_usd: job.told(before),
            turns: 1,
            session: Some(job.session.clone()),
            stuck: (job.fate == Fate::EndWithQuestion && result == WorkerResult::Done)
                .then(|| "was that right?".to_owned()),
            ..WorkerEnd::unreported(result, None)
        };
        self.sessions.insert(job.session.clone(), end.cost_usd);
        if job.spec.kind.writes() {
            let key = (job.spec.issue.repo.as_str().to_owned(), job.branch.clone());
            let before = self.local.get(&key).cloned();
            job.write(&mut end, around);
            // An agent does not throw away what it had on a branch of that name.
            self.saved.extend(before);
            self.saved.push(job.tip.clone());
            if end.head.is_some() {
                self.local.insert(key, job.tip.clone());
            }
        } else if result == WorkerResult::Done {
            end.answer = answer(job.spec.kind, around.random);
        }
        job.question = None;
        job.end = Some((around.now, end.clone()));
        let (at, end) = (around.now, Box::new(end));
        self.say(id, AgentReport::Finished { at, end });
    }
}

impl Job {
    /// Commits and publishes what it has, and says so in `end`.
    fn write(&mut self, end: &mut WorkerEnd, around: &mut Surroundings<'_>) {
        let start = self.tip.clone();
        match end.result {
            WorkerResult::Done if self.fate == Fate::SucceedWithoutCommit => {}
            WorkerResult::Done => self.solve(around),
            WorkerResult::Failed(_) | WorkerResult::Cancelled => {
                if around.random.percent(50) {
                    let mut tree = around.repository.tree(&self.tip).clone();
                    *tree.entry(Place::Half(self.spec.issue.number)).or_default() += 1;
                    self.tip = around.repository.commit(&[&start], tree);
                }
            }
        }
        let repository = &mut *around.repository;
        let fork = repository.tree(&self.base).clone();
        if repository.contains(&self.base, &self.tip) {
            return;
        }
        end.head = Some(self.tip.clone());
        end.branch = Some(self.branch.clone());
        end.base = Some(self.base.clone());
        end.commits = 1;
        let tree = repository.tree(&self.tip);
        let is_new = |place: &&Place| tree.get(*place) != fork.get(*place);
        end.files = tree
            .keys()
            .filter(is_new)
            .map(|place| place.path())
            .collect();
        if end.result == WorkerResult::Cancelled {
            end.wip_ref = Some(format!("refs/coord/wip/{}", self.spec.id));
            return;
        }
        let remote = repository.branches.get(&self.branch);
        let is_forward = remote.is_none_or(|remote| repository.contains(&self.tip, remote));
        let replaces = remote.is_some() && remote == self.replaces.as_ref();
        let fails = !around.calm && around.random.percent(4);
        if (is_forward || replaces) && !fails {
            repository
                .branches
                .insert(self.branch.clone(), self.tip.clone());
            end.pushed = true;
        }
    }

    /// Does what it was asked for, more or less.
    fn solve(&mut self, around: &mut Surroundings<'_>) {
        let (repository, random) = (&mut *around.repository, &mut *around.random);
        let n = self.spec.issue.number;
        let task = repository.tasks[&n].clone();
        if let Some(onto) = self.spec.start.onto.clone() {
            self.bring_up_to(&onto, repository, random);
        }
        let mut tree = repository.tree(&self.tip).clone();
        let before = tree.clone();
        tree.remove(&Place::Half(n));
        if tree.insert(Place::Feature(n), 1).is_none() {
            if task.bugs > 0 {
                tree.insert(Place::Bug(n), task.bugs);
            }
            if let Some(line) = task.shared {
                tree.insert(Place::Shared(line), 100 + n);
            }
            let clashes = repository.clashes.iter();
            if clashes.clone().any(|(one, other)| n == *one || n == *other) {
                tree.insert(Place::Api(n), 1);
            }
        } else if self.spec.kind == AssignmentKind::Fix && !random.percent(15) {
            put_right(&mut tree, n);
            if repository.is_red(&tree) && !tree.contains_key(&Place::Bug(n)) {
                tree.insert(Place::Api(n), 2);
            }
        }
        // Whoever finds nothing to be done may leave the branch as it is.
        if tree == before && random.percent(50) {
            return;
        }
        *tree.entry(Place::Note(n)).or_default() += 1;
        let parent = self.tip.clone();
        self.tip = repository.commit(&[&parent], tree);
    }

    /// Merges a commit of the base in, or rewrites the branch on top of it.
    fn bring_up_to(&mut self, onto: &CommitId, repository: &mut Repository, random: &mut Random) {
        let tip = self.tip.clone();
        if repository.contains(&tip, onto) {
            return;
        }
        let (mut tree, conflicts) = repository.together(&tip, onto);
        for place in conflicts {
            *tree.entry(place).or_default() += 1000 * self.spec.issue.number;
        }
        if random.percent(50) {
            self.tip = repository.commit(&[&tip, onto], tree);
        } else {
            self.tip = repository.commit(&[onto], tree);
            repository.rewritten.insert(self.tip.clone(), tip);
        }
    }
}

fn put_right(tree: &mut Tree, n: u64) {
    tree.remove(&Place::Broken);
    if let Some(bugs) = tree.get_mut(&Place::Bug(n)) {
        *bugs -= 1;
        if *bugs == 0 {
            tree.remove(&Place::Bug(n));
        }
    }
}

fn fate(kind: AssignmentKind, around: &mut Surroundings<'_>) -> Fate {
    match (around.calm, kind.writes()) {
        (true, _) => around.random.weighted(&[
            (90, Fate::Succeed),
            (4, Fate::Fail),
            (2, Fate::SucceedWithoutCommit),
            (2, Fate::EndWithQuestion),
            (2, Fate::Stuck),
        ]),
        (false, true) => around.random.weighted(&[
            (60, Fate::Succeed),
            (10, Fate::Fail),
            (4, Fate::SucceedWithoutCommit),
            (5, Fate::HitLimit),
            (5, Fate::Interrupted),
            (2, Fate::Misconfigured),
            (5, Fate::Stuck),
            (4, Fate::EndWithQuestion),
            (5, Fate::Hang),
        ]),
        (false, false) => around.random.weighted(&[
            (70, Fate::Succeed),
            (10, Fate::Fail),
            (5, Fate::HitLimit),
            (5, Fate::Interrupted),
            (2, Fate::Misconfigured),
            (2, Fate::Stuck),
            (6, Fate::Hang),
        ]),
    }
}

/// What a reader answers, where it answers at all.
fn answer(kind: AssignmentKind, random: &mut Random) -> Option<String> {
    let answer = match kind {
        AssignmentKind::Review => random.weighted(&[
            (60, Some("approve")),
            (20, Some("request_changes")),
            (6, Some("comment")),
            (8, Some("nonsense")),
            (6, None),
        ]),
        AssignmentKind::Pr => random.weighted(&[(80, Some("text")), (20, Some("nonsense"))]),
        AssignmentKind::Smoke
        | AssignmentKind::Work
        | AssignmentKind::Continue
        | AssignmentKind::Fix
        | AssignmentKind::Rebase => None,
    };
    answer.map(str::to_owned)
}
