//! The main job with GitHub as the forge: a stateful fake on loopback that accepts and answers
//! only what GitHub's own description allows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use coord_test_support::github::FakeGithub;
use coord_test_support::sandbox::Sandbox;

use super::scenario::Stage;
use crate::lab::Answer;

const REPO: &str = "acme/greetings";
const TOKEN: &str = "not-a-token-of-anybody";

/// `coord demo`, unchanged, on a repository whose issues and pull requests are on GitHub.
pub(super) async fn demo(stage: &Stage) -> Result<()> {
    let place = Place::new(stage).await?;
    place
        .coord(&["demo", "--prepare", "--dir", &place.folder()?])?
        .expect(0)?;
    place.move_to_github()?;
    let demo = place.coord(&["demo", "--dir", &place.folder()?])?;
    demo.expect(0)?;
    let repo = place.github.repo(REPO);
    for number in 1..=5 {
        let said = events(repo.comments(number).iter().map(|comment| &*comment.body));
        let once = ["briefing", "completion", "merge"].map(|event| (event.to_owned(), 1));
        ensure!(
            said == BTreeMap::from(once),
            "issue {number} has the comments {said:?}\n{demo}"
        );
    }
    let merged = repo
        .pulls()
        .iter()
        .filter(|pull| pull.merge_sha.is_some())
        .count();
    ensure!(merged == 5, "{merged} pull requests are merged\n{demo}");
    let open = repo.issues().iter().filter(|issue| issue.open).count();
    ensure!(open == 0, "{open} issues are still open\n{demo}");
    place.nothing_was_out_of_line()?;
    place.no_trace_of_the_token()
}

/// 1,200 issues with 30 comments each: what a sync costs, cold and warm.
pub(super) async fn sync(stage: &Stage) -> Result<()> {
    let place = Place::new(stage).await?;
    place
        .coord(&["demo", "--prepare", "--dir", &place.folder()?])?
        .expect(0)?;
    place.move_to_github()?;
    place.github.repo(REPO).seed(1200, 30, "reporter");
    let sync = || -> Result<Vec<u16>> {
        place.github.clear_requests();
        place.coord(&["sync"])?.expect(0)?;
        Ok(place
            .github
            .requests()
            .iter()
            .map(|seen| seen.status)
            .collect())
    };
    let cold = sync()?;
    ensure!(cold.len() <= 60, "a cold sync took {} requests", cold.len());
    let warm = sync()?;
    ensure!(
        warm.len() <= 15 && warm.iter().all(|status| *status == 304),
        "a sync with nothing changed was answered {warm:?}"
    );
    place.github.clear_requests();
    let list = place.coord(&["--json", "issue", "list"])?.json()?;
    let listed = list.as_array().map_or(0, Vec::len);
    ensure!(listed == 1200, "{listed} issues are listed");
    let asked = place.github.requests().len();
    ensure!(
        asked == 0,
        "a list of what is known asked GitHub {asked} times"
    );
    place.nothing_was_out_of_line()
}

struct Place<'a> {
    stage: &'a Stage,
    sandbox: Sandbox,
    github: FakeGithub,
}

impl<'a> Place<'a> {
    async fn new(stage: &'a Stage) -> Result<Self> {
        let github = FakeGithub::start().await?;
        github.add_user("coordinator", TOKEN);
        let sandbox = Sandbox::new()?;
        let remote = sandbox.path().join("demo").join("remote.git");
        github.add_repo(REPO, Some(remote))?;
        github.set_association(REPO, "coordinator", "OWNER");
        Ok(Self {
            stage,
            sandbox,
            github,
        })
    }

    fn folder(&self) -> Result<String> {
        let folder = self.sandbox.path().join("demo");
        Ok(folder
            .to_str()
            .context("the folder is not UTF-8")?
            .to_owned())
    }

    fn coord(&self, args: &[&str]) -> Result<Answer> {
        let folder = self.sandbox.path().join("demo");
        let mut command = self.sandbox.command(self.stage.binaries.coord());
        command
            .env("COORD_HOME", folder.join("home"))
            .env("COORD_CONFIG", folder.join("coordinator.yml"))
            .env("COORD_GITHUB_TOKEN", TOKEN)
            .args(args);
        Answer::of(&mut command)
    }

    /// The same configuration with another forge.
    fn move_to_github(&self) -> Result<()> {
        let file = self.sandbox.path().join("demo").join("coordinator.yml");
        let text = fs::read_to_string(&file)?;
        let forge = format!("github: {REPO}");
        ensure!(
            text.contains("forge: local"),
            "the demo has another forge:\n{text}"
        );
        let text = text.replace("forge: local", &forge);
        let url = self.github.url();
        Ok(fs::write(&file, format!("{text}github_api_url: {url}\n"))?)
    }

    fn nothing_was_out_of_line(&self) -> Result<()> {
        let violations = self.github.violations();
        ensure!(
            violations.is_empty(),
            "against GitHub's description: {violations:#?}"
        );
        Ok(())
    }

    /// Neither in a file of the state folder, nor in what a worker or a test was given.
    fn no_trace_of_the_token(&self) -> Result<()> {
        search(&self.sandbox.path().join("demo"))
    }
}

/// How often each event is the last marker of a comment.
fn events<'a>(bodies: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut events = BTreeMap::new();
    for body in bodies {
        let marker = body
            .rsplit_once("coord:event=")
            .map_or("", |(_, rest)| rest);
        let event = marker.split(' ').next().unwrap_or_default();
        *events.entry(event.to_owned()).or_default() += 1;
    }
    events
}

fn search(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            search(&entry.path())?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path())?;
            let found = bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes());
            ensure!(!found, "the token is in {}", entry.path().display());
        }
    }
    Ok(())
}
