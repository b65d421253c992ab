//! Finding the coordinator's own comments again.

use coord_core::effect::CommentEvent;
use coord_core::ids::AssignmentId;
use coord_core::marker::{self, Marker};

/// Whether `body`, a comment of a trusted author, is the one about this event of this assignment.
#[must_use]
pub fn marks(body: &str, event: CommentEvent, assignment: &AssignmentId) -> bool {
    last_marker(body)
        .is_some_and(|marker| marker.event == event && marker.assignment == *assignment)
}

/// The marker of a comment.
///
/// Only the last one counts: the coordinator puts its own at the end, and what stands before it
/// may quote an issue, whose author may have written anything.
pub(crate) fn last_marker(body: &str) -> Option<Marker> {
    let start = body.rfind("<!--")?;
    marker::find_all(&body[start..]).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(text: &str, event: &str, id: u64) -> String {
        let id = AssignmentId::from_bits(id);
        format!("{text}\n\n<!-- coord:event={event} assignment={id} machine=m repo=r issue=1 -->")
    }

    #[test]
    fn event_and_assignment_have_to_be_the_same() {
        let body = comment("done", "completion", 1);
        let id = AssignmentId::from_bits;
        assert!(marks(&body, CommentEvent::Completion, &id(1)));
        assert!(!marks(&body, CommentEvent::Briefing, &id(1)));
        assert!(!marks(&body, CommentEvent::Completion, &id(2)));
        assert!(!marks("done", CommentEvent::Completion, &id(1)));
    }

    #[test]
    fn a_marker_that_is_quoted_does_not_count() {
        let id = AssignmentId::from_bits(1);
        let open = comment("", "completion", 1).replace(" -->", "");
        for quoted in [comment("", "completion", 1), open] {
            let body = comment(&quoted, "briefing", 1);
            assert!(!marks(&body, CommentEvent::Completion, &id), "{body}");
            assert!(marks(&body, CommentEvent::Briefing, &id), "{body}");
        }
    }
}
