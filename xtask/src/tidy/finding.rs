//! What a tidy check reports: a place and what is wrong with it.

use std::fmt;

/// One breach of a house rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the workspace.
    pub(crate) path: String,
    /// From 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong, and what to do instead.
    pub(crate) message: String,
}

impl Finding {
    /// A finding about one line, counted from 0 as `enumerate` does.
    pub(crate) fn at(path: &str, index: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: index + 1,
            message: message.into(),
        }
    }

    /// A finding about a whole file.
    pub(crate) fn file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}
