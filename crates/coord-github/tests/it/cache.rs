//! Conditional requests.

use coord_forge::Forge;
use coord_github::Github;
use coord_test_support::github::FakeGithub;

use crate::scripted::{Reply, Scripted};
use crate::world::{TOKEN, World, token};

#[tokio::test]
async fn what_has_not_changed_is_confirmed_in_every_process() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    let repo = fake.add_repo("acme/api", None).unwrap();
    for number in 0..150 {
        repo.open_issue(&format!("issue {number}"), "", &[], "anna");
    }
    let first = world.forge(&fake.url()).open_issues().await.unwrap();
    fake.clear_requests();
    let second = world.forge(&fake.url()).open_issues().await.unwrap();
    assert_eq!(first, second);
    let statuses: Vec<u16> = fake.requests().iter().map(|seen| seen.status).collect();
    // Two pages, and who we are.
    assert_eq!(statuses, [304, 304, 304]);
    repo.edit_issue(1, "another title", "");
    let third = world.forge(&fake.url()).open_issues().await.unwrap();
    assert_eq!(third[0].title, "another title");
}

#[tokio::test]
async fn accounts_do_not_see_each_others_answers() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    fake.add_user("berta", "ghp_another");
    assert_eq!(world.github(&fake.url()).whoami().await.unwrap(), "anna");
    let berta = Github::new(world.options(&fake.url(), token("ghp_another"))).unwrap();
    assert_eq!(berta.whoami().await.unwrap(), "berta");
    assert!(fake.requests().iter().all(|seen| !seen.conditional));
}

#[tokio::test]
async fn a_broken_answer_is_not_confirmed_for_ever() {
    let broken = Reply::with(200, "etag: \"1\"\r\n", r#"{"login":"an"#);
    let whole = Reply::with(200, "etag: \"1\"\r\n", r#"{"login":"anna"}"#);
    let server = Scripted::start(|_| vec![broken.clone(), whole.clone()]).await;
    let world = World::new().await;
    let github = world.github(server.url());
    github.whoami().await.unwrap_err();
    assert_eq!(github.whoami().await.unwrap(), "anna");
    assert!(!server.seen()[1].contains("if-none-match"));
}

#[tokio::test]
async fn a_confirmation_of_nothing_is_an_error() {
    let server = Scripted::start(|_| vec![Reply::with(304, "", "")]).await;
    let world = World::new().await;
    world.github(server.url()).whoami().await.unwrap_err();
}
