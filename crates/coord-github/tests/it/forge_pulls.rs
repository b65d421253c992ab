//! Pull requests: opening, finding, and what they change.

use coord_forge::{ChangeKind, Forge, ForgeError, Mergeable, NewPull, PullState, lines_in_diff};

use crate::scene::{NASTY, Scene};

fn new(branch: &str, title: &str, body: &str) -> NewPull {
    NewPull {
        title: title.to_owned(),
        body: body.to_owned(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
    }
}

#[tokio::test]
async fn a_pull_request_is_opened_once_and_found() {
    let scene = Scene::new().await;
    for (index, text) in NASTY.into_iter().enumerate() {
        let branch = format!("issue-{index}-ü#%/🦀");
        let head = scene.branch(&branch, "file");
        let title = text.replace(['\r', '\n'], " ");
        let opened = scene
            .forge
            .open_pull(new(&branch, &title, text))
            .await
            .unwrap();
        assert_eq!(
            (opened.title.as_str(), opened.body.as_str()),
            (title.as_str(), text)
        );
        assert_eq!((&opened.branch, &opened.head), (&branch, &Some(head)));
        assert_eq!((&*opened.base, &opened.state), ("main", &PullState::Open));
        let again = scene
            .forge
            .open_pull(new(&branch, "other", ""))
            .await
            .unwrap();
        assert_eq!(again.number, opened.number);
        let found = scene.forge.pull_for_branch(&branch).await.unwrap().unwrap();
        assert_eq!(found.number, opened.number);
    }
    assert_eq!(scene.repo.pulls().len(), NASTY.len());
    assert_eq!(scene.forge.pull_for_branch("main").await.unwrap(), None);
    scene.end();
}

#[tokio::test]
async fn the_open_one_counts_and_else_the_latest() {
    let scene = Scene::new().await;
    scene.branch("issue-1-a", "a");
    scene.repo.push_file("release", "r", "").unwrap();
    let first = scene.pull("issue-1-a").await.number;
    let to_release = NewPull {
        base: "release".to_owned(),
        ..new("issue-1-a", "t", "")
    };
    let second = scene.forge.open_pull(to_release).await.unwrap().number;
    assert_ne!(first, second);
    let found = || async {
        let found = scene
            .forge
            .pull_for_branch("issue-1-a")
            .await
            .unwrap()
            .unwrap();
        (found.number, found.state)
    };
    scene.repo.close_issue(second, "acme");
    assert_eq!(found().await, (first, PullState::Open));
    scene.repo.close_issue(first, "acme");
    assert_eq!(found().await, (second, PullState::Closed));
    let third = scene.pull("issue-1-a").await.number;
    assert_eq!(found().await, (third, PullState::Open));
    scene.end();
}

#[tokio::test]
async fn what_github_does_not_open_is_refused_in_its_words() {
    let scene = Scene::new().await;
    scene.repo.push_file("main", "m", "").unwrap();
    for (branch, words) in [("nothing", "head"), ("main", "No commits between")] {
        let error = scene
            .forge
            .open_pull(new(branch, "t", ""))
            .await
            .unwrap_err();
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    scene.branch("issue-1-a", "a");
    let long = "x".repeat(65_537);
    let error = scene.forge.open_pull(new("issue-1-a", "t", &long)).await;
    assert!(error.unwrap_err().to_string().contains("65536"));
    scene.end();
}

#[tokio::test]
async fn whether_it_merges_is_unknown_at_first() {
    let scene = Scene::new().await;
    scene.branch("issue-1-a", "a");
    scene.branch("issue-2-b", "b");
    scene.repo.push_file("main", "b", "other\n").unwrap();
    let [good, bad] = [scene.pull("issue-1-a").await, scene.pull("issue-2-b").await];
    for (pull, expected) in [(good, Mergeable::Yes), (bad, Mergeable::No)] {
        let look = || async { scene.forge.pull(pull.number).await.unwrap().unwrap() };
        assert_eq!(look().await.mergeable, Mergeable::Unknown);
        let known = look().await;
        assert_eq!(known.mergeable, expected);
        assert_eq!(known.head, pull.head);
    }
    assert_eq!(scene.forge.pull(999).await.unwrap(), None);
    let issue = scene.repo.open_issue("t", "", &[], "acme");
    assert_eq!(scene.forge.pull(issue).await.unwrap(), None);
    scene.end();
}

#[tokio::test]
async fn the_head_follows_the_branch() {
    let scene = Scene::new().await;
    scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    let moved = scene.branch("issue-1-a", "b");
    let pull = scene.forge.pull(number).await.unwrap().unwrap();
    assert_eq!(pull.head, Some(moved));
    scene.end();
}

#[tokio::test]
async fn files_are_listed_with_their_hunks() {
    let scene = Scene::new().await;
    scene
        .repo
        .push_file("main", "there.txt", "one\ntwo\n")
        .unwrap();
    scene
        .repo
        .push_file("issue-1-a", "there.txt", "one\nzwei\n")
        .unwrap();
    scene.branch("issue-1-a", "dir/ü #.txt");
    let number = scene.pull("issue-1-a").await.number;
    let files = scene.forge.pull_files(number).await.unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["dir/ü #.txt", "there.txt"]);
    assert_eq!(files[0].kind, ChangeKind::Added);
    assert_eq!(files[1].kind, ChangeKind::Modified);
    assert_eq!((files[1].additions, files[1].deletions), (1, 1));
    assert_eq!(lines_in_diff(files[1].patch.as_deref().unwrap()), [1, 2]);
    let diff = scene.forge.pull_diff(number).await.unwrap();
    assert!(
        diff.contains("+zwei") && diff.contains("diff --git"),
        "{diff}"
    );
    scene.end();
}

#[tokio::test]
async fn a_diff_that_github_does_not_show_is_refused_with_a_hint() {
    let scene = Scene::new().await;
    let long = "line\n".repeat(20_001);
    scene
        .repo
        .push_file("issue-1-a", "long.txt", &long)
        .unwrap();
    let number = scene.pull("issue-1-a").await.number;
    let error = scene.forge.pull_diff(number).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("20000") && error.hint().is_some());
    for error in [
        scene.forge.pull_diff(999).await.unwrap_err(),
        scene.forge.pull_files(999).await.unwrap_err(),
    ] {
        assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    }
    scene.end();
}
