//! The process table, for tests that assert who is alive and who is gone.
//!
//! Reads `/proc`, so it works on Linux only. Nothing here ends a process that it was not given by
//! id, and nothing looks for a process by its name.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Who started it, or who has adopted it.
    pub parent: u32,
    /// One letter, as in `ps`: `R`, `S`, `Z` …
    pub state: char,
    /// Clock ticks since boot: with the id it names the process for certain.
    pub start: u64,
    /// Program and arguments, with blanks in between; empty for a zombie.
    pub command: String,
}

impl Process {
    /// Whether it still does something: a zombie is dead.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Every process that can be seen. One that ends meanwhile is left out.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn table() -> Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc").context("failed to list /proc")? {
        let pid = entry?.file_name().to_str().and_then(|n| n.parse().ok());
        if let Some(process) = pid.and_then(read) {
            processes.push(process);
        }
    }
    Ok(processes)
}

/// The process with this id, if there is one.
#[must_use]
pub fn read(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything, parentheses included.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(Process {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        command: String::from_utf8_lossy(&command)
            .trim_end_matches('\0')
            .replace('\0', " "),
    })
}

/// Whether the process runs; a zombie does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    read(pid).is_some_and(|process| process.is_alive())
}

/// The children of `pid`, their children, and so on, those that are alive.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn descendants(pid: u32) -> Result<Vec<Process>> {
    let table = table()?;
    let mut family = BTreeSet::from([pid]);
    loop {
        let before = family.len();
        let children = table.iter().filter(|p| family.contains(&p.parent));
        let children: Vec<u32> = children.map(|p| p.pid).collect();
        family.extend(children);
        if family.len() == before {
            break;
        }
    }
    family.remove(&pid);
    Ok(table
        .into_iter()
        .filter(|p| p.is_alive() && family.contains(&p.pid))
        .collect())
}

/// The processes alive whose `HOME` or `COORD_HOME` lies below `folder`, or that name it in their
/// arguments: what a test has started there, wherever in the tree it hangs by now.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn of_folder(folder: &Path) -> Result<Vec<Process>> {
    let me = std::process::id();
    let needle = folder.to_string_lossy().into_owned();
    let ours = |process: &Process| {
        process.is_alive()
            && process.pid != me
            && (process.command.contains(&needle) || lives_in(process.pid, &needle))
    };
    Ok(table()?.into_iter().filter(ours).collect())
}

fn lives_in(pid: u32, folder: &str) -> bool {
    let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    environ.split(|byte| *byte == 0).any(|entry| {
        let entry = String::from_utf8_lossy(entry);
        ["HOME=", "COORD_HOME="]
            .iter()
            .filter_map(|name| entry.strip_prefix(name))
            .any(|value| value.starts_with(folder))
    })
}

/// Waits until none of `pids` is alive.
///
/// # Errors
/// When one still is after `patience`, naming it.
pub fn wait_gone(pids: &[u32], patience: Duration) -> Result<()> {
    wait_until(patience, || {
        let alive: Vec<Process> = pids.iter().filter_map(|pid| read(*pid)).collect();
        let alive: Vec<Process> = alive.into_iter().filter(Process::is_alive).collect();
        nobody(&alive)
    })
}

/// Waits until no process of `folder` (see [`of_folder`]) is alive but the `expected` ones.
///
/// # Errors
/// When one still is after `patience`, naming it.
pub fn wait_only(folder: &Path, expected: &[u32], patience: Duration) -> Result<()> {
    wait_until(patience, || {
        let mut alive = of_folder(folder)?;
        alive.retain(|process| !expected.contains(&process.pid));
        nobody(&alive)
    })
}

fn nobody(alive: &[Process]) -> Result<()> {
    if alive.is_empty() {
        Ok(())
    } else {
        bail!("still alive: {alive:?}")
    }
}

/// Asks again and again: for what the kernel tells nobody who is not the parent.
fn wait_until(patience: Duration, check: impl Fn() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    loop {
        match check() {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() >= patience => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell with one child, which has printed a line once that child runs.
    fn family(folder: &Path) -> Child {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 300 & echo up; wait"])
            .env("COORD_HOME", folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = shell.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        shell
    }

    #[test]
    fn a_family_is_found_and_its_end_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = family(folder.path());
        let children = descendants(shell.id()).unwrap();
        assert_eq!(children.len(), 1, "{children:?}");
        assert_eq!(of_folder(folder.path()).unwrap().len(), 2);
        assert!(wait_gone(&[shell.id()], Duration::ZERO).is_err());

        let end = format!("kill {}", children[0].pid);
        Command::new("sh").args(["-c", &end]).status().unwrap();
        shell.wait().unwrap();
        wait_gone(&[shell.id(), children[0].pid], Duration::from_secs(10)).unwrap();
        wait_only(folder.path(), &[], Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        wait_gone(&[pid], Duration::from_secs(10)).unwrap();
        assert_eq!(read(pid).unwrap().state, 'Z');
        child.wait().unwrap();
    }
}
