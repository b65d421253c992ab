//! GitHub: as whom it is asked, and whose word counts there.

use super::syntax::{self, owned};
use crate::config::{Association, GithubApp, Trust};
use crate::names;
use crate::reading::{Reading, Word};
use crate::section::Section;

/// The largest number that JSON keeps exactly everywhere (2^53 - 1); GitHub's are far below.
const LARGEST_ID: u64 = 9_007_199_254_740_991;
/// What GitHub appends to the names of the accounts of Apps.
const BOT: &str = "[bot]";

/// The App, where the file has one; it takes all of its keys.
pub(super) fn app(root: &mut Section<'_>) -> Option<GithubApp> {
    let node = root.get("github_app")?;
    let reading = root.reading();
    let mut section = Section::open(reading, "github_app", node);
    for key in ["app_id", "private_key_file", "installation_id"] {
        section.require(key);
    }
    let app_id = section.number("app_id", 1..=LARGEST_ID);
    let installation_id = section.number("installation_id", 1..=LARGEST_ID);
    let private_key_file = section
        .get("private_key_file")
        .and_then(|node| syntax::path(reading, node));
    section.finish();
    Some(GithubApp {
        app_id: app_id?,
        private_key_file: private_key_file?,
        installation_id: installation_id?,
    })
}

pub(super) fn trust(mut section: Section<'_>) -> Trust {
    let default = Trust::default();
    let reading = section.reading();
    let associations = Association::ALL.map(|association| (association.as_str(), association));
    let authors = section.choices("authors", "association", &associations);
    let mut users = section.words("users").unwrap_or_default();
    reading.check_unique("account", &users);
    users.retain(|word| is_account(reading, word));
    section.finish();
    Trust {
        authors: authors.unwrap_or(default.authors),
        users: owned(users),
    }
}

fn is_account(reading: &Reading<'_>, word: &Word<'_>) -> bool {
    let name = word.text.strip_suffix(BOT).unwrap_or(word.text);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let valid = !name.is_empty() && name.chars().all(allowed);
    if !valid {
        let message = format!("`{}` is not an account of GitHub", names::shown(word.text));
        let hint = "the name alone, without `@`; that of an App ends with `[bot]`";
        reading.problem_with_hint(word.mark, message, hint);
    }
    valid
}
