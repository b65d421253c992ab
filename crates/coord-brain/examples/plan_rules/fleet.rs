//! A large fleet, always the same.

use std::collections::BTreeMap;

use coord_brain::{Facts, PastChange, RepoFacts};
use coord_core::ids::{IssueRef, MachineName, RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use coord_core::policy::{MachinePolicy, RepoPolicy};
use coord_core::proposal::{Candidate, Candidates};
use coord_core::{Board, Policy};

const REPOS: usize = 10;
const MACHINES: usize = 20;
const SLOTS: u32 = 2;
const ISSUES: usize = 1000;
const FILES: usize = 5000;
const CHANGES: usize = 500;

const WORDS: [&str; 12] = [
    "cart", "price", "export", "import", "login", "search", "invoice", "session", "report",
    "stock", "address", "shipping",
];

/// What [`Facts`] borrow.
pub(crate) struct Fleet {
    pub(crate) policy: Policy,
    pub(crate) board: Board,
    pub(crate) candidates: Candidates,
    pub(crate) repos: BTreeMap<RepoName, RepoFacts>,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let names: Vec<RepoName> = (0..REPOS).map(|n| format!("repo{n}").into()).collect();
        let repo = |(n, name): (usize, &RepoName)| {
            let depends_on = match n {
                9 => vec![RepoName::from("repo0")],
                _ => Vec::new(),
            };
            let policy = RepoPolicy {
                depends_on,
                default_branch: None,
                shared: false,
                github: None,
            };
            (name.clone(), policy)
        };
        let machine = |n: usize| {
            let capabilities = match n % 4 {
                0 => vec!["docker".to_owned()],
                _ => Vec::new(),
            };
            let policy = MachinePolicy {
                capabilities,
                repos: names.clone(),
                max_workers: SLOTS,
                account: None,
            };
            (MachineName::new(format!("machine{n:02}")), policy)
        };
        Self {
            policy: Policy {
                repos: names.iter().enumerate().map(repo).collect(),
                machines: (0..MACHINES).map(machine).collect(),
                coordinator_only_files: vec!["CHANGELOG.md".to_owned()],
                ..Policy::default()
            },
            board: Board::default(),
            candidates: (0..ISSUES).map(candidate).collect(),
            repos: names
                .iter()
                .map(|name| (name.clone(), repo_facts()))
                .collect(),
        }
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let mut facts = Facts::new(&self.policy, &self.board, &self.candidates, now);
        facts.repos.clone_from(&self.repos);
        facts
    }
}

fn word(n: usize) -> &'static str {
    WORDS.get(n % WORDS.len()).copied().unwrap_or_default()
}

fn file(n: usize) -> String {
    format!("src/{}/{}_{n:04}.rs", word(n), word(n / WORDS.len()))
}

fn candidate(n: usize) -> (IssueRef, Candidate) {
    let number = (n / REPOS) as u64 + 1;
    let issue = IssueRef {
        repo: format!("repo{}", n % REPOS).into(),
        number,
    };
    let (one, other) = (word(n / 3), word(n / 7));
    let labels: &[&str] = match n % 11 {
        0 => &["bug", "P1"],
        1 => &["bug"],
        2 => &["P3"],
        3 => &["needs:docker"],
        _ => &[],
    };
    // Many are about the same few files, as in life.
    let named = match n % 5 {
        0 => file(n % 40),
        1 => format!("`{}`", word(n)),
        _ => String::new(),
    };
    let body = format!(
        "The {one} of {other} is wrong, see {named}.\n\n{}",
        "It should be otherwise, and has not been so for a while. ".repeat(n % 40)
    );
    let blocked_by = (n % 13 == 5).then(|| IssueRef {
        repo: issue.repo.clone(),
        number: number + 1,
    });
    let candidate = Candidate {
        issue: Issue {
            number,
            title: format!("The {one} of the {other} number {n}"),
            body,
            labels: labels.iter().map(|it| (*it).to_owned()).collect(),
            state: IssueState::Open,
            author: "alice".to_owned(),
            trusted: true,
            milestone: None,
            assignees: Vec::new(),
        },
        blocked_by: blocked_by.into_iter().collect(),
    };
    (issue, candidate)
}

fn repo_facts() -> RepoFacts {
    let mut files: Vec<String> = (0..FILES).map(file).collect();
    files.sort_unstable();
    let change = |n: usize| PastChange {
        subject: format!("fix: {} of {} in step {n}", word(n), word(n / 5)),
        files: vec![file(n), file(n + 1), "CHANGELOG.md".to_owned()],
    };
    RepoFacts {
        files,
        changes: (0..CHANGES).map(change).collect(),
        symbols: BTreeMap::new(),
    }
}
