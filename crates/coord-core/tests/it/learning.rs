//! Which model an assignment begins with: what speaks for it, from the request to the dispatch.

use coord_core::command::AssignRequest;
use coord_core::ladder::{Tally, TrackRecord};
use coord_core::policy::ModelPolicy;
use coord_core::proposal::Size;

use crate::world::{World, failed, issue_ref, policy, request};

fn world(learn: bool) -> World {
    let mut policy = policy();
    policy.models = ModelPolicy {
        default: Some("sonnet".into()),
        escalation: vec!["haiku".into(), "sonnet".into(), "opus".into()],
        labels: vec![("docs".into(), "haiku".into())],
        sizes: [(Size::Large, "opus".to_owned())].into(),
        learn,
    };
    World::with(policy)
}

/// So many of so many issues that began with `model` were solved at the first try.
fn record(model: &str, at_first_try: u32, issues: u32) -> TrackRecord {
    TrackRecord(vec![Tally {
        label: None,
        model: Some(model.into()),
        issues,
        at_first_try,
        cost_usd: 1.0,
    }])
}

/// The model of the dispatch.
fn model(learn: bool, change: impl FnOnce(&mut AssignRequest)) -> String {
    let mut world = world(learn);
    let mut request = request(1, "lib", 1, &[]);
    change(&mut request);
    let on_board = world.assigned(request).model.clone();
    assert_eq!(world.spec(1).model, on_board);
    on_board.unwrap()
}

#[test]
fn a_record_moves_the_first_model_of_an_assignment() {
    for (solved, of, expected) in [
        (1, 6, "opus"),
        (3, 6, "sonnet"),
        (8, 10, "sonnet"),
        (9, 10, "haiku"),
        (0, 4, "sonnet"),
    ] {
        let found = model(true, |it| it.record = record("sonnet", solved, of));
        assert_eq!(found, expected, "{solved} of {of}");
    }
    let shown = |it: &mut AssignRequest| it.record = record("sonnet", 1, 6);
    assert_eq!(model(false, shown), "sonnet");
    let asked = |it: &mut AssignRequest| {
        it.model = Some("sonnet".into());
        it.record = record("sonnet", 1, 6);
    };
    assert_eq!(model(true, asked), "sonnet");
}

#[test]
fn labels_come_before_the_size_and_that_before_the_default() {
    assert_eq!(model(false, |it| it.size = Some(Size::Large)), "opus");
    assert_eq!(model(false, |it| it.size = Some(Size::Small)), "sonnet");
    let both = |it: &mut AssignRequest| {
        it.size = Some(Size::Large);
        it.issue.labels = vec!["docs".into()];
    };
    assert_eq!(model(false, both), "haiku");
}

#[test]
fn who_goes_on_begins_where_the_record_has_led() {
    let mut world = world(true);
    let mut moved = request(1, "lib", 1, &[]);
    moved.issue.labels = vec!["docs".into()];
    moved.record = record("haiku", 0, 5);
    world.assigned(moved);
    let failure = coord_core::failure::FailureClass::Work;
    let _ = world.finish(1, failed(failure, "no idea"));
    let again = crate::world::again(2, 1, &issue_ref("lib", 1));
    let _ = world.run(&coord_core::Command::Retry(Box::new(again)));
    assert_eq!(
        world.get(2).model.as_deref(),
        Some("opus"),
        "one up from sonnet"
    );
    assert_eq!(world.get(2).labels, ["docs"]);
}
