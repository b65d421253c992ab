//! The program itself: version, help, completions, colours.

use crate::bench::{Bench, Special};

#[test]
fn version_help_and_nonsense() {
    let bench = Bench::new(Special::default());
    let version = format!("coord {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(bench.run(&["version"]).ok().out, version);
    assert_eq!(bench.run(&["--version"]).ok().out, version);
    insta::assert_snapshot!(bench.says(&["--help"]), @r"
    Coordinates fleets of Claude Code workers: each issue from dispatch to merged branch

    Usage: coord [OPTIONS] <COMMAND>

    Commands:
      plan  Propose what to work on next, and where
      approve  Start the work that a plan proposes
      reject  Put aside what a plan proposes
      split  Open the sub-issues that a plan proposes
      assign  Put a worker on an issue
      status  Show machines, assignments and the merge queue
      watch  Show what a worker does, as it does it
      log  Print the log of a worker
      wait  Wait until assignments are as far as they go
      stop  Stop a worker; what it wrote is kept
      test  Test the branch of an assignment, or record a verdict
      smoke  Try a branch out on a machine that has what it needs
      pr  Open the pull request of a branch, then have it reviewed
      review  Have a branch judged by a second worker that can only read
      fix  Have a branch put right, one model up
      merge  Merge what its gates let pass, in order, each tested together with what is merged
      before
      radar  Show which branches are going to conflict, and where
      notify  Do one pass of the loop: hear the agents, do what is due, tell what happened
      drive  Run the loop without an agent: follow all agents, do what is due
      resume  Go on after a crash: ask the agents, finish what was begun
      resume-stuck  Answer a worker: while it runs, in its session, or through a new one
      retry  Go on with what came to nothing: on another machine, on the same branch, one model
      up
      done  Close the session: run its hooks and the housekeeping, show what it came to
      session  Show what the last session came to
      history  Show what happened, and when
      why  Say what an issue waits for, or why it was refused
      usage  Show what the work has cost
      issue  Open, list, show and close issues
      sync  Read what is on GitHub into the mirror that other commands show
      config  Show the configuration as it is understood
      agent  Run the agent of this machine
      up  Run the agent of this machine and the coordinator's loop in one process
      demo  See the whole thing work on a scratch project, without network or accounts
      version  Print the version
      completions  Print a completion script for a shell

    Options:
      -h, --help  Print help
      -V, --version  Print version

    Everywhere:
      --config <FILE>  The configuration; else $COORD_CONFIG, ./coordinator.yml,
      ~/.coord/coordinator.yml
      --json  Print the answer as JSON
    ");
    insta::assert_snapshot!(bench.says(&["assign", "-h"]), @r"
    Put a worker on an issue

    Usage: coord assign [OPTIONS] <MACHINE> <REPO> <ISSUE>

    Arguments:
      <MACHINE>  The machine to run it on; `-` lets the coordinator choose: one that has what the labels
      of the issue ask for, and free slots
      <REPO>  The repository, as the configuration names it
      <ISSUE>  The number of the issue

    Options:
      --model <MODEL>  The model: haiku, sonnet, opus, or a full name
      --briefing <TEXT>  What to do, instead of what the issue says
      --briefing-file <FILE>  A file with the briefing
      --files <GLOB>...  Globs of the files that it will change
      --forbid <GLOB>...  Globs of files that it may not change
      --allow-overlap  Dispatch although files overlap with active work
      --accept-unknown  Dispatch although the forge could not be asked for existing branches
      --trust  Dispatch although the author of the issue is not trusted
      --take-over  Dispatch although another coordinator has claimed the issue
      --wait  Wait for files, slots, upstream work and issues that it depends on
      instead of being refused
      --until <UNTIL>  How far to take it without a person; the default is the
      configuration's `pipeline.goal` [possible values: worked, tested,
      merged]
      --ignore-deps  Dispatch although an upstream repository has active work, or an issue
      that it depends on is open
      --auto-pull  Fast-forward checkouts on the machine that are behind, before the
      worker starts
      --skip-freshness  Do not look whether checkouts on the machine are behind
      --dry-run  Only say what would happen
      -h, --help  Print help (see more with '--help')

    Everywhere:
      --config <FILE>  The configuration; else $COORD_CONFIG, ./coordinator.yml,
      ~/.coord/coordinator.yml
      --json  Print the answer as JSON
    ");
    let ran = bench.run(&["asign"]).code(2);
    insta::assert_snapshot!(ran.err, @r"
    error: unrecognized subcommand 'asign'

      tip: a similar subcommand exists: 'assign'

    Usage: coord [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
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
