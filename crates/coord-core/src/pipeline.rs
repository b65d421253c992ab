//! What happens next with a finished branch: test, smoke test, pull request, review, checks, queue.
//!
//! One function says it, [`next`], and both the decisions and the explanations use it, so that what
//! is said and what is done are the same.

use crate::assignment::AssignmentKind;
use crate::assignment::{Assignment, AssignmentState, Cause, Goal, MergeState, WorkerResult};
use crate::board::Board;
use crate::delivery::PullAuthor;
use crate::failure::{FailureClass, INTERRUPTIONS, wait_after};
use crate::ids::{AssignmentId, CommitId, Timestamp};
use crate::key::EffectKind;
use crate::policy::{CapabilityRule, Gate, Policy};
use crate::scope::Glob;
use crate::verdict::{ReviewResult, TestFailure};

/// How often somebody who only looks at a branch may fail at it before a person is asked.
const TRIES: usize = 2;

/// How often a test that could not be run is begun again without a person.
const TEST_TRIES: u32 = 2;

/// What happens next with a finished branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// It is being done.
    Busy(Busy),
    /// It is to be begun now.
    Begin(Step),
    /// A person has to do something.
    Person {
        /// One sentence: lower case, no final period.
        why: String,
        /// A command that would help.
        hint: String,
    },
    /// Nothing: it waits for its turn in the merge queue, or nobody wants more.
    Nothing,
}

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Busy {
    /// An effect for the branch has no outcome yet.
    Effect(EffectKind),
    /// Somebody looks at it.
    Serving(AssignmentId),
    /// Another entry of the merge queue has to be merged or to leave it.
    Turn(AssignmentId),
}

/// What is to be begun.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Test,
    /// An assignment of a kind that looks at the branch; not before an instant.
    Serve(AssignmentKind, Option<Timestamp>),
    OpenPull,
    ReadChecks,
    /// Somebody goes on with the branch; for one that has to be brought up to its base, up to where.
    SendBack(Cause, Option<CommitId>),
    Queue,
}

/// What happens next with `it`. [`Next::Nothing`] for whatever is no finished branch.
pub(crate) fn next(board: &Board, policy: &Policy, it: &Assignment, now: Timestamp) -> Next {
    if !it.is_finished_branch() || it.stop_requested || !it.kind.writes() {
        return Next::Nothing;
    }
    if board.rival(it).is_some() {
        return Next::Nothing;
    }
    let at = Place {
        board,
        policy,
        it,
        now,
    };
    at.in_base()
        .or_else(|| at.pull_by_hand())
        .or_else(|| at.test())
        .or_else(|| at.smoke())
        .or_else(|| at.pull())
        .or_else(|| at.review())
        .or_else(|| at.left_queue())
        .or_else(|| at.checks())
        .or_else(|| at.queue())
        .unwrap_or(Next::Nothing)
}

/// The last test that could not be run, where it was one of the head.
pub(crate) fn test_failure(it: &Assignment) -> Option<&TestFailure> {
    let head = it.deliverable()?.head;
    let failure = it.delivery.test_failure.as_ref();
    failure.filter(|failure| failure.head == *head)
}

/// Whether the head is to be reviewed without a further word.
pub(crate) fn wants_review(policy: &Policy, it: &Assignment) -> bool {
    let rules = &policy.reviews;
    it.delivery.wants.review || (rules.enabled && rules.auto_dispatch && it.is_finished_branch())
}

/// How the review of the head stands, apart from its verdict.
pub(crate) fn review<'b>(board: &'b Board, it: &'b Assignment) -> Serving<'b> {
    serving(board, it, AssignmentKind::Review)
}

/// The capabilities that a machine needs to try the change out; empty where no rule names it.
pub(crate) fn needed(rules: &[CapabilityRule], files: &[String]) -> Vec<String> {
    let names = |rule: &&CapabilityRule| {
        rule.files.iter().any(|pattern| {
            let glob = Glob::new(pattern);
            files
                .iter()
                .any(|file| file.starts_with(pattern.as_str()) || glob.matches(file))
        })
    };
    let mut needed: Vec<String> = rules
        .iter()
        .filter(names)
        .flat_map(|rule| rule.requires.iter().cloned())
        .collect();
    needed.sort();
    needed.dedup();
    needed
}

/// How those who look at the head stand, all of one kind, apart from what they found.
pub(crate) enum Serving<'b> {
    /// Nobody has begun, or the last one did what it should.
    None,
    /// One has not ended, or its answer is being looked at.
    Active(&'b Assignment),
    /// The last one was interrupted by something that passes.
    Interrupted {
        /// When that may be over.
        until: Option<Timestamp>,
        /// How often in a row.
        times: usize,
    },
    /// The last one failed, was stopped, or gave an answer of no use.
    Useless {
        last: &'b Assignment,
        why: &'b str,
        /// Whether another one may do better.
        may_try: bool,
    },
}

pub(crate) fn serving<'b>(
    board: &'b Board,
    it: &'b Assignment,
    kind: AssignmentKind,
) -> Serving<'b> {
    let all: Vec<&Assignment> = board.serving(it, kind).collect();
    let counts = |it: &Assignment| {
        let at_work = it.state.is_active() || board.has_open(&it.id, EffectKind::Judge);
        at_work && useless(it).is_none()
    };
    if let Some(active) = all.iter().find(|it| counts(it)) {
        return Serving::Active(active);
    }
    let Some(last) = all.last() else {
        return Serving::None;
    };
    let end = last.end.as_ref();
    if let Some(WorkerResult::Failed(FailureClass::Environmental { retry_at })) =
        end.map(|end| end.result)
    {
        let interrupted = all.iter().rev().take_while(|it| it.was_interrupted());
        return Serving::Interrupted {
            until: retry_at,
            times: interrupted.count(),
        };
    }
    let Some(why) = useless(last) else {
        return Serving::None;
    };
    let times = all.iter().filter(|it| useless(it).is_some()).count();
    let given_up = last.stop_requested || last.state == AssignmentState::Cancelled;
    let stopped = given_up && last.answer_refused.is_none();
    let misconfigured = matches!(
        end.map(|end| end.result),
        Some(WorkerResult::Failed(FailureClass::Configuration))
    );
    Serving::Useless {
        last,
        why,
        may_try: !stopped && !misconfigured && times < TRIES,
    }
}

/// Why somebody who looked at a branch was of no use, whether or not the agent knows of it yet.
pub(crate) fn useless(it: &Assignment) -> Option<&str> {
    if let Some(why) = &it.answer_refused {
        return Some(why);
    }
    let error = it.end.as_ref().and_then(|end| end.error.as_deref());
    let stopped = it.over_budget.as_deref().unwrap_or("it was stopped");
    if it.stop_requested && it.state.is_active() {
        return Some(stopped);
    }
    match it.state {
        AssignmentState::Waiting
        | AssignmentState::Requested
        | AssignmentState::Running
        | AssignmentState::Done => None,
        AssignmentState::Failed if it.was_interrupted() => None,
        AssignmentState::Failed => Some(error.unwrap_or("it failed")),
        AssignmentState::Cancelled => Some(stopped),
        AssignmentState::Lost => Some("its agent no longer knew it"),
    }
}

/// A finished branch in its surroundings.
struct Place<'a> {
    board: &'a Board,
    policy: &'a Policy,
    it: &'a Assignment,
    now: Timestamp,
}

impl Place<'_> {
    fn has_open(&self, kind: EffectKind) -> Option<Next> {
        let open = self.board.has_open(&self.it.id, kind);
        open.then_some(Next::Busy(Busy::Effect(kind)))
    }

    fn state(&self) -> Option<&MergeState> {
        self.it.merge.as_ref().map(|entry| &entry.state)
    }

    fn person(&self, why: impl Into<String>, hint: impl std::fmt::Display) -> Option<Next> {
        Some(Next::Person {
            why: why.into(),
            hint: format!("`coord {hint}`"),
        })
    }

    /// The branch goes back to a worker, unless that was done often enough or nobody wants it.
    fn send_back(&self, cause: Cause, why: &str, onto: Option<CommitId>) -> Option<Next> {
        let (id, rounds) = (&self.it.id, self.it.rounds);
        let guided = format_args!("fix {id} --guidance TEXT");
        if !self.it.is_automated(Goal::Merged) {
            return self.person(why, format_args!("fix {id}"));
        }
        if rounds >= self.policy.pipeline.max_iterations {
            let times = match rounds {
                1 => "once".to_owned(),
                _ => format!("{rounds} times"),
            };
            return match rounds {
                0 => self.person(why, guided),
                _ => self.person(format!("{why}; it was sent back {times}"), guided),
            };
        }
        Some(Next::Begin(Step::SendBack(cause, onto)))
    }

    /// Merged, or about to be.
    fn in_base(&self) -> Option<Next> {
        match self.state()? {
            MergeState::Merged { .. } => Some(Next::Nothing),
            MergeState::Merging => Some(Next::Busy(Busy::Effect(EffectKind::Merge))),
            MergeState::Queued
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. } => None,
        }
    }

    fn test(&self) -> Option<Next> {
        if let Some(busy) = self.has_open(EffectKind::Test) {
            return Some(busy);
        }
        if let Some(verdict) = self.it.verdict_for_head() {
            if verdict.result.is_good() || self.it.overridden(Gate::Test).is_some() {
                return None;
            }
            let why = format!("its tests failed: {}", verdict.note);
            return self.send_back(Cause::Tests, &why, None);
        }
        if self.it.overridden(Gate::Test).is_some() {
            return None;
        }
        if let Some(failure) = test_failure(self.it) {
            let passes = matches!(failure.class, FailureClass::Environmental { .. });
            if passes && failure.times < TEST_TRIES {
                return Some(Next::Begin(Step::Test));
            }
            let why = format!("its test could not be run: {}", failure.why);
            return self.person(why, format_args!("test {}", self.it.id));
        }
        let is_queued = self.state() == Some(&MergeState::Queued);
        let wanted = is_queued || self.it.is_automated(Goal::Tested);
        wanted.then_some(Next::Begin(Step::Test))
    }

    fn smoke(&self) -> Option<Next> {
        let (it, id) = (self.it, &self.it.id);
        let how = serving(self.board, it, AssignmentKind::Smoke);
        if let Serving::Active(by) = how {
            return Some(Next::Busy(Busy::Serving(by.id.clone())));
        }
        if let Some(verdict) = it.smoke_of_head() {
            let why = format!("its smoke test failed: {}", verdict.note);
            return match verdict.passed {
                true => None,
                false if it.overridden(Gate::Test).is_some() => None,
                false => self.send_back(Cause::Smoke, &why, None),
            };
        }
        let files = it.end.as_ref().map_or(&[][..], |end| &end.files);
        let needed = needed(&self.policy.smoke.rules, files);
        let wanted = self.policy.smoke.auto_queue && !needed.is_empty();
        if !wanted {
            return None;
        }
        if !self.has_machine_with(&needed) {
            let why = format!("no machine that may try it out has {}", needed.join(", "));
            return self.person(why, format_args!("merge {id}"));
        }
        self.serve(AssignmentKind::Smoke, &how, "smoke test", "smoke")
    }

    fn has_machine_with(&self, needed: &[String]) -> bool {
        let repo = &self.it.issue.repo;
        self.policy.machines.values().any(|machine| {
            machine.repos.contains(repo)
                && needed
                    .iter()
                    .all(|what| machine.capabilities.contains(what))
        })
    }

    /// Begins with somebody who looks at the branch, again where that may help.
    fn serve(
        &self,
        kind: AssignmentKind,
        how: &Serving<'_>,
        what: &str,
        command: &str,
    ) -> Option<Next> {
        let id = &self.it.id;
        let begin = |at| Some(Next::Begin(Step::Serve(kind, at)));
        match how {
            Serving::None => begin(None),
            Serving::Active(by) => Some(Next::Busy(Busy::Serving(by.id.clone()))),
            Serving::Interrupted { until, times } if *times <= INTERRUPTIONS => {
                let wait = wait_after(*times);
                let told = until.filter(|at| *at > self.now);
                begin(Some(told.unwrap_or_else(|| self.now.plus_secs(wait))))
            }
            Serving::Interrupted { times, .. } => {
                let why = format!("its {what} was interrupted {times} times");
                self.person(why, format_args!("{command} {id}"))
            }
            Serving::Useless { may_try: true, .. } => begin(None),
            Serving::Useless { why, last, .. } => {
                let why = format!("its {what} (assignment {}) came to nothing: {why}", last.id);
                self.person(why, format_args!("{command} {id}"))
            }
        }
    }

    /// Who asks for a pull request gets it, whatever the tests say.
    fn pull_by_hand(&self) -> Option<Next> {
        self.it.delivery.wants.pull.and_then(|_| self.pull())
    }

    fn pull(&self) -> Option<Next> {
        let (it, id) = (self.it, &self.it.id);
        let delivery = &it.delivery;
        if let Some(busy) = self.has_open(EffectKind::Pull) {
            return Some(busy);
        }
        let is_queued = self.state() == Some(&MergeState::Queued);
        let by_itself = self.it.is_automated(Goal::Merged) || is_queued;
        let configured = by_itself.then_some(self.policy.pipeline.pull_author);
        let author = delivery.wants.pull.or(configured)?;
        if delivery.pull.is_some() {
            return None;
        }
        if let Some(reason) = &delivery.pull_refused {
            let why = format!("the forge does not open its pull request: {reason}");
            return self.person(why, format_args!("pr {id}"));
        }
        if author == PullAuthor::Worker && delivery.pull_text.is_none() {
            let how = serving(self.board, it, AssignmentKind::Pr);
            match self.serve(AssignmentKind::Pr, &how, "pull request", "pr") {
                // Better a plain text than none.
                Some(Next::Person { .. }) | None => {}
                next => return next,
            }
        }
        Some(Next::Begin(Step::OpenPull))
    }

    fn review(&self) -> Option<Next> {
        let (it, id) = (self.it, &self.it.id);
        // Whoever looks at it all the same may do so for ever.
        if it.overridden(Gate::Review).is_some() {
            return None;
        }
        let how = review(self.board, it);
        if let Serving::Active(by) = how {
            return Some(Next::Busy(Busy::Serving(by.id.clone())));
        }
        if let Some(verdict) = it.review_of_head() {
            let found = || match verdict.findings.len() {
                0 => verdict.summary.clone(),
                1 => "1 finding".to_owned(),
                n => format!("{n} findings"),
            };
            return match verdict.result {
                ReviewResult::Approve => None,
                ReviewResult::RequestChanges => {
                    let why = format!("its reviewer asked for changes: {}", found());
                    self.send_back(Cause::Review, &why, None)
                }
                ReviewResult::Comment if !self.policy.reviews.require_approval => None,
                ReviewResult::Comment => {
                    let why = "its reviewer neither approved it nor asked for changes";
                    self.person(why, format_args!("review {id}"))
                }
            };
        }
        let asked_for = !matches!(how, Serving::None);
        if !asked_for && !wants_review(self.policy, it) {
            return None;
        }
        self.serve(AssignmentKind::Review, &how, "review", "review")
    }

    /// What was in the merge queue and did not go together with what came before.
    fn left_queue(&self) -> Option<Next> {
        let (it, id) = (self.it, &self.it.id);
        match self.state()? {
            MergeState::Queued | MergeState::Merging | MergeState::Merged { .. } => None,
            MergeState::Refused { reason } => {
                let why = format!("the merge was refused: {reason}");
                Some(Next::Person {
                    why,
                    hint: format!("solve it, then `coord merge {id}`"),
                })
            }
            MergeState::Conflict { base, paths } => {
                let why = match paths.join(", ") {
                    // A forge may not say which.
                    paths if paths.is_empty() => format!("it conflicts with {}", base.short()),
                    paths => format!("it conflicts with {} in {paths}", base.short()),
                };
                if !self.it.is_automated(Goal::Merged) {
                    let why = format!("{why}; it is tried again when the base moves");
                    return self.person(why, format_args!("fix {id}"));
                }
                let tried = self
                    .board
                    .chain(it)
                    .any(|it| it.start.onto.as_ref() == Some(base));
                if tried {
                    let why = format!("{why}, although a worker was to solve that");
                    return self.person(why, format_args!("fix {id} --guidance TEXT"));
                }
                let onto = Some(base.clone());
                Some(Next::Begin(Step::SendBack(Cause::Conflict, onto)))
            }
            MergeState::Red {
                base, with, note, ..
            } => self.red(base, with.as_ref(), note),
        }
    }

    /// Green alone, red in combination: whoever puts it right needs what it does not go together with.
    fn red(&self, base: &CommitId, with: Option<&AssignmentId>, note: &str) -> Option<Next> {
        let other = with.and_then(|id| self.board.assignments.get(id));
        if let Some(other) = other.filter(|other| other.merged_as().is_none()) {
            return Some(match other.is_in_merge_queue() {
                true => Next::Busy(Busy::Turn(other.id.clone())),
                // It did not land after all, so that nothing speaks against this one.
                false => Next::Begin(Step::Queue),
            });
        }
        let why = match other {
            Some(other) => format!("its tests are red together with {}: {note}", other.issue),
            None => format!("its tests are red on top of the base: {note}"),
        };
        let tip = self.board.bases.get(&self.it.issue.repo);
        self.send_back(Cause::Combination, &why, Some(tip.unwrap_or(base).clone()))
    }

    fn checks(&self) -> Option<Next> {
        let (it, id) = (self.it, &self.it.id);
        let repo = self.policy.repos.get(&it.issue.repo);
        let shared = repo.is_some_and(|repo| repo.shared);
        if !shared || !self.policy.gates.contains(&Gate::Ci) || it.overridden(Gate::Ci).is_some() {
            return None;
        }
        if let Some(busy) = self.has_open(EffectKind::Checks) {
            return Some(busy);
        }
        if let Some(verdict) = it.checks_of_head() {
            return match verdict.good {
                true => None,
                false => self.person(&verdict.note, format_args!("fix {id}")),
            };
        }
        let is_queued = self.state() == Some(&MergeState::Queued);
        let wanted = is_queued || self.it.is_automated(Goal::Merged);
        wanted.then_some(Next::Begin(Step::ReadChecks))
    }

    fn queue(&self) -> Option<Next> {
        let wanted = self.it.is_automated(Goal::Merged) && self.it.merge.is_none();
        wanted.then_some(Next::Begin(Step::Queue))
    }
}
