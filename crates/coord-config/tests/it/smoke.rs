//! Smoke tests that start by themselves have to be able to.

use insta::assert_snapshot;

use crate::{config, report};

/// One repository, two machines, and `section`.
fn with(section: &str) -> String {
    format!(
        "repos: [{{name: api}}]\nmachines:\n- {{name: a, host: a, capabilities: [docker, gpu]}}\n\
         - {{name: b, host: b, capabilities: [gtk]}}\nsmoke_tests: {section}\n"
    )
}

#[test]
fn what_cannot_run_by_itself_is_an_error() {
    let section = "{auto_queue: true, default_command: x, capability_rules: [{files: [a], requires: [dokcer]}]}";
    assert_snapshot!(report(&with(section)), @r"
    coordinator.yml:5:96: unknown capability `dokcer`
      |
    5 | smoke_tests: {auto_queue: true, default_command: x, capability_rules: [{files: [a], requires: [dokcer]}]}
      |                                                                                                ^^^^^^
      = did you mean `docker`?
    ");
    let section = "{auto_queue: true, default_command: x, capability_rules: [{files: [a], requires: [gpu, gtk]}]}";
    assert_snapshot!(report(&with(section)), @r"
    coordinator.yml:5:95: no machine has all of these capabilities
      |
    5 | smoke_tests: {auto_queue: true, default_command: x, capability_rules: [{files: [a], requires: [gpu, gtk]}]}
      |                                                                                               ^^^^^^^^^^
    ");
    let section = "{auto_queue: true, capability_rules: [{files: [a], requires: [gpu]}]}";
    assert_snapshot!(report(&with(section)), @r"
    coordinator.yml:5:27: `auto_queue` needs the key `default_command` with what is to run
      |
    5 | smoke_tests: {auto_queue: true, capability_rules: [{files: [a], requires: [gpu]}]}
      |                           ^^^^
    ");
}

#[test]
fn what_can_run_is_none_and_what_a_person_starts_may_wait_for_its_machine() {
    let rules = "capability_rules: [{files: [a], requires: [docker, gpu]}]";
    let by_itself = format!("{{auto_queue: true, default_command: x, {rules}}}");
    assert!(config(&with(&by_itself)).policy().smoke.auto_queue);
    let by_hand = "{capability_rules: [{files: [a], requires: [fpga]}]}";
    let policy = config(&with(by_hand)).policy();
    assert_eq!(policy.smoke.rules[0].requires, ["fpga"]);
}
