//! Two branches that are going to conflict, or a branch and its base.

use coord_core::ids::AssignmentId;
use coord_engine::{RadarPair, RadarPicture};
use coord_git::{ClashFile, ClashHunk, Lines};
use serde_json::{Value, json};

use crate::printer::{BAD, GOOD, Printer, WARN, paint, plain};

/// A pair with the picture that it is from.
pub(super) struct Pair<'p> {
    picture: &'p RadarPicture,
    pair: &'p RadarPair,
}

impl<'p> Pair<'p> {
    pub(super) fn all(picture: &'p RadarPicture) -> Vec<Self> {
        let pairs = picture.pairs.iter();
        pairs.map(|pair| Self { picture, pair }).collect()
    }

    /// Whether it is the same pair, in conflict at the same places.
    pub(super) fn is_same(&self, other: &Pair<'_>) -> bool {
        self.pair == other.pair
    }

    /// Whether it is the same pair.
    pub(super) fn is_between(&self, other: &Pair<'_>) -> bool {
        self.pair.one == other.pair.one && self.pair.other == other.pair.other
    }

    /// With each file, and where in it.
    pub(super) fn print(&self, printer: Printer) {
        printer.line(self.sentence());
        for file in &self.pair.files {
            printer.line(format_args!("  {}", self::file(file)));
        }
        if self.pair.files.is_empty() {
            printer.line("  they have no history in common");
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let files = self.pair.files.iter().map(|file| file.path.as_str());
        let files: Vec<&str> = files.collect();
        match files.is_empty() {
            true => format!("{}: they have no history in common", self.sentence()),
            false => format!("{} in {}", self.sentence(), plain(&files.join(", "))),
        }
    }

    /// That it is not in conflict any more.
    pub(super) fn gone(&self) -> String {
        self.sentence_with(&paint(GOOD, "no longer conflicts"))
    }

    fn sentence(&self) -> String {
        self.sentence_with(&paint(BAD, "will conflict"))
    }

    fn sentence_with(&self, what: &str) -> String {
        let one = self.named(&self.pair.one);
        let other = self.pair.other.as_ref();
        let other = other.map_or_else(|| "the base".to_owned(), |id| self.named(id));
        format!("{one} {what} with {other}")
    }

    fn named(&self, id: &AssignmentId) -> String {
        let mut branches = self.picture.branches.iter();
        match branches.find(|it| it.id == *id) {
            Some(branch) => format!("{id} {}", branch.issue),
            None => id.to_string(),
        }
    }
}

/// How many places in a file are worth telling.
const HUNKS: usize = 4;

fn file(file: &ClashFile) -> String {
    let shown = file.hunks.iter().take(HUNKS);
    let mut places: Vec<String> = shown.map(hunk).collect();
    if let Some(more) = file.hunks.len().checked_sub(HUNKS).filter(|more| *more > 0) {
        places.push(format!("and {more} more"));
    }
    let places = match places.is_empty() {
        true => String::new(),
        false => format!(": {}", places.join("; ")),
    };
    let kind = paint(WARN, file.kind.as_str());
    format!("{} {kind}{places}", plain(&file.path))
}

fn hunk(hunk: &ClashHunk) -> String {
    format!("{} against {}", lines(hunk.one), lines(hunk.other))
}

fn lines(lines: Lines) -> String {
    match lines.len {
        0 => format!("deleted before line {}", lines.start),
        1 => format!("line {}", lines.start),
        len => {
            let last = lines.start.saturating_add(len - 1);
            format!("lines {}-{last}", lines.start)
        }
    }
}

/// A pair for programs.
pub(super) fn json(it: &RadarPair) -> Value {
    let lines = |lines: Lines| json!({"start": lines.start, "len": lines.len});
    let hunk = |hunk: &ClashHunk| json!({"one": lines(hunk.one), "other": lines(hunk.other)});
    let file = |file: &ClashFile| {
        let hunks: Vec<Value> = file.hunks.iter().map(hunk).collect();
        json!({"path": file.path, "kind": file.kind.as_str(), "hunks": hunks})
    };
    let files: Vec<Value> = it.files.iter().map(file).collect();
    json!({"one": it.one, "other": it.other, "files": files})
}

#[cfg(test)]
mod tests {
    use coord_git::ClashKind;

    use super::*;

    #[test]
    fn places_in_a_file() {
        let at = |start, len| Lines { start, len };
        let hunk = ClashHunk {
            one: at(10, 3),
            other: at(12, 1),
        };
        let mut clash = ClashFile {
            path: "a\u{1b}.rs".to_owned(),
            kind: ClashKind::Content,
            hunks: vec![hunk],
        };
        let shown = |clash: &ClashFile| anstream::adapter::strip_str(&file(clash)).to_string();
        assert_eq!(shown(&clash), "a .rs content: lines 10-12 against line 12");
        clash.hunks = vec![
            ClashHunk {
                one: at(4, 0),
                other: at(4, 2),
            };
            6
        ];
        let place = "deleted before line 4 against lines 4-5";
        let all = [place; 4].join("; ");
        assert_eq!(shown(&clash), format!("a .rs content: {all}; and 2 more"));
        clash.kind = ClashKind::DeleteEdit;
        clash.hunks.clear();
        assert_eq!(shown(&clash), "a .rs delete/edit");
    }
}
