//! The steps of rounds and sessions that are over: reports, proven issues, a person's commands,
//! checkouts. Each is an effect of its own with its outcome in the log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, IssueRef, RepoName, Timestamp};
use coord_core::issue::IssueState;
use coord_core::session::{Occasion, Step, StepResult, Summary};
use coord_forge::{ForgeError, PullState};
use coord_git::{FastForward, Repo, fast_forward};
use tokio::fs::File;

use crate::effects::{Later, blocking};
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
use crate::shell::{Ended, Shell};

/// Work that may be in its base branch, although its issue may still be open.
struct Candidate {
    issue: IssueRef,
    branch: String,
    head: CommitId,
}

impl Engine {
    pub(crate) async fn run_step(
        &self,
        seq: u64,
        place: u32,
        what: &Step,
    ) -> Result<Outcome, Later> {
        let summary = self.summary(seq).await.map_err(Later::new)?;
        let Some(summary) = summary else {
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error: format!("no round or session ended with event {seq}"),
            });
        };
        let result = match what {
            Step::SummaryReport => self.write_report(&summary).await,
            Step::CloseMergedIssues => self.close_merged(&summary).await?,
            Step::Command {
                command,
                timeout_seconds,
            } => {
                let shell = Shell {
                    command,
                    folder: &self.0.folder,
                    env: None,
                    stdin: event_json(&summary),
                    limit: Duration::from_secs(*timeout_seconds),
                };
                self.run_command(&shell, &summary, place).await
            }
            Step::Pull { repo } => self.pull(repo).await?,
            Step::InCheckout {
                repo,
                command,
                timeout_seconds,
            } => match self.checkout(repo) {
                None => no_checkout(repo),
                Some(folder) => {
                    let shell = Shell {
                        command,
                        folder: &folder,
                        env: None,
                        stdin: Vec::new(),
                        limit: Duration::from_secs(*timeout_seconds),
                    };
                    self.run_command(&shell, &summary, place).await
                }
            },
        };
        Ok(Outcome::StepEnded { result })
    }

    async fn write_report(&self, summary: &Summary) -> StepResult {
        let file = self.step_file(summary, "md");
        match write(&file, summary.report(&date_time).as_bytes()).await {
            Ok(()) => StepResult {
                file: Some(file.display().to_string()),
                ..done(summary.overview())
            },
            Err(error) => failed(format!("`{}` cannot be written: {error}", file.display())),
        }
    }

    /// `<home>/sessions/session-412.md`.
    fn step_file(&self, summary: &Summary, rest: &str) -> PathBuf {
        let what = match summary.occasion {
            Occasion::RoundComplete => "round",
            Occasion::SessionEnd => "session",
        };
        let name = format!("{what}-{}.{rest}", summary.seq);
        self.0.home.join("sessions").join(name)
    }

    async fn run_command(&self, shell: &Shell<'_>, summary: &Summary, place: u32) -> StepResult {
        let file = self.step_file(summary, &format!("{place}.log"));
        let ran = async {
            write(&file, b"").await?;
            shell.run(&mut File::create(&file).await?).await
        };
        let result = match ran.await {
            Ok(Ended::Exited { status, last }) if status.success() => done(last),
            Ok(Ended::Exited { status, last }) => {
                let code = status.code().map(|code| format!("code {code}"));
                let code = code.unwrap_or_else(|| "a signal".to_owned());
                failed(format!("it ended with {code}: {last}"))
            }
            Ok(Ended::TimedOut) => failed(format!(
                "it was stopped: the limit of {} s was up",
                shell.limit.as_secs()
            )),
            Err(error) => return failed(format!("it could not be run: {error}")),
        };
        StepResult {
            file: Some(file.display().to_string()),
            ..result
        }
    }

    /// Closes the open issues whose work both the forge and the base branch have.
    async fn close_merged(&self, summary: &Summary) -> Result<StepResult, Later> {
        let (mut closed, mut left) = (Vec::new(), Vec::new());
        for it in self.candidates(summary).await.map_err(Later::new)? {
            match self.close_if_merged(&it).await {
                Ok(Some(commit)) => closed.push(format!("{} (in {})", it.issue, commit.short())),
                Ok(None) => {}
                // Whoever closes the session is there to put it right; nothing waits for that.
                Err(EngineError::Forge {
                    source: source @ ForgeError::Auth { .. },
                    ..
                }) => left.push(format!("{}: {}", it.issue, with_causes(&source))),
                Err(error) => match self.forge_failed(&it.issue.repo, error)? {
                    Outcome::Failed { error, .. } => left.push(format!("{}: {error}", it.issue)),
                    other => left.push(format!("{}: {other:?}", it.issue)),
                },
            }
        }
        let mut note = match closed.is_empty() {
            true => "no merged issue was open".to_owned(),
            false => format!("closed {}", closed.join(", ")),
        };
        if left.is_empty() {
            return Ok(done(note));
        }
        note.push_str("; could not look at ");
        note.push_str(&left.join("; "));
        Ok(failed(note))
    }

    /// What has commits and is on the board, and what was merged in the round or session. Nobody
    /// closes an issue that somebody works on again.
    async fn candidates(&self, summary: &Summary) -> Result<Vec<Candidate>, EngineError> {
        let board = self.store().board().await?;
        let merged = summary.merged.iter().map(|it| &it.id);
        let ids: BTreeSet<&AssignmentId> = board.assignments.keys().chain(merged).collect();
        let mut candidates = Vec::new();
        for id in ids {
            let Some(it) = self.store().assignment(id).await? else {
                continue;
            };
            let is_at_work = board.of_issue(&it.issue).any(|it| it.state.is_active());
            if let (Some(work), false) = (it.deliverable(), is_at_work) {
                candidates.push(Candidate {
                    issue: it.issue.clone(),
                    branch: work.branch.to_owned(),
                    head: work.head.clone(),
                });
            }
        }
        Ok(candidates)
    }

    /// The commit that proves it, where this call has closed the issue.
    async fn close_if_merged(&self, it: &Candidate) -> Result<Option<CommitId>, EngineError> {
        let repo = &it.issue.repo;
        let forge = self.forge(repo)?;
        let failed = EngineError::forge(repo);
        let issue = forge.issue(it.issue.number).await.map_err(&failed)?;
        if issue.is_none_or(|issue| issue.state == IssueState::Closed) {
            return Ok(None);
        }
        let pull = forge.pull_for_branch(&it.branch).await.map_err(&failed)?;
        let merged = pull.filter(|pull| pull.head.as_ref() == Some(&it.head));
        let Some((base, commit)) = merged.and_then(|pull| match pull.state {
            PullState::Merged { commit } => Some((pull.base, commit)),
            PullState::Open | PullState::Closed => None,
        }) else {
            return Ok(None);
        };
        // Merged elsewhere, or taken out of the base branch again, is not merged.
        let compared = forge.compare(&base, commit.as_str()).await;
        let is_there = compared.map_err(&failed)?.ahead == 0;
        if is_there && base == self.default_branch(repo).await? {
            self.close_there(&it.issue).await?;
            return Ok(Some(commit));
        }
        Ok(None)
    }

    async fn pull(&self, repo: &RepoName) -> Result<StepResult, Later> {
        let Some(path) = self.checkout(repo) else {
            return Ok(no_checkout(repo));
        };
        let policy = self.policy().repos.get(repo);
        let branch = policy.and_then(|it| it.default_branch.clone());
        let forward = move || {
            let repo = Repo::open(&path)?;
            fast_forward(&repo, branch.as_deref())
        };
        Ok(match blocking(forward).await? {
            Ok(came_to) => done(pulled(&came_to)),
            Err(error) => failed(with_causes(&error)),
        })
    }

    fn checkout(&self, repo: &RepoName) -> Option<PathBuf> {
        self.0.repos.get(repo)?.path.clone()
    }
}

/// What a hook's command reads: the event with all that is known of it.
fn event_json(summary: &Summary) -> Vec<u8> {
    let event = serde_json::json!({
        "event": summary.occasion,
        "seq": summary.seq,
        "at": summary.until,
        "summary": summary,
    });
    let mut text = event.to_string().into_bytes();
    text.push(b'\n');
    text
}

fn pulled(came_to: &FastForward) -> String {
    match came_to {
        FastForward::Moved { from, to } => format!("{} → {}", from.short(), to.short()),
        FastForward::Current => "it is up to date".to_owned(),
        FastForward::Dirty => "left as it is: it has changes that are not committed".to_owned(),
        FastForward::InTheWay { why } => format!("left as it is: {why}"),
        FastForward::OtherBranch { name: Some(name) } => {
            format!("left as it is: `{name}` is checked out")
        }
        FastForward::OtherBranch { name: None } => {
            "left as it is: no branch is checked out".to_owned()
        }
        FastForward::Diverged => "left as it is: it has commits of its own".to_owned(),
        FastForward::NoRemote => "there is no remote to get anything from".to_owned(),
        FastForward::NoCheckout => "it is bare: nothing is checked out".to_owned(),
    }
}

fn done(note: String) -> StepResult {
    StepResult {
        ok: true,
        note,
        file: None,
    }
}

fn failed(note: String) -> StepResult {
    StepResult {
        ok: false,
        ..done(note)
    }
}

fn no_checkout(repo: &RepoName) -> StepResult {
    failed(format!("this machine has no checkout of `{repo}`"))
}

async fn write(file: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(file, text).await
}

/// In the time zone of the machine, for a file that a person reads later.
fn date_time(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis());
    let zoned = at
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}
