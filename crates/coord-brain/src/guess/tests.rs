//! Guesses on a made-up repository.

use std::collections::BTreeMap;

use coord_core::issue::IssueState;
use proptest::prelude::*;

use super::*;
use crate::facts::PastChange;

fn issue(title: &str, body: &str) -> Issue {
    Issue {
        number: 1,
        title: title.to_owned(),
        body: body.to_owned(),
        labels: Vec::new(),
        state: IssueState::Open,
        author: "me".to_owned(),
        trusted: true,
        milestone: None,
        assignees: Vec::new(),
    }
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|it| (*it).to_owned()).collect()
}

fn facts() -> RepoFacts {
    let symbols = [
        (
            "Cart",
            strings(&["src/cart.rs", "src/main.rs", "tests/a.rs", "tests/b.rs"]),
        ),
        ("add_item", strings(&["src/cart.rs", "tests/a.rs"])),
        ("everywhere_used", strings(&["a", "b", "c", "d", "e"])),
    ];
    RepoFacts {
        files: strings(&[
            "Cargo.lock",
            "src/cart.rs",
            "src/export/csv.rs",
            "src/export/json.rs",
            "src/main.rs",
            "src/odd*.rs",
            "tests/a.rs",
            "tests/b.rs",
        ]),
        changes: vec![PastChange {
            subject: "fix: rounding of prices".to_owned(),
            files: strings(&["src/price.rs", "src/main.rs"]),
        }],
        symbols: symbols.map(|(word, paths)| (word.to_owned(), paths)).into(),
    }
}

fn guess(title: &str, body: &str) -> Guess {
    let facts = facts();
    let forbidden = [Glob::new("Cargo.lock")];
    Guesser::new(&facts, &forbidden).guess(&issue(title, body))
}

#[test]
fn paths_symbols_and_history() {
    for (title, body, files, because) in [
        (
            "",
            "in src/export",
            vec!["src/export/"],
            vec!["named in the issue"],
        ),
        (
            "",
            "src/export/csv.rs, and all of src/export/",
            vec!["src/export/"],
            vec!["named in the issue"],
        ),
        (
            "",
            "`Cart` is wrong",
            vec!["src/cart.rs"],
            vec!["where `Cart` stands"],
        ),
        (
            "",
            "`add_item` is wrong",
            vec!["src/cart.rs", "tests/a.rs"],
            vec!["where `add_item` stands"],
        ),
        ("", "everywhere_used in nowhere.rs", vec![], vec![]),
        (
            "Prices: rounding is off",
            "",
            vec!["src/main.rs"],
            vec!["as in “fix: rounding of prices”"],
        ),
        (
            "",
            "Cargo.lock and src/odd*.rs and ../etc/passwd",
            vec![],
            vec![],
        ),
        ("Something", "is wrong", vec![], vec![]),
    ] {
        let found = guess(title, body);
        assert_eq!(found.files, files, "{title} {body}");
        assert_eq!(found.because, because, "{title} {body}");
    }
}

#[test]
fn a_guess_is_short() {
    let files: Vec<String> = (0..20).map(|n| format!("src/file{n}.rs")).collect();
    let facts = RepoFacts {
        files: files.clone(),
        ..RepoFacts::default()
    };
    let found = Guesser::new(&facts, &[]).guess(&issue("", &files.join(" ")));
    assert_eq!(found.files.len(), MOST);
}

proptest! {
    /// Whatever the issue and the repository say: existing files or folders, none forbidden, none
    /// that means another one when it is read as a glob.
    #[test]
    fn a_guess_holds_what_exists(
        files in proptest::collection::vec("[ab*/.~?]{1,8}", 0..30),
        title in "[ab `./:]{0,40}",
        body in "[ab `./:*]{0,80}",
    ) {
        let mut symbols = BTreeMap::new();
        symbols.insert("aab".to_owned(), files.clone());
        let changes = files.iter().map(|it| PastChange { subject: it.clone(), files: vec![it.clone()] });
        let facts = RepoFacts { changes: changes.collect(), files, symbols };
        let forbidden = [Glob::new("a/")];
        let found = Guesser::new(&facts, &forbidden).guess(&issue(&title, &body));
        for glob in &found.files {
            let exists = |path: &String| path == glob || (glob.ends_with('/') && path.starts_with(glob.as_str()));
            prop_assert!(facts.files.iter().any(exists), "{glob}");
            prop_assert!(!glob.contains(['*', '?']) && !glob.starts_with('~'), "{glob}");
            prop_assert!(!forbidden[0].matches(glob), "{glob}");
        }
    }
}
