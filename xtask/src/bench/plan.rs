//! How long `coord plan --planner rules` takes for a large fleet, as a person waits for it: the
//! program starts, reads the store and the repositories, plans, and ends.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use coord_test_support::git_fixture::RepoFixture;
use coord_test_support::sandbox::Sandbox;
use serde_json::{Value, json};

use super::table::{Table, median};
use crate::lab::{Answer, Binaries};

const REPOS: usize = 10;
const MACHINES: usize = 20;
const SLOTS: usize = 2;
const ISSUES: usize = 1000;
const FILES: usize = 500;
const CHANGES: usize = 20;
const RUNS: usize = 21;

pub(super) fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let fleet = Fleet::build(binaries)?;
    let mut took = Vec::new();
    let first = fleet.plan()?;
    for _ in 0..RUNS {
        let start = Instant::now();
        let plan = fleet.plan()?;
        took.push(start.elapsed().as_secs_f64() * 1000.0);
        ensure!(plan == first, "the same facts gave another plan");
    }
    let what = format!(
        "`coord plan --planner rules`: {ISSUES} issues, {MACHINES} machines, {REPOS} repositories"
    );
    let note =
        format!("{FILES} files and {CHANGES} changes each, from start to end, median of {RUNS}");
    table.add(&what, median(took), 50.0, "ms", note);
    Ok(())
}

struct Fleet<'b> {
    sandbox: Sandbox,
    config: PathBuf,
    binaries: &'b Binaries,
}

impl<'b> Fleet<'b> {
    fn build(binaries: &'b Binaries) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let mut checkouts = Vec::new();
        for n in 0..REPOS {
            checkouts.push(checkout(&sandbox.path().join(name(n)))?);
        }
        let config = sandbox.path().join("coordinator.yml");
        std::fs::write(&config, format!("{:#}\n", configuration(&checkouts)))?;
        let fleet = Self {
            sandbox,
            config,
            binaries,
        };
        for n in 0..ISSUES {
            fleet.open_issue(n)?;
        }
        Ok(fleet)
    }

    fn open_issue(&self, n: usize) -> Result<()> {
        let repo = name(n % REPOS);
        let title = format!("The {} of part {n} is wrong", topic(n / REPOS));
        let body = format!(
            "See {}. {}",
            file(n / REPOS),
            "It should be otherwise. ".repeat(n % 40)
        );
        let label = if n.is_multiple_of(11) { "bug" } else { "task" };
        let args = [
            "issue", "new", &title, "--repo", &repo, "--body", &body, "--label", label,
        ];
        self.coord(&args)?.expect(0)
    }

    /// What is proposed; it has to fill every slot.
    fn plan(&self) -> Result<Value> {
        let answer = self.coord(&["plan", "--planner", "rules", "--dry-run", "--json"])?;
        answer.expect(0)?;
        let mut plan = answer.json()?;
        let proposals = plan["proposals"].take();
        let count = proposals.as_array().context("no proposals")?.len();
        ensure!(count == MACHINES * SLOTS, "{count} proposals: {answer}");
        Ok(without_times(proposals))
    }

    fn coord(&self, args: &[&str]) -> Result<Answer> {
        let mut command = self.sandbox.command(self.binaries.coord());
        Answer::of(command.arg("--config").arg(&self.config).args(args))
    }
}

fn without_times(mut proposals: Value) -> Value {
    for it in proposals.as_array_mut().into_iter().flatten() {
        if let Some(it) = it.as_object_mut() {
            it.remove("proposed_at");
        }
    }
    proposals
}

fn checkout(folder: &Path) -> Result<PathBuf> {
    let repo = RepoFixture::create(folder)?;
    for n in 0..FILES {
        repo.write(&file(n), &format!("file {n}\n"))?;
    }
    repo.commit("CHANGES", "0\n", "every file")?;
    for n in 0..CHANGES {
        let subject = format!("fix: the {} of part {n}", topic(n));
        repo.commit(&file(n), "changed\n", &subject)?;
    }
    repo.push()?;
    Ok(repo.clone_path())
}

fn configuration(checkouts: &[PathBuf]) -> Value {
    let repos: Vec<Value> = (0..REPOS)
        .map(|n| json!({ "name": name(n), "forge": "local", "default_branch": "main" }))
        .collect();
    let paths: serde_json::Map<String, Value> = checkouts
        .iter()
        .enumerate()
        .map(|(n, path)| (name(n), json!(path.to_string_lossy())))
        .collect();
    let names: Vec<String> = (0..REPOS).map(name).collect();
    let machine = |n: usize| {
        json!({
            "name": format!("machine{n:02}"),
            "host": "127.0.0.1",
            "port": 20_000 + n,
            "repos": names,
            "repo_paths": paths,
            "max_workers": SLOTS,
        })
    };
    json!({ "repos": repos, "machines": (0..MACHINES).map(machine).collect::<Vec<_>>() })
}

fn name(n: usize) -> String {
    format!("repo{n}")
}

fn topic(n: usize) -> &'static str {
    const TOPICS: [&str; 7] = [
        "cart", "price", "export", "login", "search", "invoice", "report",
    ];
    TOPICS.get(n % TOPICS.len()).copied().unwrap_or_default()
}

fn file(n: usize) -> String {
    format!("src/{}/part{n:04}.txt", topic(n))
}
