//! `GET /health` and `GET /repos`: the machine and its checkouts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use coord_git::{GitError, Repo};
use coord_protocol::{Feature, Health, PROTOCOL, PROTOCOL_HEADER, RepoState, Repos, Slots};
use http::HeaderMap;

use super::Ctx;
use super::reject::Rejection;
use crate::config::RepoConfig;

/// Who answers, what it can do, how much room it has.
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(ctx): State<Ctx>) -> Json<Health> {
    let counts = ctx.registry.counts();
    let config = &ctx.config;
    let active = u32::try_from(counts.active).unwrap_or(u32::MAX);
    Json(Health {
        machine: config.machine.clone(),
        capabilities: config.capabilities.clone(),
        repos: config.repos.keys().cloned().collect(),
        active: counts.active as u64,
        completed: counts.finished as u64,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        protocol: Some(PROTOCOL),
        features: Feature::ALL.map(|f| f.as_str().to_owned()).to_vec(),
        slots: Some(Slots {
            max: config.max_workers,
            free: config.max_workers.saturating_sub(active),
        }),
        disk_free_bytes: disk_free(&ctx.assignments),
    })
}

/// One system call that reads no disk; a folder that cannot be asked is unknown, not full.
fn disk_free(folder: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The state of every configured checkout; what is wrong with one says nothing of the others.
#[utoipa::path(get, path = "/repos", responses((status = 200, body = Repos)))]
pub(crate) async fn repos(
    State(ctx): State<Ctx>,
    headers: HeaderMap,
) -> Result<Json<Repos>, Rejection> {
    let shared = Arc::clone(&ctx);
    let announced = headers.contains_key(PROTOCOL_HEADER);
    let repos = tokio::task::spawn_blocking(move || {
        let state = |(name, repo): (&String, &RepoConfig)| (name.clone(), state(repo, announced));
        shared.config.repos.iter().map(state).collect()
    });
    Ok(Json(repos.await?))
}

fn state(repo: &RepoConfig, announced: bool) -> RepoState {
    let path = repo.path.to_string_lossy().into_owned();
    match read(repo) {
        Ok((Some(sha), branch, dirty)) => RepoState::Ready {
            sha,
            branch,
            dirty,
            path,
        },
        Ok((None, _, _)) => RepoState::Broken {
            error: "it has no commit yet".to_owned(),
            path: Some(path),
            missing: false,
        },
        Err(error) => RepoState::Broken {
            error: error.to_string(),
            path: Some(path),
            missing: announced
                && matches!(
                    error,
                    GitError::NotThere { .. } | GitError::NotARepository { .. }
                ),
        },
    }
}

type Read = (Option<String>, Option<String>, bool);

fn read(repo: &RepoConfig) -> Result<Read, GitError> {
    let status = Repo::open(&repo.path)?.status()?;
    Ok((
        status.sha.map(|sha| sha.to_string()),
        status.branch,
        status.dirty,
    ))
}
