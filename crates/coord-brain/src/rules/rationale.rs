//! Why an issue is proposed, in a few sentences for people.

use coord_core::ids::MachineName;
use coord_core::ladder::{self, Task, TrackRecord};
use coord_core::placement::needed;
use coord_core::proposal::Size;

use crate::facts::Facts;
use crate::rank::{Priority, Ranked};
use crate::text::{count, line, listed};

/// How much of a text from outside is repeated, in bytes.
const QUOTED: usize = 80;
/// How many of the issues that wait for one are named.
const NAMED: usize = 3;

pub(super) struct Reasons<'f, 'a> {
    pub(super) facts: &'f Facts<'a>,
    pub(super) ranked: &'f Ranked<'a>,
    pub(super) machine: &'f MachineName,
    /// How many slots of the machine are free.
    pub(super) free: u32,
    /// How many machines could take it.
    pub(super) able: usize,
    /// Where the files come from.
    pub(super) files: &'f [String],
    pub(super) size: Size,
}

pub(super) fn rationale(reasons: &Reasons<'_, '_>) -> String {
    let urgency = capitalised(&urgency(reasons.ranked));
    let place = place(reasons);
    let files = match reasons.files {
        [] => "nothing says which files".to_owned(),
        sources => format!("files: {}", sources.join("; ")),
    };
    let model = model(reasons);
    format!("{urgency}. {place}; {files}. {model}.")
}

/// "high priority, a bug, and it unblocks shop#7".
fn urgency(it: &Ranked<'_>) -> String {
    let mut said = Vec::new();
    let priority = it.priority.as_str();
    if it.priority < it.own {
        said.push(format!(
            "as urgent as what waits for it ({priority} priority)"
        ));
    } else if it.priority != Priority::Normal {
        said.push(format!("{priority} priority"));
    }
    if it.is_bug {
        said.push("a bug".to_owned());
    }
    match it.unblocks.as_slice() {
        [] => {}
        [one] => said.push(format!("it unblocks {one}")),
        many => {
            let named: Vec<String> = many.iter().take(NAMED).map(ToString::to_string).collect();
            let more = many.len() - named.len();
            let more = (more > 0).then(|| format!("{more} more"));
            let named = listed(named.into_iter().chain(more));
            said.push(format!("it unblocks {named}"));
        }
    }
    match said.is_empty() {
        true => "the oldest of those with the same priority that nothing stands in the way of"
            .to_owned(),
        false => listed(said),
    }
}

fn place(reasons: &Reasons<'_, '_>) -> String {
    let Reasons { machine, free, .. } = reasons;
    let free = count(*free as usize, "free slot");
    let needed = needed(&reasons.ranked.candidate.issue.labels);
    let with = match needed.is_empty() {
        true => String::new(),
        false => format!(" with {}", line(&listed(needed), QUOTED)),
    };
    match reasons.able {
        1 => format!("{machine} has {free}, and no other machine{with} can take it"),
        able => format!("{machine} has {free}, the most of {able} machines{with}"),
    }
}

fn model(reasons: &Reasons<'_, '_>) -> String {
    let nothing = TrackRecord::default();
    let record = reasons.facts.record.get(&reasons.ranked.issue.repo);
    let task = Task {
        asked: None,
        labels: &reasons.ranked.candidate.issue.labels,
        size: Some(reasons.size),
    };
    let models = &reasons.facts.policy.models;
    let choice = ladder::choose(models, task, record.unwrap_or(&nothing));
    let why = line(&choice.why, 2 * QUOTED);
    match choice.model {
        Some(model) => format!("Model {model}: {why}"),
        None => format!("The model is {why}"),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
