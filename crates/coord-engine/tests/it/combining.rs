//! Testing what the base would be with the entries of the queue: real branches, real worktrees.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use coord_core::assignment::MergeMethod;
use coord_core::effect::{CombinationEntry, CombinedResult, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId};
use coord_engine::{Carried, Engine, Progress};
use coord_test_support::git_fixture::git;
use coord_test_support::processes;

use crate::world::{PATIENCE, World, carried, drive_and_see, enqueue, outcome, put_off};

const MINUTE: Duration = Duration::from_secs(60);

/// Red where `a.txt` and `b.txt` are together.
const NOT_BOTH: &str = "! { test -e a.txt && test -e b.txt; }";

/// A world whose tests count their runs and then do this.
async fn world(test: &str) -> World {
    let mut world = World::with_idle_workers().await;
    world.commands = vec!["echo run >> $SCRATCH/runs".to_owned(), test.to_owned()];
    world
        .test_env
        .push(("SCRATCH".to_owned(), world.path("").display().to_string()));
    world
}

fn runs(world: &World) -> usize {
    std::fs::read_to_string(world.path("runs")).map_or(0, |text| text.lines().count())
}

fn id(number: u64) -> AssignmentId {
    AssignmentId::from_bits(number)
}

/// The entry of a branch that was just made; with its own tests green.
pub(crate) fn entry(world: &World, number: u64, file: &str, text: &str) -> CombinationEntry {
    let branch = format!("issue-{number}-it");
    let end = world.solved(&branch, file, text);
    CombinationEntry {
        id: id(number),
        branch,
        head: CommitId::new(end.head.unwrap()),
        method: MergeMethod::Squash,
        tested: true,
    }
}

/// An entry that somebody has not tested.
fn untested(entry: CombinationEntry) -> CombinationEntry {
    CombinationEntry {
        tested: false,
        ..entry
    }
}

fn effect(entries: &[CombinationEntry]) -> Effect {
    Effect::TestCombination {
        repo: "api".into(),
        entries: entries.to_vec(),
    }
}

/// What comes of these entries, and the base that they were tested on.
async fn combined(
    engine: &Engine,
    entries: &[CombinationEntry],
) -> (CommitId, Vec<CombinedResult>) {
    let carried = carried(engine, "combine:it:1", effect(entries)).await;
    let Outcome::Combined { base, results } = outcome(carried) else {
        panic!("they were not combined");
    };
    for (result, entry) in results.iter().zip(entries) {
        assert_eq!((&result.id, &result.head), (&entry.id, &entry.head));
    }
    assert_eq!(results.len(), entries.len());
    let results = results.into_iter().map(|it| it.result).collect();
    (base, results)
}

async fn results(engine: &Engine, entries: &[CombinationEntry]) -> Vec<CombinedResult> {
    combined(engine, entries).await.1
}

/// The names in a tree that is green.
fn files(world: &World, result: &CombinedResult) -> Vec<String> {
    let CombinedResult::Green { tree: Some(tree) } = result else {
        panic!("{result:?}");
    };
    let names = git(
        &world.fixture.clone_path(),
        &["ls-tree", "--name-only", tree],
    );
    names.unwrap().lines().map(str::to_owned).collect()
}

fn red(result: &CombinedResult) -> (Option<AssignmentId>, &str, &str) {
    match result {
        CombinedResult::Red { with, note, output } => {
            (with.clone(), note, output.as_deref().unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// The logs of combinations.
fn logs(world: &World) -> Vec<String> {
    let all = std::fs::read_dir(world.path("tests")).unwrap();
    let paths = all.map(|it| it.unwrap().path());
    let is_log = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("combine-api-") && name.ends_with(".log")
    };
    let mut texts: Vec<String> = paths
        .filter(is_log)
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    texts.sort_by_key(String::len);
    texts
}

/// The tip of the base on the remote.
pub(crate) fn tip(world: &World) -> String {
    git(&world.fixture.remote_path(), &["rev-parse", "main"]).unwrap()
}

/// Somebody pushes a file to the base branch.
pub(crate) fn push_to_base(world: &World, file: &str, text: &str) -> CommitId {
    let desk = world.path("somebody");
    let remote = world.fixture.remote_path();
    let clone = [
        "clone",
        "--quiet",
        remote.to_str().unwrap(),
        desk.to_str().unwrap(),
    ];
    git(&world.path(""), &clone).unwrap();
    std::fs::write(desk.join(file), text).unwrap();
    git(&desk, &["add", "--all"]).unwrap();
    git(&desk, &["commit", "--quiet", "--message", "more"]).unwrap();
    git(&desk, &["push", "--quiet", "origin", "HEAD:main"]).unwrap();
    CommitId::new(git(&desk, &["rev-parse", "HEAD"]).unwrap())
}

#[tokio::test]
async fn a_pair_that_is_green_alone_and_red_together_is_found() {
    let world = world(NOT_BOTH).await;
    let engine = world.engine().await;
    let entries = [
        untested(entry(&world, 1, "a.txt", "a\n")),
        untested(entry(&world, 2, "b.txt", "b\n")),
    ];
    let (base, results) = combined(&engine, &entries).await;
    assert_eq!(base.as_str(), tip(&world));
    assert_eq!(files(&world, &results[0]), ["README.md", "a.txt"]);
    let (with, note, output) = red(&results[1]);
    assert_eq!(with, Some(id(1)));
    let words = format!("`{NOT_BOTH}` ended with code 1: no output (/");
    assert!(note.starts_with(&words), "{note}");
    assert!(note.contains("/tests/combine-api-"), "{note}");
    assert!(output.ends_with(&format!("$ {NOT_BOTH}")), "{output}");
    // The first, the pair twice, and the second without the first.
    assert_eq!(runs(&world), 4);
    let once = format!("$ echo run >> $SCRATCH/runs\n$ {NOT_BOTH}\n");
    assert_eq!(logs(&world), [once.clone(), once.clone(), once.repeat(2)]);
}

#[tokio::test]
async fn what_is_tested_already_is_not_run_again() {
    let world = world(NOT_BOTH).await;
    let engine = world.engine().await;
    let mut first = entry(&world, 1, "a.txt", "a\n");
    first.method = MergeMethod::Merge;
    let second = entry(&world, 2, "b.txt", "b\n");
    let found = results(&engine, &[first.clone(), second]).await;
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
    assert_eq!(red(&found[1]).0, Some(id(1)));
    // The pair, and nothing else: either of them alone is what its own tests were run on.
    assert_eq!(runs(&world), 2);

    // On a base that has moved on, it is another tree.
    push_to_base(&world, "more.txt", "more\n");
    let found = carried(&engine, "combine:it:2", effect(&[first])).await;
    assert!(matches!(outcome(found), Outcome::Combined { .. }));
    assert_eq!(runs(&world), 3);
}

#[tokio::test]
async fn the_same_tree_is_run_once_whoever_brings_it() {
    let world = world("true").await;
    let engine = world.engine().await;
    let entries = [
        untested(entry(&world, 1, "a.txt", "a\n")),
        untested(entry(&world, 2, "a.txt", "a\n")),
    ];
    let found = results(&engine, &entries).await;
    assert_eq!(found[0], found[1]);
    assert_eq!(files(&world, &found[1]), ["README.md", "a.txt"]);
    assert_eq!(runs(&world), 1);
}

#[tokio::test]
async fn a_culprit_in_the_middle_holds_nobody_up() {
    let world = world("! test -e bad.txt").await;
    let engine = world.engine().await;
    let entries = [
        entry(&world, 1, "a.txt", "a\n"),
        untested(entry(&world, 2, "bad.txt", "bad\n")),
        entry(&world, 3, "c.txt", "c\n"),
    ];
    let found = results(&engine, &entries).await;
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
    assert_eq!(red(&found[1]).0, None, "it is red without the first, too");
    assert_eq!(files(&world, &found[2]), ["README.md", "a.txt", "c.txt"]);
}

#[tokio::test]
async fn the_partner_is_found_by_halving() {
    let world = world(NOT_BOTH).await;
    let engine = world.engine().await;
    let names = ["p", "q", "a", "r", "s", "t", "u"];
    let mut entries: Vec<_> = (1..)
        .zip(names)
        .map(|(number, name)| entry(&world, number, &format!("{name}.txt"), "it\n"))
        .collect();
    entries.push(entry(&world, 8, "b.txt", "b\n"));
    entries.push(entry(&world, 9, "z.txt", "z\n"));
    let found = results(&engine, &entries).await;
    assert_eq!(red(&found[7]).0, Some(id(3)));
    let last = files(&world, &found[8]);
    assert!(last.contains(&"a.txt".to_owned()) && !last.contains(&"b.txt".to_owned()));
    // Six for the next ones, two for the red one, three looks of which two are red twice, and the
    // last: far from one for each of the seven.
    assert!(runs(&world) <= 6 + 2 + 5 + 1, "{}", runs(&world));
}

#[tokio::test]
async fn what_is_red_once_is_tried_again() {
    let flaky = "test -e $SCRATCH/tried || { touch $SCRATCH/tried; exit 1; }";
    let world = world(flaky).await;
    let engine = world.engine().await;
    let found = results(&engine, &[untested(entry(&world, 1, "a.txt", "a\n"))]).await;
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
    assert_eq!(runs(&world), 2);
}

#[tokio::test]
async fn a_conflict_with_the_base_is_named_and_stands_in_nobodys_way() {
    let world = world("true").await;
    let engine = world.engine().await;
    let entries = [
        entry(&world, 1, "a.txt", "a\n"),
        entry(&world, 2, "README.md", "# mine\n"),
        entry(&world, 3, "c.txt", "c\n"),
    ];
    let moved = push_to_base(&world, "README.md", "# theirs\n");
    let (base, found) = combined(&engine, &entries).await;
    assert_eq!(base, moved);
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
    let paths = vec!["README.md".to_owned()];
    assert_eq!(found[1], CombinedResult::Conflict { paths });
    assert_eq!(files(&world, &found[2]), ["README.md", "a.txt", "c.txt"]);
}

#[tokio::test]
async fn a_conflict_with_an_earlier_entry_waits_for_that() {
    let world = world("true").await;
    let engine = world.engine().await;
    let entries = [
        entry(&world, 1, "README.md", "# one\n"),
        entry(&world, 2, "README.md", "# two\n"),
        entry(&world, 3, "c.txt", "c\n"),
    ];
    let found = results(&engine, &entries).await;
    assert_eq!(found[1], CombinedResult::Later);
    assert_eq!(files(&world, &found[2]), ["README.md", "c.txt"]);
}

#[tokio::test]
async fn a_branch_that_moved_is_left_out() {
    let world = world("true").await;
    let engine = world.engine().await;
    let mut entries = [
        entry(&world, 1, "a.txt", "a\n"),
        entry(&world, 2, "b.txt", "b\n"),
    ];
    let other = entries[1].head.clone();
    let head = std::mem::replace(&mut entries[0].head, other);
    let found = results(&engine, &entries).await;
    assert_eq!(found[0], CombinedResult::HeadMoved { head });
    assert_eq!(files(&world, &found[1]), ["README.md", "b.txt"]);
    assert_eq!(runs(&world), 0);
}

#[tokio::test]
async fn a_branch_that_is_gone_with_its_commit_is_red_and_not_the_end_of_the_others() {
    let world = world("true").await;
    let engine = world.engine().await;
    let mut gone = entry(&world, 1, "a.txt", "a\n");
    gone.branch = "never-was".to_owned();
    gone.head = CommitId::new("0123456789abcdef0123456789abcdef01234567");
    let found = results(&engine, &[gone, entry(&world, 2, "b.txt", "b\n")]).await;
    let CombinedResult::Red {
        with: None, note, ..
    } = &found[0]
    else {
        panic!("{:?}", found[0]);
    };
    assert!(note.contains("`never-was` is gone"), "{note}");
    assert_eq!(files(&world, &found[1]), ["README.md", "b.txt"]);
}

#[tokio::test]
async fn without_commands_everything_that_merges_is_green() {
    let mut world = World::with_idle_workers().await;
    world.commands.clear();
    let engine = world.engine().await;
    let entries = [
        entry(&world, 1, "README.md", "# one\n"),
        untested(entry(&world, 2, "README.md", "# two\n")),
        untested(entry(&world, 3, "c.txt", "c\n")),
    ];
    let found = results(&engine, &entries).await;
    assert_eq!(found[1], CombinedResult::Later);
    assert_eq!(files(&world, &found[2]), ["README.md", "c.txt"]);
}

#[tokio::test]
async fn a_machine_without_the_checkout_says_so_and_compares_where_nothing_is_to_be_run() {
    let mut world = world("true").await;
    world.has_checkout = false;
    let mut entries = [
        entry(&world, 1, "a.txt", "a\n"),
        entry(&world, 2, "b.txt", "b\n"),
    ];
    let engine = world.engine().await;
    let failed = carried(&engine, "combine:it:1", effect(&entries)).await;
    let error = "this machine has no checkout of `api` to test in".to_owned();
    let class = FailureClass::Configuration;
    assert_eq!(outcome(failed), Outcome::Failed { class, error });

    world.commands.clear();
    let engine = world.engine().await;
    let other = entries[1].head.clone();
    let head = std::mem::replace(&mut entries[0].head, other);
    let found = carried(&engine, "combine:it:2", effect(&entries)).await;
    let Outcome::Combined { base, results } = outcome(found) else {
        panic!("they were not compared");
    };
    assert_eq!(base.as_str(), tip(&world));
    assert_eq!(results[0].result, CombinedResult::HeadMoved { head });
    assert_eq!(results[1].result, CombinedResult::Green { tree: None });
}

#[tokio::test]
async fn a_tool_that_is_missing_is_a_matter_of_configuration() {
    let world = world("no-such-tool").await;
    let engine = world.engine().await;
    let entries = [untested(entry(&world, 1, "a.txt", "a\n"))];
    let failed = carried(&engine, "combine:it:1", effect(&entries)).await;
    let Outcome::Failed { class, error } = outcome(failed) else {
        panic!("it was tested");
    };
    assert_eq!(class, FailureClass::Configuration);
    assert!(error.contains("code 127"), "{error}");
    assert_eq!(runs(&world), 2);
}

#[tokio::test]
async fn what_cannot_be_run_to_its_end_is_put_off_and_given_up_in_the_end() {
    let world = world("kill -KILL $$").await;
    let engine = world.engine().await;
    let entries = [untested(entry(&world, 1, "a.txt", "a\n"))];
    let first = carried(&engine, "combine:it:1", effect(&entries)).await;
    assert!(put_off(first).contains("was killed (SIGKILL)"));
    assert_eq!(runs(&world), 2);

    let last = std::sync::Mutex::new(None);
    let over = |_: &_| last.lock().unwrap().is_some();
    drive_and_see(&engine, over, |progress| {
        if let Progress::Carried(Carried::Settled { outcome, .. }) = progress {
            *last.lock().unwrap() = Some(outcome);
        }
    })
    .await;
    let Some(Outcome::Failed { class, .. }) = last.into_inner().unwrap() else {
        panic!("it did not fail");
    };
    assert_eq!(class, FailureClass::Environmental { retry_at: None });
    assert_eq!(runs(&world), 8);
}

#[tokio::test]
async fn what_was_found_out_before_a_run_breaks_stands() {
    let world = world("! test -e b.txt || kill -KILL $$").await;
    let engine = world.engine().await;
    let entries = [
        entry(&world, 1, "a.txt", "a\n"),
        untested(entry(&world, 2, "b.txt", "b\n")),
        entry(&world, 3, "c.txt", "c\n"),
    ];
    let found = results(&engine, &entries).await;
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
    assert_eq!(found[1..], [CombinedResult::Later, CombinedResult::Later]);
    let alone = carried(&engine, "combine:it:2", effect(&entries[1..])).await;
    assert!(put_off(alone).contains("was killed (SIGKILL)"));
}

#[tokio::test]
async fn what_breaks_once_is_tried_again() {
    let once = "test -e $SCRATCH/tried || { touch $SCRATCH/tried; kill -KILL $$; }";
    let world = world(once).await;
    let engine = world.engine().await;
    let found = results(&engine, &[untested(entry(&world, 1, "a.txt", "a\n"))]).await;
    assert_eq!(files(&world, &found[0]), ["README.md", "a.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_is_cut_off_leaves_nothing_and_is_done_again() {
    let hang = "test -e $SCRATCH/tried || { touch $SCRATCH/tried; echo $$ > $SCRATCH/pipe; \
                sleep 1000; }";
    let world = world(hang).await;
    let engine = world.engine().await;
    let pipe = world.path("pipe");
    git(&world.path(""), &["--version"]).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let entries = [
        entry(&world, 1, "a.txt", "a\n"),
        untested(entry(&world, 2, "b.txt", "b\n")),
    ];
    let key = enqueue(&engine, "combine:it:1", effect(&entries)).await;
    let cut_off = tokio::spawn({
        let (engine, key) = (engine.clone(), key.clone());
        async move { engine.carry_out_now(&[key]).await }
    });
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::fs::File::open(pipe)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    });
    let pid: u32 = tokio::time::timeout(PATIENCE, read)
        .await
        .unwrap()
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    cut_off.abort();
    assert!(cut_off.await.unwrap_err().is_cancelled());
    processes::wait_gone(&[pid], MINUTE).unwrap();

    let again = engine.carry_out_now(&[key]).await.unwrap().remove(0);
    let Outcome::Combined { results, .. } = outcome(again) else {
        panic!("they were not combined");
    };
    assert_eq!(
        files(&world, &results[1].result),
        ["README.md", "a.txt", "b.txt"]
    );
    let worktrees = git(&world.fixture.clone_path(), &["worktree", "list"]).unwrap();
    assert_eq!(worktrees.lines().count(), 1, "{worktrees}");
}

#[tokio::test]
async fn nobody_is_to_blame_for_a_base_that_is_red() {
    let world = world("echo broken; exit 1").await;
    let engine = world.engine().await;
    let entries = [untested(entry(&world, 1, "a.txt", "a\n"))];
    let carried = carried(&engine, "combine:it:1", effect(&entries)).await;
    let Outcome::Failed { error, .. } = outcome(carried) else {
        panic!("somebody was blamed");
    };
    let words = format!(
        "the tests of the base itself are red at {}",
        &tip(&world)[..10]
    );
    assert!(error.starts_with(&words), "{error}");
    // Twice with the entry, and twice without.
    assert_eq!(runs(&world), 4);
}
