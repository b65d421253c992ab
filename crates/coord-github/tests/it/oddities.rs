//! What networks, proxies and broken servers do.

use std::time::Duration;

use coord_forge::{Forge, ForgeError};
use coord_github::{Github, GithubError};
use coord_test_support::github::{Fault, When};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::scripted::{Reply, Scripted, raw};
use crate::world::{TOKEN, World, post, seven_issues, token, whole_text};

const USER: &str = r#"{"login":"anna"}"#;

async fn whoami(replies: Vec<Reply>) -> (Result<String, ForgeError>, usize) {
    let server = Scripted::start(|_| replies.clone()).await;
    let world = World::new().await;
    let result = world.github(server.url()).whoami().await;
    let requests = server.seen().len();
    (result, requests)
}

#[tokio::test]
async fn requests_say_what_github_wants_to_know() {
    let server = Scripted::start(|_| vec![Reply::json(200, USER)]).await;
    let world = World::new().await;
    world.github(server.url()).whoami().await.unwrap();
    let request = server.seen().remove(0);
    for line in [
        "GET /user HTTP/1.1\r\n".to_owned(),
        format!("user-agent: coord/{}\r\n", env!("CARGO_PKG_VERSION")),
        "accept: application/vnd.github+json\r\n".to_owned(),
        "x-github-api-version: 2022-11-28\r\n".to_owned(),
        format!("authorization: Bearer {TOKEN}\r\n"),
    ] {
        assert!(request.contains(&line), "{line}{request}");
    }
}

#[tokio::test]
async fn reads_are_repeated_twice() {
    let half = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"login".to_vec());
    let page = Reply::with(502, "content-type: text/html\r\n", "<html>");
    for bad in [Reply::Reset, half, page, Reply::json(503, "{}")] {
        let good = Reply::json(200, USER);
        let (result, requests) = whoami(vec![bad.clone(), bad.clone(), good]).await;
        assert_eq!((result.unwrap(), requests), ("anna".to_owned(), 3));
        let (result, requests) = whoami(vec![bad]).await;
        let error = result.unwrap_err();
        assert!(matches!(error, ForgeError::Transient { .. }), "{error:?}");
        assert_eq!(requests, 3);
    }
}

#[tokio::test]
async fn a_server_that_names_a_time_is_not_asked_before() {
    let (result, requests) = whoami(vec![Reply::with(503, "retry-after: 30\r\n", "{}")]).await;
    let ForgeError::Transient { retry_at, .. } = result.unwrap_err() else {
        panic!("it will be there again");
    };
    assert_eq!(retry_at, Some(World::new().await.now().plus_secs(30)));
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn writes_are_sent_once() {
    for fault in [
        Fault::Status(500),
        Fault::StatusAfterEffect(502),
        Fault::ConnectionReset,
        Fault::ConnectionResetAfterEffect,
        Fault::TimeOutAfterEffect,
    ] {
        let (world, fake) = (World::new().await, seven_issues().await);
        fake.schedule(fault, When::request("POST", "/comments"));
        let mut options = world.options(&fake.url(), token(TOKEN));
        options.timeout = Duration::from_millis(500);
        let forge = Github::new(options).unwrap().repo("acme/api");
        let error = post(&forge).await.unwrap_err();
        assert!(
            matches!(error, ForgeError::Transient { .. }),
            "{fault:?}: {error:?}"
        );
        let seen = fake.requests();
        let posts = seen.iter().filter(|seen| seen.method == "POST").count();
        assert_eq!(posts, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Scripted::start(|_| vec![Reply::Silence]).await;
    let world = World::new().await;
    let mut options = world.options(server.url(), token(TOKEN));
    options.timeout = Duration::from_millis(50);
    let error = Github::new(options).unwrap().whoami().await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient { .. }), "{error:?}");
    assert!(
        whole_text(&error).contains("did not answer within 0.05 s"),
        "{error}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let url = Scripted::start(|_| Vec::new()).await.url().to_owned();
    let error = World::new().await.github(&url).whoami().await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient { .. }), "{error:?}");
    assert!(
        whole_text(&error).contains("127.0.0.1 cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn a_giant_is_not_swallowed() {
    let giant = raw(200, "", &format!("\"{}\"", "x".repeat(33 << 20)));
    let (result, requests) = whoami(vec![Reply::Bytes(giant)]).await;
    let error = result.unwrap_err();
    assert!(matches!(error, ForgeError::Unusable { .. }), "{error:?}");
    assert!(
        error.to_string().contains("larger than 33554432 bytes"),
        "{error}"
    );
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn what_is_not_githubs_api_is_called_so() {
    let html = "content-type: text/html\r\n";
    for (reply, words) in [
        (
            Reply::json(200, "{\"login\": 7}"),
            "GET /user cannot be read: invalid type",
        ),
        (Reply::json(200, ""), "GET /user cannot be read"),
        (
            Reply::with(200, html, "<html>Log in"),
            "is there a proxy in between",
        ),
        (
            Reply::with(403, html, "<html>Blocked"),
            "is there a proxy in between",
        ),
        (
            Reply::with(404, html, "<html>Nginx"),
            "is there a proxy in between",
        ),
    ] {
        let (result, requests) = whoami(vec![reply.clone()]).await;
        let error = result.unwrap_err();
        let text = whole_text(&error);
        assert!(matches!(error, ForgeError::Unusable { .. }), "{error:?}");
        assert!(text.contains(words), "{reply:?}: {text}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn a_renamed_repository_is_read_and_not_written() {
    let moved = |to: &str| Reply::with(301, &format!("location: /repositories/12{to}\r\n"), "{}");
    let named = Reply::json(
        200,
        r#"{"default_branch":"main","full_name":"acme/new-name"}"#,
    );
    let replies = [moved("/issues/7/comments"), moved(""), named.clone()];
    let server = Scripted::start(|_| replies.to_vec()).await;
    let world = World::new().await;
    let error = post(&world.forge(server.url())).await.unwrap_err();
    assert!(
        whole_text(&error).contains("called acme/new-name now"),
        "{error}"
    );
    let seen = server.seen();
    let lines: Vec<&str> = seen
        .iter()
        .filter_map(|it| it.split(" HTTP").next())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /repos/acme/api/issues/7/comments",
            "GET /repos/acme/api",
            "GET /repositories/12"
        ]
    );

    let server = Scripted::start(|_| vec![moved(""), named.clone()]).await;
    let forge = world.forge(server.url());
    assert_eq!(forge.default_branch().await.unwrap(), "main");
}

/// Something was done, whatever it says.
#[tokio::test]
async fn an_answer_to_a_write_that_cannot_be_read_is_an_unknown_outcome() {
    let giant = raw(201, "", &format!("\"{}\"", "x".repeat(33 << 20)));
    let page = Reply::with(200, "content-type: text/html\r\n", "<html>Thanks");
    for reply in [Reply::json(201, "{\"id\":"), page, Reply::Bytes(giant)] {
        let server = Scripted::start(|_| vec![reply.clone()]).await;
        let world = World::new().await;
        let error = post(&world.forge(server.url())).await.unwrap_err();
        assert!(matches!(error, ForgeError::Transient { .. }), "{error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_quoted_with_care() {
    let body = format!("\"Bearer {TOKEN} \u{1b}[31m {}\"", "x".repeat(10_000));
    let body = body.replace('\u{1b}', "\\u001b");
    let (result, _) = whoami(vec![Reply::json(200, &body)]).await;
    let text = whole_text(&result.unwrap_err());
    assert!(text.contains("cannot be read: invalid type"), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains('\u{1b}'), "{text}");
    assert!(text.len() < 1000, "{}", text.len());
}

#[tokio::test]
async fn a_redirection_to_another_server_is_not_followed() {
    let other = Scripted::start(|_| vec![Reply::json(200, USER)]).await;
    let location = format!("location: {}/user\r\n", other.url());
    for status in [301, 302, 307, 308] {
        let (result, _) = whoami(vec![Reply::with(status, &location, "{}")]).await;
        result.unwrap_err();
    }
    let (result, requests) = whoami(vec![Reply::with(301, "location: /user\r\n", "{}")]).await;
    result.unwrap_err();
    assert_eq!(requests, 2);
    assert_eq!(other.seen(), [""; 0]);
}

#[tokio::test]
async fn tokens_stay_off_the_open_network() {
    let world = World::new().await;
    let options = world.options("http://github.example.com/api/v3", token(TOKEN));
    let error = Github::new(options).unwrap_err();
    assert!(matches!(error, GithubError::InClear { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_gets_no_token() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut seen = Vec::new();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n{}")
            .await
            .unwrap();
        drop(stream.read_to_end(&mut seen).await);
        seen
    });
    let error = World::new().await.github(&url).whoami().await.unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("127.0.0.1 cannot be reached"), "{text}");
    let seen = server.await.unwrap();
    assert!(!String::from_utf8_lossy(&seen).contains("Bearer"));
}
