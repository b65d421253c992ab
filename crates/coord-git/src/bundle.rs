//! Uncommitted work on its way from one machine to another: a git bundle of one ref.
//!
//! What comes in is not trusted: it is bounded, may hold only what was asked for, and is checked by
//! `fsck` before an object of it counts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use coord_core::ids::{AssignmentId, CommitId};
use gix::ObjectId;

use crate::repo::{commit, commit_id, open_gix, read};
use crate::wip::reference;
use crate::{GitError, Repo, seen};

/// No bundle is larger, made or taken: 64 MiB.
pub const MOST_BUNDLE: usize = 64 << 20;

/// The first line of the only form that is made and taken: sha1, and nothing left out.
const SIGNATURE: &[u8] = b"# v2 git bundle\n";

/// Uncommitted work to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipBundle {
    /// The commit that it is.
    pub commit: CommitId,
    /// The bundle; empty when the receiver has that commit.
    pub bytes: Vec<u8>,
}

impl Repo {
    /// `refs/coord/wip/<id>` as a bundle, without what `have` and the remote's branches hold.
    /// Commits of `have` that are not here are passed over. `None` without such a ref.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] beyond [`MOST_BUNDLE`], and when git fails.
    pub fn wip_bundle(
        &self,
        id: &AssignmentId,
        have: &[CommitId],
    ) -> Result<Option<WipBundle>, GitError> {
        let (gix, reference) = (self.gix()?, reference(id));
        let Some(tip) = read(&gix, &reference)? else {
            return Ok(None);
        };
        let mut without = vec!["--not".to_owned(), "--remotes=origin".to_owned()];
        without.extend(
            have.iter()
                .filter_map(|id| commit(&gix, id).ok())
                .map(|commit| commit.id.to_string()),
        );
        let beyond = self
            .run("rev-list")
            .args(["--max-count=1", &tip.to_string()])
            .args(&without)
            .bytes()?;
        if beyond.is_empty() {
            return Ok(Some(WipBundle {
                commit: commit_id(tip),
                bytes: Vec::new(),
            }));
        }
        let made = self
            .run("bundle")
            .args(["create", "--quiet", "--version=2", "-", &reference])
            .args(&without)
            .keep(MOST_BUNDLE)
            .success()?;
        if made.left_out > 0 {
            return Err(GitError::TooLarge { limit: MOST_BUNDLE });
        }
        // The ref may have moved since.
        let header = Header::read(&made.stdout).ok_or_else(|| refused("it is no bundle"))?;
        Ok(Some(WipBundle {
            commit: commit_id(header.tip),
            bytes: made.stdout,
        }))
    }

    /// Takes what [`Repo::wip_bundle`] of another machine has made: afterwards [`Repo::seen`] is
    /// `expected`. Where it is built on commits that are not here, these are fetched first.
    ///
    /// # Errors
    /// [`GitError::TooLarge`]; [`GitError::BundleRefused`] for anything but a bundle of that commit under
    /// that name; [`GitError::NoSuchCommit`] when it is built on a commit that the remote does not
    /// have; and when git finds something wrong with an object.
    pub fn take_bundle(
        &self,
        id: &AssignmentId,
        expected: &CommitId,
        bundle: &[u8],
    ) -> Result<(), GitError> {
        if bundle.len() > MOST_BUNDLE {
            return Err(GitError::TooLarge { limit: MOST_BUNDLE });
        }
        let (reference, seen) = (reference(id), seen::reference(id));
        let header = Header::read(bundle).ok_or_else(|| refused("it is no bundle"))?;
        if header.name != reference.as_bytes() || commit_id(header.tip) != *expected {
            return Err(refused("it holds something else than what was asked for"));
        }
        let needed: Vec<CommitId> = header.needs.into_iter().map(commit_id).collect();
        self.ensure_commits(&needed.iter().collect::<Vec<_>>())?;
        let file = BundleFile::write(self.common_dir(), bundle)?;
        self.run("fetch")
            .config("fetch.fsckObjects=true")
            .config("fetch.recurseSubmodules=no")
            // What is larger goes to the disk in pieces instead of into memory.
            .config("core.bigFileThreshold=16m")
            .args(["--quiet", "--no-tags", "--no-write-fetch-head", "--"])
            .arg(&file.path)
            .arg(format!("+{reference}:{seen}"))
            .bytes()?;
        match read(&open_gix(self.path())?, &seen)? {
            Some(taken) if commit_id(taken) == *expected => Ok(()),
            Some(_) | None => Err(refused("it does not hold what it says")),
        }
    }
}

fn refused(why: &'static str) -> GitError {
    GitError::BundleRefused { why }
}

/// What a bundle with one ref says about itself (gitformat-bundle(5)).
#[derive(Debug, PartialEq, Eq)]
struct Header<'a> {
    needs: Vec<ObjectId>,
    tip: ObjectId,
    name: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(bundle: &'a [u8]) -> Option<Self> {
        let mut rest = bundle.strip_prefix(SIGNATURE)?;
        let mut needs = Vec::new();
        loop {
            let end = rest.iter().position(|&byte| byte == b'\n')?;
            let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
            rest = after;
            if let Some(line) = line.strip_prefix(b"-") {
                needs.push(ObjectId::from_hex(line.get(..40)?).ok()?);
                continue;
            }
            let tip = ObjectId::from_hex(line.get(..40)?).ok()?;
            let name = line.get(40..)?.strip_prefix(b" ")?;
            return rest.starts_with(b"\n").then_some(Self { needs, tip, name });
        }
    }
}

/// A bundle on disk, gone when dropped.
struct BundleFile {
    path: PathBuf,
}

impl BundleFile {
    fn write(folder: &Path, bundle: &[u8]) -> Result<Self, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "coord-bundle-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let file = Self {
            path: folder.join(name),
        };
        std::fs::write(&file.path, bundle).map_err(GitError::io("write", &file.path))?;
        Ok(file)
    }
}

impl Drop for BundleFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIP: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn a_header_with_one_ref() {
        let bundle = format!("# v2 git bundle\n-{TIP} a subject\n{TIP} refs/x\n\nPACK");
        let header = Header::read(bundle.as_bytes()).unwrap();
        assert_eq!(header.name, b"refs/x");
        assert_eq!(header.tip.to_string(), TIP);
        assert_eq!(header.needs, [header.tip]);
    }

    #[test]
    fn anything_else_is_no_bundle_of_ours() {
        for bundle in [
            String::new(),
            "# v2 git bundle\n".to_owned(),
            "# v2 git bundle\n\nPACK".to_owned(),
            format!("# v2 git bundle\n{TIP} refs/x\n{TIP} refs/y\n\nPACK"),
            format!("# v2 git bundle\n{TIP} refs/x\nPACK"),
            format!("# v2 git bundle\n{TIP}refs/x\n\n"),
            "# v2 git bundle\n-\u{e9}\u{e9}\n\n".to_owned(),
            format!("# v3 git bundle\n@object-format=sha1\n{TIP} refs/x\n\nPACK"),
        ] {
            assert_eq!(Header::read(bundle.as_bytes()), None, "{bundle:?}");
        }
    }
}
