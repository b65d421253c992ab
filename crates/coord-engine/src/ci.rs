//! The gate of the forge's own checks, before a merge.

use coord_core::ids::CommitId;
use coord_core::policy::Gate;
use coord_forge::{Check, CheckState, Forge, ForgeError, RequiredChecks};

use crate::engine::Engine;

/// How long checks may take to appear after a pull request was opened, in seconds.
pub(crate) const APPEARANCE_SECONDS: u64 = 15;

/// What the checks of a commit come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ci {
    /// Nothing speaks against the merge.
    Good,
    /// Nothing was reported, and nothing is known to be required.
    Silent,
    /// These have not ended, or not begun.
    Pending(Vec<String>),
    /// These are bad.
    Bad(Vec<String>),
}

impl Engine {
    /// What the forge's checks say of `head`, which is to be merged into `base`. [`Ci::Good`]
    /// without a question where they are no gate.
    pub(crate) async fn ci(
        &self,
        forge: &dyn Forge,
        head: &CommitId,
        base: &str,
    ) -> Result<Ci, ForgeError> {
        if !self.policy().gates.contains(&Gate::Ci) {
            return Ok(Ci::Good);
        }
        let (checks, required) = tokio::try_join!(forge.checks(head), forge.required_checks(base))?;
        Ok(judge(&checks, required))
    }
}

/// What this account may not see is not required here: the forge refuses the merge then.
fn judge(checks: &[Check], required: RequiredChecks) -> Ci {
    let names_of = |state| -> Vec<String> {
        let of_state = checks.iter().filter(|check| check.state == state);
        of_state.map(|check| check.name.clone()).collect()
    };
    let bad = names_of(CheckState::Bad);
    if !bad.is_empty() {
        return Ci::Bad(bad);
    }
    let mut pending = names_of(CheckState::Pending);
    if let RequiredChecks::Known(names) = required {
        let reported = |name: &String| checks.iter().any(|check| check.name == *name);
        pending.extend(names.into_iter().filter(|name| !reported(name)));
    }
    match (pending.is_empty(), checks.is_empty()) {
        (false, _) => Ci::Pending(pending),
        (true, true) => Ci::Silent,
        (true, false) => Ci::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, state: CheckState) -> Check {
        Check {
            name: name.to_owned(),
            state,
            url: None,
        }
    }

    fn required(names: &[&str]) -> RequiredChecks {
        RequiredChecks::Known(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn bad_beats_pending_beats_good() {
        let (good, pending, bad) = (
            check("a", CheckState::Good),
            check("b", CheckState::Pending),
            check("c", CheckState::Bad),
        );
        let none = || required(&[]);
        assert_eq!(judge(&[], none()), Ci::Silent);
        assert_eq!(judge(std::slice::from_ref(&good), none()), Ci::Good);
        let two = [good.clone(), pending.clone()];
        assert_eq!(judge(&two, none()), Ci::Pending(vec!["b".to_owned()]));
        let all = [good, pending, bad];
        assert_eq!(judge(&all, none()), Ci::Bad(vec!["c".to_owned()]));
    }

    #[test]
    fn what_is_required_and_not_reported_is_waited_for() {
        let good = [check("a", CheckState::Good)];
        let missing = Ci::Pending(vec!["z".to_owned()]);
        assert_eq!(judge(&good, required(&["a", "z"])), missing);
        assert_eq!(judge(&[], required(&["z"])), missing);
        let hidden = RequiredChecks::Hidden {
            reason: "403".to_owned(),
        };
        assert_eq!(judge(&good, hidden), Ci::Good);
    }
}
