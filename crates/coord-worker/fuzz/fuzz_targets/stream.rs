//! Nothing that a worker can print is fatal, and where the chunks end makes no difference.
//!
//! `cargo +nightly fuzz run stream -- -max_total_time=60`, from the crate's folder. The recorded runs
//! make a good corpus: `cp tests/it/fixtures/claude-stream/*.jsonl fuzz/corpus/stream/`.

#![no_main]

use coord_worker::stream::parse_line;
use coord_worker::summary::{Folder, Summary};
use libfuzzer_sys::fuzz_target;

fn fold(chunks: &[&[u8]]) -> Summary {
    let mut folder = Folder::default();
    for chunk in chunks {
        folder.feed(chunk);
    }
    folder.finish();
    folder.summary().clone()
}

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, log) = input;
    let _ = parse_line(log);
    let whole = fold(&[log]);
    let (head, tail) = log.split_at(usize::from(cut).min(log.len()));
    assert_eq!(fold(&[head, tail]), whole);
    assert_eq!(whole.offset, log.len() as u64);
    let stored = serde_json::to_vec(&whole).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Summary>(&stored).ok(), Some(whole));
});
