//! The gates before a merge, evaluated for one assignment from what the board knows.

use serde::{Deserialize, Serialize};

use crate::assignment::Assignment;
use crate::board::Board;
use crate::key::EffectKind;
use crate::pipeline::{self, Serving};
use crate::policy::{Gate, Policy};
use crate::verdict::{ReviewResult, TestResult};

/// Whether a gate holds for the head that an assignment has now, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateStatus {
    /// The gate.
    pub gate: Gate,
    /// Whether it lets the merge pass.
    pub holds: bool,
    /// One sentence for people: lower case, no final period.
    pub why: String,
}

/// Every configured gate, in the order of the configuration.
#[must_use]
pub fn gates(board: &Board, policy: &Policy, assignment: &Assignment) -> Vec<GateStatus> {
    let status = |gate: &Gate| {
        let (holds, why) = match (assignment.overridden(*gate), gate) {
            (Some(reason), _) => (true, format!("a person has set it aside: {reason}")),
            (None, Gate::Test) => test(board, assignment),
            (None, Gate::Review) => review(board, policy, assignment),
            (None, Gate::Ci) => ci(board, policy, assignment),
        };
        GateStatus {
            gate: *gate,
            holds,
            why,
        }
    };
    policy.gates.iter().map(status).collect()
}

/// The first gate that does not hold.
#[must_use]
pub fn first_closed(board: &Board, policy: &Policy, assignment: &Assignment) -> Option<GateStatus> {
    gates(board, policy, assignment)
        .into_iter()
        .find(|status| !status.holds)
}

/// The tests of the branch, and its smoke test where somebody had it tried out.
fn test(board: &Board, assignment: &Assignment) -> (bool, String) {
    if let Some(smoke) = assignment.smoke_of_head().filter(|smoke| !smoke.passed) {
        return (false, format!("its smoke test failed: {}", smoke.note));
    }
    if let Some(verdict) = assignment.verdict_for_head() {
        return match verdict.result {
            TestResult::Passed => (true, "its tests passed".to_owned()),
            TestResult::Skipped => (true, "its tests were skipped on purpose".to_owned()),
            TestResult::Failed => (false, "its tests failed".to_owned()),
        };
    }
    if board.has_open(&assignment.id, EffectKind::Test) {
        return (false, "its test still runs".to_owned());
    }
    match pipeline::test_failure(assignment) {
        Some(failure) => (false, format!("its test could not be run: {}", failure.why)),
        None => (false, "its head has not been tested".to_owned()),
    }
}

fn review(board: &Board, policy: &Policy, assignment: &Assignment) -> (bool, String) {
    let rules = &policy.reviews;
    let verdict = assignment.review_of_head();
    match verdict.map(|verdict| verdict.result) {
        Some(ReviewResult::Approve) => return (true, "its reviewer approved it".to_owned()),
        Some(ReviewResult::RequestChanges) => {
            return (false, "its reviewer asked for changes".to_owned());
        }
        Some(ReviewResult::Comment) => {
            let why = "its reviewer neither approved it nor asked for changes".to_owned();
            return (!(rules.enabled && rules.require_approval), why);
        }
        None => {}
    }
    match pipeline::review(board, assignment) {
        Serving::Active(_) => (false, "its review is not over".to_owned()),
        Serving::Useless { why, .. } => (false, format!("its review came to nothing: {why}")),
        Serving::Interrupted { .. } => (false, "its review was interrupted".to_owned()),
        Serving::None
            if (rules.enabled && rules.require_approval)
                || pipeline::wants_review(policy, assignment) =>
        {
            (false, "its head has not been reviewed".to_owned())
        }
        Serving::None if rules.enabled => (true, "nobody asked for a review".to_owned()),
        Serving::None => (true, "reviews are switched off".to_owned()),
    }
}

fn ci(board: &Board, policy: &Policy, assignment: &Assignment) -> (bool, String) {
    let repo = policy.repos.get(&assignment.issue.repo);
    if !repo.is_some_and(|repo| repo.shared) {
        return (true, "no checks are expected".to_owned());
    }
    match assignment.checks_of_head() {
        Some(verdict) => (verdict.good, verdict.note.clone()),
        None if board.has_open(&assignment.id, EffectKind::Checks) => {
            (false, "the forge's checks have not ended".to_owned())
        }
        None => (false, "the forge's checks have not been read".to_owned()),
    }
}
