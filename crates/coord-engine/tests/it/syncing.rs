//! The mirror of a forge on the network: what is taken over, and how little is asked for.

use coord_core::issue::IssueState;
use coord_engine::{Engine, Synced, SyncedRepo};
use coord_store::SyncReport;

use crate::github::Town;
use crate::world::World;

async fn sync(engine: &Engine) -> SyncedRepo {
    match engine.sync(&"api".into()).await.unwrap() {
        Synced::Mirrored(synced) => synced,
        Synced::Local => panic!("it is not local"),
    }
}

fn counts(synced: SyncedRepo) -> (SyncReport, usize) {
    (synced.report, synced.comments)
}

fn report(added: u64, changed: u64, closed: u64) -> SyncReport {
    SyncReport {
        added,
        changed,
        closed,
    }
}

#[tokio::test]
async fn only_what_is_new_is_counted() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let first = town.api.seed(30, 5, "ann");
    assert_eq!(counts(sync(&engine).await), (report(30, 0, 0), 150));
    assert_eq!(counts(sync(&engine).await), (report(0, 0, 0), 0));

    town.api.close_issue(first, "ann");
    town.api.label(first + 1, &["bug"]);
    let edited = town.api.comments(first + 2)[0].id;
    town.api.edit_comment(edited, "on second thoughts");
    town.api.comment(first + 2, "mallory", "hello");
    assert_eq!(counts(sync(&engine).await), (report(0, 1, 1), 2));

    let mirror = engine.mirror(&"api".into()).unwrap();
    assert_eq!(
        mirror.issues(Some(IssueState::Open)).await.unwrap().len(),
        29
    );
    let comments = mirror.comments(first + 2).await.unwrap();
    assert_eq!(comments[0].body, "on second thoughts");
    let last = comments.last().unwrap();
    assert_eq!((last.author.as_str(), last.trusted), ("mallory", false));
    town.is_in_order();
}

#[tokio::test]
async fn a_big_repository_takes_few_requests_and_none_that_counts_when_nothing_changed() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    town.api.seed(1200, 30, "ann");
    let cold = sync(&ann.engine().await).await;
    assert_eq!(counts(cold), (report(1200, 0, 0), 4000));
    let asked = town.github.requests().len();
    assert!(asked <= 60, "{asked}");
    town.github.clear_requests();
    // Another process: all that it knows is in the store.
    let warm = sync(&ann.engine().await).await;
    assert_eq!(counts(warm), (report(0, 0, 0), 0));
    let requests = town.github.requests();
    assert!(requests.len() <= 15, "{}", requests.len());
    assert!(requests.iter().all(|it| it.status == 304), "{requests:?}");
    town.is_in_order();
}

#[tokio::test]
async fn the_order_of_sub_issues_is_kept_without_asking_again() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let first = town.api.seed(6, 0, "ann");
    let issue = |index: u64| first + index;
    town.api
        .set_sub_issues(issue(0), &[issue(2), issue(1), issue(3)]);
    sync(&engine).await;
    let mirror = engine.mirror(&"api".into()).unwrap();
    let before = async |number| mirror.siblings_before(number).await.unwrap();
    assert_eq!(before(issue(3)).await, [issue(2), issue(1)]);
    town.github.clear_requests();
    sync(&engine).await;
    let asked = town.github.requests();
    let of_sub_issues = asked.iter().filter(|it| it.path.ends_with("/sub_issues"));
    assert_eq!(of_sub_issues.count(), 1, "{asked:?}");
    assert!(asked.iter().all(|it| it.status == 304), "{asked:?}");

    // A closed one holds up nobody, a parent that is closed still has an order, and people move
    // and take away what they like.
    town.api.close_issue(issue(2), "ann");
    town.api.close_issue(issue(0), "ann");
    sync(&engine).await;
    assert_eq!(before(issue(3)).await, [issue(1)]);
    town.api.set_sub_issues(issue(0), &[issue(3), issue(1)]);
    sync(&engine).await;
    assert_eq!(before(issue(1)).await, [issue(3)]);
    town.api.set_sub_issues(issue(4), &[issue(1)]);
    town.api.set_sub_issues(issue(0), &[]);
    sync(&engine).await;
    assert_eq!(before(issue(1)).await, [0; 0]);
    assert_eq!(mirror.place(issue(3)).await.unwrap(), None);
    assert_eq!(
        mirror.place(issue(1)).await.unwrap().unwrap().parent,
        issue(4)
    );
    town.is_in_order();
}

#[tokio::test]
async fn a_local_forge_is_its_own_mirror() {
    let world = World::new().await;
    let engine = world.engine().await;
    assert_eq!(engine.sync(&"api".into()).await.unwrap(), Synced::Local);
    assert!(engine.mirror(&"api".into()).is_none());
}
