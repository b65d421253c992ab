//! `GET /wip/{id}`: what a worker has in its worktree, for another machine.

use coord_core::ids::{AssignmentId, CommitId};
use http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};

use super::{AgentClient, ClientError, refusal};
use crate::lease::WipAnswer;

impl AgentClient {
    /// `GET /wip/{id}`: what the worker's files are saved as, unless that is still `known`.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 for an unknown id, and with 409 while
    /// nothing is saved.
    pub async fn wip(
        &self,
        id: &AssignmentId,
        known: Option<&CommitId>,
    ) -> Result<WipAnswer, ClientError> {
        let mut request = self.request(Method::GET, &format!("/wip/{id}"), bytes::Bytes::new())?;
        if let Some(known) = known {
            let tag = HeaderValue::from_str(&format!("\"{known}\""));
            let tag = tag.map_err(|e| self.invalid(e.to_string()))?;
            request.headers_mut().insert(IF_NONE_MATCH, tag);
        }
        let (parts, body) = self.head(request).await?.into_parts();
        let bytes = self.body(body).await?;
        match parts.status {
            StatusCode::NOT_MODIFIED => Ok(WipAnswer::Same),
            status if status.is_success() => {
                let tag = parts.headers.get(ETAG).and_then(|it| it.to_str().ok());
                let commit = tag.and_then(commit_of);
                let commit = commit.ok_or_else(|| self.invalid("it names no commit".to_owned()))?;
                Ok(WipAnswer::Bundle { commit, bytes })
            }
            status => Err(refusal(status.as_u16(), &parts.headers, &bytes)),
        }
    }
}

/// The commit that an `ETag` names.
fn commit_of(tag: &str) -> Option<CommitId> {
    let text = tag.strip_prefix('"')?.strip_suffix('"')?;
    let hex = matches!(text.len(), 40 | 64) && text.bytes().all(|it| it.is_ascii_hexdigit());
    hex.then(|| CommitId::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_commit_or_nothing() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(
            commit_of(&format!("\"{id}\"")),
            Some(CommitId::new(id.to_owned()))
        );
        for text in [id, "\"abc\"", "\"--upload-pack=x\"", "", "\""] {
            assert_eq!(commit_of(text), None, "{text}");
        }
    }
}
