//! What a failure means, and what a person can do about it.

use std::error::Error;

use coord_core::ids::Timestamp;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use crate::address::ApiUrl;
use crate::credentials::Asker;
use crate::error::CallError;
use crate::secret::blot;
use crate::stack::{Answer, Fault, retry_after};

/// How much of a message of GitHub's is passed on.
const LONGEST_MESSAGE: usize = 500;
const MOST_ERRORS: usize = 10;

/// What GitHub says with a status of 4xx and 5xx.
#[derive(Deserialize)]
struct Complaint {
    message: String,
    #[serde(default)]
    errors: Value,
}

/// Why there is no answer.
pub(crate) fn failure(
    api: &ApiUrl,
    asker: &Asker,
    method: &Method,
    error: octocrab::Error,
) -> CallError {
    match Fault::of(error) {
        Ok(fault) => fault.into_call_error(api, method),
        // Octocrab asks for a token of the installation when the one it has is refused.
        Err(error) => fetching_failed(api, asker, error),
    }
}

/// Why an app has no token of its installation: the request it was for has not been sent.
pub(crate) fn fetching_failed(api: &ApiUrl, asker: &Asker, error: octocrab::Error) -> CallError {
    match Fault::of(error) {
        Ok(fault) => fault.into_call_error(api, &Method::GET),
        Err(octocrab::Error::GitHub { source, .. }) if source.status_code.is_server_error() => {
            CallError::Transient {
                what: format!("{} answers {}", api.host(), source.status_code),
                retry_at: None,
                outcome_unknown: false,
                source: None,
            }
        }
        Err(octocrab::Error::GitHub { source, .. }) => {
            asker.not_accepted(source.status_code, &asker.clean(&source.message))
        }
        // Its text may hold a stack trace, and what it is about is the key or the answer.
        Err(_) => CallError::Unusable {
            what: format!("{} cannot get a token from {}", asker.what(), api.host()),
            hint: None,
            source: None,
        },
    }
}

impl Fault {
    /// The fault that octocrab has wrapped up, or its own trouble.
    fn of(error: octocrab::Error) -> Result<Self, octocrab::Error> {
        match error {
            octocrab::Error::Service { source, backtrace } => match source.downcast::<Self>() {
                Ok(fault) => Ok(*fault),
                Err(source) => Err(octocrab::Error::Service { source, backtrace }),
            },
            other => Err(other),
        }
    }
}

impl Fault {
    fn into_call_error(self, api: &ApiUrl, method: &Method) -> CallError {
        let host = api.host();
        let outcome_unknown = *method != Method::GET;
        match self {
            Self::Unreachable(source) if is_about_certificates(&*source) => CallError::Unusable {
                what: format!("{host} cannot prove who it is"),
                hint: Some(format!(
                    "add the authority of its certificate to the system's, or name its file in SSL_CERT_FILE; is `{api}` right?"
                )),
                source: Some(source),
            },
            Self::Unreachable(source) => CallError::Transient {
                what: format!("{host} cannot be reached"),
                retry_at: None,
                outcome_unknown: false,
                source: Some(source),
            },
            Self::Broken(source) => CallError::Transient {
                what: format!("the connection to {host} ended before the answer was there"),
                retry_at: None,
                outcome_unknown,
                source: Some(source),
            },
            Self::TimedOut(limit) => CallError::Transient {
                what: format!("{host} did not answer within {} s", limit.as_secs_f64()),
                retry_at: None,
                outcome_unknown,
                source: None,
            },
            Self::TooLarge(limit) => {
                let error = CallError::Unusable {
                    what: format!("the answer of {host} is larger than {limit} bytes"),
                    hint: None,
                    source: None,
                };
                match outcome_unknown {
                    true => error.with_unknown_outcome(),
                    false => error,
                }
            }
            Self::Limited { resource, until } => CallError::Transient {
                what: format!("the {resource} rate limit of {host} is used up"),
                retry_at: Some(until),
                outcome_unknown: false,
                source: None,
            },
        }
    }
}

fn is_about_certificates(error: &(dyn Error + 'static)) -> bool {
    let mut link = Some(error);
    while let Some(error) = link {
        if error.to_string().contains("certificate") {
            return true;
        }
        link = error.source();
    }
    false
}

/// What an answer of 4xx or 5xx means.
pub(crate) fn refusal(
    api: &ApiUrl,
    asker: &Asker,
    method: &Method,
    route: &str,
    answer: &Answer,
    now: Timestamp,
) -> CallError {
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return CallError::Transient {
            what: format!("{} answers {status}", api.host()),
            retry_at: retry_after(answer.headers(), now),
            outcome_unknown: *method != Method::GET,
            source: None,
        };
    }
    let Some((message, errors)) = complaint(asker, answer) else {
        return not_github(api, method, route, answer);
    };
    if status == StatusCode::UNAUTHORIZED {
        return asker.not_accepted(status, &message);
    }
    CallError::Refused {
        status: status.as_u16(),
        hint: hint(api, asker, status, answer.headers()),
        message,
        errors,
    }
}

/// Message and errors of a refusal; `None` when something else than GitHub's API wrote it.
fn complaint(asker: &Asker, answer: &Answer) -> Option<(String, Vec<String>)> {
    if answer.body().is_empty() {
        let reason = answer.status().canonical_reason().unwrap_or("refused");
        return Some((reason.to_owned(), Vec::new()));
    }
    let complaint: Complaint = serde_json::from_slice(answer.body()).ok()?;
    let errors = match complaint.errors {
        Value::Array(errors) => errors,
        Value::Null => Vec::new(),
        other => vec![other],
    };
    let errors = errors.iter().take(MOST_ERRORS).map(error_text);
    let errors = errors.map(|error| asker.clean(&error)).collect();
    Some((asker.clean(&complaint.message), errors))
}

/// GitHub's `errors` are sentences, or `{resource, field, code, message?}`.
fn error_text(error: &Value) -> String {
    let part = |name: &str| error.get(name).and_then(Value::as_str);
    match (error.as_str(), part("message")) {
        (Some(text), _) | (None, Some(text)) => text.to_owned(),
        (None, None) => {
            let place: Vec<&str> = ["resource", "field"].into_iter().filter_map(part).collect();
            match part("code") {
                Some(code) => format!("{}: {code}", place.join(".")),
                None => error.to_string(),
            }
        }
    }
}

fn not_github(api: &ApiUrl, method: &Method, route: &str, answer: &Answer) -> CallError {
    let status = answer.status();
    CallError::Unusable {
        what: format!(
            "{} answers {status} to {method} {route}, not in the words of GitHub's API",
            api.host()
        ),
        hint: Some(format!(
            "is there a proxy in between, and is `{api}` right?"
        )),
        source: None,
    }
}

/// A repository has another address than the one that was asked.
pub(crate) fn moved(
    api: &ApiUrl,
    method: &Method,
    route: &str,
    new_name: Option<&str>,
) -> CallError {
    let what = format!("{} has moved what {method} {route} is about", api.host());
    CallError::Unusable {
        what: match new_name {
            Some(name) => format!("{what}: the repository is called {} now", one_line(name)),
            None => what,
        },
        hint: Some("give the repository its new name in the configuration".to_owned()),
        source: None,
    }
}

fn hint(api: &ApiUrl, asker: &Asker, status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scopes = || {
        missing_scope(
            header("x-accepted-oauth-scopes")?,
            header("x-oauth-scopes")?,
        )
    };
    match status {
        StatusCode::FORBIDDEN => single_sign_on(api, asker, header("x-github-sso"))
            .or_else(|| missing_permission(asker, header("x-accepted-github-permissions")))
            .or_else(|| scopes().map(|missing| asker.lacks_scope(&missing))),
        StatusCode::NOT_FOUND => hidden(asker, header("x-oauth-scopes")?),
        _ => None,
    }
}

/// `required; url=https://github.com/orgs/o/sso?authorization_request=…`; the query of that
/// address is a secret of the account.
fn single_sign_on(api: &ApiUrl, asker: &Asker, header: Option<&str>) -> Option<String> {
    let header = header?;
    let url = header.split_once("url=").map(|(_, url)| url.trim());
    let origin = url.and_then(|url| {
        let uri: Uri = url.parse().ok()?;
        Some(format!("{}://{}", uri.scheme_str()?, uri.host()?))
    });
    let origin = origin.unwrap_or_else(|| format!("https://{}", api.web_host()));
    Some(format!(
        "the organisation asks for single sign-on: authorize {} for it at {origin}/settings/tokens",
        asker.what()
    ))
}

fn missing_permission(asker: &Asker, header: Option<&str>) -> Option<String> {
    let wanted = one_line(header.filter(|wanted| !wanted.trim().is_empty())?);
    Some(format!("{} needs the permission `{wanted}`", asker.what()))
}

/// The scopes of which one would do, when none of them is there.
fn missing_scope(accepted: &str, held: &str) -> Option<String> {
    let held: Vec<&str> = list(held);
    let accepted: Vec<&str> = list(accepted);
    let enough = accepted.is_empty() || accepted.iter().any(|scope| held.contains(scope));
    (!enough).then(|| one_line(&accepted.join("` or `")))
}

fn hidden(asker: &Asker, held: &str) -> Option<String> {
    let lacks_repo = !list(held).contains(&"repo");
    lacks_repo.then(|| {
        format!(
            "{}: private repositories look as if they did not exist",
            asker.lacks_scope("repo")
        )
    })
}

fn list(header: &str) -> Vec<&str> {
    let parts = header.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

impl Asker {
    /// A text of the server's for a message: one line, not long, without tokens.
    pub(crate) fn clean(&self, text: &str) -> String {
        one_line(&blot(text, self.secret()))
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(LONGEST_MESSAGE).collect()
}
