//! A fleet with issues, put together in a few words.

use std::collections::BTreeMap;

use coord_brain::{Facts, PastChange, RepoFacts};
use coord_core::assignment::{FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::{AssignRequest, ClaimEvidence, Rule, WhenBlocked};
use coord_core::ids::{AssignmentId, IssueRef, MachineName, RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use coord_core::ladder::TrackRecord;
use coord_core::policy::{MachinePolicy, RepoPolicy};
use coord_core::proposal::{Candidate, Candidates, Examiner, ProposalDraft};
use coord_core::{Board, Command, Policy, Recorded, Refusal, decide};

/// 2026-01-01.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) board: Board,
    pub(crate) candidates: Candidates,
    pub(crate) repos: BTreeMap<RepoName, RepoFacts>,
}

pub(crate) fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|it| (*it).to_owned()).collect()
}

pub(crate) fn issue_ref(repo: &str, number: u64) -> IssueRef {
    IssueRef {
        repo: repo.into(),
        number,
    }
}

/// `shop#7`.
pub(crate) fn parsed(text: &str) -> IssueRef {
    let (repo, number) = text.split_once('#').unwrap();
    issue_ref(repo, number.parse().unwrap())
}

pub(crate) fn issue(number: u64, title: &str, body: &str, labels: &[&str]) -> Issue {
    Issue {
        number,
        title: title.to_owned(),
        body: body.to_owned(),
        labels: strings(labels),
        state: IssueState::Open,
        author: "alice".to_owned(),
        trusted: true,
        milestone: None,
        assignees: Vec::new(),
    }
}

impl World {
    /// `shop` on top of `lib`, and `docs`; `desk` has one slot and `rack`, with docker, two.
    pub(crate) fn new() -> Self {
        Self::default()
            .repo("lib", &[])
            .repo("shop", &["lib"])
            .repo("docs", &[])
            .machine("desk", 1, &[])
            .machine("rack", 2, &["docker"])
    }

    pub(crate) fn repo(mut self, name: &str, depends_on: &[&str]) -> Self {
        let repo = RepoPolicy {
            depends_on: depends_on.iter().map(|it| RepoName::from(*it)).collect(),
            default_branch: None,
            shared: false,
            github: None,
        };
        self.policy.repos.insert(name.into(), repo);
        for machine in self.policy.machines.values_mut() {
            machine.repos.push(name.into());
        }
        self
    }

    /// One that may work on every repository that there is.
    pub(crate) fn machine(mut self, name: &str, max_workers: u32, capabilities: &[&str]) -> Self {
        let machine = MachinePolicy {
            capabilities: strings(capabilities),
            repos: self.policy.repos.keys().cloned().collect(),
            max_workers,
            account: None,
        };
        self.policy.machines.insert(name.into(), machine);
        self
    }

    pub(crate) fn issue(self, at: &str, title: &str, body: &str, labels: &[&str]) -> Self {
        let it = parsed(at);
        let issue = issue(it.number, title, body, labels);
        self.candidate(it, issue)
    }

    pub(crate) fn candidate(mut self, at: IssueRef, issue: Issue) -> Self {
        let candidate = Candidate {
            issue,
            blocked_by: Vec::new(),
        };
        self.candidates.insert(at, candidate);
        self
    }

    pub(crate) fn blocked(mut self, at: &str, by: &[&str]) -> Self {
        let candidate = self.candidates.get_mut(&parsed(at)).unwrap();
        candidate.blocked_by = by.iter().map(|it| parsed(it)).collect();
        self
    }

    pub(crate) fn files(mut self, repo: &str, files: &[&str]) -> Self {
        let facts = self.repos.entry(repo.into()).or_default();
        facts.files = strings(files);
        facts.files.sort();
        self
    }

    pub(crate) fn change(mut self, repo: &str, subject: &str, files: &[&str]) -> Self {
        let facts = self.repos.entry(repo.into()).or_default();
        facts.changes.push(PastChange {
            subject: subject.to_owned(),
            files: strings(files),
        });
        self
    }

    /// A worker at work on an issue.
    pub(crate) fn active(mut self, n: u64, at: &str, machine: &str, files: &[&str]) -> Self {
        let it = parsed(at);
        let request = AssignRequest {
            id: AssignmentId::from_bits(n),
            machine: Some(machine.into()),
            repo: it.repo.clone(),
            issue: issue(it.number, "What is under way", "", &[]),
            model: None,
            briefing: None,
            scope: FileScope {
                allowed: strings(files),
                forbidden: Vec::new(),
            },
            evidence: ClaimEvidence::branches(Vec::new()),
            when_blocked: WhenBlocked::Refuse,
            waivers: Waivers::default(),
            goal: Goal::Merged,
            freshness: FreshnessRule::default(),
            proposal: None,
            notes: None,
            size: None,
            blocked_by: Vec::new(),
            record: TrackRecord::default(),
        };
        let decision = decide(
            &self.board,
            &self.policy,
            &Command::Assign(Box::new(request)),
            NOW,
        );
        assert_eq!(decision.refusal, None);
        for event in decision.events {
            let seq = self.board.seq + 1;
            self.board.apply(&Recorded {
                seq,
                at: NOW,
                event,
            });
        }
        self
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        let mut facts = Facts::new(&self.policy, &self.board, &self.candidates, NOW);
        facts.repos.clone_from(&self.repos);
        facts
    }

    pub(crate) fn examiner(&self) -> Examiner<'_> {
        Examiner::new(&self.board, &self.policy, &self.candidates, NOW)
    }
}

/// "shop#7 on rack".
pub(crate) fn placed(drafts: &[ProposalDraft]) -> Vec<String> {
    let placed = |it: &ProposalDraft| format!("{} on {}", it.issue, it.machine);
    drafts.iter().map(placed).collect()
}

/// "shop#7: file_overlap".
pub(crate) fn rules_of(refused: &[Refusal]) -> Vec<(String, Rule)> {
    let issue = |it: &Refusal| it.issue.as_ref().map(ToString::to_string);
    refused
        .iter()
        .map(|it| (issue(it).unwrap_or_default(), it.rule))
        .collect()
}

pub(crate) fn machine(name: &str) -> MachineName {
    name.into()
}
