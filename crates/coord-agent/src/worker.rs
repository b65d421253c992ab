//! From a request to the command line, environment and prompt of a worker.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use coord_core::assignment::FileScope;
use coord_git::{Worktree, worker_git_env};
use coord_protocol::AssignBody;
use coord_worker::argv::{ArgvError, ClaudeCommand, Permissions, Session, user_message};
use coord_worker::briefing::{Briefing, IssueText};
use coord_worker::environment::{Environment, Source};
use coord_worker::held::{Adopted, Held, HeldError};
use coord_worker::launch::{LaunchSpec, Limits, Stdin};
use uuid::Uuid;

use crate::active::Active;
use crate::config::WorkerSettings;
use crate::driver::pull::Pulled;
use crate::folder::Folder;
use crate::shared::Shared;

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
    let command = command(settings, body);
    let argv = command.argv()?;
    let prompt = briefing(shared, body, place).render(&Uuid::new_v4().simple().to_string());
    let stdin = command.stdin(&prompt);
    let env = environment(shared, body, &place.worktree.path);
    let pulled = place.pulled.iter().map(Pulled::log_line);
    let first = header(&shared.config.machine, body, &argv);
    Ok(LaunchSpec {
        dir: active.folder.path().to_path_buf(),
        header: std::iter::once(first).chain(pulled).collect(),
        argv: argv.into_iter().map(OsString::from).collect(),
        cwd: place.worktree.path.clone(),
        env: env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        stdin: match body.steerable {
            true => Stdin::Steerable(stdin),
            false => Stdin::File(stdin),
        },
        limits: limits(settings, body),
    })
}

fn command(settings: &WorkerSettings, body: &AssignBody) -> ClaudeCommand {
    ClaudeCommand {
        program: settings.command.clone(),
        session: match &body.resume_session {
            Some(session) => Session::Resume(session.clone()),
            None => Session::New(Uuid::new_v4()),
        },
        model: body.model.clone(),
        permissions: permissions(settings, body),
        setting_sources: settings.setting_sources.join(","),
        max_budget_usd: body.max_budget_usd,
        system_prompt: body.system_prompt.clone(),
        output_schema: body.output_schema.as_ref().map(ToString::to_string),
        steerable: body.steerable,
        extra_args: settings.extra_args.clone(),
    }
}

fn permissions(settings: &WorkerSettings, body: &AssignBody) -> Permissions {
    Permissions {
        allow: (!settings.allow.is_empty()).then(|| settings.allow.clone()),
        deny: body
            .deny_commands
            .clone()
            .unwrap_or_else(|| settings.deny.clone()),
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
        deny: permissions(&shared.config.worker, body).deny,
        test_command: place.test_command.clone(),
        context: body.context.clone().unwrap_or_default(),
        stale_dependencies: place.pulled.iter().filter_map(Pulled::left).collect(),
    }
}

/// What a worker, and the setup of its worktree, may see of this process' environment.
pub(crate) fn environment(
    shared: &Shared,
    body: &AssignBody,
    worktree: &Path,
) -> BTreeMap<String, String> {
    let parent: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let permissions = permissions(&shared.config.worker, body);
    let Environment {
        mut vars,
        refused,
        claims_sandbox,
    } = coord_worker::environment::environment(Source {
        parent: &parent,
        request: &body.env,
        bypass_as_root: permissions.bypasses_checks() && rustix::process::geteuid().is_root(),
    });
    if !refused.is_empty() {
        tracing::warn!(?refused, "variables that no worker may have were left out");
    }
    if claims_sandbox {
        tracing::debug!("the worker is told that it runs in a sandbox, because it runs as root");
    }
    // Numbered settings of git replace each other as a whole, so this has to come last.
    vars.extend(worker_git_env(worktree));
    vars
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

/// The first line of the log. The prompt is not in it.
fn header(machine: &str, body: &AssignBody, argv: &[String]) -> String {
    let argv = argv.join(" ").replace(['\n', '\r'], " ");
    format!(
        "# agent={machine} repo={} issue=#{} argv={argv}",
        body.repo_name, body.issue_number
    )
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
            permissions(&settings(), &body).deny
        };
        assert_eq!(deny(None), ["gh"]);
        assert_eq!(deny(Some(vec!["rm".to_owned()])), ["rm"]);
        assert!(deny(Some(Vec::new())).is_empty());
    }

    #[test]
    fn the_header_is_one_line() {
        let body = AssignBody {
            repo_name: "shop".to_owned(),
            issue_number: 7,
            ..AssignBody::default()
        };
        let argv = ["claude".to_owned(), "a\nb".to_owned()];
        let expected = "# agent=laptop repo=shop issue=#7 argv=claude a b";
        assert_eq!(header("laptop", &body, &argv), expected);
    }
}
