//! Random repositories: the radar says what `git merge-tree` says about every pair.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use coord_core::ids::CommitId;
use coord_git::Radar;

use crate::fixture::{Site, rev};

/// More with `COORD_RADAR_SEEDS=1000..2000`.
const SEEDS: std::ops::Range<u64> = 0..10;
const BRANCHES: usize = 6;

#[test]
fn random_branches_are_judged_as_git_judges_them() {
    let mut clashes = 0;
    for seed in seeds() {
        clashes += judged_alike(seed);
    }
    assert!(clashes > 0, "no seed gave a conflict");
}

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("COORD_RADAR_SEEDS").ok();
    let range = asked.as_deref().and_then(|asked| asked.split_once(".."));
    match range {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => SEEDS,
    }
}

/// Compares all pairs, all at once and again after a branch has moved; gives how many clash.
fn judged_alike(seed: u64) -> usize {
    let site = Site::new();
    let history = History::random(seed);
    import(&site.work, &history.stream);
    let id = |name: &str| rev(&site.work, name);
    let base = id("base");
    let mut heads: Vec<CommitId> = (0..BRANCHES)
        .map(|branch| id(&format!("b{branch}")))
        .collect();
    let repo = site.repo();
    let mut radar = Radar::new();
    let clashes = compare(seed, &site, &mut radar, &base, &heads);
    let place = usize::try_from(seed).unwrap() % BRANCHES;
    heads[place] = id("moved");
    compare(seed, &site, &mut radar, &base, &heads);
    let again = radar.scan(&repo, &base, &heads).unwrap();
    let fresh = Radar::new().scan(&repo, &base, &heads).unwrap();
    assert_eq!(again, fresh, "seed {seed}");
    clashes
}

fn compare(
    seed: u64,
    site: &Site,
    radar: &mut Radar,
    base: &CommitId,
    heads: &[CommitId],
) -> usize {
    let scan = radar.scan(&site.repo(), base, heads).unwrap();
    for (one, head) in heads.iter().enumerate() {
        let later = heads.iter().enumerate().skip(one + 1);
        let others = later.map(|(other, later)| (Some(other), later));
        for (other, commit) in others.chain([(None, base)]) {
            let clash = scan
                .clashes
                .iter()
                .find(|clash| (clash.one, clash.other) == (one, other));
            let git_merges = super::merges(site, head, commit);
            assert_eq!(
                clash.is_none(),
                git_merges,
                "seed {seed}: {one} with {other:?}: {head} {commit}: {clash:?}"
            );
            let named = clash.is_none_or(|clash| !clash.files.is_empty());
            assert!(named, "seed {seed}: {one} with {other:?} clash nowhere");
        }
    }
    scan.clashes.len()
}

type Tree = BTreeMap<String, (&'static str, String)>;

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

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        let place = self.below(of.len());
        of[place].clone()
    }
}

/// Commits in the language of `git fast-import`.
struct History {
    dice: Dice,
    stream: String,
    marks: usize,
}

impl History {
    fn random(seed: u64) -> Self {
        let mut history = Self {
            dice: Dice(seed),
            stream: String::new(),
            marks: 0,
        };
        let start = history.start();
        let first = history.commit("base", &[], &start);
        let (base, at_base) = history.changed("base", first, &start, 3);
        let mut branches = Vec::new();
        for branch in 0..BRANCHES {
            let (from, tree) = match history.dice.below(4) {
                0 => (base, &at_base),
                _ => (first, &start),
            };
            let steps = 1 + history.dice.below(5);
            branches.push(history.changed(&format!("b{branch}"), from, tree, steps));
        }
        // One branch takes in another, so that histories cross.
        let (one, tree) = history.dice.pick(&branches);
        let (other, _) = history.dice.pick(&branches);
        let name = format!("b{}", history.dice.below(BRANCHES));
        let merged = history.commit(&name, &[one, other], &tree);
        let (_, tree) = history.changed(&name, merged, &tree, 1);
        drop(tree);
        history.changed("base", base, &at_base, 2);
        let (from, tree) = history.dice.pick(&branches);
        history.changed("moved", from, &tree, 2);
        history
    }

    fn start(&mut self) -> Tree {
        let mut tree = Tree::new();
        for folder in ["", "a/", "a/deep/", "b/", "c/"] {
            for name in ["one", "two", "three"] {
                let lines = 4 + self.dice.below(30);
                let text = self.lines(lines);
                tree.insert(format!("{folder}{name}"), ("100644", text));
            }
        }
        tree
    }

    /// Lines of which some stand in many files, and some more than once.
    fn lines(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| match self.dice.below(4) {
                0 => "}\n".to_owned(),
                1 => format!("line {}\n", self.dice.below(9)),
                _ => format!("line {}\n", self.dice.below(100_000)),
            })
            .collect()
    }

    /// A commit on top of another one with a few changes.
    fn changed(&mut self, branch: &str, from: usize, tree: &Tree, steps: usize) -> (usize, Tree) {
        let mut tree = tree.clone();
        for _ in 0..steps {
            self.step(&mut tree);
        }
        (self.commit(branch, &[from], &tree), tree)
    }

    fn step(&mut self, tree: &mut Tree) {
        let paths: Vec<String> = tree.keys().cloned().collect();
        let path = self.dice.pick(&paths);
        match self.dice.below(12) {
            0..=4 => self.edit(tree, &path),
            5 => drop(tree.remove(&path)),
            6 | 7 => {
                let to = self.name();
                if self.dice.below(2) == 0 {
                    self.edit(tree, &path);
                }
                rename(tree, &path, &to);
            }
            8 => {
                let from = self.dice.pick(&["a/", "a/deep/", "b/", "c/"]);
                let to = self.dice.pick(&["a/", "b/", "new/", "c/new/"]);
                for path in paths.iter().filter(|path| path.starts_with(from)) {
                    rename(tree, path, &path.replacen(from, to, 1));
                }
            }
            9 => {
                let text = self.lines(5);
                let to = self.name();
                put(tree, &to, ("100644", text));
            }
            10 => {
                let mode = self.dice.pick(&["100755", "100644"]);
                tree.entry(path).and_modify(|file| file.0 = mode);
            }
            _ => {
                let other = match self.dice.below(2) {
                    0 => ("120000", self.dice.pick(&["x", "y"]).to_owned()),
                    _ => ("100644", format!("\0{}", self.dice.below(3))),
                };
                tree.insert(path, other);
            }
        }
    }

    /// A name that others choose too.
    fn name(&mut self) -> String {
        let folder = self.dice.pick(&["", "a/", "b/", "new/", "n/"]);
        let name = self.dice.pick(&["one", "n", "new", "other"]);
        format!("{folder}{name}")
    }

    fn edit(&mut self, tree: &mut Tree, path: &str) {
        let Some((_, text)) = tree.get_mut(path) else {
            return;
        };
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let at = self.dice.below(lines.len() + 1);
        let until = (at + self.dice.below(3)).min(lines.len());
        let count = self.dice.below(3);
        let new = self.lines(count);
        lines.splice(at..until, [new]);
        *text = lines.concat();
    }

    fn commit(&mut self, branch: &str, parents: &[usize], tree: &Tree) -> usize {
        self.marks += 1;
        let mark = self.marks;
        let head = "committer a <a@example.org>";
        let stream = &mut self.stream;
        writeln!(
            stream,
            "commit refs/heads/{branch}\nmark :{mark}\n{head} {mark} +0000\ndata 0"
        )
        .unwrap();
        for (place, parent) in parents.iter().enumerate() {
            let word = if place == 0 { "from" } else { "merge" };
            writeln!(stream, "{word} :{parent}").unwrap();
        }
        writeln!(stream, "deleteall").unwrap();
        for (path, (mode, text)) in tree {
            writeln!(
                stream,
                "M {mode} inline {path}\ndata {}\n{text}",
                text.len()
            )
            .unwrap();
        }
        mark
    }
}

fn rename(tree: &mut Tree, from: &str, to: &str) {
    if let Some(file) = tree.remove(from) {
        put(tree, to, file);
    }
}

/// Makes room first: no file can be where a folder is.
fn put(tree: &mut Tree, path: &str, file: (&'static str, String)) {
    let inside = format!("{path}/");
    tree.retain(|there, _| !there.starts_with(&inside) && !path.starts_with(&format!("{there}/")));
    tree.insert(path.to_owned(), file);
}

fn import(folder: &Path, stream: &str) {
    let mut child = Command::new("git")
        .current_dir(folder)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(stream.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}
