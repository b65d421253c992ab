//! What no plan may hold, said a second time and in another way than in the examiner.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::ids::{IssueRef, MachineName, RepoName};
use coord_core::issue::IssueState;
use coord_core::proposal::{ProposalDraft, SplitDraft};
use coord_core::scope::Glob;

use crate::world::World;

/// What is wrong with a plan.
pub(crate) fn faults(
    world: &World,
    proposals: &[ProposalDraft],
    splits: &[SplitDraft],
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut slots: BTreeMap<&MachineName, u32> = BTreeMap::new();
    let mut files: Vec<(&RepoName, &IssueRef, Vec<Glob>)> = held(world);
    let mut seen: BTreeSet<&IssueRef> = BTreeSet::new();
    for it in proposals {
        let name = format!("{} on {}", it.issue, it.machine);
        faults.extend(of_issue(world, &it.issue).map(|what| format!("{name}: {what}")));
        faults.extend(of_place(world, it).map(|what| format!("{name}: {what}")));
        if !seen.insert(&it.issue) {
            faults.push(format!("{name}: twice"));
        }
        let globs: Vec<Glob> = it.files.iter().map(|glob| Glob::new(glob)).collect();
        for (repo, other, theirs) in &files {
            let meet = |mine: &Glob| theirs.iter().any(|glob| glob.overlaps(mine));
            if **repo == it.issue.repo && globs.iter().any(meet) {
                faults.push(format!("{name}: overlaps with {other}"));
            }
        }
        files.push((&it.issue.repo, &it.issue, globs));
        *slots.entry(&it.machine).or_default() += 1;
    }
    for (machine, proposed) in slots {
        let running = world
            .board
            .assignments
            .values()
            .filter(|it| it.machine == *machine);
        let slots = world
            .policy
            .machines
            .get(machine)
            .map_or(0, |it| it.max_workers);
        if proposed as usize + running.count() > slots as usize {
            faults.push(format!("{machine}: more than its slots"));
        }
    }
    for it in splits {
        let name = format!("split of {}", it.issue);
        faults.extend(of_issue(world, &it.issue).map(|what| format!("{name}: {what}")));
        let in_order = |(place, chunk): (usize, &coord_core::proposal::Chunk)| {
            chunk.after.iter().all(|it| *it < place) && !chunk.title.trim().is_empty()
        };
        if !(2..=12).contains(&it.chunks.len()) || !it.chunks.iter().enumerate().all(in_order) {
            faults.push(format!("{name}: its chunks"));
        }
    }
    faults
}

fn held(world: &World) -> Vec<(&RepoName, &IssueRef, Vec<Glob>)> {
    let active = world.board.assignments.values();
    active
        .map(|it| {
            let globs = it.scope.allowed.iter().map(|glob| Glob::new(glob));
            (&it.issue.repo, &it.issue, globs.collect())
        })
        .collect()
}

fn of_issue(world: &World, issue: &IssueRef) -> Option<&'static str> {
    let Some(candidate) = world.candidates.get(issue) else {
        return Some("unknown");
    };
    let claimed = world
        .board
        .assignments
        .values()
        .any(|it| it.issue == *issue);
    let checks = [
        (candidate.issue.state == IssueState::Closed, "closed"),
        (!candidate.issue.trusted, "untrusted"),
        (claimed, "claimed"),
    ];
    checks
        .into_iter()
        .find(|(is_so, _)| *is_so)
        .map(|(_, what)| what)
}

fn of_place(world: &World, it: &ProposalDraft) -> Option<&'static str> {
    let Some(machine) = world.policy.machines.get(&it.machine) else {
        return Some("unknown machine");
    };
    let candidate = world.candidates.get(&it.issue)?;
    let lacks = |label: &String| {
        let needed = label.strip_prefix("needs:").map(str::trim);
        needed.is_some_and(|it| !machine.capabilities.iter().any(|has| has == it))
    };
    let upstream = &world.policy.repos.get(&it.issue.repo)?.depends_on;
    let mut active = world.board.assignments.values();
    let odd = |glob: &String| glob.starts_with('/') || glob.contains("..");
    let checks = [
        (
            !machine.repos.contains(&it.issue.repo),
            "not its repository",
        ),
        (
            candidate.issue.labels.iter().any(lacks),
            "lacks a capability",
        ),
        (!candidate.blocked_by.is_empty(), "depends on an open issue"),
        (
            active.any(|other| upstream.contains(&other.issue.repo)),
            "repository is blocked",
        ),
        (it.files.iter().any(odd), "odd globs"),
        (it.rationale.len() > 4096, "long rationale"),
        (
            it.model
                .as_ref()
                .is_some_and(|it| !world.policy.models.knows(it)),
            "unknown model",
        ),
    ];
    checks
        .into_iter()
        .find(|(is_so, _)| *is_so)
        .map(|(_, what)| what)
}
