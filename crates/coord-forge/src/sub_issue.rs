//! Issues below issues, in their order.

use coord_core::issue::Issue;

/// As on GitHub.
const TITLE_CHARS: usize = 256;

/// What a forge lists of what is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenList {
    /// Every open issue, by number. Pull requests are not issues.
    pub issues: Vec<Issue>,
    /// The issues, open or closed, by number, of which open ones are sub-issues, as far as the
    /// list tells. Their order is in [`Forge::sub_issues`](crate::Forge::sub_issues).
    pub parents: Vec<u64>,
}

/// What came of making an issue a sub-issue of another one.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubIssueLink {
    /// It is one, by this call or an earlier one.
    Linked,
    /// It is a sub-issue of another one already, and stays there.
    OtherParent,
    /// The forge does not know sub-issues.
    Unsupported,
}

/// A task list of issues, each with number and title, for a section of an issue's body.
///
/// A title is a stranger's text: it stays in its line, opens no comment, calls for nobody and says
/// nothing of what the parent depends on.
#[must_use]
pub fn task_list<'a>(tasks: impl IntoIterator<Item = (u64, &'a str)>) -> String {
    let line = |(number, title): (u64, &str)| format!("- [ ] #{number} {}", one_line(title));
    let lines: Vec<String> = tasks.into_iter().map(line).collect();
    lines.join("\n")
}

fn one_line(title: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let title: String = title.chars().take(TITLE_CHARS).map(plain).collect();
    let words: Vec<&str> = title.split_whitespace().collect();
    // A sign that nobody sees parts what would be a name, or the number of another issue.
    let title = words.join(" ").replace('<', "&lt;");
    title.replace('@', "@\u{200b}").replace('#', "#\u{200b}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::with_section;

    #[test]
    fn each_task_has_its_line() {
        let tasks = [
            (12, "Read\r\n- [x] #1 the <!-- file"),
            (13, "  Write\u{1b}[0m "),
        ];
        assert_eq!(
            task_list(tasks),
            "- [ ] #12 Read - [x] #\u{200b}1 the &lt;!-- file\n- [ ] #13 Write [0m"
        );
        assert_eq!(
            task_list([(14, "Blocked by #3, says @all")]),
            "- [ ] #14 Blocked by #\u{200b}3, says @\u{200b}all"
        );
        assert_eq!(task_list([]), "");
    }

    proptest! {
        #[test]
        fn no_title_leaves_its_line_or_its_section(
            titles in proptest::collection::vec("(?s)(<!-- coord:|-->|end=tasks|- \\[ \\]|\r|\n|.){0,20}", 1..5),
        ) {
            let tasks = || titles.iter().zip(1..).map(|(title, number)| (number, title.as_str()));
            let list = task_list(tasks());
            prop_assert_eq!(list.lines().count(), titles.len());
            let body = with_section("Please.", "tasks", &list);
            prop_assert!(body.contains(&list));
            prop_assert_eq!(with_section(&body, "tasks", &task_list(tasks())), body);
        }
    }
}
