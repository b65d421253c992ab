//! The rows of the local forge.

use coord_core::issue::IssueState;
use coord_store::{ForgeRows, MergedRow, NewCommentRow, NewIssueRow, NewPullRow};

use crate::sample::{Home, at};

fn issue(title: &str, body: &str) -> NewIssueRow {
    NewIssueRow {
        title: title.to_owned(),
        body: body.to_owned(),
        labels: vec!["bug".to_owned(), "größer, als \"man\" denkt".to_owned()],
        author: "anna".to_owned(),
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
    assert_eq!(api.comments(1).await.unwrap().unwrap().len(), 1);
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
    };
    rows.set_merged(first.number, merged.clone()).await.unwrap();
    let other = MergedRow {
        head: "cccc".into(),
        commit: "dddd".into(),
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
        let comments = rows.comments(opened.number).await.unwrap().unwrap();
        assert_eq!(comments[0].body, *body);
        assert_eq!(comments[0].at, at(1));
    }
    assert_eq!(rows.comments(999).await.unwrap(), None);
    let nowhere = rows.create_comment(u64::MAX, comment("x"), at(1)).await;
    assert_eq!(nowhere.unwrap(), None);
}
