//! `hooks` and `housekeeping`: names, commands, and what is wrong with either.

use coord_config::{CheckoutCommand, Hook, NamedHook};
use coord_core::session::Step;
use insta::assert_snapshot;

use crate::{config, report};

fn command(command: &str, timeout_seconds: u64) -> Hook {
    Hook::Command {
        command: command.to_owned(),
        timeout_seconds,
    }
}

#[test]
fn names_and_commands_stand_in_one_list() -> Result<(), Box<dyn std::error::Error>> {
    let text = "repos: [{name: a}]\nhooks:\n  on_round_complete: []\n  on_session_end:\n    \
                - close_merged_issues\n    - command: make report\n    - summary_report\n    \
                - {command: make report, timeout_seconds: 5}\n";
    let config = config(text);
    let hooks = &config.hooks.on_session_end;
    let expected = [
        Hook::Named(NamedHook::CloseMergedIssues),
        command("make report", 60),
        Hook::Named(NamedHook::SummaryReport),
        command("make report", 5),
    ];
    assert_eq!(hooks, &expected);
    let policy = config.policy();
    assert_eq!(policy.on_round_complete, []);
    assert_eq!(policy.on_session_end[0], Step::CloseMergedIssues);
    let again = crate::config(&config.to_yaml()?);
    assert_eq!(again.hooks, config.hooks);
    Ok(())
}

#[test]
fn commands_of_housekeeping_name_their_repositories() -> Result<(), Box<dyn std::error::Error>> {
    let text = "repos: [{name: a}, {name: b}]\nhousekeeping:\n  pull: true\n  commands:\n    \
                - git gc\n    - {command: make clean, repos: [b], timeout_seconds: 5}\n";
    let config = config(text);
    let everywhere = CheckoutCommand {
        command: "git gc".to_owned(),
        repos: Vec::new(),
        timeout_seconds: 600,
    };
    assert!(config.housekeeping.pull);
    assert_eq!(config.housekeeping.commands[0], everywhere);
    assert_eq!(config.policy().housekeeping.commands[1].repos, ["b".into()]);
    let again = crate::config(&config.to_yaml()?);
    assert_eq!(again.housekeeping, config.housekeeping);
    Ok(())
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let text = "repos: [{name: a}]\nhooks:\n  on_session_end:\n    - sumary_report\n    \
                - {comand: x}\n    - summary_report\n    - summary_report\n    - 3\n\
                housekeeping: {commands: [{command: x, repos: [b], timeout_seconds: 0}]}\n";
    assert_snapshot!(report(text), @r#"
    coordinator.yml:4:7: unknown hook `sumary_report`
      |
    4 |     - sumary_report
      |       ^^^^^^^^^^^^^
      = did you mean `summary_report`?

    coordinator.yml:5:7: a hook needs the key `command`
      |
    5 |     - {comand: x}
      |       ^^^^^^^^^^^

    coordinator.yml:5:8: unknown key `comand` in a hook
      |
    5 |     - {comand: x}
      |        ^^^^^^
      = did you mean `command`?

    coordinator.yml:7:7: hook `summary_report` stands twice, first on line 6
      |
    7 |     - summary_report
      |       ^^^^^^^^^^^^^^

    coordinator.yml:8:7: expected text, found a number
      |
    8 |     - 3
      |       ^
      = put it in quotes: "3"

    coordinator.yml:9:48: unknown repository `b`
      |
    9 | housekeeping: {commands: [{command: x, repos: [b], timeout_seconds: 0}]}
      |                                                ^
      = did you mean `a`?

    coordinator.yml:9:69: expected a whole number from 1 to 2592000
      |
    9 | housekeeping: {commands: [{command: x, repos: [b], timeout_seconds: 0}]}
      |                                                                     ^
    "#);
}
