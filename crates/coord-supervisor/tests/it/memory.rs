//! A supervisor costs less than 2 MB, whatever its worker says.

use coord_worker::launch::Stdin;

use crate::place::{Place, recorded, start};

const LIMIT_KIB: u64 = 2 * 1024;

#[tokio::test]
async fn a_supervisor_stays_small() {
    let place = Place::new();
    let mut spec = place.script(
        "head -c 10000000 /dev/zero | tr '\\0' x; echo; i=0; while [ $i -lt 1000 ]; do echo \"{\\\"n\\\":$i}\"; i=$((i+1)); done
         read -r first; echo up; read -r line",
    );
    spec.stdin = Stdin::Steerable(vec![b'x'; 300 * 1024]);
    let held = start(&spec).await;
    place.said("up").await;
    let private = private_kib(held.supervisor_pid());
    assert!(private > 0 && private <= LIMIT_KIB, "{private} KiB");
    held.input("go").await.unwrap();
    recorded(&held).await;
}

/// `Private_Clean` + `Private_Dirty` of the whole process.
fn private_kib(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let values = rollup
        .lines()
        .filter(|line| line.starts_with("Private_") && !line.contains("Hugetlb"));
    values
        .map(|line| {
            line.split_ascii_whitespace()
                .nth(1)
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum()
}
