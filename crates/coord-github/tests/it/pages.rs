//! Lists to their end.

use coord_forge::Forge;
use coord_test_support::github::FakeGithub;

use crate::scripted::{Reply, Scripted};
use crate::world::{TOKEN, World, whole_text};

fn issue(number: u64) -> String {
    format!(
        r#"{{"number":{number},"id":{number},"title":"t","body":"b","state":"open","labels":[],"assignees":[],"milestone":null,"user":{{"login":"anna","id":1,"type":"User"}},"author_association":"OWNER","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","html_url":"https://x/1"}}"#
    )
}

#[tokio::test]
async fn every_page_below_the_prefix_of_an_enterprise_server() {
    let (world, fake) = (
        World::new().await,
        FakeGithub::start_enterprise().await.unwrap(),
    );
    fake.add_user("anna", TOKEN);
    let repo = fake.add_repo("acme/api", None).unwrap();
    for number in 0..250 {
        repo.open_issue(&format!("issue {number}"), "", &[], "anna");
    }
    let issues = world.forge(&fake.url()).open_issues().await.unwrap();
    assert_eq!(issues.len(), 250);
    let requests = fake.requests();
    let pages = requests
        .iter()
        .filter(|seen| seen.path.ends_with("/issues"));
    assert_eq!(pages.count(), 3);
    assert_eq!(fake.violations(), [""; 0]);
}

#[tokio::test]
async fn a_list_that_filled_its_last_page_grows() {
    let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
    fake.add_user("anna", TOKEN);
    let repo = fake.add_repo("acme/api", None).unwrap();
    let number = repo.open_issue("title", "", &[], "anna");
    for comment in 0..100 {
        repo.comment(number, "anna", &format!("comment {comment}"));
    }
    let forge = world.forge(&fake.url());
    assert_eq!(forge.comments(number, None).await.unwrap().len(), 100);
    repo.comment(number, "anna", "one more");
    // The first page is confirmed as unchanged, and nothing in it names a second one.
    assert_eq!(forge.comments(number, None).await.unwrap().len(), 101);
}

#[tokio::test]
async fn a_link_to_another_server_is_not_followed() {
    let other = Scripted::start(|_| vec![Reply::json(200, "[]")]).await;
    let link = format!(
        "link: <{}/repos/acme/api/issues?page=2>; rel=\"next\"\r\n",
        other.url()
    );
    let body = format!("[{}]", issue(1));
    let server = Scripted::start(|_| vec![Reply::with(200, &link, &body)]).await;
    let world = World::new().await;
    let error = world.forge(server.url()).open_issues().await.unwrap_err();
    assert!(whole_text(&error).contains("on another server"), "{error}");
    assert_eq!(other.seen(), [""; 0]);
}

#[tokio::test]
async fn a_page_that_is_its_own_successor_is_the_last() {
    let body = format!("[{}]", issue(1));
    let server = Scripted::start(|url| {
        let link = format!("link: <{url}/again?page=2>; rel=\"next\"\r\n");
        vec![Reply::with(200, &link, &body)]
    })
    .await;
    let world = World::new().await;
    let issues = world.forge(server.url()).open_issues().await.unwrap();
    assert!(!issues.is_empty());
    assert_eq!(server.seen().len(), 2);
}
