//! What keeps an agent from starting, each with what to do about it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Output;

use coord_agent::{Agent, AgentConfig, AgentError};
use coord_test_support::sandbox::Sandbox;

use crate::rig::soon;

fn config(home: &Path) -> AgentConfig {
    let mut config = AgentConfig::bare("box".to_owned(), home.to_path_buf(), Vec::new());
    config.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.supervisor = Some(env!("CARGO_BIN_EXE_coord-agent").into());
    config
}

async fn refusal(config: AgentConfig) -> AgentError {
    let error = soon(Agent::start(config)).await.unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    error
}

#[tokio::test]
async fn two_agents_do_not_share_a_home_or_a_port() {
    let home = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let first = Agent::start(config(home.path())).await.unwrap();
    let error = refusal(config(home.path())).await;
    assert!(matches!(error, AgentError::HomeInUse { .. }), "{error}");

    let mut same_port = config(other.path());
    same_port.bind = first.addr();
    let error = refusal(same_port).await;
    assert!(
        error.to_string().contains(&first.addr().port().to_string()),
        "{error}"
    );

    first.shutdown();
    soon(first.join()).await.unwrap();
    let second = Agent::start(config(home.path())).await.unwrap();
    second.shutdown();
    soon(second.join()).await.unwrap();
}

#[tokio::test]
async fn nobody_listens_to_the_world_without_a_token() {
    let home = tempfile::tempdir().unwrap();
    let mut open = config(home.path());
    open.bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let error = refusal(open.clone()).await;
    assert!(matches!(error, AgentError::NoToken { .. }), "{error}");
    open.insecure = true;
    let agent = Agent::start(open).await.unwrap();
    agent.shutdown();
    soon(agent.join()).await.unwrap();
}

#[tokio::test]
async fn a_home_that_cannot_be_written() {
    // A file in the way stops root as well, which a read-only folder does not.
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = refusal(config(file.path())).await;
    assert!(matches!(error, AgentError::Home { .. }), "{error}");
}

#[tokio::test]
async fn an_open_stream_does_not_keep_the_agent() {
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(config(home.path())).await.unwrap();
    let url = format!("http://{}", agent.addr());
    let client = coord_protocol::AgentClient::new(&url, None, Default::default()).unwrap();
    let _events = client.events(None).await.unwrap();
    agent.shutdown();
    soon(agent.join()).await.unwrap();
}

fn run(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = sandbox
        .command(env!("CARGO_BIN_EXE_coord-agent"))
        .args(args)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_program_says_what_is_wrong_and_what_helps() {
    let sandbox = Sandbox::new().unwrap();
    let (code, text) = run(&sandbox, &["--config", "nowhere.yml"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("error: ") && text.contains("nowhere.yml"),
        "{text}"
    );
    let args = ["--allow-path", "/tmp", "--host", "0.0.0.0", "--port", "0"];
    let (code, text) = run(&sandbox, &args);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("without a token") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn without_git_it_does_not_start() {
    let sandbox = Sandbox::new().unwrap();
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_coord-agent"))
        .args(["--allow-path", "/tmp", "--port", "0"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("git") && text.contains("hint: "), "{text}");
}
