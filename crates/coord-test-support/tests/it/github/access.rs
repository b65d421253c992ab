//! Who may do what.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::client::Client;
use super::{Stage, at};

/// A JWT that was issued at `from` and expires at `until`, in seconds from now.
pub(super) fn jwt(app: u64, from: i64, until: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let head = json!({"alg": "RS256", "typ": "JWT"}).to_string();
    let claims = json!({"iss": app, "iat": now + from, "exp": now + until}).to_string();
    format!("{}.{}.c2lnbmF0dXJl", base64_url(&head), base64_url(&claims))
}

fn base64_url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * letter)) & 63;
            encoded.push(char::from(ALPHABET[usize::try_from(index).unwrap()]));
        }
    }
    encoded
}

#[test]
fn a_wrong_or_expired_token_is_401_and_a_hidden_repository_404() {
    let stage = Stage::new();
    let wrong = Client::new(&stage.github, "wrong");
    assert_eq!(wrong.get("/user").expect(401)["message"], "Bad credentials");
    assert_eq!(Client::anonymous(&stage.github).get(&at("")).status, 404);
    assert_eq!(Client::anonymous(&stage.github).get("/user").status, 401);
    assert_eq!(stage.client.get("/user").expect(200)["login"], "coord");
    assert_eq!(stage.client.get("/repos/acme/other").status, 404);
    assert_eq!(stage.client.get("/repos/ACME/Widget").status, 200);
    stage.repo.hide_from("coord");
    let hidden = stage.client.get(&at("")).expect(404);
    assert_eq!(hidden["message"], "Not Found");
    assert_eq!(hidden["status"], "404");
    stage.github.expire_token("token-of-coord");
    assert_eq!(stage.client.get("/user").status, 401);
    stage.assert_valid();
}

#[test]
fn a_token_without_the_scope_is_told_which() {
    let stage = Stage::new();
    stage
        .github
        .add_user_with_scopes("poor", "poor", &["read:org"]);
    let poor = Client::new(&stage.github, "poor");
    let answer = poor.get(&at(""));
    assert_eq!(answer.status, 404, "a private repository is not there");
    assert_eq!(answer.header("x-oauth-scopes"), "read:org");
    assert_eq!(answer.header("x-accepted-oauth-scopes"), "repo");
    stage.repo.set_private(false);
    assert_eq!(poor.get(&at("")).status, 200);
    let answer = poor.call("POST", &at("/issues"), &json!({"title": "t"}));
    assert_eq!(answer.status, 403, "{}", answer.text);

    let permissions = [("issues", "read")];
    stage
        .github
        .add_user_with_permissions("fine", "fine", &permissions);
    let fine = Client::new(&stage.github, "fine");
    assert_eq!(fine.get(&at("/issues")).status, 200);
    let answer = fine.call("POST", &at("/issues"), &json!({"title": "t"}));
    assert_eq!(
        answer.header("x-accepted-github-permissions"),
        "issues=write"
    );
    let message = "Resource not accessible by personal access token";
    assert_eq!(answer.expect(403)["message"], message);
    assert!(stage.repo.issues().is_empty());
    stage.assert_valid();
}

#[test]
fn an_app_gets_tokens_that_expire() {
    let stage = Stage::new();
    stage.github.add_app(7, 8, "coord-app");
    let tokens = "/app/installations/8/access_tokens";
    for wrong in [
        jwt(9, 0, 300),
        jwt(7, 0, -1),
        jwt(7, 0, 3600),
        "a.b.c".to_owned(),
    ] {
        let answer = Client::new(&stage.github, &wrong)
            .send("POST", tokens, "")
            .unwrap();
        assert_eq!(answer.status, 401, "{wrong}: {}", answer.text);
    }
    let app = Client::new(&stage.github, &jwt(7, -60, 540));
    assert_eq!(app.get("/app").expect(200)["slug"], "coord-app");
    let other = app
        .send("POST", "/app/installations/9/access_tokens", "")
        .unwrap();
    assert_eq!(other.status, 404);
    let made = app.send("POST", tokens, "").unwrap().expect(201);
    let token = made["token"].as_str().unwrap();
    assert_eq!(stage.github.installation_tokens(), [token]);
    let bot = Client::new(&stage.github, token);
    assert_eq!(bot.get("/user").status, 403);
    let issue = bot
        .call("POST", &at("/issues"), &json!({"title": "t"}))
        .expect(201);
    assert_eq!(issue["user"]["login"], "coord-app[bot]");
    assert_eq!(issue["user"]["type"], "Bot");
    assert_eq!(issue["author_association"], "NONE");
    stage.github.advance_clock(3601);
    assert_eq!(bot.get(&at("")).status, 401);
    stage.assert_valid();
}

#[test]
fn associations_are_what_was_set_or_follow_from_tokens() {
    let stage = Stage::new();
    stage.github.set_association("acme/widget", "Mem", "MEMBER");
    for (login, association) in [
        ("acme", "OWNER"),
        ("mem", "MEMBER"),
        ("coord", "COLLABORATOR"),
        ("stranger", "NONE"),
    ] {
        let number = stage.repo.open_issue("t", "", &[], login);
        let issue = stage
            .client
            .get(&at(&format!("/issues/{number}")))
            .expect(200);
        assert_eq!(issue["author_association"], association, "{login}");
    }
    stage.assert_valid();
}
