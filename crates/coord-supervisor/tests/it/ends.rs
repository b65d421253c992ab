//! A worker is ended: asked to, out of time, or out of sight. Nothing of it may be left.

use std::time::Duration;

use coord_worker::held::ExitReason;
use coord_worker::launch::{Limits, Stdin};

use crate::place::{Place, ended, lives, recorded, start};

const SHORT: Duration = Duration::from_millis(200);

fn limits(place: &Place) -> Limits {
    Limits {
        grace: SHORT,
        ..place.script("").limits
    }
}

#[tokio::test]
async fn stop_lets_the_worker_end_well() {
    let place = Place::new();
    let held =
        start(&place.script("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done"))
            .await;
    place.said("up").await;
    held.stop().await.unwrap();
    let record = recorded(&held).await;
    assert_eq!(
        (record.code, record.signal, record.reason),
        (Some(3), None, ExitReason::Stopped)
    );
    assert_eq!(place.output(), "up\nbye\n");
}

#[tokio::test]
async fn stop_ends_who_ignores_it_and_a_grandchild_in_its_own_session() {
    let place = Place::new();
    let mut spec = place.script(
        "trap '' TERM
         setsid sh -c 'trap \"\" TERM; echo grandchild=$$; setsid sleep 100 & echo sleeper=$!; sleep 101' &
         echo worker=$$; while :; do sleep 100; done",
    );
    spec.limits = limits(&place);
    let held = start(&spec).await;
    let mut pids = vec![held.worker_pid()];
    for name in ["worker", "grandchild", "sleeper"] {
        pids.push(place.pid(name).await);
    }
    held.stop().await.unwrap();
    held.stop().await.unwrap();
    let record = recorded(&held).await;
    assert_eq!(
        (record.code, record.signal, record.reason),
        (None, Some(9), ExitReason::Stopped)
    );
    assert_eq!(
        pids.into_iter()
            .filter(|pid| lives(*pid))
            .collect::<Vec<_>>(),
        [0_i32; 0]
    );
    ended(held.supervisor_pid()).await;
}

#[tokio::test]
async fn what_a_worker_leaves_running_goes_with_it() {
    let place = Place::new();
    let mut spec = place.script(
        "setsid sh -c 'trap \"\" TERM; echo stubborn=$$; while :; do sleep 100; done' &
         sleep 100 & echo plain=$!
         read line; exit 5",
    );
    spec.limits = limits(&place);
    spec.stdin = Stdin::Steerable(Vec::new());
    let held = start(&spec).await;
    let pids = [place.pid("stubborn").await, place.pid("plain").await];
    held.input("go").await.unwrap();
    let record = recorded(&held).await;
    assert_eq!((record.code, record.reason), (Some(5), ExitReason::Exited));
    assert!(!pids.into_iter().any(lives));
}

#[tokio::test]
async fn who_forks_all_the_time_is_ended_too() {
    let place = Place::new();
    let mut spec = place.script(
        "setsid sh -c 'trap \"\" TERM; echo forker=$$; for i in $(seq 500); do (trap \"\" TERM; sleep 0.05; sleep 100) & sleep 0.01; done; sleep 100' &
         while :; do sleep 100; done",
    );
    spec.limits = limits(&place);
    let held = start(&spec).await;
    let forker = place.pid("forker").await;
    held.stop().await.unwrap();
    recorded(&held).await;
    assert!(!lives(forker));
    let marker = place.dir.canonicalize().unwrap();
    assert_eq!(marked(marker.to_str().unwrap()), [0_i32; 0]);
}

/// Everybody whose environment names the folder.
fn marked(dir: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&format!("COORD_WORKER_DIR={dir}\0"))
    })
    .collect()
}

async fn ended_by(limits: impl FnOnce(&mut Limits), script: &str) -> ExitReason {
    let place = Place::new();
    let mut spec = place.script(script);
    spec.limits.grace = SHORT;
    limits(&mut spec.limits);
    let record = place.run(&spec).await;
    assert_eq!(record.signal, Some(15), "{record:?}");
    record.reason
}

#[tokio::test]
async fn silence_from_the_start() {
    assert_eq!(
        ended_by(|limits| limits.first_output = Some(SHORT), "exec sleep 100").await,
        ExitReason::NoOutput
    );
}

#[tokio::test]
async fn silence_later() {
    let reason = ended_by(
        |limits| limits.stall = Some(SHORT),
        "echo up; exec sleep 100",
    )
    .await;
    assert_eq!(reason, ExitReason::Stalled);
}

#[tokio::test]
async fn too_long_altogether() {
    let script = "while :; do echo busy; sleep 0.01 & wait; done";
    assert_eq!(
        ended_by(|limits| limits.timeout = Some(SHORT), script).await,
        ExitReason::Timeout
    );
}

#[tokio::test]
async fn no_end_after_the_result() {
    let script = r#"echo '{"duration_api_ms":1,"usage":{"type":"x"},"type":"result"}'; echo '{"type":"command_lifecycle"}'; exec sleep 100"#;
    assert_eq!(
        ended_by(|limits| limits.hung_after_result = Some(SHORT), script).await,
        ExitReason::Hung
    );
}

#[tokio::test]
async fn work_after_a_result_is_left_alone() {
    let place = Place::new();
    let mut spec = place.script(
        r#"echo '{"type":"result"}'; echo '{"type":"assistant"}'; while [ ! -e go ]; do sleep 0.01; done; exit 4"#,
    );
    spec.limits.hung_after_result = Some(Duration::from_millis(20));
    let held = start(&spec).await;
    place.said("{\"type\":\"assistant\"}").await;
    // Several times the limit passes; a supervisor that took the first result for the end would have ended it by then.
    tokio::time::sleep(SHORT).await;
    std::fs::write(place.cwd.join("go"), "").unwrap();
    let record = recorded(&held).await;
    assert_eq!((record.code, record.reason), (Some(4), ExitReason::Exited));
}
