//! Whether two sides of a merge clash, path by path.
//!
//! Only what git would say for certain is said here. What renames, folders, links, submodules or
//! attributes have a part in is left to git itself.

use gix::bstr::{BStr, BString, ByteSlice};

use super::clash::{ClashFile, ClashHunk, ClashKind};
use crate::changes::{Change, Changes, Entry, above};

/// What is known of a pair.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These paths clash and no others; none: it merges.
    Known(Vec<ClashFile>),
    /// Git has to be asked.
    Ask,
}

/// Three versions of a file that both changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions<'a> {
    pub(super) path: &'a BStr,
    pub(super) base: Option<Entry>,
    pub(super) one: Entry,
    pub(super) other: Entry,
}

/// What is known of the contents of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    Clean,
    Clash(ClashKind, Vec<ClashHunk>),
    Ask,
}

/// Judges a pair by what each changed since they parted; `contents` judges files that have three
/// versions, or two without a base.
pub(super) fn judge<E>(
    one: &Changes,
    other: &Changes,
    mut contents: impl FnMut(Versions<'_>) -> Result<Contents, E>,
) -> Result<Verdict, E> {
    let Some(common) = common(one, other) else {
        return Ok(Verdict::Ask);
    };
    let mut files = Vec::new();
    for (path, mine, its) in common {
        let clash = match meet(mine, its, one, other) {
            Meeting::Clean => continue,
            Meeting::Ask => return Ok(Verdict::Ask),
            Meeting::DeleteEdit => (ClashKind::DeleteEdit, Vec::new()),
            Meeting::Files { base, one, other } => {
                let path = path.as_bstr();
                let versions = Versions {
                    path,
                    base,
                    one,
                    other,
                };
                match contents(versions)? {
                    Contents::Clean => continue,
                    Contents::Ask => return Ok(Verdict::Ask),
                    Contents::Clash(kind, hunks) => (kind, hunks),
                }
            }
        };
        let (kind, hunks) = clash;
        files.push(ClashFile {
            path: path.to_string(),
            kind,
            hunks,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Verdict::Known(files))
}

type Common<'a> = Vec<(&'a BString, Change, Change)>;

/// The paths that both changed; `None` when what one did to a folder meets what the other did in it.
fn common<'a>(one: &'a Changes, other: &'a Changes) -> Option<Common<'a>> {
    let swapped = one.files.len() > other.files.len();
    let (few, many) = if swapped { (other, one) } else { (one, other) };
    let mut common = Vec::new();
    for (path, change) in &few.files {
        if let Some(its) = many.files.get(path) {
            let (mine, its) = if swapped {
                (*its, *change)
            } else {
                (*change, *its)
            };
            common.push((path, mine, its));
        }
        let renamed =
            |folder: &BStr| many.adds && change.old.is_none() && many.gone.contains(folder);
        let in_the_way =
            above(path.as_ref()).any(|folder| many.files.contains_key(folder) || renamed(folder));
        if in_the_way || many.above.contains(path) {
            return None;
        }
    }
    let renamed = |folder: &BString| few.adds && many.above.contains(folder);
    (!few.gone.iter().any(renamed)).then_some(common)
}

enum Meeting {
    Clean,
    DeleteEdit,
    Files {
        base: Option<Entry>,
        one: Entry,
        other: Entry,
    },
    Ask,
}

fn meet(mine: Change, its: Change, one: &Changes, other: &Changes) -> Meeting {
    let (mine_new, its_new) = match (mine.new, its.new) {
        // Deleted here may be renamed there.
        (None, None) if one.adds || other.adds => return Meeting::Ask,
        (None, None) => return Meeting::Clean,
        (None, Some(_)) if one.adds => return Meeting::Ask,
        (Some(_), None) if other.adds => return Meeting::Ask,
        (None, Some(_)) | (Some(_), None) => return Meeting::DeleteEdit,
        (Some(mine), Some(its)) => (mine, its),
    };
    if mine_new == its_new {
        return Meeting::Clean;
    }
    let are_files = [mine.old, Some(mine_new), Some(its_new)]
        .into_iter()
        .flatten()
        .all(Entry::is_file);
    let may_be_renamed = mine.old.is_none() && (one.deletes || other.deletes);
    if !are_files || may_be_renamed {
        return Meeting::Ask;
    }
    if let Some(base) = mine.old
        && (mine_new.id == base.id || its_new.id == base.id || mine_new.id == its_new.id)
    {
        // Of two modes one is the base's, so that the other one counts.
        return Meeting::Clean;
    }
    Meeting::Files {
        base: mine.old,
        one: mine_new,
        other: its_new,
    }
}

#[cfg(test)]
mod tests {
    use gix::ObjectId;
    use gix::objs::tree::EntryKind;

    use super::*;

    fn file(content: u8) -> Entry {
        Entry {
            mode: EntryKind::Blob.into(),
            id: ObjectId::Sha1([content; 20]),
        }
    }

    /// `path`, content before, content after; 0: not there.
    fn changes(list: &[(&str, u8, u8)], gone: &[&str]) -> Changes {
        let mut changes = Changes::default();
        let entry = |content| (content != 0).then(|| file(content));
        for &(path, old, new) in list {
            for folder in above(path.into()) {
                changes.above.insert(folder.to_owned());
            }
            let (old, new) = (entry(old), entry(new));
            changes.adds |= old.is_none();
            changes.deletes |= new.is_none();
            changes.files.insert(path.into(), Change { old, new });
        }
        changes.gone = gone.iter().map(|&folder| folder.into()).collect();
        changes
    }

    fn judged(one: &Changes, other: &Changes) -> String {
        let judge = |one, other| {
            let judged = judge(one, other, |_| Ok::<_, ()>(Contents::Ask));
            match judged.unwrap() {
                Verdict::Ask => "ask".to_owned(),
                Verdict::Known(files) => {
                    let kinds = files.iter().map(|file| file.kind.as_str());
                    kinds.collect::<Vec<_>>().join(" ")
                }
            }
        };
        let (there, back) = (judge(one, other), judge(other, one));
        assert_eq!(there, back, "the order of a pair does not count");
        there
    }

    #[test]
    fn what_has_nothing_in_common_merges() {
        let one = changes(&[("a/x", 1, 2), ("new", 0, 1), ("old", 3, 0)], &[]);
        let other = changes(&[("a/y", 1, 2), ("b", 0, 1)], &[]);
        assert_eq!(judged(&one, &other), "");
        assert_eq!(judged(&one, &one), "ask", "what is deleted may be renamed");
    }

    #[test]
    fn a_deletion_is_certain_where_nothing_is_new() {
        let edit = changes(&[("a", 1, 2)], &[]);
        let gone = changes(&[("a", 1, 0), ("b", 1, 0)], &[]);
        assert_eq!(judged(&edit, &gone), "delete/edit");
        let renamed = changes(&[("a", 1, 0), ("b", 0, 1)], &[]);
        assert_eq!(judged(&edit, &renamed), "ask");
        assert_eq!(judged(&gone, &gone), "");
    }

    #[test]
    fn folders_in_the_way_are_for_git() {
        let file = changes(&[("a", 0, 1)], &[]);
        let folder = changes(&[("a/b/c", 0, 1)], &[]);
        assert_eq!(judged(&file, &folder), "ask");
        let moved = changes(&[("a/b/d", 1, 0), ("e/d", 0, 1)], &["a/b"]);
        assert_eq!(judged(&moved, &folder), "ask");
        let removed = changes(&[("a/b/d", 1, 0)], &["a/b"]);
        assert_eq!(judged(&removed, &folder), "");
    }

    #[test]
    fn a_mode_goes_with_the_contents_of_the_other_side() {
        let edit = changes(&[("a", 1, 2)], &[]);
        let mut executable = changes(&[("a", 1, 1)], &[]);
        if let Some(Change { new: Some(new), .. }) = executable.files.get_mut(b"a".as_bstr()) {
            new.mode = EntryKind::BlobExecutable.into();
        }
        assert_eq!(judged(&edit, &executable), "");
    }
}
