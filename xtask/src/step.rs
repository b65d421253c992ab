//! Named steps with their durations: what `ci` and `.ci/run` print.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs steps one after the other and goes on when one fails, so that one run shows every failure.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    failed: bool,
}

impl Steps {
    /// Runs one step and remembers how it ended.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        println!("── {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        if let Err(error) = &result {
            println!("── {name} failed: {error:#}");
        }
        self.done.push(Step {
            name: name.to_owned(),
            took,
            failed: result.is_err(),
        });
    }

    /// Prints all steps and fails when one of them did.
    pub(crate) fn finish(self) -> Result<()> {
        println!();
        for step in &self.done {
            let word = if step.failed { "FAILED" } else { "ok" };
            println!(
                "{word:>6}  {:>7.1} s  {}",
                step.took.as_secs_f64(),
                step.name
            );
        }
        match self.done.iter().filter(|step| step.failed).count() {
            0 => Ok(()),
            n => bail!("{n} of {} steps failed", self.done.len()),
        }
    }
}

/// Runs a command in `folder`, its output going where ours goes; an exit code other than 0 is an error.
pub(crate) fn call(folder: &Path, program: &str, args: &[&str]) -> Result<()> {
    call_with(folder, program, args, &[])
}

/// Like [`call`], with environment variables on top.
pub(crate) fn call_with(
    folder: &Path,
    program: &str,
    args: &[&str],
    env: &[(&str, &str)],
) -> Result<()> {
    let status = Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .current_dir(folder)
        .status()
        .with_context(|| format!("failed to run {program}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{program} {} ended with {status}", args.join(" "))
    }
}
