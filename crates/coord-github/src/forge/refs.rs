//! Branches, and how commits stand to each other.

use coord_core::ids::CommitId;
use coord_forge::{BranchRef, Comparison, ForgeError};

use super::GithubForge;
use super::found::found;
use crate::client::{escape, escape_segment};
use crate::error::CallError;
use crate::wire::{ComparisonWire, RefWire, RepositoryWire};

const HEADS: &str = "refs/heads/";

pub(super) async fn default_branch(forge: &GithubForge) -> Result<String, ForgeError> {
    let repository: RepositoryWire = forge
        .connection()
        .get(&forge.route(""), &[])
        .await
        .map_err(|error| error.into_forge(&repository(forge)))?;
    Ok(repository.default_branch)
}

pub(super) async fn head(
    forge: &GithubForge,
    branch: &str,
) -> Result<Option<CommitId>, ForgeError> {
    let route = forge.route(&format!("/git/ref/{}", escape(&format!("heads/{branch}"))));
    let answer = found(forge.connection().get::<RefWire>(&route, &[]).await);
    let found = unless_empty(answer).map_err(|error| error.into_forge(&repository(forge)))?;
    let same = |it: &RefWire| it.name.strip_prefix(HEADS) == Some(branch);
    Ok(found
        .flatten()
        .filter(same)
        .map(|it| CommitId::new(it.object.sha)))
}

pub(super) async fn with_prefix(
    forge: &GithubForge,
    prefix: &str,
) -> Result<Vec<BranchRef>, ForgeError> {
    let of = escape(&format!("heads/{prefix}"));
    let route = forge.route(&format!("/git/matching-refs/{of}"));
    let answer = forge.connection().get_all(&route, &[]).await;
    let listed: Vec<RefWire> = unless_empty(answer)
        .map_err(|error| error.into_forge(&repository(forge)))?
        .unwrap_or_default();
    let mut branches: Vec<BranchRef> = listed
        .into_iter()
        .filter_map(branch)
        .filter(|branch| branch.name.starts_with(prefix))
        .collect();
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    branches.dedup_by(|a, b| a.name == b.name);
    Ok(branches)
}

pub(super) async fn compare(
    forge: &GithubForge,
    base: &str,
    head: &str,
) -> Result<Comparison, ForgeError> {
    let sides = [base, head].map(escape_segment).join("...");
    let route = forge.route(&format!("/compare/{sides}"));
    // The numbers stand on every page, so the shortest one will do.
    let query = [("per_page", "1"), ("page", "1")];
    let what = format!("`{base}` or `{head}` in {}", forge.full_name);
    let compared: ComparisonWire = forge
        .connection()
        .get(&route, &query)
        .await
        .map_err(|error| error.into_forge(&what))?;
    Ok(Comparison {
        ahead: compared.ahead_by,
        behind: compared.behind_by,
        merge_base: CommitId::new(compared.merge_base_commit.sha),
    })
}

/// `None` where the repository has no commit yet: GitHub answers 409 then.
fn unless_empty<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(CallError::Refused { status: 409, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn branch(wire: RefWire) -> Option<BranchRef> {
    Some(BranchRef {
        name: wire.name.strip_prefix(HEADS)?.to_owned(),
        head: CommitId::new(wire.object.sha),
    })
}

fn repository(forge: &GithubForge) -> String {
    format!("repository {}", forge.full_name)
}
