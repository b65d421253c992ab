//! A request as handlers see it, and what they answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::Viewer;
use super::contract::Params;
use super::repo::Repo;
use super::view::View;
use super::world::{World, seconds};

/// Either is sent; the error ends a handler early.
pub(crate) type Reply = Result<Answer, Answer>;

/// A status with its body.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
}

/// What is sent as the body.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Nothing,
    Json(Value),
    Text { media: &'static str, text: String },
}

/// One request that the description allows, from somebody who may make it.
pub(crate) struct Call<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) viewer: &'a Viewer,
    pub(crate) params: Params,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) accept: String,
    /// Absolute, without the query.
    pub(crate) address: String,
}

impl Call<'_> {
    /// A path parameter.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A path parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.param(name).parse().unwrap_or_default()
    }

    /// A query parameter.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// `since`, in seconds since the epoch.
    pub(crate) fn since(&self) -> i64 {
        self.asked("since").and_then(seconds).unwrap_or(i64::MIN)
    }

    /// A text of the body.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.body[name].as_str().map(str::to_owned)
    }

    /// The repository of the path, which is there.
    pub(crate) fn repo(&self) -> Result<&Repo, Answer> {
        let (owner, name) = (self.param("owner"), self.param("repo"));
        self.world.repo(owner, name).ok_or_else(not_found)
    }

    /// The same, to be changed.
    pub(crate) fn repo_mut(&mut self) -> Result<&mut Repo, Answer> {
        let key = World::key(self.param("owner"), self.param("repo"));
        self.world.repos.get_mut(&key).ok_or_else(not_found)
    }

    /// Shows the repository's things as GitHub does.
    pub(crate) fn view(&self) -> Result<View<'_>, Answer> {
        Ok(View {
            world: self.world,
            repo: self.repo()?,
        })
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(body),
        }
    }

    pub(crate) fn text(status: u16, media: &'static str, text: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Text { media, text },
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body as bytes, with its media type.
    pub(crate) fn bytes(&self) -> (Option<&'static str>, Vec<u8>) {
        match &self.content {
            Content::Nothing => (None, Vec::new()),
            Content::Json(value) => {
                let media = "application/json; charset=utf-8";
                (Some(media), value.to_string().into_bytes())
            }
            Content::Text { media, text } => (Some(media), text.clone().into_bytes()),
        }
    }
}

pub(crate) fn ok(body: Value) -> Reply {
    Ok(Answer::json(200, body))
}

pub(crate) fn created(body: Value) -> Reply {
    Ok(Answer::json(201, body))
}

/// An error as GitHub writes it.
pub(crate) fn refusal(status: u16, message: &str) -> Answer {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Answer::json(status, body)
}

/// Also for what exists and is hidden.
pub(crate) fn not_found() -> Answer {
    refusal(404, "Not Found")
}

/// 422 for one field: `code` is GitHub's, e.g. `missing_field`, `invalid`, `custom`.
pub(crate) fn invalid(resource: &str, field: &str, code: &str, message: Option<&str>) -> Answer {
    let mut answer = refusal(422, "Validation Failed");
    let mut error = json!({"resource": resource, "field": field, "code": code});
    if let Some(message) = message {
        error["message"] = message.into();
    }
    if let Content::Json(body) = &mut answer.content {
        body["errors"] = json!([error]);
    }
    answer
}

/// 422 as reviews give it: the errors are plain texts.
pub(crate) fn unprocessable(error: &str) -> Answer {
    let mut answer = refusal(422, "Unprocessable Entity");
    if let Content::Json(body) = &mut answer.content {
        body["errors"] = json!([error]);
    }
    answer
}

/// A failure of the double itself, e.g. git cannot be run. Not GitHub's, so it shows as a violation.
pub(crate) fn broken(error: impl std::fmt::Display) -> Answer {
    refusal(599, &format!("the fake GitHub failed: {error:#}"))
}
