//! The way of one issue, from its opening to its closing, while the network and GitHub fail at any
//! call in any way: what is there in the end is what is there without a fault, each thing once.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use coord_core::assignment::MergeMethod;
use coord_core::effect::{CommentEvent, CommentSpec};
use coord_core::ids::{AssignmentId, CommitId};
use coord_core::marker::Marker;
use coord_forge::{
    Forge, ForgeError, LineComment, MergeOutcome, NewIssue, NewPull, NewReview, PullMerge,
    ReviewVerdict, marks,
};
use coord_github::{Github, GithubForge, GithubOptions};
use coord_test_support::github::{FakeGithub, Fault, RepoHandle, When};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{TOKEN, World, token};

/// Long enough for a loopback server on a busy machine, short enough to be waited for often.
const TIME_OUT: Duration = Duration::from_millis(700);

/// More tries than there are faults in any schedule.
const TRIES: usize = 60;

/// Everything that the issue asks for, and what the interfaces of clouds do besides.
const FAULTS: [Fault; 9] = [
    Fault::TimeOutAfterEffect,
    Fault::TimeOutBeforeEffect,
    Fault::Status(500),
    Fault::Status(502),
    Fault::StatusAfterEffect(502),
    Fault::SecondaryLimit {
        retry_after_secs: 60,
    },
    Fault::PrimaryLimit {
        reset: 4_000_000_000,
    },
    Fault::ConnectionReset,
    Fault::ConnectionResetAfterEffect,
];

struct Way {
    world: World,
    fake: FakeGithub,
    repo: RepoHandle,
    head: CommitId,
    forge: GithubForge,
}

impl Way {
    async fn new() -> Self {
        let world = World::new().await;
        let fake = FakeGithub::start().await.unwrap();
        fake.add_user("coordinator", TOKEN);
        let repo = fake.add_repo("acme/api", None).unwrap();
        repo.push_file("main", "README.md", "hello\n").unwrap();
        let head = repo.push_file("issue-1-say-hello", "hello.txt", "one\ntwo\n");
        let options = GithubOptions {
            timeout: TIME_OUT,
            ..world.options(&fake.url(), token(TOKEN))
        };
        let forge = Github::new(options).unwrap().repo("acme/api");
        Self {
            head: CommitId::new(head.unwrap()),
            world,
            fake,
            repo,
            forge,
        }
    }

    /// Repeats a call as the outbox does: at once, or when the forge said so.
    async fn until_done<T, F>(&self, mut call: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, ForgeError>>,
    {
        for _ in 0..TRIES {
            match call().await {
                Ok(value) => return value,
                Err(ForgeError::Transient { retry_at, .. }) => {
                    if let Some(at) = retry_at.filter(|at| *at > self.world.now()) {
                        self.world.wait_until(at);
                    }
                }
                Err(error) => panic!("it is given up: {error} ({:?})", error.hint()),
            }
        }
        panic!("it never ends; GitHub saw {:#?}", self.fake.requests());
    }

    /// Every call that changes something, each as the engine makes it.
    async fn go(&self) {
        let forge = &self.forge;
        let new = NewIssue {
            title: "Say hello".to_owned(),
            body: "Please.".to_owned(),
            labels: vec!["good first issue".to_owned()],
        };
        let issue = self.until_done(|| forge.create_issue(new.clone())).await;
        let number = issue.number;
        for event in [CommentEvent::Briefing, CommentEvent::Completion] {
            self.until_done(|| comment_once(forge, number, event)).await;
        }
        let wip = ["wip".to_owned()];
        self.until_done(|| forge.label_issue(number, &wip, &[]))
            .await;
        self.until_done(|| forge.label_issue(number, &[], &wip))
            .await;
        self.until_done(|| forge.write_section(number, "tasks", "- [ ] one"))
            .await;
        let pull = NewPull {
            title: "Say hello".to_owned(),
            body: "Says hello.".to_owned(),
            branch: "issue-1-say-hello".to_owned(),
            base: "main".to_owned(),
        };
        let pull = self.until_done(|| forge.open_pull(pull.clone())).await;
        self.until_done(|| review_once(forge, pull.number, &self.head))
            .await;
        let merge = PullMerge {
            head: self.head.clone(),
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

    /// What GitHub has in the end, in a form that does not depend on ids, times and keys.
    fn outcome(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for issue in self.repo.issues() {
            let (body, _) = issue
                .body
                .split_once("<!-- coord:issue=")
                .unwrap_or_default();
            let sections = issue.body.matches("coord:begin=tasks").count();
            let mut lines = vec![format!(
                "{} {body:?} {sections} {:?} {}",
                issue.title, issue.labels, issue.open
            )];
            let comments = self.repo.comments(issue.number);
            lines.extend(comments.into_iter().map(|comment| comment.body));
            found.insert(format!("issue {}", issue.number), lines);
        }
        for pull in self.repo.pulls() {
            let mut lines = vec![format!(
                "{} {} {} {}",
                pull.title,
                pull.head,
                pull.open,
                pull.merge_sha.is_some()
            )];
            let reviews = pull.reviews.into_iter();
            lines.extend(reviews.map(|it| format!("{} {:?}", it.state, it.body)));
            found.insert(format!("pull {}", pull.number), lines);
        }
        found
    }

    fn is_in_line(&self) {
        assert_eq!(self.fake.violations(), Vec::<String>::new());
    }
}

fn assignment() -> AssignmentId {
    AssignmentId::from_bits(0xab)
}

fn marker(event: CommentEvent, number: u64) -> Marker {
    Marker::from(&CommentSpec {
        issue: coord_core::ids::IssueRef {
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
            line: 2,
            body: "Two of what?".to_owned(),
        }],
    };
    forge.create_review(number, &review).await.map(drop)
}

async fn undisturbed() -> BTreeMap<String, Vec<String>> {
    let way = Way::new().await;
    way.go().await;
    way.is_in_line();
    way.outcome()
}

#[tokio::test]
async fn every_call_may_fail_once_in_every_way() {
    let expected = undisturbed().await;
    for fault in FAULTS {
        let way = Way::new().await;
        way.fake.fail_every_call(&[fault]);
        way.go().await;
        assert_eq!(way.outcome(), expected, "{fault:?}");
        way.is_in_line();
    }
}

#[tokio::test]
async fn every_call_may_fail_in_several_ways_one_after_another() {
    let expected = undisturbed().await;
    let way = Way::new().await;
    way.fake.fail_every_call(&[
        Fault::StatusAfterEffect(502),
        Fault::ConnectionReset,
        Fault::SecondaryLimit {
            retry_after_secs: 60,
        },
        Fault::Status(500),
    ]);
    way.go().await;
    assert_eq!(way.outcome(), expected);
    way.is_in_line();
}

#[test]
fn any_schedule_of_faults_leads_to_the_same_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expected = runtime.block_on(undisturbed());
    let fault = (1usize..45, select(FAULTS.to_vec()));
    let schedule = proptest::collection::vec(fault, 0..10);
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&schedule, |schedule| {
        runtime.block_on(async {
            let way = Way::new().await;
            for (nth, fault) in &schedule {
                way.fake.schedule(*fault, When::Nth(*nth));
            }
            way.go().await;
            prop_assert_eq!(&way.outcome(), &expected);
            way.is_in_line();
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
