//! Issues below issues.

use std::time::Duration;

use coord_forge::{Forge, ForgeError, SubIssueLink, task_list};
use coord_test_support::github::{FakeGithub, Fault, When};

use crate::scene::{FAULTS, Scene};
use crate::world::{TOKEN, World};

/// A parent, number 1, and others.
async fn scene(others: usize) -> Scene {
    let scene = Scene::new().await;
    for _ in 0..=others {
        scene.repo.open_issue("t", "Please.", &[], "acme");
    }
    scene
}

async fn link(scene: &Scene, parent: u64, child: u64) -> SubIssueLink {
    scene.forge.add_sub_issue(parent, child).await.unwrap()
}

#[tokio::test]
async fn sub_issues_are_added_once_and_in_order() {
    let scene = scene(4).await;
    assert_eq!(scene.forge.sub_issues(1).await.unwrap(), Some(vec![]));
    for child in [3, 2, 3, 4] {
        assert_eq!(link(&scene, 1, child).await, SubIssueLink::Linked);
    }
    assert_eq!(scene.repo.sub_issues(1), [3, 2, 4]);
    assert_eq!(
        scene.forge.sub_issues(1).await.unwrap(),
        Some(vec![3, 2, 4])
    );
    assert_eq!(scene.count("POST", "/sub_issues"), 3);
    scene.repo.close_issue(2, "acme");
    scene.repo.set_sub_issues(1, &[4, 2, 3]);
    assert_eq!(
        scene.forge.sub_issues(1).await.unwrap(),
        Some(vec![4, 2, 3])
    );
    scene.end();
}

#[tokio::test]
async fn what_a_person_put_elsewhere_stays_there() {
    let scene = scene(3).await;
    scene.repo.set_sub_issues(4, &[2]);
    for _ in 0..2 {
        assert_eq!(link(&scene, 1, 2).await, SubIssueLink::OtherParent);
    }
    assert_eq!(scene.repo.sub_issues(4), [2]);
    let error = scene.forge.add_sub_issue(1, 1).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot be the same"), "{error}");
    scene.end();
}

#[tokio::test]
async fn every_fault_leaves_one_link() {
    let scene = Scene::impatient(Duration::from_millis(1500)).await;
    let parent = scene.repo.open_issue("t", "", &[], "acme");
    let open = |_| scene.repo.open_issue("t", "", &[], "acme");
    let children = FAULTS.map(open);
    for (fault, child) in FAULTS.into_iter().zip(children) {
        scene
            .fake
            .schedule(fault, When::request("POST", "/sub_issues"));
        let error = scene.forge.add_sub_issue(parent, child).await.unwrap_err();
        scene.pass(error);
        assert_eq!(
            link(&scene, parent, child).await,
            SubIssueLink::Linked,
            "{fault:?}"
        );
    }
    assert_eq!(scene.repo.sub_issues(parent), children);
    scene.end();
}

/// Between the look and the link: GitHub refuses the second one.
#[tokio::test]
async fn two_that_link_at_once_link_once() {
    let scene = scene(6).await;
    let others = [scene.world.forge(&scene.fake.url()), scene.forge.clone()];
    let links = others
        .iter()
        .flat_map(|forge| (2..7).map(move |child| forge.add_sub_issue(1, child)));
    for linked in futures_util::future::join_all(links).await {
        assert_eq!(linked.unwrap(), SubIssueLink::Linked);
    }
    let mut children = scene.repo.sub_issues(1);
    children.sort_unstable();
    assert_eq!(children, [2, 3, 4, 5, 6]);
    scene.end();
}

#[tokio::test]
async fn what_is_not_there_has_no_sub_issues() {
    let scene = scene(1).await;
    scene.branch("issue-1-a", "a");
    let pull = scene.pull("issue-1-a").await.number;
    for number in [pull, 999] {
        for error in [
            scene.forge.sub_issues(number).await.unwrap_err(),
            scene.forge.add_sub_issue(number, 2).await.unwrap_err(),
            scene.forge.add_sub_issue(1, number).await.unwrap_err(),
        ] {
            assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
            assert!(
                error.to_string().contains(&format!("#{number} ")),
                "{error}"
            );
        }
    }
    scene.end();
}

#[tokio::test]
async fn issues_of_other_repositories_have_other_numbers() {
    let scene = scene(2).await;
    let web = scene.fake.add_repo("acme/web", None).unwrap();
    for title in ["a", "b", "c"] {
        web.open_issue(title, "", &[], "acme");
    }
    scene.repo.set_sub_issues(1, &[3]);
    scene.repo.add_foreign_sub_issue(1, &web, 2);
    assert_eq!(scene.forge.sub_issues(1).await.unwrap(), Some(vec![3]));
    assert_eq!(link(&scene, 1, 2).await, SubIssueLink::Linked);
    assert_eq!(scene.forge.sub_issues(1).await.unwrap(), Some(vec![3, 2]));
    // Its parent is another one's issue 1.
    let list = scene
        .world
        .github(&scene.fake.url())
        .repo("acme/web")
        .open_list()
        .await;
    assert_eq!(list.unwrap().parents, [0; 0]);
    scene.end();
}

#[tokio::test]
async fn more_than_a_page_of_them_is_read() {
    let scene = scene(130).await;
    let children: Vec<u64> = (2..132).rev().collect();
    scene.repo.set_sub_issues(1, &children);
    assert_eq!(scene.forge.sub_issues(1).await.unwrap(), Some(children));
    assert_eq!(scene.count("GET", "/sub_issues"), 2);
    scene.end();
}

#[tokio::test]
async fn the_list_tells_below_which_issues_there_are_open_ones() {
    let scene = scene(9).await;
    scene.repo.set_sub_issues(1, &[2, 3]);
    scene.repo.set_sub_issues(4, &[5]);
    scene.repo.set_sub_issues(6, &[7]);
    scene.repo.close_issue(2, "acme");
    scene.repo.close_issue(5, "acme");
    scene.repo.close_issue(6, "acme");
    let list = scene.forge.open_list().await.unwrap();
    assert_eq!(list.parents, [1, 6]);
    assert_eq!(list.issues, scene.forge.open_issues().await.unwrap());
    assert_eq!(list.issues.len(), 7);
    scene.end();
}

#[tokio::test]
async fn an_old_server_does_not_know_them() {
    let (world, fake) = (
        World::new().await,
        FakeGithub::start_enterprise().await.unwrap(),
    );
    fake.add_user("coord", TOKEN);
    fake.set_knows_sub_issues(false);
    let repo = fake.add_repo("acme/api", None).unwrap();
    for title in ["a", "b"] {
        repo.open_issue(title, "", &[], "acme");
    }
    repo.set_sub_issues(1, &[2]);
    let forge = world.forge(&fake.url());
    assert_eq!(forge.sub_issues(1).await.unwrap(), None);
    let linked = forge.add_sub_issue(1, 2).await.unwrap();
    assert_eq!(linked, SubIssueLink::Unsupported);
    assert_eq!(forge.open_list().await.unwrap().parents, [0; 0]);
    let error = forge.sub_issues(9).await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    assert_eq!(fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_task_list_and_what_people_write_are_both_there() {
    let scene = scene(2).await;
    let tasks = |title| task_list([(2, title), (3, "Write")]);
    let write = async |title| scene.forge.write_section(1, "tasks", &tasks(title)).await;
    let hostile = "--> <!-- coord:end=tasks --> @acme/all";
    write(hostile).await.unwrap();
    write(hostile).await.unwrap();
    assert_eq!(scene.count("PATCH", "/issues/1"), 1);
    let body = scene.repo.issue(1).unwrap().body;
    // A person saves while the section is written.
    scene
        .repo
        .edit_after_look(1, &body.replace("Please.", "Please, soon."));
    write("Read").await.unwrap();
    let body = scene.repo.issue(1).unwrap().body;
    let section = format!(
        "<!-- coord:begin=tasks -->\n{}\n<!-- coord:end=tasks -->",
        tasks("Read")
    );
    assert_eq!(body, format!("Please, soon.\n\n{section}"));
    assert_eq!(scene.count("PATCH", "/issues/1"), 2);
    // Somebody else has written the same: nothing is left to be done.
    let edited = body.replace("Read", "Look").replace('\n', "\r\n");
    scene.repo.edit_after_look(1, &edited);
    write("Look").await.unwrap();
    assert_eq!(scene.count("PATCH", "/issues/1"), 2);
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("PATCH", "/issues/1"),
    );
    let error = write("Sell").await.unwrap_err();
    scene.pass(error);
    write("Sell").await.unwrap();
    assert_eq!(scene.count("PATCH", "/issues/1"), 3);
    assert_eq!(
        scene
            .repo
            .issue(1)
            .unwrap()
            .body
            .matches("coord:begin")
            .count(),
        1
    );
    scene.end();
}
