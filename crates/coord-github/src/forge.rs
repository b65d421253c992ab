//! The forge of one repository on GitHub: what the trait asks for, in GitHub's requests.
//!
//! How a request travels (credentials, rate limits, cache, repetition) is the connection's.

use async_trait::async_trait;
use coord_core::ids::{CommitId, Timestamp};
use coord_core::issue::Issue;
use coord_forge::{
    BranchRef, ChangedFile, Check, Comment, Comparison, Forge, ForgeError, MergeOutcome, NewIssue,
    NewPull, NewReview, OpenList, Pull, PullMerge, RequiredChecks, Review, SubIssueLink,
};

use crate::Github;
use crate::client::{Connection, escape_segment};

mod checks;
mod comments;
mod found;
mod issues;
mod limits;
mod merge;
mod message;
mod opening;
mod pulls;
mod refs;
mod required;
mod reviews;
mod sub_issues;
mod trust;

/// One repository on GitHub.
#[derive(Debug, Clone)]
pub struct GithubForge {
    github: Github,
    /// `owner/name`.
    full_name: String,
}

impl GithubForge {
    pub(crate) fn new(github: Github, full_name: &str) -> Self {
        Self {
            github,
            full_name: full_name.to_owned(),
        }
    }

    fn connection(&self) -> &Connection {
        self.github.connection()
    }

    /// The account or organisation that the repository belongs to.
    fn owner(&self) -> &str {
        self.full_name
            .split_once('/')
            .map_or(self.full_name.as_str(), |(owner, _)| owner)
    }

    /// Below the repository; `rest` starts with `/` or is empty.
    fn route(&self, rest: &str) -> String {
        let name: Vec<String> = self.full_name.split('/').map(escape_segment).collect();
        format!("/repos/{}{rest}", name.join("/"))
    }

    fn issue_route(&self, number: u64, rest: &str) -> String {
        self.route(&format!("/issues/{number}{rest}"))
    }

    fn pull_route(&self, number: u64, rest: &str) -> String {
        self.route(&format!("/pulls/{number}{rest}"))
    }

    /// For messages, e.g. `issue acme/api#7`.
    fn issue_name(&self, number: u64) -> String {
        format!("issue {}#{number}", self.full_name)
    }

    /// For messages, e.g. `pull request acme/api#7`.
    fn pull_name(&self, number: u64) -> String {
        format!("pull request {}#{number}", self.full_name)
    }
}

#[async_trait]
impl Forge for GithubForge {
    async fn open_list(&self) -> Result<OpenList, ForgeError> {
        issues::open(self).await
    }

    async fn issue(&self, number: u64) -> Result<Option<Issue>, ForgeError> {
        issues::find(self, number).await
    }

    async fn create_issue(&self, new: NewIssue) -> Result<Issue, ForgeError> {
        opening::create(self, new).await
    }

    async fn sub_issues(&self, parent: u64) -> Result<Option<Vec<u64>>, ForgeError> {
        sub_issues::of_issue(self, parent).await
    }

    async fn add_sub_issue(&self, parent: u64, child: u64) -> Result<SubIssueLink, ForgeError> {
        sub_issues::add(self, parent, child).await
    }

    async fn write_section(
        &self,
        number: u64,
        section: &str,
        text: &str,
    ) -> Result<(), ForgeError> {
        issues::write_section(self, number, section, text).await
    }

    async fn close_issue(&self, number: u64, note: Option<&str>) -> Result<(), ForgeError> {
        issues::close(self, number, note).await
    }

    async fn label_issue(
        &self,
        number: u64,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ForgeError> {
        issues::label(self, number, add, remove).await
    }

    async fn comments(
        &self,
        number: u64,
        since: Option<Timestamp>,
    ) -> Result<Vec<Comment>, ForgeError> {
        comments::of_issue(self, number, since).await
    }

    async fn recent_comments(
        &self,
        since: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(u64, Comment)>, ForgeError> {
        comments::recent(self, since, limit).await
    }

    async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        comments::create(self, number, body).await
    }

    async fn edit_comment(&self, id: u64, body: &str) -> Result<(), ForgeError> {
        comments::edit(self, id, body).await
    }

    async fn default_branch(&self) -> Result<String, ForgeError> {
        refs::default_branch(self).await
    }

    async fn branch_head(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        refs::head(self, branch).await
    }

    async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError> {
        refs::with_prefix(self, prefix).await
    }

    async fn compare(&self, base: &str, head: &str) -> Result<Comparison, ForgeError> {
        refs::compare(self, base, head).await
    }

    async fn pull_for_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        pulls::for_branch(self, branch).await
    }

    async fn open_pull(&self, new: NewPull) -> Result<Pull, ForgeError> {
        pulls::open(self, new).await
    }

    async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError> {
        pulls::find(self, number).await
    }

    async fn pull_files(&self, number: u64) -> Result<Vec<ChangedFile>, ForgeError> {
        pulls::files(self, number).await
    }

    async fn pull_diff(&self, number: u64) -> Result<String, ForgeError> {
        pulls::diff(self, number).await
    }

    async fn merge_pull(&self, number: u64, merge: &PullMerge) -> Result<MergeOutcome, ForgeError> {
        merge::merge(self, number, merge).await
    }

    async fn request_reviewers(&self, number: u64, accounts: &[String]) -> Result<(), ForgeError> {
        reviews::request(self, number, accounts).await
    }

    async fn create_review(&self, number: u64, review: &NewReview) -> Result<Review, ForgeError> {
        reviews::create(self, number, review).await
    }

    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        reviews::of_pull(self, number).await
    }

    async fn checks(&self, commit: &CommitId) -> Result<Vec<Check>, ForgeError> {
        checks::of_commit(self, commit).await
    }

    async fn required_checks(&self, base: &str) -> Result<RequiredChecks, ForgeError> {
        required::for_base(self, base).await
    }
}
