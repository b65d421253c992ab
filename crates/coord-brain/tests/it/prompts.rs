//! What a model is told.

use coord_brain::{Ask, PastFailure, Remark, prompt};
use coord_core::board::MachineFacts;
use coord_core::failure::FailureClass;
use coord_core::ids::RepoName;
use coord_core::ladder::{Tally, TrackRecord};
use coord_core::proposal::Size;

use crate::world::{NOW, World, machine, parsed, strings};

const NONCE: &str = "6f1e0c9a7b3d5482";

fn ask(budget_tokens: usize) -> Ask<'static> {
    Ask {
        nonce: NONCE,
        budget_tokens,
        folders: &[],
    }
}

fn world() -> World {
    let mut world = World::new()
        .files(
            "docs",
            &[
                "README.md",
                "src/cart/mod.rs",
                "src/cart/total.rs",
                "web/a.ts",
            ],
        )
        .issue(
            "docs#1",
            "The total is off",
            "In `total.rs`:\n\n- tax\n- rounding",
            &["bug", "P1"],
        )
        .issue("docs#2", "Export orders", "", &["needs:docker"])
        .issue("docs#3", "Import orders", "The other way round.", &[])
        .issue("shop#4", "Show it", "Nicely.", &[])
        .blocked("docs#3", &["docs#2"])
        .active(1, "lib#5", "rack", &["src/api/**"]);
    world.policy.coordinator_only_files = strings(&["CHANGELOG.md"]);
    world.policy.budgets.day_usd = Some(20.0);
    let models = &mut world.policy.models;
    models.default = Some("sonnet".to_owned());
    models.escalation = strings(&["haiku", "sonnet", "opus"]);
    models.labels = vec![("docs".to_owned(), "haiku".to_owned())];
    models.sizes = [(Size::Large, "opus".to_owned())].into();
    let away = MachineFacts {
        silent_since: Some(NOW),
        limited_until: Some(NOW.plus_secs(601)),
        ..MachineFacts::default()
    };
    world.board.machines.insert(machine("desk"), away);
    world
}

#[test]
fn everything_that_can_be_said() {
    let world = world();
    let mut facts = world.facts();
    facts.failures.push(PastFailure {
        issue: parsed("docs#2"),
        machine: machine("rack"),
        class: FailureClass::Work,
        what: "no commits".to_owned(),
    });
    let tally = Tally {
        label: Some("bug".to_owned()),
        model: Some("sonnet".to_owned()),
        issues: 6,
        at_first_try: 4,
        cost_usd: 3.0,
    };
    facts.record.insert("docs".into(), TrackRecord(vec![tally]));
    let remark = |author: &str, text: &str| Remark {
        author: author.to_owned(),
        text: text.to_owned(),
    };
    let remarks = vec![remark("bob", "Also in `web/a.ts`?"), remark("alice", "No.")];
    facts.comments.insert(parsed("docs#1"), remarks);
    let folders: [(RepoName, String); 1] = [("docs".into(), "/work/docs".to_owned())];
    let ask = Ask {
        folders: &folders,
        ..ask(20_000)
    };
    insta::assert_snapshot!(prompt(&facts, &ask));
}

#[test]
fn a_fleet_without_work() {
    let world = World::default().repo("docs", &[]).machine("desk", 1, &[]);
    insta::assert_snapshot!(prompt(&world.facts(), &ask(20_000)));
}

/// A hundred issues with texts from short to long.
fn many() -> World {
    (1..=100).fold(World::new(), |world, n| {
        let body = format!("{n} begins. {}", "Words and words. ".repeat(n * 3));
        world.issue(&format!("docs#{n}"), &format!("Title {n}"), &body, &[])
    })
}

fn shown(prompt: &str) -> (usize, usize, usize) {
    let titles = (1..=100).filter(|n| prompt.contains(&format!("docs#{n} |  | Title {n}\n")));
    let texts = (1..=100).filter(|n| prompt.contains(&format!("\ndocs#{n}:\n")));
    let cut = prompt.matches("[cut: ").count();
    (titles.count(), texts.count(), cut)
}

#[test]
fn the_longest_texts_are_cut_first_then_texts_then_titles() {
    let world = many();
    let facts = world.facts();
    let told = |budget| prompt(&facts, &ask(budget));
    let all = told(200_000);
    assert_eq!(shown(&all), (100, 100, 0));
    for budget in [60_000, 30_000, 20_000] {
        let text = told(budget);
        let (titles, texts, cut) = shown(&text);
        assert!(text.len() <= budget * 3, "{} of {}", text.len(), budget * 3);
        assert!(
            titles == 100 && texts == 100 && cut > 0,
            "{budget}: {titles} {texts} {cut}"
        );
        assert!(text.contains("1 begins. Words and words. Words and words. Words and words."));
    }
    let (titles, texts, _) = shown(&told(6_000));
    assert!(
        titles == 100 && texts > 0 && texts < 100,
        "{titles} {texts}"
    );
    assert!(told(6_000).contains(&format!(
        "Of {} issues more only the titles fit in here.",
        100 - texts
    )));
    let (titles, texts, _) = shown(&told(1_500));
    assert!(titles > 0 && titles < 100 && texts == 0, "{titles} {texts}");
    let missing = format!("{} issues less urgent did not fit in here.", 100 - titles);
    assert!(told(1_500).contains(&missing));
}

#[test]
fn a_long_budget_is_nearly_used() {
    let world = many();
    let text = prompt(&world.facts(), &ask(40_000));
    assert!(text.len() > 40_000 * 3 * 8 / 10, "{}", text.len());
}

#[test]
fn of_long_comments_the_latest_are_kept() {
    let world = World::new().issue("docs#1", "One", &"body ".repeat(2000), &[]);
    let mut facts = world.facts();
    let remarks = (0..50).map(|n| Remark {
        author: "bob".to_owned(),
        text: format!("remark {n}: {}", "well ".repeat(60)),
    });
    facts.comments.insert(parsed("docs#1"), remarks.collect());
    let text = prompt(&facts, &ask(4_000));
    assert!(text.len() <= 12_000, "{}", text.len());
    assert!(text.contains("remark 49: ") && !text.contains("remark 1: "));
    assert!(text.contains("earlier comments]") && text.contains("[cut: "));
    let (one, other) = (
        text.find("remark 48: ").unwrap(),
        text.find("remark 49: ").unwrap(),
    );
    assert!(one < other, "in the order in which they were made");
}
