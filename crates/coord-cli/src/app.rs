//! What commands share: where things are, and an engine put together from the configuration.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coord_agent::find_token;
use coord_config::{Config, ForgeKind, Located};
use coord_core::ids::{MachineName, RepoName};
use coord_engine::{Agents, Engine, RepoContext, ReviewTexts, Setup, SmokeCommand};
use coord_forge::Forge;
use coord_forge_local::LocalForge;
use coord_github::{AppCredentials, CredentialSource, Github, GithubOptions, Trust};
use coord_protocol::{AgentClient, Timeouts};
use coord_store::Store;
use coord_worker::environment::{Source, environment};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Globals;
use crate::exit;
use crate::failure::{Failure, io};
use crate::printer::Printer;

/// The surroundings of one command.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) globals: Globals,
    pub(crate) printer: Printer,
}

/// A configuration with the engine that works by it.
pub(crate) struct Bench {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
}

impl App {
    pub(crate) const fn new(globals: Globals) -> Self {
        let printer = Printer::new(globals.json);
        Self { globals, printer }
    }

    /// `$COORD_HOME`, else `~/.coord`.
    pub(crate) fn home() -> Result<PathBuf, Failure> {
        if let Some(home) = std::env::var_os("COORD_HOME").filter(|home| !home.is_empty()) {
            return std::path::absolute(&home).map_err(io(PathBuf::from(home)));
        }
        user_home().map(|home| home.join(".coord")).ok_or_else(|| {
            Failure::failed("there is no home folder for the state of coord")
                .with_hint("set HOME or COORD_HOME")
        })
    }

    /// Where the configuration is.
    pub(crate) fn locate(&self) -> Result<Located, Failure> {
        let env = std::env::var_os("COORD_CONFIG").filter(|path| !path.is_empty());
        let cwd = std::env::current_dir().map_err(io("."))?;
        let home = user_home();
        coord_config::locate(
            self.globals.config.as_deref(),
            env.as_deref(),
            &cwd,
            home.as_deref(),
        )
        .map_err(|error| Failure::usage(error.to_string()).with_hint(error.hint()))
    }

    /// The configuration, checked and resolved.
    pub(crate) fn config(&self) -> Result<(Located, Config), Failure> {
        let located = self.locate()?;
        let config = coord_config::load(&located.path, user_home().as_deref())?;
        Ok((located, config))
    }

    /// The store of this home.
    pub(crate) async fn store() -> Result<Store, Failure> {
        Ok(Store::open(Self::home()?.join("coord.db")).await?)
    }

    /// Everything that a command which works on the board needs.
    pub(crate) async fn bench(&self) -> Result<Bench, Failure> {
        let (located, config) = self.config()?;
        let home = Self::home()?;
        let store = Self::store().await?;
        let folder = located.path.parent().unwrap_or(Path::new(""));
        let folder = std::path::absolute(folder.join(".")).map_err(io(folder))?;
        let engine = engine(&config, home, folder, store)?;
        Ok(Bench { config, engine })
    }

    /// Runs `work` until it ends or Ctrl-C comes; then says that the workers go on.
    pub(crate) async fn interruptible(
        &self,
        work: impl Future<Output = Result<u8, Failure>>,
    ) -> Result<u8, Failure> {
        tokio::select! {
            done = work => done,
            asked = interrupted() => {
                asked?;
                self.printer.note("interrupted: workers that run go on; `coord status` shows them, \
                    `coord stop ID` ends one, `coord resume` goes on from here");
                Ok(exit::INTERRUPTED)
            }
        }
    }
}

/// Returns when this process is asked to end: by Ctrl-C, or by whoever manages it.
pub(crate) async fn interrupted() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(io("the signal handler"))?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked.map_err(io("the signal handler")),
        _ = terminate.recv() => Ok(()),
    }
}

/// The home folder of the user.
pub(crate) fn user_home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// How long GitHub may take for one answer.
const GITHUB_TIMEOUT: Duration = Duration::from_secs(30);

/// An engine for `config`, which stands in `folder`, on the board in `store`.
pub(crate) fn engine(
    config: &Config,
    home: PathBuf,
    folder: PathBuf,
    store: Store,
) -> Result<Engine, Failure> {
    let repos = repos(config, &store)?;
    let agents = agents(config, &home)?;
    let repo_paths = repo_paths(config);
    let test_env = test_env();
    let policy = config.policy();
    Ok(Engine::new(Setup {
        policy,
        home,
        folder,
        store,
        repos,
        repo_paths,
        agents,
        test_env,
        reviews: review_texts(config),
        smoke: smoke_command(config),
    })?)
}

fn repos(config: &Config, store: &Store) -> Result<BTreeMap<RepoName, RepoContext>, Failure> {
    let host = hostname();
    let github = github(config, store)?;
    let context = |repo: &coord_config::Repo| {
        let path = config.local_path(&repo.name, &host).map(Path::to_owned);
        let forge: Arc<dyn Forge> = match (repo.forge, &repo.github) {
            (ForgeKind::Github, Some(name)) => Arc::new(github.repo(name)),
            (ForgeKind::Github, None) => return Err(unnamed(&repo.name)),
            (ForgeKind::Local, _) => {
                let forge = LocalForge::new(store.clone(), repo.name.clone(), path.clone());
                Arc::new(forge.used_by(person()))
            }
        };
        let commands = [&repo.build_command, &repo.test_command];
        let mut commands: Vec<String> = commands.into_iter().flatten().cloned().collect();
        commands.dedup();
        let context = RepoContext {
            forge,
            path,
            commands,
            test_limit: Duration::from_secs(config.pipeline.test_timeout_seconds),
        };
        Ok((repo.name.clone(), context))
    };
    config.repos.iter().map(context).collect()
}

fn review_texts(config: &Config) -> ReviewTexts {
    let reviews = &config.reviews;
    ReviewTexts {
        checklist: reviews.checklist.clone(),
        repo_overrides: reviews.repo_overrides.clone(),
        prompt: reviews.reviewer_prompt.clone(),
    }
}

fn smoke_command(config: &Config) -> Option<SmokeCommand> {
    let command = config.smoke_tests.default_command.clone()?;
    let timeout = Duration::from_secs(config.smoke_tests.timeout_seconds);
    Some(SmokeCommand { command, timeout })
}

/// The configuration sees to it that there is a name.
fn unnamed(repo: &RepoName) -> Failure {
    Failure::usage(format!("`{repo}` is on GitHub under no name"))
        .with_hint("give it the key `github` with `owner/name`")
}

/// One connection for all repositories on GitHub; nobody is asked before the first call.
fn github(config: &Config, store: &Store) -> Result<Github, Failure> {
    Ok(Github::new(GithubOptions {
        api_url: config.github_api_url.clone(),
        credentials: credentials(config),
        trust: trust(config),
        store: store.clone(),
        timeout: GITHUB_TIMEOUT,
        clock: Arc::new(coord_engine::now),
    })?)
}

/// Whoever configured an App does not mean the person's own account.
fn credentials(config: &Config) -> CredentialSource {
    match &config.github_app {
        Some(app) => CredentialSource {
            app: Some(AppCredentials {
                app_id: app.app_id,
                key_file: app.private_key_file.clone(),
                installation_id: app.installation_id,
            }),
            ..CredentialSource::default()
        },
        None => CredentialSource {
            gh: Some(PathBuf::from("gh")),
            ..CredentialSource::from_env(&|name| std::env::var(name).ok())
        },
    }
}

fn trust(config: &Config) -> Trust {
    let authors = config.trust.authors.iter();
    Trust {
        associations: authors.map(|author| author.as_str().to_owned()).collect(),
        users: config.trust.users.iter().cloned().collect(),
    }
}

/// What the account that runs this is called.
fn person() -> String {
    let names = ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    names
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "someone".to_owned())
}

/// What the system calls itself.
fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

fn agents(config: &Config, home: &Path) -> Result<Agents, Failure> {
    let mut clients = BTreeMap::new();
    for machine in &config.machines {
        let from_env = std::env::var("COORD_AGENT_TOKEN").ok();
        let token = find_token(machine.token_file.as_deref(), from_env, home)?;
        let client = AgentClient::new(&machine.url(), token.as_deref(), Timeouts::default())?;
        clients.insert(machine.name.clone(), client);
    }
    Ok(Agents::new(clients))
}

/// Tests run code that workers wrote: they get what a worker gets, less the access to the model.
fn test_env() -> Vec<(String, String)> {
    let parent = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let source = Source {
        parent: &parent,
        request: &BTreeMap::new(),
        bypass_as_root: false,
    };
    let made = environment(source).without_model();
    made.vars.into_iter().collect()
}

fn repo_paths(config: &Config) -> BTreeMap<(MachineName, RepoName), String> {
    let of_machine = |machine: &coord_config::Machine| {
        let name = machine.name.clone();
        machine
            .repo_paths
            .iter()
            .map(move |(repo, path)| ((name.clone(), repo.clone()), path.display().to_string()))
            .collect::<Vec<_>>()
    };
    config.machines.iter().flat_map(of_machine).collect()
}
