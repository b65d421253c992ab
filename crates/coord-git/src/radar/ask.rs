//! Asks git itself: a process for many pairs, whose objects go into a folder that is then removed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::tree::EntryMode;

use super::clash::ClashKind;
use crate::changes::Entry;
use crate::{Git, GitError, Repo};

/// The first git with `merge-tree --stdin`.
const NEEDED: (u32, u32, u32) = (2, 39, 0);

/// Another process for fewer pairs would not pay.
const FEW: usize = 8;

/// Nobody waits longer for a warning.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether this git can be asked.
pub(super) fn can_answer(git: &Git) -> bool {
    git.version() >= NEEDED
}

/// A path that git could not merge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Path3 {
    /// What is there in the base, for one, and for the other.
    pub(super) stages: [Option<Entry>; 3],
    /// What git says about it.
    pub(super) said: Option<ClashKind>,
}

impl Path3 {
    /// Why it clashes; `was_there`: whether the base has that path.
    pub(super) fn kind(&self, was_there: Option<bool>) -> ClashKind {
        let [base, one, other] = self.stages;
        match (self.said, base, one.zip(other)) {
            (None, None, Some((one, other))) if one.id == other.id => ClashKind::Mode,
            (None | Some(ClashKind::Content), None, Some(_)) => ClashKind::AddAdd,
            (Some(ClashKind::Content), Some(_), _) if was_there == Some(false) => {
                ClashKind::RenameEdit
            }
            (Some(said), _, _) => said,
            (None, _, Some(_)) => ClashKind::Content,
            (None, _, None) => ClashKind::RenameRename,
        }
    }
}

/// The paths of a pair that clash; none: it merges.
pub(super) type Answer = BTreeMap<BString, Path3>;

/// Merges each pair of commits as `git merge-tree --write-tree` does. They must not be unrelated.
pub(super) fn ask(repo: &Repo, pairs: &[(ObjectId, ObjectId)]) -> Result<Vec<Answer>, GitError> {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let share = pairs.len().div_ceil(at_once).max(FEW);
    std::thread::scope(|scope| {
        let shares = pairs.chunks(share);
        let asked: Vec<_> = shares
            .map(|share| scope.spawn(|| ask_one(repo, share)))
            .collect();
        let mut answers = Vec::with_capacity(pairs.len());
        for thread in asked {
            let answered = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            answers.extend(answered?);
        }
        Ok(answers)
    })
}

/// Asks one git.
fn ask_one(repo: &Repo, pairs: &[(ObjectId, ObjectId)]) -> Result<Vec<Answer>, GitError> {
    let scratch = ScratchObjects::create(repo.common_dir())?;
    let lines: String = pairs
        .iter()
        .map(|(one, other)| format!("{one} {other}\n"))
        .collect();
    let said = repo
        .run("merge-tree")
        .args(["--write-tree", "--stdin", "-z", "--messages"])
        .env("GIT_OBJECT_DIRECTORY", &scratch.path)
        .env(
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            quoted(&repo.common_dir().join("objects")),
        )
        .input(lines.into_bytes())
        .limit(LIMIT)
        .bytes()?;
    read(&said, pairs.len())
        .ok_or("it does not have the expected form")
        .map_err(GitError::library("read what `git merge-tree` printed"))
}

/// An entry of a list of folders that are separated by colons.
fn quoted(path: &Path) -> OsString {
    let mut quoted = vec![b'"'];
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    std::os::unix::ffi::OsStringExt::from_vec(quoted)
}

/// A folder for objects that nobody needs, gone when dropped.
struct ScratchObjects {
    path: PathBuf,
}

impl ScratchObjects {
    fn create(common_dir: &Path) -> Result<Self, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "coord-radar-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = common_dir.join(name);
        std::fs::create_dir_all(&path).map_err(GitError::io("create", &path))?;
        Ok(Self { path })
    }
}

impl Drop for ScratchObjects {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).ok();
    }
}

/// For each pair: `1` (clean) or `0`, the tree, the stages of each path in conflict, an empty field,
/// what git has to say, an empty field (git-merge-tree(1), "INPUT FORMAT" and "OUTPUT").
fn read(said: &[u8], pairs: usize) -> Option<Vec<Answer>> {
    let mut fields = Fields(said);
    let mut answers = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        let is_clean = match fields.next()? {
            b"1" => true,
            b"0" => false,
            _ => return None,
        };
        let _tree = fields.next()?;
        let mut answer = Answer::new();
        while let Some(line) = fields.unless_empty()? {
            stage(line, &mut answer)?;
        }
        while let Some(count) = fields.unless_empty()? {
            message(count, &mut fields, &mut answer)?;
        }
        if is_clean {
            answer.clear();
        } else if answer.is_empty() {
            return None;
        }
        answers.push(answer);
    }
    fields.0.is_empty().then_some(answers)
}

/// `100644 <id> <stage>\t<path>`.
fn stage(line: &[u8], answer: &mut Answer) -> Option<()> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let (facts, path) = line.split_at(tab);
    let mut words = facts.split(|&byte| byte == b' ');
    let mode = EntryMode::from_bytes(words.next()?)?;
    let id = ObjectId::from_hex(words.next()?).ok()?;
    let slot = match words.next()? {
        b"1" => 0,
        b"2" => 1,
        b"3" => 2,
        _ => return None,
    };
    let path = answer.entry(path.get(1..)?.into()).or_default();
    path.stages[slot] = Some(Entry { mode, id });
    Some(())
}

/// How many paths, these, a stable short name of what it is, and a text for people.
fn message(count: &[u8], fields: &mut Fields<'_>, answer: &mut Answer) -> Option<()> {
    let count: usize = str::from_utf8(count).ok()?.parse().ok()?;
    let mut paths: Vec<&[u8]> = Vec::new();
    for _ in 0..count {
        paths.push(fields.next()?);
    }
    let kind = kind(fields.next()?);
    fields.next()?;
    let Some(kind) = kind else {
        return Some(());
    };
    let mut is_shown = false;
    for path in &paths {
        if let Some(known) = answer.get_mut(*path) {
            is_shown = true;
            known.said = known.said.max(Some(kind));
        }
    }
    // A conflict about names alone can leave every path with one version.
    if let (false, Some(first)) = (is_shown, paths.first()) {
        answer.entry((*first).into()).or_default().said = Some(kind);
    }
    Some(())
}

/// The short names of `merge-ort.c` (`type_short_descriptions`); `None` for those of no conflict.
fn kind(short: &[u8]) -> Option<ClashKind> {
    Some(match short {
        b"CONFLICT (contents)" => ClashKind::Content,
        b"CONFLICT (binary)" => ClashKind::Binary,
        b"CONFLICT (file/directory)" => ClashKind::DirectoryFile,
        b"CONFLICT (distinct modes)" => ClashKind::Type,
        b"CONFLICT (modify/delete)" => ClashKind::DeleteEdit,
        b"CONFLICT (rename/rename)" => ClashKind::RenameRename,
        b"CONFLICT (rename involved in collision)" => ClashKind::RenameAdd,
        b"CONFLICT (rename/delete)" => ClashKind::RenameDelete,
        b"CONFLICT (directory rename suggested)"
        | b"CONFLICT (file in way of directory rename)"
        | b"CONFLICT(directory rename collision)"
        | b"CONFLICT(directory rename unclear split)" => ClashKind::DirectoryRename,
        other if other.starts_with(b"CONFLICT (submodule") => ClashKind::Submodule,
        other if other.starts_with(b"CONFLICT") => ClashKind::Content,
        _ => return None,
    })
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (field, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        Some(field)
    }

    /// The next field; inside, `None` when it is empty.
    fn unless_empty(&mut self) -> Option<Option<&'a [u8]>> {
        self.next()
            .map(|field| (!field.is_empty()).then_some(field))
    }
}
