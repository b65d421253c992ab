//! Issues: listing, opening, sections, closing, labels, and whom they are trusted by.

use coord_core::issue::IssueState;
use coord_forge::{Forge, ForgeError, NewIssue};
use coord_test_support::github::{Fault, When};

use crate::scene::{NASTY, Scene};

fn new(title: &str, body: &str, labels: &[&str]) -> NewIssue {
    NewIssue {
        title: title.to_owned(),
        body: body.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        key: None,
    }
}

#[tokio::test]
async fn every_open_issue_is_listed_and_no_pull_request() {
    let scene = Scene::new().await;
    let first = scene.repo.seed(230, 0, "acme");
    scene.repo.close_issue(first + 5, "acme");
    scene.branch("issue-1-a", "a");
    let pull = scene.pull("issue-1-a").await.number;
    let marked = first + 7;
    scene.repo.assign(marked, &["anna", "bert"]);
    scene.repo.set_milestone(marked, "M 1");
    let issues = scene.forge.open_issues().await.unwrap();
    let numbers: Vec<u64> = issues.iter().map(|issue| issue.number).collect();
    let expected: Vec<u64> = (first..first + 230).filter(|n| *n != first + 5).collect();
    assert_eq!(numbers, expected);
    assert!(!numbers.contains(&pull));
    let issue = issues.iter().find(|it| it.number == marked).unwrap();
    assert_eq!(issue.labels, ["seeded"]);
    assert_eq!(issue.assignees, ["anna", "bert"]);
    assert_eq!(issue.milestone.as_deref(), Some("M 1"));
    assert_eq!((issue.state, issue.trusted), (IssueState::Open, true));
    scene.end();
}

#[tokio::test]
async fn owners_and_ourselves_are_trusted_and_nobody_else() {
    let scene = Scene::new().await;
    for author in ["acme", "mallory", "coord"] {
        scene.repo.open_issue(author, "", &[], author);
    }
    let issues = scene.forge.open_issues().await.unwrap();
    let trusted: Vec<bool> = issues.iter().map(|issue| issue.trusted).collect();
    assert_eq!(trusted, [true, false, true]);
    for number in 1..=3 {
        let issue = scene.forge.issue(number).await.unwrap().unwrap();
        assert_eq!(issue.trusted, trusted[usize::try_from(number).unwrap() - 1]);
    }
    assert_eq!(scene.count("GET", "/user"), 1);
    scene.end();
}

#[tokio::test]
async fn who_we_are_is_not_asked_where_it_does_not_matter() {
    let scene = Scene::new().await;
    scene.repo.open_issue("t", "", &[], "acme");
    assert!(scene.forge.issue(1).await.unwrap().unwrap().trusted);
    assert!(scene.forge.open_issues().await.unwrap()[0].trusted);
    assert_eq!(scene.count("GET", "/user"), 0);
    scene.end();
}

#[tokio::test]
async fn what_is_no_issue_is_none() {
    let scene = Scene::new().await;
    scene.branch("issue-1-a", "a");
    let pull = scene.pull("issue-1-a").await.number;
    for number in [pull, 999, u64::MAX] {
        assert_eq!(scene.forge.issue(number).await.unwrap(), None);
        let error = scene.forge.close_issue(number, None).await.unwrap_err();
        assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
        let error = scene.forge.write_section(number, "plan", "x").await;
        assert!(matches!(error, Err(ForgeError::NotFound { .. })));
    }
    let closed = scene.repo.open_issue("t", "", &[], "acme");
    scene.repo.close_issue(closed, "acme");
    let issue = scene.forge.issue(closed).await.unwrap().unwrap();
    assert_eq!(issue.state, IssueState::Closed);
}

#[tokio::test]
async fn any_text_arrives_as_it_is() {
    let scene = Scene::new().await;
    let labels = ["good first issue", "area/ü", "🦀", "a,b%2F", "..", "<b>"];
    for text in NASTY {
        let title = text.replace(['\r', '\n'], " ");
        let opened = scene.forge.create_issue(new(&title, text, &labels)).await;
        let opened = opened.unwrap();
        let body = opened.body.strip_prefix(text).unwrap();
        assert!(body.starts_with("\n\n<!-- coord:issue new="), "{body}");
        assert!(opened.trusted);
        assert_eq!(opened.labels, labels);
        let found = scene.forge.issue(opened.number).await.unwrap().unwrap();
        assert_eq!(found, opened);
        assert_eq!(found.title, title);
    }
    scene.end();
}

#[tokio::test]
async fn a_body_may_be_as_long_as_github_takes() {
    let scene = Scene::new().await;
    let longest = "ü".repeat(65_536 - 59);
    let opened = scene
        .forge
        .create_issue(new("t", &longest, &[]))
        .await
        .unwrap();
    assert!(opened.body.chars().count() <= 65_536);
    assert!(opened.body.starts_with(&longest));
    let error = scene
        .forge
        .create_issue(new("t", &"x".repeat(65_536), &[]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("65536"), "{error}");
    assert!(matches!(error, ForgeError::Refused { .. }));
    assert_eq!(scene.repo.issues().len(), 1);
    scene.end();
}

#[tokio::test]
async fn a_title_that_github_does_not_take_is_refused_in_its_words() {
    let scene = Scene::new().await;
    let long = "t".repeat(257);
    let error = scene.forge.create_issue(new(&long, "", &[])).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("too long"), "{error}");
    scene.end();
}

#[tokio::test]
async fn a_section_is_written_once() {
    let scene = Scene::new().await;
    let number = scene.repo.open_issue("t", "Please.", &[], "mallory");
    for text in ["one", "one", "two", "two"] {
        scene
            .forge
            .write_section(number, "plan", text)
            .await
            .unwrap();
    }
    let body = scene.repo.issue(number).unwrap().body;
    let section = "<!-- coord:begin=plan -->\ntwo\n<!-- coord:end=plan -->";
    assert_eq!(body, format!("Please.\n\n{section}"));
    assert_eq!(scene.count("PATCH", "/issues/"), 2);
    let edited = body.replace('\n', "\r\n");
    scene.repo.edit_issue(number, "t", &edited);
    scene
        .forge
        .write_section(number, "plan", "two")
        .await
        .unwrap();
    assert_eq!(scene.count("PATCH", "/issues/"), 2);
    let long = "x".repeat(65_536);
    let error = scene.forge.write_section(number, "plan", &long).await;
    assert!(matches!(error, Err(ForgeError::Refused { .. })));
    assert_eq!(scene.repo.issue(number).unwrap().body, edited);
    scene.end();
}

#[tokio::test]
async fn closing_posts_its_note_once() {
    let scene = Scene::new().await;
    let number = scene.repo.open_issue("t", "", &[], "acme");
    scene
        .fake
        .schedule(Fault::Status(502), When::request("PATCH", "/issues/"));
    let error = scene
        .forge
        .close_issue(number, Some("Done."))
        .await
        .unwrap_err();
    assert!(matches!(error, ForgeError::Transient { .. }));
    for _ in 0..2 {
        scene
            .forge
            .close_issue(number, Some("Done."))
            .await
            .unwrap();
    }
    let issue = scene.repo.issue(number).unwrap();
    assert_eq!(
        (issue.open, issue.state_reason.as_deref()),
        (false, Some("completed"))
    );
    let comments = scene.repo.comments(number);
    let bodies: Vec<&str> = comments.iter().map(|it| it.body.as_str()).collect();
    assert_eq!(bodies, ["Done."]);
    scene.end();
}

#[tokio::test]
async fn the_same_note_of_somebody_else_is_not_ours() {
    let scene = Scene::new().await;
    let number = scene.repo.open_issue("t", "", &[], "acme");
    scene.repo.comment(number, "mallory", "Done.");
    scene
        .forge
        .close_issue(number, Some("Done."))
        .await
        .unwrap();
    assert_eq!(scene.repo.comments(number).len(), 2);
    scene.end();
}

#[tokio::test]
async fn labels_come_and_go() {
    let scene = Scene::new().await;
    let owned = |labels: &[&str]| -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    };
    let number = scene.repo.open_issue("t", "", &["a/b c", "🦀"], "acme");
    let (add, remove) = (
        owned(&["new", "50%", "🦀"]),
        owned(&["a/b c", "never there"]),
    );
    for _ in 0..2 {
        scene
            .forge
            .label_issue(number, &add, &remove)
            .await
            .unwrap();
    }
    assert_eq!(
        scene.repo.issue(number).unwrap().labels,
        ["🦀", "new", "50%"]
    );
    scene.forge.label_issue(number, &[], &add).await.unwrap();
    assert_eq!(scene.repo.issue(number).unwrap().labels, [] as [String; 0]);
    for (add, remove) in [(&add[..], &[][..]), (&[][..], &add[..])] {
        let error = scene.forge.label_issue(999, add, remove).await.unwrap_err();
        assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    }
    scene.end();
}
