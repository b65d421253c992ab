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
    insta::assert_snapshot!(bench.says(&["config", "--config", "small.yml"]), @"");
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
    insta::assert_snapshot!(bench.complains(2, &["config"]), @"");
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["status", "--config", "nope.yml"]), @"");
    let mut command = bench.command(&["status"]);
    let ran = bench
        .launch(command.env("COORD_CONFIG", "nope.yml"))
        .end()
        .code(2);
    insta::assert_snapshot!(bench.redact(&ran.err), @"");
}

#[test]
fn a_typing_error_is_shown_in_its_place() {
    let bench = Bench::new(Special::default());
    let text = "repos:\n  - name: shop\n    test_comand: make test\nmachines: []\n";
    std::fs::write(bench.config(), text).unwrap();
    insta::assert_snapshot!(bench.complains(2, &["config"]), @"");
    let error = bench.run(&["status", "--json"]).code(2).json();
    assert!(
        error["error"].as_str().unwrap().contains("test_command"),
        "{error}"
    );
}
