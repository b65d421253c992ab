//! Whether checkouts are what their forge has, and what a dispatch does about those that are not.

use coord_core::assignment::FreshnessRule;
use coord_core::ids::CommitId;
use coord_engine::{Engine, Freshness, RepoFreshness};
use coord_protocol::AssignBody;

use crate::github::{Coordinator, Town, git, wanted};
use crate::world::drive;

/// How each repository stands, `api` first.
async fn states(engine: &Engine) -> [Freshness; 2] {
    let found = engine.freshness(None).await;
    let [api, lib] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((api.repo.as_str(), lib.repo.as_str()), ("api", "lib"));
    [api.state.clone(), lib.state.clone()]
}

async fn bench() -> (Town, Coordinator, Engine) {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    ann.shows_checkouts();
    let engine = ann.engine().await;
    (town, ann, engine)
}

fn is_unknown(state: &Freshness) -> bool {
    matches!(state, Freshness::Unknown { .. })
}

#[tokio::test]
async fn a_checkout_is_current_until_the_forge_goes_on() {
    let (town, ann, engine) = bench().await;
    assert_eq!(
        states(&engine).await,
        [Freshness::Current, Freshness::Current]
    );
    town.lib.push_file("main", "a.txt", "a\n").unwrap();
    let tip = town.lib.push_file("main", "b.txt", "b\n").unwrap();
    let found = engine.freshness(Some(&"m1".into())).await;
    let here = git(&ann.checkout("lib"), &["rev-parse", "HEAD"]);
    let stale = RepoFreshness {
        machine: "m1".into(),
        repo: "lib".into(),
        state: Freshness::Stale { behind: Some(2) },
        here: Some(CommitId::new(here)),
        there: Some(CommitId::new(tip)),
    };
    assert_eq!(found[1], stale);
    assert_eq!(found[0].state, Freshness::Current);
    assert_eq!(engine.freshness(Some(&"m2".into())).await, []);
    town.is_in_order();
}

#[tokio::test]
async fn what_is_changed_is_dirty_wherever_it_stands() {
    let (town, ann, engine) = bench().await;
    town.lib.push_file("main", "a.txt", "a\n").unwrap();
    std::fs::write(ann.checkout("lib").join("notes"), "mine\n").unwrap();
    let stale = Freshness::Stale { behind: Some(1) };
    assert_eq!(
        states(&engine).await[1],
        stale,
        "untracked files do not count"
    );
    std::fs::write(ann.checkout("lib").join("README.md"), "mine\n").unwrap();
    assert_eq!(states(&engine).await[1], Freshness::Dirty);
}

#[tokio::test]
async fn commits_that_the_forge_does_not_have() {
    let (_town, ann, engine) = bench().await;
    let lib = ann.checkout("lib");
    git(&lib, &["commit", "--quiet", "--allow-empty", "-m", "mine"]);
    let unknown = Freshness::Stale { behind: None };
    assert_eq!(states(&engine).await[1], unknown);
    git(&lib, &["push", "--quiet", "origin", "HEAD:refs/heads/mine"]);
    assert_eq!(
        states(&engine).await[1],
        Freshness::Current,
        "it lacks nothing"
    );
}

#[tokio::test]
async fn a_checkout_that_is_not_there_is_missing() {
    let (_town, ann, engine) = bench().await;
    std::fs::remove_dir_all(ann.checkout("lib")).unwrap();
    assert_eq!(states(&engine).await[1], Freshness::Missing);
    ann.agent.has_checkout("lib", ann.checkout("api"));
    std::fs::write(ann.checkout("api").join(".git/HEAD"), "nonsense").unwrap();
    assert!(states(&engine).await.iter().all(is_unknown));
}

#[tokio::test]
async fn whoever_cannot_be_asked_makes_it_unknown() {
    let (town, ann, engine) = bench().await;
    town.lib.hide_from("ann");
    let [api, lib] = states(&engine).await;
    assert!(is_unknown(&lib), "{lib:?}");
    assert_eq!(api, Freshness::Current);
    ann.agent.down();
    assert!(states(&engine).await.iter().all(is_unknown));
}

/// What reaches the agent of an issue that is dispatched with this rule.
async fn dispatched(town: &Town, ann: &Coordinator, rule: FreshnessRule) -> AssignBody {
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let mut input = wanted(issue);
    input.freshness = rule;
    assert_eq!(engine.assign(input).await.unwrap().refusal, None);
    drive(&engine, |board| board.open_effects.is_empty()).await;
    ann.agent.seen(|seen| seen.assigns.last().cloned()).unwrap()
}

#[tokio::test]
async fn the_worker_is_told_what_is_stale() {
    let (town, ann, _) = bench().await;
    town.lib.push_file("main", "a.txt", "a\n").unwrap();
    let body = dispatched(&town, &ann, FreshnessRule::Tell).await;
    assert!(body.pull_repos.is_empty());
    let path = ann.checkout("lib").display().to_string();
    let context = body.context.unwrap().replace(&path, "[lib]");
    assert_eq!(
        context,
        "These checkouts on this machine are not what their forge has:\n\n\
         - `lib` (`[lib]`): 1 commit behind\n\n\
         Your own worktree is not one of them: it starts from what the forge has. Do not bring \
         them up to date yourself; say so if they stop you.",
    );
}

#[tokio::test]
async fn what_is_stale_and_clean_is_pulled_and_the_rest_is_told() {
    let (town, ann, _) = bench().await;
    town.lib.push_file("main", "a.txt", "a\n").unwrap();
    std::fs::write(ann.checkout("api").join("README.md"), "mine\n").unwrap();
    let body = dispatched(&town, &ann, FreshnessRule::Pull).await;
    assert_eq!(body.pull_repos, ["lib"]);
    let context = body.context.unwrap();
    assert!(
        context.contains("it has changes that are not committed"),
        "{context}"
    );
    assert!(!context.contains("`lib`"), "{context}");
}

#[tokio::test]
async fn nothing_is_said_where_everything_is_current_and_nothing_asked_where_nobody_wants_to_know()
{
    let (town, ann, _) = bench().await;
    let body = dispatched(&town, &ann, FreshnessRule::Pull).await;
    assert_eq!((body.context, body.pull_repos.len()), (None, 0));
    let looks = ann.agent.seen(|seen| seen.repos);
    town.lib.push_file("main", "a.txt", "a\n").unwrap();
    let body = dispatched(&town, &ann, FreshnessRule::Skip).await;
    assert_eq!((body.context, body.pull_repos.len()), (None, 0));
    assert_eq!(ann.agent.seen(|seen| seen.repos), looks);
}

#[tokio::test]
async fn a_forge_that_cannot_be_asked_keeps_nobody_from_starting() {
    let (town, ann, _) = bench().await;
    town.lib.hide_from("ann");
    let body = dispatched(&town, &ann, FreshnessRule::Pull).await;
    let context = body.context.unwrap();
    assert!(context.contains("how it stands is not known"), "{context}");
    assert!(
        !context.contains("acme"),
        "nothing that a forge says: {context}"
    );
}
