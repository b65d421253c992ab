//! Two sides of one text: whether git's three-way merge of lines takes both.
//!
//! Which lines a diff calls changed is not always clear: where lines repeat, a block can be moved up
//! or down without another result, and implementations differ. Lines that stand once in either
//! version are firm ground, since the algorithm looks for those first. Where an answer would depend
//! on what is between them there is none here, and git has to be asked.

use std::ops::Range;
use std::sync::Arc;

use gix::diff::blob::{Algorithm, Diff, Hunk, InternedInput, sources};

use super::clash::{ClashHunk, Lines};

/// As far as git looks for a NUL before it takes a file for text (`buffer_is_binary`).
const LOOKED_AT: usize = 8000;

/// A file with its lines.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    pub(super) is_binary: bool,
}

impl Text {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let is_binary = bytes.iter().take(LOOKED_AT).any(|&byte| byte == 0);
        let mut ends = Vec::new();
        if !is_binary {
            let mut end = 0;
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                end += line.len();
                ends.push(end);
            }
        }
        Self {
            bytes,
            ends,
            is_binary,
        }
    }

    fn lines(&self, lines: Range<usize>) -> &[u8] {
        let end_of = |count: usize| match count {
            0 => 0,
            count => self
                .ends
                .get(count - 1)
                .copied()
                .unwrap_or(self.bytes.len()),
        };
        self.bytes
            .get(end_of(lines.start)..end_of(lines.end))
            .unwrap_or_default()
    }
}

/// Lines of the base that one side has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    before: Range<usize>,
    after: Range<usize>,
    /// `before` as far as it could be another one in another diff: up to firm ground.
    reach: Range<usize>,
}

/// What one side made of the base.
#[derive(Debug)]
pub(super) struct Edits {
    base: Arc<Text>,
    side: Arc<Text>,
    /// Top down.
    edits: Vec<Edit>,
    /// Whether everything that could be firm ground is: nothing of it has moved.
    is_firm: bool,
    /// Of each line of the base whether there is none like it any more.
    lost: Vec<bool>,
}

impl Edits {
    pub(super) fn between(base: Arc<Text>, side: Arc<Text>) -> Self {
        if base.is_binary || side.is_binary {
            return Self {
                base,
                side,
                edits: Vec::new(),
                is_firm: false,
                lost: Vec::new(),
            };
        }
        let input = InternedInput::new(
            sources::byte_lines(&base.bytes),
            sources::byte_lines(&side.bytes),
        );
        // Git merges with this one, whatever `diff.algorithm` says.
        let mut diff = Diff::compute(Algorithm::Histogram, &input);
        diff.postprocess_no_heuristic(&input);
        let counts = counts(&input);
        let of_base = |is: fn((u8, u8)) -> bool| {
            let lines = input.before.iter();
            lines
                .map(|token| is(counts[token.0 as usize]))
                .collect::<Vec<bool>>()
        };
        let firm = of_base(|counts| counts == (1, 1));
        let moved =
            |line: usize| firm[line] && u32::try_from(line).is_ok_and(|it| diff.is_removed(it));
        let is_firm = !(0..firm.len()).any(moved);
        Self {
            edits: diff.hunks().map(|hunk| edit(&hunk, &firm)).collect(),
            is_firm,
            lost: of_base(|(_, left)| left == 0),
            base,
            side,
        }
    }

    /// Whether git would not look for lines in it.
    pub(super) fn is_binary(&self) -> bool {
        self.base.is_binary || self.side.is_binary
    }

    /// The lines of this side that stand for `region` of the base; `edits` are those in it.
    fn within(&self, region: &Range<usize>, edits: &Range<usize>) -> Range<usize> {
        let (Some(first), Some(last)) = (
            self.edits.get(edits.start),
            self.edits.get(edits.end.wrapping_sub(1)),
        ) else {
            return 0..0;
        };
        first.after.start - (first.before.start - region.start)
            ..last.after.end + (region.end - last.before.end)
    }

    /// Whether all of these are where they are in any diff.
    fn are_fixed(&self, edits: &Range<usize>) -> bool {
        let mut edits = self.edits.get(edits.clone()).into_iter().flatten();
        edits.all(|edit| edit.reach == edit.before)
    }
}

/// How often each line stands in either version; many are many.
fn counts(input: &InternedInput<&[u8]>) -> Vec<(u8, u8)> {
    let mut counts = vec![(0_u8, 0_u8); input.interner.num_tokens() as usize];
    for token in &input.before {
        let (count, _) = &mut counts[token.0 as usize];
        *count = count.saturating_add(1);
    }
    for token in &input.after {
        let (_, count) = &mut counts[token.0 as usize];
        *count = count.saturating_add(1);
    }
    counts
}

fn edit(hunk: &Hunk, firm: &[bool]) -> Edit {
    let before = hunk.before.start as usize..hunk.before.end as usize;
    let up = firm[..before.start].iter().rposition(|&firm| firm);
    let down = firm[before.end..].iter().position(|&firm| firm);
    Edit {
        reach: up.map_or(0, |line| line + 1)..down.map_or(firm.len(), |by| before.end + by),
        before,
        after: hunk.after.start as usize..hunk.after.end as usize,
    }
}

/// What is known of two sides of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Merged {
    Clean,
    Conflict,
    /// Only git itself can say.
    Unsure,
}

/// Lines of the base that both sides have edits in, or next to each other.
struct Region {
    base: Range<usize>,
    /// Which edits of each side.
    one: Range<usize>,
    other: Range<usize>,
}

pub(super) fn merge(one: &Edits, other: &Edits) -> Merged {
    if !one.is_firm || !other.is_firm {
        return Merged::Unsure;
    }
    if regions(&one.edits, &other.edits, |edit| &edit.reach).is_empty() {
        return Merged::Clean;
    }
    let is_certain = |region: &Region| {
        let (mine, its) = (one.are_fixed(&region.one), other.are_fixed(&region.other));
        let both_lost = |line: usize| one.lost[line] && other.lost[line];
        let meet = (mine && its) || (mine || its) && region.base.clone().any(both_lost);
        meet && clash(one, other, region).is_some()
    };
    let regions = regions(&one.edits, &other.edits, |edit| &edit.before);
    match regions.iter().any(is_certain) {
        true => Merged::Conflict,
        false => Merged::Unsure,
    }
}

/// The places that conflict, as far as one diff can tell.
pub(super) fn clashes(one: &Edits, other: &Edits) -> Vec<ClashHunk> {
    regions(&one.edits, &other.edits, |edit| &edit.before)
        .iter()
        .filter_map(|region| clash(one, other, region))
        .collect()
}

/// What both made of the region, unless it is the same.
fn clash(one: &Edits, other: &Edits, region: &Region) -> Option<ClashHunk> {
    let ours = one.within(&region.base, &region.one);
    let theirs = other.within(&region.base, &region.other);
    let differ = one.side.lines(ours.clone()) != other.side.lines(theirs.clone());
    differ.then(|| ClashHunk {
        one: lines(&ours),
        other: lines(&theirs),
    })
}

fn lines(range: &Range<usize>) -> Lines {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Lines {
        start: number(range.start + 1),
        len: number(range.len()),
    }
}

/// Edits of both sides that overlap or touch, as git joins them: it wants an unchanged line between
/// two that do not conflict.
fn regions(one: &[Edit], other: &[Edit], span: fn(&Edit) -> &Range<usize>) -> Vec<Region> {
    let mut regions = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(mine), Some(its)) = (one.get(i), other.get(j)) {
        let (mine, its) = (span(mine), span(its));
        if mine.end < its.start {
            i += 1;
        } else if its.end < mine.start {
            j += 1;
        } else {
            let mut region = Region {
                base: mine.start.min(its.start)..mine.end.max(its.end),
                one: i..i + 1,
                other: j..j + 1,
            };
            while region.takes(one, other, span) {}
            (i, j) = (region.one.end, region.other.end);
            regions.push(region);
        }
    }
    regions
}

impl Region {
    /// Takes in the next edit of either side, if it begins before the region is over.
    fn takes(&mut self, one: &[Edit], other: &[Edit], span: fn(&Edit) -> &Range<usize>) -> bool {
        for (edits, taken) in [(one, &mut self.one), (other, &mut self.other)] {
            if let Some(next) = edits.get(taken.end)
                && span(next).start <= self.base.end
            {
                taken.end += 1;
                self.base.end = self.base.end.max(span(next).end);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, one: &str, other: &str) -> (Merged, usize) {
        let text = |lines: &str| {
            let lines: String = lines.split(' ').map(|line| format!("{line}\n")).collect();
            Arc::new(Text::new(lines.into_bytes()))
        };
        let base = text(base);
        let one = Edits::between(Arc::clone(&base), text(one));
        let other = Edits::between(base, text(other));
        (merge(&one, &other), clashes(&one, &other).len())
    }

    #[test]
    fn git_wants_a_line_between_two_edits() {
        assert_eq!(merged("a b c d", "A b c d", "a b C d"), (Merged::Clean, 0));
        assert_eq!(
            merged("a b c d", "A b c d", "a B c d"),
            (Merged::Conflict, 1)
        );
        assert_eq!(
            merged("a b c d", "a x b c d", "a y b c d"),
            (Merged::Conflict, 1)
        );
        assert_eq!(
            merged("a b c d", "a b c", "a b c d e"),
            (Merged::Conflict, 1)
        );
    }

    #[test]
    fn what_both_did_alike_is_no_conflict() {
        assert_ne!(merged("a b c d", "a x c d", "a x c d").0, Merged::Conflict);
        assert_eq!(merged("a b c d", "a x c d", "a x c d").1, 0);
    }

    #[test]
    fn where_lines_repeat_nothing_is_certain() {
        let (judged, _) = merged("a } } } b", "a } } } } b", "a } x } b");
        assert_eq!(judged, Merged::Unsure);
        let moved = "c a b d e f";
        assert_eq!(
            merged("a b c d e f", moved, "a b c d e F").0,
            Merged::Unsure
        );
    }

    #[test]
    fn lines_are_counted_from_one_and_binary_files_have_none() {
        let text = Text::new(b"one\ntwo".to_vec());
        assert_eq!(text.lines(1..2), b"two");
        assert_eq!(text.lines(0..2), b"one\ntwo");
        let binary = Text::new(b"a\n\0".to_vec());
        assert!(binary.is_binary && binary.ends.is_empty());
    }
}

#[cfg(test)]
mod against_git;
