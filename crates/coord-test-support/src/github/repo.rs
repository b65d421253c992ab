//! The state of one repository.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::git::Bare;

/// A repository, its issues and pull requests, and what its owners set.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) default_branch: String,
    pub(crate) git: Bare,
    pub(crate) last_number: u64,
    /// Issues and pull requests by their number.
    pub(crate) threads: BTreeMap<u64, Thread>,
    pub(crate) labels: BTreeMap<String, u64>,
    pub(crate) milestones: BTreeMap<u64, Milestone>,
    /// By login in lower case.
    pub(crate) associations: BTreeMap<String, String>,
    /// Logins in lower case that cannot see it.
    pub(crate) hidden_from: BTreeSet<String>,
    pub(crate) checks: Vec<Check>,
    pub(crate) statuses: Vec<Status>,
    /// Required checks by branch, from branch protection.
    pub(crate) protection: BTreeMap<String, Vec<String>>,
    /// Required checks by branch, from rulesets.
    pub(crate) rulesets: BTreeMap<String, Vec<String>>,
    /// Whether branch protection answers 403.
    pub(crate) protection_hidden: bool,
    /// What somebody pushes around the next merge.
    pub(crate) pushes: Vec<(Moment, Push)>,
}

/// When somebody pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When a merge has been asked for and nothing has been looked at.
    BeforeMerge,
    /// When the merge is made and the base has not moved to it.
    DuringMerge,
}

/// One file on a branch.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) branch: String,
    pub(crate) path: String,
    pub(crate) content: String,
}

/// An issue, or a pull request when `pull` is there.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) author: String,
    pub(crate) labels: Vec<String>,
    pub(crate) assignees: Vec<String>,
    pub(crate) milestone: Option<u64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) closed: Option<Closed>,
    pub(crate) state_reason: Option<String>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) pull: Option<Pull>,
    /// Ids, in order: they may be in another repository of the owner.
    pub(crate) sub_issues: Vec<u64>,
    /// What the body becomes when the issue has been shown the next time.
    pub(crate) edit: Option<String>,
}

/// When and by whom something was closed.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) at: i64,
    pub(crate) by: String,
}

/// A comment on an issue or a pull request.
#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Milestone {
    pub(crate) id: u64,
    pub(crate) title: String,
}

/// What a pull request has beyond an issue.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) id: u64,
    pub(crate) head: String,
    pub(crate) base: String,
    /// Follows the branch while the pull request is open.
    pub(crate) head_sha: String,
    /// The base branch when the head last moved; GitHub does not follow the base either.
    pub(crate) base_sha: String,
    /// The base branch just before the merge.
    pub(crate) merged_onto: Option<String>,
    pub(crate) merge_sha: Option<String>,
    pub(crate) draft: bool,
    pub(crate) reviewers: Vec<String>,
    pub(crate) reviews: Vec<Review>,
    /// Head and base for which mergeability was asked.
    pub(crate) considered: Option<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Review {
    pub(crate) id: u64,
    pub(crate) author: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) commit: String,
    pub(crate) submitted: i64,
    pub(crate) comments: Vec<ReviewComment>,
}

#[derive(Debug, Clone)]
pub(crate) struct ReviewComment {
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) line: u64,
    pub(crate) side: String,
    pub(crate) start_line: Option<u64>,
}

/// A check run.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) id: u64,
    pub(crate) sha: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) at: i64,
}

/// A commit status.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) id: u64,
    pub(crate) sha: String,
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) at: i64,
}

impl Repo {
    pub(crate) fn new(id: u64, owner: &str, name: &str, git: Bare) -> Self {
        Self {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            private: true,
            default_branch: "main".to_owned(),
            git,
            last_number: 0,
            threads: BTreeMap::new(),
            labels: BTreeMap::new(),
            milestones: BTreeMap::new(),
            associations: BTreeMap::new(),
            hidden_from: BTreeSet::new(),
            checks: Vec::new(),
            statuses: Vec::new(),
            protection: BTreeMap::new(),
            rulesets: BTreeMap::new(),
            protection_hidden: false,
            pushes: Vec::new(),
        }
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Labels come into being when they are used.
    pub(crate) fn know_labels(&mut self, labels: &[String], mut next_id: impl FnMut() -> u64) {
        for label in labels {
            self.labels
                .entry(label.clone())
                .or_insert_with(&mut next_id);
        }
    }

    /// Required checks of a branch, from wherever.
    pub(crate) fn required_checks(&self, branch: &str) -> BTreeSet<String> {
        let protection = self.protection.get(branch).into_iter().flatten();
        let rules = self.rulesets.get(branch).into_iter().flatten();
        protection.chain(rules).cloned().collect()
    }

    /// Pushes what was to be pushed at this moment.
    pub(crate) fn push_what_comes(&mut self, moment: Moment, now: i64) -> Result<()> {
        let of = |(when, _): &mut (Moment, Push)| *when == moment;
        for (_, push) in self.pushes.extract_if(.., of) {
            let message = format!("Change {}", push.path);
            self.git
                .commit_file(&push.branch, &push.path, &push.content, &message)?;
        }
        self.follow_branches(now)
    }

    /// Lets open pull requests follow their branches, and closes those whose branch is gone.
    pub(crate) fn follow_branches(&mut self, now: i64) -> Result<()> {
        if !self.threads.values().any(Thread::is_open_pull) {
            return Ok(());
        }
        let tips = self.git.branches()?;
        for thread in self
            .threads
            .values_mut()
            .filter(|thread| thread.is_open_pull())
        {
            thread.follow(&tips, &self.git, now)?;
        }
        Ok(())
    }
}

impl Thread {
    pub(crate) fn new(id: u64, number: u64, title: &str, author: &str, now: i64) -> Self {
        Self {
            id,
            number,
            title: title.to_owned(),
            body: None,
            author: author.to_owned(),
            labels: Vec::new(),
            assignees: Vec::new(),
            milestone: None,
            created: now,
            updated: now,
            closed: None,
            state_reason: None,
            comments: Vec::new(),
            pull: None,
            sub_issues: Vec::new(),
            edit: None,
        }
    }

    pub(crate) fn is_open_pull(&self) -> bool {
        self.pull.is_some() && self.closed.is_none()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.closed.is_some() {
            "closed"
        } else {
            "open"
        }
    }

    pub(crate) fn close(&mut self, at: i64, by: &str) {
        if self.closed.is_none() {
            self.updated = at;
            self.closed = Some(Closed {
                at,
                by: by.to_owned(),
            });
        }
    }

    pub(crate) fn reopen(&mut self, at: i64) {
        if self.closed.take().is_some() {
            self.updated = at;
        }
    }

    fn follow(&mut self, tips: &BTreeMap<String, String>, git: &Bare, now: i64) -> Result<()> {
        let author = self.author.clone();
        let (Some(pull), number) = (self.pull.as_mut(), self.number) else {
            return Ok(());
        };
        let Some(tip) = tips.get(&pull.head) else {
            self.close(now, &author);
            return Ok(());
        };
        if *tip != pull.head_sha {
            pull.head_sha.clone_from(tip);
            if let Some(base) = tips.get(&pull.base) {
                pull.base_sha.clone_from(base);
            }
            self.updated = now;
            git.keep_head(number, tip)?;
        }
        Ok(())
    }
}
