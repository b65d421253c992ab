//! One assignment's folder with everything a test does to it.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_worker::held::{Adopted, Ended, ExitRecord, Held};
use coord_worker::launch::{self, LaunchError, LaunchSpec, Limits, Stdin, Supervisor};
use coord_worker::tail::LogWatcher;
use tokio::sync::watch;

/// Nothing here takes that long; it keeps a failing test from hanging and its worker from staying.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Place {
    _root: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) cwd: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::named("assignment")
    }

    pub(crate) fn named(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (dir, cwd) = (
            root.path().join(name),
            root.path().join(format!("{name} cwd")),
        );
        std::fs::create_dir(&dir).unwrap();
        std::fs::create_dir(&cwd).unwrap();
        Self {
            _root: root,
            dir,
            cwd,
        }
    }

    /// A worker that is this shell script.
    pub(crate) fn script(&self, script: &str) -> LaunchSpec {
        self.program(["sh", "-c", script])
    }

    pub(crate) fn program<const N: usize>(&self, argv: [&str; N]) -> LaunchSpec {
        LaunchSpec {
            dir: self.dir.clone(),
            argv: argv.map(OsString::from).to_vec(),
            cwd: self.cwd.clone(),
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
            stdin: Stdin::File(Vec::new()),
            header: vec!["agent=test".to_owned()],
            limits: Limits {
                timeout: Some(PATIENCE),
                ..Limits::default()
            },
        }
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        std::fs::read(self.dir.join("log.ndjson")).unwrap()
    }

    /// The log without the header line.
    pub(crate) fn output(&self) -> String {
        let log = String::from_utf8(self.log()).unwrap();
        log.strip_prefix("# agent=test\n").unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// Waits until the worker has said that line.
    pub(crate) async fn said(&self, line: &str) {
        self.line(|found| found == line).await;
    }

    /// Waits for a line `NAME=PID` and returns the process id.
    pub(crate) async fn pid(&self, name: &str) -> i32 {
        let line = self
            .line(|line| line.starts_with(&format!("{name}=")))
            .await;
        line.split_once('=').unwrap().1.parse().unwrap()
    }

    async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let (_never_ended, ended) = watch::channel(false);
        let mut follower = LogWatcher::new().follow(&self.dir.join("log.ndjson"), 0, ended);
        in_time(async move {
            loop {
                let chunk = follower.next().await.unwrap().unwrap();
                let text = String::from_utf8_lossy(&chunk.bytes).into_owned();
                if let Some(line) = text.lines().find(|line| wanted(line)) {
                    return line.to_owned();
                }
            }
        })
        .await
    }

    pub(crate) async fn run(&self, spec: &LaunchSpec) -> ExitRecord {
        recorded(&start(spec).await).await
    }

    pub(crate) async fn adopt(&self) -> Adopted {
        in_time(Held::adopt(&self.dir)).await.unwrap()
    }
}

pub(crate) fn supervisor() -> Supervisor {
    Supervisor::with_program(supervisor_program(), [])
}

pub(crate) fn supervisor_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_coord-supervisor"))
}

pub(crate) async fn try_start(spec: &LaunchSpec) -> Result<Held, LaunchError> {
    in_time(launch::launch(&supervisor(), spec)).await
}

pub(crate) async fn start(spec: &LaunchSpec) -> Held {
    try_start(spec).await.unwrap()
}

pub(crate) async fn recorded(held: &Held) -> ExitRecord {
    match in_time(held.wait()).await.unwrap() {
        Ended::Recorded(record) => record,
        Ended::Vanished(vanished) => panic!("no record: {vanished:?}"),
    }
}

pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("takes for ever")
}

/// Whether the process is there and no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.rsplit_once(") ").unwrap().1.starts_with('Z')
}

/// Waits until a process that is not our child has ended.
pub(crate) async fn ended(pid: i32) {
    in_time(async {
        while lives(pid) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(crate) fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
