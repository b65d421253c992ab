//! Claims on issues, as comments carry them.
//!
//! A coordinator claims an issue by posting its briefing there. The claim stands until a comment
//! of the same assignment says that the work has ended, or the claim itself is taken back. Of the
//! claims that stand the one with the lowest comment id wins: ids of comments only grow.

use std::collections::BTreeSet;

use coord_core::effect::{CommentEvent, ForeignClaim};
use coord_core::ids::AssignmentId;

use crate::forge::Comment;
use crate::marks::last_marker;

/// The claims that stand, the winner first. Only trusted comments count, and of each only the last
/// marker, which is the coordinator's own.
#[must_use]
pub fn live_claims(comments: &[Comment]) -> Vec<ForeignClaim> {
    let marked: Vec<_> = comments
        .iter()
        .filter(|comment| comment.trusted)
        .filter_map(|comment| Some((comment, last_marker(&comment.body)?)))
        .collect();
    let ended: BTreeSet<&AssignmentId> = marked
        .iter()
        .filter(|(_, marker)| ends(marker.event))
        .map(|(_, marker)| &marker.assignment)
        .collect();
    let mut claims: Vec<ForeignClaim> = marked
        .iter()
        .filter(|(_, marker)| marker.event == CommentEvent::Briefing)
        .filter(|(_, marker)| !ended.contains(&marker.assignment))
        .map(|(comment, marker)| ForeignClaim {
            comment: comment.id,
            author: comment.author.clone(),
            assignment: marker.assignment.clone(),
            machine: marker.machine.clone(),
            at: comment.at,
        })
        .collect();
    claims.sort_by_key(|claim| claim.comment);
    claims
}

const fn ends(event: CommentEvent) -> bool {
    match event {
        CommentEvent::Completion
        | CommentEvent::Failure
        | CommentEvent::Merge
        | CommentEvent::Withdrawn => true,
        CommentEvent::Briefing | CommentEvent::Stuck | CommentEvent::Review => false,
    }
}

#[cfg(test)]
mod tests {
    use coord_core::ids::Timestamp;

    use super::*;

    fn comment(id: u64, event: &str, assignment: u64) -> Comment {
        let of = AssignmentId::from_bits(assignment);
        let marker =
            format!("<!-- coord:event={event} assignment={of} machine=m repo=r issue=1 -->");
        Comment {
            id,
            author: "anna".to_owned(),
            trusted: true,
            body: format!("text\n\n{marker}"),
            at: Timestamp::from_millis(0),
        }
    }

    fn holders(comments: &[Comment]) -> Vec<u64> {
        live_claims(comments).iter().map(|it| it.comment).collect()
    }

    #[test]
    fn the_lowest_id_comes_first() {
        let comments = [comment(9, "briefing", 2), comment(7, "briefing", 1)];
        assert_eq!(holders(&comments), [7, 9]);
    }

    #[test]
    fn a_claim_stands_until_its_own_assignment_ends() {
        for (event, stands) in [
            ("completion", false),
            ("failure", false),
            ("merge", false),
            ("withdrawn", false),
            ("stuck", true),
        ] {
            let own = [comment(1, "briefing", 1), comment(2, event, 1)];
            assert_eq!(!holders(&own).is_empty(), stands, "{event}");
            let of_another = [comment(1, "briefing", 1), comment(2, event, 2)];
            assert_eq!(holders(&of_another), [1], "{event}");
        }
    }

    #[test]
    fn strangers_and_quotations_claim_nothing() {
        let stranger = Comment {
            trusted: false,
            ..comment(1, "briefing", 1)
        };
        let quoted = Comment {
            body: format!("{}\n\n<!-- end -->", comment(2, "briefing", 2).body),
            ..comment(2, "briefing", 2)
        };
        assert_eq!(holders(&[stranger, quoted]), []);
    }
}
