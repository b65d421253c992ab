//! The one line in which a stage says how the start went.

use std::fmt;

/// How the start of a worker went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// The worker runs and `run.json` is written.
    Started,
    /// Another supervisor holds this folder; nothing was done.
    Held,
    /// A worker was started here before; nothing was done.
    AlreadyStarted,
    /// It could not be started.
    Failed {
        /// What to do about it depends on this.
        kind: FailureKind,
        /// One line for a person.
        message: String,
    },
}

/// What a failed start failed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The worker's program does not exist or cannot be executed.
    Program,
    /// The worker's working folder does not exist or is none.
    Folder,
    /// Something may not be read or written.
    Permission,
    /// No room on the disk.
    Space,
    /// Anything else.
    Other,
}

impl FailureKind {
    const ALL: [Self; 5] = [
        Self::Program,
        Self::Folder,
        Self::Permission,
        Self::Space,
        Self::Other,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Folder => "folder",
            Self::Permission => "permission",
            Self::Space => "space",
            Self::Other => "other",
        }
    }

    /// The kind of an error of the file system.
    pub(crate) fn of(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Space,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Held => f.write_str("held"),
            Self::AlreadyStarted => f.write_str("already-started"),
            Self::Failed { kind, message } => {
                write!(
                    f,
                    "failed {} {}",
                    kind.word(),
                    message.replace(['\n', '\r'], " ")
                )
            }
        }
    }
}

impl Readiness {
    /// Reads the line back; `None` if it is something else, so that any other program is not taken for a supervisor.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim_end();
        match line {
            "started" => return Some(Self::Started),
            "held" => return Some(Self::Held),
            "already-started" => return Some(Self::AlreadyStarted),
            _ => {}
        }
        let (word, message) = line.strip_prefix("failed ")?.split_once(' ')?;
        let kind = FailureKind::ALL
            .into_iter()
            .find(|kind| kind.word() == word)?;
        Some(Self::Failed {
            kind,
            message: message.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_can_be_read_back() {
        let mut all = vec![
            Readiness::Started,
            Readiness::Held,
            Readiness::AlreadyStarted,
        ];
        all.extend(FailureKind::ALL.map(|kind| Readiness::Failed {
            kind,
            message: "no such thing: x".to_owned(),
        }));
        for readiness in all {
            assert_eq!(Readiness::parse(&format!("{readiness}\n")), Some(readiness));
        }
        assert_eq!(Readiness::parse("running 0 tests"), None);
        assert_eq!(Readiness::parse(""), None);
    }

    #[test]
    fn a_message_stays_on_one_line() {
        let readiness = Readiness::Failed {
            kind: FailureKind::Other,
            message: "a\nb".to_owned(),
        };
        assert_eq!(readiness.to_string(), "failed other a b");
    }
}
