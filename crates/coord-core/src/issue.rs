//! An issue as the coordinator saw it, and the branch name that follows from it.

use serde::{Deserialize, Serialize};

/// Open or closed on the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    /// Work may be dispatched for it.
    Open,
    /// Done, or given up.
    Closed,
}

/// What the coordinator knows of an issue. Title, body and labels are untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The number in its repository, from 1.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown; may be empty.
    pub body: String,
    /// Label names as the forge spells them.
    pub labels: Vec<String>,
    /// Whether work may be dispatched.
    pub state: IssueState,
    /// The account that opened it.
    pub author: String,
    /// Whether its author may tell the coordinator what to do: issues of others are shown and
    /// never dispatched by themselves.
    pub trusted: bool,
    /// The milestone that it belongs to, where the forge has such.
    pub milestone: Option<String>,
    /// The accounts that it is assigned to.
    pub assignees: Vec<String>,
}

/// The branch of an assignment for issue `number`: `issue-{N}-{slug}`.
///
/// The slug is the title in lower case with every run of characters other than `[a-z0-9]` turned
/// into one `-`, at most 40 characters, without `-` at either end (PROTOCOL of the agent, 0.1.0).
/// A title without any such character gives `issue-{N}`.
#[must_use]
pub fn branch_name(number: u64, title: &str) -> String {
    let mut slug = String::with_capacity(40);
    for c in title.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 40 {
            break;
        }
    }
    match slug.trim_matches('-') {
        "" => format!("issue-{number}"),
        slug => format!("issue-{number}-{slug}"),
    }
}
