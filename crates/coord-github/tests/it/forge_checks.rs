//! Checks and statuses of a commit, and what a branch requires.

use coord_forge::{Check, CheckState, Forge, RequiredChecks};
use coord_github::Github;

use crate::scene::Scene;
use crate::world::token;

fn known(names: &[&str]) -> RequiredChecks {
    RequiredChecks::Known(names.iter().map(|name| (*name).to_owned()).collect())
}

fn states(checks: &[Check]) -> Vec<(&str, CheckState)> {
    checks
        .iter()
        .map(|check| (check.name.as_str(), check.state))
        .collect()
}

#[tokio::test]
async fn runs_and_statuses_are_one() {
    let scene = Scene::new().await;
    let head = scene.branch("issue-1-a", "a");
    let sha = head.as_str();
    assert_eq!(scene.forge.checks(&head).await.unwrap(), []);
    scene
        .repo
        .set_check(sha, "build", "completed", Some("failure"));
    scene
        .repo
        .set_check(sha, "build", "completed", Some("success"));
    scene
        .repo
        .set_check(sha, "skip", "completed", Some("skipped"));
    scene.repo.set_check(sha, "slow", "in_progress", None);
    scene
        .repo
        .set_check(sha, "both", "completed", Some("success"));
    scene.repo.set_status(sha, "both", "failure");
    scene.repo.set_status(sha, "ci/ü", "success");
    scene.repo.set_status(sha, "late", "pending");
    scene.repo.set_status(sha, "wrong", "error");
    let checks = scene.forge.checks(&head).await.unwrap();
    use CheckState::{Bad, Good, Pending};
    let expected = [
        ("both", Bad),
        ("build", Good),
        ("ci/ü", Good),
        ("late", Pending),
        ("skip", Good),
        ("slow", Pending),
        ("wrong", Bad),
    ];
    assert_eq!(states(&checks), expected);
    assert!(checks[1].url.as_ref().unwrap().starts_with("http"));
    scene.end();
}

#[tokio::test]
async fn every_page_counts() {
    let scene = Scene::new().await;
    let head = scene.branch("issue-1-a", "a");
    for index in 0..130 {
        let name = format!("{index:03}");
        scene.repo.set_check(
            head.as_str(),
            &format!("run {name}"),
            "completed",
            Some("success"),
        );
        scene
            .repo
            .set_status(head.as_str(), &format!("status {name}"), "success");
    }
    let checks = scene.forge.checks(&head).await.unwrap();
    assert_eq!(checks.len(), 260);
    assert!(checks.iter().all(|check| check.state == CheckState::Good));
    scene.end();
}

#[tokio::test]
async fn rules_and_protection_are_joined() {
    let scene = Scene::new().await;
    let required = |base: &'static str| scene.forge.required_checks(base);
    assert_eq!(required("main").await.unwrap(), known(&[]));
    scene.repo.ruleset("main", &["lint", "ci"]);
    assert_eq!(required("main").await.unwrap(), known(&["ci", "lint"]));
    scene.repo.protect("main", &["test", "ci"]);
    assert_eq!(
        required("main").await.unwrap(),
        known(&["ci", "lint", "test"])
    );
    scene.branch("release/1#", "a");
    scene.repo.protect("release/1#", &[]);
    assert_eq!(required("release/1#").await.unwrap(), known(&[]));
    assert_eq!(required("nothing").await.unwrap(), known(&[]));
    scene.end();
}

#[tokio::test]
async fn who_may_not_read_the_protection_reads_the_branch() {
    let scene = Scene::new().await;
    scene.repo.hide_protection();
    assert_eq!(
        scene.forge.required_checks("main").await.unwrap(),
        known(&[])
    );
    scene.repo.protect("main", &["test"]);
    assert_eq!(
        scene.forge.required_checks("main").await.unwrap(),
        known(&["test"])
    );
    assert_eq!(
        scene.forge.required_checks("nothing").await.unwrap(),
        known(&[])
    );
    scene.end();
}

#[tokio::test]
async fn what_nobody_may_read_is_hidden() {
    let scene = Scene::new().await;
    scene
        .fake
        .add_user_with_permissions("weak", "weak", &[("metadata", "read")]);
    let options = scene.world.options(&scene.fake.url(), token("weak"));
    let forge = Github::new(options).unwrap().repo("acme/api");
    let RequiredChecks::Hidden { reason } = forge.required_checks("main").await.unwrap() else {
        panic!("it can be read");
    };
    assert!(reason.contains("not accessible"), "{reason}");
    scene.repo.ruleset("main", &["lint"]);
    assert_eq!(
        forge.required_checks("main").await.unwrap(),
        known(&["lint"])
    );
    scene.end();
}
