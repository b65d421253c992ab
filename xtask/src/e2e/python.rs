//! The published Python coordinator 0.1.0 as a client of our agent: a fleet moves machine by machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::scenario::Stage;
use crate::lab::{Lab, Setup, target_folder};
use crate::step::call;
use crate::tidy::workspace::root;

/// What it is made of, by package name. It says that it needs Python 3.12; its client runs on 3.11.
const PACKAGES: [&str; 3] = ["claude-coordinator==0.1.0", "httpx==0.28.1", "pyyaml"];

/// Speaks stream-json, and does what the briefing says.
const WORKER: &str = r#"prompt=$(cat)
say() { printf '%s\n' "$1"; }
say '{"type":"system","subtype":"init","session_id":"s","model":"m","cwd":"'"$PWD"'","tools":[]}'
case "$prompt" in
  *"steps: sleep"*) sleep 600 ;;
  *) echo a > a.txt; git add a.txt; git commit --quiet --message a ;;
esac
say '{"type":"result","subtype":"success","is_error":false,"session_id":"s","total_cost_usd":0.1,"num_turns":1,"result":"größe"}'
"#;

/// Every call of the old client, and the keys that it was promised.
pub(super) async fn client(stage: &Stage) -> Result<()> {
    let packages = install()?;
    let lab = Lab::new(&stage.binaries, &Setup::with_worker(&["sh", "worker.sh"]))?;
    let script = lab.sandbox.path().join("worker.sh");
    std::fs::write(&script, WORKER)?;
    lab.reconfigure(&Setup::with_worker(&["sh", &script.to_string_lossy()]))?;
    let _agent = lab.start_agent().await?;
    let said = drive(&lab, &packages)?;
    expect_keys(&said)?;
    ensure!(said["completed"]["status"] == "done", "{said:#}");
    ensure!(
        said["completed"]["branch"] == "issue-1-gr-e-write-a-file",
        "{said:#}"
    );
    ensure!(said["cancelled"]["status"] == "cancelled", "{said:#}");
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    ensure!(
        text("log").starts_with("# agent=") && text("log").contains("größe"),
        "{said:#}"
    );
    ensure!(
        text("stream").contains("event: log") && text("stream").contains("event: end"),
        "{said:#}"
    );
    Ok(())
}

fn install() -> Result<PathBuf> {
    let folder = target_folder(&root()).join("e2e/python");
    if !folder.join("coord/network.py").exists() {
        std::fs::create_dir_all(&folder)?;
        let options = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--ignore-requires-python",
            "--target",
            ".",
        ];
        let args: Vec<&str> = options.into_iter().chain(PACKAGES).collect();
        call(&folder, "python3", &args)?;
    }
    Ok(folder)
}

fn drive(lab: &Lab, packages: &Path) -> Result<Value> {
    let script = lab.sandbox.path().join("client.py");
    std::fs::write(&script, include_str!("python_client.py"))?;
    let output = Command::new("python3")
        .arg(&script)
        .arg(lab.port().to_string())
        .arg(lab.repo.clone_path())
        .env("PYTHONPATH", packages)
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .output()
        .context("failed to run python3")?;
    if !output.status.success() {
        bail!(
            "the client failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn expect_keys(said: &Value) -> Result<()> {
    let row = [
        "id",
        "spec",
        "status",
        "pid",
        "started_at",
        "finished_at",
        "exit_code",
        "log_path",
        "error",
        "branch",
        "worktree_path",
    ];
    let ended = ["model_used", "total_cost_usd", "num_turns", "stop_reason"];
    let promised: [(&str, Vec<&str>); 5] = [
        (
            "health",
            vec!["machine", "capabilities", "repos", "active", "completed"],
        ),
        ("assigned", row.to_vec()),
        ("completed", [&row[..], &ended[..]].concat()),
        ("cancel", row.to_vec()),
        ("cancelled", [&row[..], &ended[..]].concat()),
    ];
    for (answer, keys) in promised {
        for key in keys {
            ensure!(
                said[answer].get(key).is_some(),
                "{answer} has no {key}: {:#}",
                said[answer]
            );
        }
    }
    for key in ["sha", "branch", "dirty", "path"] {
        ensure!(
            said["repos"]["lab"].get(key).is_some(),
            "repos has no {key}: {:#}",
            said["repos"]
        );
    }
    Ok(())
}
