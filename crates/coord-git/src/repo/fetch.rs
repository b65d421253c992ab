//! Fetching, shared by everybody who asks at the same time.
//!
//! A caller must see everything that was on the remote when it asked, so it never takes the
//! result of a fetch that was already running: it waits for that one, and then all who waited
//! share one more. Between processes a lock file keeps two fetches from fighting over refs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coord_core::ids::CommitId;

use super::{Repo, commit, refs};
use crate::GitError;
use crate::cli::REMOTE_LIMIT;
use crate::lock::FileLock;

/// How often a fetch is tried that something else in the repository got in the way of, and how
/// long it stands back before each further try.
const ATTEMPTS: u32 = 6;
const STAND_BACK: Duration = Duration::from_millis(20);

type Outcome = Result<(), Arc<GitError>>;

#[derive(Default)]
struct Flight {
    state: Mutex<State>,
    landed: Condvar,
}

/// Fetches are numbered from 1 in the order in which they start.
#[derive(Default)]
struct State {
    started: u64,
    finished: u64,
    last: Option<Outcome>,
}

static FLIGHTS: LazyLock<Mutex<HashMap<PathBuf, Arc<Flight>>>> = LazyLock::new(Mutex::default);

impl Repo {
    /// Fetches from `origin` and forgets branches that it no longer has. Callers in this process
    /// that ask at the same time share one fetch. Without a remote there is nothing to do.
    ///
    /// # Errors
    /// [`GitError::Remote`] when the remote cannot be talked to; [`GitError::Shared`] around it
    /// when another caller ran the fetch.
    pub fn fetch(&self) -> Result<(), GitError> {
        if !self.has_remote()? {
            return Ok(());
        }
        let flight = {
            let mut flights = FLIGHTS.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(flights.entry(self.common_dir.clone()).or_default())
        };
        let ticket = flight.ticket();
        flight
            .join(ticket, || self.fetch_now())
            .map_err(GitError::Shared)
    }

    /// Makes sure that these commits are here: fetches when one is not.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`] when one is on no branch of the remote either, and those of
    /// [`Repo::fetch`].
    pub fn ensure_commits(&self, commits: &[&CommitId]) -> Result<(), GitError> {
        let check = || {
            let gix = self.gix()?;
            commits.iter().try_for_each(|id| commit(&gix, id).map(drop))
        };
        match check() {
            Err(GitError::NoSuchCommit { .. }) => {
                self.fetch()?;
                check()
            }
            checked => checked,
        }
    }

    /// Held while the remote-tracking refs change: git gives up where it finds one locked.
    pub(super) fn remote_lock(&self) -> Result<FileLock, GitError> {
        FileLock::acquire(&self.common_dir.join("coord-remote.lock"))
    }

    fn fetch_now(&self) -> Result<(), GitError> {
        let _lock = self.remote_lock()?;
        let mut result = self.fetch_once();
        for attempt in 1..ATTEMPTS {
            if !result.as_ref().is_err_and(got_in_the_way) {
                break;
            }
            std::thread::sleep(STAND_BACK * attempt);
            result = self.fetch_once();
        }
        result
    }

    fn fetch_once(&self) -> Result<(), GitError> {
        let mut run = self
            .run("fetch")
            .config("fetch.recurseSubmodules=no")
            .config("http.lowSpeedLimit=1000")
            .config("http.lowSpeedTime=60")
            .args([
                "--prune",
                "--quiet",
                "--no-write-fetch-head",
                "--",
                "origin",
            ])
            .limit(REMOTE_LIMIT);
        if refs::ssh_may_ask(&self.gix()?) {
            run = run.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        let output = run.output()?;
        match output.code {
            Some(0) => Ok(()),
            _ => Err(output.remote_failure("fetch")),
        }
    }
}

/// Whether a fetch failed over what somebody else was doing at that moment: a person's own git,
/// which knows nothing of our lock, at the same refs, or a worktree that is just being added and
/// whose HEAD names no commit yet.
fn got_in_the_way(error: &GitError) -> bool {
    const SIGNS: [&str; 3] = [
        "cannot lock ref",
        "unable to update local ref",
        "worktrees/",
    ];
    matches!(error, GitError::Command { stderr, .. } if SIGNS.iter().any(|sign| stderr.contains(sign)))
}

impl Flight {
    /// The number of the first fetch that starts after now.
    fn ticket(&self) -> u64 {
        self.state().started + 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome of a fetch that started after the ticket was taken; runs it if nobody does.
    fn join(&self, ticket: u64, fetch: impl FnOnce() -> Result<(), GitError>) -> Outcome {
        let mut state = self.state();
        loop {
            if state.finished >= ticket
                && let Some(outcome) = &state.last
            {
                return outcome.clone();
            }
            if state.started == state.finished {
                break;
            }
            state = self
                .landed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.started += 1;
        drop(state);
        // Lands even if `fetch` panics, so that nobody waits for ever.
        let mut landing = Landing {
            flight: self,
            outcome: Err(Arc::new(GitError::Command {
                subcommand: "fetch".to_owned(),
                code: None,
                stderr: "it was given up".to_owned(),
            })),
        };
        landing.outcome = fetch().map_err(Arc::new);
        landing.outcome.clone()
    }
}

struct Landing<'a> {
    flight: &'a Flight,
    outcome: Outcome,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.flight.state();
        state.finished = state.started;
        state.last = Some(self.outcome.clone());
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn those_who_ask_during_a_fetch_share_the_next_one() {
        let flight = Flight::default();
        let runs = AtomicUsize::new(0);
        let run = || {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let mut late = Vec::new();
        flight
            .join(flight.ticket(), || {
                late.extend((0..8).map(|_| flight.ticket()));
                run()
            })
            .unwrap();
        std::thread::scope(|scope| {
            for ticket in late {
                let (flight, run) = (&flight, &run);
                scope.spawn(move || flight.join(ticket, run).unwrap());
            }
        });
        assert_eq!(runs.into_inner(), 2);
    }

    #[test]
    fn who_asks_after_a_fetch_gets_a_new_one() {
        let flight = Flight::default();
        let runs = AtomicUsize::new(0);
        for _ in 0..3 {
            let run = || {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            flight.join(flight.ticket(), run).unwrap();
        }
        assert_eq!(runs.into_inner(), 3);
    }

    #[test]
    fn all_who_share_a_fetch_get_its_failure() {
        let flight = Flight::default();
        let (one, two) = (flight.ticket(), flight.ticket());
        flight.join(one, || Err(GitError::Missing)).unwrap_err();
        let shared = flight.join(two, || Ok(())).unwrap_err();
        assert!(matches!(*shared, GitError::Missing));
    }
}
