//! Issues below issues: what is asked of them, and how a test sees and changes them.

use serde_json::Value;

use super::exchange::{Answer, Call, Reply, created, not_found, refusal};
use super::handle::RepoHandle;
use super::issues::thread;
use super::page::paged;
use super::repo::{Repo, Thread};
use super::view::View;
use super::world::World;

/// As on GitHub.
const MOST: usize = 100;

/// `GET …/issues/{issue_number}/sub_issues`: in the order that people gave them.
pub(crate) fn list(call: &mut Call<'_>) -> Reply {
    check_known(call)?;
    let parent = parent(call.repo()?, call)?;
    let world = &*call.world;
    let children: Vec<(&Repo, &Thread)> = parent
        .sub_issues
        .iter()
        .filter_map(|id| world.issue_of_id(*id))
        .collect();
    Ok(paged(call, &children, |(repo, thread)| {
        View { world, repo }.issue(thread)
    }))
}

/// `POST …/issues/{issue_number}/sub_issues`.
pub(crate) fn add(call: &mut Call<'_>) -> Reply {
    check_known(call)?;
    let child = call.body["sub_issue_id"].as_u64().unwrap_or_default();
    let owner = call.param("owner").to_lowercase();
    let (repo, _) = call.world.issue_of_id(child).ok_or_else(not_found)?;
    if repo.owner.to_lowercase() != owner {
        return Err(not_found());
    }
    let parent = parent(call.repo()?, call)?;
    let (number, id, siblings) = (parent.number, parent.id, parent.sub_issues.clone());
    let former = call.world.parent_of(child).map(|(_, thread)| thread.id);
    if child == id {
        return Err(failed("Sub issue cannot be the same as the parent issue"));
    }
    if former == Some(id) {
        return Err(failed(
            "Issue may not contain duplicate sub-issues and Sub issue may only have one parent",
        ));
    }
    if former.is_some() && call.body["replace_parent"] != true {
        return Err(failed("Sub issue may only have one parent"));
    }
    if siblings.len() >= MOST {
        return Err(failed("Parent cannot have more than 100 sub-issues"));
    }
    call.world.unlink(child);
    let now = call.world.now();
    let thread = call.repo_mut()?.threads.get_mut(&number);
    let thread = thread.ok_or_else(not_found)?;
    thread.sub_issues.push(child);
    thread.updated = now;
    created(show(call, number)?)
}

/// An Enterprise server from before sub-issues has no such path.
fn check_known(call: &Call<'_>) -> Result<(), Answer> {
    if call.world.knows_sub_issues {
        Ok(())
    } else {
        Err(not_found())
    }
}

fn parent<'a>(repo: &'a Repo, call: &Call<'_>) -> Result<&'a Thread, Answer> {
    let found = thread(repo, call)?;
    if found.pull.is_some() {
        return Err(not_found());
    }
    Ok(found)
}

fn show(call: &Call<'_>, number: u64) -> Result<Value, Answer> {
    let view = call.view()?;
    let thread = view.repo.threads.get(&number).ok_or_else(not_found)?;
    Ok(view.issue(thread))
}

fn failed(why: &str) -> Answer {
    let what = "An error occurred while adding the sub-issue to the parent issue.";
    refusal(422, &format!("{what} {why}"))
}

impl World {
    /// The issue of this id with its repository; pull requests are none.
    pub(crate) fn issue_of_id(&self, id: u64) -> Option<(&Repo, &Thread)> {
        self.find(|thread| thread.id == id && thread.pull.is_none())
    }

    /// The issue that this one is below, with its repository.
    pub(crate) fn parent_of(&self, id: u64) -> Option<(&Repo, &Thread)> {
        self.find(|thread| thread.sub_issues.contains(&id))
    }

    fn find(&self, is_it: impl Fn(&Thread) -> bool) -> Option<(&Repo, &Thread)> {
        self.repos.values().find_map(|repo| {
            let thread = repo.threads.values().find(|thread| is_it(thread))?;
            Some((repo, thread))
        })
    }

    fn unlink(&mut self, child: u64) {
        let threads = self.repos.values_mut();
        for thread in threads.flat_map(|repo| repo.threads.values_mut()) {
            thread.sub_issues.retain(|id| *id != child);
        }
    }
}

impl RepoHandle {
    /// Makes these issues of the repository the sub-issues of one, in this order and no others, as
    /// a person may.
    pub fn set_sub_issues(&self, parent: u64, children: &[u64]) {
        let ids: Vec<u64> = children
            .iter()
            .filter_map(|child| self.id(*child))
            .collect();
        self.set_sub_issue_ids(parent, ids);
    }

    /// Makes an issue of another repository the last sub-issue of one of this.
    pub fn add_foreign_sub_issue(&self, parent: u64, other: &Self, child: u64) {
        let known = self.change(|repo| repo.threads.get(&parent).map(|it| it.sub_issues.clone()));
        let ids = known.into_iter().flatten().chain(other.id(child)).collect();
        self.set_sub_issue_ids(parent, ids);
    }

    /// The numbers of the sub-issues of an issue, in order.
    #[must_use]
    pub fn sub_issues(&self, parent: u64) -> Vec<u64> {
        self.world(|world, key| {
            let parent = world.repos.get(key).and_then(|it| it.threads.get(&parent));
            let children = parent.map(|parent| parent.sub_issues.iter());
            children
                .into_iter()
                .flatten()
                .filter_map(|id| Some(world.issue_of_id(*id)?.1.number))
                .collect()
        })
    }

    fn id(&self, number: u64) -> Option<u64> {
        self.issue(number).map(|issue| issue.id)
    }

    fn set_sub_issue_ids(&self, parent: u64, ids: Vec<u64>) {
        self.world(|world, key| {
            ids.iter().for_each(|id| world.unlink(*id));
            let repo = world.repos.get_mut(key);
            if let Some(parent) = repo.and_then(|repo| repo.threads.get_mut(&parent)) {
                parent.sub_issues = ids;
            }
        });
    }
}
