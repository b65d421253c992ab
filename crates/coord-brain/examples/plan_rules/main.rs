//! How long the planner without a model takes for 1,000 issues, 20 machines and 10 repositories of
//! 5,000 files and 500 changes each: prints milliseconds, the median of the runs.

#![expect(clippy::print_stdout, reason = "a measurement is printed")]

mod fleet;

use std::time::Instant;

use fleet::Fleet;

const RUNS: usize = 31;

fn main() {
    let fleet = Fleet::new();
    let facts = fleet.facts();
    let mut took: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(coord_brain::rules::plan(&facts));
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!("{:.3}", took.get(RUNS / 2).copied().unwrap_or(f64::NAN));
}
