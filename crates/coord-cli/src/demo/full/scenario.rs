//! Five issues that meet everything that can happen between a worker's end and the merge.
//!
//! What the reviewer finds, what conflicts and what is red together is really so: the script of an
//! issue only says what its workers do about it.

use serde_json::{Value, json};

use crate::demo::scenario::{Block, DemoIssue, FILES, Scenario, TEST_COMMAND};

/// The whole pipeline.
pub(crate) const FULL: Scenario = Scenario {
    files: FILES,
    issues: ISSUES,
};

/// The first comes back from its reviewer; the third and the fourth change the same line; the
/// second and the fifth are green alone and red together.
const ISSUES: &[DemoIssue] = &[
    DemoIssue {
        title: "Add a slugify function",
        text: "Add `slugify TEXT` in `lib/slug.sh`: lower case, runs of anything but letters and digits become one `-`, and none is left at either end. Test it in `tests/slug_test.sh`.",
        files: &["lib/slug.sh", "tests/slug_test.sh"],
        script: slugify,
    },
    DemoIssue {
        title: "Count the words of a text",
        text: "Add `word_count TEXT` in `lib/words.sh`; it prints the number of words. Test it in `tests/words_test.sh`.",
        files: &["lib/words.sh", "tests/words_test.sh"],
        script: count_words,
    },
    DemoIssue {
        title: "Greet in German too",
        text: "`greet NAME de` in `lib/greet.sh` should say `Hallo, NAME!`. Test it in `tests/german_test.sh`.",
        files: &["lib/greet.sh", "tests/german_test.sh"],
        script: greet_in_german,
    },
    DemoIssue {
        title: "Greet the whole world without a name",
        text: "`greet` in `lib/greet.sh` without a name should greet the world. Test it in `tests/world_test.sh`.",
        files: &["lib/greet.sh", "tests/world_test.sh"],
        script: greet_the_world,
    },
    DemoIssue {
        title: "Insist on a comment for every function",
        text: "Add `tests/comments_test.sh`: every function in `lib/` has a comment right above it that begins with its name.",
        files: &["lib/*.sh", "tests/comments_test.sh"],
        script: insist_on_comments,
    },
];

fn slugify() -> Vec<Block> {
    let forgets_the_ends = "# slugify TEXT: lower case, words joined by dashes.\nslugify() {\n    printf '%s' \"$1\" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-'\n}\n";
    let test = ". lib/slug.sh\n[ \"$(slugify 'Hello,  World')\" = \"hello-world\" ] || exit 1\n";
    vec![
        (
            "simulate",
            vec![
                json!({"say": "STATUS: writing slugify and its test"}),
                write("lib/slug.sh", forgets_the_ends),
                write("tests/slug_test.sh", test),
                tests(),
                json!({"commit": "Add slugify"}),
            ],
        ),
        pull_request(
            "Add slugify",
            "Turns a text into a slug: `slugify 'Hello, World'`.",
        ),
        (
            "simulate review",
            vec![
                json!({"demand": {"path": "lib/slug.sh", "holds": "sed", "at": "tr -cs",
                "text": "A dash stays at the end: `slugify 'Hello!'` prints `hello-`."}}),
            ],
        ),
        (
            "simulate fix",
            vec![
                json!({"say": "STATUS: taking the dashes off the ends"}),
                replace("lib/slug.sh", "'-'\n", "'-' | sed 's/^-//; s/-$//'\n"),
                replace(
                    "tests/slug_test.sh",
                    "exit 1\n",
                    "exit 1\n[ \"$(slugify '¡Hello!')\" = \"hello\" ] || exit 1\n",
                ),
                tests(),
                json!({"commit": "Leave no dash at either end"}),
            ],
        ),
    ]
}

fn count_words() -> Vec<Block> {
    let words = "word_count() {\n    set -f\n    set -- $1\n    set +f\n    echo $#\n}\n";
    let test = ". lib/words.sh\n[ \"$(word_count 'one  two three')\" = 3 ] || exit 1\n[ \"$(word_count '')\" = 0 ] || exit 1\n";
    vec![
        (
            "simulate",
            vec![
                json!({"say": "STATUS: counting words"}),
                write("lib/words.sh", words),
                write("tests/words_test.sh", test),
                tests(),
                json!({"commit": "Count the words of a text"}),
            ],
        ),
        pull_request(
            "Count the words of a text",
            "`word_count TEXT` prints their number.",
        ),
        ("simulate review", vec![json!({"await": "approved"})]),
        comment_on_words(),
    ]
}

fn greet_in_german() -> Vec<Block> {
    let german = "    case \"$2\" in\n        de) echo \"Hallo, $1!\" ;;\n        *) echo \"Hello, $1!\" ;;\n    esac\n";
    let test = ". lib/greet.sh\n[ \"$(greet Ada de)\" = \"Hallo, Ada!\" ] || exit 1\n";
    vec![
        (
            "simulate",
            vec![
                json!({"say": "STATUS: teaching greet some German"}),
                replace("lib/greet.sh", "    echo \"Hello, $1!\"\n", german),
                write("tests/german_test.sh", test),
                tests(),
                json!({"commit": "Greet in German too"}),
            ],
        ),
        pull_request("Greet in German too", "`greet Ada de` says `Hallo, Ada!`."),
        both_greetings(),
    ]
}

fn greet_the_world() -> Vec<Block> {
    let test = ". lib/greet.sh\n[ \"$(greet)\" = \"Hello, world!\" ] || exit 1\n";
    vec![
        (
            "simulate",
            vec![
                json!({"say": "STATUS: greeting the world"}),
                replace("lib/greet.sh", "Hello, $1!", "Hello, ${1:-world}!"),
                write("tests/world_test.sh", test),
                tests(),
                json!({"commit": "Greet the world without a name"}),
            ],
        ),
        pull_request(
            "Greet the world without a name",
            "`greet` says `Hello, world!`.",
        ),
        both_greetings(),
    ]
}

fn insist_on_comments() -> Vec<Block> {
    let test = "missing=0\nfor file in lib/*.sh; do\n    before=\n    while IFS= read -r line; do\n        case $line in\n            [a-z]*'() {')\n                name=${line%%(*}\n                case $before in\n                    \"# $name\"*) ;;\n                    *) echo \"$file: $name has no comment\"; missing=1 ;;\n                esac ;;\n        esac\n        before=$line\n    done <\"$file\"\ndone\nexit $missing\n";
    vec![
        (
            "simulate",
            vec![
                json!({"say": "STATUS: looking for comments"}),
                write("tests/comments_test.sh", test),
                tests(),
                json!({"commit": "Insist on a comment for every function"}),
            ],
        ),
        pull_request(
            "Insist on a comment for every function",
            "A test reads `lib/` and names every function without one.",
        ),
        ("simulate review", vec![json!({"await": "ordered"})]),
        comment_on_words(),
    ]
}

/// Whichever of the two is merged later puts it right.
fn comment_on_words() -> Block {
    let commented = "# word_count TEXT: prints how many words TEXT has.\nword_count() {\n";
    (
        "simulate fix",
        vec![
            json!({"say": "STATUS: writing the comment that is missing"}),
            json!({"run": "! sh run-tests.sh"}),
            replace("lib/words.sh", "word_count() {\n", commented),
            tests(),
            json!({"commit": "Comment on word_count"}),
        ],
    )
}

/// Whichever of the two is merged later keeps what the other one said.
fn both_greetings() -> Block {
    let both = "# greet NAME [LANGUAGE]: says hello to NAME, or to the world.\ngreet() {\n    case \"$2\" in\n        de) echo \"Hallo, ${1:-Welt}!\" ;;\n        *) echo \"Hello, ${1:-world}!\" ;;\n    esac\n}\n";
    (
        "simulate rebase",
        vec![
            json!({"say": "STATUS: keeping both greetings"}),
            write("lib/greet.sh", both),
            tests(),
            json!({"commit": "Bring it up to date, with both greetings"}),
        ],
    )
}

fn pull_request(title: &str, body: &str) -> Block {
    (
        "simulate pr",
        vec![json!({"answer": {"title": title, "body": body}})],
    )
}

fn write(path: &str, content: &str) -> Value {
    json!({"write": {"path": path, "content": content}})
}

fn replace(path: &str, find: &str, with: &str) -> Value {
    json!({"replace": {"path": path, "find": find, "with": with}})
}

fn tests() -> Value {
    json!({"run": TEST_COMMAND})
}
