//! The folder of a demo: a bare remote, clones, a configuration, state folders, five issues.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_config::Config;
use coord_core::assignment::MergeMethod;
use coord_core::ids::RepoName;
use coord_engine::EngineError;
use coord_forge::{Forge, ForgeError, NewIssue};
use coord_git::{GitError, scratch};
use coord_store::Store;
use serde_json::{Value, json};

use super::scenario::{Scenario, TEST_COMMAND};
use super::{Play, SIMULATED_WORKER};
use crate::failure::{Failure, io};
use crate::printer::Printer;

/// The default branch.
const BRANCH: &str = "main";

/// The name of the repository in the demo's configuration.
pub(crate) fn repo() -> RepoName {
    RepoName::from("greetings")
}

/// A failure of the demo's forge.
pub(crate) fn forge_failed(source: ForgeError) -> Failure {
    EngineError::Forge {
        repo: repo(),
        source,
    }
    .into()
}

/// How everything is merged.
pub(crate) const METHOD: MergeMethod = MergeMethod::Squash;

/// One machine of a demo: all of them are this one.
pub(crate) struct Place {
    pub(crate) machine: &'static str,
    /// The name of its checkout in the folder.
    checkout: &'static str,
    /// The name of its state folder there.
    home: &'static str,
}

/// Where the coordinator works too.
const HERE: Place = Place {
    machine: "here",
    checkout: "project",
    home: "home",
};

/// As good as another machine: an agent, a checkout and a state folder of its own.
const THERE: Place = Place {
    machine: "there",
    checkout: "project-there",
    home: "home-there",
};

/// A demo's folder, ready to work in.
pub(crate) struct Project {
    pub(crate) scenario: &'static Scenario,
    pub(crate) dir: PathBuf,
    pub(crate) home: PathBuf,
    /// Where the full demo gives its workers their cues.
    pub(crate) stage: PathBuf,
    pub(crate) config: Config,
    pub(crate) store: Store,
}

impl Project {
    /// Makes what is missing: a folder in which an earlier demo was cut short is completed.
    pub(crate) async fn open(dir: &Path, play: Play, delay: Duration) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(io(dir))?;
        refuse_foreign(dir)?;
        let (home, stage) = (dir.join(HERE.home), dir.join("stage"));
        fs::create_dir_all(&home).map_err(io(&home))?;
        fs::create_dir_all(&stage).map_err(io(&stage))?;
        let scratch = dir.to_owned();
        let created = tokio::task::spawn_blocking(move || checkouts(&scratch, play));
        let created = created
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        created.map_err(|error| Failure::of(&error, error.hint()))?;
        let file = dir.join("coordinator.yml");
        if !file.exists() {
            write(&file, &configuration(dir, play, delay)?)?;
        }
        let config = coord_config::load(&file, None)?;
        if config.machines.len() != places(play).len() {
            return Err(Failure::usage(format!(
                "`{}` is the folder of another demo",
                dir.display()
            ))
            .with_hint("`coord demo` and `coord demo --full` need a folder each"));
        }
        let store = Store::open(home.join("coord.db")).await?;
        Ok(Self {
            scenario: play.scenario(),
            dir: dir.to_owned(),
            home,
            stage,
            config,
            store,
        })
    }

    /// The machines, each with the state folder of its agent.
    pub(crate) fn agents(&self, play: Play) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let dir = self.dir.clone();
        let places = places(play).iter();
        places.map(move |place| (place.machine, dir.join(place.home)))
    }

    /// Says how to go on by hand.
    pub(crate) fn explain(&self, printer: Printer) {
        let dir = self.dir.display();
        printer.line(format_args!(
            "the project is in {dir}/project, its remote in {dir}/remote.git\n\n\
             export COORD_HOME='{dir}/home' COORD_CONFIG='{dir}/coordinator.yml'\n\
             coord issue list\n\
             coord up &\n\
             coord assign --wait here greetings 1\n\
             coord resume"
        ));
    }
}

const fn places(play: Play) -> &'static [Place] {
    match play {
        Play::Plain | Play::Claude => &[HERE],
        Play::Full => &[HERE, THERE],
    }
}

fn checkouts(dir: &Path, play: Play) -> Result<(), GitError> {
    scratch::create(dir, BRANCH, play.scenario().files)?;
    for place in places(play).iter().skip(1) {
        scratch::create_clone(dir, place.checkout, BRANCH)?;
    }
    Ok(())
}

/// A folder with other things in it is not ours to fill.
fn refuse_foreign(dir: &Path) -> Result<(), Failure> {
    const OURS: [&str; 9] = [
        HERE.home,
        HERE.checkout,
        THERE.home,
        THERE.checkout,
        "stage",
        "remote.git",
        "coordinator.yml",
        "coordinator.yml.new",
        "workers.log",
    ];
    let entries = fs::read_dir(dir).map_err(io(dir))?;
    for entry in entries {
        let name = entry.map_err(io(dir))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) && !name.to_string_lossy().starts_with(".scratch")
        {
            return Err(Failure::usage(format!(
                "`{}` is not the folder of a demo: it holds `{}`",
                dir.display(),
                name.to_string_lossy()
            ))
            .with_hint("give --dir an empty folder, or one that does not exist"));
        }
    }
    Ok(())
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let new = path.with_extension("yml.new");
    fs::write(&new, text).map_err(io(&new))?;
    fs::rename(&new, path).map_err(io(path))
}

fn configuration(dir: &Path, play: Play, delay: Duration) -> Result<String, Failure> {
    let machines: Result<Vec<Value>, Failure> = places(play)
        .iter()
        .map(|place| {
            Ok(
                json!({"name": place.machine, "host": "127.0.0.1", "port": free_port()?,
                "repos": [repo()], "repo_paths": {"greetings": dir.join(place.checkout)},
                "max_workers": 5}),
            )
        })
        .collect();
    let machines: Vec<String> = machines?.iter().map(|it| format!("  - {it}\n")).collect();
    // JSON is YAML, and escapes whatever stands in a path.
    Ok(format!(
        "# Written by `coord demo`.\n\
         repos:\n  - name: {repo}\n    forge: local\n    default_branch: {BRANCH}\n    test_command: {test}\n\n\
         machines:\n{machines}\n\
         concurrency:\n  max_workers: 5\n  stagger_seconds: 0\n  backoff_base: 2\n\n\
         {pipeline}\n\
         worker:\n  command: {command}\n  grace_seconds: 2\n",
        repo = repo(),
        test = json!(TEST_COMMAND),
        machines = machines.concat(),
        pipeline = pipeline(play),
        command = command(dir, play, delay)?,
    ))
}

const fn pipeline(play: Play) -> &'static str {
    match play {
        Play::Plain | Play::Claude => {
            "pipeline:\n  gates: [test]\n  goal: merged\n  merge_method: squash\n"
        }
        Play::Full => {
            "pipeline:\n  gates: [test, review, ci]\n  goal: merged\n  merge_method: squash\n  \
             pull_requests: worker\n\n\
             reviews:\n  enabled: true\n  auto_dispatch: true\n  require_approval: true\n"
        }
    }
}

fn command(dir: &Path, play: Play, delay: Duration) -> Result<Value, Failure> {
    let coord = std::env::current_exe().map_err(io("the path of this program"))?;
    let delay = delay.as_millis().to_string();
    let trace = dir.join("workers.log");
    let simulated = json!([
        coord,
        SIMULATED_WORKER,
        "--delay-ms",
        delay,
        "--trace",
        trace
    ]);
    Ok(match play {
        Play::Claude => json!(["claude"]),
        Play::Plain => simulated,
        Play::Full => {
            let mut command = simulated;
            if let Some(words) = command.as_array_mut() {
                words.extend([json!("--stage"), json!(dir.join("stage"))]);
            }
            command
        }
    })
}

/// A port that nobody listens on just now.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("the loopback network"))?;
    Ok(listener
        .local_addr()
        .map_err(io("the loopback network"))?
        .port())
}

/// Opens the issues that are not there yet; on a forge of its own they get the numbers 1 to 5.
pub(crate) async fn open_issues(forge: &dyn Forge, play: Play) -> Result<(), Failure> {
    for (number, issue) in (1..).zip(play.scenario().issues) {
        if forge.issue(number).await.map_err(forge_failed)?.is_none() {
            let new = NewIssue {
                title: issue.title.to_owned(),
                body: issue.body(play.is_simulated()),
                labels: Vec::new(),
                key: None,
            };
            forge.create_issue(new).await.map_err(forge_failed)?;
        }
    }
    Ok(())
}
