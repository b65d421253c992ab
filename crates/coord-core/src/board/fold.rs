//! How each event changes the board.

mod planning;

use crate::assignment::{
    Assignment, AssignmentState, MergeEntry, MergeMethod, MergeState, WorkerEnd, WorkerResult,
};
use crate::board::{Board, RESTORED, UNCHECKED, edit_seen};
use crate::delivery::Delivery;
use crate::event::{BoardEvent, Recorded};
use crate::ids::{AssignmentId, CommitId, EffectKey, RepoName, Timestamp};
use crate::key::EffectKind;
use crate::policy::Gate;
use crate::radar::Clash;
use crate::session::{Since, Step, StepRun};

impl Board {
    /// Folds one event. Total: an event that does not fit changes nothing but `seq`.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.seq = recorded.seq;
        let at = recorded.at;
        let here = Since {
            seq: recorded.seq,
            at,
        };
        if self.is_news(&recorded.event) {
            self.session.get_or_insert(here);
        }
        match &recorded.event {
            BoardEvent::Refused { .. }
            | BoardEvent::ClaimWon { .. }
            | BoardEvent::ClaimLost { .. } => {}
            BoardEvent::EditDenied { id, path, why, .. } => {
                self.edits_seen.insert(edit_seen(id, path, why));
            }
            BoardEvent::EditUnchecked { id, path } => {
                self.edits_seen.insert(edit_seen(id, path, &UNCHECKED));
            }
            BoardEvent::FilesRestored { id, paths } => {
                let seen = paths.iter().map(|path| edit_seen(id, path, &RESTORED));
                self.edits_seen.extend(seen);
            }
            BoardEvent::IssueClosed { issue } => {
                for it in self.assignments.values_mut() {
                    it.blocked_by.remove(issue);
                }
            }
            BoardEvent::Planned { .. }
            | BoardEvent::ProposalApproved { .. }
            | BoardEvent::ProposalRejected { .. }
            | BoardEvent::SplitRejected { .. }
            | BoardEvent::SplitStarted { .. }
            | BoardEvent::SplitDone { .. }
            | BoardEvent::SplitFailed { .. } => self.apply_planning(&recorded.event, at),
            BoardEvent::ConflictForeseen { id, with, paths } => {
                self.forget_clash(id, with.as_ref());
                if self.assignments.contains_key(id) {
                    self.conflicts.insert(Clash {
                        id: id.clone(),
                        with: with.clone(),
                        paths: paths.clone(),
                    });
                }
            }
            BoardEvent::ConflictGone { id, with } => self.forget_clash(id, with.as_ref()),
            BoardEvent::LeaseGranted { id, paths } => self.with(id, |it| {
                it.leased.extend(paths.iter().cloned());
                it.observed.extend(paths.iter().cloned());
            }),
            BoardEvent::AssignmentWaits { assignment, .. } => {
                self.put(assignment, AssignmentState::Waiting, here);
            }
            BoardEvent::AssignmentRequested { assignment } => {
                self.put(assignment, AssignmentState::Requested, here);
            }
            BoardEvent::AssignmentAccepted { id } => self.with(id, Assignment::accepted),
            BoardEvent::WorkerStarted { id, at } => self.with(id, |it| it.started_at = Some(*at)),
            BoardEvent::FilesObserved { id, paths, foreign } => self.with(id, |it| {
                let own = paths.iter().filter(|path| !foreign.contains(path));
                it.leased.extend(own.cloned());
                it.observed.extend(paths.iter().cloned());
            }),
            BoardEvent::OverlapObserved { id, other, path } => {
                let (first, second) = (id.min(other), id.max(other));
                self.overlaps_seen
                    .insert((first.clone(), second.clone(), path.clone()));
            }
            BoardEvent::WorkerStuck { id, question } => {
                self.with(id, |it| it.stuck = Some(question.clone()));
            }
            BoardEvent::WorkerGuided { id, guidance } => self.with(id, |it| it.guided(guidance)),
            BoardEvent::GuidanceUnheard { id, .. } => self.with(id, |it| it.unheard = true),
            BoardEvent::AssignmentSuperseded { id, by, .. } => {
                self.with(id, |it| it.superseded_by = Some(by.clone()));
            }
            BoardEvent::RateLimited { machine, resets_at } => {
                let facts = self.machines.entry(machine.clone()).or_default();
                facts.limited_until = Some(*resets_at);
            }
            BoardEvent::StopRequested { id } => self.with(id, |it| it.stop_requested = true),
            BoardEvent::AssignmentEnded { id, at: ended, end } => {
                self.end(id, *ended, end, at.day());
            }
            BoardEvent::AssignmentLost { id } => self.lost(id, at),
            BoardEvent::AgentSilent { machine, .. } => {
                let facts = self.machines.entry(machine.clone()).or_default();
                facts.silent_since = Some(at);
            }
            BoardEvent::AgentBack { machine } => {
                let facts = self.machines.entry(machine.clone()).or_default();
                facts.silent_since = None;
            }
            BoardEvent::TestStarted { id } => {
                self.with(id, |it| it.test_runs = it.test_runs.saturating_add(1));
            }
            BoardEvent::TestRecorded { id, verdict } => self.with(id, |it| {
                it.verdict = Some(verdict.clone());
                it.delivery.test_failure = None;
            }),
            BoardEvent::TestBroken { id, failure } => {
                self.with(id, |it| it.delivery.test_failure = Some(failure.clone()));
            }
            BoardEvent::PullWanted { id, author, review } => self.with(id, |it| {
                it.delivery.wants.pull = Some(*author);
                it.delivery.wants.review |= *review;
                it.delivery.pull_refused = None;
            }),
            BoardEvent::PullWritten { id, text } => {
                self.with(id, |it| it.delivery.pull_text = Some(text.clone()));
            }
            BoardEvent::PullOpened { id, number } => {
                self.with(id, |it| it.delivery.pull = Some(*number));
            }
            BoardEvent::PullRefused { id, reason } => {
                self.with(id, |it| it.delivery.pull_refused = Some(reason.clone()));
            }
            BoardEvent::ReviewRecorded { id, verdict } => {
                self.with(id, |it| it.delivery.review = Some((**verdict).clone()));
            }
            BoardEvent::AnswerRefused { id, why } => {
                self.with(id, |it| it.answer_refused = Some(why.clone()));
            }
            BoardEvent::SmokeRecorded { id, verdict } => {
                self.with(id, |it| it.delivery.smoke = Some(verdict.clone()));
            }
            BoardEvent::ChecksRecorded { id, verdict } => {
                self.with(id, |it| it.delivery.checks = Some(verdict.clone()));
            }
            BoardEvent::GateOverridden { id, set_aside } => {
                self.with(id, |it| it.delivery.overrides.push(set_aside.clone()));
                // It is merged onto whatever its base is then.
                if set_aside.gate == Gate::Test {
                    self.with(id, |it| it.delivery.combination = None);
                    self.forget_combinations_after(id);
                }
            }
            BoardEvent::BranchMoved { id, head } => self.branch_moved(id, head),
            BoardEvent::CombinationGreen { id, combination } => {
                self.forget_combinations_after(id);
                self.with(id, |it| it.delivery.combination = Some(combination.clone()));
            }
            BoardEvent::CombinationRed {
                id,
                base,
                with,
                note,
                output,
            } => {
                let red = MergeState::Red {
                    base: base.clone(),
                    with: with.clone(),
                    note: note.clone(),
                    output: output.clone(),
                };
                self.leave_queue(id, red);
            }
            BoardEvent::BaseMoved { repo, base } => self.base_moved(repo, base),
            BoardEvent::SpendingObserved { id, cost_usd } => {
                self.with(id, |it| it.spent_usd = *cost_usd);
            }
            BoardEvent::BudgetExceeded { id, budget } => self.with(id, |it| {
                it.stop_requested = true;
                it.over_budget = Some(budget.clone());
            }),
            BoardEvent::MergeQueued { id, method, order } => {
                self.with(id, |it| it.queued(*method, *order, at));
            }
            BoardEvent::MergeStarted { id } => self.with_merge(id, |entry| {
                entry.attempt = entry.attempt.saturating_add(1);
                entry.state = MergeState::Merging;
            }),
            BoardEvent::Merged {
                id,
                commit,
                warning,
            } => self.merged(id, commit, warning.is_none()),
            BoardEvent::MergeConflicted { id, base, paths } => {
                let (base, paths) = (base.clone(), paths.clone());
                self.leave_queue(id, MergeState::Conflict { base, paths });
            }
            BoardEvent::MergeRefused { id, reason } => {
                let reason = reason.clone();
                self.leave_queue(id, MergeState::Refused { reason });
            }
            BoardEvent::EffectQueued {
                key,
                id,
                not_before,
            } => self.open(key, id, at.max(not_before.unwrap_or(at))),
            BoardEvent::EffectSettled { key, .. } => {
                self.open_effects.remove(key);
            }
            BoardEvent::AssignmentArchived { id } => self.archive(id),
            BoardEvent::RoundCompleted { period } => {
                self.round = None;
                self.begin_steps(&period.steps);
            }
            BoardEvent::SessionClosed { period } => {
                self.session = None;
                self.begin_steps(&period.steps);
            }
            BoardEvent::StepEnded { seq, .. } => self.end_step(*seq),
        }
    }

    fn forget_clash(&mut self, id: &AssignmentId, with: Option<&AssignmentId>) {
        self.conflicts
            .retain(|it| it.id != *id || it.with.as_ref() != with);
    }

    fn with(&mut self, id: &AssignmentId, change: impl FnOnce(&mut Assignment)) {
        if let Some(assignment) = self.assignments.get_mut(id) {
            change(assignment);
        }
    }

    fn with_merge(&mut self, id: &AssignmentId, change: impl FnOnce(&mut MergeEntry)) {
        self.with(id, |it| {
            if let Some(entry) = &mut it.merge {
                change(entry);
            }
        });
    }

    /// Whether the event is something that a session is worth closing for.
    fn is_news(&self, event: &BoardEvent) -> bool {
        match event {
            BoardEvent::AssignmentWaits { .. } | BoardEvent::AssignmentRequested { .. } => true,
            BoardEvent::AssignmentEnded { id, .. }
            | BoardEvent::AssignmentLost { id }
            | BoardEvent::TestRecorded { id, .. }
            | BoardEvent::MergeQueued { id, .. }
            | BoardEvent::Merged { id, .. }
            | BoardEvent::MergeConflicted { id, .. }
            | BoardEvent::MergeRefused { id, .. }
            | BoardEvent::PullOpened { id, .. }
            | BoardEvent::ReviewRecorded { id, .. }
            | BoardEvent::SmokeRecorded { id, .. }
            | BoardEvent::GateOverridden { id, .. }
            | BoardEvent::CombinationRed { id, .. }
            | BoardEvent::BudgetExceeded { id, .. } => self.assignments.contains_key(id),
            BoardEvent::Refused { .. }
            | BoardEvent::ClaimWon { .. }
            | BoardEvent::ClaimLost { .. }
            | BoardEvent::AssignmentAccepted { .. }
            | BoardEvent::WorkerStarted { .. }
            | BoardEvent::FilesObserved { .. }
            | BoardEvent::LeaseGranted { .. }
            | BoardEvent::EditDenied { .. }
            | BoardEvent::EditUnchecked { .. }
            | BoardEvent::FilesRestored { .. }
            | BoardEvent::ConflictForeseen { .. }
            | BoardEvent::ConflictGone { .. }
            | BoardEvent::Planned { .. }
            | BoardEvent::ProposalApproved { .. }
            | BoardEvent::ProposalRejected { .. }
            | BoardEvent::SplitRejected { .. }
            | BoardEvent::SplitStarted { .. }
            | BoardEvent::SplitDone { .. }
            | BoardEvent::SplitFailed { .. }
            | BoardEvent::OverlapObserved { .. }
            | BoardEvent::WorkerStuck { .. }
            | BoardEvent::WorkerGuided { .. }
            | BoardEvent::GuidanceUnheard { .. }
            | BoardEvent::AssignmentSuperseded { .. }
            | BoardEvent::RateLimited { .. }
            | BoardEvent::StopRequested { .. }
            | BoardEvent::AgentSilent { .. }
            | BoardEvent::AgentBack { .. }
            | BoardEvent::TestStarted { .. }
            | BoardEvent::TestBroken { .. }
            | BoardEvent::PullWanted { .. }
            | BoardEvent::PullWritten { .. }
            | BoardEvent::PullRefused { .. }
            | BoardEvent::AnswerRefused { .. }
            | BoardEvent::ChecksRecorded { .. }
            | BoardEvent::BranchMoved { .. }
            | BoardEvent::CombinationGreen { .. }
            | BoardEvent::BaseMoved { .. }
            | BoardEvent::SpendingObserved { .. }
            | BoardEvent::MergeStarted { .. }
            | BoardEvent::IssueClosed { .. }
            | BoardEvent::EffectQueued { .. }
            | BoardEvent::EffectSettled { .. }
            | BoardEvent::AssignmentArchived { .. }
            | BoardEvent::RoundCompleted { .. }
            | BoardEvent::SessionClosed { .. }
            | BoardEvent::StepEnded { .. } => false,
        }
    }

    fn begin_steps(&mut self, steps: &[Step]) {
        if !steps.is_empty() {
            let left = steps.to_vec();
            self.step_runs.insert(self.seq, StepRun { done: 0, left });
        }
    }

    fn end_step(&mut self, seq: u64) {
        let Some(run) = self.step_runs.get_mut(&seq) else {
            return;
        };
        run.done = run.done.saturating_add(1);
        run.left = run.left.split_off(run.left.len().min(1));
        if run.left.is_empty() {
            self.step_runs.remove(&seq);
        }
    }

    fn put(&mut self, assignment: &Assignment, state: AssignmentState, here: Since) {
        // Who goes on with something, or looks at it, belongs to the round of that.
        let is_new = assignment.follows.is_none() && assignment.about.is_none();
        if self.round.is_none() || (is_new && self.at_work().next().is_none()) {
            self.round = Some(here);
        }
        let mut assignment = assignment.clone();
        assignment.state = state;
        self.assignments.insert(assignment.id.clone(), assignment);
    }

    fn end(&mut self, id: &AssignmentId, ended: Timestamp, end: &WorkerEnd, day: i64) {
        let Some(assignment) = self.assignments.get_mut(id) else {
            return;
        };
        assignment.state = match end.result {
            WorkerResult::Done => AssignmentState::Done,
            WorkerResult::Failed(_) => AssignmentState::Failed,
            WorkerResult::Cancelled => AssignmentState::Cancelled,
        };
        assignment.finished_at = Some(ended);
        assignment.end = Some(WorkerEnd {
            answer: None,
            ..end.clone()
        });
        assignment.spent_usd = 0.0;
        // By the day of this log, not of the agent's clock, which may be anything.
        self.pay(day, end.cost_usd);
        self.inherit(id);
    }

    /// Nobody tells any more what it has cost: what is known of that stays with it.
    fn lost(&mut self, id: &AssignmentId, at: Timestamp) {
        let Some(it) = self.assignments.get_mut(id) else {
            return;
        };
        it.state = AssignmentState::Lost;
        it.finished_at = Some(at);
        let spent = it.spent_usd;
        self.pay(at.day(), spent);
    }

    pub(super) fn pay(&mut self, day: i64, cost_usd: f64) {
        *self.cost_by_day.entry(day).or_default() += cost_usd;
        if let Some((&last, _)) = self.cost_by_day.last_key_value() {
            self.cost_by_day.retain(|day, _| *day >= last - 1);
        }
    }

    /// Whoever was to put a branch right and left it as it was has what was found out about it: nobody
    /// gets another opinion on the same commit by doing nothing.
    fn inherit(&mut self, id: &AssignmentId) {
        let Some(it) = self.assignments.get(id) else {
            return;
        };
        let Some(head) = it.deliverable().map(|work| work.head) else {
            return;
        };
        let before: Vec<&Assignment> = self.chain(it).skip(1).collect();
        let mut verdicts = before.iter().filter_map(|it| it.verdict.as_ref());
        let verdict = verdicts.find(|it| it.head == *head).cloned();
        let known = || before.iter().map(|it| &it.delivery);
        let mut reviews = known().filter_map(|it| it.review.as_ref());
        let mut smokes = known().filter_map(|it| it.smoke.as_ref());
        let mut checks = known().filter_map(|it| it.checks.as_ref());
        let overrides = known().flat_map(|it| &it.overrides);
        let found = Delivery {
            review: reviews.find(|it| it.head == *head).cloned(),
            smoke: smokes.find(|it| it.head == *head).cloned(),
            checks: checks.find(|it| it.head == *head).cloned(),
            overrides: overrides.filter(|it| it.head == *head).cloned().collect(),
            ..it.delivery.clone()
        };
        self.with(id, |it| {
            it.verdict = verdict;
            it.delivery = found;
        });
    }

    /// The work of `id` is in its base as `commit`: what was tested right on top of it is next, and
    /// what was tested on anything else was tested in vain. That is all, unless it landed as tested.
    fn merged(&mut self, id: &AssignmentId, commit: &CommitId, as_tested: bool) {
        let tested = self.assignments.get(id);
        let tested = tested.and_then(|it| it.delivery.combination.as_ref());
        let onto = tested.filter(|_| as_tested).map(|it| it.onto.clone());
        let state = MergeState::Merged {
            commit: commit.clone(),
        };
        let Some(repo) = self.leave_queue(id, state) else {
            return;
        };
        self.bases.insert(repo.clone(), commit.clone());
        for other in self.assignments.values_mut() {
            if other.issue.repo == repo {
                other.delivery.combination = other
                    .delivery
                    .combination
                    .take()
                    .filter(|it| Some(&it.onto) == onto.as_ref())
                    .and_then(|it| it.after_merge_of(id, commit));
            }
        }
    }

    fn base_moved(&mut self, repo: &RepoName, base: &CommitId) {
        self.bases.insert(repo.clone(), base.clone());
        for other in self.assignments.values_mut() {
            let combination = &mut other.delivery.combination;
            if other.issue.repo == *repo && combination.as_ref().is_some_and(|it| it.onto != *base)
            {
                *combination = None;
            }
            if other.issue.repo == *repo
                && let Some(entry) = &mut other.merge
                && entry.state == MergeState::Merging
            {
                entry.state = MergeState::Queued;
            }
        }
    }

    /// What was tested on top of `id` was tested with what `id` was then.
    fn forget_combinations_after(&mut self, id: &AssignmentId) {
        for other in self.assignments.values_mut() {
            let combination = &mut other.delivery.combination;
            if combination.as_ref().is_some_and(|it| it.after.contains(id)) {
                *combination = None;
            }
        }
    }

    fn branch_moved(&mut self, id: &AssignmentId, head: &CommitId) {
        self.forget_combinations_after(id);
        self.with(id, |it| {
            it.delivery.combination = None;
            if let Some(end) = &mut it.end {
                end.head = Some(head.clone());
            }
            if let Some(entry) = &mut it.merge
                && entry.state == MergeState::Merging
            {
                entry.state = MergeState::Queued;
            }
        });
    }

    /// Takes an entry out of the merge queue, into `state`; the repository that it is of.
    fn leave_queue(&mut self, id: &AssignmentId, state: MergeState) -> Option<RepoName> {
        let it = self.assignments.get_mut(id)?;
        it.delivery.combination = None;
        let base = match &state {
            MergeState::Conflict { base, .. } | MergeState::Red { base, .. } => Some(base.clone()),
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Merged { .. }
            | MergeState::Refused { .. } => None,
        };
        it.merge.as_mut()?.state = state;
        let repo = it.issue.repo.clone();
        if let Some(base) = base {
            self.bases.insert(repo.clone(), base);
        }
        Some(repo)
    }

    fn open(&mut self, key: &EffectKey, id: &AssignmentId, due: Timestamp) {
        self.open_effects.insert(key.clone(), id.clone());
        if EffectKind::of(key) != Some(EffectKind::Dispatch) {
            return;
        }
        if let Some(assignment) = self.assignments.get(id) {
            let machine = assignment.machine.clone();
            self.machines.entry(machine).or_default().last_dispatch_at = Some(due);
        }
    }

    fn archive(&mut self, id: &AssignmentId) {
        self.assignments.remove(id);
        for other in self.assignments.values_mut() {
            if let Some(entry) = &mut other.merge
                && let MergeState::Red { with, .. } = &mut entry.state
                && with.as_ref() == Some(id)
            {
                // What it does not go together with is in the base now.
                *with = None;
            }
        }
        self.overlaps_seen
            .retain(|(one, other, _)| one != id && other != id);
        self.edits_seen.retain(|(one, ..)| one != id);
        self.conflicts
            .retain(|it| it.id != *id && it.with.as_ref() != Some(id));
    }
}

impl Assignment {
    fn accepted(&mut self) {
        if self.state == AssignmentState::Requested {
            self.state = AssignmentState::Running;
        }
    }

    fn guided(&mut self, guidance: &str) {
        self.guidance.push(guidance.to_owned());
        self.answered = self.stuck.take().or(self.answered.take());
        self.unheard = false;
    }

    fn queued(&mut self, method: MergeMethod, order: Option<u32>, at: Timestamp) {
        let since = match &self.merge {
            Some(entry) if entry.state == MergeState::Queued => entry.queued_at,
            Some(_) | None => at,
        };
        // Whoever wants it merged wants nothing of what went on with it, and does not put it aside.
        self.superseded_by = None;
        self.stop_requested = false;
        if let Some(end) = &mut self.end {
            // Nor is its question waited with.
            end.stuck = None;
        }
        self.merge = Some(MergeEntry {
            state: MergeState::Queued,
            method,
            order,
            queued_at: since,
            attempt: self.merge.as_ref().map_or(0, |entry| entry.attempt),
        });
    }
}
