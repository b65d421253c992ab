//! One run: a coordinator, its effects, agents, forges, people and outsiders, one step after the
//! other, and then nothing but what goes on by itself.

use std::collections::BTreeMap;

use coord_core::assignment::Cause;
use coord_core::command::AgentReport;
use coord_core::effect::{Effect, EffectRequest, Outcome};
use coord_core::ids::{AssignmentId, IssueRef, MachineName, RepoName};
use coord_core::radar::Sighting;
use coord_core::{BoardEvent, Command, Policy};

use super::agents::{Agent, Surroundings};
use super::dependencies::{Dependencies, OUTSIDE, dependencies};
use super::forge::Forge;
use super::laws::Ledger;
use super::random::Random;
use super::repository::Repository;
use super::setting;
use crate::world::World;

/// More than any run needs to come to rest.
const REST: usize = 4000;

/// An effect that somebody carries out.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) request: EffectRequest,
    /// What came of it, once it is done and the coordinator has not heard of it yet.
    pub(super) done: Option<Outcome>,
}

/// How often things happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    merged: u64,
    sent_back: u64,
    conflicts: u64,
    red_together: u64,
    pushes: u64,
    moved_bases: u64,
    forgotten: u64,
    broke: u64,
    useless_answers: u64,
    granted: u64,
    denied: u64,
    approved: u64,
    split: u64,
    foreseen: u64,
    unblocked: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.all_mut().into_iter().zip(other.all()) {
            *mine += theirs;
        }
    }

    /// Whether there was some of everything.
    pub(super) fn is_full(&self) -> bool {
        self.all().iter().all(|times| *times > 0)
    }

    fn all(&self) -> [u64; 15] {
        [
            self.merged,
            self.sent_back,
            self.conflicts,
            self.red_together,
            self.pushes,
            self.moved_bases,
            self.forgotten,
            self.broke,
            self.useless_answers,
            self.granted,
            self.denied,
            self.approved,
            self.split,
            self.foreseen,
            self.unblocked,
        ]
    }

    fn all_mut(&mut self) -> [&mut u64; 15] {
        [
            &mut self.merged,
            &mut self.sent_back,
            &mut self.conflicts,
            &mut self.red_together,
            &mut self.pushes,
            &mut self.moved_bases,
            &mut self.forgotten,
            &mut self.broke,
            &mut self.useless_answers,
            &mut self.granted,
            &mut self.denied,
            &mut self.approved,
            &mut self.split,
            &mut self.foreseen,
            &mut self.unblocked,
        ]
    }
}

#[derive(Debug)]
pub(super) struct Course {
    pub(super) random: Random,
    pub(super) world: World,
    pub(super) repositories: BTreeMap<RepoName, Repository>,
    pub(super) forges: BTreeMap<RepoName, Forge>,
    pub(super) agents: BTreeMap<MachineName, Agent>,
    pub(super) issues: Vec<IssueRef>,
    pub(super) dependencies: Dependencies,
    pub(super) ledger: Ledger,
    pub(super) calm: bool,
    /// Everything is heard and done before anybody goes on.
    pub(super) prompt: bool,
    pub(super) flights: Vec<Flight>,
    /// What may come once more, late.
    pub(super) past: Vec<Command>,
    pub(super) sightings: Vec<Sighting>,
    next_id: u64,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Effect,
    Words,
    Turn,
    Time,
    Person,
    Assign,
    Outsider,
    Stranger,
    Reach,
    Restart,
    Kill,
    Again,
    Plan,
    Proposal,
    Radar,
    Solve,
}

impl Course {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let policy = setting::policy(&mut random);
        Self::with(policy, random)
    }

    pub(super) fn with(policy: Policy, mut random: Random) -> Self {
        let world = World::with(policy);
        let repositories = setting::repositories(&mut random);
        let tasks = repositories.iter().flat_map(|(name, repository)| {
            let issue = |number: &u64| IssueRef {
                repo: name.clone(),
                number: *number,
            };
            repository.tasks.keys().map(issue)
        });
        let issues: Vec<IssueRef> = tasks.collect();
        Self {
            dependencies: dependencies(&issues, &mut random),
            issues,
            forges: repositories
                .keys()
                .map(|name| (name.clone(), Forge::default()))
                .collect(),
            agents: world
                .policy
                .machines
                .keys()
                .map(|name| (name.clone(), Agent::new(name.as_str())))
                .collect(),
            random,
            world,
            repositories,
            ledger: Ledger::default(),
            calm: false,
            prompt: false,
            flights: Vec::new(),
            past: Vec::new(),
            sightings: Vec::new(),
            next_id: 0,
        }
    }

    /// Trouble for a while, then none, until nothing happens any more.
    pub(super) fn run(&mut self) {
        self.prompt = self.random.percent(10);
        let steps = match self.prompt {
            true => 0,
            false => 40 + self.random.below(350),
        };
        for _ in 0..2 {
            self.assign_one();
        }
        for _ in 0..steps {
            self.step();
        }
        self.calm_down();
        self.come_to_rest();
        self.at_the_end();
    }

    /// What there was of everything that a run is about.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for recorded in &self.world.log {
            *match &recorded.event {
                BoardEvent::Merged { .. } => &mut tally.merged,
                BoardEvent::MergeConflicted { .. } => &mut tally.conflicts,
                BoardEvent::CombinationRed { .. } => &mut tally.red_together,
                BoardEvent::BranchMoved { .. } => &mut tally.pushes,
                BoardEvent::BaseMoved { .. } => &mut tally.moved_bases,
                BoardEvent::AssignmentLost { .. } => &mut tally.forgotten,
                BoardEvent::BudgetExceeded { .. } => &mut tally.broke,
                BoardEvent::AnswerRefused { .. } => &mut tally.useless_answers,
                BoardEvent::LeaseGranted { .. } => &mut tally.granted,
                BoardEvent::EditDenied { .. } => &mut tally.denied,
                BoardEvent::ProposalApproved { .. } => &mut tally.approved,
                BoardEvent::SplitDone { .. } => &mut tally.split,
                BoardEvent::ConflictForeseen { .. } => &mut tally.foreseen,
                BoardEvent::IssueClosed { .. } => &mut tally.unblocked,
                BoardEvent::AssignmentSuperseded { cause, .. } if *cause == Cause::Review => {
                    &mut tally.sent_back
                }
                _ => continue,
            } += 1;
        }
        tally
    }

    /// Prints what happened.
    #[expect(clippy::print_stderr, reason = "for whoever makes a run again")]
    pub(super) fn tell(&self) {
        for recorded in &self.world.log {
            eprintln!("{}", serde_json::to_string(recorded).unwrap());
        }
    }

    pub(super) fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn command(&mut self, command: &Command) {
        let decision = self.world.run(command);
        self.after(&decision);
    }

    fn step(&mut self) {
        let step = self.random.weighted(&[
            (40, Step::Effect),
            (22, Step::Words),
            (22, Step::Turn),
            (5, Step::Time),
            (4, Step::Person),
            (3, Step::Assign),
            (1, Step::Outsider),
            (2, Step::Stranger),
            (3, Step::Reach),
            (1, Step::Restart),
            (2, Step::Kill),
            (2, Step::Again),
            (2, Step::Plan),
            (3, Step::Proposal),
            (2, Step::Radar),
            (1, Step::Solve),
        ]);
        self.world.sleep(1);
        match step {
            Step::Effect => self.go_on_with_an_effect(),
            Step::Words => self.listen(),
            Step::Turn => self.some_turn(),
            Step::Time => {
                let seconds = self.random.below(3000);
                self.world.sleep(seconds);
                self.command(&Command::Tick);
            }
            Step::Person => self.person(),
            Step::Assign => self.assign_one(),
            Step::Outsider => self.outsider(),
            Step::Stranger => self.stranger(),
            Step::Reach => self.vanish_or_return(),
            Step::Restart => self.restart(),
            Step::Kill => self.kill(),
            Step::Plan => self.plan(),
            Step::Proposal => self.decide_on_a_proposal(),
            Step::Radar => self.look(),
            Step::Solve => self.solve_outside(),
            Step::Again => {
                let index = self.random.index(self.past.len());
                if let Some(command) = self.past.get(index).cloned() {
                    self.command(&command);
                }
            }
        }
    }

    /// The coordinator hears something, or finds that an agent does not answer.
    pub(super) fn listen(&mut self) {
        let names: Vec<MachineName> = self.agents.keys().cloned().collect();
        let name = self.random.pick(&names).unwrap().clone();
        self.hear(&name);
    }

    /// Whether there was anything to be heard.
    fn hear(&mut self, name: &MachineName) -> bool {
        let agent = &self.agents[name];
        let machine = name.clone();
        if !agent.reachable {
            let error = "refused".into();
            self.command(&Command::AgentUnreachable { machine, error });
            if self.is_stale(name) {
                let machine = name.clone();
                self.command(&Command::AgentStale { machine });
            }
            return false;
        }
        if !agent.heard {
            self.catch_up(name);
            return true;
        }
        let Some((id, report)) = self
            .agents
            .get_mut(name)
            .and_then(|it| it.words.pop_front())
        else {
            return false;
        };
        let asked = match &report {
            AgentReport::LeaseAsked { path, .. } => Some((id.clone(), path.clone())),
            _ => None,
        };
        let command = Command::Report {
            machine,
            id,
            report,
        };
        self.command(&command);
        self.past.push(command);
        if let Some((id, path)) = asked {
            self.answer_lease(name, &id, &path);
        }
        true
    }

    fn is_stale(&self, name: &MachineName) -> bool {
        let facts = self.world.board.machines.get(name);
        let since = facts.and_then(|it| it.silent_since);
        let limit = self.world.policy.concurrency.stale_seconds;
        since.is_some_and(|since| since.plus_secs(limit) <= self.world.now)
    }

    /// Asks the agent for everything.
    fn catch_up(&mut self, name: &MachineName) {
        let machine = name.clone();
        self.command(&Command::AgentReachable { machine });
        let Some(agent) = self.agents.get_mut(name) else {
            return;
        };
        agent.heard = true;
        let status = agent.status(&self.world.board);
        for (id, report) in status {
            let machine = name.clone();
            self.command(&Command::Report {
                machine,
                id,
                report,
            });
        }
    }

    pub(super) fn live_jobs(&self) -> Vec<(MachineName, AssignmentId)> {
        let all = self.agents.values().flat_map(|agent| {
            let live = agent
                .jobs
                .values()
                .filter(|job| job.is_live() && !job.waits());
            live.map(|job| (agent.name.clone(), job.spec.id.clone()))
        });
        all.collect()
    }

    pub(super) fn some_turn(&mut self) {
        let live = self.live_jobs();
        if let Some((machine, id)) = self.random.pick(&live).cloned() {
            self.turn(&machine, &id);
        }
    }

    pub(super) fn turn(&mut self, machine: &MachineName, id: &AssignmentId) {
        let Some(agent) = self.agents.get_mut(machine) else {
            return;
        };
        let Some(repo) = agent.jobs.get(id).map(|job| job.spec.issue.repo.clone()) else {
            return;
        };
        let mut around = Surroundings {
            repository: self.repositories.get_mut(&repo).unwrap(),
            random: &mut self.random,
            now: self.world.now,
            calm: self.calm,
        };
        agent.turn(id, &mut around);
        self.ledger.worked(&agent.jobs[id]);
    }

    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        for agent in self.agents.values_mut() {
            agent.reachable = true;
        }
        // What an agent forgot between its answer and the board is found with the next connection.
        self.hand_in_all();
        self.kill();
        if self.random.percent(70) {
            for forge in self.forges.values_mut() {
                forge.closed.insert(OUTSIDE);
            }
        }
        self.see_what_is_closed();
        // Nobody may work on what is being split.
        let is_split = |it: &&EffectRequest| matches!(it.effect, Effect::Split(_));
        let splits: Vec<EffectRequest> = self
            .world
            .outbox
            .values()
            .filter(is_split)
            .cloned()
            .collect();
        self.carry_all_out(&splits);
        for issue in self.issues.clone() {
            if self.world.board.leading(&issue).is_none() {
                self.assign(&issue, true);
            }
        }
    }

    /// Does whatever can be done, until that is nothing.
    pub(super) fn come_to_rest(&mut self) {
        for _ in 0..REST {
            if self.do_all() {
                continue;
            }
            let before = self.world.board.seq;
            for seconds in [60, 600, 3600, 86_400, 86_400] {
                self.world.sleep(seconds);
                self.command(&Command::Tick);
                if self.world.board.seq != before || !self.due().is_empty() {
                    break;
                }
            }
            if self.world.board.seq == before && self.due().is_empty() {
                return;
            }
        }
        panic!("it never comes to rest: {:?}", self.world.open());
    }

    /// Everything that can be done now, once; whether there was anything.
    fn do_all(&mut self) -> bool {
        let mut did = self.do_effects();
        did |= self.hear_all();
        for (machine, id) in self.live_jobs() {
            self.turn(&machine, &id);
            if self.prompt {
                self.settle_promptly();
                self.nobody_overspends();
            }
            did = true;
        }
        self.world.sleep(1);
        did
    }

    fn hand_in_all(&mut self) {
        for flight in std::mem::take(&mut self.flights) {
            if let Some(outcome) = flight.done {
                self.hand_in(&flight.request, outcome);
            }
        }
    }

    fn do_effects(&mut self) -> bool {
        let mut did = false;
        for key in self.due() {
            let Some(request) = self.world.outbox.get(&key).cloned() else {
                continue;
            };
            if let Some(outcome) = self.carry_out(&request.effect) {
                self.hand_in(&request, outcome);
                did = true;
            }
        }
        did
    }

    pub(super) fn hear_all(&mut self) -> bool {
        let names: Vec<MachineName> = self.agents.keys().cloned().collect();
        let mut did = false;
        for name in names {
            while self.hear(&name) {
                did = true;
            }
        }
        did
    }

    /// Every word is heard, and every worker hears that it is to stop.
    pub(super) fn settle_promptly(&mut self) {
        self.hear_all();
        let cancels: Vec<EffectRequest> = self
            .world
            .outbox
            .values()
            .filter(|it| matches!(it.effect, Effect::Cancel { .. }))
            .cloned()
            .collect();
        self.carry_all_out(&cancels);
    }

    fn carry_all_out(&mut self, requests: &[EffectRequest]) {
        for request in requests {
            if let Some(outcome) = self.carry_out(&request.effect) {
                self.hand_in(request, outcome);
            }
        }
    }
}
