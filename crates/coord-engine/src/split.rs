//! Splitting an issue: sub-issues that are opened once, and a task list in the body of the parent.
//!
//! Every step looks for what is there before it does anything, so that all of it may be repeated
//! after a crash at any point.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use coord_core::effect::{Outcome, SplitSpec};
use coord_core::failure::FailureClass;
use coord_core::issue::Issue;
use coord_core::proposal::Chunk;
use coord_forge::{Forge, IssueKey, NewIssue, SubIssueLink, task_list};

use crate::clock;
use crate::effects::Later;
use crate::engine::Engine;
use crate::error::EngineError;

/// The section of the parent's body.
const SECTION: &str = "tasks";

impl Engine {
    pub(crate) async fn split(&self, spec: &SplitSpec) -> Result<Outcome, Later> {
        match self.split_now(spec).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => self.forge_failed(&spec.parent.repo, error),
        }
    }

    async fn split_now(&self, spec: &SplitSpec) -> Result<Outcome, EngineError> {
        let repo = &spec.parent.repo;
        let forge = self.forge(repo)?;
        let failed = EngineError::forge(repo);
        let Some(parent) = forge.issue(spec.parent.number).await.map_err(&failed)? else {
            let error = format!("there is no issue {}", spec.parent);
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error,
            });
        };
        let mut created: Vec<Issue> = Vec::with_capacity(spec.chunks.len());
        for (place, chunk) in spec.chunks.iter().enumerate() {
            let before: Vec<u64> = created.iter().map(|it| it.number).collect();
            let new = sub_issue(spec, &parent, place, chunk, &before);
            let issue = forge.create_issue(new).await.map_err(&failed)?;
            created.push(issue);
        }
        let linked = self.link(forge, spec, &created).await?;
        let tasks = task_list(created.iter().map(|it| (it.number, it.title.as_str())));
        let written = forge.write_section(parent.number, SECTION, &tasks).await;
        written.map_err(&failed)?;
        self.remember(spec, &created, linked).await?;
        Ok(Outcome::SplitDone {
            created: created.iter().map(|it| it.number).collect(),
        })
    }

    /// Makes them sub-issues of the parent, and answers which are.
    async fn link(
        &self,
        forge: &dyn Forge,
        spec: &SplitSpec,
        created: &[Issue],
    ) -> Result<BTreeSet<u64>, EngineError> {
        let mut linked = BTreeSet::new();
        for issue in created {
            let link = forge.add_sub_issue(spec.parent.number, issue.number);
            match link.await.map_err(EngineError::forge(&spec.parent.repo))? {
                SubIssueLink::Linked => {
                    linked.insert(issue.number);
                }
                // A person has moved it since.
                SubIssueLink::OtherParent => {}
                SubIssueLink::Unsupported => break,
            }
        }
        Ok(linked)
    }

    /// Tells the mirror what a sync would find.
    async fn remember(
        &self,
        spec: &SplitSpec,
        created: &[Issue],
        linked: BTreeSet<u64>,
    ) -> Result<(), EngineError> {
        let Some(mirror) = self.mirror(&spec.parent.repo) else {
            return Ok(());
        };
        for issue in created {
            mirror.put_issue(issue.clone(), clock::now()).await?;
        }
        if linked.is_empty() {
            return Ok(());
        }
        let parent = spec.parent.number;
        let children = self.forge(&spec.parent.repo)?.sub_issues(parent).await;
        let children = children.map_err(EngineError::forge(&spec.parent.repo))?;
        // A forge may take a while to show what it has just linked.
        let mut children = children.unwrap_or_default();
        let missing = created.iter().map(|it| it.number);
        let missing: Vec<u64> = missing
            .filter(|it| linked.contains(it) && !children.contains(it))
            .collect();
        children.extend(missing);
        Ok(mirror.set_sub_issues(parent, children).await?)
    }
}

/// The issue of a part. `before` are the numbers of the parts before it.
fn sub_issue(
    spec: &SplitSpec,
    parent: &Issue,
    place: usize,
    chunk: &Chunk,
    before: &[u64],
) -> NewIssue {
    NewIssue {
        title: chunk.title.trim().to_owned(),
        body: body(spec, chunk, before),
        labels: parent.labels.clone(),
        key: Some(IssueKey::new(&format!("{}-{place}", spec.key), spec.at)),
    }
}

/// The lines that say what comes first stand at the top: nothing in a planner's text can hide them
/// in a block of code.
fn body(spec: &SplitSpec, chunk: &Chunk, before: &[u64]) -> String {
    let mut text = format!("Part of #{}.\n", spec.parent.number);
    let after: BTreeSet<usize> = chunk.after.iter().copied().collect();
    for number in after.iter().filter_map(|place| before.get(*place)) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Depends on #{number}");
    }
    let _ = write!(text, "\n{}\n", harmless(chunk.scope.trim()));
    if !chunk.files.is_empty() {
        text.push_str("\nFiles:\n\n");
        for glob in &chunk.files {
            let glob = glob.replace(['`', '\n', '\r'], " ");
            let _ = writeln!(text, "- `{}`", harmless(&glob));
        }
    }
    text
}

/// A planner's text may repeat a stranger's. It must not look like a marker of ours, nor
/// call for anybody.
fn harmless(text: &str) -> String {
    text.replace("<!--", "&lt;!--").replace('@', "@\u{200b}")
}
