//! Leases between machines: workers that want a path, and what agents tell of edits.

use std::sync::Arc;

use coord_core::ids::AssignmentId;
use coord_core::lease::{Denial, LeaseMode};
use coord_core::{Board, BoardEvent};
use coord_engine::{AssignInput, Engine};
use coord_protocol::{AgentEventKind, EndResult, Feature, LeaseAnswer, LeaseDenial};
use tokio::sync::Notify;

use crate::agent::{ScriptedAgent, Seen, ended};
use crate::recovery::retry;
use crate::world::{World, cancelled, drive, input};

/// Two workers, one on each machine.
pub(crate) struct Two {
    pub(crate) world: World,
    pub(crate) engine: Engine,
    /// On the machine `m1`; it began first.
    pub(crate) first: AssignmentId,
    /// On the machine `m2`.
    pub(crate) second: AssignmentId,
}

impl Two {
    pub(crate) async fn new() -> Self {
        Self::of(World::with_idle_workers().await.with_second_machine()).await
    }

    pub(crate) async fn of(world: World) -> Self {
        let engine = world.engine().await;
        let first = running_on(&world, &engine, "m1", "Paint it").await;
        let second = running_on(&world, &engine, "m2", "Sand it").await;
        Self {
            world,
            engine,
            first,
            second,
        }
    }

    pub(crate) fn agents(&self) -> (&ScriptedAgent, &ScriptedAgent) {
        (&self.world.agent, self.world.second.as_ref().unwrap())
    }

    /// Both agents have somebody who answers.
    async fn are_followed(&self) {
        let (one, two) = self.agents();
        let before = [one, two].map(|it| it.seen(|seen| seen.promises));
        one.until(|seen| seen.promises > before[0]).await;
        two.until(|seen| seen.promises > before[1]).await;
    }
}

/// A new assignment whose worker runs on that machine.
pub(crate) async fn running_on(
    world: &World,
    engine: &Engine,
    machine: &str,
    title: &str,
) -> AssignmentId {
    let issue = world.issue(title).await.number;
    let input = AssignInput {
        machine: Some(machine.into()),
        ..input(issue)
    };
    let committed = engine.assign(input).await.unwrap();
    assert_eq!(committed.refusal, None);
    let new = committed.board.assignments.values();
    let id = new
        .filter(|it| it.issue.number == issue)
        .map(|it| it.id.clone())
        .next()
        .unwrap();
    let agent = match machine {
        "m1" => &world.agent,
        _ => world.second.as_ref().unwrap(),
    };
    let begins = async {
        agent.until(|seen| seen.workers.contains(&id)).await;
        agent.worker_starts(&id);
    };
    let runs = drive(engine, |board| board.assignments[&id].started_at.is_some());
    tokio::join!(begins, runs);
    id
}

/// Its worker wants the path and waits for the answer to question `ask`.
async fn wants(agent: &ScriptedAgent, id: &AssignmentId, ask: u64, path: &str) -> LeaseAnswer {
    let path = path.to_owned();
    agent.tell(Some(id), AgentEventKind::LeaseAsked { ask, path });
    let answer = |seen: &Seen| {
        let mut all = seen.answered.iter();
        let found = all.find(|(whose, it)| whose == id.as_str() && it.ask == ask);
        found.map(|(_, it)| it.clone())
    };
    agent.until(|seen| answer(seen).is_some()).await;
    agent.seen(answer).unwrap()
}

/// Its agent has told it that another one holds the path.
async fn is_denied(world: &World, agent: &ScriptedAgent, id: &AssignmentId, by: &AssignmentId) {
    let recorded = edits(world).await.len();
    let denied = AgentEventKind::EditDenied {
        path: "src/door.rs".to_owned(),
        tool: "Edit".to_owned(),
        reason: "no".to_owned(),
        denial: LeaseDenial::Leased { by: by.clone() },
    };
    // Tried twice, recorded once.
    agent.tell(Some(id), denied.clone());
    agent.tell(Some(id), denied);
    let mut changes = world.store.changes();
    while edits(world).await.len() == recorded {
        changes.changed().await.unwrap();
    }
}

/// What was recorded of edits, in order.
async fn edits(world: &World) -> Vec<String> {
    let shown = |event: &BoardEvent| match event {
        BoardEvent::LeaseGranted { id, paths } => Some(format!("granted {id} {paths:?}")),
        BoardEvent::EditDenied { id, path, why, .. } => Some(format!("denied {id} {path}: {why}")),
        BoardEvent::EditUnchecked { id, path } => Some(format!("unchecked {id} {path}")),
        BoardEvent::FilesRestored { id, paths } => Some(format!("restored {id} {paths:?}")),
        _ => None,
    };
    world.history(shown).await
}

async fn drive_for_ever(engine: &Engine) {
    drive(engine, |_| false).await;
}

/// Runs `test` while `engine` drives.
async fn while_driven(engine: &Engine, test: impl Future<Output = ()>) {
    tokio::select! {
        () = drive_for_ever(engine) => {}
        () = test => {}
    }
}

#[tokio::test]
async fn of_two_workers_on_two_machines_one_gets_the_path() {
    let two = Two::new().await;
    let (one, other) = two.agents();
    let test = async {
        two.are_followed().await;
        let answers = tokio::join!(
            wants(one, &two.first, 1, "src/door.rs"),
            wants(other, &two.second, 2, "src/door.rs"),
        );
        let (won, lost) = match answers {
            (a, b) if a.granted => ((&two.first, a), (&two.second, b)),
            (a, b) => ((&two.second, b), (&two.first, a)),
        };
        assert!(won.1.granted && won.1.why.is_none() && won.1.by.is_none());
        assert!(!lost.1.granted);
        assert_eq!(lost.1.why, Some(LeaseDenial::Leased { by: won.0.clone() }));
        let holder = lost.1.by.unwrap();
        let winner = two.world.assignment(won.0).await;
        assert_eq!(holder.assignment, winner.id);
        assert_eq!(holder.issue, winner.issue.to_string());
        assert_eq!(holder.title, winner.title);
        assert_eq!(holder.machine, winner.machine.as_str());
        assert!(winner.leased.contains("src/door.rs"));

        // Asked again, nothing changes; what is free is everybody's.
        let (agent, id) = match lost.0 == &two.first {
            true => (one, &two.first),
            false => (other, &two.second),
        };
        is_denied(&two.world, agent, id, won.0).await;
        assert!(!wants(agent, id, 3, "src/door.rs").await.granted);
        assert!(wants(agent, id, 4, "src/window.rs").await.granted);
        assert_eq!(
            edits(&two.world).await,
            [
                format!("granted {} [\"src/door.rs\"]", won.0),
                format!(
                    "denied {} src/door.rs: held by assignment {}",
                    lost.0, won.0
                ),
                format!("granted {} [\"src/window.rs\"]", lost.0),
            ]
        );
    };
    while_driven(&two.engine, test).await;
}

#[tokio::test]
async fn a_question_does_not_wait_for_a_slow_status() {
    let two = Two::new().await;
    let (one, _) = two.agents();
    let gate = Arc::new(Notify::new());
    one.hold_status(Some(Arc::clone(&gate)));
    let test = async {
        two.are_followed().await;
        assert!(wants(one, &two.first, 1, "a.rs").await.granted);
        let denied = AgentEventKind::EditDenied {
            path: "b.rs".to_owned(),
            tool: "Edit".to_owned(),
            reason: "no".to_owned(),
            denial: LeaseDenial::Outside,
        };
        one.tell(Some(&two.first), denied);
        let mut changes = two.world.store.changes();
        while edits(&two.world).await.len() < 2 {
            changes.changed().await.unwrap();
        }
    };
    while_driven(&two.engine, test).await;
    one.hold_status(None);
    gate.notify_one();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_answer_decide_the_same_and_record_it_once() {
    let two = Two::new().await;
    let another = two.world.engine().await;
    let (one, other) = two.agents();
    let before = [one, other].map(|it| it.seen(|seen| seen.promises));
    let test = async {
        one.until(|seen| seen.promises >= before[0] + 2).await;
        other.until(|seen| seen.promises >= before[1] + 2).await;
        wants(one, &two.first, 1, "src/door.rs").await;
        wants(other, &two.second, 2, "src/door.rs").await;
        one.until(|seen| seen.answered.len() == 2).await;
        other.until(|seen| seen.answered.len() == 2).await;
        let all =
            |seen: &Seen| -> Vec<bool> { seen.answered.iter().map(|(_, it)| it.granted).collect() };
        assert_eq!(
            (one.seen(all), other.seen(all)),
            (vec![true; 2], vec![false; 2])
        );
        is_denied(&two.world, other, &two.second, &two.first).await;
        let restored = AgentEventKind::FilesRestored {
            paths: vec!["CHANGELOG.md".to_owned()],
        };
        other.tell(Some(&two.second), restored);
        // The last word of that agent: both have heard everything before it.
        wants(other, &two.second, 3, "b.rs").await;
        other.until(|seen| seen.answered.len() == 4).await;
    };
    tokio::select! {
        () = drive_for_ever(&two.engine) => {}
        () = drive_for_ever(&another) => {}
        () = test => {}
    }
    let mut expected = vec![
        format!(
            "denied {} src/door.rs: held by assignment {}",
            two.second, two.first
        ),
        format!("granted {} [\"src/door.rs\"]", two.first),
        format!("granted {} [\"b.rs\"]", two.second),
        format!("restored {} [\"CHANGELOG.md\"]", two.second),
    ];
    let mut told = edits(&two.world).await;
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_nobody_was_there_to_hear_is_recorded_later_and_once() {
    let two = Two::new().await;
    let (one, _) = two.agents();
    // Nobody follows: a worker went on unasked, and another edit was denied.
    let path = "a.rs".to_owned();
    one.tell(Some(&two.first), AgentEventKind::EditUnchecked { path });
    let denied = AgentEventKind::EditDenied {
        path: "b.rs".to_owned(),
        tool: "Edit".to_owned(),
        reason: "nobody answers".to_owned(),
        denial: LeaseDenial::Unreachable,
    };
    one.tell(Some(&two.first), denied);
    let expected = [
        format!("unchecked {} a.rs", two.first),
        format!("denied {} b.rs: {}", two.first, Denial::Unreachable),
    ];
    for _ in 0..2 {
        let next = two.world.engine().await;
        let test = async {
            two.are_followed().await;
            let mut changes = two.world.store.changes();
            while edits(&two.world).await.len() < 2 {
                changes.changed().await.unwrap();
            }
        };
        while_driven(&next, test).await;
        let mut told = edits(&two.world).await;
        told.sort_by_key(|line| !line.starts_with("unchecked"));
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn nobody_gets_anything_for_work_that_is_over_or_somebody_elses() {
    let two = Two::new().await;
    let (one, other) = two.agents();
    let test = async {
        two.are_followed().await;
        for (agent, id) in [(other, &two.first), (one, &two.second)] {
            let answer = wants(agent, id, 1, "a.rs").await;
            assert!(!answer.granted, "{id}");
            assert_eq!(answer.why, Some(LeaseDenial::Over));
        }
        one.worker_ends(&two.first, cancelled());
        let over = |board: &Board| board.assignments[&two.first].end.is_some();
        let mut changes = two.world.store.changes();
        while !over(&two.world.store.board().await.unwrap()) {
            changes.changed().await.unwrap();
        }
        let late = wants(one, &two.first, 2, "a.rs").await;
        assert_eq!(late.why, Some(LeaseDenial::Over));
        // Another coordinator follows the agent too: it knows about its own work.
        let path = "a.rs".to_owned();
        let strange = AssignmentId::from_bits(7);
        let asked = AgentEventKind::LeaseAsked { ask: 3, path };
        one.tell(Some(&strange), asked);
        wants(one, &two.first, 4, "b.rs").await;
        assert!(one.seen(|seen| {
            seen.answered
                .iter()
                .all(|(id, _)| *id != strange.to_string())
        }));
    };
    while_driven(&two.engine, test).await;
    assert_eq!(edits(&two.world).await, Vec::<String>::new());
}

#[tokio::test]
async fn how_leases_are_enforced_goes_to_agents_that_know_of_it() {
    for (mode, knows, sent) in [
        (LeaseMode::Strict, true, Some("strict")),
        (LeaseMode::Warn, true, Some("warn")),
        (LeaseMode::Off, true, None),
        (LeaseMode::Warn, false, None),
    ] {
        let mut world = World::with_idle_workers().await;
        world.policy.leases = mode;
        if !knows {
            let mut features = Feature::ALL.to_vec();
            features.retain(|it| *it != Feature::Leases);
            world.agent.can(&features);
        }
        let engine = world.engine().await;
        world.running(&engine, "Solve it").await;
        let body = world.agent.seen(|seen| seen.assigns[0].clone());
        let body = serde_json::to_value(body).unwrap();
        assert_eq!(
            body.get("leases").and_then(|it| it.as_str()),
            sent,
            "{mode:?}"
        );
        let promises = world.agent.seen(|seen| seen.promises);
        assert_eq!(promises > 0, knows, "{mode:?}");
    }
}

#[tokio::test]
async fn what_was_granted_before_is_its_own_where_somebody_goes_on() {
    let two = Two::new().await;
    let agent = &two.world.agent;
    let test = async {
        two.are_followed().await;
        assert!(wants(agent, &two.first, 1, "a.rs").await.granted);
        agent.worker_ends(&two.first, ended(EndResult::Failed));
        let mut changes = two.world.store.changes();
        while two.world.assignment(&two.first).await.end.is_none() {
            changes.changed().await.unwrap();
        }
        let input = coord_engine::RetryInput {
            machine: Some("m1".into()),
            ..retry(&two.first)
        };
        assert_eq!(two.engine.retry(input).await.unwrap().refusal, None);
        agent.until(|seen| seen.assigns.len() == 2).await;
    };
    while_driven(&two.engine, test).await;
    let sent = agent.seen(|seen| seen.assigns[1].leased.clone());
    assert_eq!(sent, ["a.rs"]);
}
