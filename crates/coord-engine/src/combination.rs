//! Testing what the base branch would be with the entries of the merge queue: the first, the first
//! two and so on. What is red is left out of what is built next, so that it holds up nobody else.

use std::collections::BTreeMap;

use coord_core::effect::{CombinationEntry, Combined, CombinedResult, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_git::{Added, Combination, GitError, Repo};

use crate::effects::{Halt, Later, git};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::testing::{Bench, Log};
use crate::tests_run::{self, TestReport};

/// How often the effect is tried again for tests that cannot be run to their end. One that hangs in
/// a combination only does so every time, and somebody has to hear of it.
const TRIES: u32 = 4;

impl Engine {
    /// `attempts` counts this one.
    pub(crate) async fn test_combination(
        &self,
        repo: &RepoName,
        entries: &[CombinationEntry],
        attempts: u32,
    ) -> Result<Outcome, Later> {
        match self.combined(repo, entries, attempts).await {
            Ok(outcome) => Ok(outcome),
            Err(halt) => halt.settle(),
        }
    }

    async fn combined(
        &self,
        repo: &RepoName,
        entries: &[CombinationEntry],
        attempts: u32,
    ) -> Result<Outcome, Halt> {
        let failed = |error| Halt::from(self.forge_failed(repo, error));
        let bench = self.bench(repo)?;
        let branch = self.default_branch(repo).await.map_err(failed)?;
        let Some(path) = self.repo(repo).map_err(failed)?.path.clone() else {
            let compared = self.only_compared(repo, &branch, entries).await;
            return compared.map_err(failed);
        };
        let (git_repo, base) = git(move || begin(Repo::open(path)?, branch)).await?;
        let mut search = Search {
            engine: self,
            name: repo,
            bench,
            repo: git_repo,
            known: BTreeMap::from([(base.tree().to_owned(), Verdict::Green)]),
            knows_base: false,
            base,
            green: Vec::new(),
            attempts,
        };
        search.learn(entries).await?;
        let results = search.judge_all(entries).await?;
        Ok(Outcome::Combined {
            base: search.base.commit().clone(),
            results,
        })
    }

    /// Without a checkout nothing is built, and without commands nothing would be run on it.
    async fn only_compared(
        &self,
        name: &RepoName,
        branch: &str,
        entries: &[CombinationEntry],
    ) -> Result<Outcome, EngineError> {
        let (forge, failed) = (self.forge(name)?, EngineError::forge(name));
        let Some(base) = forge.branch_head(branch).await.map_err(&failed)? else {
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error: format!("`{name}` has no branch `{branch}`"),
            });
        };
        let mut results = Vec::with_capacity(entries.len());
        for entry in entries {
            let tip = forge.branch_head(&entry.branch).await.map_err(&failed)?;
            let result = match tip {
                Some(head) if head != entry.head => CombinedResult::HeadMoved { head },
                Some(_) | None => CombinedResult::Green { tree: None },
            };
            results.push(result_of(entry, result));
        }
        Ok(Outcome::Combined { base, results })
    }
}

fn begin(repo: Repo, branch: String) -> Result<(Repo, Combination), GitError> {
    repo.fetch()?;
    let tip = repo
        .tip(&branch)?
        .ok_or(GitError::NoSuchBranch { name: branch })?;
    let base = Combination::begin(&repo, &tip)?;
    Ok((repo, base))
}

fn result_of(entry: &CombinationEntry, result: CombinedResult) -> Combined {
    Combined {
        id: entry.id.clone(),
        head: entry.head.clone(),
        result,
    }
}

/// One pass over the entries.
struct Search<'a> {
    engine: &'a Engine,
    name: &'a RepoName,
    /// `None`: there is nothing to run, and everything is green.
    bench: Option<Bench>,
    repo: Repo,
    base: Combination,
    /// What is green so far, in order.
    green: Vec<Green>,
    /// By the tree: the same files are not tested twice. What the base is taken for until somebody
    /// is red on it is in here too.
    known: BTreeMap<String, Verdict>,
    /// Whether the base was tested.
    knows_base: bool,
    attempts: u32,
}

struct Green {
    id: AssignmentId,
    /// The base with this one and every one before it.
    built: Combination,
}

#[derive(Clone)]
enum Verdict {
    Green,
    Red { note: String, output: String },
}

/// Where the branch of an entry is.
enum Place {
    AsTested,
    Elsewhere(CommitId),
    /// Neither the branch nor the commit is anywhere.
    Gone,
}

/// What adding an entry to a combination gave.
enum Built {
    Combination(Combination),
    Conflict(Vec<String>),
}

impl Search<'_> {
    /// The trees of the heads that are green already.
    async fn learn(&mut self, entries: &[CombinationEntry]) -> Result<(), Halt> {
        for entry in entries.iter().filter(|entry| entry.tested) {
            let (repo, head) = (self.repo.clone(), entry.head.clone());
            let tree = git(move || unless_missing(repo.tree_of(&head))).await?;
            self.known.extend(tree.map(|tree| (tree, Verdict::Green)));
        }
        Ok(())
    }

    /// What was found out before a run breaks stands: the entry that it breaks at is the first the
    /// next time, and the one to blame.
    async fn judge_all(&mut self, entries: &[CombinationEntry]) -> Result<Vec<Combined>, Halt> {
        let mut results: Vec<Combined> = Vec::with_capacity(entries.len());
        let mut left = entries.iter();
        for entry in &mut left {
            let result = match self.judge(entry).await {
                Ok(result) => result,
                Err(halt) => {
                    if results.iter().all(|it| it.result == CombinedResult::Later) {
                        return Err(halt);
                    }
                    results.push(result_of(entry, CombinedResult::Later));
                    break;
                }
            };
            results.push(result_of(entry, result));
        }
        results.extend(left.map(|entry| result_of(entry, CombinedResult::Later)));
        Ok(results)
    }

    async fn judge(&mut self, entry: &CombinationEntry) -> Result<CombinedResult, Halt> {
        match self.place(entry).await? {
            Place::AsTested => {}
            Place::Elsewhere(head) => return Ok(CombinedResult::HeadMoved { head }),
            Place::Gone => {
                return Ok(CombinedResult::Red {
                    with: None,
                    note: format!("the branch `{}` is gone, and so is its tip", entry.branch),
                    output: None,
                });
            }
        }
        let onto = self.green.last().map_or(&self.base, |last| &last.built);
        let built = match add(onto, entry).await? {
            Built::Combination(built) => built,
            Built::Conflict(paths) => return self.conflict(entry, paths).await,
        };
        Ok(match self.verdict(&built).await? {
            Verdict::Green => {
                let tree = Some(built.tree().to_owned());
                let id = entry.id.clone();
                self.green.push(Green { id, built });
                CombinedResult::Green { tree }
            }
            Verdict::Red { note, output } => {
                let with = self.partner(entry).await?;
                if with.is_none() {
                    self.base_is_green().await?;
                }
                CombinedResult::Red {
                    with,
                    note,
                    output: Some(output),
                }
            }
        })
    }

    async fn place(&self, entry: &CombinationEntry) -> Result<Place, Halt> {
        let (repo, entry) = (self.repo.clone(), entry.clone());
        git(move || match repo.tip(&entry.branch)? {
            Some(tip) if tip != entry.head => Ok(Place::Elsewhere(tip)),
            Some(_) => Ok(Place::AsTested),
            // Whoever merges it finds out what the forge makes of that.
            None => Ok(match unless_missing(repo.ensure_commits(&[&entry.head]))? {
                Some(()) => Place::AsTested,
                None => Place::Gone,
            }),
        })
        .await
    }

    /// A conflict with the base is the entry's own; one with another entry may pass with that.
    async fn conflict(
        &self,
        entry: &CombinationEntry,
        paths: Vec<String>,
    ) -> Result<CombinedResult, Halt> {
        if self.green.is_empty() {
            return Ok(CombinedResult::Conflict { paths });
        }
        Ok(match add(&self.base, entry).await? {
            Built::Combination(_) => CombinedResult::Later,
            Built::Conflict(paths) => CombinedResult::Conflict { paths },
        })
    }

    /// The first of the green ones that an entry is red with, which is red on top of all of them;
    /// `None` when it is red on the base alone.
    async fn partner(&mut self, entry: &CombinationEntry) -> Result<Option<AssignmentId>, Halt> {
        let base = self.base.clone();
        if self.green.is_empty() || self.is_red(&base, entry).await? {
            return Ok(None);
        }
        // It is green on the first `good` of them, and red on the first `bad`.
        let (mut good, mut bad) = (0, self.green.len());
        while bad - good > 1 {
            let middle = usize::midpoint(good, bad);
            let onto = self.green[middle - 1].built.clone();
            match self.is_red(&onto, entry).await? {
                true => bad = middle,
                false => good = middle,
            }
        }
        Ok(self.green.get(bad - 1).map(|with| with.id.clone()))
    }

    /// Nobody who is red on a base that is red itself is to blame: a person has to look.
    async fn base_is_green(&mut self) -> Result<(), Halt> {
        let Some(bench) = self.bench.as_ref().filter(|_| !self.knows_base) else {
            return Ok(());
        };
        match self.measure(bench, self.base.commit()).await? {
            Verdict::Green => self.knows_base = true,
            Verdict::Red { note, .. } => {
                let base = self.base.commit().short();
                return Err(Halt::Over(Outcome::Failed {
                    class: FailureClass::Work,
                    error: format!("the tests of the base itself are red at {base}: {note}"),
                }));
            }
        }
        Ok(())
    }

    /// What cannot be built without the others says nothing against it.
    async fn is_red(&mut self, onto: &Combination, entry: &CombinationEntry) -> Result<bool, Halt> {
        let built = match add(onto, entry).await? {
            Built::Combination(built) => built,
            Built::Conflict(_) => return Ok(false),
        };
        Ok(matches!(self.verdict(&built).await?, Verdict::Red { .. }))
    }

    async fn verdict(&mut self, built: &Combination) -> Result<Verdict, Halt> {
        if let Some(known) = self.known.get(built.tree()) {
            return Ok(known.clone());
        }
        let verdict = match &self.bench {
            None => Verdict::Green,
            Some(bench) => self.measure(bench, built.commit()).await?,
        };
        self.known.insert(built.tree().to_owned(), verdict.clone());
        Ok(verdict)
    }

    /// Red is what is red twice; what could not be run is tried once more as well. Each time the
    /// worktree is a new one: a run may leave behind what makes the next one red.
    async fn measure(&self, bench: &Bench, commit: &CommitId) -> Result<Verdict, Halt> {
        let path = tests_run::combination_log(&self.engine.0.home, self.name, commit);
        let name = path.display();
        let (mut reds, mut broken) = (0, 0);
        loop {
            let log = Log {
                path: path.clone(),
                append: reds + broken > 0,
            };
            match bench.run(commit, log).await? {
                TestReport::Green { .. } => return Ok(Verdict::Green),
                TestReport::Red { .. } if reds == 0 => reds += 1,
                TestReport::Red { note, output } => {
                    let note = format!("{note} ({name})");
                    return Ok(Verdict::Red { note, output });
                }
                TestReport::Broken { .. } if broken == 0 => broken += 1,
                TestReport::Broken { class, why } => {
                    return Err(self.broken(class, format!("{why} ({name})")));
                }
            }
        }
    }

    fn broken(&self, class: FailureClass, error: String) -> Halt {
        match class {
            FailureClass::Environmental { retry_at } if self.attempts < TRIES => {
                Halt::Later(Later {
                    error,
                    at: retry_at,
                })
            }
            FailureClass::Environmental { .. }
            | FailureClass::Configuration
            | FailureClass::Work => Halt::Over(Outcome::Failed { class, error }),
        }
    }
}

async fn add(onto: &Combination, entry: &CombinationEntry) -> Result<Built, Halt> {
    let (mut built, head, method) = (onto.clone(), entry.head.clone(), entry.method);
    git(move || {
        Ok(match built.add(&head, method)? {
            Added::Built { .. } => Built::Combination(built),
            Added::Conflict { paths } => Built::Conflict(paths),
            Added::Unrelated => Built::Conflict(Vec::new()),
        })
    })
    .await
}

fn unless_missing<T>(found: Result<T, GitError>) -> Result<Option<T>, GitError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(GitError::NoSuchCommit { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
