//! What came of the play, read from the log of events alone.

use std::collections::BTreeMap;

use coord_core::assignment::{AssignmentKind, Cause};
use coord_core::ids::{AssignmentId, CommitId};
use coord_core::verdict::ReviewResult;
use coord_core::{BoardEvent, Recorded};
use serde_json::{Value, json};

/// The turns that the five issues took.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    writers: BTreeMap<AssignmentId, Writer>,
    /// Issues whose reviewer asked for changes.
    sent_back: Vec<u64>,
    /// Issues that did not merge with what was merged before them.
    rebased: Vec<u64>,
    /// Issues that were red in combination, and what with.
    red: Vec<(u64, Option<u64>)>,
}

/// What is known of one line of work on an issue.
#[derive(Debug, Default)]
struct Writer {
    issue: u64,
    machine: String,
    head: Option<CommitId>,
    tested: Option<CommitId>,
    approved: Option<CommitId>,
    combined: Option<CommitId>,
    /// Where its reviewers ran.
    reviewed_on: Vec<String>,
    has_pull: bool,
    merged: Option<CommitId>,
}

impl Turns {
    /// Reads the whole log.
    pub(crate) fn of(history: &[Recorded]) -> Self {
        let mut turns = Self::default();
        for recorded in history {
            turns.read(&recorded.event);
        }
        turns
    }

    fn read(&mut self, event: &BoardEvent) {
        match event {
            BoardEvent::AssignmentRequested { assignment } => {
                let machine = assignment.machine.to_string();
                if assignment.kind.writes() {
                    let writer = self.writers.entry(assignment.id.clone()).or_default();
                    (writer.issue, writer.machine) = (assignment.issue.number, machine);
                    writer.has_pull = assignment.delivery.pull.is_some();
                } else if let Some(about) = &assignment.about
                    && assignment.kind == AssignmentKind::Review
                {
                    let of = self.writers.entry(about.id.clone()).or_default();
                    of.reviewed_on.push(machine);
                }
            }
            BoardEvent::AssignmentEnded { id, end, .. } => {
                if let Some(writer) = self.writers.get_mut(id) {
                    writer.head.clone_from(&end.head);
                }
            }
            BoardEvent::BranchMoved { id, head } => self.writer(id).head = Some(head.clone()),
            BoardEvent::AssignmentSuperseded { id, cause, .. } => self.superseded(id, *cause),
            BoardEvent::CombinationRed { id, with, .. } => {
                let with = with.as_ref().map(|id| self.issue(id));
                self.red.push((self.issue(id), with));
            }
            BoardEvent::TestRecorded { id, verdict } if verdict.result.is_good() => {
                self.writer(id).tested = Some(verdict.head.clone());
            }
            BoardEvent::ReviewRecorded { id, verdict }
                if verdict.result == ReviewResult::Approve =>
            {
                self.writer(id).approved = Some(verdict.head.clone());
            }
            BoardEvent::CombinationGreen { id, combination } => {
                self.writer(id).combined = Some(combination.head.clone());
            }
            BoardEvent::PullOpened { id, .. } => self.writer(id).has_pull = true,
            BoardEvent::Merged { id, commit, .. } => self.writer(id).merged = Some(commit.clone()),
            _ => {}
        }
    }

    fn superseded(&mut self, id: &AssignmentId, cause: Cause) {
        let issue = self.issue(id);
        match cause {
            Cause::Review => self.sent_back.push(issue),
            Cause::Conflict => self.rebased.push(issue),
            // The log has an event of its own for what is red in combination.
            Cause::Combination
            | Cause::Person
            | Cause::Work
            | Cause::Environment
            | Cause::Lost
            | Cause::Silence
            | Cause::Guidance
            | Cause::Session
            | Cause::Tests
            | Cause::Smoke => {}
        }
    }

    fn writer(&mut self, id: &AssignmentId) -> &mut Writer {
        self.writers.entry(id.clone()).or_default()
    }

    fn issue(&self, id: &AssignmentId) -> u64 {
        self.writers.get(id).map_or(0, |writer| writer.issue)
    }

    /// How many issues are merged.
    pub(crate) fn merged(&self) -> usize {
        self.writers
            .values()
            .filter(|it| it.merged.is_some())
            .count()
    }

    /// What should have happened with `issues` issues and did not.
    pub(crate) fn missing(&self, issues: usize) -> Vec<String> {
        let mut missing = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                missing.push(what);
            }
        };
        let merged = self.merged();
        expect(
            merged == issues,
            format!("{merged} of {issues} issues are merged"),
        );
        let sent_back = self.sent_back.len();
        expect(
            sent_back == 1,
            format!("{sent_back} were sent back by a reviewer, not one"),
        );
        let rebased = self.rebased.len();
        expect(
            rebased == 1,
            format!("{rebased} were brought up to date, not one"),
        );
        let pairs = self.red.iter().filter(|(_, with)| with.is_some()).count();
        expect(
            pairs == 1,
            format!("{pairs} pairs were red together, not one"),
        );
        for it in self.writers.values().filter(|it| it.merged.is_some()) {
            let issue = it.issue;
            let holds = |verdict: &Option<CommitId>| verdict.is_some() && *verdict == it.head;
            expect(
                holds(&it.tested),
                format!("#{issue} was merged without green tests"),
            );
            expect(
                holds(&it.approved),
                format!("#{issue} was merged without an approval"),
            );
            expect(
                holds(&it.combined),
                format!("#{issue} was merged without a green combination"),
            );
            expect(
                it.has_pull,
                format!("#{issue} was merged without a pull request"),
            );
            expect(
                !it.reviewed_on.contains(&it.machine),
                format!("#{issue} was reviewed where it was made"),
            );
        }
        missing
    }

    /// What happened that was meant to, in sentences.
    pub(crate) fn lines(&self) -> Vec<String> {
        let sent_back = self.sent_back.iter().map(|issue| {
            format!("#{issue} was sent back by its reviewer, put right, and approved")
        });
        let rebased = self.rebased.iter().map(|issue| {
            format!("#{issue} did not merge any more, and was brought up to date by a worker")
        });
        let red = self.red.iter().map(|(issue, with)| match with {
            Some(with) => format!("#{issue} was green alone and red together with #{with}: the queue found it, a worker put it right"),
            None => format!("#{issue} was green alone and red on top of the base"),
        });
        sent_back.chain(rebased).chain(red).collect()
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let red = self.red.iter();
        let red: Vec<Value> = red
            .map(|(issue, with)| json!({"issue": issue, "with": with}))
            .collect();
        json!({"sent_back": self.sent_back, "rebased": self.rebased, "red_together": red})
    }
}

#[cfg(test)]
mod tests {
    use coord_core::ids::Timestamp;
    use coord_core::verdict::{TestResult, TestVerdict};

    use super::*;

    fn log(events: Vec<BoardEvent>) -> Turns {
        let recorded = |(seq, event)| Recorded {
            seq,
            at: Timestamp::from_millis(0),
            event,
        };
        let log: Vec<Recorded> = (1..).zip(events).map(recorded).collect();
        Turns::of(&log)
    }

    #[test]
    fn nothing_is_taken_for_granted() {
        let missing = log(Vec::new()).missing(5);
        assert_eq!(missing.len(), 4, "{missing:?}");
    }

    #[test]
    fn a_verdict_on_another_commit_is_none() {
        let id = AssignmentId::from_bits(1);
        let at = Timestamp::from_millis(0);
        let merged_after = |tested: &str| {
            let verdict = TestVerdict {
                head: CommitId::from(tested.repeat(40)),
                result: TestResult::Passed,
                note: String::new(),
                output: None,
                at,
            };
            let turns = log(vec![
                BoardEvent::TestRecorded {
                    id: id.clone(),
                    verdict,
                },
                BoardEvent::BranchMoved {
                    id: id.clone(),
                    head: CommitId::from("b".repeat(40)),
                },
                BoardEvent::Merged {
                    id: id.clone(),
                    commit: CommitId::from("c".repeat(40)),
                    warning: None,
                },
            ]);
            turns.missing(1)
        };
        let untested = "#0 was merged without green tests".to_owned();
        assert!(merged_after("a").contains(&untested));
        assert!(!merged_after("b").contains(&untested));
    }
}
