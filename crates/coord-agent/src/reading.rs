//! From a request to the prompt of a worker that only reads.

use coord_protocol::{AssignBody, AssignmentType};
use coord_worker::briefing::{IssueText, ReadingBriefing, ReadingTask};

use crate::worker::Place;

/// The briefing of a reviewer or of a pull request's author; `None` for other kinds. What the
/// request says about the change is fenced: `context` and `system_prompt` are the coordinator's.
pub(crate) fn briefing(body: &AssignBody, place: &Place) -> Option<ReadingBriefing> {
    let task = match body.kind {
        AssignmentType::Review => ReadingTask::Review,
        AssignmentType::Pr => ReadingTask::PullRequest,
        AssignmentType::Work | AssignmentType::Smoke => return None,
    };
    Some(ReadingBriefing {
        task,
        repo: body.repo_name.clone(),
        commit: place.worktree.base.to_string(),
        base: place.base_branch.clone(),
        issue: IssueText {
            number: body.issue_number,
            title: body.issue_title.clone(),
            body: body.issue_body.clone().unwrap_or_default(),
        },
        material: body.briefing.clone(),
        target: body.review_target.clone().unwrap_or_default(),
        context: body.context.clone().unwrap_or_default(),
        has_schema: body.output_schema.is_some(),
    })
}
