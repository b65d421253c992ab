//! The prompt of a worker whose session goes on: it knows its task and its rules already.

use super::{CHECKED, PROTOCOL};

/// What a worker is told whose session goes on. `task` is trusted: a person's words. `checked` as in
/// [`super::Briefing`]: it may not have been so before.
#[must_use]
pub fn resumed(branch: &str, task: &str, checked: bool) -> String {
    let task = task.trim();
    let checked = if checked { CHECKED } else { "" };
    format!(
        "{task}\n\n# Where you are\n\n\
         In a git worktree of your own on the branch `{branch}`, maybe in another folder than before: \
         `pwd` says which. What you had committed is there. The rules are the same as before.\n\
         {checked}{PROTOCOL}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_that_are_checked_from_now_on_are_told() {
        let text = resumed("b", "Go on.", true);
        assert!(
            text.contains("the same as before.\n- Every edit is checked"),
            "{text}"
        );
    }

    #[test]
    fn it_says_what_is_new_and_where_it_is() {
        insta::assert_snapshot!(resumed("issue-7-fix", "Take the blue one.\n", false), @r"
        Take the blue one.

        # Where you are

        In a git worktree of your own on the branch `issue-7-fix`, maybe in another folder than before: `pwd` says which. What you had committed is there. The rules are the same as before.

        # How you report

        Each on a line of its own, in your own text, beginning at the start of the line:

        - `STATUS: <what you have just finished>` after each step, and `STATUS: DONE` at the end.
        - `STUCK: <one precise question>` when you cannot go on without an answer. Commit what you have, and end.
        - `CONFIDENCE: <0 to 100>%` before you end: how sure you are that the issue is solved.
        ");
    }
}
