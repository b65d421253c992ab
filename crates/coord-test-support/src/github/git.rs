//! The bare repository behind a repository of the fake: what GitHub does in git, with plumbing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::diff::{self, FileChange};
use crate::git_fixture;

/// A bare repository: a test's own, or one in a folder that goes with it.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    path: PathBuf,
    _folder: Option<Arc<TempDir>>,
}

/// A commit's data.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Person,
    pub(crate) committer: Person,
    pub(crate) message: String,
}

/// Who made a commit, and when.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    /// Seconds since the epoch.
    pub(crate) at: i64,
}

/// The fields of [`Commit`], each ended by a NUL.
const FORMAT: &str = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B";
const FIELDS: usize = 10;

impl Bare {
    /// The repository at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            _folder: None,
        }
    }

    /// A new one with one commit on `main`.
    pub(crate) fn create() -> Result<Self> {
        let folder = TempDir::new().context("cannot make a folder")?;
        let bare = Self {
            path: folder.path().to_path_buf(),
            _folder: Some(Arc::new(folder)),
        };
        bare.read(&["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
        bare.commit_file("main", "README.md", "# fixture\n", "first commit")?;
        Ok(bare)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Result<Output> {
        let mut command = git_fixture::command(&self.path);
        command.args(args).envs(env.iter().copied());
        command.output().context("failed to run git")
    }

    fn read(&self, args: &[&str]) -> Result<String> {
        self.read_with(args, &[])
    }

    fn read_with(&self, args: &[&str], env: &[(&str, &str)]) -> Result<String> {
        let output = self.run(args, env)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("git {} failed: {}", args.join(" "), stderr.trim());
        }
        Ok(text(&output))
    }

    /// The text, when git ends with 0.
    fn ask(&self, args: &[&str]) -> Result<Option<String>> {
        let output = self.run(args, &[])?;
        Ok(output
            .status
            .success()
            .then(|| text(&output).trim_end().to_owned()))
    }

    /// Every ref below `refs/heads/` and `refs/tags/`: name, object, type.
    pub(crate) fn refs(&self) -> Result<Vec<[String; 3]>> {
        let format = "--format=%(refname)%00%(objectname)%00%(objecttype)";
        let listed = self.read(&["for-each-ref", format, "refs/heads", "refs/tags"])?;
        let line = |line: &str| {
            let mut parts = line.split('\0').map(str::to_owned);
            Some([parts.next()?, parts.next()?, parts.next()?])
        };
        Ok(listed.lines().filter_map(line).collect())
    }

    /// The commits of the branches by their names.
    pub(crate) fn branches(&self) -> Result<BTreeMap<String, String>> {
        let pair =
            |[name, sha, _]: [String; 3]| Some((name.strip_prefix("refs/heads/")?.to_owned(), sha));
        Ok(self.refs()?.into_iter().filter_map(pair).collect())
    }

    /// The commit of a branch.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<String>> {
        self.exact(&format!("refs/heads/{branch}"))
    }

    /// What a full name of a ref stands for; no other spelling of a commit is understood.
    fn exact(&self, name: &str) -> Result<Option<String>> {
        if name.contains('\0') {
            return Ok(None);
        }
        self.ask(&["show-ref", "--verify", "--hash", "--", name])
    }

    /// The commit of a branch, a tag or an id.
    pub(crate) fn commit_of(&self, name: &str) -> Result<Option<String>> {
        for full in [format!("refs/heads/{name}"), format!("refs/tags/{name}")] {
            if let Some(found) = self.exact(&full)? {
                return self.peel(&found);
            }
        }
        let hex = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { self.peel(name) } else { Ok(None) }
    }

    fn peel(&self, object: &str) -> Result<Option<String>> {
        self.ask(&[
            "rev-parse",
            "--verify",
            "--quiet",
            &format!("{object}^{{commit}}"),
        ])
    }

    pub(crate) fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>> {
        self.ask(&["merge-base", one, other])
    }

    /// How many commits `head` has that `base` has not, and the other way round.
    pub(crate) fn ahead_behind(&self, base: &str, head: &str) -> Result<(u64, u64)> {
        let range = format!("{base}...{head}");
        let counts = self.read(&["rev-list", "--left-right", "--count", &range])?;
        let (behind, ahead) = counts.trim().split_once('\t').context("no counts")?;
        Ok((ahead.parse()?, behind.parse()?))
    }

    /// The commits of `head` that `base` has not, the oldest first.
    pub(crate) fn commits(&self, base: &str, head: &str) -> Result<Vec<Commit>> {
        let range = format!("{base}..{head}");
        self.log(&[
            "log",
            "-z",
            "--reverse",
            "--topo-order",
            FORMAT,
            &range,
            "--",
        ])
    }

    pub(crate) fn commit(&self, sha: &str) -> Result<Commit> {
        let found = self.log(&["log", "-z", "--max-count=1", FORMAT, sha, "--"])?;
        found.into_iter().next().context("there is no such commit")
    }

    fn log(&self, args: &[&str]) -> Result<Vec<Commit>> {
        let listed = self.read(args)?;
        let fields: Vec<&str> = listed.split('\0').collect();
        fields.chunks_exact(FIELDS).map(parse_commit).collect()
    }

    /// What a pull request changes: from where `head` left `base`.
    pub(crate) fn diff(&self, base: &str, head: &str) -> Result<String> {
        let from = self
            .merge_base(base, head)?
            .unwrap_or_else(|| base.to_owned());
        self.read(&["diff", "--no-color", "-M", &from, head, "--"])
    }

    /// The same, file by file.
    pub(crate) fn changes(&self, base: &str, head: &str) -> Result<Vec<FileChange>> {
        let from = self
            .merge_base(base, head)?
            .unwrap_or_else(|| base.to_owned());
        let raw = self.read(&[
            "diff",
            "--raw",
            "--no-abbrev",
            "-z",
            "-M",
            &from,
            head,
            "--",
        ])?;
        let patches = self.read(&["diff", "--no-color", "-M", &from, head, "--"])?;
        Ok(diff::files(&raw, &patches))
    }

    /// The tree of a merge; `None` on a conflict.
    pub(crate) fn merged_tree(&self, ours: &str, theirs: &str) -> Result<Option<String>> {
        self.merge_tree(&[ours, theirs])
    }

    fn merge_tree(&self, args: &[&str]) -> Result<Option<String>> {
        let args = [&["merge-tree", "--write-tree"], args].concat();
        let output = self.run(&args, &[])?;
        match output.status.code() {
            Some(0) => Ok(text(&output).lines().next().map(str::to_owned)),
            Some(1) => Ok(None),
            Some(_) | None => bail!(
                "git merge-tree: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// A commit by `author`, committed by `committer` now.
    pub(crate) fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        author: Option<&Person>,
        committer: &str,
    ) -> Result<String> {
        let email = format!("{committer}@users.noreply.example.invalid");
        let (name, author_email, date) = match author {
            Some(person) => (
                &*person.name,
                &*person.email,
                format!("@{} +0000", person.at),
            ),
            None => (committer, &*email, String::new()),
        };
        let mut env = vec![
            ("GIT_AUTHOR_NAME", name),
            ("GIT_AUTHOR_EMAIL", author_email),
            ("GIT_COMMITTER_NAME", committer),
            ("GIT_COMMITTER_EMAIL", &email),
        ];
        if author.is_some() {
            env.push(("GIT_AUTHOR_DATE", &date));
        }
        let mut args = vec!["commit-tree", tree, "-m", message];
        parents
            .iter()
            .for_each(|parent| args.extend(["-p", parent]));
        Ok(self.read_with(&args, &env)?.trim_end().to_owned())
    }

    /// The commits from `base` to `head` put on `base` one by one; `None` on a conflict.
    pub(crate) fn rebase(&self, base: &str, head: &str, by: &str) -> Result<Option<String>> {
        let mut tip = base.to_owned();
        for commit in self.commits(base, head)? {
            let [parent] = commit.parents.as_slice() else {
                continue;
            };
            let from = format!("--merge-base={parent}");
            let Some(tree) = self.merge_tree(&[&from, &tip, &commit.sha])? else {
                return Ok(None);
            };
            tip = self.commit_tree(&tree, &[&tip], &commit.message, Some(&commit.author), by)?;
        }
        Ok(Some(tip))
    }

    /// Whether the branch was where it was thought to be and is now at `to`.
    pub(crate) fn move_branch(&self, branch: &str, to: &str, from: &str) -> Result<bool> {
        let name = format!("refs/heads/{branch}");
        let moved = self.run(&["update-ref", &name, to, from], &[])?;
        Ok(moved.status.success())
    }

    /// GitHub keeps the head of every pull request under a ref of its own.
    pub(crate) fn keep_head(&self, number: u64, sha: &str) -> Result<()> {
        let name = format!("refs/pull/{number}/head");
        self.read(&["update-ref", &name, sha]).map(drop)
    }

    pub(crate) fn set_branch(&self, branch: &str, sha: &str) -> Result<()> {
        self.read(&["update-ref", &format!("refs/heads/{branch}"), sha])
            .map(drop)
    }

    pub(crate) fn delete_branch(&self, branch: &str) -> Result<()> {
        self.read(&["update-ref", "-d", &format!("refs/heads/{branch}")])
            .map(drop)
    }

    /// Commits one file on a branch, which it makes from `main` when it is not there.
    pub(crate) fn commit_file(
        &self,
        branch: &str,
        path: &str,
        content: &str,
        message: &str,
    ) -> Result<String> {
        let folder = TempDir::new()?;
        let file = folder.path().join("content");
        std::fs::write(&file, content)?;
        let blob = self.read(&["hash-object", "-w", "--", &file.to_string_lossy()])?;
        let parent = match self.tip(branch)? {
            Some(tip) => Some(tip),
            None => self.tip("main")?,
        };
        let index = folder.path().join("index").to_string_lossy().into_owned();
        let env = [("GIT_INDEX_FILE", index.as_str())];
        if let Some(parent) = &parent {
            self.read_with(&["read-tree", parent], &env)?;
        }
        let entry = format!("100644,{},{path}", blob.trim_end());
        self.read_with(&["update-index", "--add", "--cacheinfo", &entry], &env)?;
        let tree = self.read_with(&["write-tree"], &env)?;
        let parents: Vec<&str> = parent.as_deref().into_iter().collect();
        let sha = self.commit_tree(tree.trim_end(), &parents, message, None, "Test")?;
        self.set_branch(branch, &sha)?;
        Ok(sha)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parse_commit(fields: &[&str]) -> Result<Commit> {
    let &[sha, tree, parents, an, ae, at, cn, ce, ct, message] = fields else {
        bail!("a commit of {} fields", fields.len());
    };
    let person = |name: &str, email: &str, at: &str| -> Result<Person> {
        Ok(Person {
            name: name.to_owned(),
            email: email.to_owned(),
            at: at.parse()?,
        })
    };
    Ok(Commit {
        sha: sha.to_owned(),
        tree: tree.to_owned(),
        parents: parents.split_whitespace().map(str::to_owned).collect(),
        author: person(an, ae, at)?,
        committer: person(cn, ce, ct)?,
        message: message.trim_end().to_owned(),
    })
}
