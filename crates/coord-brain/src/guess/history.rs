//! What was changed when something similar was done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::facts::PastChange;

/// Two texts are similar when they share so many words that mean something ...
const SHARED: usize = 2;
/// ... and these are at least this share of the words of the shorter one: one half.
const HALF: usize = 2;
/// A change of more files than that says nothing about any of them.
const SWEEPING: usize = 12;
/// So many files are taken from a similar change.
const FILES: usize = 4;
/// A file that more than one in so many changes touched is changed along with everything, and a word
/// in as many subjects is about nothing.
const ALONG: usize = 5;
/// With fewer changes than that nobody can say what belongs to everything.
const ENOUGH: usize = 10;

/// Words that say nothing about where a change is.
const EMPTY: [&str; 45] = [
    "add", "adds", "added", "all", "allow", "also", "and", "are", "bug", "bump", "can", "change",
    "chore", "doc", "docs", "does", "feat", "feature", "fix", "fixed", "fixes", "for", "from",
    "have", "improve", "into", "issue", "make", "more", "new", "not", "now", "refactor", "remove",
    "should", "support", "test", "tests", "that", "the", "update", "use", "when", "with",
    "without",
];

pub(crate) struct History<'a> {
    changes: &'a [PastChange],
    /// How many words that say something each subject has.
    lengths: Vec<usize>,
    /// The changes that have a word in their subjects.
    by_word: HashMap<String, Vec<usize>>,
    /// Files that are changed along with everything.
    along: BTreeSet<&'a str>,
}

impl<'a> History<'a> {
    pub(super) fn new(changes: &'a [PastChange]) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (place, change) in changes.iter().enumerate() {
            for word in words(&change.subject) {
                by_word.entry(word).or_default().push(place);
            }
            for file in &change.files {
                *times.entry(file.as_str()).or_default() += 1;
            }
        }
        let often = |times: usize| changes.len() >= ENOUGH && times * ALONG > changes.len();
        by_word.retain(|_, places| !often(places.len()));
        let mut lengths = vec![0; changes.len()];
        for place in by_word.values().flatten() {
            if let Some(length) = lengths.get_mut(*place) {
                *length += 1;
            }
        }
        let along = times.into_iter().filter(|(_, times)| often(*times));
        Self {
            changes,
            lengths,
            by_word,
            along: along.map(|(file, _)| file).collect(),
        }
    }

    /// The change whose subject is most like a title, the latest of several, and its files.
    pub(super) fn similar(&self, title: &str) -> Option<(&'a PastChange, Vec<&'a str>)> {
        let words = words(title);
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for word in &words {
            for place in self.by_word.get(word).into_iter().flatten() {
                *shared.entry(*place).or_default() += 1;
            }
        }
        let mut best: Option<(usize, &PastChange, Vec<&str>)> = None;
        for (place, shared) in shared {
            let length = self.lengths.get(place).copied().unwrap_or_default();
            let shorter = length.min(words.len());
            let is_better = best.as_ref().is_none_or(|(most, ..)| shared > *most);
            if shared < SHARED || shared * HALF < shorter || !is_better {
                continue;
            }
            if let Some((change, files)) = self.telling(place) {
                best = Some((shared, change, files));
            }
        }
        best.map(|(_, change, files)| (change, files))
    }

    /// A change and those of its files that say something, unless it went everywhere.
    fn telling(&self, place: usize) -> Option<(&'a PastChange, Vec<&'a str>)> {
        let change = self.changes.get(place)?;
        let files = change.files.iter().map(String::as_str);
        let files: Vec<&str> = files.filter(|it| !self.along.contains(it)).collect();
        let tells = (1..=FILES).contains(&files.len()) && change.files.len() <= SWEEPING;
        tells.then_some((change, files))
    }
}

/// The words of a title that mean something, each once.
fn words(title: &str) -> BTreeSet<String> {
    let words = title.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|it| it.len() >= 3 && it.len() <= 40)
        .filter(|it| !it.bytes().all(|b| b.is_ascii_digit()))
        .map(|it| singular(it.to_lowercase()))
        .filter(|it| !EMPTY.contains(&it.as_str()))
        .take(40)
        .collect()
}

fn singular(mut word: String) -> String {
    if word.len() > 4 && word.ends_with('s') && !word.ends_with("ss") {
        word.pop();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(subject: &str, files: &[&str]) -> PastChange {
        PastChange {
            subject: subject.to_owned(),
            files: files.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn found(changes: &[PastChange], title: &str) -> Vec<String> {
        let found = History::new(changes).similar(title);
        let files = found.map(|(_, files)| files).unwrap_or_default();
        files.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn enough_words_have_to_be_the_same() {
        let changes = [
            change("fix: the cart's total with discounts", &["src/cart.rs"]),
            change("feat: export orders as CSV", &["src/export.rs"]),
        ];
        for (title, expected) in [
            (
                "The total of a cart ignores a discount",
                vec!["src/cart.rs"],
            ),
            (
                "Orders: CSV export is slow for large shops",
                vec!["src/export.rs"],
            ),
            ("Cart is empty", vec![]),
            ("fix the test for all", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(&changes, title), expected, "{title}");
        }
    }

    #[test]
    fn what_is_changed_along_with_everything_says_nothing() {
        let mut changes: Vec<PastChange> = (0..20)
            .map(|n| change(&format!("area{n} topic{n}"), &["CHANGELOG.md"]))
            .collect();
        changes.push(change("cart total", &["CHANGELOG.md", "src/cart.rs"]));
        assert_eq!(found(&changes, "cart total"), ["src/cart.rs"]);
        assert_eq!(found(&changes, "area3 topic3"), Vec::<String>::new());
    }

    #[test]
    fn a_word_of_every_subject_says_nothing() {
        let changes: Vec<PastChange> = (0..20)
            .map(|n| change(&format!("shop part{n} topic{n}"), &[&format!("src/{n}.rs")]))
            .collect();
        assert_eq!(found(&changes, "shop topic7"), Vec::<String>::new());
        assert_eq!(found(&changes, "part7 topic7"), ["src/7.rs"]);
    }

    #[test]
    fn a_sweeping_change_says_nothing() {
        let many: Vec<String> = (0..13).map(|n| format!("src/{n}.rs")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            found(&[change("rename cart total", &many)], "cart total"),
            Vec::<String>::new()
        );
    }
}
