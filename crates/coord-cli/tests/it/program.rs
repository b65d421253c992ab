//! One run of `coord`: started, waited for, asked to end. Nothing waits for ever.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Nothing takes that long; what does is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// It went well.
    pub(crate) fn ok(self) -> Self {
        self.code(0)
    }

    /// It ended with this code.
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// The last line on stderr.
    pub(crate) fn last(&self) -> &str {
        self.err.lines().last().unwrap_or_default()
    }

    /// Its answer as data.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// A run that goes on. Ended, by its id, when it is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Program {
    /// Starts `command` with its output in files below `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> io::Result<Self> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let out = folder.join(format!("{run}.out"));
        let err = folder.join(format!("{run}.err"));
        let child = command
            .stdout(Stdio::from(File::create(&out)?))
            .stderr(Stdio::from(File::create(&err)?))
            .spawn()?;
        Ok(Self { child, out, err })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let child = &mut self.child;
        let ended = until(|| child.try_wait().unwrap());
        let Some(status) = ended else {
            panic!("it does not end\n{}\n{}", self.out(), self.err());
        };
        Ran {
            code: status.code(),
            out: self.out(),
            err: self.err(),
        }
    }

    /// Waits until it has written a line with `text` to stdout or stderr, and returns that line.
    pub(crate) fn says(&mut self, text: &str) -> String {
        let line = until(|| {
            let said = self.out() + &self.err();
            let line = said
                .split_inclusive('\n')
                .find(|line| line.contains(text) && line.ends_with('\n'))
                .map(|line| line.trim_end().to_owned());
            let over = line.is_none() && self.child.try_wait().unwrap().is_some();
            assert!(!over, "it ended without {text:?}: {said}");
            line
        });
        let said = || panic!("it never said {text:?}: {}{}", self.out(), self.err());
        line.unwrap_or_else(said)
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn out(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.out).unwrap()).into_owned()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.err).unwrap()).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, for what nobody announces; `None` when it never comes.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
