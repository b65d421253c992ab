//! What one side of a merge changed: paths with what is there before and after, without renames.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::diff::tree::recorder::Change as Record;
use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind, EntryMode};

use crate::GitError;

/// A file, link or submodule in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) mode: EntryMode,
    pub(crate) id: ObjectId,
}

impl Entry {
    pub(crate) fn is_file(self) -> bool {
        matches!(
            self.mode.kind(),
            EntryKind::Blob | EntryKind::BlobExecutable
        )
    }
}

/// One path on the way from one tree to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) old: Option<Entry>,
    pub(crate) new: Option<Entry>,
}

/// All paths on the way from one tree to another.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// What is no folder.
    pub(crate) files: HashMap<BString, Change>,
    /// The folders that those are in.
    pub(crate) above: HashSet<BString>,
    /// Folders that are gone.
    pub(crate) gone: HashSet<BString>,
    /// Whether there are new paths: only then can something have been renamed.
    pub(crate) adds: bool,
    /// Whether paths are gone: only then can a new path be an old one renamed.
    pub(crate) deletes: bool,
}

impl Changes {
    pub(crate) fn between(
        gix: &gix::Repository,
        old: ObjectId,
        new: ObjectId,
    ) -> Result<Self, GitError> {
        let doing = "compare two trees";
        let find = |id| gix.find_tree(id).map_err(GitError::library(doing));
        let (old, new) = (find(old)?, find(new)?);
        let mut recorder = gix::diff::tree::Recorder::default();
        gix::diff::tree(
            TreeRefIter::from_bytes(&old.data, gix.object_hash()),
            TreeRefIter::from_bytes(&new.data, gix.object_hash()),
            gix::diff::tree::State::default(),
            &gix.objects,
            &mut recorder,
        )
        .map_err(GitError::library(doing))?;
        let mut changes = Self::default();
        for record in recorder.records {
            changes.record(record);
        }
        changes.adds = changes.files.values().any(|it| it.old.is_none());
        changes.deletes = changes.files.values().any(|it| it.new.is_none());
        Ok(changes)
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Addition {
                entry_mode: mode,
                oid: id,
                path,
                relation: _,
            } => {
                if !mode.is_tree() {
                    self.at(path).new = Some(Entry { mode, id });
                }
            }
            Record::Deletion {
                entry_mode: mode,
                oid: id,
                path,
                relation: _,
            } => {
                if mode.is_tree() {
                    self.gone.insert(path);
                } else {
                    self.at(path).old = Some(Entry { mode, id });
                }
            }
            Record::Modification {
                previous_entry_mode,
                previous_oid,
                entry_mode: mode,
                oid: id,
                path,
            } => {
                if !mode.is_tree() {
                    *self.at(path) = Change {
                        old: Some(Entry {
                            mode: previous_entry_mode,
                            id: previous_oid,
                        }),
                        new: Some(Entry { mode, id }),
                    };
                }
            }
        }
    }

    fn at(&mut self, path: BString) -> &mut Change {
        for folder in above(path.as_ref()) {
            if !self.above.contains(folder) {
                self.above.insert(folder.to_owned());
            }
        }
        self.files.entry(path).or_default()
    }
}

/// The folders that a path is in, the innermost first.
pub(crate) fn above(path: &BStr) -> impl Iterator<Item = &BStr> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest[..rest.rfind_byte(b'/')?].as_bstr();
        Some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_a_path() {
        let folders: Vec<_> = above("a/b/c".into()).collect();
        assert_eq!(folders, ["a/b", "a"]);
        assert_eq!(above("a".into()).count(), 0);
    }
}
