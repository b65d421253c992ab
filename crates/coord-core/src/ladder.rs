//! The model ladder: which model an assignment begins with, and which one comes after one that did
//! not manage.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::ModelPolicy;
use crate::proposal::Size;

/// The next model up from `current`, or from the default where an assignment names none. `None`
/// at the top, and for a model that is not on the ladder: nobody can say what is above it.
#[must_use]
pub fn next_up<'p>(models: &'p ModelPolicy, current: Option<&str>) -> Option<&'p str> {
    let current = current.or(models.default.as_deref())?;
    let rung = models
        .escalation
        .iter()
        .position(|model| model == current)?;
    models.escalation.get(rung + 1).map(String::as_str)
}

/// How assignments that began with a model have done, for issues with a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The label; `None`: all issues of the repository.
    pub label: Option<String>,
    /// The model that the first assignment of the issue had.
    pub model: Option<String>,
    /// How many issues were worked on and are decided: merged, or sent back at least once.
    pub issues: u32,
    /// How many of them were merged without being sent back.
    pub at_first_try: u32,
    /// US dollars that all of their assignments have cost.
    pub cost_usd: f64,
}

/// How assignments in one repository have done so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackRecord(pub Vec<Tally>);

/// What speaks for a model.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// What a person or a planner asked for.
    pub asked: Option<&'a str>,
    /// The labels of the issue.
    pub labels: &'a [String],
    /// How much work it is.
    pub size: Option<Size>,
}

/// A model, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// `None` leaves it to the worker.
    pub model: Option<String>,
    /// A few words for people: "label `docs`; moved up from haiku: 1 of 6 at the first try".
    pub why: String,
}

/// So many issues have to be decided before they count.
const ENOUGH: u32 = 5;
/// Below this share of issues solved at the first try the next model up is taken.
const TOO_FEW: f64 = 0.5;
/// From this share on the next model down may do.
const NEARLY_ALL: f64 = 0.9;

/// The model of a new assignment: what was asked for, else the first label that is mapped, else
/// the size, else the default. Where the configuration wants that, how earlier assignments have
/// done moves it by one rung, unless it was asked for.
#[must_use]
pub fn choose(models: &ModelPolicy, task: Task<'_>, record: &TrackRecord) -> Choice {
    let by_label = || {
        let mut labels = models.labels.iter();
        let (label, model) = labels.find(|(label, _)| task.labels.contains(label))?;
        Some((model.as_str(), format!("label `{label}`")))
    };
    let by_size = || {
        let size = task.size?;
        Some((
            models.sizes.get(&size)?.as_str(),
            format!("{} issue", size.as_str()),
        ))
    };
    if let Some(asked) = task.asked {
        return Choice {
            model: Some(asked.to_owned()),
            why: "asked for".to_owned(),
        };
    }
    let by_default = || Some((models.default.as_deref()?, "default".to_owned()));
    let chosen = by_label().or_else(by_size).or_else(by_default);
    let Some((model, why)) = chosen else {
        return Choice {
            model: None,
            why: "left to the worker".to_owned(),
        };
    };
    let lesson = record.lesson(models, model, task.labels);
    match lesson {
        Some((better, lesson)) if models.learn => Choice {
            model: Some(better.to_owned()),
            why: format!("{why}; {lesson}"),
        },
        Some(_) | None => Choice {
            model: Some(model.to_owned()),
            why: match record.tally(Some(model), task.labels) {
                Some(tally) => format!("{why}; {tally}"),
                None => why,
            },
        },
    }
}

impl TrackRecord {
    /// What is known best of issues with these labels that began with `model`: of all labels the
    /// one with the most issues, else the whole repository.
    #[must_use]
    pub fn tally(&self, model: Option<&str>, labels: &[String]) -> Option<&Tally> {
        let of_model = || self.0.iter().filter(|it| it.model.as_deref() == model);
        let labelled = of_model().filter(|it| {
            let label = it.label.as_ref();
            it.issues >= ENOUGH && label.is_some_and(|label| labels.contains(label))
        });
        // Of two with as many the one that comes first in the alphabet.
        let best = labelled.max_by(|one, other| {
            let by_label = other.label.cmp(&one.label);
            one.issues.cmp(&other.issues).then(by_label)
        });
        let whole = || of_model().find(|it| it.label.is_none());
        best.or_else(whole)
    }

    /// The rung beside `model` that its record speaks for, and what is to be said about it.
    fn lesson<'p>(
        &self,
        models: &'p ModelPolicy,
        model: &str,
        labels: &[String],
    ) -> Option<(&'p str, String)> {
        let tally = self.tally(Some(model), labels)?;
        if tally.issues < ENOUGH {
            return None;
        }
        let rung = models.escalation.iter().position(|it| it == model)?;
        if tally.rate() < TOO_FEW {
            let up = models.escalation.get(rung + 1)?;
            return Some((up, format!("moved up from {model}: {tally}")));
        }
        let down = models.escalation.get(rung.checked_sub(1)?)?;
        // It would come back at once where that has been tried and did not do.
        let failed = |it: &Tally| it.issues >= ENOUGH && it.rate() < NEARLY_ALL;
        if tally.rate() < NEARLY_ALL || self.tally(Some(down), labels).is_some_and(failed) {
            return None;
        }
        Some((down, format!("moved down from {model}: {tally}")))
    }
}

impl Tally {
    /// The share of issues that were solved at the first try.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self.issues {
            0 => 0.0,
            issues => f64::from(self.at_first_try) / f64::from(issues),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, issues) = (self.at_first_try, self.issues);
        write!(f, "{done} of {issues} at the first try")?;
        if let Some(label) = &self.label {
            write!(f, " with `{label}`")?;
        }
        let each = self.cost_usd / f64::from(issues.max(1));
        write!(f, ", ${each:.2} each")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> ModelPolicy {
        ModelPolicy {
            default: Some("sonnet".into()),
            escalation: vec!["haiku".into(), "sonnet".into(), "opus".into()],
            labels: vec![
                ("hard".into(), "opus".into()),
                ("easy".into(), "haiku".into()),
            ],
            ..ModelPolicy::default()
        }
    }

    #[test]
    fn one_rung_at_a_time() {
        let models = models();
        assert_eq!(next_up(&models, Some("haiku")), Some("sonnet"));
        assert_eq!(next_up(&models, None), Some("opus"));
        assert_eq!(next_up(&models, Some("opus")), None);
        assert_eq!(next_up(&models, Some("somebody-elses")), None);
    }

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    fn chosen(models: &ModelPolicy, task: Task<'_>, record: &TrackRecord) -> (String, String) {
        let choice = choose(models, task, record);
        (choice.model.unwrap_or_default(), choice.why)
    }

    #[test]
    fn asked_for_then_label_then_size_then_default() {
        let mut models = models();
        models.sizes = [(Size::Small, "tiny".to_owned())].into();
        let both = labels(&["easy", "hard"]);
        let task = |asked, labels, size| Task {
            asked,
            labels,
            size,
        };
        for (task, model, why) in [
            (task(Some("mine"), &both[..], None), "mine", "asked for"),
            // The order of the configuration counts.
            (task(None, &both, Some(Size::Small)), "opus", "label `hard`"),
            (task(None, &[], Some(Size::Small)), "tiny", "small issue"),
            (task(None, &[], Some(Size::Large)), "sonnet", "default"),
        ] {
            let (model, why) = (model.to_owned(), why.to_owned());
            assert_eq!(chosen(&models, task, &TrackRecord::default()), (model, why));
        }
    }

    fn tally(label: Option<&str>, model: &str, issues: u32, at_first_try: u32) -> Tally {
        Tally {
            label: label.map(str::to_owned),
            model: Some(model.to_owned()),
            issues,
            at_first_try,
            cost_usd: f64::from(issues) * 0.5,
        }
    }

    #[test]
    fn a_record_moves_the_start_by_one_rung() {
        let learning = ModelPolicy {
            learn: true,
            ..models()
        };
        let docs = labels(&["docs"]);
        let task = Task {
            asked: None,
            labels: &docs,
            size: None,
        };
        for (record, model, why) in [
            (
                vec![tally(None, "sonnet", 6, 2)],
                "opus",
                "default; moved up from sonnet: 2 of 6 at the first try, $0.50 each",
            ),
            (
                vec![
                    tally(None, "sonnet", 6, 2),
                    tally(Some("docs"), "sonnet", 5, 5),
                ],
                "haiku",
                "default; moved down from sonnet: 5 of 5 at the first try with `docs`, $0.50 each",
            ),
            (
                vec![tally(None, "sonnet", 9, 9), tally(None, "haiku", 5, 3)],
                "sonnet",
                "default; 9 of 9 at the first try, $0.50 each",
            ),
            (
                vec![tally(None, "sonnet", 4, 0)],
                "sonnet",
                "default; 0 of 4 at the first try, $0.50 each",
            ),
        ] {
            let expected = (model.to_owned(), why.to_owned());
            assert_eq!(chosen(&learning, task, &TrackRecord(record)), expected);
        }
    }

    #[test]
    fn a_record_is_shown_and_moves_nothing_unless_it_is_wanted() {
        let record = TrackRecord(vec![tally(None, "sonnet", 10, 1)]);
        let task = Task {
            asked: None,
            labels: &[],
            size: None,
        };
        let (model, why) = chosen(&models(), task, &record);
        assert_eq!(model, "sonnet");
        assert_eq!(why, "default; 1 of 10 at the first try, $0.50 each");
    }
}
