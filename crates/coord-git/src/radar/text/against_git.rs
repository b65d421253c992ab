//! Random texts: what is certain about them is what `git merge-tree` says.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// How many texts, of how many different lines, how long at most, with how many edits at most.
const KINDS: [(usize, usize, usize, usize); 5] = [
    (400, 3, 8, 1),
    (400, 6, 20, 2),
    (400, 20, 40, 3),
    (400, 1000, 60, 4),
    (400, 100_000, 100, 5),
];

#[test]
fn what_is_certain_is_what_git_says() {
    for (seed, kind) in (1..).zip(KINDS) {
        let mut dice = Dice(seed);
        let (count, words, length, edits) = kind;
        let texts: Vec<[String; 3]> = (0..count)
            .map(|_| {
                let length = 1 + dice.below(length);
                let base: Vec<String> = (0..length).map(|_| dice.line(words)).collect();
                let one = dice.edited(&base, words, edits).concat();
                let other = dice.edited(&base, words, edits).concat();
                [base.concat(), one, other]
            })
            .collect();
        let conflicts = conflicts_of_git(&texts);
        let mut certain = 0;
        for (place, texts) in texts.iter().enumerate() {
            let [base, one, other] = texts
                .each_ref()
                .map(|text| Arc::new(Text::new(text.clone().into_bytes())));
            let one = Edits::between(Arc::clone(&base), one);
            let other = Edits::between(base, other);
            let judged = merge(&one, &other);
            if judged != Merged::Unsure {
                certain += 1;
                let conflict = conflicts.contains(&place);
                assert_eq!(judged == Merged::Conflict, conflict, "{kind:?}: {texts:?}");
            }
        }
        assert!(certain > 0, "{kind:?}");
    }
}

/// The places of the texts that git does not merge.
fn conflicts_of_git(texts: &[[String; 3]]) -> HashSet<usize> {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"], "");
    let mut stream = String::new();
    for (place, branch) in ["base", "one", "other"].into_iter().enumerate() {
        let committer = "committer a <a@example.org> 1 +0000";
        writeln!(stream, "commit refs/heads/{branch}\n{committer}\ndata 0").unwrap();
        if place > 0 {
            stream.push_str("from refs/heads/base\n");
        }
        for (number, texts) in texts.iter().enumerate() {
            let text = &texts[place];
            writeln!(
                stream,
                "M 100644 inline {number}\ndata {}\n{text}",
                text.len()
            )
            .unwrap();
        }
    }
    git(folder.path(), &["fast-import", "--quiet"], &stream);
    let args = [
        "merge-tree",
        "--write-tree",
        "--name-only",
        "--no-messages",
        "one",
        "other",
    ];
    let said = git(folder.path(), &args, "");
    said.lines()
        .skip(1)
        .map(|name| name.parse().unwrap())
        .collect()
}

fn git(folder: &Path, args: &[&str], input: &str) -> String {
    let mut child = Command::new("git")
        .current_dir(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Small numbers, always the same ones for a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn line(&mut self, words: usize) -> String {
        format!("{}\n", self.below(words))
    }

    /// The text with a few lines replaced, added or deleted.
    fn edited(&mut self, base: &[String], words: usize, edits: usize) -> Vec<String> {
        let mut lines = base.to_vec();
        for _ in 0..=self.below(edits) {
            let at = self.below(lines.len() + 1);
            let until = (at + self.below(4)).min(lines.len());
            let new: Vec<String> = (0..self.below(4)).map(|_| self.line(words)).collect();
            lines.splice(at..until, new);
        }
        lines
    }
}
