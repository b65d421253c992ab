//! Where the account comes from: a token of the environment, an app, or `gh`.

mod account;
mod app;
mod gh;

use std::path::PathBuf;

pub(crate) use account::{Account, Asker};

use crate::secret::Secret;

/// The variables that hold a token, the first that is set wins.
const VARIABLES: [&str; 3] = ["COORD_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];

/// Where an account can come from: the first of these that is there.
#[derive(Debug, Clone, Default)]
pub struct CredentialSource {
    /// From the environment.
    pub token: Option<Secret>,
    /// From the configuration.
    pub app: Option<AppCredentials>,
    /// The `gh` program, which is asked for its token: a path, or a name that `PATH` knows.
    pub gh: Option<PathBuf>,
}

/// A GitHub App that is installed in an organisation or account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCredentials {
    /// The app's id.
    pub app_id: u64,
    /// The app's private key, PEM. It is read at the first call.
    pub key_file: PathBuf,
    /// Which installation of the app.
    pub installation_id: u64,
}

impl CredentialSource {
    /// The token of the environment: `COORD_GITHUB_TOKEN`, else `GITHUB_TOKEN`, else `GH_TOKEN`.
    /// A variable without a value counts as not set.
    #[must_use]
    pub fn from_env(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some(Secret::new(&value, *name))
        };
        Self {
            token: VARIABLES.iter().find_map(set),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(set: &[(&str, &str)]) -> Option<String> {
        let value = |name: &str| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let source = CredentialSource::from_env(&value);
        source.token.map(|token| token.origin().to_owned())
    }

    #[test]
    fn the_first_variable_with_a_value_wins() {
        let all = [
            ("GH_TOKEN", "a"),
            ("GITHUB_TOKEN", "b"),
            ("COORD_GITHUB_TOKEN", "c"),
        ];
        assert_eq!(origin(&all).as_deref(), Some("COORD_GITHUB_TOKEN"));
        assert_eq!(origin(&all[..2]).as_deref(), Some("GITHUB_TOKEN"));
        let empty = [("GH_TOKEN", "a"), ("GITHUB_TOKEN", " ")];
        assert_eq!(origin(&empty).as_deref(), Some("GH_TOKEN"));
        assert_eq!(origin(&[]), None);
    }
}
