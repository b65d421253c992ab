//! One account on one API.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coord_core::ids::Timestamp;
use coord_forge::ForgeError;
use coord_store::Store;

use crate::address::ApiUrl;
use crate::client::Connection;
use crate::credentials::CredentialSource;
use crate::error::GithubError;
use crate::forge::GithubForge;

/// Says what time it is; tests jump it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Whose issues, comments and markers count, besides the coordinator's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// GitHub's words for how an author stands to the repository: `OWNER`, `MEMBER`,
    /// `COLLABORATOR`, ….
    pub associations: BTreeSet<String>,
    /// Accounts; compared without regard to case.
    pub users: BTreeSet<String>,
}

/// What a [`Github`] is made of.
#[derive(Clone)]
pub struct GithubOptions {
    /// E.g. `https://api.github.com` or `https://ghe.example.com/api/v3`. Plain `http` is for
    /// loopback only.
    pub api_url: String,
    /// Where the account comes from.
    pub credentials: CredentialSource,
    /// Whose words count.
    pub trust: Trust,
    /// Keeps answers and rate limits.
    pub store: Store,
    /// How long one request may take, its answer included; 30 s is a good choice.
    pub timeout: Duration,
    /// The time, for rate limits.
    pub clock: Clock,
}

impl fmt::Debug for GithubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubOptions")
            .field("api_url", &self.api_url)
            .field("credentials", &self.credentials)
            .field("trust", &self.trust)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// One account on one API. Clones share connections, cache and rate limits.
///
/// Credentials are looked for at the first call, and only then is there a connection; all calls
/// belong to the runtime of the first one.
#[derive(Debug, Clone)]
pub struct Github {
    connection: Connection,
    trust: Arc<Trust>,
}

impl Github {
    /// Checks the address; nothing else happens yet.
    ///
    /// # Errors
    /// An address that is none, or to which a token would travel in clear.
    pub fn new(options: GithubOptions) -> Result<Self, GithubError> {
        let api = ApiUrl::parse(&options.api_url)?;
        let trust = Arc::new(options.trust.clone());
        Ok(Self {
            connection: Connection::new(api, options),
            trust,
        })
    }

    /// The repository `owner/name` as this account sees it.
    #[must_use]
    pub fn repo(&self, full_name: &str) -> GithubForge {
        GithubForge::new(self.clone(), full_name)
    }

    /// The account's login; for an app it is `slug[bot]`. Asked once.
    ///
    /// # Errors
    /// No usable credentials, or GitHub cannot be asked.
    pub async fn whoami(&self) -> Result<String, ForgeError> {
        let login = self.connection.login().await;
        login.map_err(|error| error.into_forge("the account"))
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }
}
