//! Conflicts that are foreseen between workers on two machines, each with a checkout of its own of
//! one remote. The first shares its checkout with the coordinator.

use std::ops::ControlFlow;
use std::path::PathBuf;

use coord_core::assignment::AssignmentState;
use coord_core::effect::{Effect, Outcome};
use coord_core::ids::AssignmentId;
use coord_core::{Board, BoardEvent, Command};
use coord_engine::{Engine, Progress, RadarPicture};
use coord_git::ClashKind;
use coord_test_support::git_fixture::git;

use crate::agent::ScriptedAgent;
use crate::leases::{Two, running_on};
use crate::world::{World, cancelled, carried, drive, drive_and_see, outcome, pushed};

const LINES: &str = "one\ntwo\nthree\nfour\nfive\n";

/// A file of five lines in the base, and a checkout of it on each machine.
async fn two() -> Two {
    let world = World::with_idle_workers().await.with_second_machine();
    world.fixture.commit("lines.txt", LINES, "lines").unwrap();
    world.fixture.push().unwrap();
    let remote = world.fixture.remote_path();
    let folder = world.path("m2");
    let (from, to) = (remote.to_str().unwrap(), folder.to_str().unwrap());
    git(&world.path(""), &["clone", "--quiet", from, to]).unwrap();
    world.agent.saves_in(world.fixture.clone_path());
    world.second.as_ref().unwrap().saves_in(folder);
    Two::of(world).await
}

/// The worktree of a worker, below the checkout of its machine.
fn desk(world: &World, id: &AssignmentId, machine: &str) -> PathBuf {
    let repo = match machine {
        "m1" => world.fixture.clone_path(),
        _ => world.path("m2"),
    };
    let desk = world.path("desks").join(id.as_str());
    if !desk.exists() {
        let path = desk.to_str().unwrap();
        let add = [
            "worktree",
            "add",
            "--quiet",
            "--detach",
            path,
            "origin/main",
        ];
        git(&repo, &add).unwrap();
    }
    desk
}

impl Two {
    /// A worker writes a file; its agent saves it and says so.
    fn writes(&self, id: &AssignmentId, file: &str, text: &str) {
        let (agent, machine) = self.place(id);
        let desk = desk(&self.world, id, machine);
        std::fs::write(desk.join(file), text).unwrap();
        coord_git::look(&desk, id, None).unwrap();
        agent.worker_changes(id, &[file]);
    }

    /// It commits everything, its agent pushes that, and it ends.
    fn ends(&self, id: &AssignmentId, branch: &str) {
        let (agent, machine) = self.place(id);
        let desk = desk(&self.world, id, machine);
        let base = git(&desk, &["rev-parse", "HEAD"]).unwrap();
        git(&desk, &["checkout", "--quiet", "-b", branch]).unwrap();
        agent.worker_ends(id, pushed(&desk, branch, base, &[]));
    }

    fn place(&self, id: &AssignmentId) -> (&ScriptedAgent, &'static str) {
        let (one, other) = self.agents();
        match *id == self.second {
            true => (other, "m2"),
            false => (one, "m1"),
        }
    }

    async fn until(&self, seen: impl Fn(&Board) -> bool) {
        drive(&self.engine, seen).await;
    }

    /// What was said about conflicts, in order.
    async fn said(&self) -> Vec<String> {
        let name = |id: &AssignmentId| match id {
            id if *id == self.first => "first".to_owned(),
            id if *id == self.second => "second".to_owned(),
            id => id.to_string(),
        };
        let with = |with: &Option<AssignmentId>| with.as_ref().map_or("base".to_owned(), name);
        let shown = |event: &BoardEvent| match event {
            BoardEvent::ConflictForeseen {
                id,
                with: other,
                paths,
            } => Some(format!(
                "{} with {}: {}",
                name(id),
                with(other),
                paths.join(" ")
            )),
            BoardEvent::ConflictGone { id, with: other } => {
                Some(format!("{} with {}: gone", name(id), with(other)))
            }
            _ => None,
        };
        self.world.history(shown).await
    }

    /// What the workers were told: whose, and what.
    fn told(&self) -> Vec<(AssignmentId, String)> {
        let (one, other) = self.agents();
        let inputs = [one, other].map(|it| it.seen(|seen| seen.inputs.clone()));
        let told = inputs.into_iter().flatten();
        told.map(|(id, text, _)| (id.parse().unwrap(), text))
            .collect()
    }

    fn seen_refs(&self) -> String {
        let clone = self.world.fixture.clone_path();
        git(
            &clone,
            &["for-each-ref", "--format=%(refname)", "refs/coord/seen"],
        )
        .unwrap()
    }
}

fn is_quiet(board: &Board) -> bool {
    board.open_effects.is_empty()
}

#[tokio::test]
async fn a_conflict_between_machines_is_foreseen_told_once_and_gone_when_it_is() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("three", "3"));
    two.writes(&two.second, "lines.txt", &LINES.replace("three", "III"));
    two.until(|board| !board.conflicts.is_empty() && is_quiet(board))
        .await;
    assert_eq!(two.said().await, ["second with first: lines.txt"]);
    let told = two.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, two.second);
    assert!(told[0].1.contains("lines.txt") && told[0].1.contains(two.first.as_str()));

    // More work elsewhere is no news; another path is.
    two.writes(&two.second, "other.txt", "other\n");
    two.writes(&two.first, "other.txt", "another\n");
    let both = |board: &Board| board.conflicts.iter().any(|it| it.paths.len() == 2);
    two.until(|board| both(board) && is_quiet(board)).await;
    assert_eq!(two.told().len(), 2);

    // Whoever gives way makes it go away.
    two.writes(&two.second, "lines.txt", LINES);
    two.writes(&two.second, "other.txt", "another\n");
    two.until(|board| board.conflicts.is_empty()).await;
    let said = two.said().await;
    assert_eq!(said.last().unwrap(), "second with first: gone");
    assert_eq!(two.told().len(), 2);
}

#[tokio::test]
async fn what_is_seen_does_not_need_anybody_who_drives() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("four", "4"));
    two.writes(&two.second, "lines.txt", &LINES.replace("four", "IV"));
    let third = running_on(&two.world, &two.engine, "m1", "Wait").await;
    // A process of its own, which has heard nothing.
    let engine = two.world.engine().await;
    let before = two.world.store.board().await.unwrap().seq;
    let pictures = engine.radar(Some(&"api".into())).await.unwrap();
    let [picture] = pictures.as_slice() else {
        panic!("{pictures:?}");
    };
    assert_eq!(picture.trouble, None);
    assert!(picture.base.is_some());
    let ids: Vec<_> = picture.branches.iter().map(|it| &it.id).collect();
    assert_eq!(ids, [&two.first, &two.second, &third]);
    assert_eq!(
        picture.branches[2].head,
        Err("nothing of its work is saved yet".to_owned())
    );
    assert_eq!(picture.branches[1].title, "Sand it");
    assert_eq!(picture.branches[1].state, AssignmentState::Running);
    let [pair] = picture.pairs.as_slice() else {
        panic!("{picture:?}");
    };
    assert_eq!(
        (&pair.one, pair.other.as_ref()),
        (&two.second, Some(&two.first))
    );
    let [file] = pair.files.as_slice() else {
        panic!("{pair:?}");
    };
    assert_eq!(
        (file.path.as_str(), file.kind),
        ("lines.txt", ClashKind::Content)
    );
    assert_eq!((file.hunks[0].one.start, file.hunks[0].other.start), (4, 4));
    // Nothing was recorded, and a second look costs no bundle.
    assert_eq!(two.world.store.board().await.unwrap().seq, before);
    let (_, other) = two.agents();
    let bundles = || other.seen(|seen| seen.wips.iter().filter(|(_, it)| *it == 200).count());
    let sent = bundles();
    assert_eq!(engine.radar(None).await.unwrap(), pictures);
    assert_eq!(bundles(), sent);
    assert!(engine.radar(Some(&"nowhere".into())).await.is_err());
}

#[tokio::test]
async fn a_finished_branch_counts_until_it_is_merged_and_nothing_piles_up() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("one", "1"));
    two.writes(&two.second, "lines.txt", &LINES.replace("one", "I"));
    two.until(|board| !board.conflicts.is_empty() && is_quiet(board))
        .await;
    assert_eq!(two.seen_refs(), format!("refs/coord/seen/{}", two.second));

    // The first is merged: what it conflicted with conflicts with the base now.
    two.ends(&two.first, &two.world.assignment(&two.first).await.branch);
    let with_base = |board: &Board| board.conflicts.iter().any(|it| it.with.is_none());
    two.until(|board| with_base(board) && board.assignments.len() == 1)
        .await;
    let mut said = two.said().await;
    // It may be seen between the merge and the end of the issue.
    said.retain(|line| line != "second with first: gone");
    assert_eq!(
        said,
        [
            "second with first: lines.txt",
            "second with base: lines.txt"
        ]
    );

    let (_, other) = two.agents();
    other.worker_ends(&two.second, cancelled());
    two.until(|board| board.conflicts.is_empty() && is_quiet(board))
        .await;
    assert_eq!(two.said().await.last().unwrap(), "second with base: gone");
    assert_eq!(two.seen_refs(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_drive_see_it_once_and_one_that_is_cut_off_is_made_up_for() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("two", "2"));
    two.writes(&two.second, "lines.txt", &LINES.replace("two", "II"));
    // Cut off at some point of it.
    for _ in 0..20 {
        let cut = two.world.engine().await;
        let after = std::time::Duration::from_millis(u64::from(rand_byte()));
        let _ = tokio::time::timeout(after, drive(&cut, |_| false)).await;
    }
    let another = two.world.engine().await;
    let seen = |board: &Board| !board.conflicts.is_empty() && is_quiet(board);
    tokio::join!(drive(&two.engine, seen), drive(&another, seen));
    assert_eq!(two.said().await, ["second with first: lines.txt"]);
    let keys = two.agents().1.seen(|seen| {
        let keys = seen.inputs.iter().map(|(_, _, key)| key.clone());
        keys.collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(keys.len(), 1, "an agent tells what has the same key once");
}

/// From 0 to 127, another one each time.
fn rand_byte() -> u8 {
    use std::hash::{BuildHasher as _, RandomState};
    u8::try_from(RandomState::new().hash_one(0) & 127).unwrap()
}

#[tokio::test]
async fn what_an_agent_sends_is_not_believed() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("two", "2"));
    two.writes(&two.second, "lines.txt", &LINES.replace("two", "II"));
    // It serves the work of another repository under that name.
    let strange = two.world.path("strange");
    std::fs::create_dir_all(&strange).unwrap();
    for args in [
        &["init", "--quiet"][..],
        &["commit", "--quiet", "--allow-empty", "--message", "x"],
        &[
            "update-ref",
            &format!("refs/coord/wip/{}", two.second),
            "HEAD",
        ],
    ] {
        git(&strange, args).unwrap();
    }
    let (_, other) = two.agents();
    other.saves_in(strange);
    let picture = only(&two.engine).await;
    // Without any history in common there is nothing to compare, and nobody is hurt.
    assert_eq!(picture.trouble, None, "{picture:?}");
    assert!(
        picture.pairs.iter().all(|it| it.files.is_empty()),
        "{picture:?}"
    );
}

async fn only(engine: &Engine) -> RadarPicture {
    engine.radar(None).await.unwrap().remove(0)
}

#[tokio::test]
async fn an_agent_that_is_gone_leaves_what_was_last_seen_of_its_work() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("two", "2"));
    two.writes(&two.second, "lines.txt", &LINES.replace("two", "II"));
    two.until(|board| !board.conflicts.is_empty() && is_quiet(board))
        .await;
    let (_, other) = two.agents();
    other.down();
    let silent = |board: &Board| {
        let facts = board.machines.get(&"m2".into());
        facts.is_some_and(|facts| facts.silent_since.is_some())
    };
    two.until(silent).await;
    two.writes(&two.first, "more.txt", "more\n");
    let picture = only(&two.world.engine().await).await;
    assert_eq!(picture.pairs.len(), 1, "{picture:?}");
    assert_eq!(two.said().await.len(), 1);
}

#[tokio::test]
async fn whoever_watches_sees_each_change_once() {
    let two = two().await;
    two.writes(&two.first, "lines.txt", &LINES.replace("two", "2"));
    let engine = two.world.engine().await;
    let mut shown: Vec<usize> = Vec::new();
    let watch = engine.watch_radar(None, |pictures: &[RadarPicture]| {
        shown.push(pictures[0].pairs.len());
        if shown.len() == 1 {
            // Whoever watches follows the agents, so what is written from here on is heard of.
            two.writes(&two.second, "lines.txt", &LINES.replace("two", "II"));
        }
        match shown.last() {
            Some(1) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    watch.await.unwrap();
    assert_eq!(shown, [0, 1]);
}

#[tokio::test]
async fn a_machine_without_a_checkout_says_so_once_and_goes_on() {
    let mut two = two().await;
    two.world.has_checkout = false;
    let engine = two.world.engine().await;
    two.writes(&two.first, "a.txt", "a\n");
    let mut said = Vec::new();
    let observed = |board: &Board| {
        let seen = |id| board.assignments[id].observed.len();
        seen(&two.first) + seen(&two.second) == 3
    };
    let see = |progress| {
        if let Progress::Radar { trouble, .. } = progress {
            said.push(trouble);
            // Only now, so that there is more than one look.
            two.writes(&two.first, "b.txt", "b\n");
            two.writes(&two.second, "c.txt", "c\n");
        }
    };
    drive_and_see(&engine, observed, see).await;
    assert_eq!(said, ["this machine has no checkout of `api`"]);
}

#[tokio::test]
async fn who_is_gone_need_not_be_told_anything() {
    let two = two().await;
    let tell = |seq| Effect::Tell {
        machine: "m2".into(),
        id: two.second.clone(),
        text: "mind the gap".to_owned(),
        seq,
    };
    let told = carried(&two.engine, "tell:x:1", tell(1)).await;
    assert_eq!(outcome(told), Outcome::Told);
    assert_eq!(two.told().len(), 1);
    // Its agent does not know it any more.
    let (_, other) = two.agents();
    other.forget(&two.second);
    let told = carried(&two.engine, "tell:x:2", tell(2)).await;
    assert_eq!(outcome(told), Outcome::Told);
    // And nobody is asked about what is to stop.
    let stop = Command::Stop {
        id: two.second.clone(),
    };
    two.engine.command(stop).await.unwrap();
    let asked = two.told().len();
    let told = carried(&two.engine, "tell:x:3", tell(3)).await;
    assert_eq!(outcome(told), Outcome::Told);
    assert_eq!(two.told().len(), asked);
}
