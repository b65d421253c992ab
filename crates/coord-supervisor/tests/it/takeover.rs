//! Whoever launched a worker dies, comes back, or was not alone.

use std::process::{Command, Stdio};

use coord_supervisor::{Instructions, SUBCOMMAND, files};
use coord_worker::held::{Adopted, Ended, ExitReason, Vanished};
use coord_worker::launch::{LaunchError, Stdin};

use crate::place::{
    Place, ended, in_time, kill, lives, recorded, start, supervisor_program, try_start,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_launches_start_one_worker() {
    let place = Place::new();
    let spec =
        place.script("echo started >> starts; echo up; while [ ! -e go ]; do sleep 0.01; done");
    let launches = (0..8).map(|_| {
        let spec = spec.clone();
        tokio::spawn(async move { try_start(&spec).await })
    });
    let mut started = Vec::new();
    for launch in launches.collect::<Vec<_>>() {
        match launch.await.unwrap() {
            Ok(held) => started.push(held),
            Err(error) => assert!(
                matches!(error, LaunchError::AlreadyStarted { .. }),
                "{error:?}"
            ),
        }
    }
    assert_eq!(started.len(), 1);
    place.said("up").await;
    std::fs::write(place.cwd.join("go"), "").unwrap();
    recorded(&started[0]).await;
    assert_eq!(
        std::fs::read_to_string(place.cwd.join("starts")).unwrap(),
        "started\n"
    );
}

#[tokio::test]
async fn nothing_is_started_twice_one_after_the_other() {
    let place = Place::new();
    let spec = place.script("echo started >> starts");
    place.run(&spec).await;
    assert!(matches!(
        try_start(&spec).await,
        Err(LaunchError::AlreadyStarted { .. })
    ));
    assert_eq!(stage(&place, "launch"), "already-started\n");
    assert_eq!(
        std::fs::read_to_string(place.cwd.join("starts")).unwrap(),
        "started\n"
    );
}

#[tokio::test]
async fn a_launcher_killed_with_its_group_costs_nothing() {
    use std::os::unix::process::CommandExt as _;
    let place = Place::new();
    write_instructions(
        &place,
        "echo up; while [ ! -e go ]; do sleep 0.01; done; echo more; exit 9",
    );
    let mut agent = Command::new("sh")
        .args(["-c", "\"$0\" launch \"$1\"; echo launched; exec sleep 100"])
        .args([supervisor_program(), &place.dir])
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    place.said("up").await;
    let Adopted::Running(held) = place.adopt().await else {
        panic!("not running")
    };
    let group = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    agent.wait().unwrap();
    assert!(lives(held.worker_pid()) && lives(held.supervisor_pid()));
    std::fs::write(place.cwd.join("go"), "").unwrap();
    let record = recorded(&held).await;
    assert_eq!((record.code, record.reason), (Some(9), ExitReason::Exited));
    assert_eq!(place.output(), "up\nmore\n");
}

#[tokio::test]
async fn who_waits_for_a_pipe_to_close_does_not_wait_for_the_worker() {
    let place = Place::new();
    write_instructions(&place, "echo up; exec sleep 100");
    // `output` returns once nobody has its pipes open, under whatever number.
    let output = Command::new("sh")
        .args(["-c", "exec 7>&1 8>&2; \"$0\" launch \"$1\""])
        .args([supervisor_program(), &place.dir])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "started\n");
    let Adopted::Running(held) = place.adopt().await else {
        panic!("not running")
    };
    held.stop().await.unwrap();
    recorded(&held).await;
}

#[tokio::test]
async fn many_wait_for_the_same_end() {
    let place = Place::new();
    let mut spec = place.script("read line; exit 2");
    spec.stdin = Stdin::Steerable(Vec::new());
    let held = start(&spec).await;
    let Adopted::Running(other) = place.adopt().await else {
        panic!("not running")
    };
    let waiting = tokio::spawn(async move { recorded(&other).await });
    held.input("go").await.unwrap();
    let record = recorded(&held).await;
    assert_eq!(record.code, Some(2));
    assert_eq!(waiting.await.unwrap(), record);
    assert_eq!(recorded(&held).await, record);
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_worker_along_and_says_nothing() {
    let place = Place::new();
    let script =
        "setsid sh -c 'echo grandchild=$$; exec sleep 100' & echo up; while :; do sleep 100; done";
    let held = start(&place.script(script)).await;
    let grandchild = place.pid("grandchild").await;
    place.said("up").await;
    kill(held.supervisor_pid());
    let Ended::Vanished(vanished) = in_time(held.wait()).await.unwrap() else {
        panic!("there is a record")
    };
    ended(held.worker_pid()).await;
    assert!(lives(grandchild));
    assert!(vanished.leftovers().await.unwrap().contains(&grandchild));
    assert_eq!(vanished.end_leftovers().await.unwrap(), [0_i32; 0]);
    assert!(!lives(grandchild));
    assert!(matches!(place.adopt().await, Adopted::Vanished(again) if again == vanished));
    assert!(matches!(
        try_start(&place.script("echo again")).await,
        Err(LaunchError::AlreadyStarted { .. })
    ));
    assert_eq!(stage(&place, "launch"), "already-started\n");
    assert!(!place.dir.join(files::EXIT).exists());
}

#[tokio::test]
async fn a_start_interrupted_after_its_mark_is_not_repeated() {
    let place = Place::new();
    write_instructions(&place, "echo again > starts");
    std::fs::write(place.dir.join(files::STARTING), "").unwrap();
    let vanished: Vanished = match place.adopt().await {
        Adopted::Vanished(vanished) => vanished,
        other => panic!("{other:?}"),
    };
    assert_eq!(vanished.leftovers().await.unwrap(), [0_i32; 0]);
    assert_eq!(stage(&place, "launch"), "already-started\n");
    let Adopted::Ended(record) = place.adopt().await else {
        panic!("no record")
    };
    assert_eq!(record.reason, ExitReason::SpawnFailed);
    assert!(!place.cwd.join("starts").exists());
}

#[tokio::test]
async fn a_crash_before_the_mark_leaves_the_way_free() {
    let place = Place::new();
    let spec = place.script("echo ran");
    for leftover in [
        "launch",
        "lock",
        "log.ndjson",
        "exit.json.reserve",
        "control",
    ] {
        std::fs::write(place.dir.join(leftover), "").unwrap();
    }
    assert!(matches!(place.adopt().await, Adopted::NeverStarted));
    place.run(&spec).await;
    assert_eq!(place.output(), "ran\n");
}

#[tokio::test]
async fn an_adopted_worker_can_be_stopped() {
    let place = Place::new();
    let script = "echo up; exec sleep 100";
    let first = start(&place.script(script)).await;
    place.said("up").await;
    drop(first);
    let Adopted::Running(held) = place.adopt().await else {
        panic!("not running")
    };
    held.stop().await.unwrap();
    assert_eq!(recorded(&held).await.reason, ExitReason::Stopped);
}

#[tokio::test]
async fn instructions_that_make_no_sense_start_nothing() {
    let place = Place::new();
    std::fs::write(place.dir.join(files::LAUNCH), "nonsense").unwrap();
    assert!(
        stage(&place, "launch").starts_with("failed other the launch instructions are malformed")
    );
    assert!(matches!(place.adopt().await, Adopted::NeverStarted));
}

/// What that stage says about the folder.
fn stage(place: &Place, stage: &str) -> String {
    let output = Command::new(supervisor_program())
        .args([SUBCOMMAND, stage])
        .arg(&place.dir)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What `coord-worker` would write, for launches that it does not make.
fn write_instructions(place: &Place, script: &str) {
    let spec = place.script(script);
    let instructions = Instructions {
        argv: spec.argv,
        cwd: spec.cwd,
        env: spec.env,
        stdin: coord_supervisor::Stdin::PromptFile,
        header: spec.header,
        limits: spec.limits,
    };
    std::fs::write(place.dir.join(files::LAUNCH), instructions.encode()).unwrap();
    std::fs::write(place.dir.join(files::PROMPT), "").unwrap();
}
