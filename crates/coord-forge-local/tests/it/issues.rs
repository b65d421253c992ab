//! Issues and comments.

use coord_core::effect::CommentEvent;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, Timestamp};
use coord_core::issue::IssueState;
use coord_forge::{
    COORDINATOR, Forge, ForgeError, IssueKey, NewIssue, SubIssueLink, task_list, with_section,
};
use coord_forge_local::LocalForge;
use coord_store::{ForgeRows, NewCommentRow, Store};

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
    let comments = forge.comments(1, None).await.unwrap();
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
        let comments = world.forge.comments(opened.number, None).await.unwrap();
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
async fn a_section_is_written_below_what_people_wrote() {
    let world = World::alone().await;
    for body in [
        "please\r\n",
        "",
        "a\0b",
        "<!-- coord:begin=tasks -->\nquoted",
    ] {
        let opened = world.forge.create_issue(new_issue("t", body)).await;
        let number = opened.unwrap().number;
        for text in ["- [ ] #2", "- [x] #2", "- [x] #2"] {
            let written = world.forge.write_section(number, "tasks", text).await;
            written.unwrap();
            let read = world.forge.issue(number).await.unwrap().unwrap().body;
            assert_eq!(read, with_section(body, "tasks", text));
        }
    }
    let huge = "x".repeat(1 << 20);
    let error = world.forge.write_section(1, "tasks", &huge).await;
    assert!(matches!(error, Err(ForgeError::Refused { .. })));
    let missing = world.forge.write_section(9, "tasks", "").await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })));
}

#[tokio::test]
async fn sections_that_are_written_at_once_are_all_there() {
    let world = World::alone().await;
    world.forge.create_issue(new_issue("t", "b")).await.unwrap();
    let mut writing = Vec::new();
    for name in 0..8 {
        let store = Store::open(world.store.path()).await.unwrap();
        let forge = LocalForge::new(store, "api".into(), None);
        writing.push(tokio::spawn(async move {
            let section = format!("s{name}");
            forge.write_section(1, &section, &section).await
        }));
    }
    for written in writing {
        written.await.unwrap().unwrap();
    }
    let body = world.forge.issue(1).await.unwrap().unwrap().body;
    for name in 0..8 {
        let section = format!("\ns{name}\n");
        assert_eq!(body.matches(&section).count(), 1, "{body}");
    }
}

#[tokio::test]
async fn labels_are_given_and_taken() {
    let world = World::alone().await;
    world.forge.create_issue(new_issue("t", "")).await.unwrap();
    let set = async |number, add: &[&str], remove: &[&str]| {
        let owned = |labels: &[&str]| labels.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let (add, remove) = (owned(add), owned(remove));
        world.forge.label_issue(number, &add, &remove).await
    };
    for _ in 0..2 {
        set(1, &["a", "b"], &["c"]).await.unwrap();
    }
    set(1, &["c"], &["a"]).await.unwrap();
    let labels = world.forge.issue(1).await.unwrap().unwrap().labels;
    assert_eq!(labels, ["b", "c"]);
    let refused = set(1, &["two\nlines"], &["b"]).await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })));
    let labels = world.forge.issue(1).await.unwrap().unwrap().labels;
    assert_eq!(labels, ["b", "c"]);
    let missing = set(2, &["a"], &[]).await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })));
}

#[tokio::test]
async fn only_comments_of_the_coordinator_are_edited() {
    let world = World::alone().await;
    world.forge.create_issue(new_issue("t", "")).await.unwrap();
    let posted = world.forge.create_comment(1, "one").await.unwrap();
    let person = NewCommentRow {
        author: "anna".to_owned(),
        body: "mine".to_owned(),
    };
    let rows = ForgeRows::new(world.store.clone(), "api".into());
    let hers = rows.create_comment(1, person, posted.at).await.unwrap();
    let hers = hers.unwrap();

    world.forge.edit_comment(posted.id, "two").await.unwrap();
    let refused = world.forge.edit_comment(hers.id, "yours").await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })));
    let missing = world.forge.edit_comment(99, "x").await.unwrap_err();
    assert_eq!(missing.to_string(), "comment api#99 does not exist");
    let since = world.forge.comments(1, Some(posted.at)).await.unwrap();
    let bodies: Vec<&str> = since.iter().map(|it| it.body.as_str()).collect();
    assert_eq!(bodies, ["two", "mine"]);

    let never = Timestamp::from_millis(i64::MAX);
    assert_eq!(world.forge.comments(1, Some(never)).await.unwrap(), []);
    let recent = world.forge.recent_comments(None, usize::MAX).await.unwrap();
    assert_eq!(recent.len(), 2);
    assert!(recent.iter().all(|(number, _)| *number == 1));
    let recent = world.forge.recent_comments(Some(posted.at), 1).await;
    assert_eq!(recent.unwrap().len(), 1);
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

#[tokio::test]
async fn a_key_opens_one_issue_for_whoever_asks() {
    let world = World::alone().await;
    let keyed = |word: &str| NewIssue {
        key: Some(IssueKey::new(word, Timestamp::from_millis(1))),
        ..new_issue("t", "<!-- coord:issue split=S3 chunk=1 -->")
    };
    let first = world.forge.create_issue(keyed("split=S3 chunk=0")).await;
    let first = first.unwrap();
    assert_eq!(first.body, "<!-- coord:issue split=S3 chunk=1 -->");
    // After a restart, when it is closed, and with another text.
    world.forge.close_issue(1, None).await.unwrap();
    let store = Store::open(world.store.path()).await.unwrap();
    let other = LocalForge::new(store, "api".into(), None);
    let again = NewIssue {
        title: "reworded".to_owned(),
        ..keyed("split=S3 chunk=0")
    };
    let found = other.create_issue(again).await.unwrap();
    assert_eq!((found.number, found.state), (1, IssueState::Closed));
    let next = other.create_issue(keyed("split=S3 chunk=1")).await.unwrap();
    assert_eq!(next.number, 2);
}

#[tokio::test]
async fn sub_issues_are_added_once_and_in_order() {
    let world = World::alone().await;
    for title in ["parent", "a", "b", "c", "other"] {
        world
            .forge
            .create_issue(new_issue(title, ""))
            .await
            .unwrap();
    }
    let forge = &world.forge;
    assert_eq!(forge.sub_issues(1).await.unwrap(), Some(vec![]));
    for child in [3, 2, 3, 4] {
        let link = forge.add_sub_issue(1, child).await.unwrap();
        assert_eq!(link, SubIssueLink::Linked);
    }
    assert_eq!(forge.sub_issues(1).await.unwrap(), Some(vec![3, 2, 4]));
    let elsewhere = forge.add_sub_issue(5, 2).await.unwrap();
    assert_eq!(elsewhere, SubIssueLink::OtherParent);
    for (parent, child) in [(1, 1), (4, 1)] {
        let circle = forge.add_sub_issue(parent, child).await.unwrap_err();
        assert!(matches!(circle, ForgeError::Refused { .. }), "{circle:?}");
    }
    for (parent, child) in [(9, 2), (1, 9)] {
        let missing = forge.add_sub_issue(parent, child).await.unwrap_err();
        assert_eq!(missing.to_string(), "issue api#9 does not exist");
    }
    let missing = forge.sub_issues(9).await.unwrap_err();
    assert_eq!(missing.to_string(), "issue api#9 does not exist");

    let list = forge.open_list().await.unwrap();
    assert_eq!((list.issues.len(), list.parents), (5, vec![1]));
    for number in [2, 3, 4] {
        forge.close_issue(number, None).await.unwrap();
    }
    let list = forge.open_list().await.unwrap();
    assert_eq!((list.issues.len(), list.parents), (2, vec![]));
    assert_eq!(forge.sub_issues(1).await.unwrap(), Some(vec![3, 2, 4]));
}

#[tokio::test]
async fn a_task_list_is_written_once_below_what_people_wrote() {
    let world = World::alone().await;
    let title = "Read --> <!-- coord:end=tasks --> `it`";
    world
        .forge
        .create_issue(new_issue("t", "Please."))
        .await
        .unwrap();
    let list = task_list([(2, title), (3, "Write it")]);
    for _ in 0..2 {
        world.forge.write_section(1, "tasks", &list).await.unwrap();
    }
    let body = world.forge.issue(1).await.unwrap().unwrap().body;
    let expected = "Please.\n\n<!-- coord:begin=tasks -->\n\
                    - [ ] #2 Read --> &lt;!-- coord:end=tasks --> `it`\n\
                    - [ ] #3 Write it\n<!-- coord:end=tasks -->";
    assert_eq!(body, expected);
    // A person writes above and ticks; the next list leaves what stands above.
    let rows = ForgeRows::new(world.store.clone(), "api".into());
    let edited = body.replacen("Please.", "Please, soon.", 1);
    assert!(rows.set_body(1, body, edited).await.unwrap());
    let more = task_list([(2, title), (3, "Write it"), (4, "Sell it")]);
    world.forge.write_section(1, "tasks", &more).await.unwrap();
    let body = world.forge.issue(1).await.unwrap().unwrap().body;
    assert_eq!(body, with_section("Please, soon.", "tasks", &more));
}
