//! Whose words count.

use coord_forge::ForgeError;

use super::GithubForge;
use crate::Trust;
use crate::wire::{Signature, Signed};

/// How GitHub itself calls the author of what an account left behind that is gone.
pub(super) const GHOST: &str = "ghost";

/// Tells who is trusted: the configured associations and accounts, and ourselves.
pub(super) struct Judge<'a> {
    trust: &'a Trust,
    me: Option<String>,
}

impl Judge<'_> {
    pub(super) fn trusts(&self, signature: Signature<'_>) -> bool {
        let Some(login) = signature.login else {
            return false;
        };
        let same = |other: &str| other.eq_ignore_ascii_case(login);
        signature
            .association
            .is_some_and(|it| self.trust.associations.contains(it))
            || self.trust.users.iter().any(|user| same(user))
            || self.me.as_deref().is_some_and(same)
    }
}

/// The judge of `written`; asks GitHub who we are only when that can matter.
pub(super) async fn judge<'a, T: Signed + Sync>(
    forge: &'a GithubForge,
    written: &[T],
) -> Result<Judge<'a>, ForgeError> {
    let mut judge = Judge {
        trust: forge.github.trust(),
        me: None,
    };
    let doubtful = |signature: Signature<'_>| signature.login.is_some() && !judge.trusts(signature);
    if written.iter().any(|it| doubtful(it.signature())) {
        judge.me = Some(forge.github.whoami().await?);
    }
    Ok(judge)
}

pub(super) fn author(signature: Signature<'_>) -> String {
    signature.login.unwrap_or(GHOST).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associations_accounts_and_ourselves_count() {
        let trust = Trust {
            associations: ["OWNER".to_owned()].into(),
            users: ["Anna".to_owned()].into(),
        };
        let judge = Judge {
            trust: &trust,
            me: Some("coord[bot]".to_owned()),
        };
        let trusts = |login, association| judge.trusts(Signature { login, association });
        assert!(trusts(Some("bob"), Some("OWNER")));
        assert!(trusts(Some("aNNa"), Some("NONE")));
        assert!(trusts(Some("Coord[bot]"), None));
        assert!(!trusts(Some("bob"), Some("CONTRIBUTOR")));
        assert!(!trusts(None, Some("OWNER")));
    }
}
