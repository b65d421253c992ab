//! How long the radar takes for a fleet's branches, against git over the same pairs.
//!
//! In this process, since that is where the radar runs. It has to find what was planted, no more and no
//! less: a fast answer that is wrong is none.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use coord_core::ids::CommitId;
use coord_git::{ClashKind, Radar, Repo, Scan};
use coord_test_support::git_fixture::{feed_git, git};

use super::table::{Table, median};

const FILES: usize = 5000;
const BRANCHES: usize = 20;
const RUNS: usize = 15;

pub(super) fn measure(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let fleet = Fleet::build(folder.path())?;
    let (mut ours, mut gits) = (Vec::new(), Vec::new());
    // In turn, so that both see the same weather.
    for _ in 0..RUNS {
        let start = Instant::now();
        let repo = Repo::open(folder.path())?;
        let scan = Radar::new().scan(&repo, &fleet.base, &fleet.heads)?;
        ours.push(milliseconds(start));
        ensure_planted(&scan)?;
        let start = Instant::now();
        fleet.merge_tree(folder.path())?;
        gits.push(milliseconds(start));
    }
    let (ours, gits) = (median(ours), median(gits));
    let pairs = BRANCHES * (BRANCHES - 1) / 2;
    let what = format!("radar: {pairs} pairs, {FILES} files");
    let note = format!("{BRANCHES} branches and the base, nothing known before, median of {RUNS}");
    table.add(&what, ours, 100.0, "ms", note);
    let note = format!("{ours:.1} ms against {gits:.1} ms, medians of {RUNS}");
    table.add(
        "radar against `git merge-tree --stdin`",
        ours / gits,
        1.0,
        "×",
        note,
    );
    let moved = fleet.one_moves(folder.path())?;
    let note = format!("its {BRANCHES} pairs, median of {RUNS}");
    table.add("radar: after one ref moved", moved, 10.0, "ms", note);
    Ok(())
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// What is planted between branches; the last one is with the base.
const PLANTED: [(usize, Option<usize>, ClashKind); 10] = [
    (0, Some(1), ClashKind::Content),
    (2, Some(3), ClashKind::RenameEdit),
    (4, Some(5), ClashKind::DeleteEdit),
    (6, Some(7), ClashKind::Mode),
    (8, Some(9), ClashKind::Binary),
    (10, Some(11), ClashKind::AddAdd),
    (12, Some(13), ClashKind::DirectoryFile),
    (14, None, ClashKind::Content),
    (15, Some(16), ClashKind::RenameRename),
    (17, Some(18), ClashKind::DirectoryRename),
];

fn ensure_planted(scan: &Scan) -> Result<()> {
    let found: Vec<_> = scan
        .clashes
        .iter()
        .map(|clash| {
            (
                clash.one,
                clash.other,
                clash.files.first().map(|file| file.kind),
            )
        })
        .collect();
    let planted = PLANTED.map(|(one, other, kind)| (one, other, Some(kind)));
    ensure!(
        found == planted,
        "the radar found {found:?} instead of {planted:?}"
    );
    Ok(())
}

/// A repository with branches that workers might have made.
struct Fleet {
    base: CommitId,
    heads: Vec<CommitId>,
    /// A branch that git has to be asked about, with one more commit.
    moved: CommitId,
}

impl Fleet {
    fn build(folder: &Path) -> Result<Self> {
        git(folder, &["init", "--quiet", "-b", "main"])?;
        let mut history = History::default();
        let files: String = (0..FILES)
            .map(|file| write(&path(file), &text(file, &[])))
            .collect();
        let more = write("registry", &registry(None)) + &write("logo", "old\0logo");
        let start = history.commit("main", None, &(files + &more));
        let mut main = start;
        let mut forks = Vec::new();
        for step in 0..5 {
            forks.push(main);
            main = history.commit(
                "main",
                Some(main),
                &write(&path(4900 + step), &text(4900 + step, &[3])),
            );
        }
        for branch in 0..BRANCHES {
            let fork = forks.get(branch % forks.len()).copied();
            history.commit(&format!("b{branch}"), fork, &work(branch));
        }
        history.commit("main", Some(main), &write(&path(4999), &text(4999, &[1])));
        history.import(folder)?;
        git(folder, &["checkout", "--quiet", "main"])?;
        git(folder, &["repack", "--quiet", "-a", "-d"])?;
        let rev = |name: &str| git(folder, &["rev-parse", name]).map(CommitId::new);
        git(folder, &["checkout", "--quiet", "-b", "moved", "b2"])?;
        std::fs::write(folder.join(path(4000)), text(4000, &[7]))?;
        git(folder, &["commit", "--quiet", "--all", "--message", "more"])?;
        git(folder, &["checkout", "--quiet", "main"])?;
        Ok(Self {
            base: rev("main")?,
            heads: (0..BRANCHES)
                .map(|branch| rev(&format!("b{branch}")))
                .collect::<Result<_>>()?,
            moved: rev("moved")?,
        })
    }

    /// What git takes for the same.
    fn merge_tree(&self, folder: &Path) -> Result<()> {
        let mut lines = String::new();
        for (one, head) in self.heads.iter().enumerate() {
            writeln!(lines, "{head} {}", self.base)?;
            for later in &self.heads[one + 1..] {
                writeln!(lines, "{head} {later}")?;
            }
        }
        feed_git(folder, &["merge-tree", "--write-tree", "--stdin"], &lines)
    }

    /// It goes forth and back.
    fn one_moves(&self, folder: &Path) -> Result<f64> {
        let repo = Repo::open(folder)?;
        let mut radar = Radar::new();
        let mut heads = self.heads.clone();
        let mut took = Vec::new();
        radar.scan(&repo, &self.base, &heads)?;
        for run in 0..RUNS {
            heads[2] = if run % 2 == 0 {
                self.moved.clone()
            } else {
                self.heads[2].clone()
            };
            let start = Instant::now();
            let scan = radar.scan(&repo, &self.base, &heads)?;
            took.push(milliseconds(start));
            ensure_planted(&scan)?;
        }
        Ok(median(took))
    }
}

/// What a branch changes: files of its own, its place in a file that all change, and what is planted.
fn work(branch: usize) -> String {
    let own = |step: usize| branch * 100 + step;
    let mut work: String = (0..14)
        .map(|step| write(&path(own(step)), &text(own(step), &[5, 9])))
        .collect();
    work += &write(&format!("new/{branch}.rs"), &text(own(0), &[0]));
    work += &write("registry", &registry(Some(branch)));
    let edited = |file: usize| write(&path(file), &text(file, &[branch]));
    work += &match branch {
        0 | 1 => write(&path(3000), &format!("{branch}\n{}", text(3000, &[]))),
        2 => {
            format!("R {} moved/3001.rs\n", path(3001)) + &write("moved/3001.rs", &text(3001, &[0]))
        }
        3 => write(
            &path(3001),
            &text(3001, &[0]).replacen("0(changed", "0(otherwise", 1),
        ),
        4 => format!("D {}\n", path(3002)),
        5 => edited(3002),
        6 => write("tool", "run\n"),
        7 => write("tool", "run\n").replacen("100644", "100755", 1),
        8 | 9 => write("logo", &format!("new\0logo {branch}")),
        10 | 11 => write("both", &format!("added by {branch}\n")),
        12 => write("place", "a file\n"),
        13 => write("place/inside", "a folder\n"),
        14 => write(
            &path(4999),
            &text(4999, &[1]).replace("changed", "otherwise"),
        ),
        15 | 16 => format!("R {} moved/{branch}.rs\n", path(3003)),
        17 => "R src/d159 src/other\n".to_owned(),
        18 => write("src/d159/added.rs", "new\n"),
        _ => String::new(),
    };
    work
}

fn path(file: usize) -> String {
    format!("src/d{}/f{}.rs", file / 20, file % 20)
}

/// A file of 15 functions, of which some have been changed.
fn text(file: usize, changed: &[usize]) -> String {
    (0..15)
        .map(|part| {
            let call = if changed.contains(&part) {
                "changed"
            } else {
                "usual"
            };
            format!("fn item_{file}_{part}() {{\n    work{part}({call}_{file});\n}}\n\n")
        })
        .collect()
}

/// A long list in which each branch has a line.
fn registry(branch: Option<usize>) -> String {
    (0..BRANCHES * 20)
        .map(|line| match branch {
            Some(branch) if line == branch * 20 + 10 => format!("entry {line} of {branch}\n"),
            _ => format!("entry {line}\n"),
        })
        .collect()
}

fn write(path: &str, text: &str) -> String {
    format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len())
}

/// Commits in the language of `git fast-import`.
#[derive(Default)]
struct History {
    stream: String,
    marks: usize,
}

impl History {
    fn commit(&mut self, branch: &str, from: Option<usize>, changes: &str) -> usize {
        self.marks += 1;
        let mark = self.marks;
        let from = from
            .map(|from| format!("from :{from}\n"))
            .unwrap_or_default();
        self.stream += &format!(
            "commit refs/heads/{branch}\nmark :{mark}\ncommitter a <a@example.org> {mark} +0000\ndata 1\nx\n{from}{changes}\n"
        );
        mark
    }

    fn import(&self, folder: &Path) -> Result<()> {
        feed_git(folder, &["fast-import", "--quiet"], &self.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_finds_what_is_planted() {
        let mut table = Table::default();
        measure(&mut table).unwrap();
    }
}
