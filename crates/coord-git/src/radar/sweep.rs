//! One scan: the pairs that are not known yet.

use std::collections::HashMap;
use std::sync::Arc;

use gix::ObjectId;
use gix::bstr::BString;

use super::Caches;
use super::ask::{self, Answer, Path3};
use super::clash::{ClashFile, ClashHunk, ClashKind};
use super::drivers::Drivers;
use super::elder;
use super::judge::{Contents, Verdict, Versions, judge};
use super::text::{Edits, Merged, Text, clashes, merge};
use crate::changes::{Changes, Entry};
use crate::repo::tree_of;
use crate::{GitError, Repo};

/// Files that are larger are git's to merge.
const MOST: u64 = 8 << 20;

/// Two commits.
type Key = (ObjectId, ObjectId);

/// What is known of a pair of commits.
#[derive(Debug)]
pub(super) enum Pair {
    /// They have no commit in common.
    Unrelated,
    Judged {
        /// Where they clash.
        files: Vec<ClashFile>,
        /// Held, so that the next scan finds it.
        _by: Basis,
    },
}

/// What a pair was judged by.
#[derive(Debug, Default)]
pub(super) struct Basis {
    changes: Option<[Arc<Changes>; 2]>,
    edits: Vec<Arc<Edits>>,
}

pub(super) struct Sweep<'a> {
    repo: &'a Repo,
    gix: &'a gix::Repository,
    kept: &'a mut Caches,
    drivers: Option<Drivers<'a>>,
    trees: HashMap<ObjectId, ObjectId>,
}

impl<'a> Sweep<'a> {
    pub(super) fn begin(repo: &'a Repo, gix: &'a gix::Repository, kept: &'a mut Caches) -> Self {
        Self {
            repo,
            gix,
            kept,
            drivers: None,
            trees: HashMap::new(),
        }
    }

    pub(super) fn judge(mut self, pairs: &[Key]) -> Result<Vec<(Key, Pair)>, GitError> {
        let mut judged = Vec::with_capacity(pairs.len());
        let mut open = Vec::new();
        for (pair, bases) in self.merge_bases(pairs)? {
            let changes = match bases[..] {
                [] => {
                    judged.push((pair, Pair::Unrelated));
                    continue;
                }
                [base] => Some([self.changes(base, pair.0)?, self.changes(base, pair.1)?]),
                // Git merges the bases first.
                [_, _, ..] => None,
            };
            let mut basis = Basis {
                changes,
                edits: Vec::new(),
            };
            match self.judge_one(&mut basis)? {
                Verdict::Known(files) => judged.push((pair, Pair::Judged { files, _by: basis })),
                Verdict::Ask => open.push((pair, basis)),
            }
        }
        let questions: Vec<Key> = open.iter().map(|(pair, _)| *pair).collect();
        let answers = match ask::can_answer(self.repo.git()) {
            true => ask::ask(self.repo, &questions)?,
            false => elder::merge(self.gix, &questions)?,
        };
        for ((pair, mut basis), answer) in open.into_iter().zip(answers) {
            let files = self.files(answer, &mut basis)?;
            judged.push((pair, Pair::Judged { files, _by: basis }));
        }
        Ok(judged)
    }

    fn merge_bases(&self, pairs: &[Key]) -> Result<Vec<(Key, Vec<ObjectId>)>, GitError> {
        let doing = "find the merge base";
        let cache = self
            .gix
            .commit_graph_if_enabled()
            .map_err(GitError::library(doing))?;
        let mut graph = self.gix.revision_graph(cache.as_ref());
        let mut found = Vec::with_capacity(pairs.len());
        for &(one, other) in pairs {
            let bases = self
                .gix
                .merge_bases_many_with_graph(one, &[other], &mut graph)
                .map_err(GitError::library(doing))?;
            let bases = bases.into_iter().map(gix::Id::detach).collect();
            found.push(((one, other), bases));
        }
        Ok(found)
    }

    fn changes(&mut self, old: ObjectId, new: ObjectId) -> Result<Arc<Changes>, GitError> {
        let key = (self.tree(old)?, self.tree(new)?);
        if let Some(known) = self.kept.changes.get(&key) {
            return Ok(known);
        }
        let changes = Changes::between(self.gix, key.0, key.1)?;
        Ok(self.kept.changes.keep(key, changes))
    }

    fn tree(&mut self, commit: ObjectId) -> Result<ObjectId, GitError> {
        if let Some(known) = self.trees.get(&commit) {
            return Ok(*known);
        }
        let tree = tree_of(self.gix, commit)?;
        self.trees.insert(commit, tree);
        Ok(tree)
    }

    fn judge_one(&mut self, basis: &mut Basis) -> Result<Verdict, GitError> {
        let Basis { changes, edits } = basis;
        match changes {
            None => Ok(Verdict::Ask),
            Some([one, other]) => judge(one, other, |versions| self.contents(versions, edits)),
        }
    }

    fn contents(
        &mut self,
        versions: Versions<'_>,
        held: &mut Vec<Arc<Edits>>,
    ) -> Result<Contents, GitError> {
        let Versions {
            path,
            base,
            one,
            other,
        } = versions;
        if base.is_none() && one.id == other.id {
            return Ok(Contents::Clash(ClashKind::Mode, Vec::new()));
        }
        let merges_lines = match &mut self.drivers {
            Some(drivers) => drivers.merges_lines(path)?,
            none => none.insert(Drivers::read(self.gix)?).merges_lines(path)?,
        };
        if !merges_lines {
            return Ok(Contents::Ask);
        }
        let Some([mine, its]) = self.sides(base, one, other)? else {
            return Ok(Contents::Ask);
        };
        held.extend([Arc::clone(&mine), Arc::clone(&its)]);
        if mine.is_binary() || its.is_binary() {
            return Ok(Contents::Clash(ClashKind::Binary, Vec::new()));
        }
        let kind = match base {
            Some(_) => ClashKind::Content,
            None => ClashKind::AddAdd,
        };
        // Git keeps two modes apart even where it could merge the lines.
        let modes_clash = base.is_none() && one.mode != other.mode;
        Ok(match merge(&mine, &its) {
            Merged::Clean if modes_clash => Contents::Clash(ClashKind::Mode, Vec::new()),
            Merged::Clean => Contents::Clean,
            Merged::Conflict => Contents::Clash(kind, clashes(&mine, &its)),
            Merged::Unsure => Contents::Ask,
        })
    }

    /// What both made of the base; `None` when a file is too large or not here.
    fn sides(
        &mut self,
        base: Option<Entry>,
        one: Entry,
        other: Entry,
    ) -> Result<Option<[Arc<Edits>; 2]>, GitError> {
        let base = match base {
            Some(base) => base.id,
            None => ObjectId::empty_blob(self.gix.object_hash()),
        };
        let one = self.edits(base, one.id)?;
        let other = self.edits(base, other.id)?;
        Ok(one.zip(other).map(|(one, other)| [one, other]))
    }

    fn edits(&mut self, base: ObjectId, side: ObjectId) -> Result<Option<Arc<Edits>>, GitError> {
        if let Some(known) = self.kept.edits.get(&(base, side)) {
            return Ok(Some(known));
        }
        let (Some(old), Some(new)) = (self.text(base)?, self.text(side)?) else {
            return Ok(None);
        };
        let edits = Edits::between(old, new);
        Ok(Some(self.kept.edits.keep((base, side), edits)))
    }

    fn text(&mut self, id: ObjectId) -> Result<Option<Arc<Text>>, GitError> {
        if let Some(known) = self.kept.texts.get(&id) {
            return Ok(Some(known));
        }
        if id.is_empty_blob() {
            return Ok(Some(self.kept.texts.keep(id, Text::default())));
        }
        let header = self
            .gix
            .try_find_header(id)
            .map_err(GitError::library("read a file of a commit"))?;
        if header.is_none_or(|header| header.size() > MOST) {
            return Ok(None);
        }
        let mut blob = self
            .gix
            .find_blob(id)
            .map_err(GitError::library("read a file of a commit"))?;
        let text = Text::new(std::mem::take(&mut blob.data));
        Ok(Some(self.kept.texts.keep(id, text)))
    }

    /// What git said, with the lines.
    fn files(&mut self, answer: Answer, basis: &mut Basis) -> Result<Vec<ClashFile>, GitError> {
        let mut files = Vec::with_capacity(answer.len());
        for (path, what) in answer {
            let kind = what.kind(was_there(&path, basis));
            let hunks = match kind {
                ClashKind::Content
                | ClashKind::AddAdd
                | ClashKind::RenameEdit
                | ClashKind::RenameAdd => self.hunks(&what, &mut basis.edits)?,
                ClashKind::Binary
                | ClashKind::Mode
                | ClashKind::DeleteEdit
                | ClashKind::RenameDelete
                | ClashKind::RenameRename
                | ClashKind::DirectoryRename
                | ClashKind::DirectoryFile
                | ClashKind::Type
                | ClashKind::Submodule => Vec::new(),
            };
            files.push(ClashFile {
                path: path.to_string(),
                kind,
                hunks,
            });
        }
        Ok(files)
    }

    fn hunks(
        &mut self,
        what: &Path3,
        held: &mut Vec<Arc<Edits>>,
    ) -> Result<Vec<ClashHunk>, GitError> {
        let [base, Some(one), Some(other)] = what.stages else {
            return Ok(Vec::new());
        };
        if !one.is_file() || !other.is_file() {
            return Ok(Vec::new());
        }
        let Some([mine, its]) = self.sides(base, one, other)? else {
            return Ok(Vec::new());
        };
        let hunks = clashes(&mine, &its);
        held.extend([mine, its]);
        Ok(hunks)
    }
}

/// Whether the path was there when the two parted; unknown where they parted more than once.
fn was_there(path: &BString, basis: &Basis) -> Option<bool> {
    let changes = basis.changes.as_ref()?;
    let mut met = changes.iter().filter_map(|side| side.files.get(path));
    Some(met.any(|change| change.old.is_some()))
}
