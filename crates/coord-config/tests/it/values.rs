//! What texts resolve to, and what is printed of it.

use std::path::Path;

use coord_config::{
    Association, Config, DEFAULT_DENY, ForgeKind, GithubApp, PlannerChoice, Planning, SettingSource,
};
use coord_core::assignment::{Goal, MergeMethod};
use coord_core::delivery::PullAuthor;
use coord_core::ids::{MachineName, RepoName};
use coord_core::lease::LeaseMode;
use coord_core::policy::Gate;
use coord_core::proposal::Size;

use crate::config;

const EXAMPLE: &str = include_str!("../../../../coordinator.example.yml");
const ONE_REPO: &str = "repos: [{name: lib}]\n";

fn with(section: &str) -> Config {
    config(&format!("{ONE_REPO}{section}"))
}

#[test]
fn a_repository_alone_gets_every_default() {
    let config = config(ONE_REPO);
    assert_eq!(config.repos[0].forge, ForgeKind::Local);
    let expected = Config {
        repos: config.repos.clone(),
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn an_absent_deny_list_is_the_default_and_an_empty_one_is_empty() {
    assert_eq!(with("").worker_permissions.deny, DEFAULT_DENY);
    assert_eq!(
        with("worker_permissions: {allow: [WebFetch]}")
            .worker_permissions
            .deny,
        DEFAULT_DENY
    );
    assert_eq!(
        with("worker_permissions: {deny:}").worker_permissions.deny,
        DEFAULT_DENY
    );
    assert!(
        with("worker_permissions: {deny: []}")
            .worker_permissions
            .deny
            .is_empty()
    );
    let own = with("worker_permissions: {deny: ['Bash(curl:*)']}").worker_permissions;
    assert_eq!(own.deny, ["Bash(curl:*)"]);
}

#[test]
fn the_default_deny_list_has_what_it_promises() {
    for prefix in [
        "gh:",
        "git push --force:",
        "git push -f:",
        "git reset --hard:",
        "git branch -D:",
        "git push --delete:",
        "git checkout -- .",
        "git clean -f:",
        "rm -rf:",
    ] {
        let rule = format!("Bash({prefix}");
        assert!(
            DEFAULT_DENY.iter().any(|deny| deny.starts_with(&rule)),
            "{prefix}"
        );
    }
}

#[test]
fn paths_start_at_the_home_or_at_the_file() {
    let config = with(
        "machines:\n- name: m\n  host: h\n  token_file: token\n  \
         repo_paths: {lib: ~/a b/ü}\n",
    );
    let machine = &config.machines[0];
    assert_eq!(
        machine.repo_path(&"lib".into()),
        Some(Path::new("/home/me/a b/ü"))
    );
    assert_eq!(
        machine.token_file.as_deref(),
        Some(Path::new("/etc/coord/token"))
    );
    for (written, resolved) in [
        ("../src", "/etc/coord/../src"),
        ("/abs", "/abs"),
        ("\"~\"", "/home/me"),
        ("./~odd", "/etc/coord/./~odd"),
    ] {
        let text = format!("machines: [{{name: m, host: h, repo_paths: {{lib: {written}}}}}]");
        let config = with(&text);
        let path = config.machines[0].repo_path(&"lib".into());
        assert_eq!(path, Some(Path::new(resolved)), "{written}");
    }
}

#[test]
fn the_local_machine_is_the_one_named_so_else_a_loopback() {
    let config = with(
        "machines:\n\
         - {name: here, host: '::1', repo_paths: {lib: /loop}}\n\
         - {name: box, host: box.lan, repo_paths: {lib: /box}}\n",
    );
    let name = |hostname| config.local_machine(hostname).map(|m| m.name.as_str());
    assert_eq!(name("BOX.lan"), Some("box"));
    assert_eq!(name("box"), Some("box"));
    assert_eq!(name("other"), Some("here"));
    let lib = RepoName::from("lib");
    assert_eq!(config.local_path(&lib, "box.lan"), Some(Path::new("/box")));
    assert_eq!(config.local_path(&lib, "other"), Some(Path::new("/loop")));
    assert_eq!(config.local_path(&"unknown".into(), "other"), None);
}

#[test]
fn addresses_of_agents() {
    let url = |machine: &str| with(&format!("machines: [{machine}]")).machines[0].url();
    assert_eq!(
        url("{name: a, host: box.lan, port: 80}"),
        "http://box.lan:80"
    );
    assert_eq!(url("{name: a, host: 10.0.0.1}"), "http://10.0.0.1:7433");
    assert_eq!(url("{name: a, host: 'fe80::1'}"), "http://[fe80::1]:7433");
    assert_eq!(url("{name: a, host: '[::1]'}"), "http://[::1]:7433");
}

#[test]
fn choices_and_amounts() {
    let config = with(
        "pipeline: {gates: [ci, test], goal: merged, merge_method: rebase}\n\
         budgets: {assignment_usd: 2, day_usd: 0.5}\n\
         worker: {command: [~/bin/claude, --x], setting_sources: [user, project]}\n\
         github_api_url: https://ghe.example/api/v3/\n",
    );
    assert_eq!(config.pipeline.gates, [Gate::Ci, Gate::Test]);
    assert_eq!(config.pipeline.goal, Goal::Merged);
    assert_eq!(config.pipeline.merge_method, MergeMethod::Rebase);
    assert_eq!(config.budgets.assignment_usd, Some(2.0));
    assert_eq!(config.budgets.issue_usd, None);
    assert_eq!(config.budgets.day_usd, Some(0.5));
    assert_eq!(config.worker.command, ["/home/me/bin/claude", "--x"]);
    assert_eq!(
        config.worker.setting_sources,
        [SettingSource::User, SettingSource::Project]
    );
    assert_eq!(config.github_api_url, "https://ghe.example/api/v3");
}

#[test]
fn whom_to_trust_and_as_whom_to_ask() {
    let config = with(
        "github_app: {app_id: 7, private_key_file: key.pem, installation_id: 8}\n\
         trust: {authors: [NONE, OWNER], users: [anna, 'renovate[bot]', emu_acme]}\n",
    );
    assert_eq!(
        config.github_app,
        Some(GithubApp {
            app_id: 7,
            private_key_file: "/etc/coord/key.pem".into(),
            installation_id: 8,
        })
    );
    assert_eq!(
        config.trust.authors,
        [Association::None, Association::Owner]
    );
    assert_eq!(config.trust.users, ["anna", "renovate[bot]", "emu_acme"]);
    let nobody = with("trust: {authors: []}").trust;
    assert_eq!((nobody.authors.len(), nobody.users.len()), (0, 0));
    assert_eq!(
        with("trust: {users: [anna]}").trust.authors,
        Config::default().trust.authors
    );
    assert_eq!(with("github_app:").github_app, None);
}

#[test]
fn associations_are_printed_as_they_are_written() -> Result<(), Box<dyn std::error::Error>> {
    for association in Association::ALL {
        let text = format!("trust: {{authors: [{}]}}", association.as_str());
        assert_eq!(with(&text).trust.authors, [association]);
        assert!(
            with(&text)
                .to_yaml()?
                .contains(&format!("- {}\n", association.as_str()))
        );
    }
    Ok(())
}

#[test]
fn who_plans_and_how_workers_are_kept_apart() {
    let config = with(
        "plan: {planner: brain, model: opus, explore: true, context_tokens: 8000, \
         timeout_seconds: 90, budget_usd: 0.5}\n\
         leases: strict\n\
         models: {sizes: {small: haiku, large: opus}, learn: true}\n",
    );
    assert_eq!(
        config.plan,
        Planning {
            planner: PlannerChoice::Brain,
            model: Some("opus".to_owned()),
            explore: true,
            context_tokens: 8000,
            timeout_seconds: 90,
            budget_usd: 0.5,
        }
    );
    let policy = config.policy();
    assert_eq!(policy.leases, LeaseMode::Strict);
    assert!(policy.models.learn);
    let sizes = policy.models.sizes.iter();
    let sizes: Vec<_> = sizes.map(|(size, model)| (*size, model.as_str())).collect();
    assert_eq!(sizes, [(Size::Small, "haiku"), (Size::Large, "opus")]);
    for (word, mode) in [("warn", LeaseMode::Warn), ("'off'", LeaseMode::Off)] {
        assert_eq!(with(&format!("leases: {word}")).leases, mode);
    }
}

#[test]
fn anchors_and_merge_keys_are_read() {
    let config = config(
        "repos:\n  - &base\n    name: a\n    test_command: make test\n  - <<: *base\n    name: b\n",
    );
    assert_eq!(config.repos[1].name.as_str(), "b");
    assert_eq!(config.repos[1].test_command.as_deref(), Some("make test"));
}

#[test]
fn the_policy_has_what_decisions_need() {
    let policy = config(EXAMPLE).policy();
    let repo = &policy.repos[&RepoName::from("api-gateway")];
    assert_eq!(repo.depends_on, [RepoName::from("shared-lib")]);
    assert_eq!(repo.default_branch.as_deref(), Some("main"));
    assert!(repo.shared, "others may work on GitHub too");
    assert!(!policy.repos[&RepoName::from("shared-lib")].shared);
    assert_eq!(policy.machines[&MachineName::from("laptop")].max_workers, 3);
    assert_eq!(policy.models.default.as_deref(), Some("sonnet"));
    assert_eq!(policy.concurrency.stale_seconds, 180);
    assert_eq!(policy.budgets.issue_usd, Some(15.0));
    assert_eq!(policy.gates, [Gate::Test, Gate::Review, Gate::Ci]);
    assert!(!policy.reviews.enabled && policy.reviews.auto_dispatch);
    assert_eq!(policy.reviews.model.as_deref(), Some("opus"));
    assert_eq!(policy.smoke.rules[0].requires, ["docker"]);
    assert_eq!(policy.pipeline.max_iterations, 3);
    assert_eq!(policy.pipeline.pull_author, PullAuthor::Template);
    let laptop = &policy.machines[&MachineName::from("laptop")];
    assert_eq!(laptop.account.as_deref(), Some("team"));
    assert_eq!(policy.coordinator_only_files, ["CHANGELOG.md"]);
    assert_eq!(repo.github.as_deref(), Some("acme/api-gateway"));
    assert_eq!(policy.leases, LeaseMode::Warn);
    assert_eq!(policy.models.sizes[&Size::Small], "haiku");
}

#[test]
fn what_is_printed_reads_back_as_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let awkward = "repos:\n- {name: '1', build_command: '# no', test_command: \"yes\\t\\n: x\"}\n\
        - {name: 'null', default_branch: 'true', worktree: {setup: '~', copy: ['0755']}}\n\
        models: {labels: {'1.0': haiku, 'ü: x': opus}}\nbudgets: {day_usd: 10}\n";
    for text in [EXAMPLE, awkward, ONE_REPO] {
        let config = config(text);
        assert_eq!(crate::config(&config.to_yaml()?), config);
    }
    Ok(())
}

#[test]
fn prints_the_resolved_values() -> Result<(), Box<dyn std::error::Error>> {
    insta::assert_snapshot!(config(include_str!("fixtures/seed-minimal.yml")).to_yaml()?, @r"
    repos:
    - name: my-project
      github: owner/my-project
      forge: github
      depends_on: []
      default_branch: main
      build_command: pytest
      test_command: pytest
      worktree:
        setup: null
        copy: []
        keep: []
    machines:
    - name: laptop
      host: localhost
      port: 7433
      capabilities:
      - python
      repos:
      - my-project
      repo_paths:
        my-project: /home/me/src/my-project
      max_workers: 3
      account: null
      token_file: null
    concurrency:
      max_workers: 3
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
      labels:
        documentation: haiku
        architecture: opus
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
      budget_usd: 2.0
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
    Ok(())
}
