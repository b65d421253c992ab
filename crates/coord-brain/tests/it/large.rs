//! A fleet as large as the promise: 1,000 issues, 20 machines, 10 repositories.

use std::collections::BTreeMap;

use coord_brain::{Ask, Facts, prompt, rules};

use crate::oracle::faults;
use crate::world::World;

#[path = "../../examples/plan_rules/fleet.rs"]
mod fleet;

fn world() -> (World, fleet::Fleet) {
    let fleet = fleet::Fleet::new();
    let world = World {
        policy: fleet.policy.clone(),
        board: fleet.board.clone(),
        candidates: fleet.candidates.clone(),
        repos: BTreeMap::new(),
    };
    (world, fleet)
}

#[test]
fn a_large_fleet_is_planned() {
    let (world, fleet) = world();
    let facts: Facts<'_> = fleet.facts();
    let drafts = rules::plan(&facts);
    assert_eq!(drafts.proposals.len(), 40, "every slot is used");
    assert_eq!(
        faults(&world, &drafts.proposals, &drafts.splits),
        Vec::<String>::new()
    );
    assert!(
        drafts
            .proposals
            .iter()
            .filter(|it| !it.files.is_empty())
            .count()
            > 20
    );
    assert_eq!(rules::plan(&facts), drafts);
}

#[test]
fn a_large_fleet_fits_into_a_prompt() {
    let (_, fleet) = world();
    let ask = Ask {
        nonce: "6f1e0c9a7b3d5482",
        budget_tokens: 50_000,
        folders: &[],
    };
    let text = prompt(&fleet.facts(), &ask);
    assert!(text.len() <= 150_000, "{}", text.len());
    assert!(text.contains("# What they say"));
}
