//! Random runs of everything around the board: workers that succeed, fail, hang, ask and hit limits;
//! agents that vanish, return and forget; forges that fail; strangers that push; people that
//! interfere; a coordinator that is killed between any two effects. What has to hold stands in
//! `laws`.
//!
//! A run is drawn from a seed. Plain `cargo test` makes some; more of them, from a seed that is
//! printed: `COORD_MODEL_RUNS=10000 cargo test -p coord-core --test it model -- --nocapture`.
//! One again, with its log when it fails: `COORD_MODEL_SEED=7 cargo test -p coord-core --test it model`.

mod agents;
mod carrying;
mod course;
mod dependencies;
mod edits;
mod forge;
mod landing;
mod laws;
mod people;
mod planning;
mod random;
mod repository;
mod setting;
mod sightings;
mod trouble;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use course::{Course, Tally};

/// How many runs plain `cargo test` makes.
const FEW: u64 = 300;

/// Which seeds are run.
struct Seeds {
    first: u64,
    runs: u64,
}

fn seeds() -> Seeds {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        )
    };
    match (number("COORD_MODEL_SEED"), number("COORD_MODEL_RUNS")) {
        (Some(first), runs) => Seeds {
            first,
            runs: runs.unwrap_or(1),
        },
        (None, Some(runs)) => Seeds {
            first: fresh_seed(),
            runs,
        },
        (None, None) => Seeds {
            first: 0,
            runs: FEW,
        },
    }
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) << 16
}

/// What came of runs.
#[derive(Debug, Default)]
struct Runs {
    failed: Vec<u64>,
    tally: Tally,
}

/// Runs every seed.
fn run(seeds: &Seeds) -> Runs {
    let next = AtomicU64::new(seeds.first);
    let end = seeds.first + seeds.runs;
    let work = || {
        let mut runs = Runs::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return runs;
            }
            let mut course = Course::new(seed);
            if catch_unwind(AssertUnwindSafe(|| course.run())).is_err() {
                runs.failed.push(seed);
                if seeds.runs == 1 {
                    course.tell();
                }
            }
            runs.tally.add(&course.tally());
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut runs = Runs::default();
        for part in all {
            let part = part.join().unwrap();
            runs.failed.extend(part.failed);
            runs.tally.add(&part.tally);
        }
        runs
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "the log of CI has the seeds")]
fn whatever_happens_the_laws_hold() {
    let seeds = seeds();
    let Seeds { first, runs } = seeds;
    println!("{runs} runs, from the seed {first} on");
    let Runs { failed, tally } = run(&seeds);
    println!("{tally:?}");
    let again = failed.first().map_or_else(String::new, |seed| {
        format!("COORD_MODEL_SEED={seed} cargo test -p coord-core --test it model")
    });
    assert!(failed.is_empty(), "{failed:?}; one of them again: {again}");
    assert!(runs < FEW || tally.is_full(), "too tame: {tally:?}");
}
