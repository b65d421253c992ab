//! What earlier versions have written is read: fields that came later have a value for it.

use coord_core::effect::DispatchSpec;
use coord_core::lease::LeaseMode;
use coord_core::{Board, Policy, Recorded};

use crate::world::id;

/// As the first version with a merge queue has written it.
const REQUESTED: &str = r#"{"seq":1,"at":1767225600000,"event":{"kind":"assignment_requested",
    "assignment":{"id":"000000000001","issue":{"repo":"lib","number":1},"kind":"work",
    "title":"Do thing 1","briefing":"Please do thing 1.","machine":"rack","pinned":false,"model":null,
    "scope":{"allowed":["src/"],"forbidden":[]},"observed":[],"goal":"merged",
    "branch":"issue-1-do-thing-1","waived":{"allow_overlap":false,"ignore_deps":false,
    "accept_unknown":false},"state":"requested","requested_at":1767225600000,"started_at":null,
    "finished_at":null,"stop_requested":false,"stuck":null,"end":null,"test_runs":0,"verdict":null,
    "merge":null}}}"#;

const OBSERVED: &str = r#"{"seq":2,"at":1767225600000,"event":{"kind":"files_observed",
    "id":"000000000001","paths":["src/a.rs"]}}"#;

const BOARD: &str = r#"{"seq":7,"assignments":{},"open_effects":{},"machines":{},"cost_by_day":{},
    "overlaps_seen":[],"session":null,"round":null,"step_runs":{}}"#;

const DISPATCH: &str = r#"{"id":"000000000001","machine":"rack","issue":{"repo":"lib","number":1},
    "title":"Do thing 1","briefing":"","scope":{"allowed":[],"forbidden":[]},"do_not_touch":[],
    "branch":"issue-1-do-thing-1","model":null,"max_budget_usd":null}"#;

#[test]
fn events_without_leases_dependencies_and_labels() {
    let mut board = Board::default();
    for line in [REQUESTED, OBSERVED] {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        board.apply(&recorded);
    }
    let it = &board.assignments[&id(1)];
    assert!(it.blocked_by.is_empty() && it.labels.is_empty());
    assert!(it.observed.contains("src/a.rs") && it.leased.contains("src/a.rs"));
    assert!(it.holds_lease());
    let again: Board = crate::universe::through_json(&board);
    assert_eq!(again, board);
}

#[test]
fn boards_without_proposals_and_conflicts() {
    let board: Board = serde_json::from_str(BOARD).unwrap();
    let expected = Board {
        seq: 7,
        ..Board::default()
    };
    assert_eq!(board, expected);
}

#[test]
fn dispatches_without_leases() {
    let spec: DispatchSpec = serde_json::from_str(DISPATCH).unwrap();
    assert_eq!(spec.leases, LeaseMode::Warn);
    assert!(spec.leased.is_empty());
}

#[test]
fn policies_without_what_came_later() {
    let mut policy = serde_json::to_value(crate::world::policy()).unwrap();
    let _ = policy.as_object_mut().unwrap().remove("leases");
    let models = policy["models"].as_object_mut().unwrap();
    assert!(models.remove("learn").is_some() && models.remove("sizes").is_some());
    let policy: Policy = serde_json::from_value(policy).unwrap();
    assert_eq!(policy, crate::world::policy());
}
