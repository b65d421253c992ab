//! Faults happen once, where they are meant, before or after the effect.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use coord_test_support::github::{Fault, When};
use serde_json::json;

use super::{Stage, at};

fn comment(stage: &Stage, text: &str) -> std::io::Result<u16> {
    let body = json!({"body": text}).to_string();
    let answer = stage
        .client
        .send("POST", &at("/issues/1/comments"), &body)?;
    Ok(answer.status)
}

#[test]
fn before_the_effect_nothing_is_done_and_after_it_everything() {
    for (fault, status, done) in [
        (Fault::Status(500), Some(500), false),
        (Fault::Status(502), Some(502), false),
        (Fault::StatusAfterEffect(502), Some(502), true),
        (
            Fault::SecondaryLimit {
                retry_after_secs: 7,
            },
            Some(403),
            false,
        ),
        (Fault::PrimaryLimit { reset: 99 }, Some(403), false),
        (Fault::ConnectionReset, None, false),
        (Fault::ConnectionResetAfterEffect, None, true),
    ] {
        let stage = Stage::new();
        stage.repo.open_issue("t", "", &[], "u");
        stage.github.fail_next(fault);
        assert_eq!(comment(&stage, "first").ok(), status, "{fault:?}");
        assert_eq!(stage.repo.comments(1).len(), usize::from(done), "{fault:?}");
        assert_eq!(
            comment(&stage, "second").unwrap(),
            201,
            "{fault:?} happens once"
        );
        let seen = stage.github.requests();
        assert_eq!(seen[0].status, status.unwrap_or(0));
        assert!(seen[0].faulty && !seen[1].faulty);
        stage.assert_valid();
    }
}

#[test]
fn a_reset_is_a_reset() {
    let stage = Stage::new();
    stage.github.fail_next(Fault::ConnectionReset);
    let error = stage.client.send("GET", "/user", "").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn limits_say_when_to_come_back() {
    let stage = Stage::new();
    stage.github.fail_next(Fault::SecondaryLimit {
        retry_after_secs: 7,
    });
    let answer = stage.client.get(&at(""));
    assert_eq!(answer.header("retry-after"), "7");
    let message = answer.expect(403)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("secondary rate limit"), "{message}");
    stage.github.fail_next(Fault::PrimaryLimit {
        reset: 1_900_000_000,
    });
    let answer = stage.client.get(&at(""));
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert_eq!(answer.header("x-ratelimit-reset"), "1900000000");
}

/// Whether the read time-out passes; a signal to the process does not count.
fn nothing_comes(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 1]).map_err(|error| error.kind()) {
            Err(ErrorKind::Interrupted) => {}
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => return true,
            Ok(_) | Err(_) => return false,
        }
    }
}

#[test]
fn a_time_out_leaves_the_client_waiting() {
    for (fault, done) in [
        (Fault::TimeOutBeforeEffect, 0),
        (Fault::TimeOutAfterEffect, 1),
    ] {
        let stage = Stage::new();
        stage.repo.open_issue("t", "", &[], "u");
        stage.github.fail_next(fault);
        let mut stream = stage.client.connect();
        let body = json!({"body": "b"}).to_string();
        let path = at("/issues/1/comments");
        stage
            .client
            .write(&mut stream, "POST", &path, &body)
            .unwrap();
        while stage.github.requests().is_empty() {
            std::thread::yield_now();
        }
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        assert!(nothing_comes(&mut stream), "{fault:?}");
        assert_eq!(stage.repo.comments(1).len(), done, "{fault:?}");
        // Others are served meanwhile, and the server can be dropped under the waiting client.
        assert_eq!(stage.client.get("/user").status, 200);
        drop(stage);
        assert!(!nothing_comes(&mut stream), "its connection ends");
    }
}

#[test]
fn faults_wait_for_their_request() {
    let stage = Stage::new();
    stage.repo.open_issue("t", "", &[], "u");
    stage.github.schedule(Fault::Status(500), When::Nth(2));
    stage
        .github
        .schedule(Fault::Status(503), When::request("POST", "/comments"));
    assert_eq!(stage.client.get(&at("")).status, 200);
    assert_eq!(stage.client.get(&at("")).status, 500);
    assert_eq!(stage.github.pending_faults(), 1);
    assert_eq!(comment(&stage, "a").unwrap(), 503);
    assert_eq!(comment(&stage, "a").unwrap(), 201);
    assert_eq!(stage.github.pending_faults(), 0);
    stage
        .github
        .fail_every_call(&[Fault::Status(500), Fault::Status(502)]);
    let statuses = |path: &str| [0; 3].map(|_| stage.client.get(path).status);
    assert_eq!(statuses(&at("")), [500, 502, 200]);
    assert_eq!(statuses(&at("/issues")), [500, 502, 200]);
    stage.github.clear_faults();
    assert_eq!(stage.client.get("/user").status, 200);
}
