//! The sections that hold one rule a key.

use coord_core::assignment::{Goal, MergeMethod};
use coord_core::delivery::PullAuthor;
use coord_core::ids::RepoName;
use coord_core::policy::Gate;

use super::syntax::{self, owned};
use crate::config::{
    Budgets, Concurrency, Pipeline, Reviews, SettingSource, Worker, WorkerPermissions,
};
use crate::section::Section;

/// No time of a configuration is longer: 30 days.
pub(super) const LONGEST_SECONDS: u64 = 30 * 24 * 3600;

const GATES: [(&str, Gate); 3] = [
    ("test", Gate::Test),
    ("review", Gate::Review),
    ("ci", Gate::Ci),
];
const GOALS: [(&str, Goal); 3] = [
    ("worked", Goal::Worked),
    ("tested", Goal::Tested),
    ("merged", Goal::Merged),
];
const MERGE_METHODS: [(&str, MergeMethod); 3] = [
    ("rebase", MergeMethod::Rebase),
    ("squash", MergeMethod::Squash),
    ("merge", MergeMethod::Merge),
];
const PULL_AUTHORS: [(&str, PullAuthor); 2] = [
    ("template", PullAuthor::Template),
    ("worker", PullAuthor::Worker),
];
const SETTING_SOURCES: [(&str, SettingSource); 3] = [
    ("user", SettingSource::User),
    ("project", SettingSource::Project),
    ("local", SettingSource::Local),
];

pub(super) fn concurrency(mut section: Section<'_>) -> Concurrency {
    let default = Concurrency::default();
    let concurrency = Concurrency {
        max_workers: section
            .number("max_workers", 1..=syntax::MOST_WORKERS)
            .unwrap_or(default.max_workers),
        stagger_seconds: section
            .number("stagger_seconds", 0..=LONGEST_SECONDS)
            .unwrap_or(default.stagger_seconds),
        backoff_base: section
            .number("backoff_base", 1..=LONGEST_SECONDS)
            .unwrap_or(default.backoff_base),
        max_retries: section
            .number("max_retries", 0..=100)
            .unwrap_or(default.max_retries),
        auto_reassign: section
            .flag("auto_reassign")
            .unwrap_or(default.auto_reassign),
        stale_threshold: section
            .number("stale_threshold", 1..=10_000)
            .unwrap_or(default.stale_threshold),
    };
    section.finish();
    concurrency
}

pub(super) fn reviews(mut section: Section<'_>, repos: &[&str]) -> Reviews {
    let default = Reviews::default();
    let reading = section.reading();
    let mut reviews = Reviews {
        enabled: section.flag("enabled").unwrap_or(default.enabled),
        auto_dispatch: section
            .flag("auto_dispatch")
            .unwrap_or(default.auto_dispatch),
        require_approval: section
            .flag("require_approval")
            .unwrap_or(default.require_approval),
        model: section
            .get("model")
            .and_then(|node| syntax::model(reading, node)),
        reviewer_prompt: section.text("reviewer_prompt"),
        checklist: owned(section.words("checklist").unwrap_or_default()),
        repo_overrides: default.repo_overrides,
    };
    for (repo, node) in section.pairs("repo_overrides") {
        let known = reading.check_known(&repo, "repository", repos);
        if let Some(items) = reading.words(node).filter(|_| known) {
            reviews
                .repo_overrides
                .insert(RepoName::from(repo.text), owned(items));
        }
    }
    section.finish();
    reviews
}

pub(super) fn worker_permissions(mut section: Section<'_>) -> WorkerPermissions {
    let default = WorkerPermissions::default();
    let permissions = WorkerPermissions {
        allow: syntax::permissions(&mut section, "allow").unwrap_or(default.allow),
        deny: syntax::permissions(&mut section, "deny").unwrap_or(default.deny),
    };
    section.finish();
    permissions
}

pub(super) fn pipeline(mut section: Section<'_>) -> Pipeline {
    let default = Pipeline::default();
    let reading = section.reading();
    let pipeline = Pipeline {
        gates: section
            .choices("gates", "gate", &GATES)
            .unwrap_or(default.gates),
        goal: section.choice("goal", &GOALS).unwrap_or(default.goal),
        merge_method: section
            .choice("merge_method", &MERGE_METHODS)
            .unwrap_or(default.merge_method),
        test_timeout_seconds: section
            .number("test_timeout_seconds", 1..=LONGEST_SECONDS)
            .unwrap_or(default.test_timeout_seconds),
        max_iterations: section
            .number("max_iterations", 0..=100)
            .unwrap_or(default.max_iterations),
        pull_requests: section
            .get("pull_requests")
            .and_then(|node| reading.choice(node, "author", &PULL_AUTHORS))
            .unwrap_or(default.pull_requests),
    };
    section.finish();
    pipeline
}

pub(super) fn budgets(mut section: Section<'_>) -> Budgets {
    let budgets = Budgets {
        assignment_usd: section.usd("assignment_usd"),
        issue_usd: section.usd("issue_usd"),
        day_usd: section.usd("day_usd"),
    };
    section.finish();
    budgets
}

pub(super) fn worker(mut section: Section<'_>) -> Worker {
    let default = Worker::default();
    let mut seconds = |key, default| section.number(key, 1..=LONGEST_SECONDS).unwrap_or(default);
    let worker = Worker {
        stall_seconds: seconds("stall_seconds", default.stall_seconds),
        first_output_seconds: seconds("first_output_seconds", default.first_output_seconds),
        grace_seconds: seconds("grace_seconds", default.grace_seconds),
        timeout_seconds: seconds("timeout_seconds", default.timeout_seconds),
        command: syntax::program(&mut section, "command").unwrap_or(default.command),
        extra_args: owned(section.words("extra_args").unwrap_or_default()),
        setting_sources: section
            .choices("setting_sources", "setting source", &SETTING_SOURCES)
            .unwrap_or(default.setting_sources),
    };
    section.finish();
    worker
}
