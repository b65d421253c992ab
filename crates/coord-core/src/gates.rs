//! The gates before a merge, evaluated for one assignment from what the board knows.

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, TestResult};
use crate::policy::{Gate, Policy};

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
pub fn gates(policy: &Policy, assignment: &Assignment) -> Vec<GateStatus> {
    let status = |gate: &Gate| {
        let (holds, why) = match gate {
            Gate::Test => test(assignment),
            Gate::Review => review(policy),
            Gate::Ci => (true, ci(policy, assignment)),
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
pub fn first_closed(policy: &Policy, assignment: &Assignment) -> Option<GateStatus> {
    gates(policy, assignment)
        .into_iter()
        .find(|status| !status.holds)
}

fn test(assignment: &Assignment) -> (bool, String) {
    match assignment.verdict_for_head() {
        None => (false, "its head has not been tested".to_owned()),
        Some(verdict) => match verdict.result {
            TestResult::Passed => (true, "its tests passed".to_owned()),
            TestResult::Skipped => (true, "its tests were skipped on purpose".to_owned()),
            TestResult::Failed => (false, "its tests failed".to_owned()),
        },
    }
}

/// The forge's checks end outside; whoever merges looks at them then.
fn ci(policy: &Policy, assignment: &Assignment) -> String {
    let repo = policy.repos.get(&assignment.issue.repo);
    if repo.is_some_and(|repo| repo.shared) {
        "the forge's checks are looked at when it is merged".to_owned()
    } else {
        "no checks are expected".to_owned()
    }
}

fn review(policy: &Policy) -> (bool, String) {
    if policy.reviews_enabled {
        (false, "its head has no approving review".to_owned())
    } else {
        (true, "reviews are switched off".to_owned())
    }
}
