//! The gate of the forge's own checks, before a merge.

use coord_core::effect::Outcome;
use coord_core::ids::{CommitId, EffectKey, IssueRef, Timestamp};
use coord_core::policy::Gate;
use coord_forge::{Check, CheckState, Forge, ForgeError, RequiredChecks};

use crate::clock;
use crate::effects::Later;
use crate::engine::Engine;
use crate::error::EngineError;

/// How long checks may take to appear once the pull request is open, in seconds.
const APPEARANCE_SECONDS: u64 = 15;

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
    /// Answers once the checks of `head` have ended: they are asked for again, since nobody tells
    /// this process of their end.
    pub(crate) async fn read_checks(
        &self,
        key: &EffectKey,
        issue: &IssueRef,
        head: &CommitId,
    ) -> Result<Outcome, Later> {
        let read = self.ended_checks(key, issue, head).await;
        read.or_else(|error| self.forge_failed(&issue.repo, error))
    }

    async fn ended_checks(
        &self,
        key: &EffectKey,
        issue: &IssueRef,
        head: &CommitId,
    ) -> Result<Outcome, EngineError> {
        let (repo, failed) = (&issue.repo, EngineError::forge(&issue.repo));
        let base = self.default_branch(repo).await?;
        let ci = self.ci(self.forge(repo)?, head, &base).await;
        let (good, note) = match ci.map_err(&failed)? {
            Ci::Bad(names) => (false, are_bad(&names)),
            Ci::Good => (true, "the forge's checks are good".to_owned()),
            Ci::Pending(names) => return Err(failed(not_yet(&names, None))),
            Ci::Silent => match self.may_appear_until(key, issue).await? {
                Some(until) => return Err(failed(not_yet(&[], Some(until)))),
                None => (true, "no checks are expected".to_owned()),
            },
        };
        Ok(Outcome::ChecksRead { good, note })
    }

    /// Until when a check may still appear; `None`: not any more, or nobody runs any.
    async fn may_appear_until(
        &self,
        key: &EffectKey,
        issue: &IssueRef,
    ) -> Result<Option<Timestamp>, EngineError> {
        if !self.is_shared(&issue.repo) {
            return Ok(None);
        }
        let rows = self.store().outbox().await?;
        let row = rows.into_iter().find(|row| row.key == *key);
        let until = row.map(|row| row.queued_at.plus_secs(APPEARANCE_SECONDS));
        Ok(until.filter(|until| *until > clock::now()))
    }

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

/// What is said of checks that are bad.
pub(crate) fn are_bad(names: &[String]) -> String {
    format!("the forge's checks are not good: {}", names.join(", "))
}

/// What is said of checks that have not ended; none: not one has appeared.
pub(crate) fn not_yet(names: &[String], retry_at: Option<Timestamp>) -> ForgeError {
    let what = match names {
        [] => "no check has appeared yet".to_owned(),
        names => format!("checks have not ended: {}", names.join(", ")),
    };
    ForgeError::Transient {
        what,
        retry_at,
        source: None,
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
