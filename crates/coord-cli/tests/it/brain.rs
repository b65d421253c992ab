//! A model that plans, and is a real program: it answers what a test wants. Whoever works on an issue
//! is the simulated worker as ever.

use std::fs;

use serde_json::{Value, json};

use crate::bench::{Bench, COORD};

/// Its calls are numbered from 1; each says what stands in `N.out`. While there is a file `hold`, it
/// thinks.
const PROGRAM: &str = r#"case " $* " in
*" --json-schema "*) ;;
*) exec "$COORD_BIN" __simulated-worker "$@" ;;
esac
cat > /dev/null
n=1
while ! mkdir "$FOLDER/$n.call" 2>/dev/null; do n=$((n+1)); done
touch "$FOLDER/thinking"
while [ -e "$FOLDER/hold" ]; do sleep 0.02; done
cat "$FOLDER/$n.out"
"#;

/// The worker's command with such a model, which gives these answers one after the other.
pub(crate) fn that_answers(bench: &Bench, answers: &[Value]) -> Value {
    let init = json!({"type": "system", "subtype": "init", "session_id": "session-1",
        "model": "claude-opus-5-5"});
    for (number, answer) in (1..).zip(answers) {
        let result = json!({"type": "result", "subtype": "success", "is_error": false,
            "session_id": "session-1", "structured_output": answer, "num_turns": 3,
            "total_cost_usd": 0.25 * f64::from(number)});
        let said = format!("{init}\n{result}\n");
        fs::write(bench.path(&format!("{number}.out")), said).unwrap();
    }
    let folder = bench.sandbox.path().to_string_lossy().into_owned();
    let program = PROGRAM
        .replace("$FOLDER", &folder)
        .replace("$COORD_BIN", COORD);
    json!(["sh", "-c", program, "brain"])
}

/// A proposal in its words.
pub(crate) fn proposal(issue: u64, files: &[&str]) -> Value {
    json!({"repo": "shop", "issue": issue, "machine": "laptop", "files": files, "size": "small",
        "rationale": "It is next.\nAnd it is small."})
}

/// A split of an issue into three, of which the last has to wait for the first.
pub(crate) fn split(issue: u64) -> Value {
    let chunk = |title: &str, after: &[usize]| json!({"title": title, "scope": format!("All of {title}."), "files": [], "after": after});
    json!({"repo": "shop", "issue": issue, "rationale": "It is too much.",
        "chunks": [chunk("One", &[]), chunk("Two", &[]), chunk("Three", &[0])]})
}
