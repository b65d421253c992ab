//! The hook against an agent that answers, one that breaks off, and none.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use coord_supervisor::{Door, files};

const CALL: &str = "{\"tool_input\":\n{\"file_path\":\"/w/a\"}}";

fn door(folder: &Path, address: SocketAddr) {
    let door = Door {
        address,
        path: "/hook/1".to_owned(),
        token: "t".to_owned(),
    };
    std::fs::write(folder.join(files::HOOK), door.encode()).unwrap();
}

/// Answers one connection after the other with these bytes; gives the requests.
fn agent(answers: &[&'static str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answers = answers.to_vec();
    let served = thread::spawn(move || {
        let serve = |answer: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let request = request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            request
        };
        answers.into_iter().map(serve).collect()
    });
    (address, served)
}

fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(CALL.as_bytes()) && stream.read(&mut byte).unwrap() > 0 {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn hook(folder: &Path, moment: &str, mode: &str, call: &str) -> Output {
    let mut hook = Command::new(env!("CARGO_BIN_EXE_coord-supervisor"))
        .args(["hook", moment, mode])
        .arg(folder.join(files::HOOK))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    hook.stdin
        .take()
        .unwrap()
        .write_all(call.as_bytes())
        .unwrap();
    hook.wait_with_output().unwrap()
}

#[test]
fn the_answer_is_printed_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (address, served) = agent(&["HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}"]);
    door(folder.path(), address);
    let output = hook(folder.path(), "pre", "strict", CALL);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"{\"a\":1}");
    let requests = served.join().unwrap();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, CALL);
    assert!(head.starts_with("POST /hook/1 HTTP/1.0\r\n"), "{head}");
    assert!(head.contains("\r\nAuthorization: Bearer t\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nHost: {address}\r\n")), "{head}");
}

#[test]
fn what_breaks_off_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let (address, served) = agent(&[
        "",
        "HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\"",
        "HTTP/1.0 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    ]);
    door(folder.path(), address);
    let output = hook(folder.path(), "pre", "strict", CALL);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(served.join().unwrap().len(), 4);
}

#[test]
fn where_nobody_answers_the_mode_decides() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr();
    door(folder.path(), nobody.unwrap());
    let notes = || std::fs::read_to_string(folder.path().join(files::UNCHECKED)).ok();

    let strict = hook(folder.path(), "pre", "strict", CALL);
    assert_eq!(strict.status.code(), Some(2));
    let told = String::from_utf8(strict.stderr).unwrap();
    assert!(
        told.contains("STUCK:") && strict.stdout.is_empty(),
        "{told}"
    );
    let after = hook(folder.path(), "post", "strict", CALL);
    assert_eq!((after.status.code(), notes()), (Some(0), None));

    let warn = hook(folder.path(), "pre", "warn", CALL);
    assert_eq!((warn.status.code(), warn.stdout.len()), (Some(0), 0));
    assert_eq!(notes().unwrap(), CALL.replace('\n', " ") + "\n");
    let large = "x".repeat(100 * 1024);
    assert_eq!(
        hook(folder.path(), "pre", "warn", &large).status.code(),
        Some(0)
    );
    assert_eq!(notes().unwrap().lines().count(), 1);
}

#[test]
fn arguments_that_are_not_understood_are_a_denial() {
    let folder = tempfile::tempdir().unwrap();
    for (moment, mode) in [("before", "strict"), ("pre", "lax")] {
        assert_eq!(hook(folder.path(), moment, mode, "").status.code(), Some(2));
    }
}
