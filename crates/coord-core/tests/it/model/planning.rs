//! Planners that know better and planners that do not, and people who approve, put aside and split
//! what they propose: in any order, twice, and too late.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::command::{AssignRequest, PlanRequest, Refusal, Rule, WhenBlocked};
use coord_core::effect::Effect;
use coord_core::ids::{EffectKey, IssueRef, ProposalId, SplitId};
use coord_core::issue::IssueState;
use coord_core::proposal::{
    Candidate, Candidates, Chunk, Planner, Proposal, ProposalDraft, SplitDraft,
};
use coord_core::{BoardEvent, Command};

use super::course::Course;
use crate::world::{World, id, issue_ref, request};

const MACHINES: [&str; 6] = ["desk", "rack", "rack", "rack", "rack", "toaster"];
const GLOBS: [&str; 9] = [
    "src/",
    "src/api-*",
    "docs/*.md",
    "docs/a.md",
    "tests/",
    "tests/**",
    "lib/",
    "../secret",
    "",
];

/// What is proposed, by the events alone.
#[derive(Debug, Default)]
pub(super) struct Plans {
    proposals: BTreeMap<ProposalId, IssueRef>,
    /// With the effect that carries it out, while it is under way.
    splits: BTreeMap<SplitId, Option<EffectKey>>,
    last: (ProposalId, SplitId),
    /// Everything there ever was.
    pub(super) past: Vec<Proposal>,
    /// The issues that the coordinator has heard to be closed.
    closed: BTreeSet<IssueRef>,
}

impl Plans {
    pub(super) fn hear(&mut self, event: &BoardEvent) {
        match event {
            BoardEvent::Planned { plan } => {
                self.proposals.clear();
                self.splits.retain(|_, key| key.is_some());
                for it in &plan.proposals {
                    assert!(it.id > self.last.0, "{} again", it.id);
                    self.last.0 = it.id;
                    self.proposals.insert(it.id, it.draft.issue.clone());
                    self.past.push(it.clone());
                }
                for it in &plan.splits {
                    assert!(it.id > self.last.1, "{} again", it.id);
                    self.last.1 = it.id;
                    self.splits.insert(it.id, None);
                }
            }
            BoardEvent::ProposalApproved { proposal, .. }
            | BoardEvent::ProposalRejected { proposal } => {
                let was = self.proposals.remove(proposal);
                assert!(was.is_some(), "{proposal} was not proposed");
            }
            BoardEvent::SplitRejected { split } => {
                assert_eq!(self.splits.remove(split), Some(None), "{split}");
            }
            BoardEvent::SplitStarted { split, key } => {
                let before = self.splits.insert(*split, Some(key.clone()));
                assert_eq!(before, Some(None), "{split}");
            }
            BoardEvent::SplitDone { split, .. } => {
                let was = self.splits.remove(split);
                assert!(matches!(was, Some(Some(_))), "{split} was not under way");
            }
            BoardEvent::SplitFailed { split, .. } => {
                let was = self.splits.insert(*split, None);
                assert!(matches!(was, Some(Some(_))), "{split} was not under way");
            }
            BoardEvent::IssueClosed { issue } => {
                self.closed.insert(issue.clone());
            }
            _ => {}
        }
    }

    /// Whether the board says the same, and everything that it says can be.
    pub(super) fn agree(&self, world: &World) {
        let board = &world.board;
        let on_board: Vec<_> = board.proposals.iter().collect();
        assert_eq!(on_board.len(), self.proposals.len());
        let mut issues = BTreeSet::new();
        for (id, it) in on_board {
            let issue = &it.draft.issue;
            assert_eq!(self.proposals.get(id), Some(issue));
            assert!(world.policy.repos.contains_key(&issue.repo), "{it:?}");
            assert!(world.policy.machines.contains_key(&it.draft.machine));
            assert!(issues.insert(issue), "{issue} is proposed twice");
        }
        let under_way = |(id, it): (&SplitId, &coord_core::proposal::Split)| {
            let is_new = it.under_way.is_none() || !issues.contains(&it.draft.issue);
            assert!(is_new, "{} is being split and proposed", it.draft.issue);
            (*id, it.under_way.clone())
        };
        let splits: BTreeMap<SplitId, Option<EffectKey>> =
            board.splits.iter().map(under_way).collect();
        assert_eq!(splits, self.splits);
        let keys: BTreeSet<&EffectKey> = splits.values().flatten().collect();
        let outbox = world.outbox.values();
        let is_split =
            |it: &&coord_core::effect::EffectRequest| matches!(it.effect, Effect::Split(_));
        let open: BTreeSet<&EffectKey> = outbox.filter(is_split).map(|it| &it.key).collect();
        assert_eq!(keys, open, "what is under way is in the outbox");
        for it in board.assignments.values() {
            let in_vain = it.blocked_by.intersection(&self.closed).next();
            assert_eq!(in_vain, None, "{it:?} waits for it");
        }
    }

    pub(super) fn heard_closed(&mut self, issues: &[IssueRef]) {
        self.closed.extend(issues.iter().cloned());
    }
}

impl Course {
    /// Somebody plans.
    pub(super) fn plan(&mut self) {
        let candidates = self.candidates();
        let proposals: Vec<ProposalDraft> =
            (0..self.random.below(7)).map(|_| self.draft()).collect();
        let splits: Vec<SplitDraft> = (0..self.random.below(2)).map(|_| self.split()).collect();
        let cost_usd = self.random.weighted(&[(8, 0.01), (1, f64::NAN), (1, -1.0)]);
        let planner = Planner::Rules { instead: None };
        self.command(&Command::Plan(Box::new(PlanRequest {
            planner,
            cost_usd,
            candidates,
            proposals,
            splits,
            refused: Vec::new(),
        })));
        self.all_could_be_approved();
    }

    fn candidates(&mut self) -> Candidates {
        let mut candidates = Candidates::new();
        for issue in self.issues.clone() {
            let mut found = request(0, issue.repo.as_str(), issue.number, &[]).issue;
            if self.forges[&issue.repo].closed.contains(&issue.number) {
                found.state = IssueState::Closed;
            }
            found.trusted = !self.random.percent(5);
            let candidate = Candidate {
                issue: found,
                blocked_by: self.blocked_by(&issue),
            };
            if self.random.percent(90) {
                candidates.insert(issue, candidate);
            }
        }
        candidates
    }

    fn draft(&mut self) -> ProposalDraft {
        let issue = match self.random.below(20) {
            0 => issue_ref("kitchen", 1),
            1 => issue_ref("lib", 77),
            _ => self.random.pick(&self.issues).unwrap().clone(),
        };
        let files = (0..self.random.below(3)).map(|_| *self.random.pick(&GLOBS).unwrap());
        let files: Vec<String> = files.map(str::to_owned).collect();
        let notes = match self.random.below(20) {
            0 => Some("x".repeat(40_000)),
            1..5 => Some("Mind the gap.".to_owned()),
            _ => None,
        };
        ProposalDraft {
            machine: (*self.random.pick(&MACHINES).unwrap()).into(),
            issue,
            rationale: "It is the oldest.".into(),
            files,
            notes,
            model: None,
            size: None,
        }
    }

    fn split(&mut self) -> SplitDraft {
        let parts = 1 + self.random.below(3);
        let chunks = (0..parts).map(|place| Chunk {
            title: format!("Part {place}"),
            scope: String::new(),
            files: Vec::new(),
            after: (place > 0).then_some(0).into_iter().collect(),
        });
        SplitDraft {
            issue: self.random.pick(&self.issues).unwrap().clone(),
            rationale: String::new(),
            chunks: chunks.collect(),
        }
    }

    /// Whether the plan as a whole could be approved now: what the coordinator says yes to today it
    /// does not say no to a second later.
    fn all_could_be_approved(&self) {
        let mut world = World::with(self.world.policy.clone());
        world.board = self.world.board.clone();
        world.now = self.world.now;
        let mut holders = self.ledger.holders.clone();
        let proposed: Vec<Proposal> = world.board.proposals.values().cloned().collect();
        for (n, proposal) in (1_000_000..).zip(&proposed) {
            let decision = world.assign(approval(n, proposal));
            let is_broke = |it: &Refusal| it.rule == Rule::Budget;
            if decision.refusal.as_ref().is_some_and(is_broke) {
                // The plan itself has used up what was left of the day.
                return;
            }
            assert_eq!(decision.refusal, None, "{proposal:?}");
            holders.are_apart(&world.board);
            let is_other = |event: &BoardEvent| match event {
                BoardEvent::AssignmentRequested { assignment } => assignment.id != id(n),
                _ => false,
            };
            if decision.events.iter().any(is_other) {
                // Something that had waited has taken what this one gave up.
                return;
            }
        }
    }

    /// Somebody does something with what is, or was, proposed.
    pub(super) fn decide_on_a_proposal(&mut self) {
        match self.random.below(10) {
            0..6 => self.approve(),
            6..8 => {
                let proposals = self.some_proposal().map(|it| it.id);
                let splits = self.some_split().filter(|_| proposals.is_none());
                self.command(&Command::Reject {
                    proposals: proposals.into_iter().collect(),
                    splits: splits.into_iter().collect(),
                });
            }
            _ => {
                if let Some(id) = self.some_split() {
                    self.command(&Command::Split { id });
                }
            }
        }
    }

    /// One that is proposed, or one that was.
    fn some_proposal(&mut self) -> Option<Proposal> {
        let pending: Vec<Proposal> = self.world.board.proposals.values().cloned().collect();
        let from = match self.random.percent(85) {
            true => &pending,
            false => &self.ledger.plans.past,
        };
        self.random.pick(from).cloned()
    }

    fn some_split(&mut self) -> Option<SplitId> {
        let splits = &self.world.board.splits;
        let known: Vec<SplitId> = splits.keys().copied().chain([SplitId(1)]).collect();
        self.random.pick(&known).copied()
    }

    fn approve(&mut self) {
        let Some(proposal) = self.some_proposal() else {
            return;
        };
        let mut request = approval(self.fresh_id(), &proposal);
        let issue = &proposal.draft.issue;
        request.evidence = self.evidence(issue);
        request.blocked_by = self.blocked_by(issue);
        if self.forges[&issue.repo].closed.contains(&issue.number) {
            request.issue.state = IssueState::Closed;
        }
        if self.random.percent(50) {
            request.when_blocked = WhenBlocked::Wait;
        }
        self.command(&Command::Assign(Box::new(request.clone())));
        match self.random.below(10) {
            0 => self.command(&Command::Assign(Box::new(request))),
            1 => {
                request.id = id(self.fresh_id());
                self.command(&Command::Assign(Box::new(request)));
            }
            _ => {}
        }
    }
}

/// What `coord approve` asks for.
fn approval(n: u64, proposal: &Proposal) -> AssignRequest {
    let draft = &proposal.draft;
    let files: Vec<&str> = draft.files.iter().map(String::as_str).collect();
    AssignRequest {
        machine: Some(draft.machine.clone()),
        proposal: Some(proposal.id),
        notes: draft.notes.clone(),
        ..request(n, draft.issue.repo.as_str(), draft.issue.number, &files)
    }
}
