//! The Bash commands of a worker: the latest ones, and the one that it keeps repeating.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::text;

/// How many commands are kept, and how many are compared.
const MAX_RECENT: usize = 20;
const MAX_COMMAND: usize = 300;

/// The Bash commands of a worker, without its subagents'. Untrusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commands {
    /// The latest commands, white space normalised, the oldest first.
    pub recent: VecDeque<String>,
    /// The command that was repeated most often while no file changed in between.
    pub most_repeated: Option<Repeat>,
    /// How often each of the latest commands ran since a file was edited or a commit made.
    since_change: VecDeque<(u64, u32)>,
}

/// A command and how often it ran without anything having changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// White space normalised, cut to a length.
    pub command: String,
    /// From 2.
    pub times: u32,
}

impl Commands {
    /// Notes a command.
    pub(super) fn ran(&mut self, command: &str) {
        let shown = text::line(command, MAX_COMMAND);
        let times = self.count(fingerprint(command));
        if times > self.most_repeated.as_ref().map_or(1, |repeat| repeat.times) {
            self.most_repeated = Some(Repeat {
                command: shown.clone(),
                times,
            });
        }
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(shown);
    }

    /// Notes that a file was edited or a commit made: to run a command again makes sense now.
    pub(super) fn something_changed(&mut self) {
        self.since_change.clear();
    }

    /// Counts the command, which becomes the latest one.
    fn count(&mut self, command: u64) -> u32 {
        let known = self
            .since_change
            .iter()
            .position(|(known, _)| *known == command);
        let times = match known.and_then(|index| self.since_change.remove(index)) {
            Some((_, times)) => times.saturating_add(1),
            None => 1,
        };
        if self.since_change.len() == MAX_RECENT {
            self.since_change.pop_front();
        }
        self.since_change.push_back((command, times));
        times
    }
}

/// Of the whole command, however long, without regard to white space.
fn fingerprint(command: &str) -> u64 {
    let words: Vec<_> = command.split_whitespace().collect();
    text::fingerprint(words.join(" ").as_bytes())
}

/// Whether a shell command runs `git commit`, as far as its words tell.
pub(super) fn commits(command: &str) -> bool {
    let ends_a_word = |c: char| c.is_whitespace() || ";&|()`".contains(c);
    let words = command
        .split(ends_a_word)
        .map(|word| word.trim_matches(['"', '\'']));
    let mut words = words.filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word == "git" && subcommand(words.clone()) == Some("commit") {
            return true;
        }
    }
    false
}

/// The first word after `git` that is neither an option nor the value of one.
fn subcommand<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    loop {
        match words.next()? {
            "-C" | "-c" => drop(words.next()),
            option if option.starts_with('-') => {}
            subcommand => return Some(subcommand),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most_repeated(commands: &[&str]) -> Option<(String, u32)> {
        let mut seen = Commands::default();
        for command in commands {
            match *command {
                "EDIT" => seen.something_changed(),
                command => seen.ran(command),
            }
        }
        seen.most_repeated
            .map(|repeat| (repeat.command, repeat.times))
    }

    #[test]
    fn repeats_count_until_something_changes() {
        let twice = Some(("cargo test".to_owned(), 2));
        assert_eq!(most_repeated(&["cargo test", "ls", "cargo  test"]), twice);
        assert_eq!(most_repeated(&["cargo test", "EDIT", "cargo test"]), None);
        assert_eq!(
            most_repeated(&["cargo test", "cargo test", "EDIT", "cargo test"]),
            twice
        );
    }

    #[test]
    fn long_commands_are_compared_as_a_whole() {
        let long = format!("python3 -c '{}'", "x".repeat(1000));
        let other = format!("{long} 2");
        assert_eq!(most_repeated(&[&long, &other]), None);
        assert!(most_repeated(&[&long, &long]).unwrap().0.len() <= MAX_COMMAND);
    }

    #[test]
    fn commits_are_recognised() {
        for command in [
            "git commit -m x",
            "git add . && git commit -qm wt; git log",
            "git -C sub -c user.name='a' commit",
            "sh -c 'git commit'",
        ] {
            assert!(commits(command), "{command}");
        }
        for command in [
            "git log --grep commit",
            "echo commit",
            "git show",
            "git",
            "legit commit",
        ] {
            assert!(!commits(command), "{command}");
        }
    }
}
