//! Where the account comes from, and what is said when there is none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use coord_core::ids::Timestamp;
use coord_forge::{Forge, ForgeError};
use coord_github::{AppCredentials, CredentialSource, Github};
use coord_test_support::github::FakeGithub;

use crate::world::{TOKEN, World, token, whole_text};

pub(crate) const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/app-key.pem");

pub(crate) fn app(app_id: u64, key_file: &Path) -> CredentialSource {
    let key_file = key_file.to_owned();
    CredentialSource {
        app: Some(AppCredentials {
            app_id,
            key_file,
            installation_id: 34,
        }),
        ..CredentialSource::default()
    }
}

/// A program that stands for `gh`.
fn gh(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("gh");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

fn by_gh(program: PathBuf) -> CredentialSource {
    CredentialSource {
        gh: Some(program),
        ..CredentialSource::default()
    }
}

async fn whoami(world: &World, url: &str, source: CredentialSource) -> Result<String, ForgeError> {
    let github = Github::new(world.options(url, source)).unwrap();
    github.whoami().await
}

#[tokio::test]
async fn a_token_says_who_we_are_once() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    let github = world.github(&fake.url());
    assert_eq!(github.whoami().await.unwrap(), "anna");
    assert_eq!(github.clone().whoami().await.unwrap(), "anna");
    assert_eq!(fake.requests().len(), 1);
    assert_eq!(fake.violations(), [""; 0]);
}

#[tokio::test]
async fn white_space_around_a_token_is_no_part_of_it() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    let source = token(&format!(" {TOKEN}\r\n"));
    assert_eq!(whoami(&world, &fake.url(), source).await.unwrap(), "anna");
}

#[tokio::test]
async fn what_is_no_token_is_not_sent() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    for odd in ["tok\nen-odd", "\"tok en-odd\"", "tök-en-odd"] {
        let error = whoami(&world, &fake.url(), token(odd)).await.unwrap_err();
        let text = whole_text(&error);
        assert!(
            text.contains("what GITHUB_TOKEN holds is no token"),
            "{text}"
        );
        assert!(!text.contains("en-odd"), "{text}");
    }
    assert_eq!(fake.requests(), []);
}

#[tokio::test]
async fn a_token_that_github_does_not_know() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    let error = whoami(&world, &fake.url(), token(TOKEN)).await.unwrap_err();
    assert!(matches!(error, ForgeError::Auth { .. }), "{error:?}");
    let text = whole_text(&error);
    assert!(
        text.contains("GitHub does not accept the token of GITHUB_TOKEN"),
        "{text}"
    );
    assert!(text.contains("expired or revoked"), "{text}");
}

#[tokio::test]
async fn gh_is_asked_without_any_token_around() {
    let (world, fake) = (
        World::new().await,
        FakeGithub::start_enterprise().await.unwrap(),
    );
    fake.add_user("anna", TOKEN);
    let folder = tempfile::tempdir().unwrap();
    let (argv, env) = (folder.path().join("argv"), folder.path().join("env"));
    let script = format!(
        "echo \"$@\" > {}; env > {}; echo {TOKEN}",
        argv.display(),
        env.display()
    );
    let source = by_gh(gh(folder.path(), &script));
    assert_eq!(whoami(&world, &fake.url(), source).await.unwrap(), "anna");
    let argv = std::fs::read_to_string(argv).unwrap();
    assert_eq!(argv, "auth token --hostname 127.0.0.1\n");
    let env = std::fs::read_to_string(env).unwrap();
    for line in env.lines() {
        assert!(
            !line.contains("TOKEN") && !line.starts_with("CARGO"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn gh_that_does_not_help_leads_to_every_other_way() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-such-program");
    let failing = gh(folder.path(), "echo 'no oauth token' >&2; exit 1");
    for source in [by_gh(missing), by_gh(failing), CredentialSource::default()] {
        let error = whoami(&world, &fake.url(), source).await.unwrap_err();
        let ForgeError::Auth {
            hint: Some(hint), ..
        } = &error
        else {
            panic!("{error:?}");
        };
        for way in [
            "COORD_GITHUB_TOKEN",
            "GITHUB_TOKEN",
            "GH_TOKEN",
            "gh auth login",
            "app",
        ] {
            assert!(hint.contains(way), "{way}: {hint}");
        }
    }
    assert_eq!(fake.requests(), []);
}

#[tokio::test]
async fn an_app_is_its_bot_and_fetches_one_token_for_all() {
    let (world, fake) = (
        World::new().await,
        FakeGithub::start_enterprise().await.unwrap(),
    );
    fake.add_app(12, 34, "acme-coord");
    fake.add_repo("acme/api", None).unwrap();
    let source = app(12, Path::new(KEY));
    let github = Github::new(world.options(&fake.url(), source)).unwrap();
    assert_eq!(github.whoami().await.unwrap(), "acme-coord[bot]");
    let forge = github.repo("acme/api");
    let (issue, branch) = (forge.issue(7), forge.default_branch());
    let (issue, branch) = tokio::join!(issue, branch);
    assert_eq!((issue.unwrap(), branch.unwrap()), (None, "main".to_owned()));
    assert_eq!(fake.installation_tokens().len(), 1);
    assert_eq!(fake.violations(), [""; 0]);
}

#[tokio::test]
async fn the_token_of_an_installation_is_renewed() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_app(12, 34, "acme-coord");
    fake.add_repo("acme/api", None).unwrap();
    let source = app(12, Path::new(KEY));
    let forge = Github::new(world.options(&fake.url(), source))
        .unwrap()
        .repo("acme/api");
    forge.default_branch().await.unwrap();
    fake.expire_token(&fake.installation_tokens()[0]);
    forge.default_branch().await.unwrap();
    assert_eq!(fake.installation_tokens().len(), 2);
}

#[tokio::test]
async fn an_app_that_github_does_not_know() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    let forge = Github::new(world.options(&fake.url(), app(12, Path::new(KEY)))).unwrap();
    let error = forge.repo("acme/api").default_branch().await.unwrap_err();
    assert!(matches!(error, ForgeError::Auth { .. }), "{error:?}");
    let text = whole_text(&error);
    assert!(
        text.contains("app 12") && text.contains("app-key.pem"),
        "{text}"
    );
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "-----BEGIN RSA PRIVATE KEY-----\nhush\n").unwrap();
    for path in [garbage, folder.path().join("missing.pem")] {
        let error = whoami(&world, &fake.url(), app(12, &path))
            .await
            .unwrap_err();
        let text = whole_text(&error);
        assert!(matches!(error, ForgeError::Unusable { .. }), "{error:?}");
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn an_app_that_cannot_get_a_token_now_says_so() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_app(12, 34, "acme-coord");
    let until = Timestamp::from_millis(world.now().as_millis() + 7000);
    let fault = coord_test_support::github::Fault::SecondaryLimit {
        retry_after_secs: 7,
    };
    fake.fail_next(fault);
    let forge = Github::new(world.options(&fake.url(), app(12, Path::new(KEY)))).unwrap();
    let error = forge.repo("acme/api").default_branch().await.unwrap_err();
    let ForgeError::Transient { retry_at, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(retry_at, Some(until));
}
