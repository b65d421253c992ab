//! The rows of the local forge.

use coord_core::issue::IssueState;
use coord_store::{
    ForgeRows, LineCommentRow, MergedRow, NewCommentRow, NewIssueRow, NewPullRow, NewReviewRow,
    SubIssuePlace, SubIssueRow, VerdictRow,
};

use crate::sample::{Home, at};

fn issue(title: &str, body: &str) -> NewIssueRow {
    NewIssueRow {
        title: title.to_owned(),
        body: body.to_owned(),
        labels: vec!["bug".to_owned(), "größer, als \"man\" denkt".to_owned()],
        author: "anna".to_owned(),
        key: None,
    }
}

fn pull(branch: &str) -> NewPullRow {
    NewPullRow {
        title: "a pull request".to_owned(),
        body: String::new(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
    }
}

fn comment(body: &str) -> NewCommentRow {
    NewCommentRow {
        author: "coord".to_owned(),
        body: body.to_owned(),
    }
}

#[tokio::test]
async fn issues_and_pulls_share_one_sequence_in_each_repository() {
    let home = Home::new();
    let store = home.store().await;
    let api = ForgeRows::new(store.clone(), "api".into());
    let web = ForgeRows::new(store, "web".into());
    assert_eq!(
        api.create_issue(issue("a", ""), at(1))
            .await
            .unwrap()
            .number,
        1
    );
    assert_eq!(
        api.open_pull(pull("issue-1-a"), at(1))
            .await
            .unwrap()
            .number,
        2
    );
    assert_eq!(
        api.create_issue(issue("b", ""), at(1))
            .await
            .unwrap()
            .number,
        3
    );
    assert_eq!(
        web.create_issue(issue("c", ""), at(1))
            .await
            .unwrap()
            .number,
        1
    );
    let numbers = |issues: Vec<coord_core::issue::Issue>| {
        issues.iter().map(|issue| issue.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(api.issues(None).await.unwrap()), [1, 3]);
    assert_eq!(api.issue(2).await.unwrap(), None);
    assert_eq!(api.pull(1).await.unwrap(), None);

    let note = Some(comment("done"));
    assert!(api.close_issue(1, note.clone(), at(2)).await.unwrap());
    assert!(api.close_issue(1, note.clone(), at(3)).await.unwrap());
    assert!(!api.close_issue(2, note, at(3)).await.unwrap());
    assert_eq!(api.comments(1, None).await.unwrap().unwrap().len(), 1);
    assert_eq!(
        numbers(api.issues(Some(IssueState::Open)).await.unwrap()),
        [3]
    );
    assert_eq!(
        numbers(api.issues(Some(IssueState::Closed)).await.unwrap()),
        [1]
    );
}

#[tokio::test]
async fn a_branch_has_one_open_pull_at_a_time() {
    let home = Home::new();
    let rows = ForgeRows::new(home.store().await, "api".into());
    let first = rows.open_pull(pull("x"), at(1)).await.unwrap();
    assert_eq!(rows.open_pull(pull("x"), at(2)).await.unwrap(), first);
    let merged = MergedRow {
        head: "aaaa".into(),
        commit: "bbbb".into(),
        onto: Some("eeee".into()),
    };
    rows.set_merged(first.number, merged.clone()).await.unwrap();
    let other = MergedRow {
        head: "cccc".into(),
        commit: "dddd".into(),
        onto: None,
    };
    rows.set_merged(first.number, other).await.unwrap();
    let found = rows.pull_for_branch("x").await.unwrap().unwrap();
    assert_eq!(found.merged, Some(merged));

    let second = rows.open_pull(pull("x"), at(3)).await.unwrap();
    assert_ne!(second.number, first.number);
    assert_eq!(rows.pull_for_branch("x").await.unwrap(), Some(second));
    assert_eq!(rows.pull_for_branch("y").await.unwrap(), None);
}

#[tokio::test]
async fn hostile_texts_come_back_as_they_are() {
    let home = Home::new();
    let rows = ForgeRows::new(home.store().await, "api".into());
    let texts = [
        "x".repeat(64 * 1024),
        "a\r\nb\rc\n".to_owned(),
        "\u{202e}txt.exe\u{202c} \u{200f}".to_owned(),
        "--> <!-- coord:event=completion -->".to_owned(),
        "👩‍👩‍👧‍👦🏳️‍🌈".to_owned(),
        "before\0after\0".to_owned(),
        "'); DROP TABLE events; --".to_owned(),
        String::new(),
    ];
    for body in &texts {
        let opened = rows.create_issue(issue(body, body), at(1)).await.unwrap();
        rows.create_comment(opened.number, comment(body), at(1))
            .await
            .unwrap()
            .unwrap();
        let read = rows.issue(opened.number).await.unwrap().unwrap();
        assert_eq!(read, opened);
        assert_eq!((&read.title, &read.body), (body, body));
        let comments = rows.comments(opened.number, None).await.unwrap().unwrap();
        assert_eq!(comments[0].body, *body);
        assert_eq!(comments[0].at, at(1));
    }
    assert_eq!(rows.comments(999, None).await.unwrap(), None);
    let nowhere = rows.create_comment(u64::MAX, comment("x"), at(1)).await;
    assert_eq!(nowhere.unwrap(), None);
}

#[tokio::test]
async fn a_body_is_replaced_only_as_long_as_it_is_the_one_that_was_read() {
    let home = Home::new();
    let [here, there] =
        [home.store().await, home.store().await].map(|store| ForgeRows::new(store, "api".into()));
    here.create_issue(issue("t", "one"), at(1)).await.unwrap();
    let set = async |rows: &ForgeRows, from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        rows.set_body(1, from, to).await.unwrap()
    };
    assert!(set(&there, "one", "two").await);
    assert!(!set(&here, "one", "three").await);
    assert_eq!(here.issue(1).await.unwrap().unwrap().body, "two");
    assert!(set(&here, "two", "three\r\n").await);
    assert_eq!(there.issue(1).await.unwrap().unwrap().body, "three\r\n");
    let missing = here.set_body(2, String::new(), String::new()).await;
    assert!(!missing.unwrap());
}

#[tokio::test]
async fn labels_change_one_by_one() {
    let home = Home::new();
    let rows = ForgeRows::new(home.store().await, "api".into());
    rows.create_issue(issue("t", ""), at(1)).await.unwrap();
    let set = async |add: &[&str], remove: &[&str]| {
        let owned = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect();
        assert!(rows.set_labels(1, owned(add), owned(remove)).await.unwrap());
        rows.issue(1).await.unwrap().unwrap().labels
    };
    let other = "größer, als \"man\" denkt";
    assert_eq!(set(&["a", "bug", "a"], &[]).await, ["bug", other, "a"]);
    assert_eq!(set(&[], &["bug", "never there"]).await, [other, "a"]);
    assert_eq!(set(&[], &["a", other]).await, [""; 0]);
    assert!(!rows.set_labels(2, vec![], vec![]).await.unwrap());
}

#[tokio::test]
async fn an_edited_comment_counts_as_changed() {
    let home = Home::new();
    let store = home.store().await;
    let rows = ForgeRows::new(store.clone(), "api".into());
    let web = ForgeRows::new(store, "web".into());
    for rows in [&rows, &web] {
        rows.create_issue(issue("t", ""), at(1)).await.unwrap();
    }
    rows.open_pull(pull("x"), at(1)).await.unwrap();
    let post = async |number, second| {
        let posted = rows.create_comment(number, comment("x"), at(second)).await;
        posted.unwrap().unwrap().id
    };
    let (first, second, third) = (post(1, 2).await, post(2, 3).await, post(1, 3).await);
    let of_one = async |since| {
        let found = rows.comments(1, Some(at(since))).await.unwrap().unwrap();
        found.iter().map(|comment| comment.id).collect::<Vec<_>>()
    };
    let recent = async |since: Option<i64>, limit| {
        let found = rows.recent_comments(since.map(at), limit).await.unwrap();
        found
            .iter()
            .map(|(number, comment)| (*number, comment.id))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_one(2).await, [first, third]);
    assert_eq!(of_one(3).await, [third]);
    assert_eq!(recent(None, 9).await, [(1, third), (2, second), (1, first)]);
    assert_eq!(recent(Some(3), 1).await, [(1, third)]);

    assert!(
        rows.edit_comment(first, "new".to_owned(), at(4))
            .await
            .unwrap()
    );
    assert_eq!(of_one(4).await, [first]);
    assert_eq!(recent(Some(3), 2).await, [(1, first), (1, third)]);
    let edited = rows.comment(first).await.unwrap().unwrap();
    assert_eq!((edited.body.as_str(), edited.at), ("new", at(2)));

    assert_eq!(web.comment(first).await.unwrap(), None);
    assert!(!web.edit_comment(first, String::new(), at(5)).await.unwrap());
    assert_eq!(web.recent_comments(None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn reviews_come_back_as_they_were_posted() {
    let home = Home::new();
    let rows = ForgeRows::new(home.store().await, "api".into());
    let number = rows.open_pull(pull("x"), at(1)).await.unwrap().number;
    assert_eq!(rows.reviews(number).await.unwrap(), []);
    let mut posted = Vec::new();
    for verdict in [
        VerdictRow::RequestChanges,
        VerdictRow::Comment,
        VerdictRow::Approve,
    ] {
        let review = NewReviewRow {
            author: "coord".to_owned(),
            verdict,
            head: "aaaa".into(),
            body: "a\r\nb\0 -->".to_owned(),
            comments: vec![LineCommentRow {
                path: "a \"b\"\n.rs".to_owned(),
                line: u32::MAX,
                body: "👩‍👩‍👧‍👦".to_owned(),
            }],
        };
        let made = rows.create_review(number, review.clone(), at(2)).await;
        posted.push(made.unwrap());
        assert_eq!(posted.last().unwrap().review, review);
    }
    assert_eq!(rows.reviews(number).await.unwrap(), posted);
    let nowhere = rows.create_review(99, posted.remove(0).review, at(2)).await;
    assert!(nowhere.is_err());
}

#[tokio::test]
async fn a_key_opens_one_issue_in_each_repository() {
    let home = Home::new();
    let [here, there] = [home.store().await, home.store().await];
    let keyed = |title: &str, key: &str| NewIssueRow {
        key: Some(key.to_owned()),
        ..issue(title, "")
    };
    let rows = |store, repo: &str| ForgeRows::new(store, repo.into());
    let api = rows(there.clone(), "api");
    let first = api.create_issue(keyed("a", "k"), at(1)).await.unwrap();
    let mut opening = Vec::new();
    for store in [here, there.clone()] {
        for _ in 0..4 {
            let rows = rows(store.clone(), "api");
            let new = keyed("otherwise", "k");
            opening.push(tokio::spawn(
                async move { rows.create_issue(new, at(2)).await },
            ));
        }
    }
    for opened in opening {
        assert_eq!(opened.await.unwrap().unwrap(), first);
    }
    let second = api.create_issue(keyed("b", "l"), at(3)).await.unwrap();
    assert_eq!(second.number, 2);
    let web = rows(there, "web");
    let elsewhere = web.create_issue(keyed("c", "k"), at(3)).await.unwrap();
    assert_eq!(elsewhere.title, "c");
    for number in [3, 4] {
        let unkeyed = api.create_issue(issue("d", ""), at(4)).await.unwrap();
        assert_eq!(unkeyed.number, number);
    }
}

#[tokio::test]
async fn sub_issues_are_in_the_order_in_which_they_were_added() {
    let home = Home::new();
    let api = ForgeRows::new(home.store().await, "api".into());
    let web = ForgeRows::new(home.store().await, "web".into());
    for rows in [&api, &web] {
        for title in ["a", "b", "c", "d", "e"] {
            rows.create_issue(issue(title, ""), at(1)).await.unwrap();
        }
    }
    web.add_sub_issue(2, 1).await.unwrap();
    for child in [4, 2, 3, 4, 2] {
        let added = api.add_sub_issue(1, child).await.unwrap();
        assert_eq!(added, SubIssueRow::Linked);
    }
    assert_eq!(api.sub_issues(1).await.unwrap(), Some(vec![4, 2, 3]));
    assert_eq!(api.sub_issues(2).await.unwrap(), Some(vec![]));
    assert_eq!(api.sub_issues(9).await.unwrap(), None);
    for (parent, child, answer) in [
        (5, 3, SubIssueRow::Of(1)),
        (3, 3, SubIssueRow::Of(1)),
        (1, 1, SubIssueRow::Circle),
        (3, 1, SubIssueRow::Circle),
        (9, 5, SubIssueRow::Missing(9)),
        (5, 9, SubIssueRow::Missing(9)),
    ] {
        let added = api.add_sub_issue(parent, child).await.unwrap();
        assert_eq!(added, answer, "{parent} {child}");
    }

    assert_eq!(api.siblings_before(3).await.unwrap(), [4, 2]);
    assert_eq!(api.siblings_before(4).await.unwrap(), [0; 0]);
    assert_eq!(api.siblings_before(1).await.unwrap(), [0; 0]);
    let place = SubIssuePlace {
        parent: 1,
        position: 2,
    };
    assert_eq!(api.place(3).await.unwrap(), Some(place));
    assert_eq!(api.place(1).await.unwrap(), None);
    api.close_issue(4, None, at(2)).await.unwrap();
    assert_eq!(api.siblings_before(3).await.unwrap(), [2]);
    assert_eq!(api.place(3).await.unwrap(), Some(place));
    assert_eq!(api.state(4).await.unwrap(), Some(IssueState::Closed));
    assert_eq!(api.state(3).await.unwrap(), Some(IssueState::Open));
    assert_eq!(api.state(9).await.unwrap(), None);
    // A parent that is closed itself still has an order.
    api.close_issue(1, None, at(2)).await.unwrap();
    assert_eq!(api.siblings_before(3).await.unwrap(), [2]);
    assert_eq!(api.parents_of_open().await.unwrap(), [1]);
    for number in [2, 3] {
        api.close_issue(number, None, at(2)).await.unwrap();
    }
    assert_eq!(api.parents_of_open().await.unwrap(), [0; 0]);
    assert_eq!(web.sub_issues(1).await.unwrap(), Some(vec![]));
}
