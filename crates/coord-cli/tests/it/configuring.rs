//! `coord config`: which file counts, and what is wrong with it.

use serde_json::json;

use crate::bench::{Bench, Special};

#[test]
fn the_resolved_values_of_a_small_configuration() {
    let bench = Bench::new(Special::default());
    std::fs::write(
        bench.path("small.yml"),
        "repos:\n  - name: shop\n    forge: local\n",
    )
    .unwrap();
    insta::assert_snapshot!(bench.says(&["config", "--config", "small.yml"]), @r"
    # [dir]/small.yml (--config)
    repos:
    - name: shop
      github: null
      forge: local
      depends_on: []
      default_branch: null
      build_command: null
      test_command: null
      worktree:
      setup: null
      copy: []
      keep: []
    machines: []
    concurrency:
      max_workers: 2
      stagger_seconds: 30
      backoff_base: 60
      max_retries: 3
      auto_reassign: false
      stale_threshold: 3
    models:
      default: sonnet
      escalation:
      - haiku
      - sonnet
      - opus
      labels: {}
      sizes: {}
      learn: false
    hooks:
      on_round_complete: []
      on_session_end: []
    reviews:
      enabled: false
      auto_dispatch: true
      require_approval: false
      model: null
      reviewer_prompt: null
      checklist: []
      repo_overrides: {}
    smoke_tests:
      auto_queue: false
      default_command: null
      timeout_seconds: 600
      capability_rules: []
    worker_permissions:
      allow: []
      deny:
      - Bash(gh:*)
      - Bash(git push --force:*)
      - Bash(git push --force-with-lease:*)
      - Bash(git push -f:*)
      - Bash(git push origin --force:*)
      - Bash(git push --delete:*)
      - Bash(git push origin --delete:*)
      - Bash(git reset --hard:*)
      - Bash(git branch -d:*)
      - Bash(git branch -D:*)
      - Bash(git branch --delete:*)
      - Bash(git checkout -- .)
      - Bash(git checkout .)
      - Bash(git clean -f:*)
      - Bash(git clean -fd:*)
      - Bash(git clean -fdx:*)
      - Bash(git clean --force:*)
      - Bash(rm -rf:*)
      - Bash(rm -fr:*)
      - Bash(rm -r -f:*)
    housekeeping:
      warm_worktrees: 2
      keep_finished_days: 30
      pull: false
      commands: []
    plan:
      planner: auto
      model: null
      explore: false
      context_tokens: 60000
      timeout_seconds: 600
      budget_usd: [span]
    leases: warn
    coordinator_only_files: []
    github_api_url: https://api.github.com
    github_app: null
    trust:
      authors:
      - OWNER
      - MEMBER
      - COLLABORATOR
      users: []
    pipeline:
      gates:
      - test
      - review
      - ci
      goal: worked
      merge_method: squash
      test_timeout_seconds: 1800
      max_iterations: 3
      pull_requests: template
    budgets:
      assignment_usd: null
      issue_usd: null
      day_usd: null
    worker:
      command:
      - claude
      stall_seconds: 900
      first_output_seconds: 120
      grace_seconds: 10
      timeout_seconds: 14400
      extra_args: []
      setting_sources:
      - user
    ");
    let config = bench.json(&["config", "--config", "small.yml"]);
    assert_eq!(config["source"], json!("flag"));
    assert_eq!(config["config"]["repos"][0]["forge"], json!("local"));
}

#[test]
fn the_first_place_that_has_one_counts() {
    let bench = Bench::new(Special::default());
    let text = "repos:\n  - name: shop\n    forge: local\n";
    let home = bench.sandbox.home().join(".coord");
    std::fs::create_dir(&home).unwrap();
    for path in [
        bench.path("flag.yml"),
        bench.path("env.yml"),
        home.join("coordinator.yml"),
    ] {
        std::fs::write(path, text).unwrap();
    }
    let source = |flag: &[&str], env: Option<&str>| {
        let mut command = bench.command(&[&["config", "--json"], flag].concat());
        command.envs(env.map(|env| ("COORD_CONFIG", env)));
        bench.launch(&mut command).end().ok().json()["source"].clone()
    };
    assert_eq!(
        source(&["--config", "flag.yml"], Some("env.yml")),
        json!("flag")
    );
    assert_eq!(source(&[], Some("env.yml")), json!("env"));
    assert_eq!(source(&[], Some("")), json!("cwd"));
    std::fs::remove_file(bench.config()).unwrap();
    assert_eq!(source(&[], None), json!("home"));
    std::fs::remove_dir_all(&home).unwrap();
    insta::assert_snapshot!(bench.complains(2, &["config"]), @r"
    error: no configuration: looked for [dir]/coordinator.yml and [dir]/home/.coord/coordinator.yml
    hint: copy coordinator.example.yml to coordinator.yml and edit it, or name a file with --config or $COORD_CONFIG
    ");
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["status", "--config", "nope.yml"]), @r"
    error: the configuration nope.yml that --config names does not exist
    hint: name a file, or leave the name out
    ");
    let mut command = bench.command(&["status"]);
    let ran = bench
        .launch(command.env("COORD_CONFIG", "nope.yml"))
        .end()
        .code(2);
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    error: the configuration nope.yml that $COORD_CONFIG names does not exist
    hint: name a file, or leave the name out
    ");
}

#[test]
fn a_typing_error_is_shown_in_its_place() {
    let bench = Bench::new(Special::default());
    let text = "repos:\n  - name: shop\n    test_comand: make test\nmachines: []\n";
    std::fs::write(bench.config(), text).unwrap();
    insta::assert_snapshot!(bench.complains(2, &["config"]), @r"
    error: [dir]/coordinator.yml:3:5: unknown key `test_comand` in a repository
      |
    3 |  test_comand: make test
      |  ^^^^^^^^^^^
      = did you mean `test_command`?
    ");
    let error = bench.run(&["status", "--json"]).code(2).json();
    assert!(
        error["error"].as_str().unwrap().contains("test_command"),
        "{error}"
    );
}
