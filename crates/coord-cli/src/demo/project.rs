//! The folder of a demo: a bare remote, a clone, a configuration, a state folder, five issues.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_config::Config;
use coord_core::ids::RepoName;
use coord_engine::EngineError;
use coord_forge::{Forge, ForgeError, NewIssue};
use coord_store::Store;
use serde_json::json;

use super::{SIMULATED_WORKER, scenario};
use crate::failure::{Failure, io};
use crate::printer::Printer;

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

/// A demo's folder, ready to work in.
pub(crate) struct Project {
    pub(crate) dir: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) config: Config,
    pub(crate) store: Store,
}

impl Project {
    /// Makes what is missing: a folder in which an earlier demo was cut short is completed.
    pub(crate) async fn open(dir: &Path, claude: bool, delay: Duration) -> Result<Self, Failure> {
        fs::create_dir_all(dir).map_err(io(dir))?;
        refuse_foreign(dir)?;
        let home = dir.join("home");
        fs::create_dir_all(&home).map_err(io(&home))?;
        let scratch = dir.to_owned();
        let created = tokio::task::spawn_blocking(move || {
            coord_git::scratch::create(&scratch, "main", scenario::FILES)
        });
        let created = created
            .await
            .map_err(|error| Failure::failed(error.to_string()))?;
        created.map_err(|error| Failure::of(&error, error.hint()))?;
        let file = dir.join("coordinator.yml");
        if !file.exists() {
            write(&file, &configuration(dir, claude, delay)?)?;
        }
        let config = coord_config::load(&file, None)?;
        let store = Store::open(home.join("coord.db")).await?;
        Ok(Self {
            dir: dir.to_owned(),
            home,
            config,
            store,
        })
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

/// A folder with other things in it is not ours to fill.
fn refuse_foreign(dir: &Path) -> Result<(), Failure> {
    const OURS: [&str; 6] = [
        "home",
        "project",
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

fn configuration(dir: &Path, claude: bool, delay: Duration) -> Result<String, Failure> {
    let coord = std::env::current_exe().map_err(io("the path of this program"))?;
    let command = if claude {
        json!(["claude"])
    } else {
        let delay = delay.as_millis().to_string();
        json!([
            coord,
            SIMULATED_WORKER,
            "--delay-ms",
            delay,
            "--trace",
            dir.join("workers.log")
        ])
    };
    // JSON is YAML, and escapes whatever stands in a path.
    Ok(format!(
        "# Written by `coord demo`.\n\
         repos:\n  - name: {repo}\n    forge: local\n    default_branch: main\n    test_command: {test}\n\n\
         machines:\n  - name: here\n    host: 127.0.0.1\n    port: {port}\n    repos: [{repo}]\n    \
         repo_paths: {paths}\n    max_workers: 5\n\n\
         concurrency:\n  max_workers: 5\n  stagger_seconds: 0\n  backoff_base: 2\n\n\
         pipeline:\n  gates: [test]\n  goal: merged\n  merge_method: squash\n\n\
         worker:\n  command: {command}\n  grace_seconds: 2\n",
        repo = repo(),
        test = json!(scenario::TEST_COMMAND),
        port = free_port()?,
        paths = json!({"greetings": dir.join("project")}),
    ))
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
pub(crate) async fn open_issues(forge: &dyn Forge, simulated: bool) -> Result<(), Failure> {
    for (number, issue) in (1..).zip(scenario::ISSUES) {
        if forge.issue(number).await.map_err(forge_failed)?.is_none() {
            let new = NewIssue {
                title: issue.title.to_owned(),
                body: issue.body(simulated),
                labels: Vec::new(),
            };
            forge.create_issue(new).await.map_err(forge_failed)?;
        }
    }
    Ok(())
}
