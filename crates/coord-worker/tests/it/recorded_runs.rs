//! Every recorded run gives the outcome that it really had.

use std::fmt::Write as _;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_worker::anomaly::{Thresholds, anomalies};
use coord_worker::outcome::{ExitReason, classify};
use coord_worker::stream::{Line, StreamEvent, parse_line};

use crate::fixtures::{index, run, runs, summary};

#[test]
fn every_run_has_its_outcome() {
    let mut table = format!(
        "{:<32} {:<10} {:<14} {:>5} {:>8}  {}\n",
        "run", "result", "class", "turns", "cost", "error"
    );
    for run in runs() {
        let summary = summary(&run.log);
        let outcome = classify(&summary, &run.exit);
        let (result, class) = match outcome.result {
            WorkerResult::Done => ("done", String::new()),
            WorkerResult::Cancelled => ("cancelled", String::new()),
            WorkerResult::Failed(FailureClass::Configuration) => ("failed", "configuration".into()),
            WorkerResult::Failed(FailureClass::Work) => ("failed", "work".into()),
            WorkerResult::Failed(FailureClass::Environmental { retry_at }) => (
                "failed",
                retry_at.map_or("environmental".into(), |at| {
                    format!("env until {}", at.as_millis() / 1000)
                }),
            ),
        };
        let error = outcome.error.unwrap_or_default();
        let cost = summary.cost_usd;
        let row = format!(
            "{:<32} {result:<10} {class:<14} {:>5} {cost:>8.4}  {error}",
            run.name, summary.turns
        );
        writeln!(table, "{}", row.trim_end()).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_details_are_read() {
    let mut table = String::new();
    for run in runs() {
        let s = summary(&run.log);
        let files: Vec<_> = s.files.iter().map(|edit| edit.path.as_str()).collect();
        writeln!(table, "## {}", run.name).unwrap();
        writeln!(
            table,
            "tools {:?} last {:?} files {files:?}",
            s.tools, s.last_tool
        )
        .unwrap();
        writeln!(table, "commands {:?}", s.commands.recent).unwrap();
        writeln!(table, "claims {:?}", s.claims).unwrap();
        writeln!(
            table,
            "commits {:?} retries {} results {} structured {}",
            s.commits,
            s.retries,
            s.results,
            s.last_result
                .as_ref()
                .is_some_and(|result| result.answer.is_some())
        )
        .unwrap();
        for denial in &s.denials {
            writeln!(table, "denied {}: {}", denial.tool, denial.about).unwrap();
        }
        for warning in anomalies(&s, &Thresholds::default()) {
            writeln!(table, "warning: {warning}").unwrap();
        }
        if let Some(limit) = &s.limit {
            writeln!(table, "limit {limit:?}").unwrap();
        }
        writeln!(table, "unknown {:?} broken {:?}\n", s.unknown, s.broken).unwrap();
    }
    insta::assert_snapshot!(table);
}

/// The recorder's API counted 20 tokens for most answers, whatever was in them; those of a real one
/// are further from what is seen of them.
#[test]
fn the_estimate_is_close_to_the_total() {
    let mut table = format!(
        "{:<32} {:>9} {:>9} {:>6}\n",
        "run", "estimate", "told", "ratio"
    );
    for run in runs() {
        let told = summary(&run.log).cost_usd;
        let spend = summary(&without_results(&run.log)).spend;
        if spend.messages() == 0 {
            assert_eq!((spend.so_far_usd(), told), (0.0, 0.0), "{}", run.name);
            continue;
        }
        let estimate = spend.so_far_usd();
        let ratio = match told > 0.0 {
            true => format!("{:.2}", estimate / told),
            false => "-".to_owned(),
        };
        let row = format!("{:<32} {estimate:>9.6} {told:>9.6} {ratio:>6}", run.name);
        writeln!(table, "{row}").unwrap();
        let with_results = summary(&run.log).spend;
        if told > 0.0 {
            assert_eq!(with_results.best_usd(), told, "{}", run.name);
        }
    }
    insta::assert_snapshot!(table);
}

fn without_results(log: &[u8]) -> Vec<u8> {
    let lines = log.split_inclusive(|byte| *byte == b'\n');
    let is_result = |line: &&[u8]| matches!(parse_line(line), Line::Event(StreamEvent::Result(_)));
    lines
        .filter(|line| !is_result(line))
        .flatten()
        .copied()
        .collect()
}

/// The recorder counted results and denials with another parser.
#[test]
fn the_counts_agree_with_the_recorder_s() {
    let index = index();
    let rows: Vec<Vec<&str>> = index
        .lines()
        .skip(1)
        .map(|row| row.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 49);
    for row in rows {
        let summary = summary(&run(row[0]).log);
        let last = summary.last_result.unwrap_or_default();
        let ours = (
            summary.results.to_string(),
            summary.denials.len().to_string(),
            last.subtype,
        );
        let subtype = row[4].trim_matches('-').to_owned();
        assert_eq!(
            ours,
            (row[3].to_owned(), row[9].to_owned(), subtype),
            "{}",
            row[0]
        );
    }
}

#[test]
fn a_run_that_a_person_interrupted_is_cancelled() {
    let mut run = run("sigint_during_bash");
    run.exit.reason = ExitReason::Stopped;
    assert_eq!(
        classify(&summary(&run.log), &run.exit).result,
        WorkerResult::Cancelled
    );
}
