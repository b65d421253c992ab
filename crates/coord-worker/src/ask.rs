//! One question to a model, and its answer in a JSON schema: a worker that nobody assigns anything
//! to. It reads files at most, and what its answer is worth is decided elsewhere.
//!
//! It is held by a supervisor like every worker. Unlike a worker it does not outlive whoever asked:
//! when the question is dropped its processes end, and those of an asker that was killed end with the
//! next question, or at their time limit.

mod end;
mod place;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_supervisor::files;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::argv::{ArgvError, ClaudeCommand, Permissions, Session};
use crate::environment::{self, Source};
use crate::held::{Ended, Held, HeldError};
use crate::launch::{LaunchError, LaunchSpec, Limits, Stdin, Supervisor, launch};
use crate::outcome::{answered, classify};
use crate::summary::{Answer as Kept, Folder, Summary};
use crate::tail::{LogFollower, LogWatcher, TailError};
use crate::text;

use place::Place;

/// Between asking it to end and killing it: it has nothing to save.
const GRACE: Duration = Duration::from_secs(2);
/// How long it may stay after its answer.
const HUNG: Duration = Duration::from_secs(5);
/// The longest silence before its first line.
const FIRST_OUTPUT: Duration = Duration::from_secs(120);
/// The longest description of what it does, in bytes.
const ACTIVITY: usize = 120;
/// After `--tools ""` it has no tool but the one that takes the answer (measured with 2.1.330).
const WITHOUT_TOOLS: [&str; 3] = ["--restricted", "--tools", ""];

/// What is asked, and of whom.
#[derive(Debug, Clone)]
pub struct Question {
    /// The program and its leading arguments, e.g. `["claude"]`.
    pub program: Vec<String>,
    /// Further arguments of the configuration.
    pub extra_args: Vec<String>,
    /// Which settings the CLI reads, e.g. `user`.
    pub setting_sources: String,
    /// The model alias or name; `None` leaves it to the CLI.
    pub model: Option<String>,
    /// A new session, or an earlier one that goes on.
    pub session: Session,
    /// What that session has cost before, in US dollars.
    pub before_usd: f64,
    /// The question.
    pub prompt: String,
    /// The JSON schema of the answer.
    pub schema: Value,
    /// The folder that it may read; `None`: it has no tools.
    pub folder: Option<PathBuf>,
    /// US dollars after which the CLI gives up.
    pub max_budget_usd: Option<f64>,
    /// After which it is ended.
    pub limit: Duration,
    /// The asker's environment. What a worker must not have is left out.
    pub env: BTreeMap<String, String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer in the schema; untrusted.
    pub value: Result<Value, NoAnswer>,
    /// The session, for a further question.
    pub session: Option<String>,
    /// The full name of the model.
    pub model: Option<String>,
    /// US dollars of this question alone, as well as they are known.
    pub cost_usd: f64,
}

/// Why there is no answer although the program ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It ended well and did not answer in the schema: asking again may help.
    NotInSchema {
        /// The beginning of what it said instead; untrusted.
        said: String,
    },
    /// It did not end well.
    Failed {
        /// What kind of failure.
        class: FailureClass,
        /// Why, in one line; untrusted.
        error: String,
    },
}

/// What it does at the moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AskProgress {
    /// Messages of the model so far.
    pub turns: u32,
    /// US dollars of this question so far, estimated.
    pub cost_usd: f64,
    /// What it was seen to do last, in one line; untrusted.
    pub activity: Option<String>,
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No command line can be made of it.
    #[error("the question cannot be put on a command line")]
    Argv(#[from] ArgvError),
    /// The folder of the question cannot be used.
    #[error("cannot use the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program was not started.
    #[error("it was not started")]
    Launch(#[from] LaunchError),
    /// What it does cannot be told.
    #[error("cannot follow it")]
    Held(#[from] HeldError),
    /// What it says cannot be read.
    #[error("cannot read what it says")]
    Log(#[from] TailError),
}

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who holds the processes.
    pub supervisor: Supervisor,
    /// Where the folders of questions are.
    pub home: PathBuf,
}

impl Asker {
    /// Asks, and waits for the answer. Dropped before that, it ends what it has started, which takes
    /// a few seconds at most.
    ///
    /// # Errors
    /// When nothing could be asked. A program that fails is a [`NoAnswer`].
    pub async fn ask(
        &self,
        question: Question,
        mut show: impl FnMut(AskProgress),
    ) -> Result<Answer, AskError> {
        end::sweep(&self.home).await;
        let place = Place::make(&self.home)?;
        let before_usd = question.before_usd;
        let spec = spec(&place, question)?;
        let held = launch(&self.supervisor, &spec).await?;
        let mut run = Run::of(&place, before_usd);
        let ended = run.follow(&held, &mut show).await?;
        if let Ended::Vanished(left) = &ended {
            left.end_leftovers().await?;
        }
        let stderr = end::stderr_tail(place.dir());
        let summary = run.folder.summary();
        let outcome = classify(summary, &end::facts(&ended, stderr));
        Ok(Answer {
            value: value(summary, answered(outcome, summary)),
            session: summary.session_id.clone(),
            model: summary.model.clone(),
            cost_usd: (summary.spend.best_usd() - before_usd).max(0.0),
        })
        // The place goes with everything that may still be in it.
    }
}

fn spec(place: &Place, question: Question) -> Result<LaunchSpec, ArgvError> {
    let environment = environment::environment(Source {
        parent: &question.env,
        request: &BTreeMap::new(),
        bypass_as_root: false,
    });
    let (cwd, permissions, without) = match question.folder {
        Some(folder) => (folder, Permissions::Reading, &[][..]),
        None => {
            let nothing = Permissions::Only {
                allow: Vec::new(),
                deny: Vec::new(),
            };
            (place.empty(), nothing, &WITHOUT_TOOLS[..])
        }
    };
    let own = without.iter().map(|arg| (*arg).to_owned());
    let command = ClaudeCommand {
        program: question.program,
        session: question.session,
        model: question.model,
        permissions,
        setting_sources: question.setting_sources,
        max_budget_usd: question.max_budget_usd,
        system_prompt: None,
        output_schema: Some(question.schema.to_string()),
        steerable: false,
        settings: Map::new(),
        hooks: None,
        extra_args: question.extra_args.into_iter().chain(own).collect(),
    };
    Ok(LaunchSpec {
        dir: place.dir().to_owned(),
        argv: command.argv()?.into_iter().map(OsString::from).collect(),
        cwd,
        env: environment
            .vars
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect(),
        stdin: Stdin::File(command.stdin(&question.prompt)),
        header: Vec::new(),
        limits: Limits {
            grace: GRACE,
            first_output: Some(FIRST_OUTPUT).filter(|it| *it < question.limit),
            stall: None,
            timeout: Some(question.limit),
            hung_after_result: Some(HUNG),
        },
    })
}

/// A run that is read as it goes.
struct Run {
    folder: Folder,
    log: LogFollower,
    over: watch::Sender<bool>,
    before_usd: f64,
}

impl Run {
    fn of(place: &Place, before_usd: f64) -> Self {
        let (over, is_over) = watch::channel(false);
        let log = place.dir().join(files::LOG);
        Self {
            folder: Folder::default().after_runs_that_cost(before_usd),
            log: LogWatcher::new().follow(&log, 0, is_over),
            over,
            before_usd,
        }
    }

    /// Reads the log to its end, which comes after that of the processes.
    async fn follow(
        &mut self,
        held: &Held,
        show: &mut impl FnMut(AskProgress),
    ) -> Result<Ended, AskError> {
        let mut ended = None;
        let mut shown = AskProgress::default();
        let end = held.wait();
        tokio::pin!(end);
        loop {
            tokio::select! {
                how = &mut end, if ended.is_none() => {
                    ended = Some(how?);
                    self.over.send_replace(true);
                }
                chunk = self.log.next() => match (chunk?, &ended) {
                    (Some(chunk), _) => self.folder.feed(&chunk.bytes),
                    (None, Some(_)) => break,
                    (None, None) => {}
                },
            }
            let now = self.progress();
            if now != shown {
                show(now.clone());
                shown = now;
            }
        }
        self.folder.finish();
        match ended {
            Some(ended) => Ok(ended),
            None => Ok(held.wait().await?),
        }
    }

    fn progress(&self) -> AskProgress {
        let summary = self.folder.summary();
        let activity = summary.activity.as_deref();
        AskProgress {
            turns: summary.turns,
            cost_usd: (summary.spend.so_far_usd() - self.before_usd).max(0.0),
            activity: activity.map(|it| text::line(it.trim_end_matches(':'), ACTIVITY)),
        }
    }
}

fn value(summary: &Summary, outcome: crate::outcome::RunOutcome) -> Result<Value, NoAnswer> {
    let last = summary.last_result.as_ref();
    let kept = last.and_then(|result| result.answer.as_ref());
    match (outcome.result, kept) {
        (WorkerResult::Done, Some(Kept::Whole(value))) => Ok(value.clone()),
        (WorkerResult::Failed(FailureClass::Work), _) if last.is_some_and(|it| !it.is_error) => {
            let said = last.map(|it| it.text.clone()).unwrap_or_default();
            Err(NoAnswer::NotInSchema { said })
        }
        (WorkerResult::Failed(class), _) => Err(NoAnswer::Failed {
            class,
            error: outcome.error.unwrap_or_default(),
        }),
        (WorkerResult::Done | WorkerResult::Cancelled, _) => Err(NoAnswer::Failed {
            class: FailureClass::Environmental { retry_at: None },
            error: "somebody stopped it".to_owned(),
        }),
    }
}

/// Whether the program could be started: it is looked for as the supervisor does.
#[must_use]
pub fn is_installed(program: &[String], env: &BTreeMap<String, String>) -> bool {
    let Some(name) = program.first() else {
        return false;
    };
    let is_program = |path: &Path| {
        let access = rustix::fs::access(path, rustix::fs::Access::EXEC_OK);
        access.is_ok() && path.is_file()
    };
    if name.contains('/') {
        return is_program(Path::new(name));
    }
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    std::env::split_paths(path).any(|folder| is_program(&folder.join(name)))
}
