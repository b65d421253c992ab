//! What a simulated worker is to do: blocks in the text of the issue, one line of JSON for each step.

use std::io;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One thing to do for somebody who works on a branch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Say something.
    Say(String),
    /// Write a whole file.
    Write { path: String, content: String },
    /// Replace the first occurrence of a text in a file.
    Replace {
        path: String,
        find: String,
        with: String,
    },
    /// Run a shell command; the worker fails when it does.
    Run(String),
    /// Wait for a message and write it to a file.
    Hear { path: String },
    /// Commit everything.
    Commit(String),
    /// Tell at the end that the work has cost so much, in US dollars.
    Cost(f64),
}

/// One thing to do for somebody who reads a commit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Look {
    /// Object, unless a file holds a text.
    Demand(Demand),
    /// Answer this, whatever is there.
    Answer(Value),
    /// Wait for a cue: a file of this name in the folder that was given with `--stage`.
    Await(String),
}

/// What a reviewer insists on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Demand {
    /// The file.
    pub(super) path: String,
    /// What has to stand in it.
    pub(super) holds: String,
    /// Part of the line that the finding is about.
    pub(super) at: String,
    /// The finding.
    pub(super) text: String,
}

/// What a worker is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Solve the issue: the block `simulate`.
    Work,
    /// Put right what was found: the block `simulate fix`.
    Fix,
    /// Solve the conflicts with what the branch was just merged with: the block `simulate rebase`.
    Rebase,
    /// Judge: the block `simulate review`.
    Review,
    /// Title and text of a pull request: the block `simulate pr`.
    Pr,
}

impl Task {
    const fn fence(self) -> &'static str {
        match self {
            Self::Work => "```simulate",
            Self::Fix => "```simulate fix",
            Self::Rebase => "```simulate rebase",
            Self::Review => "```simulate review",
            Self::Pr => "```simulate pr",
        }
    }
}

/// Whether there is a block for `task`.
pub(super) fn has(prompt: &str, task: Task) -> bool {
    prompt.lines().any(|line| line.trim() == task.fence())
}

/// The steps between the line that begins the block of `task` and the next "```"; `None` where
/// there is no such block.
pub(super) fn block<T: DeserializeOwned>(prompt: &str, task: Task) -> io::Result<Option<Vec<T>>> {
    let mut lines = prompt.lines().map(str::trim);
    if !lines.any(|line| line == task.fence()) {
        return Ok(None);
    }
    let steps: Result<Vec<T>, _> = lines
        .take_while(|line| *line != "```")
        .filter(|line| !line.is_empty())
        .map(serde_json::from_str)
        .collect();
    steps
        .map(Some)
        .map_err(|error| io::Error::other(format!("bad `{}` block: {error}", task.fence())))
}

/// The steps of somebody who works on a branch: without any there is nothing that it could do.
pub(super) fn steps(prompt: &str, task: Task) -> io::Result<Vec<Step>> {
    let steps = block(prompt, task)?.unwrap_or_default();
    if steps.is_empty() {
        let what = task.fence().trim_start_matches('`');
        return Err(io::Error::other(format!(
            "the issue has no `{what}` block: the simulated worker cannot work on it"
        )));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_read_from_the_block() {
        let prompt =
            "Title\n```simulate\n{\"say\":\"STATUS: hi\"}\n\n{\"run\":\"true\"}\n```\nrest";
        let steps = steps(prompt, Task::Work).unwrap();
        assert!(
            matches!(&steps[..], [Step::Say(_), Step::Run(_)]),
            "{steps:?}"
        );
    }

    #[test]
    fn each_task_has_its_own_block() {
        let prompt = "```simulate fix\n{\"run\":\"a\"}\n```\n```simulate\n{\"run\":\"b\"}\n```";
        let run = |task| match steps(prompt, task).unwrap().pop() {
            Some(Step::Run(command)) => command,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (run(Task::Work).as_str(), run(Task::Fix).as_str()),
            ("b", "a")
        );
        assert!(block::<Look>(prompt, Task::Review).unwrap().is_none());
    }

    #[test]
    fn a_missing_or_broken_script_is_an_error() {
        assert!(steps("nothing here", Task::Work).is_err());
        assert!(steps("```simulate\n{\"dance\":1}\n```", Task::Work).is_err());
    }
}
