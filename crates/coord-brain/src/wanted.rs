//! Which words are worth looking for before a plan is made.

use std::collections::BTreeMap;

use coord_core::ids::RepoName;
use coord_core::placement::free_slots;

use crate::facts::Facts;
use crate::mention::words_of_interest;
use crate::rank::ranked;

/// At most so many issues of one repository are looked at, the most urgent first.
const ISSUES: usize = 60;
/// How many for each free slot: some of them will be in each other's way.
const FOR_EACH_SLOT: usize = 3;
/// How many words of one repository are looked for.
const WORDS: usize = 200;

/// The symbols that the most urgent issues of each repository name: whoever fills in the facts
/// looks for them and puts what it found into [`crate::RepoFacts::symbols`]. Only issues that could
/// be worked on now count.
#[must_use]
pub fn words_wanted(facts: &Facts<'_>) -> BTreeMap<RepoName, Vec<String>> {
    let machines = facts.policy.machines.keys();
    let slots = machines.map(|it| free_slots(facts.board, facts.policy, it));
    let slots = slots.fold(0, u32::saturating_add) as usize;
    let most = ISSUES.min(slots.saturating_mul(FOR_EACH_SLOT));
    let claimed = facts.claimed();
    let mut wanted: BTreeMap<RepoName, Vec<String>> = BTreeMap::new();
    let mut looked_at: BTreeMap<&RepoName, usize> = BTreeMap::new();
    for it in ranked(facts.candidates) {
        let seen = looked_at.entry(&it.issue.repo).or_default();
        let ready = it.candidate.blocked_by.is_empty() && !claimed.contains(it.issue);
        if *seen == most || !ready {
            continue;
        }
        *seen += 1;
        let words = wanted.entry(it.issue.repo.clone()).or_default();
        for word in words_of_interest(&it.candidate.issue) {
            if words.len() < WORDS && !words.contains(&word) {
                words.push(word);
            }
        }
    }
    wanted.retain(|_, words| !words.is_empty());
    wanted
}
