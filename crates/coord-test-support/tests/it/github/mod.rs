//! The fake GitHub over plain HTTP.

mod access;
mod budget;
mod client;
mod contract;
mod faults;
mod git;
mod issues;
mod pulls;
mod reviews;
mod sub_issues;

use coord_test_support::github::{FakeGithub, RepoHandle};

use client::Client;

/// A server with a repository `acme/widget` and `coord`, who has a token.
struct Stage {
    github: FakeGithub,
    repo: RepoHandle,
    client: Client,
}

impl Stage {
    fn new() -> Self {
        let github = FakeGithub::start_blocking().unwrap();
        github.add_user("coord", "token-of-coord");
        let repo = github.add_repo("acme/widget", None).unwrap();
        let client = Client::new(&github, "token-of-coord");
        Self {
            github,
            repo,
            client,
        }
    }

    /// Fails when a request or an answer was not what GitHub describes.
    fn assert_valid(&self) {
        assert_eq!(self.github.violations(), [""; 0]);
    }
}

/// A path below the repository of the stage.
fn at(rest: &str) -> String {
    format!("/repos/acme/widget{rest}")
}
