//! Merging a pull request, in the repository itself.

use serde_json::json;

use super::exchange::{Answer, Call, Reply, broken, not_found, ok, refusal};
use super::pulls;
use super::repo::{Moment, Repo};
use super::shape::shape;

/// Words that close an issue when they stand before its number.
const CLOSING: &[&str] = &[
    "close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved",
];

/// `PUT …/pulls/{pull_number}/merge`.
pub(crate) fn merge(call: &mut Call<'_>) -> Reply {
    let number = call.number("pull_number");
    let (by, now) = (call.viewer.login.clone(), call.world.now());
    let pushed = |call: &mut Call<'_>, moment| {
        let repo = call.repo_mut()?;
        repo.push_what_comes(moment, now).map_err(broken)
    };
    pushed(call, Moment::BeforeMerge)?;
    let repo = call.repo()?;
    let onto = allowed(repo, number, call.text("sha").as_deref())?;
    let sha = merged(call, repo, number, &onto, &by)?;
    pushed(call, Moment::DuringMerge)?;
    let repo = call.repo()?;
    let (_, pull) = pulls::of(repo, number)?;
    if !repo
        .git
        .move_branch(&pull.base, &sha, &onto)
        .map_err(broken)?
    {
        let message = "Base branch was modified. Review and try the merge again.";
        return Err(refusal(405, message));
    }
    record(call, number, &sha, onto, &by)?;
    let message = "Pull Request successfully merged";
    ok(shape(
        "pull-request-merge-result",
        json!({"sha": sha, "merged": true, "message": message}),
    ))
}

/// The tip of the base branch, when the pull request can be merged now.
fn allowed(repo: &Repo, number: u64, pinned: Option<&str>) -> Result<String, Answer> {
    let (thread, pull) = pulls::of(repo, number)?;
    if thread.closed.is_some() {
        return Err(not_mergeable());
    }
    if pull.draft {
        return Err(refusal(405, "Pull Request is still a draft"));
    }
    if pinned.is_some_and(|sha| sha != pull.head_sha) {
        let message = "Head branch was modified. Review and try the merge again.";
        return Err(refusal(409, message));
    }
    if let Some(check) = super::checks::missing(repo, &pull.base, &pull.head_sha) {
        let message = format!("Required status check \"{check}\" is expected.");
        return Err(refusal(405, &message));
    }
    let tip = repo.git.tip(&pull.base).map_err(broken)?;
    tip.ok_or_else(not_mergeable)
}

fn not_mergeable() -> Answer {
    refusal(405, "Pull Request is not mergeable")
}

/// The commit that the base branch moves to.
fn merged(
    call: &Call<'_>,
    repo: &Repo,
    number: u64,
    onto: &str,
    by: &str,
) -> Result<String, Answer> {
    let (thread, pull) = pulls::of(repo, number)?;
    let (git, head) = (&repo.git, pull.head_sha.as_str());
    let method = call
        .text("merge_method")
        .unwrap_or_else(|| "merge".to_owned());
    if method == "rebase" {
        let tip = git.rebase(onto, head, by).map_err(broken)?;
        return tip.ok_or_else(not_mergeable);
    }
    let tree = git.merged_tree(onto, head).map_err(broken)?;
    let tree = tree.ok_or_else(not_mergeable)?;
    let (title, text, parents) = match method.as_str() {
        "squash" => {
            let title = format!("{} (#{number})", thread.title);
            (title, squashed(repo, onto, head)?, vec![onto])
        }
        _ => {
            let title = format!(
                "Merge pull request #{number} from {}/{}",
                repo.owner, pull.head
            );
            (title, thread.title.clone(), vec![onto, head])
        }
    };
    let title = call.text("commit_title").unwrap_or(title);
    let text = call.text("commit_message").unwrap_or(text);
    let message = format!("{title}\n\n{text}");
    let made = git.commit_tree(&tree, &parents, message.trim_end(), None, by);
    made.map_err(broken)
}

/// The messages of the commits, as GitHub writes them below a squash's title.
fn squashed(repo: &Repo, onto: &str, head: &str) -> Result<String, Answer> {
    let commits = repo.git.commits(onto, head).map_err(broken)?;
    let lines = commits.iter().map(|commit| format!("* {}", commit.message));
    Ok(lines.collect::<Vec<_>>().join("\n\n"))
}

fn record(
    call: &mut Call<'_>,
    number: u64,
    sha: &str,
    onto: String,
    by: &str,
) -> Result<(), Answer> {
    let now = call.world.now();
    let repo = call.repo_mut()?;
    let default = repo.default_branch.clone();
    let thread = pulls::of_mut(repo, number)?;
    thread.close(now, by);
    let body = thread.body.clone().unwrap_or_default();
    let pull = thread.pull.as_mut().ok_or_else(not_found)?;
    pull.merge_sha = Some(sha.to_owned());
    pull.merged_onto = Some(onto);
    if pull.base == default {
        for issue in closes(&body) {
            if let Some(issue) = repo
                .threads
                .get_mut(&issue)
                .filter(|issue| issue.pull.is_none())
            {
                issue.close(now, by);
                issue.state_reason = Some("completed".to_owned());
            }
        }
    }
    Ok(())
}

/// The issues that a body says it closes, e.g. `Closes #12`.
fn closes(body: &str) -> Vec<u64> {
    let mut words = body.split_whitespace().peekable();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let word = word
            .trim_end_matches(':')
            .trim_start_matches(|c: char| !c.is_alphanumeric());
        if CLOSING.contains(&word.to_lowercase().as_str()) {
            let number = words.peek().and_then(|next| next.strip_prefix('#'));
            let digits = number.map(|text| text.trim_end_matches(|c: char| !c.is_ascii_digit()));
            found.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_words_name_issues() {
        assert_eq!(closes("Closes #12.\n\nfixes: #3, and see #4"), [12, 3]);
        assert_eq!(closes("(resolved #5)"), [5]);
        assert!(closes("closes the door, #7; #8 fixes").is_empty());
    }
}
