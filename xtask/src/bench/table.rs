//! What was measured beside what was promised.

use anyhow::{Result, bail};

/// The rows in the order of measuring.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    measured: f64,
    limit: f64,
    unit: &'static str,
    note: String,
}

impl Table {
    /// Adds one row, and says so while the rest is still being measured.
    pub(crate) fn add(
        &mut self,
        what: &str,
        measured: f64,
        limit: f64,
        unit: &'static str,
        note: impl Into<String>,
    ) {
        eprintln!("measured: {what}");
        self.rows.push(Row {
            what: what.to_owned(),
            measured,
            limit,
            unit,
            note: note.into(),
        });
    }

    /// Prints all rows, for a terminal or for the README.
    pub(crate) fn print(&self, markdown: bool) {
        if markdown {
            println!("| what | measured | promised | how |\n| --- | ---: | ---: | --- |");
        }
        for row in &self.rows {
            let measured = format!("{:.2} {}", row.measured, row.unit);
            let limit = format!("{:.2} {}", row.limit, row.unit);
            if markdown {
                println!("| {} | {measured} | ≤ {limit} | {} |", row.what, row.note);
            } else {
                let word = if row.holds() { "ok" } else { "OVER" };
                println!(
                    "{word:>4}  {measured:>12}  ≤ {limit:>12}  {}  ({})",
                    row.what, row.note
                );
            }
        }
    }

    /// An error when a row is over its limit.
    pub(crate) fn verdict(&self) -> Result<()> {
        let over: Vec<&str> = self
            .rows
            .iter()
            .filter(|row| !row.holds())
            .map(|row| row.what.as_str())
            .collect();
        if over.is_empty() {
            Ok(())
        } else {
            bail!("over the limit: {}", over.join(", "))
        }
    }
}

impl Row {
    fn holds(&self) -> bool {
        self.measured <= self.limit
    }
}

/// The middle of `values`; NaN for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_over_its_limit_fails_the_table() {
        let mut table = Table::default();
        table.add("a", 1.0, 2.0, "ms", "");
        assert!(table.verdict().is_ok());
        table.add("b", 2.5, 2.0, "ms", "");
        assert_eq!(
            table.verdict().unwrap_err().to_string(),
            "over the limit: b"
        );
    }

    #[test]
    fn nothing_measured_is_no_promise_kept() {
        let mut table = Table::default();
        table.add("a", median(Vec::new()), 2.0, "ms", "");
        assert!(table.verdict().is_err());
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
