//! Repositories and machines: everything that others refer to by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coord_core::graph::DependencyGraph;
use coord_core::ids::{MachineName, RepoName};

use super::syntax;
use crate::config::{ForgeKind, Machine, Repo, WorktreeSetup};
use crate::node::{Mark, Node};
use crate::reading::{Reading, Word};
use crate::section::Section;

/// The port of an agent whose machine names none.
const AGENT_PORT: u16 = 7433;

const FORGES: [(&str, ForgeKind); 2] = [("github", ForgeKind::Github), ("local", ForgeKind::Local)];

/// A repository, and the words that its `depends_on` consists of.
struct RepoEntry<'a> {
    repo: Repo,
    depends_on: Vec<Word<'a>>,
}

/// The repositories and the names that the file gives them, fit or not; a cycle in what they
/// depend on is a problem.
pub(super) fn repos<'a>(root: &mut Section<'a>) -> (Vec<Repo>, Vec<&'a str>) {
    let reading = root.reading();
    let nodes = match root.get("repos") {
        Some(node) => reading.mappings(node),
        None => Some(&[] as &[Node]),
    };
    if nodes.is_some_and(<[Node]>::is_empty) && !root.is_broken() {
        let hint = "list at least one below `repos:`; coordinator.example.yml shows how";
        reading.problem_with_hint(root.mark_of("repos"), "no repositories", hint);
    }
    let nodes = nodes.unwrap_or_default();
    let names = declared(reading, "repository", nodes);
    let entries: Vec<_> = nodes
        .iter()
        .filter_map(|node| repo(Section::open(reading, "a repository", node), &names))
        .collect();
    check_cycle(reading, &entries);
    (entries.into_iter().map(|entry| entry.repo).collect(), names)
}

/// The names that a list of mappings declares, before anything refers to them.
fn declared<'a>(reading: &'a Reading<'a>, what: &str, nodes: &'a [Node]) -> Vec<&'a str> {
    let names = nodes.iter().filter_map(|node| Section::peek(node, "name"));
    let names: Vec<_> = names.collect();
    reading.check_unique(what, &names);
    names.into_iter().map(|name| name.text).collect()
}

fn repo<'a>(mut section: Section<'a>, names: &[&str]) -> Option<RepoEntry<'a>> {
    let name = section
        .require("name")
        .and_then(|node| section.reading().name(node));
    let github = syntax::github(&mut section, "github");
    let depends_on = known_repos(&mut section, "depends_on", names);
    let default_forge = match github {
        Some(_) => ForgeKind::Github,
        None => ForgeKind::Local,
    };
    let repo = Repo {
        name: RepoName::from(name.as_ref().map_or("", |name| name.text)),
        forge: forge(&mut section, github.is_some()).unwrap_or(default_forge),
        github,
        depends_on: depends_on
            .iter()
            .map(|word| RepoName::from(word.text))
            .collect(),
        default_branch: syntax::branch(&mut section, "default_branch"),
        build_command: section.text("build_command"),
        test_command: section.text("test_command"),
        worktree: worktree(section.section("worktree")),
    };
    section.finish();
    name.map(|_| RepoEntry { repo, depends_on })
}

fn forge(section: &mut Section<'_>, has_github: bool) -> Option<ForgeKind> {
    let forge = section.choice("forge", &FORGES)?;
    if forge == ForgeKind::Github && !has_github {
        section.problem_at(
            "forge",
            "`forge: github` needs the key `github` with `owner/name`",
        );
    }
    Some(forge)
}

fn worktree(mut section: Section<'_>) -> WorktreeSetup {
    let worktree = WorktreeSetup {
        setup: section.text("setup"),
        copy: syntax::inner_paths(&mut section, "copy"),
        keep: syntax::inner_paths(&mut section, "keep"),
    };
    section.finish();
    worktree
}

/// The list at `key` where each member names one of `known`, and none twice.
fn known_repos<'a>(section: &mut Section<'a>, key: &'static str, known: &[&str]) -> Vec<Word<'a>> {
    let reading = section.reading();
    let mut words = section.words(key).unwrap_or_default();
    reading.check_unique("repository", &words);
    words.retain(|word| reading.check_known(word, "repository", known));
    words
}

fn check_cycle(reading: &Reading<'_>, entries: &[RepoEntry<'_>]) {
    let edges = entries
        .iter()
        .map(|entry| (&entry.repo.name, entry.repo.depends_on.as_slice()));
    let Some(cycle) = DependencyGraph::new(edges).cycle() else {
        return;
    };
    let mark = match cycle.0.as_slice() {
        [from, to, ..] => edge(entries, from, to),
        [_] | [] => None,
    };
    reading.problem(mark.unwrap_or(&(0..0)), format!("dependency cycle {cycle}"));
}

/// Where `from` says that it depends on `to`.
fn edge<'a>(entries: &[RepoEntry<'a>], from: &RepoName, to: &RepoName) -> Option<&'a Mark> {
    let entry = entries.iter().find(|entry| entry.repo.name == *from)?;
    entry
        .depends_on
        .iter()
        .find(|word| word.text == to.as_str())
        .map(|word| word.mark)
}

/// The machines; `max_workers` is for those that do not say.
pub(super) fn machines(root: &mut Section<'_>, repos: &[&str], max_workers: u32) -> Vec<Machine> {
    let reading = root.reading();
    let nodes = root.mappings("machines").unwrap_or_default();
    declared(reading, "machine", nodes);
    let open = |node| Section::open(reading, "a machine", node);
    nodes
        .iter()
        .filter_map(|node| machine(open(node), repos, max_workers))
        .collect()
}

fn machine(mut section: Section<'_>, repos: &[&str], max_workers: u32) -> Option<Machine> {
    let name = section
        .require("name")
        .and_then(|node| section.reading().name(node));
    let host = section
        .require("host")
        .and_then(|node| syntax::host(section.reading(), node));
    let allowed = known_repos(&mut section, "repos", repos);
    let machine = Machine {
        name: MachineName::from(name.as_ref().map_or("", |name| name.text)),
        host: host.unwrap_or_default(),
        port: section.number("port", 1..=u16::MAX).unwrap_or(AGENT_PORT),
        capabilities: syntax::owned(section.names("capabilities", "capability")),
        repos: allowed
            .iter()
            .map(|word| RepoName::from(word.text))
            .collect(),
        repo_paths: repo_paths(&mut section, repos),
        max_workers: section
            .number("max_workers", 1..=syntax::MOST_WORKERS)
            .unwrap_or(max_workers),
        account: section
            .get("account")
            .and_then(|node| section.reading().name(node))
            .map(|name| name.text.to_owned()),
        token_file: section
            .get("token_file")
            .and_then(|node| syntax::path(section.reading(), node)),
    };
    section.finish();
    name.map(|_| machine)
}

fn repo_paths(section: &mut Section<'_>, repos: &[&str]) -> BTreeMap<RepoName, PathBuf> {
    let reading = section.reading();
    let mut paths = BTreeMap::new();
    for (name, node) in section.pairs("repo_paths") {
        let known = reading.check_known(&name, "repository", repos);
        if let Some(path) = syntax::path(reading, node).filter(|_| known) {
            paths.insert(RepoName::from(name.text), path);
        }
    }
    paths
}
