//! Which handler answers an operation, and what it asks of a token.

use super::account::{self, Need};
use super::exchange::{Call, Reply};
use super::{checks, comments, issues, merge, pulls, refs, reviews, sub_issues};

/// Answers one operation.
pub(crate) type Handler = fn(&mut Call<'_>) -> Reply;

const NOTHING: Need = reads(&[]);
const METADATA: Need = reads(&["metadata"]);
const ADMINISTRATION: Need = reads(&["administration"]);
const CONTENTS: Need = reads(&["contents"]);
const MERGING: Need = writes(&["contents"]);
const CHECKS: Need = reads(&["checks"]);
const STATUSES: Need = reads(&["statuses"]);
const PULLS: Need = reads(&["pull_requests"]);
const PULLS_WRITE: Need = writes(&["pull_requests"]);
/// Issues and pull requests share these operations.
const THREADS: Need = reads(&["issues", "pull_requests"]);
const THREADS_WRITE: Need = writes(&["issues", "pull_requests"]);
const ISSUES_WRITE: Need = writes(&["issues"]);

const fn reads(permissions: &'static [&'static str]) -> Need {
    Need {
        permissions,
        write: false,
    }
}

const fn writes(permissions: &'static [&'static str]) -> Need {
    Need {
        permissions,
        write: true,
    }
}

/// The handler of an operation by its method and its path template without `/repos/{owner}/{repo}`.
pub(crate) fn find(method: &str, path: &str) -> Option<(Handler, Need)> {
    let rest = path.strip_prefix("/repos/{owner}/{repo}").unwrap_or(path);
    let found: (Handler, Need) = match (method, rest) {
        ("GET", "/user") => (account::get_user, NOTHING),
        ("GET", "/app") => (account::get_app, NOTHING),
        ("POST", "/app/installations/{installation_id}/access_tokens") => {
            (account::create_installation_token, NOTHING)
        }
        ("GET", "") => (refs::get_repository, METADATA),
        ("GET", "/branches/{branch}") => (refs::get_branch, CONTENTS),
        ("GET", "/branches/{branch}/protection/required_status_checks") => {
            (checks::get_required, ADMINISTRATION)
        }
        ("GET", "/rules/branches/{branch}") => (checks::list_rules, METADATA),
        ("GET", "/commits/{ref}/check-runs") => (checks::list_check_runs, CHECKS),
        ("GET", "/commits/{ref}/status") => (checks::get_combined_status, STATUSES),
        ("GET", "/compare/{basehead}") => (refs::compare, CONTENTS),
        ("GET", "/git/matching-refs/{ref}") => (refs::matching, CONTENTS),
        ("GET", "/git/ref/{ref}") => (refs::get, CONTENTS),
        ("GET", "/issues") => (issues::list, THREADS),
        ("POST", "/issues") => (issues::create, ISSUES_WRITE),
        ("GET", "/issues/comments") => (comments::list_all, THREADS),
        ("PATCH", "/issues/comments/{comment_id}") => (comments::update, THREADS_WRITE),
        ("GET", "/issues/{issue_number}") => (issues::get, THREADS),
        ("PATCH", "/issues/{issue_number}") => (issues::update, THREADS_WRITE),
        ("GET", "/issues/{issue_number}/comments") => (comments::list, THREADS),
        ("POST", "/issues/{issue_number}/comments") => (comments::create, THREADS_WRITE),
        ("POST", "/issues/{issue_number}/labels") => (issues::add_labels, THREADS_WRITE),
        ("DELETE", "/issues/{issue_number}/labels/{name}") => (issues::remove_label, THREADS_WRITE),
        ("GET", "/issues/{issue_number}/sub_issues") => (sub_issues::list, THREADS),
        ("POST", "/issues/{issue_number}/sub_issues") => (sub_issues::add, ISSUES_WRITE),
        ("GET", "/pulls") => (pulls::list, PULLS),
        ("POST", "/pulls") => (pulls::create, PULLS_WRITE),
        ("GET", "/pulls/{pull_number}") => (pulls::get, PULLS),
        ("GET", "/pulls/{pull_number}/files") => (pulls::list_files, PULLS),
        ("PUT", "/pulls/{pull_number}/merge") => (merge::merge, MERGING),
        ("POST", "/pulls/{pull_number}/requested_reviewers") => {
            (pulls::request_reviewers, PULLS_WRITE)
        }
        ("GET", "/pulls/{pull_number}/reviews") => (reviews::list, PULLS),
        ("POST", "/pulls/{pull_number}/reviews") => (reviews::create, PULLS_WRITE),
        (_, _) => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::operations::OPERATIONS;
    use super::*;

    #[test]
    fn every_operation_has_a_handler() {
        for (method, path) in OPERATIONS {
            assert!(find(method, path).is_some(), "{method} {path}");
        }
    }
}
