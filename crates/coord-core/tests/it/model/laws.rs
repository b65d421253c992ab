//! What holds in every run, whatever happens in it: checked against what really happened, and not
//! against what the board says of it.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::assignment::Assignment;
use coord_core::command::Rule;
use coord_core::effect::{Effect, Outcome};
use coord_core::ids::{AssignmentId, CommitId, IssueRef, RepoName};
use coord_core::policy::Gate;
use coord_core::verdict::{ReviewResult, TestResult};
use coord_core::why::WaitsFor;
use coord_core::{Board, BoardEvent, Command, Decision, why};

use super::agents::{Job, TURN};
use super::course::Course;
use super::dependencies::OUTSIDE;
use super::edits::Holders;
use super::planning::Plans;
use super::repository::{Place, Repository};
use crate::universe;
use crate::world::START;

/// More than any chain of issues that wait for each other.
const DEPTH: usize = 8;

type Head = (AssignmentId, CommitId);

/// The last verdict that an assignment got for a commit; else that of another one, which left it the
/// commit as it was.
fn of<'v, T>(verdicts: &'v BTreeMap<Head, T>, id: &AssignmentId, head: &CommitId) -> Option<&'v T> {
    let own = verdicts.get(&(id.clone(), head.clone()));
    own.or_else(|| {
        let mut others = verdicts.iter().filter(|((_, other), _)| other == head);
        others.next().map(|(_, verdict)| verdict)
    })
}

/// What really happened.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    tests: BTreeMap<Head, TestResult>,
    reviews: BTreeMap<Head, ReviewResult>,
    checks: BTreeMap<Head, bool>,
    set_aside: BTreeSet<(Gate, CommitId)>,
    landed: BTreeMap<IssueRef, CommitId>,
    /// US dollars that workers have used, with the issue that they worked on.
    spent: BTreeMap<AssignmentId, (IssueRef, f64)>,
    pub(super) holders: Holders,
    pub(super) plans: Plans,
}

impl Ledger {
    pub(super) fn tested(&mut self, id: &AssignmentId, head: &CommitId, result: TestResult) {
        self.tests.insert((id.clone(), head.clone()), result);
    }

    pub(super) fn set_aside(&mut self, gate: Gate, head: &CommitId) {
        self.set_aside.insert((gate, head.clone()));
    }

    fn is_set_aside(&self, gate: Gate, head: &CommitId) -> bool {
        self.set_aside.contains(&(gate, head.clone()))
    }

    /// The coordinator heard what came of an effect, and wrote down a verdict.
    pub(super) fn heard(&mut self, effect: &Effect, command: &Command, decision: &Decision) {
        let Command::Outcome { outcome, .. } = command else {
            return;
        };
        let wrote = |is_it: fn(&BoardEvent) -> bool| decision.events.iter().any(is_it);
        match (effect, outcome) {
            (Effect::RunTest { id, head, .. }, Outcome::Tested { result, .. })
                if wrote(|event| matches!(event, BoardEvent::TestRecorded { .. })) =>
            {
                self.tested(id, head, *result);
            }
            (Effect::JudgeAnswer(spec), Outcome::Reviewed { result, .. })
                if wrote(|event| matches!(event, BoardEvent::ReviewRecorded { .. })) =>
            {
                let head = (spec.about.clone(), spec.head.clone());
                self.reviews.insert(head, *result);
            }
            (Effect::ReadChecks { id, head, .. }, Outcome::ChecksRead { good, .. })
                if wrote(|event| matches!(event, BoardEvent::ChecksRecorded { .. })) =>
            {
                self.checks.insert((id.clone(), head.clone()), *good);
            }
            _ => {}
        }
    }

    /// A forge has put something on top of a base: it is what was tested, and nothing lands twice.
    pub(super) fn landed(
        &mut self,
        issue: &IssueRef,
        head: &CommitId,
        commit: &CommitId,
        repository: &Repository,
        is_gated: bool,
    ) {
        let before = self.landed.insert(issue.clone(), commit.clone());
        assert_eq!(before, None, "{issue} has landed twice");
        let tree = repository.tree(commit);
        assert_eq!(
            tree.get(&Place::Feature(issue.number)),
            Some(&1),
            "{issue} is not solved"
        );
        if is_gated && !self.is_set_aside(Gate::Test, head) {
            let is_known = repository.green.contains(&Repository::tree_id(tree));
            assert!(
                is_known,
                "nobody has tested what landed for {issue}: {tree:?}"
            );
        }
    }

    pub(super) fn worked(&mut self, job: &Job) {
        let (id, spent) = (&job.spec.id, job.spent);
        let limit = job.spec.max_budget_usd.unwrap_or(f64::MAX);
        assert!(spent <= limit + TURN, "{id} has used {spent} of {limit}");
        self.spent
            .insert(id.clone(), (job.spec.issue.clone(), spent));
    }
}

impl Course {
    /// What holds after every command.
    pub(super) fn after(&mut self, decision: &Decision) {
        if let Some(refusal) = &decision.refusal {
            let refusal = refusal.clone();
            assert_eq!(decision.events, [BoardEvent::Refused { refusal }]);
            assert_eq!(decision.effects, []);
        }
        for request in &decision.effects {
            match &request.effect {
                Effect::Merge { id, head, onto, .. } => {
                    self.may_be_merged(id, head, onto.is_some());
                }
                Effect::Dispatch(spec) => {
                    let left = spec.max_budget_usd.unwrap_or(1.0);
                    assert!(left > 0.0, "{} begins without a budget", spec.id);
                }
                _ => {}
            }
        }
        for event in &decision.events {
            self.ledger.plans.hear(event);
        }
        self.ledger.plans.agree(&self.world);
        self.leases_are_apart(decision);
        self.clashes_are_of_somebody(decision);
        self.who_is_broke_is_stopped();
        universe::holds(&self.world);
    }

    /// Every gate holds for this commit and no other.
    fn may_be_merged(&self, id: &AssignmentId, head: &CommitId, is_combined: bool) {
        let policy = &self.world.policy;
        let it = &self.world.board.assignments[id];
        let ledger = &self.ledger;
        for gate in &policy.gates {
            if ledger.is_set_aside(*gate, head) {
                continue;
            }
            let (rules, shared) = (&policy.reviews, policy.repos[&it.issue.repo].shared);
            let by_itself = rules.enabled && rules.auto_dispatch && it.question().is_none();
            let wanted = it.delivery.wants.review || by_itself;
            let needs_approval = rules.enabled && rules.require_approval;
            let holds = match gate {
                Gate::Test => {
                    let good = of(&ledger.tests, id, head).is_some_and(|it| it.is_good());
                    good && is_combined
                }
                Gate::Review if !rules.enabled && !wanted => true,
                Gate::Review => match of(&ledger.reviews, id, head) {
                    Some(ReviewResult::Approve) => true,
                    Some(ReviewResult::Comment) => !needs_approval,
                    Some(ReviewResult::RequestChanges) => false,
                    None => !wanted && !needs_approval,
                },
                Gate::Ci => !shared || of(&ledger.checks, id, head) == Some(&true),
            };
            assert!(
                holds,
                "{id} is merged at {head} although {gate:?} is closed"
            );
        }
    }

    /// As far as the coordinator knows.
    fn who_is_broke_is_stopped(&self) {
        let (board, limits) = (&self.world.board, &self.world.policy.budgets);
        let day = board.spent_on_day(self.world.now);
        let is_used = |limit: Option<f64>, spent: f64| limit.is_some_and(|limit| spent >= limit);
        for it in board
            .assignments
            .values()
            .filter(|it| it.state.takes_slot())
        {
            let broke = is_used(limits.assignment_usd, it.spent_usd)
                || is_used(limits.issue_usd, board.spent_on(&it.issue))
                || is_used(limits.day_usd, day);
            assert!(!broke || it.stop_requested, "nobody stops {it:?}");
        }
    }

    /// While every word is heard at once.
    pub(super) fn nobody_overspends(&self) {
        let limits = &self.world.policy.budgets;
        let spent = |is_it: &dyn Fn(&IssueRef) -> bool| -> f64 {
            let all = self.ledger.spent.values();
            all.filter(|(of, _)| is_it(of))
                .map(|(_, spent)| spent)
                .sum()
        };
        for issue in &self.issues {
            let (spent, limit) = (spent(&|of| of == issue), limits.issue_usd);
            let is_within = limit.is_none_or(|limit| spent <= limit + TURN);
            assert!(is_within, "{issue} has cost {spent} of {limit:?}");
        }
        let (spent, limit) = (spent(&|_| true), limits.day_usd);
        let is_first_day = self.world.now.day() == START.day();
        let is_within = limit.is_none_or(|limit| spent <= limit + TURN);
        assert!(
            !is_first_day || is_within,
            "the day has cost {spent} of {limit:?}"
        );
    }

    /// Of the live workers on an issue at most one has not been told, or is not about to be told,
    /// to stop.
    pub(super) fn writers_are_alone(&self, issue: &IssueRef) {
        let board = &self.world.board;
        let jobs = self.agents.values().flat_map(|agent| agent.jobs.values());
        let wanted = |job: &&Job| {
            let it = board.assignments.get(&job.spec.id);
            it.is_some_and(|it| it.is_at_work() && !it.stop_requested)
        };
        let live = jobs.filter(|job| {
            job.is_live() && !job.cancelled && job.spec.kind.writes() && job.spec.issue == *issue
        });
        let ids: Vec<&AssignmentId> = live.filter(wanted).map(|job| &job.spec.id).collect();
        assert!(ids.len() <= 1, "{issue} has several workers: {ids:?}");
    }

    /// What holds once nothing happens any more.
    pub(super) fn at_the_end(&self) {
        for issue in &self.issues {
            self.is_merged_or_explained(issue);
        }
        for agent in self.agents.values() {
            let busy = agent
                .jobs
                .values()
                .find(|job| job.is_live() && !job.waits());
            assert!(busy.is_none(), "still at work: {busy:?}");
        }
        for (name, repository) in &self.repositories {
            self.nothing_is_lost(name, repository);
        }
        self.replays();
    }

    fn is_merged_or_explained(&self, issue: &IssueRef) {
        let board = &self.world.board;
        if self.ledger.landed.contains_key(issue) {
            let repository = &self.repositories[&issue.repo];
            let tree = repository.tree(&repository.main);
            assert_eq!(
                tree.get(&Place::Feature(issue.number)),
                Some(&1),
                "{issue} is gone"
            );
            assert!(
                self.forges[&issue.repo].closed.contains(&issue.number),
                "{issue} is open"
            );
            assert_eq!(board.leading(issue), None, "{issue} is merged");
            return;
        }
        let chain = self.explained(issue, DEPTH);
        if let Err(chain) = chain {
            panic!(
                "{issue} waits for nobody: {chain}\n{:#?}",
                board.leading(issue)
            );
        }
    }

    /// Whether the issue waits for a person, or for another one that does.
    fn explained(&self, issue: &IssueRef, depth: usize) -> Result<(), String> {
        let (board, policy) = (&self.world.board, &self.world.policy);
        let why = why(board, policy, issue, self.world.now);
        let said = format!("{} ({:?})", why.sentence, why.waits_for);
        let other = |id: &AssignmentId| -> Result<(), String> {
            let it = board.assignments.get(id).filter(|it| it.issue != *issue);
            let it = it.filter(|_| depth > 0).ok_or(said.clone())?;
            let explained = self.explained(&it.issue, depth - 1);
            explained.map_err(|why| format!("{said}, and {why}"))
        };
        match &why.waits_for {
            Some(WaitsFor::Person { .. }) => Ok(()),
            // Nobody reviews by himself, or what asked for it has come to nothing.
            Some(WaitsFor::Gate { status }) if status.gate == Gate::Review => Ok(()),
            Some(WaitsFor::Turn { after }) => other(after),
            Some(WaitsFor::Rule { refusal }) => match (refusal.rule, &refusal.assignment) {
                (Rule::Budget, _) => Ok(()),
                (Rule::Slots, _) => {
                    let busy = board
                        .assignments
                        .values()
                        .filter(|it| it.state.takes_slot());
                    let asks = |it: &Assignment| it.question().is_some();
                    busy.into_iter().any(asks).then_some(()).ok_or(said)
                }
                (_, Some(id)) => other(id),
                (Rule::Dependency, None) => {
                    let it = board.leading(issue).filter(|_| depth > 0);
                    let first = it.and_then(|it| it.blocked_by.first());
                    let first = first.filter(|it| !self.is_closed(it)).ok_or(said.clone())?;
                    if first.number == OUTSIDE {
                        return Ok(());
                    }
                    let explained = self.explained(first, depth - 1);
                    explained.map_err(|why| format!("{said}, and {why}"))
                }
                (_, None) => Err(said),
            },
            Some(
                WaitsFor::Agent { .. }
                | WaitsFor::Worker { .. }
                | WaitsFor::Test { .. }
                | WaitsFor::Gate { .. }
                | WaitsFor::Forge
                | WaitsFor::Base,
            )
            | None => Err(said),
        }
    }

    /// Every commit that an agent told of is somewhere where a person finds it.
    fn nothing_is_lost(&self, name: &RepoName, repository: &Repository) {
        let agents = self.agents.values();
        let tips = agents.flat_map(|agent| agent.local.values().chain(&agent.saved));
        let tips = tips.chain(repository.branches.values());
        let kept = repository.kept(tips.chain([&repository.main]));
        for recorded in &self.world.log {
            if let BoardEvent::AssignmentEnded { id, end, .. } = &recorded.event
                && let Some(head) = &end.head
                && repository.has(head)
            {
                assert!(kept.contains(head), "{head} of {id} in {name} is lost");
            }
        }
    }

    /// The board is what the log says, also after it was written down.
    fn replays(&self) {
        let mut board = Board::default();
        for recorded in &self.world.log {
            board.apply(recorded);
        }
        assert_eq!(board, self.world.board);
        assert_eq!(universe::through_json(&board), board);
        if self.world.log.len().is_multiple_of(16) {
            assert_eq!(universe::through_json(&self.world.log), self.world.log);
        }
    }
}
