//! A worker runs and ends by itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use coord_worker::held::{Adopted, ExitReason, HeldError};
use coord_worker::launch::Stdin;

use crate::place::{Place, recorded, start};

#[tokio::test]
async fn output_and_exit_code_are_kept() {
    let place = Place::new();
    let mut spec = place.script("cat; echo said; echo grumbled >&2; pwd; exit 7");
    spec.stdin = Stdin::File(b"--prompt\n".to_vec());
    let held = start(&spec).await;
    let record = recorded(&held).await;
    assert_eq!(
        (record.code, record.signal, record.reason),
        (Some(7), None, ExitReason::Exited)
    );
    assert_eq!(
        place.output(),
        format!("--prompt\nsaid\n{}\n", place.cwd.display())
    );
    assert_eq!(place.read("stderr.log"), "grumbled\n");
    assert_eq!(
        (record.log_bytes, record.lost_bytes),
        (place.log().len() as u64, 0)
    );
    assert!(record.started_at.unwrap() <= record.finished_at);
    assert!(matches!(place.adopt().await, Adopted::Ended(again) if again == record));
}

#[tokio::test]
async fn what_holds_secrets_or_orders_is_gone_at_the_end() {
    let place = Place::new();
    place.run(&place.script("echo done")).await;
    let mut left: Vec<_> = std::fs::read_dir(&place.dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            "exit.json",
            "lock",
            "log.ndjson",
            "prompt.txt",
            "run.json",
            "starting",
            "stderr.log"
        ]
    );
}

#[tokio::test]
async fn a_signal_is_told_apart_from_a_code() {
    let place = Place::new();
    let record = place.run(&place.script("kill -KILL $$")).await;
    assert_eq!(
        (record.code, record.signal, record.reason),
        (None, Some(9), ExitReason::Exited)
    );
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let place = Place::new();
    let mut spec = place.program(["env"]);
    spec.env
        .push(("LÄNGE 1".into(), "zwei\tWörter = drei".into()));
    place.run(&spec).await;
    let path = std::env::var("PATH").unwrap();
    let marker = place.dir.canonicalize().unwrap();
    let mut expected = vec![
        format!("PATH={path}"),
        "LÄNGE 1=zwei\tWörter = drei".to_owned(),
        format!("COORD_WORKER_DIR={}", marker.display()),
    ];
    let output = place.output();
    let mut found: Vec<_> = output.lines().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn any_bytes_in_arguments_and_paths() {
    let place = Place::named("über uns\nzweite Zeile");
    let mut spec = place.program(["printf", "%s|", "two words", "-x", "", "a\nb", "'\"$HOME"]);
    spec.argv.push(OsString::from_vec(b"\xc3\xa4".to_vec()));
    let record = place.run(&spec).await;
    assert_eq!(record.code, Some(0));
    assert_eq!(place.output(), "two words|-x||a\nb|'\"$HOME|ä|\n");
}

#[tokio::test]
async fn a_long_prompt_arrives_whole() {
    let place = Place::new();
    let mut spec = place.script("cat > prompt; wc -c < prompt");
    let prompt: Vec<u8> = (0..300 * 1024_u32).map(|n| n.to_le_bytes()[0]).collect();
    spec.stdin = Stdin::File(prompt.clone());
    place.run(&spec).await;
    assert_eq!(std::fs::read(place.cwd.join("prompt")).unwrap(), prompt);
}

#[tokio::test]
async fn a_worker_is_steered_through_its_stdin() {
    let place = Place::new();
    let mut spec = place.script("while read -r line; do echo \"got $line\"; done; echo closed");
    spec.stdin = Stdin::Steerable(b"{\"first\":1}".to_vec());
    let held = start(&spec).await;
    place.said("got {\"first\":1}").await;
    held.input("{\"second\":\"ü  2\"}").await.unwrap();
    place.said("got {\"second\":\"ü  2\"}").await;
    assert!(matches!(
        held.input("two\nlines").await,
        Err(HeldError::NotOneLine)
    ));
    held.close_input().await.unwrap();
    let record = recorded(&held).await;
    assert_eq!(record.code, Some(0));
    assert!(place.output().ends_with("closed\n"));
    assert!(matches!(
        held.input("{}").await,
        Err(HeldError::NotRunning { .. })
    ));
    assert!(matches!(
        held.stop().await,
        Err(HeldError::NotRunning { .. })
    ));
}

#[tokio::test]
async fn long_messages_reach_a_worker_that_reads_late() {
    let place = Place::new();
    let mut spec = place.script("echo up; while [ ! -e go ]; do sleep 0.01; done; wc -c");
    let message = "x".repeat(300 * 1024);
    spec.stdin = Stdin::Steerable(message.clone().into_bytes());
    let held = start(&spec).await;
    place.said("up").await;
    held.input(&message).await.unwrap();
    held.input(&message).await.unwrap();
    held.close_input().await.unwrap();
    std::fs::write(place.cwd.join("go"), "").unwrap();
    recorded(&held).await;
    assert_eq!(
        place.output().trim(),
        format!("up\n{}", 3 * (message.len() + 1))
    );
}

#[tokio::test]
async fn input_that_nobody_takes_is_noted() {
    let place = Place::new();
    let held = start(&place.script("echo up; while [ ! -e go ]; do sleep 0.01; done")).await;
    place.said("up").await;
    held.input("{\"a\":1}").await.unwrap();
    place
        .said("# coord: an input of 7 bytes was dropped: the worker takes no more input")
        .await;
    std::fs::write(place.cwd.join("go"), "").unwrap();
    assert_eq!(recorded(&held).await.code, Some(0));
}
