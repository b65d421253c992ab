//! Names: which ones are allowed, and which known one was probably meant.

/// Longer texts are not typing errors of a name, and comparing them is expensive.
const LONGEST_COMPARED: usize = 64;
/// Characters of a text that a message quotes at most.
const LONGEST_SHOWN: usize = 60;

/// `text` as a message quotes it: cut, and without what would drive a terminal.
pub(crate) fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(LONGEST_SHOWN).map(printable).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether `name` may name a repository, a machine, a capability or a hook. It becomes part of
/// file names and of command lines, where a `-` in front would be an option.
pub(crate) fn is_valid(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars().all(allowed) && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// Says which of `known` was probably meant, or else names them all.
pub(crate) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    if let Some(name) = nearest(given, &known) {
        return Some(format!("did you mean `{name}`?"));
    }
    known.sort_unstable();
    known.truncate(30);
    (!known.is_empty()).then(|| format!("known: {}", known.join(", ")))
}

fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    if given.len() > LONGEST_COMPARED {
        return None;
    }
    let folded = fold(given);
    known
        .iter()
        .map(|name| (distance(&folded, &fold(name)), *name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

/// `maxWorkers`, `max-workers` and `MAX_WORKERS` are one name to a person.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["max_workers", "max_retries", "default", "deny"];

    #[test]
    fn finds_what_was_meant() {
        for (given, meant) in [
            ("maxWorkers", "max_workers"),
            ("max-worker", "max_workers"),
            ("max_retry", "max_retries"),
            ("defualt", "default"),
            ("dney", "deny"),
        ] {
            assert_eq!(nearest(given, &KNOWN), Some(meant), "{given}");
        }
    }

    #[test]
    fn names_all_when_nothing_is_near() {
        assert_eq!(
            hint("colour", KNOWN).as_deref(),
            Some("known: default, deny, max_retries, max_workers")
        );
        assert_eq!(hint("x", []), None);
        assert_eq!(nearest(&"d".repeat(100_000), &KNOWN), None);
    }

    #[test]
    fn names_have_no_room_for_options_or_folders() {
        for name in ["api-gateway", "a", "_x", "Web.2"] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", "-x", ".", "..", ".git", "a b", "a/b", "ü", "a\n"] {
            assert!(!is_valid(name), "{name:?}");
        }
    }
}
