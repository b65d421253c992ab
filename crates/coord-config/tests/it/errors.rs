//! Every kind of error, as a person sees it.

use insta::assert_snapshot;

use crate::report;

/// Reports `section` below a right list of repositories.
fn with(section: &str) -> String {
    report(&format!(
        "repos: [{{name: api}}, {{name: lib}}]\n{section}\n"
    ))
}

#[test]
fn unknown_keys_in_every_section() {
    for section in [
        "concurrency",
        "models",
        "hooks",
        "reviews",
        "smoke_tests",
        "worker_permissions",
        "housekeeping",
        "pipeline",
        "budgets",
        "worker",
        "trust",
        "github_app",
        "plan",
    ] {
        let shown = with(&format!("{section}: {{zzz: 1}}"));
        assert!(
            shown.contains(&format!("unknown key `zzz` in {section}")),
            "{shown}"
        );
    }
}

#[test]
fn unknown_keys_with_the_nearest_known_name() {
    assert_snapshot!(report("repo: [{name: a}]\n"), @r"
    coordinator.yml:1:1: no repositories
      |
    1 | repo: [{name: a}]
      | ^^^^^^^^^^^^^^^^^
      = list at least one below `repos:`; coordinator.example.yml shows how

    coordinator.yml:1:1: unknown key `repo` in the configuration
      |
    1 | repo: [{name: a}]
      | ^^^^
      = did you mean `repos`?
    ");
    assert_snapshot!(with("concurency: {}"), @r"
    coordinator.yml:2:1: unknown key `concurency` in the configuration
      |
    2 | concurency: {}
      | ^^^^^^^^^^
      = did you mean `concurrency`?
    ");
    assert_snapshot!(with("concurrency:\n  max-worker: 3"), @r"
    coordinator.yml:3:3: unknown key `max-worker` in concurrency
      |
    3 |   max-worker: 3
      |   ^^^^^^^^^^
      = did you mean `max_workers`?
    ");
    assert_snapshot!(report("repos:\n  - name: a\n    githb: a/b\n    worktree: {setp: x}\n"), @r"
    coordinator.yml:3:5: unknown key `githb` in a repository
      |
    3 |     githb: a/b
      |     ^^^^^
      = did you mean `github`?

    coordinator.yml:4:16: unknown key `setp` in worktree
      |
    4 |     worktree: {setp: x}
      |                ^^^^
      = did you mean `setup`?
    ");
    assert_snapshot!(with("machines: [{name: a, host: b, maxWorkers: 3}]"), @r"
    coordinator.yml:2:31: unknown key `maxWorkers` in a machine
      |
    2 | machines: [{name: a, host: b, maxWorkers: 3}]
      |                               ^^^^^^^^^^
      = did you mean `max_workers`?
    ");
    assert_snapshot!(with("smoke_tests: {capability_rules: [{file: [a], requires: [b]}]}"), @r"
    coordinator.yml:2:34: a capability rule needs the key `files`
      |
    2 | smoke_tests: {capability_rules: [{file: [a], requires: [b]}]}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^

    coordinator.yml:2:35: unknown key `file` in a capability rule
      |
    2 | smoke_tests: {capability_rules: [{file: [a], requires: [b]}]}
      |                                   ^^^^
      = did you mean `files`?
    ");
    assert_snapshot!(with("worker: {zzz: 1}"), @r"
    coordinator.yml:2:10: unknown key `zzz` in worker
      |
    2 | worker: {zzz: 1}
      |          ^^^
      = known: command, extra_args, first_output_seconds, grace_seconds, setting_sources, stall_seconds, timeout_seconds
    ");
}

#[test]
fn wrong_types() {
    assert_snapshot!(report("- a\n- b\n"), @r"
    coordinator.yml:1:1: expected a mapping, found a list
      |
    1 | - a
      | ^^^
    ");
    assert_snapshot!(report("just text"), @r"
    coordinator.yml:1:1: expected a mapping, found text
      |
    1 | just text
      | ^^^^^^^^^
    ");
    assert_snapshot!(report("repos: api\n"), @r"
    coordinator.yml:1:8: expected a list of mappings, found text
      |
    1 | repos: api
      |        ^^^
    ");
    assert_snapshot!(report("repos: [api]\n"), @r"
    coordinator.yml:1:9: expected a mapping, found text
      |
    1 | repos: [api]
      |         ^^^
    ");
    assert_snapshot!(report("repos: [{name: 2048}]\n"), @r#"
    coordinator.yml:1:16: expected text, found a number
      |
    1 | repos: [{name: 2048}]
      |                ^^^^
      = put it in quotes: "2048"
    "#);
    assert_snapshot!(report("repos: [{name: a, depends_on: lib}]\n"), @r"
    coordinator.yml:1:31: expected a list of texts, found text
      |
    1 | repos: [{name: a, depends_on: lib}]
      |                               ^^^
      = a list of one is written [lib]
    ");
    assert_snapshot!(with("concurrency: [1]"), @r"
    coordinator.yml:2:14: expected a mapping, found a list
      |
    2 | concurrency: [1]
      |              ^^^
    ");
    assert_snapshot!(with("concurrency: {max_workers: two}"), @r"
    coordinator.yml:2:28: expected a number, found text
      |
    2 | concurrency: {max_workers: two}
      |                            ^^^
    ");
    assert_snapshot!(with("concurrency: {auto_reassign: yes}"), @r"
    coordinator.yml:2:30: expected `true` or `false`, found text
      |
    2 | concurrency: {auto_reassign: yes}
      |                              ^^^
      = write `true`
    ");
    assert_snapshot!(with("models: {labels: [a]}"), @r"
    coordinator.yml:2:18: expected a mapping, found a list
      |
    2 | models: {labels: [a]}
      |                  ^^^
    ");
    assert_snapshot!(with("reviews:\n  checklist:\n    - a: b\n      c: d"), @r"
    coordinator.yml:4:7: expected text, found a mapping
      |
    4 |     - a: b
      |       ^^^^
    ");
    assert_snapshot!(with("budgets: {day_usd: lots}"), @r"
    coordinator.yml:2:20: expected a number, found text
      |
    2 | budgets: {day_usd: lots}
      |                    ^^^^
    ");
}

#[test]
fn unknown_names() {
    assert_snapshot!(report("repos:\n- name: shared-lib\n- name: b\n  depends_on: [sharedlib]\n"), @r"
    coordinator.yml:4:16: unknown repository `sharedlib`
      |
    4 |   depends_on: [sharedlib]
      |                ^^^^^^^^^
      = did you mean `shared-lib`?
    ");
    assert_snapshot!(
        with("machines: [{name: a, host: b, repos: [apl], repo_paths: {libb: /x}}]"), @r"
    coordinator.yml:2:39: unknown repository `apl`
      |
    2 | machines: [{name: a, host: b, repos: [apl], repo_paths: {libb: /x}}]
      |                                       ^^^
      = did you mean `api`?

    coordinator.yml:2:58: unknown repository `libb`
      |
    2 | machines: [{name: a, host: b, repos: [apl], repo_paths: {libb: /x}}]
      |                                                          ^^^^
      = did you mean `lib`?
    ");
    assert_snapshot!(with("reviews: {repo_overrides: {gateway: [x]}}"), @r"
    coordinator.yml:2:28: unknown repository `gateway`
      |
    2 | reviews: {repo_overrides: {gateway: [x]}}
      |                            ^^^^^^^
      = known: api, lib
    ");
    assert_snapshot!(with("pipeline: {gates: [tests, ci], goal: merge, merge_method: fast}"), @r"
    coordinator.yml:2:20: unknown gate `tests`
      |
    2 | pipeline: {gates: [tests, ci], goal: merge, merge_method: fast}
      |                    ^^^^^
      = did you mean `test`?

    coordinator.yml:2:38: unknown goal `merge`
      |
    2 | pipeline: {gates: [tests, ci], goal: merge, merge_method: fast}
      |                                      ^^^^^
      = did you mean `merged`?

    coordinator.yml:2:59: unknown merge method `fast`
      |
    2 | pipeline: {gates: [tests, ci], goal: merge, merge_method: fast}
      |                                                           ^^^^
      = known: merge, rebase, squash
    ");
    assert_snapshot!(with("worker: {setting_sources: [users]}"), @r"
    coordinator.yml:2:28: unknown setting source `users`
      |
    2 | worker: {setting_sources: [users]}
      |                            ^^^^^
      = did you mean `user`?
    ");
    assert_snapshot!(report("repos: [{name: a, forge: gitlab}]"), @r"
    coordinator.yml:1:26: unknown forge `gitlab`
      |
    1 | repos: [{name: a, forge: gitlab}]
      |                          ^^^^^^
      = did you mean `github`?
    ");
}

#[test]
fn names_and_keys_that_stand_twice() {
    assert_snapshot!(report("repos:\n  - name: a\n  - name: b\n  - name: a\n"), @r"
    coordinator.yml:4:11: repository `a` stands twice, first on line 2
      |
    4 |   - name: a
      |           ^
    ");
    assert_snapshot!(with("machines: [{name: m, host: a}, {name: m, host: b}]"), @r"
    coordinator.yml:2:39: machine `m` stands twice, first on line 2
      |
    2 | machines: [{name: m, host: a}, {name: m, host: b}]
      |                                       ^
    ");
    assert_snapshot!(with("models: {default: opus}\nbudgets: {}\nmodels: {default: haiku}"), @r"
    coordinator.yml:4:1: key `models` stands twice, first on line 2
      |
    4 | models: {default: haiku}
      | ^^^^^^
    ");
    assert_snapshot!(with("models: {labels: {docs: opus, docs: haiku}, escalation: [a, b, a]}"), @r"
    coordinator.yml:2:31: key `docs` stands twice, first on line 2
      |
    2 | models: {labels: {docs: opus, docs: haiku}, escalation: [a, b, a]}
      |                               ^^^^

    coordinator.yml:2:64: model `a` stands twice, first on line 2
      |
    2 | models: {labels: {docs: opus, docs: haiku}, escalation: [a, b, a]}
      |                                                                ^
    ");
    assert_snapshot!(with("pipeline: {gates: [ci, ci]}"), @r"
    coordinator.yml:2:24: gate `ci` stands twice, first on line 2
      |
    2 | pipeline: {gates: [ci, ci]}
      |                        ^^
    ");
}

#[test]
fn dependency_cycles_are_shown_as_a_path() {
    assert_snapshot!(report("repos:\n  - name: a\n    depends_on: [a]\n"), @r"
    coordinator.yml:3:18: dependency cycle a → a
      |
    3 |     depends_on: [a]
      |                  ^
    ");
    assert_snapshot!(report(
        "repos:\n- {name: web, depends_on: [lib, api]}\n- {name: api, depends_on: [core]}\n\
         - {name: core, depends_on: [web]}\n- {name: lib}\n"
    ), @r"
    coordinator.yml:3:28: dependency cycle api → core → web → api
      |
    3 | - {name: api, depends_on: [core]}
      |                            ^^^^
    ");
}

#[test]
fn what_is_missing() {
    assert_snapshot!(report("repos:\n  - github: a/b\n    forge: github\n"), @r"
    coordinator.yml:2:5: a repository needs the key `name`
      |
    2 |   - github: a/b
      |     ^^^^^^^^^^^
    ");
    assert_snapshot!(with("machines:\n  - name: laptop\n"), @r"
    coordinator.yml:3:5: a machine needs the key `host`
      |
    3 |   - name: laptop
      |     ^^^^^^^^^^^^
    ");
    assert_snapshot!(report("repos: [{name: a, forge: github}]"), @r"
    coordinator.yml:1:26: `forge: github` needs the key `github` with `owner/name`
      |
    1 | repos: [{name: a, forge: github}]
      |                          ^^^^^^
    ");
    assert_snapshot!(with("smoke_tests: {capability_rules: [{files: []}]}"), @r"
    coordinator.yml:2:34: a capability rule needs the key `requires`
      |
    2 | smoke_tests: {capability_rules: [{files: []}]}
      |                                  ^^^^^^^^^^^

    coordinator.yml:2:42: must not be empty
      |
    2 | smoke_tests: {capability_rules: [{files: []}]}
      |                                          ^^
    ");
    assert_snapshot!(with("worker: {command: []}"), @r"
    coordinator.yml:2:19: needs at least the program
      |
    2 | worker: {command: []}
      |                   ^^
    ");
}

#[test]
fn numbers_out_of_range() {
    assert_snapshot!(with(
        "concurrency:\n  max_workers: 0\n  stagger_seconds: -1\n  backoff_base: 1.5\n  \
         max_retries: 99999999999999999999\n  stale_threshold: 0"
    ), @r"
    coordinator.yml:3:16: expected a whole number from 1 to 1000
      |
    3 |   max_workers: 0
      |                ^

    coordinator.yml:4:20: expected a whole number from 0 to 2592000
      |
    4 |   stagger_seconds: -1
      |                    ^^

    coordinator.yml:5:17: expected a whole number from 1 to 2592000
      |
    5 |   backoff_base: 1.5
      |                 ^^^

    coordinator.yml:6:16: expected a whole number from 0 to 100
      |
    6 |   max_retries: 99999999999999999999
      |                ^^^^^^^^^^^^^^^^^^^^

    coordinator.yml:7:20: expected a whole number from 1 to 10000
      |
    7 |   stale_threshold: 0
      |                    ^
    ");
    assert_snapshot!(with("machines: [{name: a, host: b, port: 70000, max_workers: 0}]"), @r"
    coordinator.yml:2:37: expected a whole number from 1 to 65535
      |
    2 | machines: [{name: a, host: b, port: 70000, max_workers: 0}]
      |                                     ^^^^^

    coordinator.yml:2:57: expected a whole number from 1 to 1000
      |
    2 | machines: [{name: a, host: b, port: 70000, max_workers: 0}]
      |                                                         ^
    ");
    assert_snapshot!(with("budgets: {assignment_usd: 0, issue_usd: -1, day_usd: -0.5}"), @r"
    coordinator.yml:2:27: expected an amount above 0
      |
    2 | budgets: {assignment_usd: 0, issue_usd: -1, day_usd: -0.5}
      |                           ^

    coordinator.yml:2:41: expected an amount above 0
      |
    2 | budgets: {assignment_usd: 0, issue_usd: -1, day_usd: -0.5}
      |                                         ^^

    coordinator.yml:2:54: expected an amount above 0
      |
    2 | budgets: {assignment_usd: 0, issue_usd: -1, day_usd: -0.5}
      |                                                      ^^^^
    ");
    assert_snapshot!(with("budgets: {day_usd: .inf}"), @r"
    coordinator.yml:2:20: value `.inf` is not a finite number
      |
    2 | budgets: {day_usd: .inf}
      |                    ^^^^
    ");
    assert_snapshot!(with("worker: {timeout_seconds: 0}"), @r"
    coordinator.yml:2:27: expected a whole number from 1 to 2592000
      |
    2 | worker: {timeout_seconds: 0}
      |                           ^
    ");
}

#[test]
fn names_and_texts_of_the_wrong_form() {
    assert_snapshot!(report("repos:\n- name: ''\n- name: a b\n- name: ../x\n- name: -x\n- name: ü\n"), @r"
    coordinator.yml:2:9: must not be empty
      |
    2 | - name: ''
      |         ^^

    coordinator.yml:3:9: `a b` cannot be a name
      |
    3 | - name: a b
      |         ^^^
      = letters, digits, `.`, `_` and `-`, with a letter or digit in front

    coordinator.yml:4:9: `../x` cannot be a name
      |
    4 | - name: ../x
      |         ^^^^
      = letters, digits, `.`, `_` and `-`, with a letter or digit in front

    coordinator.yml:5:9: `-x` cannot be a name
      |
    5 | - name: -x
      |         ^^
      = letters, digits, `.`, `_` and `-`, with a letter or digit in front

    coordinator.yml:6:9: `ü` cannot be a name
      |
    6 | - name: ü
      |         ^
      = letters, digits, `.`, `_` and `-`, with a letter or digit in front
    ");
    assert_snapshot!(report("repos: [{name: a, github: 'https://github.com/a/b', default_branch: -f}]"), @r"
    coordinator.yml:1:27: `https://github.com/a/b` is not a repository of GitHub
      |
    1 | repos: [{name: a, github: 'https://github.com/a/b', default_branch: -f}]
      |                           ^^^^^^^^^^^^^^^^^^^^^^^^
      = write `owner/name`, without the address of the server

    coordinator.yml:1:69: `-f` cannot be a branch
      |
    1 | repos: [{name: a, github: 'https://github.com/a/b', default_branch: -f}]
      |                                                                     ^^
    ");
    assert_snapshot!(with("machines: [{name: a, host: 'http://b'}, {name: b, host: 'b:7433'}]"), @r"
    coordinator.yml:2:28: `http://b` is not a host
      |
    2 | machines: [{name: a, host: 'http://b'}, {name: b, host: 'b:7433'}]
      |                            ^^^^^^^^^^
      = a name or an address alone; the port is the key `port`

    coordinator.yml:2:57: `b:7433` is not a host
      |
    2 | machines: [{name: a, host: 'http://b'}, {name: b, host: 'b:7433'}]
      |                                                         ^^^^^^^^
      = a name or an address alone; the port is the key `port`
    ");
    assert_snapshot!(with("machines: [{name: a, host: b, repo_paths: {api: ~you/src}}]"), @r"
    coordinator.yml:2:49: `~` stands for your own home folder only
      |
    2 | machines: [{name: a, host: b, repo_paths: {api: ~you/src}}]
      |                                                 ^^^^^^^^
      = write the path out, or `./~…` for a name that begins with `~`
    ");
    assert_snapshot!(with("models: {default: --help, labels: {docs: ''}}"), @r"
    coordinator.yml:2:19: `--help` cannot be a model
      |
    2 | models: {default: --help, labels: {docs: ''}}
      |                   ^^^^^^

    coordinator.yml:2:42: must not be empty
      |
    2 | models: {default: --help, labels: {docs: ''}}
      |                                          ^^
    ");
    assert_snapshot!(with("worker_permissions: {allow: ['Bash(git'], deny: ['--x', 'Bash()']}"), @r"
    coordinator.yml:2:30: `Bash(git` is not a permission rule
      |
    2 | worker_permissions: {allow: ['Bash(git'], deny: ['--x', 'Bash()']}
      |                              ^^^^^^^^^^
      = for example `Bash(git push:*)` or `WebFetch`

    coordinator.yml:2:50: `--x` is not a permission rule
      |
    2 | worker_permissions: {allow: ['Bash(git'], deny: ['--x', 'Bash()']}
      |                                                  ^^^^^
      = for example `Bash(git push:*)` or `WebFetch`

    coordinator.yml:2:57: `Bash()` is not a permission rule
      |
    2 | worker_permissions: {allow: ['Bash(git'], deny: ['--x', 'Bash()']}
      |                                                         ^^^^^^^^
      = for example `Bash(git push:*)` or `WebFetch`
    ");
    assert_snapshot!(with("coordinator_only_files: [/etc/passwd, ../x]"), @r"
    coordinator.yml:2:26: must be relative to the repository and stay in it
      |
    2 | coordinator_only_files: [/etc/passwd, ../x]
      |                          ^^^^^^^^^^^

    coordinator.yml:2:39: must be relative to the repository and stay in it
      |
    2 | coordinator_only_files: [/etc/passwd, ../x]
      |                                       ^^^^
    ");
    assert_snapshot!(with("github_api_url: https://me:secret@host/"), @r"
    coordinator.yml:2:17: not the address of an API
      |
    2 | github_api_url: https://me:secret@host/
      |                 ^^^^^^^^^^^^^^^^^^^^^^^
      = https://HOST/PATH, without user and password
    ");
    assert_snapshot!(report("repos: [{name: a, build_command: '  '}]"), @r"
    coordinator.yml:1:34: must not be empty
      |
    1 | repos: [{name: a, build_command: '  '}]
      |                                  ^^^^
    ");
}

#[test]
fn a_home_is_needed_for_its_sign() {
    let text = "repos: [{name: a}]\nmachines: [{name: m, host: h, repo_paths: {a: ~/x}}]\n";
    let shown = match coord_config::parse(text.as_bytes(), "c.yml".as_ref(), None) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string(),
    };
    assert_snapshot!(shown, @r"
    c.yml:2:47: there is no home folder that `~` could stand for
      |
    2 | machines: [{name: m, host: h, repo_paths: {a: ~/x}}]
      |                                               ^^^
    ");
}

#[test]
fn columns_count_characters() {
    assert_snapshot!(report("repos:\n  - {name: a, \"ä\\u00fc\": 1, build_command: \"öl\", zz: 2}\n"), @r#"
    coordinator.yml:2:15: unknown key `äü` in a repository
      |
    2 |   - {name: a, "ä\u00fc": 1, build_command: "öl", zz: 2}
      |               ^^^^^^^^^
      = known: build_command, default_branch, depends_on, forge, github, name, test_command, worktree

    coordinator.yml:2:50: unknown key `zz` in a repository
      |
    2 |   - {name: a, "ä\u00fc": 1, build_command: "öl", zz: 2}
      |                                                  ^^
      = known: build_command, default_branch, depends_on, forge, github, name, test_command, worktree
    "#);
    assert_snapshot!(report("repos: [{name: a}]\nhooks: {\ton_sesion_end: [a]}\n"), @r"
    coordinator.yml:2:10: unknown key `on_sesion_end` in hooks
      |
    2 | hooks: {	on_sesion_end: [a]}
      |         	^^^^^^^^^^^^^
      = did you mean `on_session_end`?
    ");
}

#[test]
fn everything_that_is_wrong_is_said_in_the_order_of_the_file() {
    assert_snapshot!(report(
        "repos:\n  - name: api\n    depnds_on: [lib]\nmachines:\n  - name: m\n    host: h\n    \
         repos: [apl]\nmodels:\n  default: 3\n"
    ), @r#"
    coordinator.yml:3:5: unknown key `depnds_on` in a repository
      |
    3 |     depnds_on: [lib]
      |     ^^^^^^^^^
      = did you mean `depends_on`?

    coordinator.yml:7:13: unknown repository `apl`
      |
    7 |     repos: [apl]
      |             ^^^
      = did you mean `api`?

    coordinator.yml:9:12: expected text, found a number
      |
    9 |   default: 3
      |            ^
      = put it in quotes: "3"
    "#);
}

#[test]
fn text_that_is_not_yaml() {
    assert_snapshot!(report("repos: [a, b\nmachines: []\n"), @r"
    coordinator.yml:2:9: illegal placement of ':' indicator
      |
    2 | machines: []
      |         ^
    ");
    assert_snapshot!(report("repos:\n\t- name: a\n"), @r"
    coordinator.yml:2:2: tabs disallowed within this context (block indentation)
      |
    2 | 	- name: a
      | 	^
    ");
    assert_snapshot!(report("repos: \"a\n"), @r#"
    coordinator.yml:1:8: unclosed quote
      |
    1 | repos: "a
      |        ^
    "#);
    assert_snapshot!(report("a: b: c\n"), @r"
    coordinator.yml:1:5: mapping values are not allowed in this context
      |
    1 | a: b: c
      |     ^
    ");
    assert_snapshot!(report("repos: *nowhere\n"), @r"
    coordinator.yml:1:8: reference to unknown value
      |
    1 | repos: *nowhere
      |        ^
    ");
    assert_snapshot!(report("repos: [{name: a}]\n---\nrepos: [{name: b}]\n"), @r"
    coordinator.yml:3:1: only single YAML document expected but multiple found
      |
    3 | repos: [{name: b}]
      | ^
    ");
    assert_snapshot!(report("ä: [1,\n ö: \"x"), @r#"
    coordinator.yml:2:5: unclosed quote
      |
    2 |  ö: "x
      |     ^
    "#);
    assert_snapshot!(report("? [a]\n: b\n"), @r"
    coordinator.yml:1:3: expected string scalar
      |
    1 | ? [a]
      |   ^
    ");
}

#[test]
fn trust_and_the_app() {
    assert_snapshot!(with("trust: {authors: [OWNR, everybody]}"), @r"
    coordinator.yml:2:19: unknown association `OWNR`
      |
    2 | trust: {authors: [OWNR, everybody]}
      |                   ^^^^
      = did you mean `OWNER`?

    coordinator.yml:2:25: unknown association `everybody`
      |
    2 | trust: {authors: [OWNR, everybody]}
      |                         ^^^^^^^^^
      = known: COLLABORATOR, CONTRIBUTOR, FIRST_TIMER, FIRST_TIME_CONTRIBUTOR, MANNEQUIN, MEMBER, NONE, OWNER
    ");
    assert_snapshot!(with("trust: {users: ['@anna', a b, '[bot]', anna, anna]}"), @r"
    coordinator.yml:2:17: `@anna` is not an account of GitHub
      |
    2 | trust: {users: ['@anna', a b, '[bot]', anna, anna]}
      |                 ^^^^^^^
      = the name alone, without `@`; that of an App ends with `[bot]`

    coordinator.yml:2:26: `a b` is not an account of GitHub
      |
    2 | trust: {users: ['@anna', a b, '[bot]', anna, anna]}
      |                          ^^^
      = the name alone, without `@`; that of an App ends with `[bot]`

    coordinator.yml:2:31: `[bot]` is not an account of GitHub
      |
    2 | trust: {users: ['@anna', a b, '[bot]', anna, anna]}
      |                               ^^^^^^^
      = the name alone, without `@`; that of an App ends with `[bot]`

    coordinator.yml:2:46: account `anna` stands twice, first on line 2
      |
    2 | trust: {users: ['@anna', a b, '[bot]', anna, anna]}
      |                                              ^^^^
    ");
    assert_snapshot!(with("github_app: {app_id: 0}"), @r"
    coordinator.yml:2:13: github_app needs the key `private_key_file`
      |
    2 | github_app: {app_id: 0}
      |             ^^^^^^^^^^^

    coordinator.yml:2:13: github_app needs the key `installation_id`
      |
    2 | github_app: {app_id: 0}
      |             ^^^^^^^^^^^

    coordinator.yml:2:22: expected a whole number from 1 to 9007199254740991
      |
    2 | github_app: {app_id: 0}
      |                      ^
    ");
    assert_snapshot!(with("github_app: {app_id: '1', private_key_file: [], installation_id: -1}"), @r"
    coordinator.yml:2:22: expected a number, found text
      |
    2 | github_app: {app_id: '1', private_key_file: [], installation_id: -1}
      |                      ^^^
      = write it without quotes, and without zeros in front

    coordinator.yml:2:45: expected text, found a list
      |
    2 | github_app: {app_id: '1', private_key_file: [], installation_id: -1}
      |                                             ^^

    coordinator.yml:2:66: expected a whole number from 1 to 9007199254740991
      |
    2 | github_app: {app_id: '1', private_key_file: [], installation_id: -1}
      |                                                                  ^^
    ");
}

#[test]
fn the_way_to_the_merge() {
    assert_snapshot!(with("pipeline: {max_iterations: -1, pull_requests: workers}"), @r"
    coordinator.yml:2:28: expected a whole number from 0 to 100
      |
    2 | pipeline: {max_iterations: -1, pull_requests: workers}
      |                            ^^

    coordinator.yml:2:47: unknown author `workers`
      |
    2 | pipeline: {max_iterations: -1, pull_requests: workers}
      |                                               ^^^^^^^
      = did you mean `worker`?
    ");
    assert_snapshot!(with("reviews: {model: 'a b', reviewer_prompt: [x]}"), @r"
    coordinator.yml:2:18: `a b` cannot be a model
      |
    2 | reviews: {model: 'a b', reviewer_prompt: [x]}
      |                  ^^^^^

    coordinator.yml:2:42: expected text, found a list
      |
    2 | reviews: {model: 'a b', reviewer_prompt: [x]}
      |                                          ^^^
    ");
    assert_snapshot!(with("machines: [{name: a, host: b, account: 'a b'}]"), @r"
    coordinator.yml:2:40: `a b` cannot be a name
      |
    2 | machines: [{name: a, host: b, account: 'a b'}]
      |                                        ^^^^^
      = letters, digits, `.`, `_` and `-`, with a letter or digit in front
    ");
}

#[test]
fn planning_and_leases() {
    assert_snapshot!(with("plan:\n  planer: rules\n  planner: brian\n  context_tokens: 10\n  budget_usd: 0"), @r"
    coordinator.yml:3:3: unknown key `planer` in plan
      |
    3 |   planer: rules
      |   ^^^^^^
      = did you mean `planner`?

    coordinator.yml:4:12: unknown planner `brian`
      |
    4 |   planner: brian
      |            ^^^^^
      = did you mean `brain`?

    coordinator.yml:5:19: expected a whole number from 2000 to 1000000
      |
    5 |   context_tokens: 10
      |                   ^^

    coordinator.yml:6:15: expected an amount above 0
      |
    6 |   budget_usd: 0
      |               ^
    ");
    assert_snapshot!(with("leases: of\nmodels:\n  sizes: {smal: haiku, large: 'a b'}\n  learn: 'yes'"), @r"
    coordinator.yml:2:9: unknown mode of leases `of`
      |
    2 | leases: of
      |         ^^
      = did you mean `off`?

    coordinator.yml:4:11: unknown size `smal`
      |
    4 |   sizes: {smal: haiku, large: 'a b'}
      |           ^^^^
      = did you mean `small`?

    coordinator.yml:4:31: `a b` cannot be a model
      |
    4 |   sizes: {smal: haiku, large: 'a b'}
      |                               ^^^^^

    coordinator.yml:5:10: expected `true` or `false`, found text
      |
    5 |   learn: 'yes'
      |          ^^^^^
      = write `true`
    ");
    for no in ["false", "no"] {
        let said = with(&format!("leases: {no}"));
        assert!(
            said.starts_with("coordinator.yml:2:9: expected `strict`, `warn` or `off`\n"),
            "{said}"
        );
        assert!(said.ends_with("= write `off`"), "{said}");
    }
    assert_snapshot!(with("leases: off\nplan: rules"), @r"
    coordinator.yml:3:7: expected a mapping, found text
      |
    3 | plan: rules
      |       ^^^^^
    ");
}
