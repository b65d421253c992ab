//! The model ladder: which model comes after one that did not manage.

use crate::policy::ModelPolicy;

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

/// The model of a new assignment: the flag, else the first label that is mapped, else the default.
pub(crate) fn choose(
    models: &ModelPolicy,
    flag: Option<&str>,
    labels: &[String],
) -> Option<String> {
    let by_label = || {
        let mapped = models
            .labels
            .iter()
            .find(|(label, _)| labels.contains(label))?;
        Some(mapped.1.as_str())
    };
    flag.or_else(by_label)
        .or(models.default.as_deref())
        .map(str::to_owned)
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

    #[test]
    fn flag_then_label_then_default() {
        let models = models();
        let labels = ["easy".to_owned(), "hard".to_owned()];
        let choose = |flag, labels: &[String]| choose(&models, flag, labels);
        assert_eq!(choose(Some("mine"), &labels).as_deref(), Some("mine"));
        assert_eq!(
            choose(None, &labels).as_deref(),
            Some("opus"),
            "the order of the configuration counts"
        );
        assert_eq!(choose(None, &[]).as_deref(), Some("sonnet"));
    }
}
