//! The forms that texts of the configuration have: paths, hosts, branches, models, patterns.
//!
//! Many of them become arguments of programs, so none may begin like an option.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use crate::names;
use crate::node::Node;
use crate::reading::{Reading, Word};
use crate::section::Section;

/// More workers than these on one machine are a typing error.
pub(super) const MOST_WORKERS: u32 = 1000;

pub(super) fn owned(words: Vec<Word<'_>>) -> Vec<String> {
    words.into_iter().map(|word| word.text.to_owned()).collect()
}

/// `owner/name`.
pub(super) fn github(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let word = section.word(key)?;
    match word.text.split_once('/') {
        Some((owner, name)) if names::is_valid(owner) && is_repository(name) => {
            Some(word.text.to_owned())
        }
        Some(_) | None => {
            let message = format!(
                "`{}` is not a repository of GitHub",
                names::shown(word.text)
            );
            let hint = "write `owner/name`, without the address of the server";
            section
                .reading()
                .problem_with_hint(word.mark, message, hint);
            None
        }
    }
}

/// GitHub has repositories called `.github`.
fn is_repository(name: &str) -> bool {
    names::is_valid(name.strip_prefix('.').unwrap_or(name))
}

/// A branch, by the rules of git-check-ref-format as far as they matter for typing errors.
pub(super) fn branch(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let word = section.word(key)?;
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let text = word.text;
    let wrong = text.contains(forbidden)
        || text.starts_with(['-', '/'])
        || text.ends_with(['/', '.'])
        || text.contains("..")
        || text.contains("//")
        || text.contains("@{");
    if wrong {
        let message = format!("`{}` cannot be a branch", names::shown(text));
        section.reading().problem(word.mark, message);
        return None;
    }
    Some(text.to_owned())
}

/// A host name or an address, without scheme and port.
pub(super) fn host(reading: &Reading<'_>, node: &Node) -> Option<String> {
    let word = reading.word(node)?;
    let bare = word
        .text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(word.text);
    if names::is_valid(bare) || bare.parse::<IpAddr>().is_ok() {
        return Some(bare.to_owned());
    }
    let message = format!("`{}` is not a host", names::shown(word.text));
    let hint = "a name or an address alone; the port is the key `port`";
    reading.problem_with_hint(word.mark, message, hint);
    None
}

/// The base address of an API, without a slash at the end and without credentials in it.
pub(super) fn url(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let word = section.word(key)?;
    let rest = word
        .text
        .strip_prefix("https://")
        .or_else(|| word.text.strip_prefix("http://"));
    let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#');
    match rest {
        Some(rest) if !rest.starts_with('/') && !rest.is_empty() && !rest.contains(wrong) => {
            Some(word.text.trim_end_matches('/').to_owned())
        }
        Some(_) | None => {
            let message = "not the address of an API";
            let hint = "https://HOST/PATH, without user and password";
            section
                .reading()
                .problem_with_hint(word.mark, message, hint);
            None
        }
    }
}

/// A model's alias or full name, e.g. `sonnet`, `sonnet[1m]`, `us.anthropic.x-v1:0`.
pub(super) fn model(reading: &Reading<'_>, node: &Node) -> Option<String> {
    let word = reading.word(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-:/@[]".contains(c);
    if word.text.chars().all(allowed) && word.text.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Some(word.text.to_owned());
    }
    let message = format!("`{}` cannot be a model", names::shown(word.text));
    reading.problem(word.mark, message);
    None
}

/// A path of this machine: `~` expanded, relative ones from the folder of the file.
pub(super) fn path(reading: &Reading<'_>, node: &Node) -> Option<PathBuf> {
    let word = reading.word(node)?;
    expand(reading, &word).map(|path| reading.folder.join(path))
}

fn expand(reading: &Reading<'_>, word: &Word<'_>) -> Option<PathBuf> {
    let Some(rest) = word.text.strip_prefix('~') else {
        return Some(PathBuf::from(word.text));
    };
    match (rest.strip_prefix('/'), rest.is_empty(), reading.home) {
        (_, true, Some(home)) => Some(home.to_owned()),
        (Some(below), _, Some(home)) => Some(home.join(below.trim_start_matches('/'))),
        (Some(_), _, None) | (None, true, None) => {
            reading.problem(
                word.mark,
                "there is no home folder that `~` could stand for",
            );
            None
        }
        (None, false, _) => {
            let hint = "write the path out, or `./~…` for a name that begins with `~`";
            reading.problem_with_hint(word.mark, "`~` stands for your own home folder only", hint);
            None
        }
    }
}

/// Paths or globs that stay within a repository.
pub(super) fn inner_paths(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let reading = section.reading();
    let mut words = section.words(key).unwrap_or_default();
    words.retain(|word| is_inner(reading, word));
    owned(words)
}

fn is_inner(reading: &Reading<'_>, word: &Word<'_>) -> bool {
    let leaves = |part: Component<'_>| match part {
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => true,
        Component::CurDir | Component::Normal(_) => false,
    };
    let leaves = Path::new(word.text).components().any(leaves);
    if leaves {
        reading.problem(
            word.mark,
            "must be relative to the repository and stay in it",
        );
    }
    !leaves
}

/// Permission rules of Claude Code: `Tool` or `Tool(rule)`.
pub(super) fn permissions(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let reading = section.reading();
    let mut words = section.words(key)?;
    words.retain(|word| is_permission(reading, word));
    Some(owned(words))
}

fn is_permission(reading: &Reading<'_>, word: &Word<'_>) -> bool {
    let (tool, rule) = match word.text.split_once('(') {
        Some((tool, rule)) => (tool, Some(rule)),
        None => (word.text, None),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.*".contains(c);
    let tool = tool.chars().all(allowed) && tool.starts_with(|c: char| c.is_ascii_alphabetic());
    let rule = rule.is_none_or(|rule| rule.len() > 1 && rule.ends_with(')'));
    if !(tool && rule) {
        let message = format!("`{}` is not a permission rule", names::shown(word.text));
        reading.problem_with_hint(
            word.mark,
            message,
            "for example `Bash(git push:*)` or `WebFetch`",
        );
    }
    tool && rule
}

/// A program and its first arguments; `~/` in front of the program is the home folder.
pub(super) fn program(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let reading = section.reading();
    let words = section.words(key)?;
    let Some(program) = words.first() else {
        section.problem_at(key, "needs at least the program");
        return None;
    };
    let program = expand(reading, program)?.to_string_lossy().into_owned();
    Some(
        [program]
            .into_iter()
            .chain(owned(words).into_iter().skip(1))
            .collect(),
    )
}
