//! A worker cannot be started: the error names what is wrong, and a class that says whether waiting helps.

use std::path::Path;

use coord_core::failure::FailureClass;
use coord_supervisor::FailureKind;
use coord_worker::held::{Adopted, ExitReason};
use coord_worker::launch::{self, LaunchError, LaunchSpec, Supervisor};

use crate::place::{Place, try_start};

/// The kind and message of a failed start, which must be on record too.
async fn failure(place: &Place, spec: &LaunchSpec) -> (FailureKind, String) {
    let error = try_start(spec).await.expect_err("started");
    assert_eq!(error.class(), FailureClass::Configuration);
    let LaunchError::Failed { kind, message } = error else {
        panic!("{error:?}")
    };
    let Adopted::Ended(record) = place.adopt().await else {
        panic!("no record")
    };
    assert_eq!(
        (record.reason, record.started_at),
        (ExitReason::SpawnFailed, None)
    );
    assert_eq!(record.error.as_ref(), Some(&message));
    assert!(
        !place.dir.join("launch").exists(),
        "the environment stays on disk"
    );
    assert!(matches!(
        try_start(spec).await,
        Err(LaunchError::AlreadyStarted { .. })
    ));
    (kind, message)
}

#[tokio::test]
async fn a_program_that_is_missing() {
    let place = Place::new();
    let (kind, message) = failure(&place, &place.program(["no-such-claude", "-p"])).await;
    assert_eq!(kind, FailureKind::Program);
    assert!(
        message.contains("no-such-claude") && message.contains("No such file"),
        "{message}"
    );
}

#[tokio::test]
async fn a_program_that_cannot_be_executed() {
    let place = Place::new();
    std::fs::write(place.cwd.join("plain"), "text").unwrap();
    let program = place.cwd.join("plain");
    let (kind, message) = failure(&place, &place.program([program.to_str().unwrap()])).await;
    assert_eq!(kind, FailureKind::Program);
    assert!(message.contains("plain"), "{message}");
}

#[tokio::test]
async fn a_working_folder_that_is_missing() {
    let place = Place::new();
    let mut spec = place.script("echo never");
    spec.cwd = place.cwd.join("gone");
    let (kind, message) = failure(&place, &spec).await;
    assert_eq!(kind, FailureKind::Folder);
    assert!(message.ends_with("gone does not exist"), "{message}");
}

#[tokio::test]
async fn arguments_that_no_program_can_be_given() {
    let place = Place::new();
    let (kind, _) = failure(&place, &place.program(["echo", "nul \0 byte"])).await;
    assert_eq!(kind, FailureKind::Other);
    let place = Place::new();
    let (kind, message) = failure(&place, &place.program(["echo", &"x".repeat(300 * 1024)])).await;
    assert_eq!(kind, FailureKind::Other);
    assert!(message.contains("too long"), "{message}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written() {
    let place = Place::new();
    let mut spec = place.script("echo never");
    spec.dir = Path::new("/proc/self").to_path_buf();
    assert!(matches!(
        try_start(&spec).await,
        Err(LaunchError::Write { .. })
    ));
    spec.dir = place.dir.join("gone");
    assert!(matches!(
        try_start(&spec).await,
        Err(LaunchError::Write { .. })
    ));
    assert!(matches!(place.adopt().await, Adopted::NeverStarted));
}

#[tokio::test]
async fn a_supervisor_that_is_none() {
    let place = Place::new();
    let spec = place.script("echo never");
    let other = Supervisor::with_program("/bin/echo", []);
    assert!(matches!(
        launch::launch(&other, &spec).await,
        Err(LaunchError::NotASupervisor { .. })
    ));
    let missing = Supervisor::with_program(place.dir.join("gone"), []);
    assert!(matches!(
        launch::launch(&missing, &spec).await,
        Err(LaunchError::Supervisor { .. })
    ));
    assert!(matches!(place.adopt().await, Adopted::NeverStarted));
    place.run(&spec).await;
}
