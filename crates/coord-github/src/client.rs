//! Calls to the API: what is asked, and what an answer means.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use coord_store::ForgeCache;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use octocrab::OctoBody;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::address::{ApiUrl, with_query};
use crate::credentials::Account;
use crate::error::CallError;
use crate::github::GithubOptions;
use crate::refusal::{failure, moved, refusal};
use crate::stack::Answer;

pub(crate) use crate::address::{escape, escape_segment};

pub(crate) const JSON: &str = "application/vnd.github+json";

/// One account on one API. Clones share everything.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    api: ApiUrl,
    options: GithubOptions,
    account: OnceCell<Account>,
    login: OnceCell<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("api", &self.inner.api)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct App {
    slug: String,
}

#[derive(Deserialize)]
struct Named {
    full_name: String,
}

impl Connection {
    pub(crate) fn new(api: ApiUrl, options: GithubOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                api,
                options,
                account: OnceCell::new(),
                login: OnceCell::new(),
            }),
        }
    }

    pub(crate) fn api(&self) -> &ApiUrl {
        &self.inner.api
    }

    pub(crate) fn now(&self) -> coord_core::ids::Timestamp {
        (self.inner.options.clock)()
    }

    /// Remembers which issues are being opened, whoever the account is.
    pub(crate) fn openings(&self) -> ForgeCache {
        let Inner { api, options, .. } = &*self.inner;
        ForgeCache::new(options.store.clone(), api.to_string())
    }

    /// One answer as JSON. `route` begins with a slash and is encoded already.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        route: &str,
        query: &[(&str, &str)],
    ) -> Result<T, CallError> {
        let route = with_query(route, query);
        let answer = self.read(&route, JSON).await?;
        self.parse(&Method::GET, &route, &answer)
    }

    /// One answer as it is, e.g. a diff.
    pub(crate) async fn get_text(&self, route: &str, accept: &str) -> Result<String, CallError> {
        let answer = self.read(route, accept).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// A request that changes something; it is sent once and never repeated here. A body that is
    /// `()` is none, and an answer without a body reads as `null`.
    pub(crate) async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: &B,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(|error| CallError::Unusable {
            what: format!("the body of {method} {route} cannot be written as JSON"),
            hint: None,
            source: Some(Arc::new(error)),
        })?;
        let body = (body != b"null").then_some(Bytes::from(body));
        let answer = self.exchange(&method, route, JSON, body).await?;
        if answer.status().is_redirection() {
            return Err(self.moved(&method, route).await);
        }
        let read = self.parse(&method, route, &answer);
        read.map_err(CallError::with_unknown_outcome)
    }

    /// The login of the account.
    pub(crate) async fn login(&self) -> Result<String, CallError> {
        let found = self.inner.login.get_or_try_init(|| self.ask_login()).await;
        found.cloned()
    }

    async fn ask_login(&self) -> Result<String, CallError> {
        if self.account().await?.is_app() {
            let App { slug } = self.get("/app", &[]).await?;
            return Ok(format!("{slug}[bot]"));
        }
        let User { login } = self.get("/user", &[]).await?;
        Ok(login)
    }

    /// A GET; a redirection within the API is followed once: a repository may have a new name.
    pub(crate) async fn read(&self, route: &str, accept: &str) -> Result<Answer, CallError> {
        let answer = self.exchange(&Method::GET, route, accept, None).await?;
        if !answer.status().is_redirection() {
            return Ok(answer);
        }
        let Some(target) = self.target(&answer) else {
            return Err(moved(self.api(), &Method::GET, route, None));
        };
        tracing::info!(route, "github has another address for this");
        let answer = self.exchange(&Method::GET, &target, accept, None).await?;
        if answer.status().is_redirection() {
            return Err(moved(self.api(), &Method::GET, route, None));
        }
        Ok(answer)
    }

    fn target(&self, answer: &Answer) -> Option<String> {
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        self.api().route_of(location)
    }

    /// A write is not sent again to where a redirection points: its repository has another name
    /// now, and a person should know. The new name is asked for.
    async fn moved(&self, method: &Method, route: &str) -> CallError {
        let named = match repository_in(route) {
            Some(repository) => self.get::<Named>(repository, &[]).await.ok(),
            None => None,
        };
        let name = named.map(|named| named.full_name);
        moved(self.api(), method, route, name.as_deref())
    }

    async fn account(&self) -> Result<&Account, CallError> {
        let Inner { api, options, .. } = &*self.inner;
        let found = || Account::find(api, options);
        self.inner.account.get_or_try_init(found).await
    }

    /// One request and its answer: 2xx, or a redirection.
    async fn exchange(
        &self,
        method: &Method,
        route: &str,
        accept: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, CallError> {
        let account = self.account().await?;
        let client = account.client(self.api(), route).await?;
        let request = request(method, route, accept, body)?;
        let answer = match client.execute(request).await {
            Ok(answer) => answer,
            Err(error) => return Err(failure(self.api(), &account.asker, method, error)),
        };
        let (parts, body) = answer.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Err(failure(self.api(), &account.asker, method, error)),
        };
        let answer = Answer::from_parts(parts, body);
        let status = answer.status();
        if status.is_success() || (status.is_redirection() && status != StatusCode::NOT_MODIFIED) {
            return Ok(answer);
        }
        let (asker, now) = (&account.asker, self.now());
        Err(refusal(self.api(), asker, method, route, &answer, now))
    }

    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        method: &Method,
        route: &str,
        answer: &Answer,
    ) -> Result<T, CallError> {
        let body = answer.body();
        let body: &[u8] = if body.is_empty() { b"null" } else { body };
        serde_json::from_slice(body).map_err(|error| CallError::Unusable {
            what: format!(
                "the answer of {} to {method} {route} cannot be read: {}",
                self.api().host(),
                self.cleaned(&error.to_string())
            ),
            hint: looks_like_a_page(answer).then(|| {
                "it looks like a web page: is there a proxy in between, and is the address of the API right?"
                    .to_owned()
            }),
            // It quotes the answer, which may be long and hold anything.
            source: None,
        })
    }

    /// A text of the server's, fit for a message.
    fn cleaned(&self, text: &str) -> String {
        let account = self.inner.account.get();
        account.map_or_else(String::new, |account| account.asker.clean(text))
    }
}

fn request(
    method: &Method,
    route: &str,
    accept: &str,
    body: Option<Bytes>,
) -> Result<Request<OctoBody>, CallError> {
    let mut request = Request::builder()
        .method(method)
        .uri(route)
        .header(ACCEPT, accept);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = body.map_or_else(OctoBody::empty, OctoBody::from);
    request.body(body).map_err(|error| CallError::Unusable {
        what: format!("{method} {route} is no request"),
        hint: None,
        source: Some(Arc::new(error)),
    })
}

/// `/repos/acme/api` of `/repos/acme/api/issues/7`.
fn repository_in(route: &str) -> Option<&str> {
    let end = match route.match_indices('/').nth(3) {
        Some((end, _)) => end,
        None => route.len(),
    };
    route.starts_with("/repos/").then_some(&route[..end])
}

fn looks_like_a_page(answer: &Answer) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}
