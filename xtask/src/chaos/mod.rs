//! `cargo xtask chaos`: `kill -9` of our processes at random moments of the demo.
//!
//! After each run every issue has to be merged, every worker has to have started exactly once, and
//! everything that the workers wrote has to be there. The seed of a run is printed and repeats it.

mod course;
mod schedule;
mod verdict;

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use crate::lab::Binaries;
use crate::tidy::workspace::root;
use course::Course;
use schedule::{Schedule, SplitMix};

/// Makes `runs` runs; the first one from `seed`, the others from seeds that follow from it.
pub(crate) fn run(folder: Option<PathBuf>, runs: u64, seed: Option<u64>) -> Result<()> {
    let binaries = Binaries::find(&root(), folder)?;
    let first = match seed {
        Some(seed) => seed,
        None => fresh_seed()?,
    };
    let mut random = SplitMix(first);
    let mut failed = 0;
    for n in 1..=runs {
        let seed = if n == 1 { first } else { random.below(1 << 32) };
        let schedule = Schedule::draw(seed);
        println!("{n:>4}/{runs} {schedule}");
        let start = Instant::now();
        match one(&binaries, &schedule) {
            Ok(kills) => println!(
                "          ok, {kills} killed, {:.1} s",
                start.elapsed().as_secs_f64()
            ),
            Err(error) => {
                failed += 1;
                println!("          FAILED: {error:#}");
                println!("          repeat it with: cargo xtask chaos --runs 1 --seed {seed}");
            }
        }
    }
    println!("{} passed, {failed} failed", runs - failed);
    match failed {
        0 => Ok(()),
        n => bail!("{n} of {runs} runs failed"),
    }
}

/// One run; how many processes were killed.
fn one(binaries: &Binaries, schedule: &Schedule) -> Result<usize> {
    let mut course = Course::prepare(binaries)?;
    let result = course.run(schedule).and_then(|kills| {
        verdict::check(&course)?;
        Ok(kills)
    });
    if result.is_err() {
        println!(
            "          everything is kept in {}",
            course.keep().display()
        );
    }
    result
}

fn fresh_seed() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::from(now.subsec_nanos()))
}
