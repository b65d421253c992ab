//! Which files are what a change is measured by: tests, and what runs them.

use std::sync::LazyLock;

use coord_core::scope::Glob;

/// In lower case.
const YARDSTICKS: [&str; 42] = [
    "**/test",
    "**/tests",
    "**/__tests__",
    "**/__snapshots__",
    "**/testdata",
    "**/spec",
    "**/specs",
    "**/e2e",
    "**/cypress",
    "**/test_*",
    "**/*_test.*",
    "**/*_tests.*",
    "**/*-test.*",
    "**/*.test.*",
    "**/*test.java",
    "**/*tests.cs",
    "**/*_spec.*",
    "**/*.spec.*",
    "**/tests.*",
    "**/conftest.py",
    "**/pytest.ini",
    "**/tox.ini",
    "**/noxfile.py",
    "**/.coveragerc",
    "**/jest.config.*",
    "**/jest.setup.*",
    "**/vitest.config.*",
    "**/karma.conf.*",
    "**/playwright.config.*",
    "**/cypress.config.*",
    "**/phpunit.xml*",
    ".github/workflows",
    ".github/actions",
    ".gitlab-ci.yml",
    ".gitlab/ci",
    "**/jenkinsfile",
    ".circleci",
    ".ci",
    ".buildkite",
    ".travis.yml",
    "azure-pipelines*",
    "bitbucket-pipelines.yml",
];

static GLOBS: LazyLock<Vec<Glob>> =
    LazyLock::new(|| YARDSTICKS.iter().map(|text| Glob::new(text)).collect());

/// Whether `path`, relative to the root of a repository, is a test or says how tests are run.
pub(super) fn is_yardstick(path: &str) -> bool {
    let path = path.to_lowercase();
    GLOBS.iter().any(|glob| glob.matches(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_what_runs_them_are_known() {
        for path in [
            "tests/it/main.rs",
            "crates/a/tests/it.rs",
            "src/Tests/Login.cs",
            "src/tests.rs",
            "pkg/parse_test.go",
            "test_login.py",
            "web/src/__tests__/a.tsx",
            "web/login.spec.ts",
            "web/login.test.js",
            "spec/models/user_spec.rb",
            "src/main/java/LoginTest.java",
            "conftest.py",
            "api/conftest.py",
            "tox.ini",
            "jest.config.mjs",
            ".github/workflows/ci.yml",
            ".gitlab-ci.yml",
            "Jenkinsfile",
            "build/Jenkinsfile",
            ".circleci/config.yml",
            ".ci/run.sh",
            "azure-pipelines.yml",
            "azure-pipelines-nightly.yml",
        ] {
            assert!(is_yardstick(path), "{path}");
        }
    }

    #[test]
    fn other_files_are_not() {
        for path in [
            "src/main.rs",
            "src/latest.rs",
            "src/contest/entry.py",
            "attestation.go",
            "inspector/spec.rs.md/readme",
            ".github/dependabot.yml",
            "docs/testing.md",
            "greatest_hits.txt",
            "",
        ] {
            assert!(!is_yardstick(path), "{path}");
        }
    }
}
