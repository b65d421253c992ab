//! The network and GitHub fail at any call in any way: what is there in the end is what is there
//! without a fault, each thing once.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use coord_core::assignment::MergeMethod;
use coord_core::effect::{CommentEvent, CommentSpec};
use coord_core::ids::{AssignmentId, CommitId, IssueRef, Timestamp};
use coord_core::marker::Marker;
use coord_forge::{
    Forge, ForgeError, IssueKey, LineComment, MergeOutcome, NewIssue, NewPull, NewReview,
    PullMerge, ReviewVerdict, SubIssueLink, marks, task_list,
};
use coord_github::GithubForge;
use coord_test_support::github::{Fault, When};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::OnceCell;

use crate::scene::{FAULTS, Scene};

/// For whoever tries again: short, because it is waited for often.
const SOON: Duration = Duration::from_millis(500);
/// For whoever tries once: no answer of a loopback server takes so long.
const SURELY: Duration = Duration::from_millis(1500);

/// More tries than there are faults in any schedule.
const TRIES: usize = 60;

/// What GitHub has in the end, in a form that does not depend on ids, times and keys.
type Outcome = BTreeMap<String, Vec<String>>;

static EXPECTED: OnceCell<Outcome> = OnceCell::const_new();

/// The way of one issue, from its opening to its closing.
struct Way {
    scene: Scene,
    base: CommitId,
    head: CommitId,
}

impl Way {
    async fn new() -> Self {
        let scene = Scene::impatient(SOON).await;
        scene.fake.add_user("anna", "anna");
        let head = scene.branch("issue-1-say-hello", "hello.txt");
        let base = CommitId::new(scene.repo.branch("main").unwrap().unwrap());
        Self { scene, base, head }
    }

    /// Repeats a call as the outbox does: at once, or when the forge said so.
    async fn until_done<T, F>(&self, mut call: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, ForgeError>>,
    {
        for _ in 0..TRIES {
            match call().await {
                Ok(value) => return value,
                Err(error) => self.scene.pass(error),
            }
        }
        panic!(
            "it never ends; GitHub saw {:#?}",
            self.scene.fake.requests()
        );
    }

    /// Every call that changes something, each as the engine makes it.
    async fn go(&self) {
        let forge = &self.scene.forge;
        let new = NewIssue {
            title: "Say hello".to_owned(),
            body: "Please.".to_owned(),
            labels: vec!["good first issue".to_owned()],
            key: None,
        };
        let issue = self.until_done(|| forge.create_issue(new.clone())).await;
        let number = issue.number;
        let mut parts = Vec::new();
        for title in ["Say it", "Hear it"] {
            let part = NewIssue {
                title: title.to_owned(),
                body: format!("Depends on #{number}"),
                labels: Vec::new(),
                key: Some(IssueKey::new(title, Timestamp::default())),
            };
            let part = self.until_done(|| forge.create_issue(part.clone())).await;
            let part = part.number;
            let linked = self.until_done(|| forge.add_sub_issue(number, part)).await;
            assert_eq!(linked, SubIssueLink::Linked);
            parts.push((part, title));
        }
        for event in [CommentEvent::Briefing, CommentEvent::Completion] {
            self.until_done(|| comment_once(forge, number, event)).await;
        }
        let wip = ["wip".to_owned()];
        self.until_done(|| forge.label_issue(number, &wip, &[]))
            .await;
        self.until_done(|| forge.label_issue(number, &[], &wip))
            .await;
        let tasks = task_list(parts);
        self.until_done(|| forge.write_section(number, "tasks", &tasks))
            .await;
        let pull = NewPull {
            title: "Say hello".to_owned(),
            body: "Says hello.".to_owned(),
            branch: "issue-1-say-hello".to_owned(),
            base: "main".to_owned(),
        };
        let pull = self.until_done(|| forge.open_pull(pull.clone())).await;
        let anna = ["anna".to_owned()];
        self.until_done(|| forge.request_reviewers(pull.number, &anna))
            .await;
        self.until_done(|| review_once(forge, pull.number, &self.head))
            .await;
        let merge = PullMerge {
            head: self.head.clone(),
            onto: Some(self.base.clone()),
            method: MergeMethod::Squash,
            message: format!("Say hello (#{number})"),
            assignment: assignment(),
        };
        let merged = self
            .until_done(|| forge.merge_pull(pull.number, &merge))
            .await;
        assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
        self.until_done(|| comment_once(forge, number, CommentEvent::Merge))
            .await;
        self.until_done(|| forge.close_issue(number, Some("Done.")))
            .await;
    }

    /// What there is, when all of it is as GitHub's description has it.
    fn outcome(&self) -> Outcome {
        assert_eq!(self.scene.fake.violations(), Vec::<String>::new());
        let mut found = BTreeMap::new();
        for issue in self.scene.repo.issues() {
            let (body, _) = issue
                .body
                .split_once("<!-- coord:issue ")
                .unwrap_or_default();
            let sections = issue.body.matches("coord:begin=tasks").count();
            let mut lines = vec![format!(
                "{} {body:?} {sections} {:?} {}",
                issue.title, issue.labels, issue.open
            )];
            let parts = self.scene.repo.sub_issues(issue.number);
            lines.push(format!("above {parts:?}"));
            let comments = self.scene.repo.comments(issue.number);
            lines.extend(comments.into_iter().map(|comment| comment.body));
            found.insert(format!("issue {}", issue.number), lines);
        }
        for pull in self.scene.repo.pulls() {
            let mut lines = vec![format!(
                "{} {} {} {} {:?}",
                pull.title,
                pull.head,
                pull.open,
                pull.merge_sha.is_some(),
                pull.reviewers
            )];
            let reviews = pull.reviews.into_iter();
            lines.extend(reviews.map(|it| format!("{} {:?}", it.state, it.body)));
            found.insert(format!("pull {}", pull.number), lines);
        }
        found
    }
}

fn assignment() -> AssignmentId {
    AssignmentId::from_bits(0xab)
}

fn marker(event: CommentEvent, number: u64) -> Marker {
    Marker::from(&CommentSpec {
        issue: IssueRef {
            repo: "api".into(),
            number,
        },
        event,
        assignment: assignment(),
        machine: "m".into(),
        exit_code: None,
        text: String::new(),
    })
}

/// As the engine posts: it looks before it writes.
async fn comment_once(
    forge: &GithubForge,
    number: u64,
    event: CommentEvent,
) -> Result<(), ForgeError> {
    let found = forge.find_comment(number, event, &assignment()).await?;
    if found.is_none() {
        let body = format!("{}\n\n{}", event.as_str(), marker(event, number));
        forge.create_comment(number, &body).await?;
    }
    Ok(())
}

async fn review_once(forge: &GithubForge, number: u64, head: &CommitId) -> Result<(), ForgeError> {
    // A review has no event of its own yet; any marker of the assignment will do.
    let event = CommentEvent::Completion;
    let reviews = forge.reviews(number).await?;
    if reviews
        .iter()
        .any(|it| marks(&it.body, event, &assignment()))
    {
        return Ok(());
    }
    let review = NewReview {
        head: head.clone(),
        verdict: ReviewVerdict::Comment,
        body: format!("Looks well.\n\n{}", marker(event, number)),
        comments: vec![LineComment {
            path: "hello.txt".to_owned(),
            line: 1,
            body: "What text?".to_owned(),
        }],
    };
    forge.create_review(number, &review).await.map(drop)
}

/// Goes the way after `disturb` has seen to the faults.
async fn gone(disturb: impl FnOnce(&Scene)) -> Outcome {
    let way = Way::new().await;
    disturb(&way.scene);
    way.go().await;
    way.outcome()
}

async fn expected() -> &'static Outcome {
    EXPECTED.get_or_init(|| gone(|_| {})).await
}

#[tokio::test]
async fn every_call_may_fail_once_in_every_way() {
    let expected = expected().await;
    let gone =
        join_all(FAULTS.map(|fault| gone(move |scene| scene.fake.fail_every_call(&[fault]))));
    for (fault, found) in FAULTS.into_iter().zip(gone.await) {
        assert_eq!(found, *expected, "{fault:?}");
    }
}

#[tokio::test]
async fn every_call_may_fail_in_several_ways_one_after_another() {
    let faults = [
        Fault::StatusAfterEffect(502),
        Fault::ConnectionReset,
        Fault::SecondaryLimit {
            retry_after_secs: 60,
        },
        Fault::Status(500),
    ];
    let found = gone(|scene| scene.fake.fail_every_call(&faults)).await;
    assert_eq!(found, *expected().await);
}

/// Several schedules are gone through at once: most of the time is waiting.
#[test]
fn any_schedule_of_faults_leads_to_the_same_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fault = (1usize..60, select(FAULTS.to_vec()));
    let schedule = proptest::collection::vec(fault, 0..10);
    let schedules = proptest::collection::vec(schedule, 8);
    let config = Config {
        cases: 5,
        max_shrink_iters: 50,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&schedules, |schedules| {
        let gone = schedules.iter().map(|schedule| {
            gone(move |scene| {
                for (nth, fault) in schedule {
                    scene.fake.schedule(*fault, When::Nth(*nth));
                }
            })
        });
        let (gone, expected) = runtime.block_on(async { (join_all(gone).await, expected().await) });
        for (schedule, found) in schedules.iter().zip(gone) {
            prop_assert_eq!(&found, expected, "{:?}", schedule);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

const fn is_limit(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::SecondaryLimit { .. } | Fault::PrimaryLimit { .. }
    )
}

#[tokio::test]
async fn one_call_opens_one_issue() {
    let scene = Scene::impatient(SURELY).await;
    let new = || NewIssue {
        title: "t".to_owned(),
        body: "<!-- coord:issue new=forged -->".to_owned(),
        labels: Vec::new(),
        key: None,
    };
    for (index, fault) in FAULTS.into_iter().enumerate() {
        scene.fake.schedule(fault, When::request("POST", "/issues"));
        match scene.forge.create_issue(new()).await {
            Ok(issue) => assert!(!is_limit(fault) && issue.trusted, "{fault:?}"),
            Err(error) => {
                assert!(is_limit(fault), "{fault:?} {error:?}");
                scene.pass(error);
                scene.forge.create_issue(new()).await.unwrap();
            }
        }
        assert_eq!(scene.repo.issues().len(), index + 1, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn the_look_for_an_issue_may_fail_too() {
    let scene = Scene::impatient(SURELY).await;
    let list = || When::request("GET", "/issues");
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/issues"),
    );
    scene.fake.schedule(Fault::TimeOutBeforeEffect, list());
    scene.fake.schedule(Fault::ConnectionReset, list());
    let new = NewIssue {
        title: "t".to_owned(),
        ..NewIssue::default()
    };
    let opened = scene.forge.create_issue(new).await.unwrap();
    assert_eq!(scene.repo.issues().len(), 1);
    assert_eq!(scene.repo.issues()[0].number, opened.number);
    scene.end();
}

#[tokio::test]
async fn a_call_that_could_not_look_leaves_that_to_the_next() {
    let scene = Scene::new().await;
    let limit = Fault::SecondaryLimit {
        retry_after_secs: 30,
    };
    let new = |title: &str| NewIssue {
        title: title.to_owned(),
        ..NewIssue::default()
    };
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/issues"),
    );
    scene.fake.schedule(limit, When::request("GET", "/issues"));
    let error = scene.forge.create_issue(new("t")).await.unwrap_err();
    scene.pass(error);
    let numbers = [
        scene.forge.create_issue(new("other")).await.unwrap().number,
        scene.forge.create_issue(new("t")).await.unwrap().number,
        scene.forge.create_issue(new("t")).await.unwrap().number,
    ];
    assert_eq!(numbers, [2, 1, 3]);
    scene.end();
}

#[tokio::test]
async fn who_copies_the_key_of_an_issue_does_not_get_its_place() {
    let scene = Scene::new().await;
    let limit = Fault::SecondaryLimit {
        retry_after_secs: 30,
    };
    let new = NewIssue {
        title: "t".to_owned(),
        ..NewIssue::default()
    };
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/issues"),
    );
    scene.fake.schedule(limit, When::request("GET", "/issues"));
    let error = scene.forge.create_issue(new.clone()).await.unwrap_err();
    scene.pass(error);
    let key = scene.repo.issue(1).unwrap().body;
    scene.repo.open_issue("mine now", &key, &[], "mallory");
    assert_eq!(scene.forge.create_issue(new).await.unwrap().number, 1);
    scene.end();
}

#[tokio::test]
async fn an_issue_that_cannot_be_opened_is_given_up() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene
            .fake
            .schedule(Fault::Status(502), When::request("POST", "/issues"));
    }
    let new = NewIssue {
        title: "t".to_owned(),
        ..NewIssue::default()
    };
    let error = scene.forge.create_issue(new).await.unwrap_err();
    scene.pass(error);
    assert_eq!(scene.repo.issues().len(), 0);
    assert_eq!(scene.count("POST", "/issues"), 3);
    scene.end();
}
