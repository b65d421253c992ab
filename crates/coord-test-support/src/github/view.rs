//! Issues, comments and what hangs on them as GitHub shows them.

use serde_json::{Value, json};

use super::account::user;
use super::git::{Commit, Person};
use super::repo::{Comment, Repo, Thread};
use super::shape::shape;
use super::uri;
use super::world::{World, stamp};

/// Shows the things of one repository.
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) repo: &'a Repo,
}

impl View<'_> {
    /// An address of the API below the repository.
    pub(crate) fn api(&self, rest: &str) -> String {
        let api = self.world.api();
        format!("{api}/repos/{}/{}{rest}", self.repo.owner, self.repo.name)
    }

    /// An address for people below the repository.
    pub(crate) fn html(&self, rest: &str) -> String {
        format!("{}/{}{rest}", self.world.origin, self.repo.full_name())
    }

    pub(crate) fn user(&self, login: &str) -> Value {
        user(self.world, login)
    }

    /// How somebody stands to the repository.
    ///
    /// What was set counts; else the owner is `OWNER`, people with a token are `COLLABORATOR`s, and
    /// everybody else is `NONE`, an app's account included.
    pub(crate) fn association(&self, login: &str) -> String {
        let lower = login.to_lowercase();
        if let Some(set) = self.repo.associations.get(&lower) {
            return set.clone();
        }
        let bot = lower.ends_with("[bot]");
        let association = match lower == self.repo.owner.to_lowercase() {
            true => "OWNER",
            false if self.world.people.contains(&lower) && !bot => "COLLABORATOR",
            false => "NONE",
        };
        association.to_owned()
    }

    fn milestone(&self, number: u64) -> Value {
        let Some(milestone) = self.repo.milestones.get(&number) else {
            return Value::Null;
        };
        shape(
            "nullable-milestone",
            json!({
                "id": milestone.id,
                "number": number,
                "title": milestone.title,
                "node_id": format!("MI_{}", milestone.id),
                "url": self.api(&format!("/milestones/{number}")),
                "html_url": self.html(&format!("/milestone/{number}")),
            }),
        )
    }

    pub(crate) fn label(&self, name: &str) -> Value {
        let id = self.repo.labels.get(name).copied().unwrap_or_default();
        shape(
            "label",
            json!({
                "id": id,
                "name": name,
                "color": "ededed",
                "node_id": format!("LA_{id}"),
                "url": self.api(&format!("/labels/{}", uri::encode(name))),
            }),
        )
    }

    pub(crate) fn labels(&self, names: &[String]) -> Value {
        names.iter().map(|name| self.label(name)).collect()
    }

    /// What issues and pull requests have in common.
    pub(crate) fn thread(&self, thread: &Thread) -> Value {
        let assignees: Vec<Value> = thread
            .assignees
            .iter()
            .map(|login| self.user(login))
            .collect();
        let number = thread.number;
        json!({
            "number": number,
            "title": thread.title,
            "body": thread.body,
            "user": self.user(&thread.author),
            "labels": self.labels(&thread.labels),
            "assignee": assignees.first(),
            "assignees": assignees,
            "milestone": thread.milestone.map_or(Value::Null, |number| self.milestone(number)),
            "state": thread.state(),
            "comments": thread.comments.len(),
            "comments_url": self.api(&format!("/issues/{number}/comments")),
            "created_at": stamp(thread.created),
            "updated_at": stamp(thread.updated),
            "closed_at": thread.closed.as_ref().map(|closed| stamp(closed.at)),
            "author_association": self.association(&thread.author),
        })
    }

    /// `issue` of the description; a pull request says so in it.
    pub(crate) fn issue(&self, thread: &Thread) -> Value {
        let number = thread.number;
        let page = if thread.pull.is_some() {
            "pull"
        } else {
            "issues"
        };
        let mut value = self.thread(thread);
        value["id"] = thread.id.into();
        value["node_id"] = format!("I_{}", thread.id).into();
        value["url"] = self.api(&format!("/issues/{number}")).into();
        value["repository_url"] = self.api("").into();
        value["labels_url"] = self
            .api(&format!("/issues/{number}/labels{{/name}}"))
            .into();
        value["events_url"] = self.api(&format!("/issues/{number}/events")).into();
        value["html_url"] = self.html(&format!("/{page}/{number}")).into();
        value["state_reason"] = json!(thread.state_reason);
        value["closed_by"] = match &thread.closed {
            Some(closed) => self.user(&closed.by),
            None => Value::Null,
        };
        if let Some(pull) = &thread.pull {
            value["pull_request"] = json!({
                "url": self.api(&format!("/pulls/{number}")),
                "html_url": self.html(&format!("/pull/{number}")),
                "diff_url": self.html(&format!("/pull/{number}.diff")),
                "patch_url": self.html(&format!("/pull/{number}.patch")),
                "merged_at": pull.merge_sha.as_ref().and(value["closed_at"].as_str()),
            });
            value["draft"] = pull.draft.into();
        }
        if self.world.knows_sub_issues {
            self.add_family(thread, &mut value);
        }
        shape("issue", value)
    }

    fn add_family(&self, thread: &Thread, value: &mut Value) {
        let children = thread.sub_issues.iter();
        let children: Vec<_> = children
            .filter_map(|id| self.world.issue_of_id(*id))
            .collect();
        let closed = children.iter().filter(|(_, it)| it.closed.is_some());
        let (total, completed) = (children.len(), closed.count());
        value["sub_issues_summary"] = json!({
            "total": total,
            "completed": completed,
            "percent_completed": completed * 100 / total.max(1),
        });
        if let Some((repo, parent)) = self.world.parent_of(thread.id) {
            let of = View { repo, ..*self };
            let url = of.api(&format!("/issues/{}", parent.number));
            value["parent_issue_url"] = url.into();
        }
    }

    /// `issue-comment` of the description.
    pub(crate) fn comment(&self, thread: &Thread, comment: &Comment) -> Value {
        let (id, number) = (comment.id, thread.number);
        let page = if thread.pull.is_some() {
            "pull"
        } else {
            "issues"
        };
        shape(
            "issue-comment",
            json!({
                "id": id,
                "node_id": format!("IC_{id}"),
                "url": self.api(&format!("/issues/comments/{id}")),
                "html_url": self.html(&format!("/{page}/{number}#issuecomment-{id}")),
                "issue_url": self.api(&format!("/issues/{number}")),
                "user": self.user(&comment.author),
                "body": comment.body,
                "created_at": stamp(comment.created),
                "updated_at": stamp(comment.updated),
                "author_association": self.association(&comment.author),
            }),
        )
    }

    /// `commit` of the description.
    pub(crate) fn commit(&self, commit: &Commit) -> Value {
        let api = |sha: &str| self.api(&format!("/commits/{sha}"));
        let html = |sha: &str| self.html(&format!("/commit/{sha}"));
        let parent = |sha: &String| json!({"sha": sha, "url": api(sha), "html_url": html(sha)});
        let sha = &commit.sha;
        let tree = self.api(&format!("/git/trees/{}", commit.tree));
        shape(
            "commit",
            json!({
                "sha": sha,
                "node_id": format!("C_{sha}"),
                "url": api(sha),
                "html_url": html(sha),
                "comments_url": format!("{}/comments", api(sha)),
                "commit": {
                    "message": commit.message,
                    "author": person(&commit.author),
                    "committer": person(&commit.committer),
                    "tree": {"sha": commit.tree, "url": tree},
                    "url": self.api(&format!("/git/commits/{sha}")),
                },
                "parents": commit.parents.iter().map(parent).collect::<Value>(),
            }),
        )
    }

    /// `full-repository` of the description.
    pub(crate) fn full_repository(&self) -> Value {
        let repo = self.repo;
        let permissions = json!({
            "admin": true, "maintain": true, "push": true, "triage": true, "pull": true,
        });
        let mut members = self.repository();
        members["permissions"] = permissions;
        members["allow_merge_commit"] = true.into();
        members["allow_squash_merge"] = true.into();
        members["allow_rebase_merge"] = true.into();
        let open = repo
            .threads
            .values()
            .filter(|thread| thread.closed.is_none())
            .count();
        members["open_issues_count"] = open.into();
        members["open_issues"] = open.into();
        shape("full-repository", members)
    }

    /// The members that every form of a repository has.
    pub(crate) fn repository(&self) -> Value {
        let repo = self.repo;
        json!({
            "id": repo.id,
            "node_id": format!("R_{}", repo.id),
            "name": repo.name,
            "full_name": repo.full_name(),
            "owner": self.user(&repo.owner),
            "private": repo.private,
            "visibility": if repo.private { "private" } else { "public" },
            "url": self.api(""),
            "html_url": self.html(""),
            "clone_url": format!("file://{}", repo.git.path().display()),
            "default_branch": repo.default_branch,
            "has_issues": true,
        })
    }
}

fn person(person: &Person) -> Value {
    json!({"name": person.name, "email": person.email, "date": stamp(person.at)})
}
