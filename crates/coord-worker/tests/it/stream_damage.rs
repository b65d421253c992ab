//! Whatever stands between the lines, and wherever the chunks end: nothing panics, and what can be
//! read is read.

use coord_worker::stream::{Line, parse_line};
use coord_worker::summary::{Folder, Summary};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::fixtures::{run, runs, summary};

/// Runs short enough to be cut at random many times.
const SHORT: [&str; 6] = [
    "success",
    "stuck",
    "oauth_unified_rejected",
    "path_allow_rules_dontAsk",
    "output_format_text",
    "sigterm_during_bash",
];

fn in_chunks(log: &[u8], cuts: &[Index]) -> Summary {
    let mut folder = Folder::default();
    let mut from = 0;
    for at in ends(log, cuts) {
        folder.feed(&log[from..at]);
        from = at;
    }
    folder.finish();
    folder.summary().clone()
}

fn ends(log: &[u8], cuts: &[Index]) -> Vec<usize> {
    let mut ends: Vec<_> = cuts
        .iter()
        .map(|cut| cut.index(log.len()))
        .chain([log.len()])
        .collect();
    ends.sort_unstable();
    ends
}

/// Stores the summary at every cut, and takes it up again as another process would.
fn through_checkpoints(log: &[u8], cuts: &[Index]) -> Summary {
    let mut stored = serde_json::to_vec(&Summary::default()).unwrap();
    for end in ends(log, cuts) {
        let mut folder = Folder::resume(serde_json::from_slice(&stored).unwrap());
        let from = usize::try_from(folder.position()).unwrap();
        folder.feed(&log[from..end]);
        if end == log.len() {
            folder.finish();
        }
        stored = serde_json::to_vec(folder.summary()).unwrap();
    }
    serde_json::from_slice(&stored).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_may_end_anywhere(name in select(&SHORT[..]), cuts in prop::collection::vec(any::<Index>(), 0..20)) {
        let log = run(name).log;
        prop_assert_eq!(in_chunks(&log, &cuts), summary(&log));
    }

    #[test]
    fn a_checkpoint_is_as_good_as_the_log(name in select(&SHORT[..]), cuts in prop::collection::vec(any::<Index>(), 0..8)) {
        let log = run(name).log;
        prop_assert_eq!(through_checkpoints(&log, &cuts), summary(&log));
    }

    #[test]
    fn no_bytes_are_fatal(mut noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        noise.push(b'\n');
        noise.extend(run("success").log);
        prop_assert_eq!(summary(&noise).turns, 3);
    }

    #[test]
    fn damaged_lines_are_not_fatal(
        name in select(&SHORT[..]),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..20),
    ) {
        let mut log = run(name).log;
        for (at, byte) in damage {
            let at = at.index(log.len());
            log[at] = byte;
        }
        let seen = summary(&log);
        prop_assert_eq!(seen.offset, log.len() as u64);
    }
}

#[test]
fn no_line_of_the_real_worker_is_broken_or_unknown() {
    for run in runs()
        .into_iter()
        .filter(|run| run.name != "output_format_text")
    {
        for line in run.log.split(|byte| *byte == b'\n') {
            let parsed = parse_line(line);
            let fine = matches!(parsed, Line::Event(_) | Line::Blank);
            assert!(fine, "{}: {parsed:?}", run.name);
        }
    }
}

#[test]
fn a_truncated_last_line_is_counted_and_hides_nothing() {
    let log = run("success").log;
    let seen = summary(&log[..log.len() - 100]);
    assert_eq!((seen.turns, seen.results, seen.broken.damaged), (3, 0, 1));
    assert_eq!(seen.claims.updates, ["DONE"]);
}

#[test]
fn a_line_of_ten_megabytes_is_read_and_a_longer_one_skipped() {
    for (megabytes, skipped) in [(10, 0), (20, 1)] {
        let text = "y".repeat(megabytes << 20);
        let line = format!(
            r#"{{"type":"assistant","message":{{"id":"big","content":[{{"type":"text","text":"STATUS: big\n{text}"}}]}}}}"#
        );
        let mut log = line.into_bytes();
        log.push(b'\n');
        log.extend(run("success").log);
        let seen = summary(&log);
        assert_eq!(seen.broken.overlong, skipped);
        assert_eq!((seen.turns, seen.results), (4 - skipped, 1));
    }
}

#[test]
fn stderr_between_the_lines_hides_nothing() {
    let mut log = b"(node:1) Warning: x\n\nat foo (bar.js:1)\n".to_vec();
    log.extend(run("success").log);
    let seen = summary(&log);
    assert_eq!((seen.turns, seen.results, seen.broken.not_json), (3, 1, 2));
}

#[test]
fn a_summary_stays_small_however_long_the_run_is() {
    let mut folder = Folder::default();
    let lines = runs().into_iter().flat_map(|run| run.log);
    let log: Vec<u8> = lines.collect();
    for _ in 0..20 {
        folder.feed(&log);
        folder.feed(b"\n");
    }
    let size = serde_json::to_vec(folder.summary()).unwrap().len();
    assert!(size < 32 * 1024, "{size}");
}
