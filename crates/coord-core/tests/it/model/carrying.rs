//! Effects: taken out of the outbox, carried out, and answered for, with a coordinator that may be
//! killed between any two of these.

use coord_core::Command;
use coord_core::assignment::MergeMethod;
use coord_core::effect::{AnswerSpec, DispatchSpec, Effect, EffectRequest, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, EffectKey, RepoName};
use coord_core::policy::Gate;
use coord_core::verdict::{Finding, ReviewResult, Severity, TestResult};

use super::agents::Surroundings;
use super::course::{Course, Flight};

impl Course {
    /// The keys of what may be carried out now.
    pub(super) fn due(&self) -> Vec<EffectKey> {
        let now = self.world.now;
        let all = self.world.outbox.values();
        let due = all.filter(|it| it.not_before.is_none_or(|at| at <= now));
        due.map(|it| it.key.clone()).collect()
    }

    /// Takes one out of the outbox, carries one out, or hands in what came of one.
    pub(super) fn go_on_with_an_effect(&mut self) {
        let due = self.due();
        let in_flight = |key: &EffectKey| self.flights.iter().any(|it| it.request.key == *key);
        let free: Vec<EffectKey> = due.into_iter().filter(|key| !in_flight(key)).collect();
        let choice = self.random.index(free.len() + self.flights.len());
        if let Some(key) = free.get(choice) {
            let request = self.world.outbox[key].clone();
            self.flights.push(Flight {
                request,
                done: None,
            });
        }
        let index = self.random.index(self.flights.len());
        let Some(flight) = self.flights.get(index) else {
            return;
        };
        match flight.done.clone() {
            None => {
                let request = flight.request.clone();
                match self.carry_out(&request.effect) {
                    Some(outcome) => self.flights[index].done = Some(outcome),
                    None => drop(self.flights.remove(index)),
                }
            }
            Some(outcome) => {
                let flight = self.flights.remove(index);
                self.hand_in(&flight.request, outcome);
            }
        }
    }

    pub(super) fn hand_in(&mut self, request: &EffectRequest, outcome: Outcome) {
        let command = Command::Outcome {
            key: request.key.clone(),
            outcome,
        };
        let decision = self.world.run(&command);
        self.ledger.heard(&request.effect, &command, &decision);
        self.after(&decision);
        self.past.push(command);
    }

    /// Does it; `None`: it could not be done now.
    pub(super) fn carry_out(&mut self, effect: &Effect) -> Option<Outcome> {
        match effect {
            Effect::Dispatch(spec) => self.dispatch(spec),
            Effect::Cancel { machine, id } => {
                self.agents
                    .get_mut(machine)
                    .filter(|agent| agent.reachable)?
                    .cancel(id);
                Some(Outcome::CancelDelivered)
            }
            Effect::Guide { machine, id, .. } => {
                let agent = self
                    .agents
                    .get_mut(machine)
                    .filter(|agent| agent.reachable)?;
                Some(match agent.tell(id) {
                    true => Outcome::Guided,
                    false => failed(FailureClass::Work, "it has no worker any more"),
                })
            }
            Effect::Tell { machine, .. } => {
                let agent = self.agents.get(machine);
                agent.filter(|agent| agent.reachable).map(|_| Outcome::Told)
            }
            Effect::Split(_) if !self.calm && self.random.percent(20) => None,
            Effect::Split(_) if !self.calm && self.random.percent(10) => {
                Some(failed(FailureClass::Work, "no such label"))
            }
            Effect::Split(spec) => {
                let forge = self.forges.get_mut(&spec.parent.repo)?;
                let created = forge.split(&spec.key, spec.chunks.len());
                Some(Outcome::SplitDone { created })
            }
            Effect::RunTest { issue, head, .. } => Some(self.run_test(&issue.repo, head)),
            Effect::TestCombination { repo, entries } => {
                let repository = self.repositories.get_mut(repo)?;
                Some(repository.combine(entries, &mut self.random))
            }
            Effect::Claim { .. }
            | Effect::ReleaseClaim { .. }
            | Effect::PostComment(_)
            | Effect::OpenPull { .. }
            | Effect::JudgeAnswer(_)
            | Effect::ReadChecks { .. }
            | Effect::Merge { .. }
            | Effect::CloseIssue { .. }
                if !self.calm && self.random.percent(15) =>
            {
                None
            }
            Effect::Claim { .. } => Some(match !self.calm && self.random.percent(3) {
                true => Outcome::ClaimLost { to: None },
                false => Outcome::Claimed,
            }),
            Effect::ReleaseClaim { .. } => Some(Outcome::ClaimReleased),
            Effect::PostComment(_) => Some(Outcome::CommentPosted),
            Effect::OpenPull { issue, branch, .. } => {
                if !self.calm && self.random.percent(3) {
                    return Some(failed(FailureClass::Work, "not today"));
                }
                let number = self.forges.get_mut(&issue.repo)?.open_pull(branch);
                Some(Outcome::PullOpened { number })
            }
            Effect::JudgeAnswer(spec) => Some(judge(spec)),
            Effect::ReadChecks { .. } => {
                if !self.calm && self.random.percent(30) {
                    return None;
                }
                let good = !self.random.percent(5);
                let note = "as it is".into();
                Some(Outcome::ChecksRead { good, note })
            }
            Effect::Merge { .. } => {
                self.at_the_last_moment();
                self.merge(effect)
            }
            Effect::CloseIssue { issue, .. } => {
                self.forges
                    .get_mut(&issue.repo)?
                    .closed
                    .insert(issue.number);
                Some(Outcome::IssueClosed)
            }
            Effect::RunStep { .. } => panic!("nobody configured a step"),
        }
    }

    fn dispatch(&mut self, spec: &DispatchSpec) -> Option<Outcome> {
        let on_board = self.world.board.assignments.get(&spec.id);
        if on_board.is_none_or(|it| it.stop_requested) {
            return Some(failed(FailureClass::Configuration, "it was stopped before"));
        }
        let agent = self
            .agents
            .get_mut(&spec.machine)
            .filter(|agent| agent.reachable)?;
        if !self.calm && self.random.percent(1) {
            return Some(failed(FailureClass::Configuration, "no such folder"));
        }
        let mut around = Surroundings {
            repository: self.repositories.get_mut(&spec.issue.repo)?,
            random: &mut self.random,
            now: self.world.now,
            calm: self.calm,
        };
        agent.take(spec, &mut around);
        self.writers_are_alone(&spec.issue);
        Some(Outcome::Dispatched)
    }

    fn run_test(&mut self, repo: &RepoName, head: &CommitId) -> Outcome {
        let repository = self.repositories.get_mut(repo).unwrap();
        if !repository.has(head) {
            return failed(FailureClass::Configuration, "no such commit");
        }
        let trouble = match self.calm {
            true => 0,
            false => self.random.below(100),
        };
        let retry_at = None;
        match trouble {
            1..=5 => return failed(FailureClass::Environmental { retry_at }, "it took too long"),
            6 => return failed(FailureClass::Configuration, "no such tool"),
            _ => {}
        }
        let is_flaky = self.random.percent(2);
        let result = match repository.test(head) && !is_flaky {
            true => TestResult::Passed,
            false => TestResult::Failed,
        };
        Outcome::Tested {
            result,
            note: "make test".into(),
            output: None,
        }
    }

    fn merge(&mut self, effect: &Effect) -> Option<Outcome> {
        let Effect::Merge {
            issue,
            branch,
            head,
            method,
            onto,
            ..
        } = effect
        else {
            return None;
        };
        let repository = self.repositories.get_mut(&issue.repo)?;
        let forge = self.forges.get_mut(&issue.repo)?;
        if let Some(commit) = forge.merged(branch, head) {
            let (commit, warning) = (commit.clone(), None);
            return Some(Outcome::Merged { commit, warning });
        }
        if let Some(tip) = repository.branches.get(branch).filter(|tip| *tip != head) {
            return Some(Outcome::HeadMoved { head: tip.clone() });
        }
        if onto.as_ref().is_some_and(|onto| *onto != repository.main) {
            let base = repository.main.clone();
            return Some(Outcome::BaseMoved { base });
        }
        if !self.calm && self.random.percent(2) {
            let reason = "protected".into();
            return Some(Outcome::MergeRefused { reason });
        }
        let base = repository.main.clone();
        let keeps = *method == MergeMethod::Merge;
        let commit = match repository.land(head, keeps) {
            Ok(commit) => commit,
            Err(paths) => return Some(Outcome::MergeConflict { base, paths }),
        };
        forge.has_merged(branch, head, &commit);
        let combined = self.world.policy.gates.contains(&Gate::Test);
        self.ledger
            .landed(issue, head, &commit, repository, combined);
        let warning = None;
        Some(Outcome::Merged { commit, warning })
    }
}

fn failed(class: FailureClass, error: &str) -> Outcome {
    let error = error.to_owned();
    Outcome::Failed { class, error }
}

/// What the coordinator makes of an answer.
fn judge(spec: &AnswerSpec) -> Outcome {
    let result = match spec.answer.as_str() {
        "approve" => ReviewResult::Approve,
        "request_changes" => ReviewResult::RequestChanges,
        "comment" => ReviewResult::Comment,
        "text" => {
            return Outcome::PullWritten {
                title: "A title".into(),
                body: "A text.".into(),
            };
        }
        _ => {
            let why = "it is not in its schema".into();
            return Outcome::AnswerInvalid { why };
        }
    };
    let finding = Finding {
        path: "src/lib.rs".into(),
        line: None,
        severity: Severity::Major,
        rule: "names".into(),
        text: "what is that?".into(),
    };
    let bad = result == ReviewResult::RequestChanges;
    Outcome::Reviewed {
        result,
        summary: "I have read it.".into(),
        findings: bad.then_some(finding).into_iter().collect(),
    }
}
