//! Why there is no configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::MAX_FILE_BYTES;
use crate::problem::Problem;

/// Why a configuration file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("{} is larger than {} KiB", path.display(), MAX_FILE_BYTES / 1024)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The resolved values could not be written as text.
    #[error("cannot print the configuration")]
    Print(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ConfigError {
    /// What a person can do about it; problems of the text carry their own hints.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("check that the file exists and may be read"),
            Self::TooLarge { .. } => Some("check that --config names a coordinator.yml"),
            Self::Invalid(_) | Self::Print(_) => None,
        }
    }
}

/// Everything that is wrong with a file, in the order of its lines.
///
/// Displays as `FILE:LINE:COLUMN: MESSAGE` with the line and carets for each problem, several
/// lines in all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// The file as it was named.
    pub path: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
    /// How many more there were than are worth showing.
    pub more: usize,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{}:{problem}", self.path.display())?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}
