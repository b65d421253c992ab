//! The account that was found, and octocrab on its behalf.

use std::sync::Arc;

use coord_store::ForgeCache;
use http::StatusCode;
use octocrab::models::InstallationId;
use octocrab::secrecy::SecretString;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use tokio::sync::Mutex;

use super::{AppCredentials, CredentialSource, app, gh};
use crate::address::ApiUrl;
use crate::error::CallError;
use crate::github::GithubOptions;
use crate::refusal::fetching_failed;
use crate::secret::Secret;
use crate::stack::{Foundation, is_of_the_app, stack};

/// Who asks, for messages.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    /// The owner of a token.
    Token {
        /// The token.
        secret: Secret,
        /// Where the API's people go, e.g. `github.com`.
        host: String,
    },
    /// An installation of an app.
    App(AppCredentials),
}

/// The account that was found, ready to ask.
pub(crate) struct Account {
    pub(crate) asker: Asker,
    /// With the token, or as the installation.
    client: Octocrab,
    as_app: Option<AsApp>,
}

/// What only apps need.
struct AsApp {
    client: Octocrab,
    /// Held while a token of the installation is fetched: one is enough for all.
    fetching: Mutex<()>,
}

impl Account {
    /// Looks where credentials may be, and builds the client. This has to happen in the runtime
    /// of the calls, because octocrab starts a task of its own.
    pub(crate) async fn find(api: &ApiUrl, options: &GithubOptions) -> Result<Self, CallError> {
        let host = api.web_host();
        let CredentialSource { token, app, gh } = &options.credentials;
        if let Some(app) = app.as_ref().filter(|_| token.is_none()) {
            return Self::of_app(api, options, app).await;
        }
        let secret = match (token, gh) {
            (Some(token), _) => token.clone(),
            (None, Some(program)) => gh::token(program, host).await?,
            (None, None) => return Err(gh::nothing_found("there is no token for GitHub", host)),
        };
        if app.is_some() {
            tracing::warn!("the token of {} is used, not the app", secret.origin());
        }
        Self::of_token(api, options, secret)
    }

    fn of_token(api: &ApiUrl, options: &GithubOptions, secret: Secret) -> Result<Self, CallError> {
        if !secret.is_sound() {
            return Err(CallError::Auth {
                what: format!("what {} holds is no token", secret.origin()),
                hint: Some(
                    "a token is one word of ASCII letters, digits and signs; does it hold a line break or quotation marks?"
                        .to_owned(),
                ),
            });
        }
        let scope = format!("{api} token {:08x}", secret.fingerprint());
        let token = secret.text().clone();
        Ok(Self {
            client: client(api, options, scope, AuthState::AccessToken { token })?,
            asker: Asker::Token {
                secret,
                host: api.web_host().to_owned(),
            },
            as_app: None,
        })
    }

    async fn of_app(
        api: &ApiUrl,
        options: &GithubOptions,
        app: &AppCredentials,
    ) -> Result<Self, CallError> {
        let auth = AuthState::App(app::read(app).await?);
        let installation = app.installation_id;
        let scope = format!("{api} app {} installation {installation}", app.app_id);
        let as_app = client(api, options, scope, auth)?;
        let client = as_app.installation(InstallationId(installation));
        Ok(Self {
            asker: Asker::App(app.clone()),
            client: client.map_err(|error| CallError::Unusable {
                what: format!("octocrab makes no client of installation {installation}"),
                hint: None,
                source: Some(Arc::new(error)),
            })?,
            as_app: Some(AsApp {
                client: as_app,
                fetching: Mutex::default(),
            }),
        })
    }

    pub(crate) const fn is_app(&self) -> bool {
        self.as_app.is_some()
    }

    /// The client for a route: the app speaks for itself where its installation may not.
    pub(crate) async fn client(&self, api: &ApiUrl, route: &str) -> Result<&Octocrab, CallError> {
        let Some(app) = &self.as_app else {
            return Ok(&self.client);
        };
        if is_of_the_app(route) {
            return Ok(&app.client);
        }
        let _alone = app.fetching.lock().await;
        let token = self.client.installation_token().await;
        token.map_err(|error| fetching_failed(api, &self.asker, error))?;
        Ok(&self.client)
    }
}

fn client(
    api: &ApiUrl,
    options: &GithubOptions,
    scope: String,
    auth: AuthState,
) -> Result<Octocrab, CallError> {
    let service = stack(&Foundation {
        api,
        cache: ForgeCache::new(options.store.clone(), scope),
        clock: Arc::clone(&options.clock),
        timeout: options.timeout,
    })?;
    let builder = OctocrabBuilder::new_empty().with_service(service);
    match builder.with_auth(auth).build() {
        Ok(client) => Ok(client),
        Err(never) => match never {},
    }
}

impl Asker {
    /// What is presented to GitHub, for messages.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Token { secret, .. } => format!("the token of {}", secret.origin()),
            Self::App(app) => format!("the app {}", app.app_id),
        }
    }

    /// What must not be shown.
    pub(crate) const fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Token { secret, .. } => Some(secret.text()),
            Self::App(_) => None,
        }
    }

    pub(crate) fn lacks_scope(&self, scope: &str) -> String {
        format!("{} lacks the scope `{scope}`", self.what())
    }

    /// GitHub does not know who this is.
    pub(crate) fn not_accepted(&self, status: StatusCode, message: &str) -> CallError {
        let hint = match self {
            Self::Token { secret, host } if secret.origin() == gh::ORIGIN => format!(
                "sign in again with `gh auth login --hostname {host}`, or set COORD_GITHUB_TOKEN"
            ),
            Self::Token { secret, host } => format!(
                "it is wrong, expired or revoked: make one at https://{host}/settings/tokens and set {}",
                secret.origin()
            ),
            Self::App(app) => format!(
                "is {} the key of app {}, is {} its installation, and is this machine's clock right?",
                app.key_file.display(),
                app.app_id,
                app.installation_id
            ),
        };
        CallError::Auth {
            what: format!(
                "GitHub does not accept {} ({}: {message})",
                self.what(),
                status.as_u16()
            ),
            hint: Some(hint),
        }
    }
}
