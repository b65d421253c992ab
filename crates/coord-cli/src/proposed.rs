//! What is proposed, as people name it and as people and programs see it. A planner has read what
//! strangers wrote: its words are as untrusted as theirs.

use std::str::FromStr as _;

use coord_core::Board;
use coord_core::ids::{ProposalId, SplitId};
use coord_core::proposal::{Chunk, Proposal, Split};
use serde_json::{Value, json};

use crate::describe::count;
use crate::failure::Failure;
use crate::printer::{BAD, STRONG, paint, plain};

/// The name of something that is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Proposal(ProposalId),
    Split(SplitId),
}

impl Name {
    /// Reads `P12`, `S3`; a number alone is what `bare` makes of it.
    pub(crate) fn parse(text: &str, bare: fn(u32) -> Self) -> Result<Self, Failure> {
        let text = text.trim();
        let proposal = ProposalId::from_str(text).map(Self::Proposal);
        let named = proposal.or_else(|_| SplitId::from_str(text).map(Self::Split));
        let numbered = || text.parse().ok().filter(|_| is_digits(text)).map(bare);
        named.ok().or_else(numbered).ok_or_else(|| {
            Failure::usage(format!("`{}` is not an id such as P12 or S3", plain(text)))
                .with_hint("`coord status` lists what is proposed")
        })
    }

    /// Each of them once, in the order in which they were given.
    pub(crate) fn parse_all(texts: &[String], bare: fn(u32) -> Self) -> Result<Vec<Self>, Failure> {
        let mut names = Vec::new();
        for text in texts {
            let name = Self::parse(text, bare)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn is_on(self, board: &Board) -> bool {
        match self {
            Self::Proposal(id) => board.proposals.contains_key(&id),
            Self::Split(id) => board.splits.contains_key(&id),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Proposal(id) => id.fmt(f),
            Self::Split(id) => id.fmt(f),
        }
    }
}

/// A sign would be taken as well.
fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Before anything is done about one of them, all of them have to be there.
pub(crate) fn check(board: &Board, names: &[Name]) -> Result<(), Failure> {
    let unknown = names.iter().filter(|name| !name.is_on(board));
    let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let which = unknown.join(", ");
    Err(
        Failure::usage(format!("nothing that is proposed has the id {which}"))
            .with_hint("`coord status` lists what is proposed; a new plan replaces the one before"),
    )
}

/// `P1 shop#1 Write a.txt on laptop`.
pub(crate) fn line(it: &Proposal) -> String {
    let (id, issue, machine) = (it.id, &it.draft.issue, plain(it.draft.machine.as_str()));
    format!(
        "{} {issue} {} on {machine}",
        paint(STRONG, id),
        plain(&it.title)
    )
}

/// `S1 shop#5 Rework it: 3 parts`.
pub(crate) fn split_line(it: &Split) -> String {
    let (id, issue, title) = (it.id, &it.draft.issue, plain(&it.title));
    let what = match (&it.under_way, &it.failed) {
        (Some(_), _) => "its sub-issues are being created".to_owned(),
        (None, Some(error)) => {
            format!(
                "{}: {}",
                paint(BAD, "could not be carried out"),
                plain(error)
            )
        }
        (None, None) => count(it.draft.chunks.len() as u64, "part"),
    };
    format!("{} {issue} {title}: {what}", paint(STRONG, id))
}

/// `2. Title (after 1; src/a.rs, src/b.rs)`.
pub(crate) fn part_line(place: usize, chunk: &Chunk) -> String {
    let after: Vec<String> = chunk.after.iter().map(|it| (it + 1).to_string()).collect();
    let after = (!after.is_empty()).then(|| format!("after {}", after.join(", ")));
    let files = (!chunk.files.is_empty()).then(|| chunk.files.join(", "));
    let more: Vec<String> = after.into_iter().chain(files).collect();
    let more = match more.is_empty() {
        true => String::new(),
        false => format!(" ({})", plain(&more.join("; "))),
    };
    format!("{}. {}{more}", place + 1, plain(&chunk.title))
}

/// A proposal for programs.
pub(crate) fn json(it: &Proposal) -> Value {
    let draft = &it.draft;
    json!({"id": it.id.to_string(), "issue": draft.issue, "title": it.title,
        "machine": draft.machine, "model": draft.model, "size": draft.size,
        "files": draft.files, "rationale": draft.rationale, "notes": draft.notes,
        "proposed_at": it.proposed_at})
}

/// A split for programs.
pub(crate) fn split_json(it: &Split) -> Value {
    let draft = &it.draft;
    json!({"id": it.id.to_string(), "issue": draft.issue, "title": it.title,
        "rationale": draft.rationale, "chunks": draft.chunks, "proposed_at": it.proposed_at,
        "under_way": it.under_way.is_some(), "failed": it.failed})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> Name {
        Name::Proposal(ProposalId(number))
    }

    #[test]
    fn names_with_and_without_their_letter() {
        let parse = |text| Name::parse(text, number).ok();
        for text in ["P12", "p12", "12", " 12 "] {
            assert_eq!(parse(text), Some(number(12)), "{text}");
        }
        assert_eq!(parse("s3"), Some(Name::Split(SplitId(3))));
        for text in ["", "P", "+1", "P-1", "Q1", "1a", "P99999999999", "1 2"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_counts_once() {
        let texts = ["P2", "1", "p1", "S1"].map(str::to_owned);
        let names = Name::parse_all(&texts, number).unwrap();
        assert_eq!(names, [number(2), number(1), Name::Split(SplitId(1))]);
    }

    #[test]
    fn parts_say_their_order_and_files() {
        let mut chunk = Chunk {
            title: "First\u{1b}[2J".to_owned(),
            scope: String::new(),
            files: Vec::new(),
            after: Vec::new(),
        };
        assert_eq!(part_line(0, &chunk), "1. First [2J");
        chunk.after = vec![0, 1];
        chunk.files = vec!["a.rs".to_owned(), "b/**".to_owned()];
        assert_eq!(
            part_line(2, &chunk),
            "3. First [2J (after 1, 2; a.rs, b/**)"
        );
    }
}
