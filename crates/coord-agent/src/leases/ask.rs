//! What this machine cannot know: the coordinator is asked, over the stream that it follows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_protocol::{AgentEventKind, LeaseAnswer};
use tokio::sync::{oneshot, watch};

use super::Check;
use crate::clock;
use crate::hub::Hub;
use crate::shared::Shared;

/// How long a worker waits for an answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The questions that wait for an answer, and who might give one.
#[derive(Debug)]
pub(crate) struct Asks {
    /// How many follow the events and have promised to answer.
    followers: watch::Sender<usize>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    id: AssignmentId,
    answer: oneshot::Sender<LeaseAnswer>,
}

/// Somebody who has promised to answer, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Follower(Arc<Shared>);

impl Follower {
    /// From now on questions are asked.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let asks = &shared.leases.asks;
        asks.followers.send_modify(|count| *count += 1);
        Self(shared)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let asks = &self.0.leases.asks;
        asks.followers.send_modify(|count| *count -= 1);
    }
}

impl Default for Asks {
    fn default() -> Self {
        // An answer to a question of an earlier run must not meet one of this run. Milliseconds leave room
        // for a thousand questions each, in the 53 bits that every reader of JSON keeps.
        let millis = Duration::from_secs_f64(clock::now().max(0.0)).as_millis();
        Self {
            followers: watch::Sender::new(0),
            waiting: Mutex::default(),
            next: AtomicU64::new(u64::try_from(millis << 10).unwrap_or_default()),
        }
    }
}

impl Asks {
    /// Asks whether `id` may have `path`. `None`: nobody answers.
    pub(super) async fn ask(
        &self,
        hub: &Hub,
        id: &AssignmentId,
        path: &str,
        check: Check,
    ) -> Option<LeaseAnswer> {
        let asked = async {
            self.somebody(check).await?;
            let (answer, answered) = oneshot::channel();
            let question = self.question(id, answer);
            let kind = AgentEventKind::LeaseAsked {
                ask: question.number,
                path: path.to_owned(),
            };
            hub.publish(id, kind);
            answered.await.ok()
        };
        tokio::time::timeout(LIMIT, asked).await.ok().flatten()
    }

    /// Where an edit depends on the answer, a coordinator that is about to come back is waited for.
    async fn somebody(&self, check: Check) -> Option<()> {
        let mut followers = self.followers.subscribe();
        match check {
            Check::Strict => followers.wait_for(|count| *count > 0).await.ok().map(drop),
            Check::Warn => (*followers.borrow() > 0).then_some(()),
        }
    }

    fn question(&self, id: &AssignmentId, answer: oneshot::Sender<LeaseAnswer>) -> Question<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting {
            id: id.clone(),
            answer,
        };
        self.waiting().insert(number, waiting);
        Question { asks: self, number }
    }

    /// Hands an answer to whoever waits for it; `false` if nobody does.
    pub(crate) fn answer(&self, id: &AssignmentId, answer: LeaseAnswer) -> bool {
        let mut waiting = self.waiting();
        if waiting.get(&answer.ask).is_none_or(|it| it.id != *id) {
            return false;
        }
        let asker = waiting.remove(&answer.ask);
        asker.is_some_and(|it| it.answer.send(answer).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that waits; forgotten with the one who asks.
struct Question<'a> {
    asks: &'a Asks,
    number: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.asks.waiting().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(ask: u64) -> LeaseAnswer {
        LeaseAnswer {
            ask,
            granted: true,
            reason: None,
            by: None,
            why: None,
        }
    }

    #[tokio::test]
    async fn an_answer_reaches_its_question_once_and_no_other() {
        let asks = Asks::default();
        let (id, other) = (AssignmentId::from_bits(1), AssignmentId::from_bits(2));
        let (answer, answered) = oneshot::channel();
        let question = asks.question(&id, answer);
        let number = question.number;
        assert!(!asks.answer(&id, yes(number + 1)));
        assert!(asks.answer(&id, yes(number)));
        assert!(!asks.answer(&id, yes(number)));
        assert_eq!(answered.await.unwrap(), yes(number));

        let (answer, _answered) = oneshot::channel();
        let question = asks.question(&id, answer);
        assert!(!asks.answer(&other, yes(question.number)), "not its own");
        assert_eq!(asks.waiting().len(), 1);
        let number = question.number;
        drop(question);
        assert!(!asks.answer(&id, yes(number)), "nobody waits any more");
        assert!(number < 1 << 53);
    }

    #[tokio::test]
    async fn without_anybody_who_would_answer_nobody_is_asked() {
        let (asks, hub) = (Asks::default(), Hub::new("b".to_owned()));
        let id = AssignmentId::from_bits(1);
        assert_eq!(asks.ask(&hub, &id, "a", Check::Warn).await, None);
        assert_eq!(hub.position(None), Some(0));
    }
}
