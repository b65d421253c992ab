//! Which files an issue is about: what it names and where its symbols stand, else what was changed
//! when something similar was done.
//!
//! A guess is a lease: what it takes nobody else gets at the same time. So it holds files and folders
//! that exist, few of them, and nothing where there is nothing to go by.

mod history;
mod index;

use std::collections::BTreeSet;

use coord_core::issue::Issue;
use coord_core::scope::Glob;

use crate::facts::RepoFacts;
use crate::mention::Mentions;
use crate::text;
use history::History;
use index::Index;

/// How many globs a guess has.
const MOST: usize = 8;
/// How long the path of a file may be, in bytes.
const LONGEST: usize = 300;

/// What can be found out about the files of a repository; made once, asked for every issue.
pub(crate) struct Guesser<'a> {
    facts: &'a RepoFacts,
    index: Index<'a>,
    history: History<'a>,
    forbidden: &'a [Glob],
}

/// Globs without wildcards, sorted, none inside of another; and why these.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) files: Vec<String>,
    /// After "files": "named in the issue; where `Cart` stands".
    pub(crate) because: Vec<String>,
}

impl<'a> Guesser<'a> {
    /// `forbidden`: what no worker may change.
    pub(crate) fn new(facts: &'a RepoFacts, forbidden: &'a [Glob]) -> Self {
        let index = Index::new(&facts.files);
        let history = History::new(&facts.changes);
        Self {
            facts,
            index,
            history,
            forbidden,
        }
    }

    pub(crate) fn guess(&self, issue: &Issue) -> Guess {
        let mentions = Mentions::of(issue);
        let mut guess = Guess::default();
        let named = mentions.paths.iter().flat_map(|it| self.index.named(it));
        self.add(&mut guess, named.collect(), || {
            "named in the issue".to_owned()
        });
        for word in &mentions.symbols {
            let found = self.symbol(word);
            self.add(&mut guess, found, || format!("where `{word}` stands"));
        }
        if guess.files.is_empty()
            && let Some((change, files)) = self.history.similar(&issue.title)
        {
            let still_there = files.into_iter().filter(|it| self.index.has(it));
            let found = still_there.map(str::to_owned).collect();
            let subject = text::line(&change.subject, 80);
            self.add(&mut guess, found, || format!("as in “{subject}”"));
        }
        let all: BTreeSet<String> = guess.files.iter().cloned().collect();
        guess.files = all.into_iter().collect();
        guess
    }

    /// The files that are about a symbol: those that are called like it, else all that hold it, where
    /// these are few.
    fn symbol(&self, word: &str) -> Vec<String> {
        let called = self.index.called(word);
        let held = self.facts.symbols.get(word);
        let holds = |it: &&str| held.is_none_or(|held| held.iter().any(|path| path == *it));
        let both: Vec<String> = called
            .into_iter()
            .filter(holds)
            .map(str::to_owned)
            .collect();
        match held {
            _ if !both.is_empty() => few(both),
            None => both,
            Some(held) => {
                let there = held.iter().filter(|it| self.index.has(it));
                few(there.cloned().collect())
            }
        }
    }

    /// Adds what is new of `found`.
    fn add(&self, guess: &mut Guess, found: Vec<String>, why: impl Fn() -> String) {
        let mut used = false;
        for path in found {
            if !is_plain(&path) || self.forbidden.iter().any(|glob| glob.matches(&path)) {
                continue;
            }
            let covered = guess.files.iter().any(|it| covers(it, &path));
            if !covered {
                guess.files.retain(|it| !covers(&path, it));
                if guess.files.len() == MOST {
                    break;
                }
                guess.files.push(path);
                used = true;
            }
        }
        if used {
            guess.because.push(why());
        }
    }
}

/// What is in many places is about none of them.
fn few(paths: Vec<String>) -> Vec<String> {
    match paths.len() {
        0..=3 => paths,
        _ => Vec::new(),
    }
}

/// Whether a file or folder (which ends with `/`) is the other or holds it.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    outer == inner || (outer.ends_with('/') && inner.starts_with(outer))
}

/// Whether the path means itself when it is read as a glob, and may be proposed.
fn is_plain(path: &str) -> bool {
    path.len() <= LONGEST
        && !path.starts_with(['/', '~', '\\'])
        && !path.contains(['*', '?'])
        && !path.contains(char::is_control)
        && !path.split('/').any(|name| name == ".." || name == ".")
}

#[cfg(test)]
mod tests;
