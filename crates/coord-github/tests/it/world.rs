//! A store, a clock that tests move, and accounts on some server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use coord_core::ids::Timestamp;
use coord_forge::{Forge, ForgeError};
use coord_github::{CredentialSource, Github, GithubForge, GithubOptions, Secret, Trust};
use coord_store::Store;
use coord_test_support::github::FakeGithub;
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "ghp_averysecrettokenofatest0123456789abc";

pub(crate) struct World {
    _folder: TempDir,
    pub(crate) store: Store,
    clock: Arc<AtomicI64>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("board.db")).await.unwrap();
        Self {
            _folder: folder,
            store,
            clock: Arc::new(AtomicI64::new(1_000_000_000)),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::SeqCst))
    }

    /// Seconds since the epoch.
    pub(crate) fn now_secs(&self) -> u64 {
        u64::try_from(self.now().as_millis() / 1000).unwrap()
    }

    pub(crate) fn wait_until(&self, at: Timestamp) {
        self.clock.store(at.as_millis(), Ordering::SeqCst);
    }

    pub(crate) fn options(&self, url: &str, credentials: CredentialSource) -> GithubOptions {
        let clock = Arc::clone(&self.clock);
        GithubOptions {
            api_url: url.to_owned(),
            credentials,
            trust: Trust {
                associations: BTreeSet::from(["OWNER".to_owned()]),
                users: BTreeSet::new(),
            },
            store: self.store.clone(),
            timeout: Duration::from_secs(30),
            clock: Arc::new(move || Timestamp::from_millis(clock.load(Ordering::SeqCst))),
        }
    }

    /// With [`TOKEN`].
    pub(crate) fn github(&self, url: &str) -> Github {
        Github::new(self.options(url, token(TOKEN))).unwrap()
    }

    /// The repository `acme/api`, with [`TOKEN`].
    pub(crate) fn forge(&self, url: &str) -> GithubForge {
        self.github(url).repo("acme/api")
    }
}

pub(crate) fn token(text: &str) -> CredentialSource {
    CredentialSource {
        token: Some(Secret::new(text, "GITHUB_TOKEN")),
        ..CredentialSource::default()
    }
}

/// A server on which `acme/api` has the issues 1 to 7.
pub(crate) async fn seven_issues() -> FakeGithub {
    let fake = FakeGithub::start().await.unwrap();
    fake.add_user("anna", TOKEN);
    let repo = fake.add_repo("acme/api", None).unwrap();
    for title in ["1", "2", "3", "4", "5", "6", "7"] {
        repo.open_issue(title, "", &[], "anna");
    }
    fake
}

/// One POST.
pub(crate) async fn post(forge: &GithubForge) -> Result<(), ForgeError> {
    forge.create_comment(7, "a comment").await.map(drop)
}

/// The error with everything behind it, and its hint.
pub(crate) fn whole_text(error: &ForgeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    format!("{text}\n{}", error.hint().unwrap_or("(no hint)"))
}
