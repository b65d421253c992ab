//! A repository of the fake as a test sees and seeds it, beside the API.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::git::Bare;
use super::repo::{Check, Comment, Milestone, Moment, Pull, Push, Repo, Review, Status, Thread};
use super::server::Shared;
use super::world::{World, stamp};

/// One repository; cheap to clone.
///
/// Methods that name a repository, an issue or a pull request that is not there change nothing and
/// answer with nothing: the assertion that follows shows it.
#[derive(Debug, Clone)]
pub struct RepoHandle {
    shared: Shared,
    key: String,
}

/// An issue, or a pull request as an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeIssue {
    /// Its id, which is not its number.
    pub id: u64,
    /// E.g. 12 of `#12`.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its body; empty when there is none.
    pub body: String,
    /// Who opened it.
    pub author: String,
    /// In the order in which they were added.
    pub labels: Vec<String>,
    /// Logins.
    pub assignees: Vec<String>,
    /// The milestone's title.
    pub milestone: Option<String>,
    /// Whether it is open.
    pub open: bool,
    /// E.g. `completed`.
    pub state_reason: Option<String>,
    /// Whether it is a pull request.
    pub is_pull: bool,
}

/// A comment on an issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeComment {
    /// Rises from comment to comment.
    pub id: u64,
    /// The issue it is on.
    pub issue: u64,
    /// A login.
    pub author: String,
    /// As it was given.
    pub body: String,
    /// E.g. `2026-01-01T00:00:00Z`.
    pub created_at: String,
    /// The same when it was never changed.
    pub updated_at: String,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakePull {
    /// E.g. 12 of `#12`.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its body; empty when there is none.
    pub body: String,
    /// Who opened it.
    pub author: String,
    /// The branch with the changes.
    pub head: String,
    /// The branch that they are for.
    pub base: String,
    /// The commit of `head`; frozen when it is closed.
    pub head_sha: String,
    /// Whether it is open.
    pub open: bool,
    /// The commit that the merge made.
    pub merge_sha: Option<String>,
    /// Logins whose review was asked for and has not come.
    pub reviewers: Vec<String>,
    /// The oldest first.
    pub reviews: Vec<FakeReview>,
}

/// A review of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeReview {
    /// Its id.
    pub id: u64,
    /// A login.
    pub author: String,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` or `PENDING`.
    pub state: String,
    /// What it says as a whole.
    pub body: String,
    /// The commit that was reviewed.
    pub commit: String,
    /// What it says on lines.
    pub comments: Vec<FakeReviewComment>,
}

/// A comment of a review on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeReviewComment {
    /// The file.
    pub path: String,
    /// The last line it is on.
    pub line: u64,
    /// `LEFT` or `RIGHT`.
    pub side: String,
    /// The first line, when it is on several.
    pub start_line: Option<u64>,
    /// What it says.
    pub body: String,
}

impl RepoHandle {
    pub(super) fn new(shared: Shared, full_name: &str) -> Self {
        Self {
            shared,
            key: full_name.to_lowercase(),
        }
    }

    pub(super) fn world<T>(&self, with: impl FnOnce(&mut World, &str) -> T) -> T {
        with(&mut self.shared.lock(), &self.key)
    }

    fn read<T: Default>(&self, read: impl FnOnce(&Repo) -> T) -> T {
        let world = self.shared.lock();
        world.repos.get(&self.key).map(read).unwrap_or_default()
    }

    pub(super) fn change<T: Default>(&self, change: impl FnOnce(&mut Repo) -> T) -> T {
        let mut world = self.shared.lock();
        world
            .repos
            .get_mut(&self.key)
            .map(change)
            .unwrap_or_default()
    }

    fn change_thread(&self, number: u64, change: impl FnOnce(&mut Thread, i64)) {
        let now = self.shared.lock().now();
        self.change(|repo| {
            if let Some(thread) = repo.threads.get_mut(&number) {
                thread.updated = now;
                change(thread, now);
            }
        });
    }

    /// Opens an issue and returns its number.
    pub fn open_issue(&self, title: &str, body: &str, labels: &[&str], author: &str) -> u64 {
        let mut world = self.shared.lock();
        let now = world.now();
        open(&mut world, &self.key, title, body, labels, author, now)
    }

    /// Comments on an issue or a pull request and returns the comment's id.
    pub fn comment(&self, number: u64, author: &str, body: &str) -> u64 {
        let id = self.shared.lock().next_id();
        self.change_thread(number, |thread, now| {
            thread.comments.push(comment(id, author, body, now));
        });
        id
    }

    /// Opens `issues` issues by `author` with `comments` comments each, a second apart, the last
    /// one now; returns the first number.
    pub fn seed(&self, issues: u64, comments: u64, author: &str) -> u64 {
        let mut world = self.shared.lock();
        let start = world.now() - i64::try_from(issues * (comments + 1)).unwrap_or(0);
        let mut first = 0;
        let mut at = start;
        for index in 0..issues {
            at += 1;
            let (title, body) = (
                format!("Issue {index}"),
                format!("The body of issue {index}."),
            );
            let number = open(
                &mut world,
                &self.key,
                &title,
                &body,
                &["seeded"],
                author,
                at,
            );
            first = if index == 0 { number } else { first };
            for said in 0..comments {
                at += 1;
                let id = world.next_id();
                let text = format!("Comment {said} on issue {index}.");
                let thread = world.repos.get_mut(&self.key);
                if let Some(thread) = thread.and_then(|repo| repo.threads.get_mut(&number)) {
                    thread.comments.push(comment(id, author, &text, at));
                    thread.updated = at;
                }
            }
        }
        first
    }

    /// Closes an issue or a pull request as somebody.
    pub fn close_issue(&self, number: u64, by: &str) {
        let by = by.to_owned();
        self.change_thread(number, |thread, now| {
            thread.close(now, &by);
            thread.state_reason = Some("completed".to_owned());
        });
    }

    /// Opens it again.
    pub fn reopen_issue(&self, number: u64) {
        self.change_thread(number, |thread, now| thread.reopen(now));
    }

    /// Replaces title and body.
    pub fn edit_issue(&self, number: u64, title: &str, body: &str) {
        self.change_thread(number, |thread, _| {
            thread.title = title.to_owned();
            thread.body = Some(body.to_owned());
        });
    }

    /// Somebody replaces the body just after the issue was shown the next time.
    pub fn edit_after_look(&self, number: u64, body: &str) {
        self.change_thread(number, |thread, _| thread.edit = Some(body.to_owned()));
    }

    /// Replaces the text of a comment.
    pub fn edit_comment(&self, id: u64, body: &str) {
        let now = self.shared.lock().now();
        self.change(|repo| {
            let comments = repo
                .threads
                .values_mut()
                .flat_map(|thread| &mut thread.comments);
            for comment in comments.filter(|comment| comment.id == id) {
                comment.body = body.to_owned();
                comment.updated = now;
            }
        });
    }

    /// Replaces the assignees.
    pub fn assign(&self, number: u64, logins: &[&str]) {
        self.change_thread(number, |thread, _| thread.assignees = owned(logins));
    }

    /// Replaces the labels.
    pub fn label(&self, number: u64, labels: &[&str]) {
        let mut world = self.shared.lock();
        know_labels(&mut world, &self.key, &owned(labels));
        drop(world);
        self.change_thread(number, |thread, _| thread.labels = owned(labels));
    }

    /// Puts an issue into a milestone, which is made when it is not there.
    pub fn set_milestone(&self, number: u64, title: &str) {
        let id = self.shared.lock().next_id();
        let milestone = self.change(|repo| {
            let known = repo
                .milestones
                .iter()
                .find(|(_, known)| known.title == title);
            if let Some((number, _)) = known {
                return *number;
            }
            let number = repo.milestones.keys().last().copied().unwrap_or_default() + 1;
            let title = title.to_owned();
            repo.milestones.insert(number, Milestone { id, title });
            number
        });
        self.change_thread(number, |thread, _| thread.milestone = Some(milestone));
    }

    /// One issue, or pull request as an issue.
    #[must_use]
    pub fn issue(&self, number: u64) -> Option<FakeIssue> {
        self.issues()
            .into_iter()
            .find(|issue| issue.number == number)
    }

    /// Every issue and pull request in order of number, closed ones too.
    #[must_use]
    pub fn issues(&self) -> Vec<FakeIssue> {
        self.read(|repo| {
            repo.threads
                .values()
                .map(|thread| show_issue(repo, thread))
                .collect()
        })
    }

    /// The comments on an issue, the oldest first.
    #[must_use]
    pub fn comments(&self, number: u64) -> Vec<FakeComment> {
        self.read(|repo| {
            let comments = repo
                .threads
                .get(&number)
                .map(|thread| thread.comments.iter());
            let comments = comments.into_iter().flatten();
            comments
                .map(|comment| show_comment(number, comment))
                .collect()
        })
    }

    /// Every pull request in order of number, closed ones too.
    #[must_use]
    pub fn pulls(&self) -> Vec<FakePull> {
        let now = self.shared.lock().now();
        self.change(|repo| {
            // Without git nothing has moved either.
            let _ = repo.follow_branches(now);
            let threads = repo.threads.values();
            threads
                .filter_map(|thread| Some(show_pull(thread, thread.pull.as_ref()?)))
                .collect()
        })
    }

    /// Opens a pull request as somebody and returns its number.
    ///
    /// # Errors
    /// When a branch is missing or git fails.
    pub fn open_pull(&self, title: &str, head: &str, base: &str, author: &str) -> Result<u64> {
        let mut world = self.shared.lock();
        let (id, pull, now) = (world.next_id(), world.next_id(), world.now());
        let repo = world
            .repos
            .get_mut(&self.key)
            .context("there is no such repository")?;
        let tip = |branch: &str| {
            repo.git
                .tip(branch)?
                .with_context(|| format!("no {branch}"))
        };
        let pull = Pull {
            id: pull,
            head: head.to_owned(),
            base: base.to_owned(),
            head_sha: tip(head)?,
            base_sha: tip(base)?,
            merged_onto: None,
            merge_sha: None,
            draft: false,
            reviewers: Vec::new(),
            reviews: Vec::new(),
            considered: None,
        };
        let number = repo.next_number();
        repo.git.keep_head(number, &pull.head_sha)?;
        let mut thread = Thread::new(id, number, title, author, now);
        thread.pull = Some(pull);
        repo.threads.insert(number, thread);
        Ok(number)
    }

    /// Puts a check run on a commit; the newest of a name counts.
    pub fn set_check(&self, sha: &str, name: &str, status: &str, conclusion: Option<&str>) {
        let mut world = self.shared.lock();
        let (id, at) = (world.next_id(), world.now());
        let check = Check {
            id,
            sha: sha.to_owned(),
            name: name.to_owned(),
            status: status.to_owned(),
            conclusion: conclusion.map(str::to_owned),
            at,
        };
        drop(world);
        self.change(|repo| repo.checks.push(check));
    }

    /// Puts a commit status on a commit; the newest of a context counts.
    pub fn set_status(&self, sha: &str, context: &str, state: &str) {
        let mut world = self.shared.lock();
        let (id, at) = (world.next_id(), world.now());
        let status = Status {
            id,
            sha: sha.to_owned(),
            context: context.to_owned(),
            state: state.to_owned(),
            at,
        };
        drop(world);
        self.change(|repo| repo.statuses.push(status));
    }

    /// Protects a branch; with no `contexts` no checks are required.
    pub fn protect(&self, branch: &str, contexts: &[&str]) {
        self.change(|repo| repo.protection.insert(branch.to_owned(), owned(contexts)));
    }

    /// A ruleset that requires checks on a branch.
    pub fn ruleset(&self, branch: &str, contexts: &[&str]) {
        self.change(|repo| repo.rulesets.insert(branch.to_owned(), owned(contexts)));
    }

    /// Branch protection answers 403 from now on: only administrators may read it.
    pub fn hide_protection(&self) {
        self.change(|repo| repo.protection_hidden = true);
    }

    /// The repository is not there (404) for somebody.
    pub fn hide_from(&self, login: &str) {
        self.change(|repo| repo.hidden_from.insert(login.to_lowercase()));
    }

    /// Whether it is private, which it is when nothing is said.
    pub fn set_private(&self, private: bool) {
        self.change(|repo| repo.private = private);
    }

    /// Makes another branch the default one.
    pub fn set_default_branch(&self, branch: &str) {
        self.change(|repo| repo.default_branch = branch.to_owned());
    }

    /// The bare repository.
    #[must_use]
    pub fn git_path(&self) -> PathBuf {
        self.read(|repo| repo.git.path().to_path_buf())
    }

    /// Commits one file on a branch of the bare repository, as if somebody had pushed it, and
    /// returns the commit. A branch that is not there begins at `main`.
    ///
    /// # Errors
    /// When git fails.
    pub fn push_file(&self, branch: &str, path: &str, content: &str) -> Result<String> {
        let message = format!("Change {path}");
        self.git()?.commit_file(branch, path, content, &message)
    }

    /// The same by somebody else at the worst moment: when the next merge has been asked for, and
    /// GitHub has not looked at anything.
    pub fn push_before_merge(&self, branch: &str, path: &str, content: &str) {
        self.push_at(Moment::BeforeMerge, branch, path, content);
    }

    /// The same a little later: GitHub has made the commit of the next merge, and the base is about
    /// to move to it.
    pub fn push_during_merge(&self, branch: &str, path: &str, content: &str) {
        self.push_at(Moment::DuringMerge, branch, path, content);
    }

    fn push_at(&self, moment: Moment, branch: &str, path: &str, content: &str) {
        let push = Push {
            branch: branch.to_owned(),
            path: path.to_owned(),
            content: content.to_owned(),
        };
        self.change(|repo| repo.pushes.push((moment, push)));
    }

    /// The commit of a branch.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn branch(&self, name: &str) -> Result<Option<String>> {
        self.git()?.tip(name)
    }

    /// Deletes a branch; an open pull request of it is closed by that.
    ///
    /// # Errors
    /// When git fails.
    pub fn delete_branch(&self, name: &str) -> Result<()> {
        self.git()?.delete_branch(name)
    }

    fn git(&self) -> Result<Bare> {
        let world = self.shared.lock();
        let repo = world.repos.get(&self.key);
        repo.map(|repo| repo.git.clone())
            .context("there is no such repository")
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn know_labels(world: &mut World, key: &str, labels: &[String]) {
    let mut last = world.last_id;
    if let Some(repo) = world.repos.get_mut(key) {
        repo.know_labels(labels, || {
            last += 1;
            last
        });
    }
    world.last_id = last;
}

fn open(
    world: &mut World,
    key: &str,
    title: &str,
    body: &str,
    labels: &[&str],
    author: &str,
    at: i64,
) -> u64 {
    let labels = owned(labels);
    know_labels(world, key, &labels);
    let id = world.next_id();
    let Some(repo) = world.repos.get_mut(key) else {
        return 0;
    };
    let number = repo.next_number();
    let mut thread = Thread::new(id, number, title, author, at);
    thread.body = Some(body.to_owned());
    thread.labels = labels;
    repo.threads.insert(number, thread);
    number
}

fn comment(id: u64, author: &str, body: &str, at: i64) -> Comment {
    Comment {
        id,
        author: author.to_owned(),
        body: body.to_owned(),
        created: at,
        updated: at,
    }
}

fn show_issue(repo: &Repo, thread: &Thread) -> FakeIssue {
    let milestone = thread
        .milestone
        .and_then(|number| repo.milestones.get(&number));
    FakeIssue {
        id: thread.id,
        number: thread.number,
        title: thread.title.clone(),
        body: thread.body.clone().unwrap_or_default(),
        author: thread.author.clone(),
        labels: thread.labels.clone(),
        assignees: thread.assignees.clone(),
        milestone: milestone.map(|milestone| milestone.title.clone()),
        open: thread.closed.is_none(),
        state_reason: thread.state_reason.clone(),
        is_pull: thread.pull.is_some(),
    }
}

fn show_comment(issue: u64, comment: &Comment) -> FakeComment {
    FakeComment {
        id: comment.id,
        issue,
        author: comment.author.clone(),
        body: comment.body.clone(),
        created_at: stamp(comment.created),
        updated_at: stamp(comment.updated),
    }
}

fn show_pull(thread: &Thread, pull: &Pull) -> FakePull {
    FakePull {
        number: thread.number,
        title: thread.title.clone(),
        body: thread.body.clone().unwrap_or_default(),
        author: thread.author.clone(),
        head: pull.head.clone(),
        base: pull.base.clone(),
        head_sha: pull.head_sha.clone(),
        open: thread.closed.is_none(),
        merge_sha: pull.merge_sha.clone(),
        reviewers: pull.reviewers.clone(),
        reviews: pull.reviews.iter().map(show_review).collect(),
    }
}

fn show_review(review: &Review) -> FakeReview {
    let comment = |comment: &super::repo::ReviewComment| FakeReviewComment {
        path: comment.path.clone(),
        line: comment.line,
        side: comment.side.clone(),
        start_line: comment.start_line,
        body: comment.body.clone(),
    };
    FakeReview {
        id: review.id,
        author: review.author.clone(),
        state: review.state.clone(),
        body: review.body.clone(),
        commit: review.commit.clone(),
        comments: review.comments.iter().map(comment).collect(),
    }
}
