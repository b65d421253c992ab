//! JSON bodies: their type, their size, and which field is wrong.

use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use coord_protocol::{AssignBody, AssignmentType, MAX_BODY_BYTES};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::reject::Rejection;

/// A body that is JSON, whole, and not too large.
pub(crate) struct JsonBytes(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = Rejection;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Rejection> {
        json_up_to(request, MAX_BODY_BYTES).await.map(Self)
    }
}

/// The same with at most `limit` bytes.
pub(crate) async fn json_up_to(request: Request, limit: usize) -> Result<Bytes, Rejection> {
    match is_json(request.headers()) {
        true => read(request, limit).await,
        false => Err(not_json()),
    }
}

fn not_json() -> Rejection {
    let error = "the body has to be application/json";
    Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error)
}

/// A body that may be missing; if there is one, it is JSON.
pub(crate) struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, Rejection> {
        // A form of a web page has a body; the clients of 0.1.0 send none, but may name a type.
        let empty = axum::body::HttpBody::size_hint(request.body()).exact() == Some(0);
        if !empty {
            JsonBytes::from_request(request, state).await?;
        }
        Ok(Self)
    }
}

/// How many times the limit is read of a body that is too large: a caller that is cut off while it still
/// sends sees a broken pipe instead of the answer.
const PATIENCE: usize = 4;

async fn read(request: Request, limit: usize) -> Result<Bytes, Rejection> {
    let mut body = request.into_body();
    let mut kept = BytesMut::new();
    let mut length = 0;
    while length <= PATIENCE * limit
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|_| Rejection::bad("the body ended too early"))?;
        let data = frame.into_data().unwrap_or_default();
        length += data.len();
        if length <= limit {
            kept.extend_from_slice(&data);
        }
    }
    if length <= limit {
        return Ok(kept.freeze());
    }
    let error = format!("the body is larger than {} MiB", limit >> 20);
    Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = value.and_then(|v| v.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// Reads any JSON body.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(bytes).map_err(|e| Rejection::bad(format!("the body is wrong: {e}")))
}

/// Reads the body of `POST /assign`; the error names the field that is wrong.
pub(crate) fn parse_assign(bytes: &[u8]) -> Result<AssignBody, Rejection> {
    let fields: Map<String, Value> = match serde_json::from_slice(bytes) {
        Ok(fields) => fields,
        Err(error) => {
            return Err(Rejection::bad(format!(
                "the body is no JSON object: {error}"
            )));
        }
    };
    match serde_json::from_value::<AssignBody>(Value::Object(fields.clone())) {
        Ok(body) => check(body),
        Err(error) => Err(Rejection::bad(match wrong_field(&fields) {
            Some(field) => format!("`{field}`: {error}"),
            None => error.to_string(),
        })),
    }
}

/// The first field whose value cannot be read; a field that is missing is named by serde.
fn wrong_field(fields: &Map<String, Value>) -> Option<&String> {
    let sound = json!({
        "repo_name": "r", "repo_path": "/", "issue_number": 1, "issue_title": "t", "briefing": "b",
    });
    fields.iter().find_map(|(name, value)| {
        let mut probe = sound.clone();
        probe[name] = value.clone();
        serde_json::from_value::<AssignBody>(probe)
            .err()
            .map(|_| name)
    })
}

fn check(body: AssignBody) -> Result<AssignBody, Rejection> {
    let rule = match () {
        () if body.repo_name.is_empty() => "`repo_name` is empty",
        () if !body.repo_path.starts_with('/') => "`repo_path` is no absolute path",
        () if body.issue_number == 0 => "`issue_number` starts at 1",
        () if body.max_budget_usd.is_some_and(|usd| usd <= 0.0) => {
            "`max_budget_usd` is not positive"
        }
        () if body.timeout_seconds == Some(0) => "`timeout_seconds` is 0",
        () if body.smoke_command.is_some() && body.kind != AssignmentType::Smoke => {
            "`smoke_command` is for the type `smoke`"
        }
        () if body.smoke_command.as_deref().is_some_and(is_no_command) => {
            "`smoke_command` is no command"
        }
        () if body
            .env
            .keys()
            .any(|name| name.is_empty() || name.contains(['=', '\0'])) =>
        {
            "`env` has a name that is none"
        }
        () => return Ok(body),
    };
    Err(Rejection::bad(rule))
}

fn is_no_command(command: &str) -> bool {
    command.trim().is_empty() || command.contains('\0')
}

#[cfg(test)]
mod tests {
    use axum::body;
    use axum::response::IntoResponse as _;

    use super::*;

    async fn refusal(body: &str) -> String {
        let rejection = parse_assign(body.as_bytes()).unwrap_err().into_response();
        assert_eq!(rejection.status(), 400);
        let bytes = body::to_bytes(rejection.into_body(), 1 << 20)
            .await
            .unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        value["error"].as_str().unwrap().to_owned()
    }

    fn with(field: &str, value: &str) -> String {
        format!(
            r#"{{"repo_name":"r","repo_path":"/r","issue_title":"t","briefing":"b","issue_number":1,"{field}":{value}}}"#
        )
    }

    #[tokio::test]
    async fn the_field_that_is_wrong_is_named() {
        assert!(refusal("{}").await.contains("repo_name"));
        assert!(refusal(r#"{"repo_name":"r"}"#).await.contains("repo_path"));
        for (field, value) in [
            ("issue_number", "\"one\""),
            ("files_allowed", "\"src\""),
            ("id", "\"XYZ\""),
            ("type", "\"play\""),
            ("env", "{\"A\":1}"),
            ("max_budget_usd", "-1.0"),
            ("smoke_command", "\"make smoke\""),
        ] {
            let error = refusal(&with(field, value)).await;
            assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
        }
        assert!(refusal("[]").await.contains("object"));
        assert!(refusal("{").await.contains("object"));
    }

    #[test]
    fn what_an_old_client_sends_is_read() {
        let body = r#"{"repo_name":"r","repo_path":"/r","issue_number":1,"issue_title":"t",
            "briefing":"b","files_allowed":null,"deny_commands":null,"type":"review","novel":1}"#;
        let body = parse_assign(body.as_bytes()).unwrap();
        assert!(body.files_allowed.is_empty() && body.deny_commands.is_none());
    }
}
