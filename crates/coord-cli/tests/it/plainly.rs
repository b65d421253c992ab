//! The program itself: version, help, completions, colours.

use crate::bench::{Bench, Special};

#[test]
fn version_help_and_nonsense() {
    let bench = Bench::new(Special::default());
    let version = format!("coord {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(bench.run(&["version"]).ok().out, version);
    assert_eq!(bench.run(&["--version"]).ok().out, version);
    insta::assert_snapshot!(bench.says(&["--help"]), @"");
    insta::assert_snapshot!(bench.says(&["assign", "-h"]), @"");
    let ran = bench.run(&["asign"]).code(2);
    insta::assert_snapshot!(ran.err, @"");
    bench.run(&[]).code(2);
}

#[test]
fn completions_know_the_commands() {
    let bench = Bench::new(Special::default());
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(&["completions", shell]).ok().out;
        assert!(
            script.contains("completions") && script.contains("--until") || shell == "fish",
            "{shell}"
        );
        assert!(!script.contains("__simulated-worker"), "{shell}");
    }
    let script = bench.run(&["completions", "bash"]).ok().out;
    std::fs::write(bench.path("coord.bash"), script).unwrap();
    let test = ". ./coord.bash; COMP_WORDS=(coord ass); COMP_CWORD=1; _coord coord ass coord; echo ${COMPREPLY[@]}";
    let mut bash = bench.sandbox.command("bash");
    if let Ok(output) = bash.args(["-c", test]).output() {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "assign\n",
            "{output:?}"
        );
    }
}

#[test]
fn colours_only_where_they_are_wanted() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let said = |vars: &[(&str, &str)]| {
        let mut command = bench.command(&["issue", "show", "1"]);
        command.env_remove("NO_COLOR").envs(vars.iter().copied());
        bench.launch(&mut command).end().ok().out
    };
    assert!(!said(&[]).contains('\u{1b}'));
    assert!(said(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!said(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::new(Special::default());
    let mut shell = bench.sandbox.command("sh");
    shell.args(["-c", "(\"$COORD\" --help; echo $? > rc) | true; cat rc"]);
    let ran = bench
        .launch(shell.env("COORD", crate::bench::COORD))
        .end()
        .ok();
    assert_eq!(ran.out, "0\n", "{ran:?}");
    assert!(!ran.err.contains("panic"), "{ran:?}");
}
