//! The planner that asks no model: the most urgent issue that nothing stands in the way of, on the
//! machine with the most free slots, again and again, until no slot is free.
//!
//! The same facts give the same plan. Everything proposed has passed the examiner, which sees it
//! beside what was proposed before it. Of what was passed over, the most urgent is named with the
//! reason.

mod rationale;
mod taken;

use std::collections::{BTreeMap, BTreeSet};

use coord_core::command::{Refusal, Rule};
use coord_core::ids::{IssueRef, MachineName, RepoName};
use coord_core::placement::needed;
use coord_core::proposal::{Candidate, Examiner, ProposalDraft};
use coord_core::scope::Glob;

use crate::answer::Drafts;
use crate::facts::Facts;
use crate::guess::{Guess, Guesser};
use crate::rank::{Ranked, ranked};
use crate::size::size;
use rationale::{Reasons, rationale};
use taken::Taken;

/// How many of the issues that were passed over are named.
const NAMED: usize = 20;

/// What is to be worked on now. Splits are not proposed: that takes somebody who has read the issue.
#[must_use]
pub fn plan(facts: &Facts<'_>) -> Drafts {
    let forbidden = forbidden(facts);
    let mut rules = Rules::new(facts, &forbidden);
    if rules.free == 0 && !facts.candidates.is_empty() {
        rules.drafts.refused.push(no_slot(facts));
        return rules.drafts;
    }
    let claimed = facts.claimed();
    for it in ranked(facts.candidates) {
        if rules.free == 0 {
            break;
        }
        if claimed.contains(it.issue) {
            continue;
        }
        match rules.consider(&it) {
            Ok(draft) => rules.drafts.proposals.push(draft),
            Err(refusal) => rules.pass_over(refusal),
        }
    }
    rules.drafts
}

/// Where to work on one issue, and on which files: what a person who named no machine is given.
///
/// # Errors
/// The rule that keeps it from being worked on now.
pub fn place(facts: &Facts<'_>, issue: &IssueRef) -> Result<ProposalDraft, Refusal> {
    let forbidden = forbidden(facts);
    let mut rules = Rules::new(facts, &forbidden);
    let all = ranked(facts.candidates);
    match all.iter().find(|it| it.issue == issue) {
        Some(it) if !facts.claimed().contains(issue) => rules.consider(it),
        Some(_) | None => Err(not_free(facts, issue)),
    }
}

/// Why an issue is not among those that may be chosen: the examiner's word.
fn not_free(facts: &Facts<'_>, issue: &IssueRef) -> Refusal {
    let mut examiner = Examiner::new(facts.board, facts.policy, facts.candidates, facts.now);
    let nowhere = ProposalDraft {
        machine: MachineName::new(""),
        issue: issue.clone(),
        rationale: String::new(),
        files: Vec::new(),
        notes: None,
        model: None,
        size: None,
    };
    let refused = examiner.admit(&nowhere).err();
    refused.unwrap_or_else(|| {
        let why = format!("{issue} is not among the open issues");
        Refusal::new(Rule::UnknownIssue, why).of_issue(issue)
    })
}

fn forbidden(facts: &Facts<'_>) -> Vec<Glob> {
    let globs = facts.policy.coordinator_only_files.iter();
    globs.map(|glob| Glob::new(glob)).collect()
}

struct Rules<'f, 'a> {
    facts: &'f Facts<'a>,
    forbidden: &'f [Glob],
    examiner: Examiner<'a>,
    guessers: BTreeMap<&'a RepoName, Option<Guesser<'f>>>,
    taken: Taken<'a>,
    /// Repositories that upstream work blocks; it can only become more while a plan is made.
    blocked: BTreeMap<&'a RepoName, Refusal>,
    /// The machines for a repository and what its labels ask for, as long as nothing is admitted.
    machines: BTreeMap<(&'a RepoName, Vec<&'a str>), Vec<&'a MachineName>>,
    /// Slots of machines that answer.
    free: u32,
    drafts: Drafts,
}

impl<'f, 'a> Rules<'f, 'a> {
    fn new(facts: &'f Facts<'a>, forbidden: &'f [Glob]) -> Self {
        let examiner = Examiner::new(facts.board, facts.policy, facts.candidates, facts.now);
        let present = facts.policy.machines.keys().filter(|it| !facts.is_away(it));
        let free = present.map(|it| examiner.free_slots(it));
        let free = free.fold(0, u32::saturating_add);
        Self {
            facts,
            forbidden,
            examiner,
            guessers: BTreeMap::new(),
            taken: Taken::of(facts.board),
            blocked: BTreeMap::new(),
            machines: BTreeMap::new(),
            free,
            drafts: Drafts::default(),
        }
    }

    /// Admits an issue to the plan. What costs least is asked first: most issues are passed over.
    fn consider(&mut self, it: &Ranked<'a>) -> Result<ProposalDraft, Refusal> {
        let Ranked {
            issue, candidate, ..
        } = *it;
        if let Some(first) = candidate.blocked_by.first() {
            let why = format!("{issue} depends on {first}, which is open");
            return Err(Refusal::new(Rule::Dependency, why).of_issue(issue));
        }
        if let Some(refusal) = self.blocked.get(&issue.repo) {
            return Err(refusal.clone().of_issue(issue));
        }
        let machines = self.machines(issue, candidate);
        let Some(machine) = machines.first() else {
            return Err(self.no_machine(issue, candidate));
        };
        let guess = self.guess(issue, candidate);
        if let Some(holder) = self.taken.holder(&issue.repo, &guess.files) {
            let why = format!("{issue} would change the same files as {holder}");
            return Err(Refusal::new(Rule::FileOverlap, why).of_issue(issue));
        }
        let draft = self.draft(it, machine, machines.len(), guess);
        self.admit(it, draft)
    }

    fn admit(&mut self, it: &Ranked<'a>, draft: ProposalDraft) -> Result<ProposalDraft, Refusal> {
        if let Err(refusal) = self.examiner.admit(&draft) {
            if refusal.rule == Rule::Dependency {
                self.blocked.insert(&it.issue.repo, refusal.clone());
            }
            return Err(refusal);
        }
        self.taken.add(it.issue, &draft.files);
        self.machines.clear();
        self.free = self.free.saturating_sub(1);
        Ok(draft)
    }

    fn machines(&mut self, issue: &'a IssueRef, candidate: &'a Candidate) -> Vec<&'a MachineName> {
        let labels = &candidate.issue.labels;
        let mut kind = needed(labels);
        kind.sort_unstable();
        let (examiner, facts) = (&self.examiner, self.facts);
        let found = self.machines.entry((&issue.repo, kind)).or_insert_with(|| {
            let mut machines = examiner.machines_for(&issue.repo, labels);
            machines.retain(|it| !facts.is_away(it));
            machines
        });
        found.clone()
    }

    fn guess(&mut self, issue: &'a IssueRef, candidate: &Candidate) -> Guess {
        let (facts, forbidden) = (self.facts, self.forbidden);
        let guesser = self.guessers.entry(&issue.repo).or_insert_with(|| {
            let repo = facts.repos.get(&issue.repo)?;
            Some(Guesser::new(repo, forbidden))
        });
        let guess = guesser.as_ref().map(|it| it.guess(&candidate.issue));
        guess.unwrap_or_default()
    }

    fn draft(
        &self,
        it: &Ranked<'a>,
        machine: &MachineName,
        able: usize,
        guess: Guess,
    ) -> ProposalDraft {
        let size = size(&it.candidate.issue, guess.files.len());
        let reasons = Reasons {
            facts: self.facts,
            ranked: it,
            machine,
            free: self.examiner.free_slots(machine),
            able,
            files: &guess.because,
            size,
        };
        ProposalDraft {
            machine: machine.clone(),
            issue: it.issue.clone(),
            rationale: rationale(&reasons),
            files: guess.files,
            notes: None,
            // Label, size and record choose when it is approved, by the same rule as here.
            model: None,
            size: Some(size),
        }
    }

    fn no_machine(&self, issue: &IssueRef, candidate: &Candidate) -> Refusal {
        let needed = needed(&candidate.issue.labels);
        let mut machines = self.facts.policy.machines.values();
        let able = machines.any(|machine| {
            machine.repos.contains(&issue.repo) && needed.iter().all(|it| machine.can(it))
        });
        let refusal = match able {
            true => {
                let why =
                    format!("no machine that {issue} could run on answers and has a free slot");
                Refusal::new(Rule::Slots, why)
            }
            false => {
                let what: BTreeSet<&str> = needed.into_iter().collect();
                let what = what.into_iter().collect::<Vec<_>>().join(", ");
                let what = crate::text::line(&what, 100);
                let why = match what.as_str() {
                    "" => format!("no machine may work on {}", issue.repo),
                    what => format!("{issue} needs {what}: no machine of {} has it", issue.repo),
                };
                Refusal::new(Rule::Capability, why)
            }
        };
        refusal.of_issue(issue)
    }

    fn pass_over(&mut self, refusal: Refusal) {
        if self.drafts.refused.len() < NAMED {
            self.drafts.refused.push(refusal);
        }
    }
}

fn no_slot(facts: &Facts<'_>) -> Refusal {
    if facts.policy.machines.is_empty() {
        let refusal = Refusal::new(Rule::Slots, "no machine is configured");
        return refusal.hint("add one under `machines`");
    }
    let why = "no machine that answers has a free slot";
    Refusal::new(Rule::Slots, why).hint("wait for a worker to end, or raise max_workers")
}
