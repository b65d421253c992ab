//! Whatever a worker writes, the log has it and nothing breaks.

use coord_worker::held::ExitReason;

use crate::place::Place;

#[tokio::test]
async fn a_line_of_ten_megabytes_stays_whole() {
    let place = Place::new();
    let record = place
        .run(&place.script("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after"))
        .await;
    let output = place.output();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(
        lines.iter().map(|line| line.len()).collect::<Vec<_>>(),
        [10_000_000, 5]
    );
    assert_eq!(record.log_bytes, place.log().len() as u64);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let place = Place::new();
    place
        .run(&place.script("head -c 200000 /dev/urandom | tee random; printf '\\377\\376\\n'"))
        .await;
    let mut expected = b"# agent=test\n".to_vec();
    expected.extend(std::fs::read(place.cwd.join("random")).unwrap());
    expected.extend(b"\xff\xfe\n");
    assert!(place.log() == expected);
}

#[tokio::test]
async fn the_last_line_is_completed() {
    let place = Place::new();
    let record = place.run(&place.script("printf '{\"cut\":'")).await;
    assert_eq!(place.output(), "{\"cut\":\n");
    assert_eq!(record.reason, ExitReason::Exited);
}

#[tokio::test]
async fn stderr_never_breaks_a_line() {
    let place = Place::new();
    let script = "i=0; while [ $i -lt 500 ]; do printf '{\"n\":'; echo noise >&2; echo \"$i}\"; i=$((i+1)); done";
    place.run(&place.script(script)).await;
    let expected: String = (0..500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    assert_eq!(place.output(), expected);
    assert_eq!(place.read("stderr.log"), "noise\n".repeat(500));
}

#[tokio::test]
async fn stderr_without_end_is_cut() {
    let place = Place::new();
    place
        .run(&place.script("echo first >&2; head -c 5000000 /dev/zero | tr '\\0' e >&2; echo out"))
        .await;
    let stderr = place.read("stderr.log");
    assert!(
        stderr.starts_with("first\n")
            && stderr.ends_with("[coord: the rest of stderr is not kept]\n")
    );
    assert!(stderr.len() < 1024 * 1024 + 100);
    assert_eq!(place.output(), "out\n");
}

#[tokio::test]
async fn header_lines_stay_header_lines() {
    let place = Place::new();
    let mut spec = place.script("echo out");
    spec.header = vec![
        "# agent=a".to_owned(),
        "issue=#1 title=two\n{\"type\":\"result\"}".to_owned(),
    ];
    place.run(&spec).await;
    assert_eq!(
        place.read("log.ndjson"),
        "# agent=a\n# issue=#1 title=two {\"type\":\"result\"}\nout\n"
    );
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_nothing_else() {
    let place = Place::new();
    std::os::unix::fs::symlink("/dev/full", place.dir.join("log.ndjson")).unwrap();
    let record = place
        .run(&place.script("echo lost; echo worked > result; exit 6"))
        .await;
    assert_eq!((record.code, record.reason), (Some(6), ExitReason::Exited));
    assert_eq!(
        record.lost_bytes,
        ("# agent=test\n".len() + "lost\n".len()) as u64
    );
    assert!(record.error.unwrap().contains("were lost"));
    assert_eq!(
        std::fs::read_to_string(place.cwd.join("result")).unwrap(),
        "worked\n"
    );
}
