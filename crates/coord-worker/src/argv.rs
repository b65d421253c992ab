//! The command line of a worker (Claude Code 2.1.330), and what it reads on stdin.
//!
//! The prompt never stands on the command line: there it would be limited to 128 KiB, could be taken
//! for an option, and be swallowed by a variadic flag before it.

mod settings;

use serde_json::{Map, Value, json};
use uuid::Uuid;

pub use settings::{Hooks, own_settings, parse as parse_settings};

/// All that a worker has whose [`Permissions`] are to read.
const READING_TOOLS: &str = "Read,Grep,Glob";
/// Tools with which a worker would outlive its result.
const LINGERING_TOOLS: [&str; 2] = ["ScheduleWakeup", "CronCreate"];
/// Linux takes no single argument of more than 128 KiB, its terminating zero included.
const MAX_ARGUMENT: usize = 128 * 1024 - 1;

/// What a worker is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaudeCommand {
    /// The program and its leading arguments, e.g. `["claude"]`. Never empty.
    pub program: Vec<String>,
    /// The session that it begins or continues.
    pub session: Session,
    /// The model alias or name; `None` leaves it to the CLI.
    pub model: Option<String>,
    /// What it may do without being asked.
    pub permissions: Permissions,
    /// Which settings the CLI reads, e.g. `user`. The repository's own (`project`) would bring hooks
    /// that run on this machine without anybody's consent.
    pub setting_sources: String,
    /// US dollars after which the CLI ends the run.
    pub max_budget_usd: Option<f64>,
    /// Added to the CLI's own system prompt. A resumed session keeps the one that it began with.
    pub system_prompt: Option<String>,
    /// A JSON schema that the final answer has to follow.
    pub output_schema: Option<String>,
    /// Whether further messages can be sent to it while it runs; then its stdin has to stay open, and
    /// it ends only when that is closed.
    pub steerable: bool,
    /// What the configuration wants in `--settings`: of two the CLI would read the last one only.
    pub settings: Map<String, Value>,
    /// What it has to ask before and after its tool calls.
    pub hooks: Option<Hooks>,
    /// Further arguments of the configuration, without `--settings`, see [`own_settings`].
    pub extra_args: Vec<String>,
}

/// Where a conversation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// A new one whose id is fixed beforehand, so that it can be continued whatever happens.
    New(Uuid),
    /// The one that was recorded under this id. Nothing keeps two workers from continuing the same.
    Resume(String),
}

/// What a worker may do without being asked: there is nobody whom it could ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissions {
    /// Everything that is not denied.
    AllBut {
        /// Calls that are denied. A courtesy: a pattern stops a spelling, not an intention.
        deny: Vec<String>,
    },
    /// Nothing that is not allowed.
    Only {
        /// The calls that are allowed, as patterns.
        allow: Vec<String>,
        /// Calls that are denied all the same.
        deny: Vec<String>,
    },
    /// Reading files below its working folder. It has no other tool, so nothing that it is told
    /// can make it write, run or fetch anything; links that lead out of the folder are refused, and
    /// neither the repository's instructions nor the user's settings are loaded (measured with
    /// 2.1.330: `--restricted`).
    Reading,
}

/// A command line that no process can be started with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// There is nothing to start.
    #[error("the worker's command is empty")]
    NoProgram,
    /// Longer than the system takes.
    #[error("an argument of {len} bytes is too long for a command line (`{start}…`)")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// How it begins.
        start: String,
    },
    /// `--settings` of the configuration cannot be read.
    #[error("the worker's `--settings` cannot be read: {why}")]
    Settings {
        /// What is wrong with them.
        why: String,
    },
    /// A path stands in a command line, and is no text.
    #[error("`{path}` cannot stand in a command line")]
    NoText {
        /// As well as it can be shown.
        path: String,
    },
    /// A zero byte ends an argument.
    #[error("an argument holds a zero byte (`{start}…`)")]
    ZeroByte {
        /// How it begins.
        start: String,
    },
}

impl ClaudeCommand {
    /// The whole command line, the program first.
    ///
    /// # Errors
    /// When no process can be started with it.
    pub fn argv(&self) -> Result<Vec<String>, ArgvError> {
        if self.program.is_empty() {
            return Err(ArgvError::NoProgram);
        }
        let mut argv = self.program.clone();
        let mut add = |args: &[&str]| argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        // stream-json needs `--verbose`.
        add(&["-p", "--output-format", "stream-json", "--verbose"]);
        if self.steerable {
            add(&["--input-format", "stream-json"]);
        }
        self.permissions.add_to(&mut argv);
        self.add_single_valued(&mut argv);
        argv.extend_from_slice(&self.extra_args);
        self.permissions.add_last_to(&mut argv);
        argv.iter().try_for_each(|arg| check(arg))?;
        Ok(argv)
    }

    /// None of these is variadic: what follows them cannot be swallowed.
    fn add_single_valued(&self, argv: &mut Vec<String>) {
        let mut add = |args: &[&str]| argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        add(&["--setting-sources", &self.setting_sources]);
        let settings = settings::merged(&self.settings, self.hooks.as_ref());
        add(&["--strict-mcp-config", "--settings", &settings]);
        match &self.session {
            Session::New(id) => add(&["--session-id", &id.to_string()]),
            Session::Resume(id) => add(&["--resume", id]),
        }
        if let Some(model) = &self.model {
            add(&["--model", model]);
        }
        if let Some(usd) = self.max_budget_usd {
            add(&["--max-budget-usd", &usd.to_string()]);
        }
        if let Some(prompt) = &self.system_prompt {
            add(&["--append-system-prompt", prompt]);
        }
        if let Some(schema) = &self.output_schema {
            add(&["--json-schema", schema]);
        }
    }

    /// The bytes for stdin that give the worker its prompt.
    #[must_use]
    pub fn stdin(&self, prompt: &str) -> Vec<u8> {
        if self.steerable {
            format!("{}\n", user_message(prompt)).into_bytes()
        } else {
            prompt.as_bytes().to_vec()
        }
    }
}

/// The line, without its end, for the stdin of a steerable worker that tells it something; it arrives
/// with the next tool result.
#[must_use]
pub fn user_message(text: &str) -> String {
    json!({"type": "user", "message": {"role": "user", "content": text}}).to_string()
}

impl Permissions {
    /// Whether the CLI's own checks are off, which it refuses to root outside of a sandbox.
    #[must_use]
    pub const fn bypasses_checks(&self) -> bool {
        matches!(self, Self::AllBut { .. })
    }

    /// Patterns of the calls that are denied.
    #[must_use]
    pub fn denied(&self) -> &[String] {
        match self {
            Self::AllBut { deny } | Self::Only { deny, .. } => deny,
            Self::Reading => &[],
        }
    }

    fn add_to(&self, argv: &mut Vec<String>) {
        argv.push("--disallowedTools".to_owned());
        argv.extend(LINGERING_TOOLS.map(str::to_owned));
        argv.extend(self.denied().iter().map(|pattern| tool_pattern(pattern)));
        match self {
            Self::AllBut { .. } => argv.push("--dangerously-skip-permissions".to_owned()),
            Self::Only { allow, .. } => {
                // An empty list would leave the flag without a value.
                if !allow.is_empty() {
                    argv.push("--allowedTools".to_owned());
                    argv.extend(allow.iter().map(|pattern| tool_pattern(pattern)));
                }
                argv.extend(["--permission-mode", "dontAsk"].map(str::to_owned));
            }
            Self::Reading => {}
        }
    }

    /// What comes last, because of two `--tools` or `--permission-mode` the last one counts, and
    /// the configuration's own arguments come before.
    fn add_last_to(&self, argv: &mut Vec<String>) {
        match self {
            Self::AllBut { .. } | Self::Only { .. } => {}
            Self::Reading => argv.extend(
                [
                    "--restricted",
                    "--tools",
                    READING_TOOLS,
                    "--permission-mode",
                    "dontAsk",
                ]
                .map(str::to_owned),
            ),
        }
    }
}

/// A pattern as the CLI wants it: `git push --force` stands for every command that begins so, what
/// already names a tool (`Bash(gh:*)`, `WebFetch`, `mcp__x`) stays as it is.
#[must_use]
pub fn tool_pattern(pattern: &str) -> String {
    let pattern = pattern.trim();
    let names_a_tool =
        pattern.starts_with(|c: char| c.is_ascii_uppercase()) || pattern.starts_with("mcp__");
    if names_a_tool {
        pattern.to_owned()
    } else {
        format!("Bash({pattern}:*)")
    }
}

fn check(arg: &str) -> Result<(), ArgvError> {
    let start = || crate::text::line(arg, 40);
    if arg.len() > MAX_ARGUMENT {
        return Err(ArgvError::TooLong {
            len: arg.len(),
            start: start(),
        });
    }
    if arg.contains('\0') {
        return Err(ArgvError::ZeroByte { start: start() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> ClaudeCommand {
        ClaudeCommand {
            program: vec!["claude".to_owned()],
            session: Session::New(Uuid::nil()),
            model: None,
            permissions: Permissions::AllBut { deny: vec![] },
            setting_sources: "user".to_owned(),
            max_budget_usd: None,
            system_prompt: None,
            output_schema: None,
            steerable: false,
            settings: Map::new(),
            hooks: None,
            extra_args: vec![],
        }
    }

    #[test]
    fn the_usual_command_line() {
        let deny = vec!["gh".to_owned(), "Bash(git push --force:*)".to_owned()];
        let command = ClaudeCommand {
            permissions: Permissions::AllBut { deny },
            ..command()
        };
        insta::assert_snapshot!(command.argv().unwrap().join("\n"), @r#"
        claude
        -p
        --output-format
        stream-json
        --verbose
        --disallowedTools
        ScheduleWakeup
        CronCreate
        Bash(gh:*)
        Bash(git push --force:*)
        --dangerously-skip-permissions
        --setting-sources
        user
        --strict-mcp-config
        --settings
        {"attribution":{"commit":"","pr":""}}
        --session-id
        00000000-0000-0000-0000-000000000000
        "#);
    }

    #[test]
    fn everything_that_can_be_said() {
        let command = ClaudeCommand {
            program: vec!["coord".to_owned(), "__worker".to_owned()],
            session: Session::Resume("old".to_owned()),
            model: Some("opus".to_owned()),
            permissions: Permissions::Only {
                allow: vec!["Edit(/src/**)".to_owned()],
                deny: vec![],
            },
            max_budget_usd: Some(2.5),
            system_prompt: Some("Be brief.".to_owned()),
            output_schema: Some("{}".to_owned()),
            steerable: true,
            extra_args: vec!["--fallback-model".to_owned(), "haiku".to_owned()],
            ..command()
        };
        insta::assert_snapshot!(command.argv().unwrap().join("\n"), @r#"
        coord
        __worker
        -p
        --output-format
        stream-json
        --verbose
        --input-format
        stream-json
        --disallowedTools
        ScheduleWakeup
        CronCreate
        --allowedTools
        Edit(/src/**)
        --permission-mode
        dontAsk
        --setting-sources
        user
        --strict-mcp-config
        --settings
        {"attribution":{"commit":"","pr":""}}
        --resume
        old
        --model
        opus
        --max-budget-usd
        2.5
        --append-system-prompt
        Be brief.
        --json-schema
        {}
        --fallback-model
        haiku
        "#);
    }

    #[test]
    fn who_only_reads_has_the_last_word_on_its_tools() {
        let command = ClaudeCommand {
            permissions: Permissions::Reading,
            extra_args: vec!["--tools".to_owned(), "default".to_owned()],
            ..command()
        };
        assert!(!command.permissions.bypasses_checks());
        let argv = command.argv().unwrap();
        assert!(!argv.iter().any(|arg| arg.contains("skip-permissions")));
        let last = argv.split_at(argv.len() - 7).1.join(" ");
        assert_eq!(
            last,
            "--tools default --restricted --tools Read,Grep,Glob --permission-mode dontAsk"
        );
    }

    #[test]
    fn the_prompt_is_never_an_argument() {
        let prompt = format!("--help\n{}", "x".repeat(200 * 1024));
        assert_eq!(command().stdin(&prompt), prompt.as_bytes());
        let steerable = ClaudeCommand {
            steerable: true,
            ..command()
        };
        let line = String::from_utf8(steerable.stdin("two\nlines")).unwrap();
        assert_eq!(
            line,
            "{\"message\":{\"content\":\"two\\nlines\",\"role\":\"user\"},\"type\":\"user\"}\n"
        );
    }

    #[test]
    fn what_no_process_takes_is_an_error() {
        let with = |prompt: String| {
            ClaudeCommand {
                system_prompt: Some(prompt),
                ..command()
            }
            .argv()
        };
        assert!(matches!(
            with("x".repeat(128 * 1024)),
            Err(ArgvError::TooLong { len: 131_072, .. })
        ));
        assert!(with("x".repeat(MAX_ARGUMENT)).is_ok());
        assert!(matches!(
            with("a\0b".to_owned()),
            Err(ArgvError::ZeroByte { .. })
        ));
        let empty = ClaudeCommand {
            program: vec![],
            ..command()
        };
        assert_eq!(empty.argv(), Err(ArgvError::NoProgram));
    }
}
