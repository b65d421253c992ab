//! Whatever a model answers.

use coord_brain::{AnswerError, Drafts, feedback, read, read_value, schema};
use coord_core::command::Rule;
use coord_core::proposal::{Examined, Size, examine};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracle::faults;
use crate::world::{World, issue, issue_ref, placed, rules_of};

fn world() -> World {
    let mut closed = issue(4, "Closed", "", &[]);
    closed.state = coord_core::issue::IssueState::Closed;
    let mut stranger = issue(5, "Of a stranger", "", &[]);
    stranger.trusted = false;
    World::new()
        .issue("docs#1", "One", "", &[])
        .issue("docs#2", "Two", "", &[])
        .issue("docs#3", "Three", "", &["needs:docker"])
        .candidate(issue_ref("docs", 4), closed)
        .candidate(issue_ref("docs", 5), stranger)
        .issue("shop#1", "Blocked by lib", "", &[])
        .issue("docs#6", "Depends", "", &[])
        .blocked("docs#6", &["docs#1"])
        .issue("docs#7", "Taken", "", &[])
        .active(1, "docs#7", "rack", &["src/held.rs"])
        .active(2, "lib#1", "rack", &[])
        .machine("cloud", 2, &["docker"])
}

fn examined(world: &World, drafts: Drafts) -> Examined {
    let mut examined = examine(world.examiner(), drafts.proposals, drafts.splits);
    examined.refused.splice(0..0, drafts.refused);
    examined
}

fn proposal(repo: &str, issue: u64, machine: &str, files: &[&str]) -> Value {
    json!({
        "repo": repo, "issue": issue, "machine": machine, "files": files,
        "rationale": "It is time.", "size": "small", "notes": "",
    })
}

#[test]
fn a_good_answer() {
    let answer = json!({
        "proposals": [proposal("docs", 1, "desk", &["web/**"])],
        "splits": [{
            "repo": "docs", "issue": 2, "rationale": "Too much.",
            "chunks": [
                { "title": "First", "scope": "This.", "files": ["a"], "after": [] },
                { "title": "Second", "scope": "That.", "files": [], "after": [0] },
            ],
        }],
    });
    let drafts = read(&answer.to_string()).unwrap();
    assert_eq!(drafts, read_value(&answer).unwrap());
    assert_eq!(drafts.refused, []);
    assert_eq!(drafts.proposals[0].size, Some(Size::Small));
    assert_eq!(drafts.proposals[0].notes, None);
    assert_eq!(drafts.splits[0].chunks[1].after, [0]);
    let world = world();
    let examined = examined(&world, drafts);
    assert_eq!(placed(&examined.proposals), ["docs#1 on desk"]);
    assert_eq!(examined.splits.len(), 1);
    assert_eq!(examined.refused, []);
}

/// Every way to be wrong that the issue names is refused by its own rule.
#[test]
fn each_fault_is_named() {
    let mut broken = proposal("docs", 1, "desk", &[]);
    broken["issue"] = json!("one");
    let answer = json!({
        "proposals": [
            broken,
            "not even an object",
            proposal("docs", 0, "desk", &[]),
            proposal("nowhere", 1, "desk", &[]),
            proposal("docs", 99, "desk", &[]),
            proposal("docs", 4, "desk", &[]),
            proposal("docs", 5, "desk", &[]),
            proposal("docs", 7, "desk", &[]),
            proposal("docs", 1, "moon", &[]),
            proposal("docs", 3, "desk", &[]),
            proposal("shop", 1, "desk", &[]),
            proposal("docs", 6, "desk", &[]),
            proposal("docs", 1, "desk", &["/etc/passwd"]),
            proposal("docs", 1, "cloud", &["src/"]),
            proposal("docs", 1, "desk", &["src/held.rs"]),
            proposal("docs", 1, "desk", &["web/"]),
            proposal("docs", 1, "cloud", &[]),
            proposal("docs", 2, "desk", &["web/a.ts"]),
            proposal("docs", 2, "desk", &[]),
        ],
    });
    let world = world();
    let examined = examined(&world, read_value(&answer).unwrap());
    assert_eq!(placed(&examined.proposals), ["docs#1 on desk"]);
    assert_eq!(examined.proposals[0].files, ["web/"]);
    insta::assert_debug_snapshot!(rules_of(&examined.refused));
    let whys: Vec<&str> = examined.refused.iter().map(|it| it.why.as_str()).collect();
    insta::assert_debug_snapshot!(whys);
    insta::assert_snapshot!(feedback("", &examined.refused, "6f1e0c9a7b3d5482"));
}

#[test]
fn four_hundred_proposals() {
    let proposals: Vec<Value> = (1..=400)
        .map(|n| proposal("docs", n, "desk", &[]))
        .collect();
    let drafts = read_value(&json!({ "proposals": proposals, "splits": [] })).unwrap();
    assert_eq!((drafts.proposals.len(), drafts.refused.len()), (100, 300));
    assert!(
        drafts
            .refused
            .iter()
            .all(|it| it.rule == Rule::Invalid && it.issue.is_some())
    );
    insta::assert_snapshot!(drafts.refused[0].why, @"proposal 101 (docs#101) is beyond the 100 that a plan may have");
    let world = world();
    let examined = examined(&world, drafts);
    assert_eq!(placed(&examined.proposals), ["docs#1 on desk"]);
    assert_eq!(examined.refused.len(), 399);
    assert!(feedback("", &examined.refused, "77").len() < 64 * 1024);
}

#[test]
fn what_is_beyond_everything_is_counted() {
    let proposals: Vec<Value> = (0..5000).map(|_| json!(null)).collect();
    let drafts = read_value(&json!({ "proposals": proposals })).unwrap();
    assert_eq!(drafts.proposals, []);
    assert_eq!(drafts.refused.len(), 100 + 400 + 1);
    let last = drafts.refused.last().unwrap();
    assert_eq!(
        last.why,
        "4500 proposals beyond the 100 that a plan may have"
    );
}

#[test]
fn an_answer_in_prose_is_found_and_others_are_refused() {
    let marked = "Here it is:\n```json\n{\"proposals\": []}\n```\nGood luck!";
    assert_eq!(read(marked), Ok(Drafts::default()));
    for (answer, expected) in [
        (
            "",
            "the answer is no JSON object: EOF while parsing a value at line 1 column 0",
        ),
        (
            "I will not.",
            "the answer is no JSON object: expected value at line 1 column 1",
        ),
        (
            "[]",
            "the answer has neither `proposals` nor `splits` as a list",
        ),
        (
            "{\"proposals\": 7}",
            "the answer has neither `proposals` nor `splits` as a list",
        ),
    ] {
        let error = read(answer).unwrap_err();
        assert_eq!(error.to_string(), expected, "{answer}");
        assert_eq!(error.refusal().rule, Rule::Invalid);
    }
    let long = format!("{{\"proposals\": [{}]}}", "1,".repeat(600_000));
    assert_eq!(read(&long), Err(AnswerError::TooLong(long.len())));
    let deep = "[".repeat(100_000);
    assert!(matches!(read(&deep), Err(AnswerError::NoJson(_))));
}

#[test]
fn the_schema() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
}

#[test]
fn the_schema_is_closed() {
    fn check(schema: &Value) {
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], false, "{schema}");
            let properties = schema["properties"].as_object().unwrap();
            for name in schema["required"].as_array().unwrap() {
                assert!(properties.contains_key(name.as_str().unwrap()), "{name}");
            }
            properties.values().for_each(check);
        }
        if schema["type"] == "array" {
            check(&schema["items"]);
        }
    }
    check(&schema());
}

/// JSON of any shape in which names that mean something are not rare.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..9).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        prop_oneof!["docs", "shop", "lib", "desk", "rack", "src/\\*\\*", "small"]
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        "proposals",
        "splits",
        "repo",
        "issue",
        "machine",
        "files",
        "rationale",
        "size",
        "chunks",
        "title",
        "after",
        "[a-z]{1,3}",
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        let members = proptest::collection::vec((key.clone(), inner.clone()), 0..8);
        prop_oneof![
            proptest::collection::vec(inner, 0..8).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A proposal that is nearly right.
fn near_miss() -> impl Strategy<Value = Value> {
    let repo = prop_oneof!["docs", "shop", "lib", "nowhere", "\\PC{0,5}"];
    let machine = prop_oneof!["desk", "rack", "cloud", "moon", ""];
    let glob = prop_oneof![
        "src/",
        "src/held.rs",
        "web/\\*\\*",
        "\\.\\./x",
        "/etc",
        "[a-c]",
        "\\*\\*",
        "",
    ];
    let files = proptest::collection::vec(glob, 0..3);
    let model = proptest::option::of(prop_oneof!["sonnet", "gpt", ""]);
    (repo, 0u64..9, machine, files, model).prop_map(|(repo, issue, machine, files, model)| {
        json!({
            "repo": repo, "issue": issue, "machine": machine, "files": files, "model": model,
            "rationale": "because", "size": "large",
        })
    })
}

fn near_split() -> impl Strategy<Value = Value> {
    let chunk = ("[a-z\n]{0,3}", proptest::collection::vec(0usize..4, 0..2)).prop_map(
        |(title, after)| json!({ "title": title, "scope": "", "files": [], "after": after }),
    );
    let chunks = proptest::collection::vec(chunk, 0..14);
    (0u64..9, chunks).prop_map(|(issue, chunks)| {
        json!({ "repo": "docs", "issue": issue, "rationale": "", "chunks": chunks })
    })
}

proptest! {
    #[test]
    fn any_text_is_read(answer in "(?s).{0,300}") {
        let _ = read(&answer);
    }

    #[test]
    fn any_json_is_read(answer in any_json(), entries in proptest::collection::vec(any_json(), 0..10)) {
        let world = world();
        let plan = json!({ "proposals": entries.clone(), "splits": entries });
        for answer in [answer, plan] {
            prop_assert_eq!(read(&answer.to_string()).is_ok(), read_value(&answer).is_ok());
            if let Ok(drafts) = read_value(&answer) {
                let examined = examined(&world, drafts);
                let faults = faults(&world, &examined.proposals, &examined.splits);
                prop_assert_eq!(faults, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn nothing_invalid_passes(
        proposals in proptest::collection::vec(near_miss(), 0..30),
        splits in proptest::collection::vec(near_split(), 0..5),
    ) {
        let mut world = world();
        world.policy.models.default = Some("sonnet".to_owned());
        let told = proposals.len() + splits.len();
        let drafts = read_value(&json!({ "proposals": proposals, "splits": splits })).unwrap();
        let examined = examined(&world, drafts);
        let faults = faults(&world, &examined.proposals, &examined.splits);
        prop_assert_eq!(faults, Vec::<String>::new());
        let counted = examined.proposals.len() + examined.splits.len() + examined.refused.len();
        prop_assert_eq!(counted, told, "each is proposed or named");
    }
}
