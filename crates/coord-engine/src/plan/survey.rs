//! What a checkout says of the files of a repository at one commit.
//!
//! It is kept below the state folder, so that the next plan does not ask again while the branch has
//! not moved. What cannot be kept or read again costs time and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use coord_brain::{PastChange, RepoFacts};
use coord_core::ids::CommitId;
use coord_git::{GitError, Repo};
use serde::{Deserialize, Serialize};

use super::files::Site;

/// What is kept has this form; what has another one is forgotten.
const FORM: u32 = 1;
/// How many of the last changes count.
const CHANGES: usize = 500;
/// How many words git looks for at once.
const WORDS: usize = 64;
/// So many words are remembered of one commit.
const REMEMBERED: usize = 5000;

/// What was seen at a commit.
#[derive(Debug)]
pub(super) struct Survey {
    site: Site,
    pub(super) facts: RepoFacts,
    /// Every word that was looked for, and where it stands; nowhere is an answer too.
    words: BTreeMap<String, Vec<String>>,
}

/// The same as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    form: u32,
    tip: CommitId,
    facts: RepoFacts,
    words: BTreeMap<String, Vec<String>>,
}

impl Survey {
    /// Looks at the files, unless that was done already. Blocks.
    pub(super) fn of(site: Site) -> Result<Self, GitError> {
        if let Some(kept) = Kept::read(&site) {
            let (facts, words) = (kept.facts, kept.words);
            return Ok(Self { site, facts, words });
        }
        let repo = Repo::open(&site.path)?;
        let changes = repo.recent_changes(&site.tip, CHANGES)?.into_iter();
        let facts = RepoFacts {
            files: repo.tracked_files(&site.tip)?,
            changes: changes
                .map(|it| PastChange {
                    subject: it.subject,
                    files: it.files,
                })
                .collect(),
            symbols: BTreeMap::new(),
        };
        let survey = Self {
            site,
            facts,
            words: BTreeMap::new(),
        };
        survey.keep();
        Ok(survey)
    }

    /// The files that hold each of these words. Blocks.
    pub(super) fn search(
        mut self,
        words: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>, GitError> {
        let is_new = |word: &&String| !self.words.contains_key(*word);
        let new: Vec<String> = words.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            self.look_for(&new)?;
            self.keep();
        }
        let found = words
            .iter()
            .filter_map(|word| self.words.remove_entry(word));
        Ok(found.filter(|(_, paths)| !paths.is_empty()).collect())
    }

    fn look_for(&mut self, words: &[String]) -> Result<(), GitError> {
        let repo = Repo::open(&self.site.path)?;
        if self.words.len() + words.len() > REMEMBERED {
            self.words.retain(|_, _| false);
        }
        for words in words.chunks(WORDS) {
            let hits = repo.grep(&self.site.tip, words)?;
            self.words
                .extend(words.iter().map(|word| (word.clone(), Vec::new())));
            for hit in hits {
                self.words.entry(hit.word).or_default().push(hit.path);
            }
        }
        Ok(())
    }

    fn keep(&self) {
        let kept = Kept {
            form: FORM,
            tip: self.site.tip.clone(),
            facts: self.facts.clone(),
            words: self.words.clone(),
        };
        if let Err(error) = kept.write(&self.site.kept_in) {
            tracing::debug!(%error, "what was seen of a repository is not kept");
        }
    }
}

impl Kept {
    /// What was seen at this commit; `None` where nobody looked.
    fn read(site: &Site) -> Option<Self> {
        let text = fs::read(&site.kept_in).ok()?;
        let kept: Self = serde_json::from_slice(&text).ok()?;
        (kept.form == FORM && kept.tip == site.tip).then_some(kept)
    }

    /// Whoever reads meanwhile sees the old file or the new one.
    fn write(&self, file: &Path) -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        fresh.write_all(&serde_json::to_vec(self)?)?;
        fresh.persist(file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use coord_git::scratch;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|it| (*it).to_owned()).collect()
    }

    fn site(repo: &Repo, home: &Path) -> Site {
        Site {
            path: repo.path().to_path_buf(),
            tip: repo.tip("main").unwrap().unwrap(),
            kept_in: home.join("kept/shop.json"),
        }
    }

    /// Whoever asks a repository that is gone has not asked it.
    #[test]
    fn what_was_seen_is_not_looked_for_again() {
        let home = tempfile::tempdir().unwrap();
        let checkout = home.path().join("shop");
        let files = [("src/a.rs", "fn alpha() {}\n"), ("b.txt", "beta\n")];
        let repo = scratch::create(&checkout, "main", &files).unwrap();
        let site = site(&repo, home.path());
        let asked = words(&["alpha", "nowhere"]);
        let first = Survey::of(site.clone()).unwrap();
        assert_eq!(first.facts.files, ["b.txt", "src/a.rs"]);
        assert_eq!(first.facts.changes.len(), 1);
        let found = first.search(&asked).unwrap();
        assert_eq!(
            found,
            BTreeMap::from([("alpha".into(), words(&["src/a.rs"]))])
        );

        std::fs::rename(&checkout, home.path().join("elsewhere")).unwrap();
        let again = Survey::of(site.clone()).unwrap();
        assert_eq!(again.facts.files, ["b.txt", "src/a.rs"]);
        assert_eq!(again.search(&asked).unwrap(), found);
        let more = Survey::of(site.clone()).unwrap();
        more.search(&words(&["beta"])).unwrap_err();

        let moved = Site {
            tip: CommitId::new("0".repeat(40)),
            ..site.clone()
        };
        Survey::of(moved).unwrap_err();
        std::fs::write(&site.kept_in, "{").unwrap();
        Survey::of(site).unwrap_err();
    }
}
