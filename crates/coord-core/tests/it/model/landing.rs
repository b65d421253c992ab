//! A verdict never counts for another commit, and what lands is what was tested, however pushes,
//! verdicts, merges, force-pushes and movements of the base follow each other.

use coord_core::Policy;
use coord_core::assignment::AssignmentState;
use coord_core::policy::Gate;
use proptest::prelude::*;
use proptest::sample::select;

use super::course::Course;
use super::people::Deed;
use super::random::Random;
use crate::world;

#[derive(Debug, Clone, Copy)]
enum Move {
    /// An effect is begun, done, or answered for.
    Effect,
    /// A reviewer or a worker goes on, and is heard.
    Reader,
    Push,
    ForcePush,
    Base,
    Verdict,
    Merge,
    Override,
    /// A person wants it tested, or read, once more.
    Test,
    Review,
}

const MOVES: [Move; 19] = [
    Move::Effect,
    Move::Effect,
    Move::Effect,
    Move::Effect,
    Move::Effect,
    Move::Effect,
    Move::Reader,
    Move::Reader,
    Move::Push,
    Move::ForcePush,
    Move::Base,
    Move::Base,
    Move::Verdict,
    Move::Merge,
    Move::Override,
    Move::Test,
    Move::Test,
    Move::Review,
    Move::Review,
];

/// Every gate, and nothing that keeps a branch from its merge but what is found out about it.
fn policy() -> Policy {
    let mut policy = world::policy();
    policy.concurrency.stagger_seconds = 0;
    policy.gates = vec![Gate::Test, Gate::Review, Gate::Ci];
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    policy.reviews.require_approval = true;
    for repo in policy.repos.values_mut() {
        repo.shared = true;
        repo.depends_on.clear();
    }
    policy
}

impl Course {
    /// Every issue has a branch, and nothing was found out about it yet.
    fn with_finished_branches(seed: u64) -> Self {
        let mut course = Self::with(policy(), Random(seed));
        course.calm = true;
        for issue in course.issues.clone() {
            course.assign(&issue, true);
        }
        for _ in 0..20 {
            course.work();
        }
        course
    }

    fn has_a_branch(&self) -> bool {
        let mut all = self.world.board.assignments.values();
        all.any(|it| it.state == AssignmentState::Done)
    }

    /// Workers are dispatched and work; nothing else happens.
    fn work(&mut self) {
        let is_writer = |key: &str| key.starts_with("claim:") || key.starts_with("dispatch:");
        for key in self.due() {
            let request = self.world.outbox.get(&key).cloned();
            if let Some(request) = request.filter(|_| is_writer(key.as_str()))
                && let Some(outcome) = self.carry_out(&request.effect)
            {
                self.hand_in(&request, outcome);
            }
        }
        self.go_on();
    }

    fn go_on(&mut self) {
        for (machine, id) in self.live_jobs() {
            self.turn(&machine, &id);
        }
        self.hear_all();
        self.world.sleep(1);
    }

    fn make(&mut self, step: Move) {
        self.world.sleep(1);
        match step {
            Move::Effect => self.go_on_with_an_effect(),
            Move::Reader => self.go_on(),
            Move::Push => self.push(false),
            Move::ForcePush => self.push(true),
            Move::Base => self.outsider(),
            Move::Verdict => self.does(Deed::Verdict),
            Move::Merge => self.does(Deed::Merge),
            Move::Override => self.does(Deed::Override),
            Move::Test => self.does(Deed::Test),
            Move::Review => self.does(Deed::Review),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The laws are checked after every move: see `laws`.
    #[test]
    fn a_verdict_never_counts_for_another_commit(
        seed in 0u64..1000,
        moves in proptest::collection::vec(select(&MOVES[..]), 0..160),
    ) {
        let mut course = Course::with_finished_branches(seed);
        prop_assume!(course.has_a_branch());
        for step in moves {
            course.make(step);
        }
        course.come_to_rest();
        course.at_the_end();
    }
}
