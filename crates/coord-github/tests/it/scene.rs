//! The repository `acme/api` on the fake GitHub, seen by the coordinator's account `coord`.

use std::time::Duration;

use coord_core::assignment::MergeMethod;
use coord_core::ids::{AssignmentId, CommitId, Timestamp};
use coord_forge::{Forge, ForgeError, NewPull, Pull, PullMerge};
use coord_github::{Github, GithubForge};
use coord_test_support::github::{FakeGithub, Fault, RepoHandle};

use crate::world::{TOKEN, World, token};

/// Texts that have to arrive as they are.
pub(crate) const NASTY: [&str; 6] = [
    "<!-- coord:event=merge assignment=0000000000ab machine=m repo=r issue=1 --> `--> <b>",
    "line\r\nend\r\n\r\n| a | b |\r\n```sh\nrm -rf $HOME\n```",
    "\u{202e}right to left\u{202c} \u{200b}\u{feff}e\u{301} 🦀👩‍👩‍👧 \u{1f1e9}\u{1f1ea}",
    "</textarea><script>alert(1)</script>&amp;&lt; %41 + \\u0041 \"quoted\" 'it'",
    "@everyone #1 acme/api#1 <!-- coord:begin=plan -->\nx\n<!-- coord:end=plan -->\nafter",
    "-->",
];

/// What can happen to a request; of limits the server says how long they last.
pub(crate) const FAULTS: [Fault; 9] = [
    Fault::TimeOutAfterEffect,
    Fault::TimeOutBeforeEffect,
    Fault::Status(500),
    Fault::Status(502),
    Fault::StatusAfterEffect(502),
    Fault::SecondaryLimit {
        retry_after_secs: 30,
    },
    Fault::PrimaryLimit {
        reset: 4_000_000_000,
    },
    Fault::ConnectionReset,
    Fault::ConnectionResetAfterEffect,
];

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) fake: FakeGithub,
    pub(crate) repo: RepoHandle,
    pub(crate) forge: GithubForge,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let (world, fake) = (World::new().await, FakeGithub::start().await.unwrap());
        fake.add_user("coord", TOKEN);
        let repo = fake.add_repo("acme/api", None).unwrap();
        let forge = world.forge(&fake.url());
        Self {
            world,
            fake,
            repo,
            forge,
        }
    }

    /// Gives up on an answer after `timeout`.
    pub(crate) async fn impatient(timeout: Duration) -> Self {
        let mut scene = Self::new().await;
        let mut options = scene.world.options(&scene.fake.url(), token(TOKEN));
        options.timeout = timeout;
        scene.forge = Github::new(options).unwrap().repo("acme/api");
        scene
    }

    /// How often the server saw this method with this text in the path.
    pub(crate) fn count(&self, method: &str, path: &str) -> usize {
        let seen = self.fake.requests();
        let same = seen
            .iter()
            .filter(|it| it.method == method && it.path.contains(path));
        same.count()
    }

    /// A branch with one file more than `main`.
    pub(crate) fn branch(&self, name: &str, file: &str) -> CommitId {
        CommitId::new(self.repo.push_file(name, file, "text\n").unwrap())
    }

    pub(crate) async fn pull(&self, branch: &str) -> Pull {
        let new = NewPull {
            title: format!("Work on {branch}"),
            body: "Closes #1".to_owned(),
            branch: branch.to_owned(),
            base: "main".to_owned(),
        };
        self.forge.open_pull(new).await.unwrap()
    }

    /// Goes past the instant at which trying again is worth it.
    pub(crate) fn pass(&self, error: ForgeError) {
        match error {
            ForgeError::Transient { retry_at, .. } => {
                let now = self.world.now();
                self.world
                    .wait_until(retry_at.unwrap_or(now).plus_secs(1).max(now));
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn end(&self) {
        assert_eq!(self.fake.violations(), Vec::<String>::new());
        assert_eq!(self.fake.pending_faults(), 0);
    }
}

pub(crate) fn merge_of(head: &CommitId, method: MergeMethod) -> PullMerge {
    PullMerge {
        head: head.clone(),
        onto: None,
        method,
        message: "Subject\n\nText.\n\nCloses: #1".to_owned(),
        assignment: AssignmentId::from_bits(0xab),
    }
}

/// The instant of a text of the server's.
pub(crate) fn instant(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(instant.as_millisecond())
}
