//! The environment of a worker: what it needs, and none of what it must not have.
//!
//! Its Bash tool sees every variable, so the list says what is let through; tokens of the forge, of
//! the agent and of clouds are not. What a worker's git has to be told (above all that its pushes lead
//! nowhere) is `coord-git`'s business: whoever starts the worker adds it to these variables.

use std::collections::BTreeMap;

/// Let through by name.
const ALLOWED: [&str; 51] = [
    // The system.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "COLORTERM",
    "TMPDIR",
    "HOSTNAME",
    "LD_LIBRARY_PATH",
    "IS_SANDBOX",
    // The network.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    // The CLI's own switches without its prefix.
    "DISABLE_TELEMETRY",
    "DISABLE_AUTOUPDATER",
    "DISABLE_ERROR_REPORTING",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_TIMEOUT_MS",
    "MAX_THINKING_TOKENS",
    // Git's identity and files.
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    // Where tool chains live.
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "NVM_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "JAVA_HOME",
    "DOCKER_HOST",
    "PNPM_HOME",
];
/// Let through by beginning.
const ALLOWED_PREFIXES: [&str; 5] = ["LC_", "XDG_", "SSL_CERT_", "CLAUDE_", "ANTHROPIC_"];
/// Credentials of the model's API: the worker cannot do without.
const CREDENTIALS: [&str; 3] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
];
/// What a Claude Code session tells the programs that it starts. A worker is no part of that session.
const FOREIGN_SESSION: [&str; 5] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PROJECT_DIR",
];
const SECRET_PREFIXES: [&str; 3] = ["COORD_", "AWS_", "GIT_CONFIG_"];
const SECRET_SUFFIXES: [&str; 6] = [
    "_TOKEN",
    "_SECRET",
    "_PASSWORD",
    "_PASSPHRASE",
    "_PRIVATE_KEY",
    "_SECRET_KEY",
];
const SECRETS: [&str; 3] = ["SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_ASKPASS"];

/// What the CLI is told to do without. A run ends with exactly one result; and a path behind an `@`
/// anywhere in the prompt, an issue's text included, would put that file of the machine into the
/// conversation (measured with 2.1.330).
const SWITCHES: [&str; 2] = [
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS",
];

/// What the environment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The agent's own environment.
    pub parent: &'a BTreeMap<String, String>,
    /// What the request adds.
    pub request: &'a BTreeMap<String, String>,
    /// Whether the worker runs as root with its checks bypassed.
    pub bypass_as_root: bool,
}

/// The environment of a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Everything; nothing is to be inherited.
    pub vars: BTreeMap<String, String>,
    /// Variables of the request that were not taken over, because no worker may have them.
    pub refused: Vec<String>,
    /// Whether the CLI is told that it runs in a sandbox. It refuses root without, so this is said of
    /// a machine that may be none: whoever starts the worker should let the person know.
    pub claims_sandbox: bool,
}

impl Environment {
    /// The variables for a command that is no worker: nothing of the CLI and its API.
    #[must_use]
    pub fn without_model(mut self) -> Self {
        let is_model = |name: &str| name.starts_with("ANTHROPIC_") || name.starts_with("CLAUDE_");
        self.vars.retain(|name, _| !is_model(name));
        self
    }
}

/// Makes the environment of a worker.
#[must_use]
pub fn environment(source: Source<'_>) -> Environment {
    let mut made = Environment::default();
    let inherited = source.parent.iter().filter(|(name, _)| is_inherited(name));
    made.vars
        .extend(inherited.map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in source.request {
        if is_forbidden(name) {
            made.refused.push(name.clone());
        } else {
            made.vars.insert(name.clone(), value.clone());
        }
    }
    let switches = SWITCHES.map(|name| (name.to_owned(), "1".to_owned()));
    made.vars.extend(switches);
    if source.bypass_as_root && !made.vars.contains_key("IS_SANDBOX") {
        made.vars.insert("IS_SANDBOX".to_owned(), "1".to_owned());
        made.claims_sandbox = true;
    }
    made
}

fn is_inherited(name: &str) -> bool {
    let listed = ALLOWED.contains(&name)
        || ALLOWED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    // The files of git's configuration are named in the list; `GIT_CONFIG_COUNT` and its like are not.
    listed && (ALLOWED.contains(&name) || !is_forbidden(name)) && !FOREIGN_SESSION.contains(&name)
}

/// Whether no worker may have the variable, not even when a request asks for it.
fn is_forbidden(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    !CREDENTIALS.contains(&name)
        && (SECRETS.contains(&upper.as_str())
            || SECRET_PREFIXES
                .iter()
                .any(|prefix| upper.starts_with(prefix))
            || SECRET_SUFFIXES.iter().any(|suffix| upper.ends_with(suffix))
            || name.is_empty()
            || name.contains(['=', '\0']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn made(parent: &[(&str, &str)], request: &[(&str, &str)]) -> Environment {
        let (parent, request) = (vars(parent), vars(request));
        environment(Source {
            parent: &parent,
            request: &request,
            bypass_as_root: false,
        })
    }

    #[test]
    fn only_what_is_listed_is_inherited() {
        let made = made(
            &[
                ("PATH", "/bin"),
                ("LC_ALL", "C"),
                ("CARGO_HOME", "/c"),
                ("ANTHROPIC_BASE_URL", "http://a"),
                ("ANTHROPIC_API_KEY", "k"),
                ("CLAUDE_CODE_OAUTH_TOKEN", "t"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GITHUB_TOKEN", "x"),
                ("GH_TOKEN", "x"),
                ("COORD_GITHUB_TOKEN", "x"),
                ("COORD_AGENT_TOKEN", "x"),
                ("AWS_PROFILE", "x"),
                ("SSH_AUTH_SOCK", "x"),
                ("NPM_TOKEN", "x"),
                ("CLAUDE_CODE_OTHER_TOKEN", "x"),
                ("CLAUDECODE", "1"),
                ("LD_PRELOAD", "x"),
                ("GIT_DIR", "x"),
                ("GIT_CONFIG_PARAMETERS", "x"),
                ("RANDOM_THING", "x"),
            ],
            &[],
        );
        let names: Vec<_> = made.vars.keys().map(String::as_str).collect();
        insta::assert_snapshot!(names.join("\n"), @"
        ANTHROPIC_API_KEY
        ANTHROPIC_BASE_URL
        CARGO_HOME
        CLAUDE_CODE_DISABLE_BACKGROUND_TASKS
        CLAUDE_CODE_DISABLE_FILE_MENTIONS
        CLAUDE_CODE_OAUTH_TOKEN
        GIT_CONFIG_GLOBAL
        LC_ALL
        PATH
        ");
    }

    #[test]
    fn a_request_cannot_bring_back_what_is_forbidden() {
        let made = made(
            &[("PATH", "/bin")],
            &[
                ("PATH", "/opt/bin"),
                ("DATABASE_URL", "pg"),
                ("ANTHROPIC_API_KEY", "k"),
                ("GITHUB_TOKEN", "x"),
                ("gh_token", "x"),
                ("COORD_GITHUB_TOKEN", "x"),
                ("GIT_CONFIG_COUNT", "0"),
                ("A=B", "x"),
                ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "0"),
            ],
        );
        assert_eq!(
            made.refused,
            [
                "A=B",
                "COORD_GITHUB_TOKEN",
                "GITHUB_TOKEN",
                "GIT_CONFIG_COUNT",
                "gh_token"
            ]
        );
        assert_eq!(made.vars["PATH"], "/opt/bin");
        assert_eq!(made.vars["DATABASE_URL"], "pg");
        assert_eq!(made.vars["ANTHROPIC_API_KEY"], "k");
        assert_eq!(made.vars["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"], "1");
        assert!(!made.vars.contains_key("GIT_CONFIG_COUNT"));
    }

    #[test]
    fn root_is_told_to_be_in_a_sandbox_only_where_that_is_needed() {
        let root = |parent: &[(&str, &str)]| {
            let (parent, request) = (vars(parent), BTreeMap::new());
            environment(Source {
                parent: &parent,
                request: &request,
                bypass_as_root: true,
            })
        };
        assert!(root(&[]).claims_sandbox);
        assert_eq!(root(&[]).vars["IS_SANDBOX"], "1");
        assert!(!root(&[("IS_SANDBOX", "1")]).claims_sandbox);
        assert!(!made(&[], &[]).vars.contains_key("IS_SANDBOX"));
    }
}
