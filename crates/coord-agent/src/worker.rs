//! From a request to the command line, environment and prompt of a worker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use coord_core::assignment::FileScope;
use coord_git::{Worktree, worker_git_env};
use coord_protocol::AssignBody;
use coord_worker::argv::{
    ArgvError, ClaudeCommand, Hooks, Permissions, Session, own_settings, parse_settings,
    user_message,
};
use coord_worker::briefing::{Briefing, IssueText, resumed};
use coord_worker::environment::{Environment, Source};
use coord_worker::held::{Adopted, Held, HeldError};
use coord_worker::launch::{HookMode, HookMoment, LaunchSpec, Limits, Stdin};
use uuid::Uuid;

use crate::active::Active;
use crate::config::WorkerSettings;
use crate::driver::pull::Pulled;
use crate::folder::Folder;
use crate::leases::Check;
use crate::shared::Shared;
use crate::{reading, smoke};

/// Where a worker starts.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its worktree.
    pub(crate) worktree: Worktree,
    /// The branch that its work is meant for.
    pub(crate) base_branch: String,
    /// The command that tests the repository.
    pub(crate) test_command: Option<String>,
    /// What became of the repositories that were to be brought up to date.
    pub(crate) pulled: Vec<Pulled>,
}

/// Everything that the supervisor needs. Reads the repository's git folder.
pub(crate) fn launch_spec(
    shared: &Shared,
    active: &Active,
    place: &Place,
) -> Result<LaunchSpec, ArgvError> {
    let settings = &shared.config.worker;
    let body = &active.body;
    if let Some(command) = &body.smoke_command {
        return Ok(smoke::launch_spec(shared, active, place, command));
    }
    let command = command(shared, active, place)?;
    let argv = command.argv()?;
    let prompt = prompt(shared, active, place);
    let stdin = command.stdin(&prompt);
    let env = environment(shared, body, &place.worktree.path);
    Ok(LaunchSpec {
        dir: active.folder.path().to_path_buf(),
        header: header(&shared.config.machine, body, place, &argv),
        argv: argv.into_iter().map(OsString::from).collect(),
        cwd: place.worktree.path.clone(),
        env,
        stdin: match body.steerable {
            true => Stdin::Steerable(stdin),
            false => Stdin::File(stdin),
        },
        limits: limits(settings, body),
    })
}

fn command(shared: &Shared, active: &Active, place: &Place) -> Result<ClaudeCommand, ArgvError> {
    let (settings, body) = (&shared.config.worker, &active.body);
    let (own, extra_args) = own_settings(&settings.extra_args);
    Ok(ClaudeCommand {
        program: settings.command.clone(),
        session: match &body.resume_session {
            Some(session) => Session::Resume(session.clone()),
            None => Session::New(Uuid::new_v4()),
        },
        model: body.model.clone(),
        permissions: permissions(settings, body),
        setting_sources: settings.setting_sources.join(","),
        // For this run: earlier ones of the session do not count (measured with 2.1.330).
        max_budget_usd: body.max_budget_usd,
        system_prompt: body.system_prompt.clone(),
        output_schema: body.output_schema.as_ref().map(ToString::to_string),
        steerable: body.steerable,
        settings: match own {
            Some(own) => read_settings(&own, &place.worktree.path)?,
            None => serde_json::Map::new(),
        },
        hooks: Check::of(active)
            .map(|it| hooks(shared, active, it))
            .transpose()?,
        extra_args,
    })
}

/// As the CLI reads `--settings`: JSON, or the path of a file that holds it, from the worktree on.
fn read_settings(
    own: &str,
    worktree: &Path,
) -> Result<serde_json::Map<String, serde_json::Value>, ArgvError> {
    if own.trim_start().starts_with('{') {
        return parse_settings(own);
    }
    let path = worktree.join(own);
    let text = std::fs::read_to_string(&path).map_err(|error| ArgvError::Settings {
        why: format!("{}: {error}", path.display()),
    })?;
    parse_settings(&text)
}

/// The commands that ask this agent.
fn hooks(shared: &Shared, active: &Active, check: Check) -> Result<Hooks, ArgvError> {
    let mode = match check {
        Check::Strict => HookMode::Strict,
        Check::Warn => HookMode::Warn,
    };
    let folder = active.folder.path();
    let command = |moment| {
        let command = shared.supervisor.hook(moment, mode, folder);
        command.ok_or_else(|| ArgvError::NoText {
            path: folder.display().to_string(),
        })
    };
    Ok(Hooks {
        before: command(HookMoment::Before)?,
        after: command(HookMoment::After)?,
    })
}

fn permissions(settings: &WorkerSettings, body: &AssignBody) -> Permissions {
    if body.kind.only_reads() {
        return Permissions::Reading;
    }
    let asked = body.deny_commands.clone();
    let deny = asked.unwrap_or_else(|| settings.deny.clone());
    match settings.allow.is_empty() {
        true => Permissions::AllBut { deny },
        false => Permissions::Only {
            allow: settings.allow.clone(),
            deny,
        },
    }
}

fn prompt(shared: &Shared, active: &Active, place: &Place) -> String {
    let body = &active.body;
    let checked = Check::of(active).is_some();
    let nonce = Uuid::new_v4().simple().to_string();
    if let Some(reading) = reading::briefing(body, place) {
        return reading.render(&nonce);
    }
    match (&body.resume_session, &body.issue_body) {
        (Some(_), Some(_)) => resumed(&place.worktree.branch, &body.briefing, checked),
        (Some(_) | None, _) => Briefing {
            checked,
            ..briefing(shared, body, place)
        }
        .render(&nonce),
    }
}

fn briefing(shared: &Shared, body: &AssignBody, place: &Place) -> Briefing {
    // Without the issue's own text nobody knows who wrote the briefing: it is fenced.
    let (text, task) = match &body.issue_body {
        Some(issue) => (issue.clone(), body.briefing.clone()),
        None => (body.briefing.clone(), String::new()),
    };
    Briefing {
        repo: body.repo_name.clone(),
        branch: place.worktree.branch.clone(),
        base: place.base_branch.clone(),
        issue: IssueText {
            number: body.issue_number,
            title: body.issue_title.clone(),
            body: text,
        },
        task,
        scope: FileScope {
            allowed: body.files_allowed.clone(),
            forbidden: body.files_forbidden.clone(),
        },
        do_not_touch: body.do_not_touch.clone(),
        checked: false,
        deny: permissions(&shared.config.worker, body).denied().to_vec(),
        test_command: place.test_command.clone(),
        context: body.context.clone().unwrap_or_default(),
        stale_dependencies: place.pulled.iter().filter_map(Pulled::left).collect(),
    }
}

/// What a worker, and the setup of its worktree, may see of this process' environment. Where no
/// model is started, nothing gets access to one.
pub(crate) fn environment(
    shared: &Shared,
    body: &AssignBody,
    worktree: &Path,
) -> Vec<(OsString, OsString)> {
    let parent: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let permissions = permissions(&shared.config.worker, body);
    let no_model = body.smoke_command.is_some();
    let bypass = permissions.bypasses_checks() && !no_model;
    let made = coord_worker::environment::environment(Source {
        parent: &parent,
        request: &body.env,
        bypass_as_root: bypass && rustix::process::geteuid().is_root(),
    });
    let Environment {
        mut vars,
        refused,
        claims_sandbox,
    } = match no_model {
        true => made.without_model(),
        false => made,
    };
    if !refused.is_empty() {
        tracing::warn!(?refused, "variables that no worker may have were left out");
    }
    if claims_sandbox {
        tracing::debug!("the worker is told that it runs in a sandbox, because it runs as root");
    }
    // Numbered settings of git replace each other as a whole, so this has to come last.
    vars.extend(worker_git_env(worktree));
    vars.into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn limits(settings: &WorkerSettings, body: &AssignBody) -> Limits {
    let timeout = body
        .timeout_seconds
        .map_or(settings.timeout, Duration::from_secs);
    Limits {
        grace: settings.grace,
        first_output: Some(settings.first_output),
        stall: Some(settings.stall),
        timeout: Some(timeout),
        hung_after_result: Some(settings.grace),
    }
}

/// The first lines of the log. The prompt is not in them.
pub(crate) fn header(
    machine: &str,
    body: &AssignBody,
    place: &Place,
    argv: &[String],
) -> Vec<String> {
    let argv = argv.join(" ").replace(['\n', '\r'], " ");
    let first = format!(
        "# agent={machine} repo={} issue=#{} argv={argv}",
        body.repo_name, body.issue_number
    );
    let pulled = place.pulled.iter().map(Pulled::log_line);
    std::iter::once(first).chain(pulled).collect()
}

/// Hands a message to a running worker.
pub(crate) async fn input(folder: &Folder, message: &str) -> Result<(), HeldError> {
    match Held::adopt(folder.path()).await? {
        Adopted::Running(held) => held.input(user_message(message).trim_end()).await,
        Adopted::NeverStarted | Adopted::Ended(_) | Adopted::Vanished(_) => {
            Err(HeldError::NotRunning {
                dir: folder.path().to_path_buf(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use coord_core::ids::CommitId;
    use coord_protocol::AssignmentType;

    use super::*;

    fn settings() -> WorkerSettings {
        WorkerSettings {
            deny: vec!["gh".to_owned()],
            ..WorkerSettings::default()
        }
    }

    #[test]
    fn the_deny_list_of_the_request_replaces_that_of_the_machine() {
        let deny = |asked: Option<Vec<String>>| {
            let body = AssignBody {
                deny_commands: asked,
                ..AssignBody::default()
            };
            permissions(&settings(), &body).denied().to_vec()
        };
        assert_eq!(deny(None), ["gh"]);
        assert_eq!(deny(Some(vec!["rm".to_owned()])), ["rm"]);
        assert!(deny(Some(Vec::new())).is_empty());
    }

    #[test]
    fn whatever_the_machine_allows_a_reviewer_only_reads() {
        let settings = WorkerSettings {
            allow: vec!["Bash".to_owned()],
            ..settings()
        };
        for (kind, reads) in [
            (AssignmentType::Work, false),
            (AssignmentType::Smoke, false),
            (AssignmentType::Review, true),
            (AssignmentType::Pr, true),
        ] {
            let body = AssignBody {
                kind,
                deny_commands: Some(Vec::new()),
                ..AssignBody::default()
            };
            let permissions = permissions(&settings, &body);
            assert_eq!(permissions == Permissions::Reading, reads, "{kind}");
        }
    }

    #[test]
    fn settings_of_the_configuration_are_json_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.json"), r#"{"a": 1}"#).unwrap();
        let read = |own| read_settings(own, folder.path());
        assert_eq!(read(r#" {"a": 1}"#), read("own.json"));
        assert_eq!(read("own.json").unwrap()["a"], 1);
        for wrong in ["{", "missing.json"] {
            assert!(
                matches!(read(wrong), Err(ArgvError::Settings { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_header_begins_with_one_line() {
        let body = AssignBody {
            repo_name: "shop".to_owned(),
            issue_number: 7,
            ..AssignBody::default()
        };
        let place = Place {
            worktree: Worktree {
                path: "/w".into(),
                repo_path: "/r".into(),
                branch: "b".to_owned(),
                base: CommitId::from("0"),
            },
            base_branch: "main".to_owned(),
            test_command: None,
            pulled: Vec::new(),
        };
        let argv = ["claude".to_owned(), "a\nb".to_owned()];
        let expected = ["# agent=laptop repo=shop issue=#7 argv=claude a b"];
        assert_eq!(header("laptop", &body, &place, &argv), expected);
    }
}
