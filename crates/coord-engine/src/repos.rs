//! What the engine needs to know of a repository: its forge, its checkout here, how to test it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coord_forge::Forge;

/// One repository of the configuration.
#[derive(Clone)]
pub struct RepoContext {
    /// Issues, comments, pull requests and merges.
    pub forge: Arc<dyn Forge>,
    /// The checkout on this machine, for tests; `None` where this machine has none.
    pub path: Option<PathBuf>,
    /// Build, then test; empty when nothing is configured.
    pub commands: Vec<String>,
    /// For one run of all commands.
    pub test_limit: Duration,
}

impl std::fmt::Debug for RepoContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepoContext")
            .field("path", &self.path)
            .field("commands", &self.commands)
            .finish_non_exhaustive()
    }
}
