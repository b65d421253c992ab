//! Which file is the configuration.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The file's name where no flag or variable gives another.
const FILE_NAME: &str = "coordinator.yml";

/// A configuration file that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub path: PathBuf,
    /// Who said so.
    pub source: Source,
}

/// Who named the configuration file, first to last in the order of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `--config`.
    Flag,
    /// `$COORD_CONFIG`.
    Env,
    /// `./coordinator.yml`.
    Cwd,
    /// `~/.coord/coordinator.yml`.
    Home,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--config",
            Self::Env => "$COORD_CONFIG",
            Self::Cwd => "the current folder",
            Self::Home => "the home folder",
        })
    }
}

/// Why there is no configuration file.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// A flag or a variable names a file that does not exist.
    #[error("the configuration {} that {named_by} names does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Who named it.
        named_by: Source,
    },
    /// There is something of that name, and it is a folder.
    #[error("the configuration {} is a folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Whether there is a file could not be found out.
    #[error("cannot look for the configuration {}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody names a file, and there is none in the usual places.
    #[error("no configuration: looked for {}", list(looked))]
    NotFound {
        /// The usual places, in the order of the search.
        looked: Vec<PathBuf>,
    },
}

impl LocateError {
    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Folder { .. } => "name a file, or leave the name out",
            Self::Unknown { .. } => "check who may read the folder",
            Self::NotFound { .. } => {
                "copy coordinator.example.yml to coordinator.yml and edit it, \
                 or name a file with --config or $COORD_CONFIG"
            }
        }
    }
}

/// Finds the configuration: `explicit` (a flag), else `env` (a variable; empty is unset), else
/// `coordinator.yml` in `cwd`, else in `.coord` below `home`, the home folder of the account.
/// Relative names start at `cwd`.
///
/// # Errors
/// A file that is named and does not exist is an error, and the search does not go on.
pub fn locate(
    explicit: Option<&Path>,
    env: Option<&OsStr>,
    cwd: &Path,
    home: Option<&Path>,
) -> Result<Located, LocateError> {
    let env = env.filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = explicit
        .map(|path| (path.to_owned(), Source::Flag))
        .or_else(|| env.map(|path| (path, Source::Env)));
    if let Some((path, source)) = named {
        return match is_file(&cwd.join(&path))? {
            true => Ok(Located {
                path: cwd.join(path),
                source,
            }),
            false => Err(LocateError::Missing {
                path,
                named_by: source,
            }),
        };
    }
    search(cwd, home)
}

fn search(cwd: &Path, home: Option<&Path>) -> Result<Located, LocateError> {
    let in_home = home.map(|home| (home.join(".coord").join(FILE_NAME), Source::Home));
    let mut looked = Vec::new();
    for (path, source) in [(cwd.join(FILE_NAME), Source::Cwd)]
        .into_iter()
        .chain(in_home)
    {
        if is_file(&path)? {
            return Ok(Located { path, source });
        }
        looked.push(path);
    }
    Err(LocateError::NotFound { looked })
}

/// Whether there is something to read; a look that failed is not a "no".
fn is_file(path: &Path) -> Result<bool, LocateError> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(LocateError::Folder {
            path: path.to_owned(),
        }),
        Ok(_) => Ok(true),
        Err(error) if absent(&error) => Ok(false),
        Err(source) => Err(LocateError::Unknown {
            path: path.to_owned(),
            source,
        }),
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(" and ")
}
