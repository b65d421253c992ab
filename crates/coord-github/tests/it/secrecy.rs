//! The token is nowhere to be seen: not in errors, not in `Debug`, not in what is traced.

use std::io::Write;
use std::sync::{Arc, Mutex};

use coord_forge::Forge;
use coord_github::{CredentialSource, Github};
use coord_test_support::github::FakeGithub;

use crate::scripted::{Reply, Scripted};
use crate::world::{TOKEN, World, post, token, whole_text};

#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<u8>>>);

impl Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Trace {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// A server that says the token back in every way it can.
async fn parrot(status: u16) -> Scripted {
    let headers = format!(
        "x-oauth-scopes: gist\r\nx-accepted-oauth-scopes: {TOKEN}\r\nlocation: /{TOKEN}\r\nx-github-sso: required; url=https://github.com/sso?{TOKEN}\r\nx-ratelimit-resource: {TOKEN}\r\n"
    );
    let body =
        format!(r#"{{"message":"Bearer {TOKEN}","errors":["{TOKEN}",{{"code":"{TOKEN}"}}]}}"#);
    Scripted::start(|_| vec![Reply::with(status, &headers, &body)]).await
}

#[tokio::test]
async fn no_error_and_no_trace_shows_the_token() {
    let trace = Trace::default();
    let writer = trace.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the trace is on");
    for status in [200, 301, 400, 401, 403, 404, 409, 422, 429, 500] {
        let server = parrot(status).await;
        let world = World::new().await;
        let github = world.github(server.url());
        let forge = github.repo("acme/api");
        for error in [
            post(&forge).await.unwrap_err(),
            github.whoami().await.unwrap_err(),
        ] {
            let shown = format!("{error:?} {}", whole_text(&error));
            assert!(!shown.contains(TOKEN), "{status}: {shown}");
        }
        let shown = format!("{github:?} {forge:?}");
        assert!(!shown.contains(TOKEN), "{shown}");
    }
    let trace = trace.text();
    assert!(trace.contains("the trace is on"));
    assert!(!trace.contains(TOKEN), "{trace}");
}

#[tokio::test]
async fn no_public_type_shows_the_token() {
    let world = World::new().await;
    let value = |name: &str| (name == "GITHUB_TOKEN").then(|| TOKEN.to_owned());
    let source = CredentialSource::from_env(&value);
    let options = world.options("https://api.github.com", source.clone());
    let shown = format!(
        "{source:?} {options:?} {:?} {:?}",
        source.token,
        Github::new(options.clone())
    );
    assert!(shown.contains("GITHUB_TOKEN"), "{shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[tokio::test]
async fn the_store_does_not_hold_the_token() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    let github = Github::new(world.options(&fake.url(), token(TOKEN))).unwrap();
    github.whoami().await.unwrap();
    drop(github.repo("acme/api").open_issues().await);
    let limits = world.store.rate_limits().await.unwrap();
    assert_eq!(limits.len(), 1);
    assert!(limits[0].0.starts_with(&fake.url()), "{limits:?}");
    let folder = world.store.path().parent().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = bytes
            .windows(TOKEN.len())
            .any(|window| window == TOKEN.as_bytes());
        assert!(!found);
    }
}
