//! A decision in the making.

use std::borrow::Cow;

use crate::assignment::Assignment;
use crate::board::Board;
use crate::command::{Decision, Refusal, Rule};
use crate::effect::{CommentSpec, Effect, EffectRequest, Outcome};
use crate::event::{BoardEvent, Recorded};
use crate::ids::{AssignmentId, EffectKey, RepoName, Timestamp};
use crate::key::{self, EffectKind};
use crate::policy::Policy;

/// The board as it is with everything emitted so far, and what was emitted.
pub(super) struct Draft<'a> {
    board: Cow<'a, Board>,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    events: Vec<BoardEvent>,
    effects: Vec<EffectRequest>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(board: &'a Board, policy: &'a Policy, now: Timestamp) -> Self {
        Self {
            board: Cow::Borrowed(board),
            policy,
            now,
            events: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// An assignment by its id; an unknown one is refused.
    pub(super) fn assignment(&self, id: &AssignmentId) -> Result<&Assignment, Refusal> {
        self.board.assignments.get(id).ok_or_else(|| {
            let why = format!("no assignment on the board has the id {id}");
            Refusal::new(Rule::UnknownAssignment, why)
                .of_assignment(id)
                .hint("`coord status` lists the ids, `coord history` the finished ones")
        })
    }

    /// Whether coordinators without this board work on the repository too.
    pub(super) fn is_shared(&self, repo: &RepoName) -> bool {
        let policy = self.policy.repos.get(repo);
        policy.is_some_and(|repo| repo.shared)
    }

    /// Records an event, which holds from here on.
    pub(super) fn emit(&mut self, event: BoardEvent) {
        let recorded = Recorded {
            seq: self.board.seq + 1,
            at: self.now,
            event,
        };
        self.board.to_mut().apply(&recorded);
        self.events.push(recorded.event);
    }

    /// Puts an effect into the outbox.
    pub(super) fn enqueue(&mut self, key: EffectKey, id: &AssignmentId, effect: Effect) {
        self.enqueue_for(key, id, effect, None);
    }

    /// Puts an effect into the outbox, not to be carried out before an instant.
    pub(super) fn enqueue_for(
        &mut self,
        key: EffectKey,
        id: &AssignmentId,
        effect: Effect,
        not_before: Option<Timestamp>,
    ) {
        self.emit(BoardEvent::EffectQueued {
            key: key.clone(),
            id: id.clone(),
            not_before,
        });
        self.request(EffectRequest {
            key,
            effect,
            not_before,
        });
    }

    /// Puts an effect into the outbox that belongs to no assignment.
    pub(super) fn request(&mut self, effect: EffectRequest) {
        self.effects.push(effect);
    }

    /// Puts a comment into the outbox.
    pub(super) fn post(&mut self, comment: CommentSpec) {
        let id = comment.assignment.clone();
        let key = key::comment(comment.event, &id);
        self.enqueue(key, &id, Effect::PostComment(comment));
    }

    /// Asks the agent of an assignment to stop its worker.
    pub(super) fn cancel(&mut self, id: &AssignmentId) {
        let Some(machine) = self.board.assignments.get(id).map(|it| it.machine.clone()) else {
            return;
        };
        let key = key::cancel(id, self.board.seq);
        let effect = Effect::Cancel {
            machine,
            id: id.clone(),
        };
        self.enqueue(key, id, effect);
    }

    /// Takes the claim of an assignment back, where it may have made one.
    pub(super) fn release_claim(&mut self, id: &AssignmentId) {
        let Some(it) = self.board.assignments.get(id) else {
            return;
        };
        if !self.is_shared(&it.issue.repo) || !it.kind.writes() {
            return;
        }
        let effect = Effect::ReleaseClaim {
            issue: it.issue.clone(),
            id: id.clone(),
            machine: it.machine.clone(),
        };
        self.enqueue(key::release(id, self.board.seq), id, effect);
    }

    /// Settles the open effects of one kind because of something that says more than their outcome.
    pub(super) fn settle_open(&mut self, id: &AssignmentId, kind: EffectKind, outcome: &Outcome) {
        let open: Vec<EffectKey> = self
            .board
            .open_effects_of(id)
            .filter(|key| EffectKind::of(key) == Some(kind))
            .cloned()
            .collect();
        for key in open {
            let outcome = outcome.clone();
            self.emit(BoardEvent::EffectSettled { key, outcome });
        }
    }

    pub(super) fn finish(self) -> Decision {
        Decision {
            events: self.events,
            effects: self.effects,
            refusal: None,
        }
    }
}

/// Nothing of the kind can be done with an assignment as it is now: "assignment ID `what`".
pub(super) fn refuse(it: &Assignment, what: &str) -> Refusal {
    Refusal::new(Rule::State, format!("assignment {} {what}", it.id))
        .of_issue(&it.issue)
        .of_assignment(&it.id)
}
