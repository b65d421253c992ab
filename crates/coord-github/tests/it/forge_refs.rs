//! Branches, and how commits stand to each other.

use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError};

use crate::scene::Scene;

const NAMES: [&str; 6] = [
    "issue-5-a#b",
    "issue-5-50%25",
    "issue-5-ü/ñ/深",
    "issue-5-🦀",
    "issue-5-a&b=c+d",
    "issue-5",
];

#[tokio::test]
async fn branches_of_any_name_are_found() {
    let scene = Scene::new().await;
    let mut expected = Vec::new();
    for name in NAMES {
        let head = scene.branch(name, "file");
        assert_eq!(
            scene.forge.branch_head(name).await.unwrap(),
            Some(head.clone())
        );
        expected.push((name.to_owned(), head));
    }
    scene.branch("issue-50-other", "file");
    expected.sort();
    let found = scene.forge.branches("issue-5").await.unwrap();
    assert_eq!(found.len(), 7);
    let found = scene.forge.branches("issue-5-").await.unwrap();
    let found: Vec<(String, CommitId)> = found.into_iter().map(|it| (it.name, it.head)).collect();
    assert_eq!(found, expected[1..]);
    for name in NAMES {
        let listed = scene.forge.branches(name).await.unwrap();
        assert!(listed.iter().any(|branch| branch.name == name), "{name}");
    }
    scene.end();
}

#[tokio::test]
async fn what_only_begins_with_a_name_is_not_it() {
    let scene = Scene::new().await;
    scene.branch("issue-5-more", "file");
    assert_eq!(scene.forge.branch_head("issue-5").await.unwrap(), None);
    assert_eq!(scene.forge.branch_head("nothing").await.unwrap(), None);
    assert_eq!(scene.forge.branches("nothing").await.unwrap(), []);
    assert_eq!(scene.forge.branches("").await.unwrap().len(), 2);
    scene.end();
}

#[tokio::test]
async fn the_default_branch_is_the_repositorys() {
    let scene = Scene::new().await;
    assert_eq!(scene.forge.default_branch().await.unwrap(), "main");
    scene.branch("trunk", "file");
    scene.repo.set_default_branch("trunk");
    assert_eq!(scene.forge.default_branch().await.unwrap(), "trunk");
    scene.end();
}

#[tokio::test]
async fn a_repository_that_is_not_there_says_so() {
    let scene = Scene::new().await;
    scene.repo.hide_from("coord");
    let error = scene.forge.default_branch().await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    assert!(error.to_string().contains("acme/api"), "{error}");
}

#[tokio::test]
async fn commits_and_branches_are_compared() {
    let scene = Scene::new().await;
    let main = CommitId::new(scene.repo.branch("main").unwrap().unwrap());
    for name in NAMES {
        scene.branch(name, "one");
        let head = scene.branch(name, "two");
        for (base, head, ahead, behind) in [
            ("main", name, 2, 0),
            (name, "main", 0, 2),
            (main.as_str(), head.as_str(), 2, 0),
            (name, name, 0, 0),
        ] {
            let found = scene.forge.compare(base, head).await.unwrap();
            assert_eq!(
                (found.ahead, found.behind),
                (ahead, behind),
                "{base} {head}"
            );
            let fork = if ahead == behind {
                found.merge_base.clone()
            } else {
                main.clone()
            };
            assert_eq!(found.merge_base, fork);
        }
    }
    let error = scene.forge.compare("main", "nothing").await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    scene.end();
}
