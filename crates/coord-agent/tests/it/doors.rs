//! Who is let in, and with what.

use bytes::Bytes;
use coord_protocol::{AgentClient, ClientError, MAX_BODY_BYTES, Timeouts};
use http::{Method, Request};
use tower::Service as _;

use crate::rig::{Rig, Special};

/// The status of the answer, and its text.
async fn ask(
    client: &AgentClient,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    match client.clone().call(request).await {
        Ok(answer) => (
            answer.status().as_u16(),
            String::from_utf8(answer.body().to_vec()).unwrap(),
        ),
        Err(ClientError::Refused { status, error, .. }) => (status, error),
        Err(other) => panic!("{other:?}"),
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn only_the_token_opens() {
    let rig = Rig::special(Special {
        token: Some("s3cret"),
        ..Special::default()
    });
    rig.client.health().await.unwrap();
    for wrong in [None, Some("wrong"), Some("s3cret2")] {
        let client = AgentClient::new(rig.client.url(), wrong, Timeouts::default()).unwrap();
        for path in ["/health", "/status", "/events", "/openapi.json", "/nowhere"] {
            let (status, _) = ask(&client, Method::GET, path, &[], "").await;
            assert_eq!(status, 401, "{wrong:?} {path}");
        }
    }
}

#[tokio::test]
async fn web_pages_are_kept_out() {
    let rig = Rig::new();
    let client = &rig.client;
    let get = |headers: Vec<(&'static str, &'static str)>| async move {
        ask(client, Method::GET, "/health", &headers, "").await.0
    };
    assert_eq!(get(vec![]).await, 200);
    assert_eq!(get(vec![("host", "localhost")]).await, 200);
    assert_eq!(get(vec![("host", "evil.example")]).await, 403);
    assert_eq!(get(vec![("origin", "http://evil.example")]).await, 403);
    assert_eq!(get(vec![("origin", "null")]).await, 403);
    let body = serde_json::to_vec(&rig.body(7, "do-commit")).unwrap();
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("content-type", kind)];
        let (status, _) = ask(client, Method::POST, "/assign", &headers, body.clone()).await;
        assert_eq!(status, 415, "{kind}");
    }
    assert_eq!(rig.client.health().await.unwrap().active, 0);
}

#[tokio::test]
async fn bodies_are_bounded_and_errors_name_the_field() {
    let rig = Rig::new();
    let client = &rig.client;
    let post =
        |body: Vec<u8>| async move { ask(client, Method::POST, "/assign", &[JSON], body).await };
    assert_eq!(post(vec![b' '; MAX_BODY_BYTES + 1]).await.0, 413);
    let (status, error) = post(b"{\"repo_name\": \"shop\"".to_vec()).await;
    assert_eq!(status, 400, "{error}");
    let mut body = serde_json::to_value(rig.body(7, "do-commit")).unwrap();
    body["issue_number"] = "seven".into();
    let (status, error) = post(body.to_string().into_bytes()).await;
    assert_eq!(status, 400);
    assert!(error.contains("issue_number"), "{error}");
    body.as_object_mut().unwrap().remove("briefing");
    body["issue_number"] = 7.into();
    let (status, error) = post(body.to_string().into_bytes()).await;
    assert_eq!(status, 400);
    assert!(error.contains("briefing"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_so() {
    let rig = Rig::new();
    for (method, path, expected) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/logs/0123456789ab", 404),
        (Method::GET, "/logs/..%2F..%2Fetc%2Fpasswd", 404),
        (Method::GET, "/stream/zzz", 404),
        (Method::GET, "/diff/0123456789ab", 404),
        (Method::POST, "/cancel/0123456789ab", 404),
        (Method::DELETE, "/worktree/0123456789ab", 404),
        (Method::DELETE, "/health", 405),
        (Method::GET, "/status?since=yesterday", 400),
    ] {
        let (status, error) = ask(&rig.client, method, path, &[], "").await;
        assert_eq!(status, expected, "{path}: {error}");
        assert!(!error.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn workers_start_only_in_known_repositories() {
    let outside = tempfile::tempdir().unwrap();
    let inside = tempfile::tempdir().unwrap();
    let rig = Rig::special(Special {
        args: vec![
            "--allow-path".to_owned(),
            inside.path().to_string_lossy().into_owned(),
        ],
        ..Special::default()
    });
    let other = outside.path().join("repo");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(&other, inside.path().join("link")).unwrap();
    let clone = rig.repo.clone_path();
    for path in [
        other.clone(),
        inside.path().join("link"),
        inside
            .path()
            .join("..")
            .join(outside.path().file_name().unwrap()),
        clone.join(".git"),
        clone.join("nowhere"),
    ] {
        let mut body = rig.body(7, "do-commit");
        body.repo_path = path.to_string_lossy().into_owned();
        let refused = rig.client.assign(&body).await.unwrap_err();
        let ClientError::Refused {
            status,
            error,
            hint,
            ..
        } = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(status, 403, "{}", path.display());
        assert!(error.contains("repo_path") && hint.is_some(), "{error}");
    }
    // Another name of the same folder is the same folder.
    let mut body = rig.body(7, "do-commit");
    std::os::unix::fs::symlink(&clone, outside.path().join("alias")).unwrap();
    body.repo_path = outside.path().join("alias").to_string_lossy().into_owned();
    let (_, end) = rig.run(&body).await;
    assert!(end.pushed, "{end:?}");
}
