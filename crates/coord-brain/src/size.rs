//! How much work an issue looks like.

use coord_core::issue::Issue;
use coord_core::proposal::Size;

use crate::rank::words;

/// A body of so many bytes describes more than one thing, or something that nobody understands yet.
const LONG: usize = 4000;
/// A body of so many bytes describes one thing.
const SHORT: usize = 600;

/// What the labels say, else what the length of the text, its tasks and the number of files that it
/// is about suggest.
pub(crate) fn size(issue: &Issue, files: usize) -> Size {
    let labelled = issue.labels.iter().find_map(|label| of_label(label));
    labelled.unwrap_or_else(|| {
        let tasks = issue.body.matches("- [ ]").count();
        let length = issue.body.trim().len();
        if tasks > 5 || files > 5 || length > LONG {
            Size::Large
        } else if tasks < 2 && files < 3 && length < SHORT {
            Size::Small
        } else {
            Size::Medium
        }
    })
}

/// `size/S`, `size: large`, `effort-medium`; `epic`.
fn of_label(label: &str) -> Option<Size> {
    let words = words(label);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["epic"] => Some(Size::Large),
        ["good", "first", "issue"] => Some(Size::Small),
        ["size" | "effort" | "estimate", size] | [size, "effort"] => match *size {
            "xs" | "s" | "small" | "tiny" | "low" => Some(Size::Small),
            "m" | "medium" => Some(Size::Medium),
            "l" | "xl" | "xxl" | "large" | "high" => Some(Size::Large),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use coord_core::issue::IssueState;

    use super::*;

    fn issue(labels: &[&str], body: &str) -> Issue {
        Issue {
            number: 1,
            title: "a title".to_owned(),
            body: body.to_owned(),
            labels: labels.iter().map(|it| (*it).to_owned()).collect(),
            state: IssueState::Open,
            author: "me".to_owned(),
            trusted: true,
            milestone: None,
            assignees: Vec::new(),
        }
    }

    #[test]
    fn labels_come_first() {
        for (label, expected) in [
            ("size/S", Size::Small),
            ("size: XL", Size::Large),
            ("effort-medium", Size::Medium),
            ("epic", Size::Large),
            ("good first issue", Size::Small),
        ] {
            let long = "x".repeat(LONG + 1);
            assert_eq!(size(&issue(&[label], &long), 3), expected, "{label}");
        }
    }

    #[test]
    fn then_the_text_and_the_files() {
        let paragraph = "x".repeat(SHORT);
        for (body, files, expected) in [
            ("a typo", 1, Size::Small),
            ("a typo", 3, Size::Medium),
            (&paragraph, 0, Size::Medium),
            ("- [ ] a\n- [ ] b", 0, Size::Medium),
            (&"- [ ] a\n".repeat(6), 0, Size::Large),
            ("everywhere", 6, Size::Large),
        ] {
            assert_eq!(
                size(&issue(&["size/huge"], body), files),
                expected,
                "{body}"
            );
        }
    }
}
