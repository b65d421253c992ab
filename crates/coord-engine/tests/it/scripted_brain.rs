//! A model that is a real program: it says what the test wants, and keeps what it was asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_engine::BrainSettings;
use coord_worker::launch::Supervisor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Each call is numbered from 1. What stands in `N.sh` is done first, then `N.out` is said.
const PROGRAM: &str = r#"#!/bin/sh
n=1
while ! mkdir "FOLDER/$n.call" 2>/dev/null; do n=$((n+1)); done
printf '%s\n' "$@" > "FOLDER/$n.call/args"
cat > "FOLDER/$n.call/prompt"
env > "FOLDER/$n.call/env"
ls -A > "FOLDER/$n.call/files"
if [ -e "FOLDER/$n.sh" ]; then . "FOLDER/$n.sh"; fi
cat "FOLDER/$n.out"
exit "$(cat "FOLDER/$n.code")"
"#;

pub(crate) struct ScriptedBrain {
    folder: TempDir,
    pub(crate) settings: BrainSettings,
}

/// What one call was given.
pub(crate) struct Call {
    pub(crate) args: Vec<String>,
    pub(crate) prompt: String,
    pub(crate) env: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl ScriptedBrain {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("brain");
        let text = PROGRAM.replace("FOLDER", folder.path().to_str().unwrap());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let env = [
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("GITHUB_TOKEN".to_owned(), "secret".to_owned()),
            ("ANTHROPIC_API_KEY".to_owned(), "key".to_owned()),
        ];
        let settings = BrainSettings {
            supervisor: Supervisor::with_program(supervisor(), []),
            program: vec![program.to_str().unwrap().to_owned()],
            extra_args: Vec::new(),
            setting_sources: vec!["user".to_owned()],
            env: env.into(),
            model: None,
            explore: false,
            max_budget_usd: None,
            limit: Duration::from_secs(60),
            context_tokens: 50_000,
        };
        Self { folder, settings }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its answers, one for each call. The session costs two cents more with each.
    pub(crate) fn answers(self, answers: &[Value]) -> Self {
        for (number, answer) in (1..).zip(answers) {
            let result = json!({"structured_output": answer});
            self.ends(number, &result, 0);
        }
        self
    }

    /// How a call ends, whatever comes before.
    pub(crate) fn ends(&self, number: u32, result: &Value, code: i32) {
        let init = json!({
            "type": "system", "subtype": "init", "session_id": "session-1",
            "model": "claude-opus-5-5", "cwd": "/",
        });
        let mut last = json!({
            "type": "result", "subtype": "success", "is_error": false, "session_id": "session-1",
            "total_cost_usd": 0.02 * f64::from(number),
        });
        let fields = result.as_object().unwrap().clone();
        last.as_object_mut().unwrap().extend(fields);
        let said = format!("{init}\n{last}\n");
        fs::write(self.path(&format!("{number}.out")), said).unwrap();
        fs::write(self.path(&format!("{number}.code")), code.to_string()).unwrap();
    }

    /// What a call does before it says anything.
    pub(crate) fn does(&self, number: u32, script: &str) {
        fs::write(self.path(&format!("{number}.sh")), script).unwrap();
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let folders = (1..).map(|number| self.path(&format!("{number}.call")));
        let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        folders
            .take_while(|folder| folder.exists())
            .map(|folder| Call {
                args: lines(read(&folder, "args")),
                prompt: read(&folder, "prompt"),
                env: lines(read(&folder, "env")),
                files: lines(read(&folder, "files")),
            })
            .collect()
    }
}

/// The example of this crate, which is built with its tests.
fn supervisor() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/supervise");
    assert!(built.exists(), "{} is not built", built.display());
    built
}

/// A proposal as a model says it.
pub(crate) fn proposal(issue: u64, machine: &str, files: &[&str]) -> Value {
    json!({
        "repo": "api", "issue": issue, "machine": machine, "rationale": "It is next.",
        "files": files, "size": "small",
    })
}

/// A plan without splits.
pub(crate) fn proposals(all: &[Value]) -> Value {
    json!({"proposals": all, "splits": []})
}
