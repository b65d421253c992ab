//! The keys of every answer, against the protocol.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::rig::Rig;

/// As the client of 0.1.0 asks: no header of ours.
async fn old_client(rig: &Rig, method: &str, path: &str, body: Option<Value>) -> Value {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", rig.client.url()))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let answer = client.request(request).await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

fn keys(value: &Value) -> String {
    let keys: BTreeSet<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.into_iter().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_old_client_gets_its_keys_and_no_others() {
    let rig = Rig::new();
    let mut body = serde_json::to_value(rig.body(7, "do-commit do-wait").for_old_peer()).unwrap();
    body["files_allowed"] = Value::Null;
    body["env"] = serde_json::json!({"GATE": rig.gate()});
    let row = old_client(&rig, "POST", "/assign", Some(body)).await;
    insta::assert_snapshot!(keys(&row), @"branch error exit_code finished_at id log_path pid spec started_at status worktree_path");
    let id: coord_core::ids::AssignmentId = serde_json::from_value(row["id"].clone()).unwrap();
    rig.says(&id, "waiting").await;

    let health = old_client(&rig, "GET", "/health", None).await;
    insta::assert_snapshot!(keys(&health), @"active capabilities completed disk_free_bytes features machine protocol repos slots version");
    let status = old_client(&rig, "GET", "/status", None).await;
    insta::assert_snapshot!(keys(&status), @"active completed");
    insta::assert_snapshot!(keys(&status["active"][0]), @"branch cost_so_far error exit_code finished_at id last_tool log_path model_used pid progress rate_limited spec started_at status turns worktree_path");
    insta::assert_snapshot!(keys(&status["active"][0]["progress"]), @"latest_confidence stuck updates warnings");
    let repos = old_client(&rig, "GET", "/repos", None).await;
    insta::assert_snapshot!(keys(&repos["shop"]), @"branch dirty path sha");

    rig.open_gate();
    rig.end(&id).await;
    let status = old_client(&rig, "GET", "/status", None).await;
    insta::assert_snapshot!(keys(&status["completed"][0]), @"branch error exit_code finished_at id log_path model_used num_turns pid spec started_at status stop_reason total_cost_usd worktree_path");
    let row = old_client(&rig, "POST", &format!("/cancel/{id}"), None).await;
    assert_eq!(row["status"], "done");
    let missing = old_client(&rig, "POST", "/cancel/0123456789ab", None).await;
    insta::assert_snapshot!(keys(&missing), @"error");
}

#[tokio::test]
async fn the_document_describes_every_call_and_its_references_hold() {
    let rig = Rig::new();
    let document = old_client(&rig, "GET", "/openapi.json", None).await;
    let calls: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |m| format!("{m} {path}"))
        })
        .collect();
    insta::assert_snapshot!(calls.join("\n"));
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1);
    for name in references.map(|rest| rest.split('"').next().unwrap()) {
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
    let assign = &document["components"]["schemas"]["AssignBody"];
    insta::assert_snapshot!(assign["required"], @r#"["repo_name","repo_path","issue_number","issue_title","briefing"]"#);
}
