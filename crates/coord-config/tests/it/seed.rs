//! The two examples of the 0.1.0 README parse unchanged.

use std::path::Path;

use coord_config::{ForgeKind, Hook, NamedHook};
use coord_core::ids::RepoName;

use crate::config;

const MINIMAL: &str = include_str!("fixtures/seed-minimal.yml");
const FULL: &str = include_str!("fixtures/seed-full.yml");

#[test]
fn the_minimal_example() {
    let config = config(MINIMAL);
    let repo = &config.repos[0];
    assert_eq!(repo.name.as_str(), "my-project");
    assert_eq!(repo.github.as_deref(), Some("owner/my-project"));
    assert_eq!(repo.forge, ForgeKind::Github);
    assert_eq!(repo.default_branch.as_deref(), Some("main"));
    assert_eq!(repo.build_command.as_deref(), Some("pytest"));
    assert_eq!(repo.test_command.as_deref(), Some("pytest"));

    let machine = &config.machines[0];
    assert_eq!(machine.url(), "http://localhost:7433");
    assert_eq!(machine.capabilities, ["python"]);
    assert_eq!(machine.max_workers, 3, "that of the concurrency section");
    assert_eq!(
        config.local_path(&repo.name, "elsewhere"),
        Some(Path::new("/home/me/src/my-project"))
    );
    assert_eq!(config.concurrency.stagger_seconds, 30);
    assert_eq!(
        config.models.labels[1],
        ("architecture".to_owned(), "opus".to_owned())
    );
}

#[test]
fn the_full_example() {
    let config = config(FULL);
    let names: Vec<&str> = config.repos.iter().map(|repo| repo.name.as_str()).collect();
    assert_eq!(names, ["api-gateway", "user-service", "shared-lib"]);
    assert_eq!(config.repos[1].depends_on, [RepoName::from("shared-lib")]);
    assert_eq!(config.repos[1].default_branch, None);
    assert_eq!(config.machines[1].host, "server.tailnet");
    assert_eq!(config.machines[1].repos.len(), 2);
    assert_eq!(config.concurrency.backoff_base, 60);
    assert_eq!(config.concurrency.max_retries, 3);
    assert_eq!(config.concurrency.stale_threshold, 3);
    assert_eq!(config.models.escalation, ["haiku", "sonnet", "opus"]);
    let report = [Hook::Named(NamedHook::SummaryReport)];
    assert_eq!(config.hooks.on_round_complete, report);
    assert_eq!(config.hooks.on_session_end, report);
    assert_eq!(config.reviews.checklist.len(), 2);
    let overrides = &config.reviews.repo_overrides[&RepoName::from("api-gateway")];
    assert_eq!(overrides, &["Check rate limiting on new endpoints"]);
    assert_eq!(
        config.smoke_tests.default_command.as_deref(),
        Some("make smoke")
    );
    assert_eq!(config.smoke_tests.capability_rules[0].files, ["src/gtk/"]);
    assert_eq!(config.smoke_tests.capability_rules[0].requires, ["gtk"]);
}
