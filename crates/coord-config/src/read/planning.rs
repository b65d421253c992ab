//! What is worked on next, by which model, and how workers are kept apart.

use std::collections::BTreeMap;

use coord_core::lease::LeaseMode;
use coord_core::proposal::Size;

use super::rules::LONGEST_SECONDS;
use super::syntax;
use crate::config::{Models, PlannerChoice, Planning};
use crate::node::Value;
use crate::section::Section;

/// Less than this holds no plan, and no model reads more.
const CONTEXT_TOKENS: std::ops::RangeInclusive<usize> = 2_000..=1_000_000;

const PLANNERS: [(&str, PlannerChoice); 3] = [
    ("auto", PlannerChoice::Auto),
    ("brain", PlannerChoice::Brain),
    ("rules", PlannerChoice::Rules),
];
const LEASES: [(&str, LeaseMode); 3] = [
    ("strict", LeaseMode::Strict),
    ("warn", LeaseMode::Warn),
    ("off", LeaseMode::Off),
];
const SIZES: [(&str, Size); 3] = [
    ("small", Size::Small),
    ("medium", Size::Medium),
    ("large", Size::Large),
];

pub(super) fn models(mut section: Section<'_>) -> Models {
    let default = Models::default();
    let reading = section.reading();
    let models = Models {
        default: section
            .get("default")
            .and_then(|node| syntax::model(reading, node))
            .unwrap_or(default.default),
        escalation: escalation(&mut section).unwrap_or(default.escalation),
        labels: section
            .pairs("labels")
            .into_iter()
            .filter_map(|(label, node)| {
                Some((label.text.to_owned(), syntax::model(reading, node)?))
            })
            .collect(),
        sizes: sizes(&mut section),
        learn: section.flag("learn").unwrap_or(default.learn),
    };
    section.finish();
    models
}

/// The ladder; a model that stood on two rungs would be escalated to itself.
fn escalation(section: &mut Section<'_>) -> Option<Vec<String>> {
    let reading = section.reading();
    let nodes = section.texts("escalation")?;
    let words: Vec<_> = nodes.iter().filter_map(|node| reading.word(node)).collect();
    reading.check_unique("model", &words);
    Some(
        nodes
            .iter()
            .filter_map(|node| syntax::model(reading, node))
            .collect(),
    )
}

fn sizes(section: &mut Section<'_>) -> BTreeMap<Size, String> {
    let reading = section.reading();
    let known = SIZES.map(|(name, _)| name);
    let mut sizes = BTreeMap::new();
    for (name, node) in section.pairs("sizes") {
        reading.check_known(&name, "size", &known);
        let model = syntax::model(reading, node);
        let size = SIZES.iter().find(|(known, _)| *known == name.text);
        sizes.extend(size.map(|(_, size)| *size).zip(model));
    }
    sizes
}

pub(super) fn plan(mut section: Section<'_>) -> Planning {
    let default = Planning::default();
    let reading = section.reading();
    let plan = Planning {
        planner: section
            .choice("planner", &PLANNERS)
            .unwrap_or(default.planner),
        model: section
            .get("model")
            .and_then(|node| syntax::model(reading, node)),
        explore: section.flag("explore").unwrap_or(default.explore),
        context_tokens: section
            .number("context_tokens", CONTEXT_TOKENS)
            .unwrap_or(default.context_tokens),
        timeout_seconds: section
            .number("timeout_seconds", 1..=LONGEST_SECONDS)
            .unwrap_or(default.timeout_seconds),
        budget_usd: section.usd("budget_usd").unwrap_or(default.budget_usd),
    };
    section.finish();
    plan
}

pub(super) fn leases(root: &mut Section<'_>) -> Option<LeaseMode> {
    let node = root.get("leases")?;
    let reading = root.reading();
    // To YAML 1.1 these were the same as `off`.
    let is_no = match &node.value {
        Value::Bool(flag) => !flag,
        other => matches!(other, Value::Text(text) if text == "no"),
    };
    if is_no {
        let message = "expected `strict`, `warn` or `off`";
        reading.problem_with_hint(&node.mark, message, "write `off`");
        return None;
    }
    reading.choice(node, "mode of leases", &LEASES)
}
