//! The scratch project of the demo: a small shell library with a real test suite, and five issues
//! of which two change the same file.

use serde_json::{Value, json};

/// What a demo plays.
pub(crate) struct Scenario {
    /// The files of the first commit: path and content.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Its issues, whose numbers are 1, 2 and so on.
    pub(crate) issues: &'static [DemoIssue],
}

/// The plain demo.
pub(crate) const PLAIN: Scenario = Scenario {
    files: FILES,
    issues: ISSUES,
};

/// The files of the first commit.
pub(super) const FILES: &[(&str, &str)] = &[
    ("README.md", README),
    ("run-tests.sh", RUN_TESTS),
    ("lib/greet.sh", GREET),
    ("tests/greet_test.sh", GREET_TEST),
];

/// The command that tests the project.
pub(crate) const TEST_COMMAND: &str = "sh run-tests.sh";

const README: &str =
    "# greetings\n\nA tiny library of shell functions. `sh run-tests.sh` tests it.\n";

const RUN_TESTS: &str = r#"#!/bin/sh
# Runs every tests/*_test.sh on its own; ends 1 if any of them fails.
failed=
for test in tests/*_test.sh; do
    if sh "$test"; then echo "ok $test"; else failed="$failed $test"; fi
done
if [ -n "$failed" ]; then echo "FAILED:$failed"; exit 1; fi
"#;

const GREET: &str = r#"# greet NAME: says hello to NAME.
greet() {
    echo "Hello, $1!"
}
"#;

const GREET_TEST: &str = r#". lib/greet.sh
[ "$(greet Ada)" = "Hello, Ada!" ] || exit 1
"#;

/// An issue of the demo.
pub(crate) struct DemoIssue {
    /// Its title.
    pub(crate) title: &'static str,
    /// What a person would write.
    pub(crate) text: &'static str,
    /// The globs that its assignment declares.
    pub(crate) files: &'static [&'static str],
    /// What the simulated worker does: the info strings of blocks, and their steps.
    pub(crate) script: fn() -> Vec<Block>,
}

/// The info string of a block, and its lines.
pub(crate) type Block = (&'static str, Vec<Value>);

impl DemoIssue {
    /// The body; with what the simulated worker is to do where it is the one to do it.
    pub(crate) fn body(&self, simulated: bool) -> String {
        if !simulated {
            return self.text.to_owned();
        }
        let mut body = self.text.to_owned();
        for (info, steps) in (self.script)() {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            body += &format!("\n\n```{info}\n{}\n```", steps.join("\n"));
        }
        body + "\n"
    }
}

/// A script that is nothing but work.
fn work(steps: Vec<Value>) -> Vec<Block> {
    vec![("simulate", steps)]
}

/// The five issues. The third and the fourth both change `lib/greet.sh`.
const ISSUES: &[DemoIssue] = &[
    DemoIssue {
        title: "Add a slugify function",
        text: "Add `slugify TEXT` in `lib/slug.sh`: lower case, runs of anything but letters and digits become one `-`. Test it in `tests/slug_test.sh`.",
        files: &["lib/slug.sh", "tests/slug_test.sh"],
        script: || {
            work(vec![
                json!({"say": "STATUS: writing slugify and its test"}),
                json!({"write": {"path": "lib/slug.sh", "content": "# slugify TEXT: lower case, words joined by dashes.\nslugify() {\n    printf '%s' \"$1\" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-//; s/-$//'\n}\n"}}),
                json!({"write": {"path": "tests/slug_test.sh", "content": ". lib/slug.sh\n[ \"$(slugify 'Hello,  World!')\" = \"hello-world\" ] || exit 1\n"}}),
                json!({"run": "sh run-tests.sh"}),
                json!({"commit": "Add slugify"}),
            ])
        },
    },
    DemoIssue {
        title: "Count the words of a text",
        text: "Add `word_count TEXT` in `lib/words.sh`; it prints the number of words. Test it in `tests/words_test.sh`.",
        files: &["lib/words.sh", "tests/words_test.sh"],
        script: || {
            work(vec![
                json!({"say": "STATUS: counting words"}),
                json!({"write": {"path": "lib/words.sh", "content": "# word_count TEXT: prints how many words TEXT has.\nword_count() {\n    set -f\n    set -- $1\n    set +f\n    echo $#\n}\n"}}),
                json!({"run": ". lib/words.sh; word_count 'one two'"}),
                json!({"write": {"path": "tests/words_test.sh", "content": ". lib/words.sh\n[ \"$(word_count 'one  two three')\" = 3 ] || exit 1\n[ \"$(word_count '')\" = 0 ] || exit 1\n"}}),
                json!({"run": "sh run-tests.sh"}),
                json!({"commit": "Count the words of a text"}),
            ])
        },
    },
    DemoIssue {
        title: "Greet in German too",
        text: "`greet NAME de` in `lib/greet.sh` should say `Hallo, NAME!`.",
        files: &["lib/greet.sh", "tests/greet_test.sh"],
        script: || {
            work(vec![
                json!({"say": "STATUS: teaching greet some German"}),
                json!({"replace": {"path": "lib/greet.sh", "find": "    echo \"Hello, $1!\"\n", "with": "    case \"$2\" in\n        de) echo \"Hallo, $1!\" ;;\n        *) echo \"Hello, $1!\" ;;\n    esac\n"}}),
                json!({"replace": {"path": "tests/greet_test.sh", "find": "|| exit 1\n", "with": "|| exit 1\n[ \"$(greet Ada de)\" = \"Hallo, Ada!\" ] || exit 1\n"}}),
                json!({"run": "sh run-tests.sh"}),
                json!({"commit": "Greet in German too"}),
            ])
        },
    },
    DemoIssue {
        title: "Greet the whole world without a name",
        text: "`greet` in `lib/greet.sh` without a name should greet the world.",
        files: &["lib/greet.sh", "tests/world_test.sh"],
        script: || {
            work(vec![
                json!({"say": "STATUS: greeting the world"}),
                json!({"replace": {"path": "lib/greet.sh", "find": "greet() {\n", "with": "greet() {\n    [ -n \"$1\" ] || set -- world \"$2\"\n"}}),
                json!({"write": {"path": "tests/world_test.sh", "content": ". lib/greet.sh\n[ \"$(greet '')\" = \"Hello, world!\" ] || exit 1\n"}}),
                json!({"run": "sh run-tests.sh"}),
                json!({"commit": "Greet the world without a name"}),
            ])
        },
    },
    DemoIssue {
        title: "Document the functions",
        text: "List the functions of the library in `README.md`, with one example each.",
        files: &["README.md"],
        script: || {
            work(vec![
                json!({"say": "STATUS: writing the README"}),
                json!({"replace": {"path": "README.md", "find": "tests it.\n", "with": "tests it.\n\n- `greet NAME` says hello: `greet Ada` prints `Hello, Ada!`.\n"}}),
                json!({"run": "sh run-tests.sh"}),
                json!({"commit": "Document the functions"}),
            ])
        },
    },
];
