//! Checks and commit statuses, which are the same thing to whoever waits for them.

/// What one check says of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The name under which a branch requires it.
    pub name: String,
    /// What it says.
    pub state: CheckState,
    /// Where a person can see more.
    pub url: Option<String>,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It has not ended.
    Pending,
    /// Good: passed, skipped on purpose, or neutral.
    Good,
    /// Bad: failed, cancelled, timed out, or waiting for a person.
    Bad,
}

/// What the base branch requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredChecks {
    /// The names, sorted; none means that nothing is required.
    Known(Vec<String>),
    /// This account may not see it.
    Hidden {
        /// In the forge's words.
        reason: String,
    },
}
