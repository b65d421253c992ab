//! Where a run takes place: rules, machines, and what is to be done in which repository.

use std::collections::BTreeMap;

use coord_core::Policy;
use coord_core::delivery::PullAuthor;
use coord_core::ids::RepoName;
use coord_core::lease::LeaseMode;
use coord_core::policy::{CapabilityRule, Gate};

use super::random::Random;
use super::repository::{Repository, Task};
use crate::world;

pub(super) const SCOPES: [&[&str]; 4] = [&[], &[], &["src/"], &["docs/*.md"]];

/// The usual world, with rules of its own.
pub(super) fn policy(random: &mut Random) -> Policy {
    let mut policy = world::policy();
    let rules = &mut policy.concurrency;
    rules.stagger_seconds = random.below(3);
    rules.auto_reassign = random.percent(70);
    rules.max_retries = u32::try_from(random.below(3)).unwrap();
    rules.stale_seconds = 600;
    policy.pipeline.max_iterations = u32::try_from(random.below(4)).unwrap();
    policy.pipeline.pull_author = match random.percent(30) {
        true => PullAuthor::Worker,
        false => PullAuthor::Template,
    };
    policy.reviews.enabled = random.percent(70);
    policy.reviews.auto_dispatch = random.percent(80);
    policy.reviews.require_approval = random.percent(50);
    policy.gates = match random.below(6) {
        0 => vec![Gate::Test],
        1 => vec![Gate::Review, Gate::Ci],
        _ => vec![Gate::Test, Gate::Review, Gate::Ci],
    };
    let budgets = &mut policy.budgets;
    budgets.assignment_usd = random.percent(30).then_some(0.1);
    budgets.issue_usd = random.percent(30).then_some(0.6);
    budgets.day_usd = random.percent(20).then_some(1.0);
    policy.leases = random.weighted(&[
        (5, LeaseMode::Warn),
        (4, LeaseMode::Strict),
        (1, LeaseMode::Off),
    ]);
    policy.smoke.auto_queue = random.percent(50);
    policy.smoke.is_configured = true;
    policy.smoke.rules = vec![CapabilityRule {
        files: vec!["gpu/".into()],
        requires: vec!["gpu".into()],
    }];
    let has_gpu = random.percent(80);
    if let Some(rack) = policy.machines.get_mut(&"rack".into()) {
        rack.capabilities.extend(has_gpu.then(|| "gpu".to_owned()));
        rack.account = Some("one".into());
    }
    let is_shared = random.percent(40);
    if let Some(app) = policy.repos.get_mut(&"app".into()) {
        app.shared = is_shared;
    }
    policy
}

/// Three to six issues in two repositories.
pub(super) fn repositories(random: &mut Random) -> BTreeMap<RepoName, Repository> {
    let most = [3, 2];
    let names = ["lib", "app"];
    let all = (1..).zip(names).zip(most);
    all.map(|((salt, name), most)| {
        let mut repository = Repository::new(salt);
        for number in 1..=(1 + random.below(most)) {
            let task = Task {
                shared: random.percent(50).then_some(1),
                bugs: random.weighted(&[(70, 0), (20, 1), (10, 2)]),
            };
            repository.tasks.insert(number, task);
        }
        if random.percent(60) {
            repository.clashes.push((1, 2));
        }
        if random.percent(30) {
            repository.clashes.push((2, 3));
        }
        (RepoName::from(name), repository)
    })
    .collect()
}
