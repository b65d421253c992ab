//! Plans, proposals and splits in people's words.

use coord_core::ids::{IssueRef, SplitId};
use coord_core::proposal::{Plan, Planner};

use super::count;
use crate::printer::{BAD, GOOD, STRONG, WARN, paint, plain};

/// `plan by rules: P1, P2 and S1 proposed, 1 refused`.
pub(super) fn planned(plan: &Plan) -> String {
    let proposals = plan.proposals.iter().map(|it| it.id.to_string());
    let splits = plan.splits.iter().map(|it| it.id.to_string());
    let ids: Vec<String> = proposals.chain(splits).collect();
    let proposed = match ids.is_empty() {
        true => "nothing proposed".to_owned(),
        false => format!("{} proposed", ids.join(", ")),
    };
    let refused = match plan.refused.len() {
        0 => String::new(),
        refused => format!(", {refused} {}", paint(WARN, "refused")),
    };
    let who = planner(&plan.planner);
    let cost = cost(plan.cost_usd);
    format!(
        "{} by {who}: {proposed}{refused}{cost}",
        paint(STRONG, "plan")
    )
}

/// Who made a plan, and why not who was wanted.
pub(crate) fn planner(planner: &Planner) -> String {
    let name = plain(&planner.to_string());
    match planner {
        Planner::Rules { instead: Some(why) } => format!("{name}, not by a model: {}", plain(why)),
        Planner::Rules { instead: None } | Planner::Brain { .. } => name,
    }
}

/// `, $0.12`, where there is something to say.
fn cost(usd: f64) -> String {
    match usd > 0.0 {
        true => format!(", ${usd:.2}"),
        false => String::new(),
    }
}

/// The sub-issues of a split are there.
pub(super) fn split(id: SplitId, issue: &IssueRef, created: &[u64]) -> String {
    let parts = match created.len() {
        0 => "nothing".to_owned(),
        parts => {
            let numbers: Vec<String> = created.iter().map(|number| format!("#{number}")).collect();
            format!(
                "{}: {}",
                count(parts as u64, "sub-issue"),
                numbers.join(", ")
            )
        }
    };
    format!("{issue} {} into {parts} ({id})", paint(GOOD, "split"))
}

/// They are not all there.
pub(super) fn not_split(id: SplitId, error: &str) -> String {
    let failed = paint(BAD, "could not be carried out");
    format!("split {id} {failed}: {}", plain(error))
}
