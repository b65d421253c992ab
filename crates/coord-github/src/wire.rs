//! What GitHub answers: only the members that are read here, named as in its OpenAPI description.
//!
//! Whatever GitHub may leave out or set to null is an `Option`, in old Enterprise servers too.

use std::borrow::Cow;

use coord_core::ids::Timestamp;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// Who wrote something, and what they are to the repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature<'a> {
    /// `None` when the account is gone.
    pub(crate) login: Option<&'a str>,
    /// E.g. `OWNER`.
    pub(crate) association: Option<&'a str>,
}

/// What somebody wrote.
pub(crate) trait Signed {
    fn signature(&self) -> Signature<'_>;
}

macro_rules! signed {
    ($($name:ident),*) => {$(
        impl Signed for $name {
            fn signature(&self) -> Signature<'_> {
                Signature {
                    login: self.user.as_ref().map(|user| user.login.as_str()),
                    association: self.author_association.as_deref(),
                }
            }
        }
    )*};
}

signed!(IssueWire, CommentWire, ReviewWire);

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) login: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct IssueWire {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) labels: Vec<LabelWire>,
    pub(crate) state: String,
    pub(crate) user: Option<User>,
    pub(crate) author_association: Option<String>,
    pub(crate) milestone: Option<MilestoneWire>,
    pub(crate) assignees: Option<Vec<User>>,
    /// There when the issue is a pull request.
    pub(crate) pull_request: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "maybe_instant")]
    pub(crate) created_at: Option<Timestamp>,
    /// Not its number, and unique on the server.
    pub(crate) id: Option<u64>,
    /// Of the repository that it is in.
    pub(crate) repository_url: Option<String>,
    /// Of the issue that it is below; old servers do not know such.
    pub(crate) parent_issue_url: Option<String>,
    pub(crate) sub_issues_summary: Option<SubIssuesWire>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SubIssuesWire {
    pub(crate) total: u64,
    /// How many of them are closed.
    pub(crate) completed: u64,
}

impl IssueWire {
    /// The number of the issue that it is below, if that is in the same repository.
    pub(crate) fn parent_here(&self) -> Option<u64> {
        let (repository, number) = self.parent_issue_url.as_deref()?.rsplit_once("/issues/")?;
        let here = self.repository_url.as_deref()?;
        let is_here = here.eq_ignore_ascii_case(repository);
        is_here.then(|| number.parse().ok()).flatten()
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum LabelWire {
    Name(String),
    Label { name: Option<String> },
}

#[derive(Debug, Deserialize)]
pub(crate) struct MilestoneWire {
    pub(crate) title: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CommentWire {
    pub(crate) id: u64,
    pub(crate) body: Option<String>,
    pub(crate) user: Option<User>,
    pub(crate) author_association: Option<String>,
    #[serde(deserialize_with = "instant")]
    pub(crate) created_at: Timestamp,
    #[serde(deserialize_with = "instant")]
    pub(crate) updated_at: Timestamp,
    pub(crate) issue_url: String,
}

impl CommentWire {
    /// The number of the issue or pull request that it stands under.
    pub(crate) fn issue_number(&self) -> Option<u64> {
        self.issue_url.rsplit('/').next()?.parse().ok()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct RepositoryWire {
    pub(crate) default_branch: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RefWire {
    /// With `refs/heads/`.
    #[serde(rename = "ref")]
    pub(crate) name: String,
    pub(crate) object: CommitWire,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CommitWire {
    pub(crate) sha: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ComparisonWire {
    pub(crate) ahead_by: u64,
    pub(crate) behind_by: u64,
    pub(crate) merge_base_commit: CommitWire,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PullWire {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) state: String,
    pub(crate) user: Option<User>,
    pub(crate) head: PullEnd,
    pub(crate) base: PullEnd,
    pub(crate) merged_at: Option<String>,
    pub(crate) merge_commit_sha: Option<String>,
    /// Not in lists; null while GitHub finds out.
    pub(crate) mergeable: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PullEnd {
    #[serde(rename = "ref")]
    pub(crate) branch: String,
    pub(crate) sha: String,
    /// Null when the fork is gone.
    pub(crate) repo: Option<PullRepo>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PullRepo {
    pub(crate) full_name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileWire {
    pub(crate) filename: String,
    pub(crate) previous_filename: Option<String>,
    pub(crate) status: String,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
    pub(crate) patch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MergedWire {
    pub(crate) sha: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReviewWire {
    pub(crate) id: u64,
    pub(crate) user: Option<User>,
    pub(crate) author_association: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) state: String,
    pub(crate) commit_id: Option<String>,
    /// Not there while the review is a draft.
    #[serde(default, deserialize_with = "maybe_instant")]
    pub(crate) submitted_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CheckRunsWire {
    pub(crate) check_runs: Vec<CheckRunWire>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CheckRunWire {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) html_url: Option<String>,
    pub(crate) details_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StatusesWire {
    pub(crate) statuses: Vec<StatusWire>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StatusWire {
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RuleWire {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Of another shape for each kind.
    pub(crate) parameters: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StatusChecksRule {
    pub(crate) required_status_checks: Vec<ContextWire>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ContextWire {
    pub(crate) context: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct BranchWire {
    pub(crate) protected: bool,
    pub(crate) protection: Option<ProtectionWire>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ProtectionWire {
    pub(crate) required_status_checks: Option<RequiredWire>,
}

/// Old servers have `contexts` alone.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RequiredWire {
    pub(crate) contexts: Option<Vec<String>>,
    pub(crate) checks: Option<Vec<ContextWire>>,
}

/// An instant as GitHub writes it: RFC 3339, to the second.
fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<str>::deserialize(from)?;
    let instant: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
    Ok(Timestamp::from_millis(instant.as_millisecond()))
}

fn maybe_instant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    struct Instant(#[serde(deserialize_with = "instant")] Timestamp);
    Ok(Option::<Instant>::deserialize(from)?.map(|Instant(at)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_leaves_out_or_sets_to_null_is_none() {
        let text = r#"{"number":7,"title":"t","state":"open","user":null,"body":null,
            "labels":["plain",{"name":"object"},{"name":null},{"id":1}],"pull_request":null}"#;
        let issue: IssueWire = serde_json::from_str(text).unwrap();
        assert!(issue.pull_request.is_none() && issue.body.is_none());
        assert_eq!(issue.signature().login, None);
        assert_eq!(issue.labels.len(), 4);
        let review = r#"{"id":1,"user":null,"state":"PENDING"}"#;
        let review: ReviewWire = serde_json::from_str(review).unwrap();
        assert_eq!(review.submitted_at, None);
    }

    #[test]
    fn numbers_outside_their_range_are_errors() {
        for number in ["-1", "1.5", "18446744073709551616", "\"7\"", "null"] {
            let text = format!(r#"{{"number":{number},"title":"t","state":"open"}}"#);
            assert!(serde_json::from_str::<IssueWire>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        for (text, millis) in [
            ("1970-01-01T00:00:01Z", 1000),
            ("1970-01-01T02:00:00.5+02:00", 500),
        ] {
            let review = format!(r#"{{"id":1,"state":"COMMENTED","submitted_at":"{text}"}}"#);
            let review: ReviewWire = serde_json::from_str(&review).unwrap();
            assert_eq!(review.submitted_at, Some(Timestamp::from_millis(millis)));
        }
        let broken = r#"{"id":1,"state":"COMMENTED","submitted_at":"yesterday"}"#;
        assert!(serde_json::from_str::<ReviewWire>(broken).is_err());
    }
}
