//! The resolved configuration as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coord_core::ids::RepoName;
use serde::Serializer;

use crate::config::Config;
use crate::error::ConfigError;

impl Config {
    /// The resolved values as YAML, which reads back as the same configuration.
    ///
    /// # Errors
    /// [`ConfigError::Print`]; no value that [`crate::parse`] returns is known to cause it.
    pub fn to_yaml(&self) -> Result<String, ConfigError> {
        serde_yaml::to_string(self).map_err(|error| ConfigError::Print(Box::new(error)))
    }
}

pub(crate) fn paths<S: Serializer>(
    paths: &BTreeMap<RepoName, PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(paths.iter().map(|(name, path)| (name, lossy(path))))
}

pub(crate) fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&lossy(path))
}

pub(crate) fn optional_path<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&lossy(path)),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn labels<S: Serializer>(
    labels: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter().map(|(label, model)| (label, model)))
}

/// A folder that is not UTF-8 is no reason to print nothing.
fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
