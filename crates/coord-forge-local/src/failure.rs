//! What failures of the store and of git mean for the forge that stands on them.

use coord_core::failure::FailureClass;
use coord_core::ids::RepoName;
use coord_forge::ForgeError;
use coord_git::GitError;
use coord_store::StoreError;

pub(crate) fn of_store(error: StoreError) -> ForgeError {
    let what = "the store of the local forge cannot be used".to_owned();
    let hint = error.hint();
    if error.is_transient() {
        return ForgeError::Transient {
            what,
            retry_at: None,
            source: Some(Box::new(error)),
        };
    }
    ForgeError::Unusable {
        what,
        hint,
        source: Some(Box::new(error)),
    }
}

pub(crate) fn of_git(repo: &RepoName, error: GitError) -> ForgeError {
    let what = format!("the git repository of `{repo}` cannot be used");
    let hint = error.hint();
    match error.class() {
        FailureClass::Environmental { retry_at } => ForgeError::Transient {
            what,
            retry_at,
            source: Some(Box::new(error)),
        },
        FailureClass::Configuration | FailureClass::Work => ForgeError::Unusable {
            what,
            hint,
            source: Some(Box::new(error)),
        },
    }
}

pub(crate) fn no_checkout(repo: &RepoName) -> ForgeError {
    ForgeError::Unusable {
        what: format!("this machine has no checkout of `{repo}`"),
        hint: Some(format!(
            "add the path of `{repo}` to this machine in coordinator.yml"
        )),
        source: None,
    }
}

pub(crate) fn not_found(kind: &str, repo: &RepoName, number: u64) -> ForgeError {
    ForgeError::NotFound {
        what: format!("{kind} {repo}#{number}"),
    }
}

pub(crate) fn refused(reason: String) -> ForgeError {
    ForgeError::Refused { reason, hint: None }
}
