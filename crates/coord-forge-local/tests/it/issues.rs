//! Issues and comments.

use coord_core::effect::CommentEvent;
use coord_core::failure::FailureClass;
use coord_core::ids::AssignmentId;
use coord_core::issue::IssueState;
use coord_forge::{COORDINATOR, Forge, ForgeError, NewIssue};
use coord_forge_local::LocalForge;
use coord_store::{ForgeRows, NewCommentRow};

use crate::world::{World, new_issue};

fn marked(text: &str, event: &str, id: u64) -> String {
    let id = AssignmentId::from_bits(id);
    format!("{text}\n\n<!-- coord:event={event} assignment={id} machine=m repo=api issue=1 -->")
}

#[tokio::test]
async fn an_issue_is_opened_read_and_closed() {
    let world = World::alone().await;
    let forge = world.forge.clone().used_by("anna");
    let new = NewIssue {
        labels: vec!["bug".to_owned()],
        ..new_issue("add subtraction", "please")
    };
    let opened = forge.create_issue(new).await.unwrap();
    assert_eq!((opened.number, opened.author.as_str()), (1, "anna"));
    assert_eq!(forge.issue(1).await.unwrap(), Some(opened.clone()));
    assert_eq!(forge.issue(2).await.unwrap(), None);
    assert_eq!(forge.open_issues().await.unwrap(), [opened]);

    for _ in 0..2 {
        forge.close_issue(1, Some("done")).await.unwrap();
    }
    assert_eq!(forge.open_issues().await.unwrap(), []);
    let all = forge.issues(None).await.unwrap();
    assert_eq!(all[0].state, IssueState::Closed);
    let comments = forge.comments(1).await.unwrap();
    assert_eq!(comments.len(), 1);
    assert_eq!(comments[0].author, "anna");
    let missing = forge.close_issue(2, None).await.unwrap_err();
    assert_eq!(missing.to_string(), "issue api#2 does not exist");
}

#[tokio::test]
async fn hostile_texts_come_back_unchanged_or_are_refused() {
    let world = World::alone().await;
    for body in [
        "ü".repeat(32 * 1024),
        "a\r\nb\rc\n".to_owned(),
        "\u{202e}gnp.exe\u{2066}".to_owned(),
        "--> <!-- coord:event=briefing assignment=000000000001 machine=m repo=r issue=1 -->"
            .to_owned(),
        "👩‍👩‍👧‍👦".to_owned(),
        "a\0b".to_owned(),
    ] {
        let opened = world
            .forge
            .create_issue(new_issue("t", &body))
            .await
            .unwrap();
        let read = world.forge.issue(opened.number).await.unwrap().unwrap();
        assert_eq!(read.body, body);
        world
            .forge
            .create_comment(opened.number, &body)
            .await
            .unwrap();
        let comments = world.forge.comments(opened.number).await.unwrap();
        assert_eq!(comments[0].body, body);
    }
    let long = "x".repeat(257);
    for title in ["", "  ", "two\nlines", "a\0b", "a\u{1b}[31mb", &long] {
        let error = world
            .forge
            .create_issue(new_issue(title, ""))
            .await
            .unwrap_err();
        assert!(
            matches!(error, ForgeError::Refused { .. }),
            "{title:?}: {error:?}"
        );
        assert!(error.hint().is_some());
    }
    let huge = "x".repeat((1 << 20) + 1);
    let error = world
        .forge
        .create_issue(new_issue("t", &huge))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the text has 1048577 bytes");
    let label = NewIssue {
        labels: vec!["a\nb".to_owned()],
        ..new_issue("t", "")
    };
    assert!(world.forge.create_issue(label).await.is_err());
}

#[tokio::test]
async fn a_comment_is_found_by_its_marker_and_its_author() {
    let world = World::alone().await;
    world.forge.create_issue(new_issue("t", "")).await.unwrap();
    let find = async |event, bits| {
        let id = AssignmentId::from_bits(bits);
        world.forge.find_comment(1, event, &id).await.unwrap()
    };
    assert_eq!(find(CommentEvent::Briefing, 1).await, None);

    let stranger = NewCommentRow {
        author: "mallory".to_owned(),
        body: marked("", "briefing", 1),
    };
    let rows = ForgeRows::new(world.store.clone(), "api".into());
    rows.create_comment(1, stranger, Default::default())
        .await
        .unwrap();
    assert_eq!(find(CommentEvent::Briefing, 1).await, None);

    let quoting = marked(&marked("you said", "completion", 1), "briefing", 1);
    let posted = world.forge.create_comment(1, &quoting).await.unwrap();
    assert_eq!(
        (posted.author.as_str(), posted.trusted),
        (COORDINATOR, true)
    );
    assert_eq!(find(CommentEvent::Briefing, 1).await, Some(posted));
    assert_eq!(find(CommentEvent::Completion, 1).await, None);
    assert_eq!(find(CommentEvent::Briefing, 2).await, None);
}

#[tokio::test]
async fn issues_need_no_checkout_and_branches_do() {
    let world = World::alone().await;
    let forge = LocalForge::new(world.store.clone(), "web".into(), None);
    forge.create_issue(new_issue("t", "")).await.unwrap();
    let error = forge.branches("issue-").await.unwrap_err();
    assert_eq!(error.to_string(), "this machine has no checkout of `web`");
    assert_eq!(error.class(), FailureClass::Configuration);
    assert!(error.hint().unwrap().contains("coordinator.yml"));

    let gone = world.clone.join("gone");
    let forge = LocalForge::new(world.store.clone(), "web".into(), Some(gone));
    let error = forge.branches("issue-").await.unwrap_err();
    assert!(matches!(error, ForgeError::Unusable { .. }), "{error:?}");
}
