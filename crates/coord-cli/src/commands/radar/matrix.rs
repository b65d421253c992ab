//! All branches of a repository, each beside each other and beside the base.

use coord_core::ids::AssignmentId;
use coord_engine::{RadarBranch, RadarPicture};
use serde_json::{Value, json};

use crate::printer::{BAD, FAINT, Printer, WARN, paint, plain};

/// A row for each branch; the columns are the base and the branches by the numbers of their rows.
pub(super) struct Matrix<'p>(&'p RadarPicture);

impl<'p> Matrix<'p> {
    pub(super) const fn new(picture: &'p RadarPicture) -> Self {
        Self(picture)
    }

    pub(super) fn print(&self, printer: Printer) {
        let branches = &self.0.branches;
        let numbers = (1..=branches.len()).map(|number| number.to_string());
        let numbers: Vec<String> = numbers.collect();
        let mut header = vec!["", "id", "issue", "title", "state", "base"];
        header.extend(numbers.iter().map(String::as_str));
        let rows = branches.iter().zip(&numbers);
        let rows = rows.map(|(branch, number)| self.row(number, branch));
        printer.table(&header, rows.collect());
    }

    fn row(&self, number: &str, branch: &RadarBranch) -> Vec<String> {
        let mut row = vec![
            number.to_owned(),
            branch.id.to_string(),
            branch.issue.to_string(),
            shortened(&branch.title),
            branch.state.as_str().to_owned(),
            self.cell(branch, None),
        ];
        let others = self.0.branches.iter();
        row.extend(others.map(|other| self.cell(branch, Some(other))));
        row
    }

    /// How many files are in conflict.
    fn cell(&self, branch: &RadarBranch, other: Option<&RadarBranch>) -> String {
        if other.is_some_and(|other| other.id == branch.id) {
            return String::new();
        }
        let is_known = branch.head.is_ok() && other.is_none_or(|other| other.head.is_ok());
        if !is_known || self.0.trouble.is_some() {
            return paint(WARN, "?");
        }
        let other = other.map(|other| &other.id);
        match self.files(&branch.id, other) {
            None => paint(FAINT, "·"),
            // Without a common history everything is.
            Some(0) => paint(BAD, "!"),
            Some(files) => paint(BAD, files),
        }
    }

    fn files(&self, id: &AssignmentId, other: Option<&AssignmentId>) -> Option<usize> {
        let is_pair = |one: &AssignmentId, two: Option<&AssignmentId>| {
            (one == id && two == other) || (Some(one) == other && two == Some(id))
        };
        let mut pairs = self.0.pairs.iter();
        let pair = pairs.find(|pair| is_pair(&pair.one, pair.other.as_ref()))?;
        Some(pair.files.len())
    }
}

/// How much of a title is shown.
const TITLE: usize = 30;

fn shortened(title: &str) -> String {
    let title = plain(title);
    match title.chars().nth(TITLE) {
        None => title,
        Some(_) => title.chars().take(TITLE - 1).chain(['…']).collect(),
    }
}

/// A branch for programs.
pub(super) fn branch_json(it: &RadarBranch) -> Value {
    json!({"id": it.id, "issue": it.issue, "title": it.title, "machine": it.machine,
        "state": it.state, "head": it.head.as_ref().ok(), "unknown": it.head.as_ref().err()})
}
