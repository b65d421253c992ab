//! What GitHub refuses, and what would change it.

use coord_forge::{Forge, ForgeError};
use coord_test_support::github::FakeGithub;

use crate::scripted::{Reply, Scripted};
use crate::world::{TOKEN, World, post, whole_text};

async fn refused(status: u16, headers: &str, body: &str) -> (ForgeError, String) {
    let reply = Reply::with(status, headers, body);
    let server = Scripted::start(|_| vec![reply.clone()]).await;
    let world = World::new().await;
    let error = post(&world.forge(server.url())).await.unwrap_err();
    let text = whole_text(&error);
    (error, text)
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user_with_scopes("anna", TOKEN, &["read:org", "gist"]);
    let repo = fake.add_repo("acme/api", None).unwrap();
    repo.open_issue("title", "", &[], "anna");
    let error = world.forge(&fake.url()).default_branch().await.unwrap_err();
    let text = whole_text(&error);
    assert!(
        text.contains("the token of GITHUB_TOKEN lacks the scope `repo`"),
        "{text}"
    );
    repo.set_private(false);
    let error = world
        .forge(&fake.url())
        .create_comment(1, "text")
        .await
        .unwrap_err();
    let text = whole_text(&error);
    assert!(text.contains("lacks the scope `"), "{text}");
    assert!(matches!(error, ForgeError::Auth { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user_with_permissions("anna", TOKEN, &[("metadata", "read"), ("issues", "read")]);
    let repo = fake.add_repo("acme/api", None).unwrap();
    repo.open_issue("title", "", &[], "anna");
    let error = world
        .forge(&fake.url())
        .create_comment(1, "text")
        .await
        .unwrap_err();
    let text = whole_text(&error);
    assert!(matches!(error, ForgeError::Auth { .. }), "{error:?}");
    assert!(
        text.contains("needs the permission `issues=write"),
        "{text}"
    );
}

#[tokio::test]
async fn single_sign_on_is_named_without_its_secret() {
    let header = "x-github-sso: required; url=https://github.com/orgs/acme/sso?authorization_request=HUSH\r\n";
    let body = r#"{"message":"Resource protected by organization SAML enforcement."}"#;
    let (error, text) = refused(403, header, body).await;
    assert!(matches!(error, ForgeError::Auth { .. }), "{error:?}");
    assert!(
        text.contains("single sign-on") && text.contains("https://github.com/"),
        "{text}"
    );
    assert!(!text.contains("HUSH"), "{text}");
}

#[tokio::test]
async fn a_validation_that_failed_says_what() {
    let body = r#"{"message":"Validation Failed","errors":[{"resource":"Issue","field":"title","code":"missing_field"},{"message":"too long"},"plain"]}"#;
    let (error, text) = refused(422, "", body).await;
    assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    assert!(
        text.contains("Validation Failed: Issue.title: missing_field; too long; plain"),
        "{text}"
    );
}

#[tokio::test]
async fn words_of_a_server_are_bounded_and_on_one_line() {
    let body = format!(
        r#"{{"message":"a\u001b[31m\nb {}","errors":[{}]}}"#,
        "x".repeat(10_000),
        vec![r#""e""#; 1000].join(",")
    );
    let (_, text) = refused(409, "", &body).await;
    assert!(text.len() < 2000 && !text.contains('\u{1b}'), "{text}");
    assert!(text.contains("a [31m b xxx"), "{text}");
}

#[tokio::test]
async fn what_is_not_there_is_not_there() {
    let (error, _) = refused(
        404,
        "x-oauth-scopes: repo\r\n",
        r#"{"message":"Not Found"}"#,
    )
    .await;
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
}
