//! Issues that wait for each other: no plan ever gets to them, so a person has to be told.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::command::{Refusal, Rule};
use coord_core::ids::IssueRef;
use coord_core::proposal::Candidates;

/// How many issues of a circle are named.
const NAMED: usize = 8;

/// One refusal for each circle. Of circles that share an issue one is told: it has to be opened anyway.
pub(super) fn circles(candidates: &Candidates) -> Vec<Refusal> {
    let next = waits_for(candidates);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in next.keys().copied() {
        let mut way: Vec<&IssueRef> = Vec::new();
        let mut at = start;
        while seen.insert(at) {
            way.push(at);
            at = next.get(at).copied().unwrap_or(at);
        }
        if let Some(first) = way.iter().position(|it| *it == at) {
            found.extend(way.get(first..).map(refusal));
        }
    }
    found
}

/// Of each issue that cannot start, whatever is solved, one that keeps it so.
fn waits_for(candidates: &Candidates) -> BTreeMap<&IssueRef, &IssueRef> {
    let mut left: BTreeMap<&IssueRef, BTreeSet<&IssueRef>> = BTreeMap::new();
    let mut waiting: BTreeMap<&IssueRef, Vec<&IssueRef>> = BTreeMap::new();
    let mut free: Vec<&IssueRef> = Vec::new();
    for (issue, candidate) in candidates {
        let blockers = candidate.blocked_by.iter();
        // What is not to be chosen from may be solved elsewhere.
        let blockers: BTreeSet<_> = blockers.filter(|it| candidates.contains_key(it)).collect();
        if blockers.is_empty() {
            free.push(issue);
        }
        for blocker in &blockers {
            waiting.entry(blocker).or_default().push(issue);
        }
        left.insert(issue, blockers);
    }
    while let Some(solved) = free.pop() {
        left.remove(solved);
        for issue in waiting.get(solved).into_iter().flatten() {
            let Some(blockers) = left.get_mut(issue) else {
                continue;
            };
            blockers.remove(solved);
            if blockers.is_empty() {
                free.push(issue);
            }
        }
    }
    let first = |(issue, blockers): (_, BTreeSet<_>)| Some((issue, blockers.into_iter().next()?));
    left.into_iter().filter_map(first).collect()
}

fn refusal(circle: &[&IssueRef]) -> Refusal {
    let named = circle.iter().chain(circle.first()).take(NAMED);
    let named: Vec<String> = named.map(ToString::to_string).collect();
    let more = match circle.len() >= NAMED {
        true => " …",
        false => "",
    };
    let why = format!(
        "issues depend on each other in a circle, so that none of them can start: {}{more}",
        named.join(" → ")
    );
    let refusal = Refusal::new(Rule::Dependency, why);
    let refusal = match circle.first() {
        Some(first) => refusal.of_issue(first),
        None => refusal,
    };
    refusal.hint("take one of the dependencies out, or assign one of them with --ignore-deps")
}

#[cfg(test)]
mod tests {
    use coord_core::issue::{Issue, IssueState};
    use coord_core::proposal::Candidate;

    use super::*;

    fn issue(number: u64) -> IssueRef {
        IssueRef {
            repo: "lib".into(),
            number,
        }
    }

    fn told(edges: &[(u64, &[u64])]) -> Vec<String> {
        let candidates = edges.iter().map(|(number, blockers)| {
            let candidate = Candidate {
                issue: Issue {
                    number: *number,
                    title: String::new(),
                    body: String::new(),
                    labels: Vec::new(),
                    state: IssueState::Open,
                    author: String::new(),
                    trusted: true,
                    milestone: None,
                    assignees: Vec::new(),
                },
                blocked_by: blockers.iter().map(|it| issue(*it)).collect(),
            };
            (issue(*number), candidate)
        });
        let found = circles(&candidates.collect());
        let ways = found.into_iter().map(|it| it.why);
        ways.map(|why| why.split_once(": ").unwrap().1.to_owned())
            .collect()
    }

    #[test]
    fn each_circle_is_told_once() {
        assert_eq!(told(&[(1, &[]), (2, &[1]), (3, &[1, 2, 99])]), [""; 0]);
        assert_eq!(told(&[(1, &[2]), (2, &[1])]), ["lib#1 → lib#2 → lib#1"]);
        // 5 waits for a circle, and 1 for something that can be solved.
        let edges: &[(u64, &[u64])] = &[
            (1, &[6]),
            (2, &[1, 3]),
            (3, &[4]),
            (4, &[2]),
            (5, &[3]),
            (6, &[]),
            (7, &[8]),
            (8, &[7]),
        ];
        assert_eq!(
            told(edges),
            ["lib#2 → lib#3 → lib#4 → lib#2", "lib#7 → lib#8 → lib#7"]
        );
    }

    #[test]
    fn a_long_circle_is_cut() {
        let ring: Vec<(u64, Vec<u64>)> = (0..20).map(|n| (n, vec![(n + 1) % 20])).collect();
        let edges: Vec<(u64, &[u64])> = ring.iter().map(|(n, to)| (*n, to.as_slice())).collect();
        let told = told(&edges);
        assert_eq!(told.len(), 1);
        assert!(told[0].ends_with("lib#7 …"), "{told:?}");
    }
}
