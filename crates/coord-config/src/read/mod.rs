//! From the text of a file to a [`Config`], or to everything that is wrong with it.

mod ends;
mod fleet;
mod github;
mod planning;
mod rules;
mod smoke;
mod syntax;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::config::Config;
use crate::error::{ConfigError, Invalid};
use crate::node;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::section::Section;

/// No configuration is larger; what is, is not a configuration.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads the file at `path`. `home` is what `~` stands for in its paths.
///
/// # Errors
/// See [`ConfigError`]; everything that is wrong with the text is reported at once, except that
/// a text which is not YAML has one problem only.
pub fn load(path: &Path, home: Option<&Path>) -> Result<Config, ConfigError> {
    let bytes = read(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes, path, home)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the text `bytes` of the file at `path`; relative paths in it start at the folder of
/// `path`. `home` is what `~` stands for.
///
/// # Errors
/// [`ConfigError::TooLarge`] and [`ConfigError::Invalid`].
pub fn parse(bytes: &[u8], path: &Path, home: Option<&Path>) -> Result<Config, ConfigError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
        });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let (problems, more) = match std::str::from_utf8(bytes) {
        Err(error) => (vec![not_utf8(bytes, error.valid_up_to())], 0),
        Ok(text) => match parse_text(text, folder, home) {
            Ok(config) => return Ok(config),
            Err(problems) => problems,
        },
    };
    Err(Invalid {
        path: path.to_owned(),
        problems,
        more,
    }
    .into())
}

fn not_utf8(bytes: &[u8], valid: usize) -> Problem {
    // What is valid keeps its length, so the place stays true.
    let text = String::from_utf8_lossy(bytes);
    let hint = "save the file as UTF-8".to_owned();
    Problem::new(
        &text,
        &(valid..valid + 3),
        "not UTF-8".to_owned(),
        Some(hint),
    )
}

type Problems = (Vec<Problem>, usize);

fn parse_text(text: &str, folder: &Path, home: Option<&Path>) -> Result<Config, Problems> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let root = node::parse(text).map_err(|unreadable| {
        let problem = Problem::new(text, &unreadable.mark, unreadable.message, None);
        (vec![problem], 0)
    })?;
    let reading = Reading::new(text, folder, home);
    let config = config(Section::open(&reading, "the configuration", &root));
    let (problems, more) = reading.into_problems();
    match problems.is_empty() {
        true => Ok(config),
        false => Err((problems, more)),
    }
}

fn config(mut root: Section<'_>) -> Config {
    let defaults = Config::default();
    let (repos, names) = fleet::repos(&mut root);
    let concurrency = rules::concurrency(root.section("concurrency"));
    let machines = fleet::machines(&mut root, &names, concurrency.max_workers);
    let config = Config {
        repos,
        concurrency,
        models: planning::models(root.section("models")),
        hooks: ends::hooks(root.section("hooks")),
        reviews: rules::reviews(root.section("reviews"), &names),
        smoke_tests: smoke::smoke_tests(root.section("smoke_tests"), &machines),
        machines,
        worker_permissions: rules::worker_permissions(root.section("worker_permissions")),
        housekeeping: ends::housekeeping(root.section("housekeeping"), &names),
        plan: planning::plan(root.section("plan")),
        leases: planning::leases(&mut root).unwrap_or(defaults.leases),
        coordinator_only_files: syntax::inner_paths(&mut root, "coordinator_only_files"),
        github_api_url: syntax::url(&mut root, "github_api_url").unwrap_or(defaults.github_api_url),
        github_app: github::app(&mut root),
        trust: github::trust(root.section("trust")),
        pipeline: rules::pipeline(root.section("pipeline")),
        budgets: rules::budgets(root.section("budgets")),
        worker: rules::worker(root.section("worker")),
    };
    root.finish();
    config
}
