//! A part of an issue's body that the coordinator writes again and again, below what people wrote.

const BEGIN: &str = "<!-- coord:begin=";
const END: &str = "<!-- coord:end=";
const CLOSE: &str = " -->";

/// `body` with `text` as its section `name`, which is one word of `[a-z0-9-]`.
///
/// Sections stand at the end of a body, one after the other, each between
/// `<!-- coord:begin=NAME -->` and `<!-- coord:end=NAME -->`. The one of this name is replaced;
/// without one a new one is added at the end. Whatever stands before the sections is a person's and
/// stays as it is, even where it looks like a section. Markers in `text` are made harmless.
#[must_use]
pub fn with_section(body: &str, name: &str, text: &str) -> String {
    let text = text.replace("<!-- coord:", "&lt;!-- coord:");
    let section = format!("{BEGIN}{name}{CLOSE}\n{text}\n{END}{name}{CLOSE}");
    let mut rest = body;
    while let Some(last) = last_section(rest) {
        if last.name == name {
            return format!("{}{section}{}", &rest[..last.start], &body[last.end..]);
        }
        rest = &rest[..last.start];
    }
    let gap = match body {
        "" => "",
        _ if body.ends_with("\n\n") => "",
        _ if body.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{body}{gap}{section}")
}

struct Section<'a> {
    name: &'a str,
    start: usize,
    end: usize,
}

/// The section with which `body` ends, white space aside.
fn last_section(body: &str) -> Option<Section<'_>> {
    let body = body.trim_end();
    let (before, name) = body.strip_suffix(CLOSE)?.rsplit_once(END)?;
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_word) {
        return None;
    }
    let start = before.rfind(&format!("{BEGIN}{name}{CLOSE}"))?;
    // Ours hold no markers, so a pair around some was not written here.
    let inside = &before[start + BEGIN.len()..];
    let is_ours = !inside.contains(BEGIN) && !inside.contains(END);
    is_ours.then_some(Section {
        name,
        start,
        end: body.len(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fake(name: &str, text: &str) -> String {
        format!("{BEGIN}{name}{CLOSE}\n{text}\n{END}{name}{CLOSE}")
    }

    #[test]
    fn a_section_is_added_below_the_text_and_replaced_in_its_place() {
        let one = with_section("what I want\r\n", "tasks", "- [ ] #2");
        assert_eq!(
            one,
            "what I want\r\n\n<!-- coord:begin=tasks -->\n- [ ] #2\n<!-- coord:end=tasks -->"
        );
        let both = with_section(&one, "reply", "yes");
        assert!(both.starts_with(&one), "{both}");
        let ticked = with_section(&both, "tasks", "- [x] #2");
        assert_eq!(ticked, both.replace("[ ]", "[x]"));
        // As an editor in a browser leaves it.
        let saved = ticked.replace('\n', "\r\n") + "\r\n";
        let again = with_section(&saved, "reply", "no");
        assert_eq!(again.matches(BEGIN).count(), 2);
        assert!(again.contains("[x]") && again.contains("no") && !again.contains("yes"));
    }

    #[test]
    fn what_people_wrote_stays_even_if_it_looks_like_a_section() {
        let quoted = format!("```\n{}\n```", fake("tasks", "mine"));
        let below = format!("{}\nPS: thanks", fake("tasks", "old"));
        let nested = fake("tasks", &fake("other", "x"));
        let crossed = format!("{}\n{END}tasks{CLOSE}", fake("tasks", "x"));
        let open = format!("{BEGIN}tasks{CLOSE} and");
        let unnamed = fake("", "x");
        let loud = fake("TASKS -->", "x");
        for body in [quoted, below, nested, crossed, open, unnamed, loud] {
            let written = with_section(&body, "tasks", "new");
            assert!(written.starts_with(&body), "{written}");
            let again = with_section(&written, "tasks", "newer");
            assert!(again.starts_with(&body), "{again}");
            assert!(again.ends_with(&fake("tasks", "newer")), "{again}");
            assert_eq!(again.len(), written.len() + 2);
        }
    }

    #[test]
    fn the_text_cannot_end_its_section() {
        let text = format!("a\n{END}tasks{CLOSE}\n{BEGIN}tasks{CLOSE}\nb");
        let written = with_section("", "tasks", &text);
        assert_eq!(written.matches(END).count(), 1);
        assert_eq!(with_section(&written, "tasks", "c"), fake("tasks", "c"));
    }

    /// Texts in which markers, whole and in pieces, are likely.
    fn marked() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(BEGIN.to_owned()),
            Just(END.to_owned()),
            Just(CLOSE.to_owned()),
            Just(format!("{BEGIN}a{CLOSE}")),
            Just(format!("{END}a{CLOSE}")),
            Just(fake("b", "x")),
            Just("a".to_owned()),
            Just("\r\n".to_owned()),
            ".{0,3}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn writing_twice_is_writing_once(body in marked(), text in marked(), other in marked()) {
            let once = with_section(&body, "a", &text);
            prop_assert_eq!(&with_section(&once, "a", &text), &once);
            let between = with_section(&with_section(&once, "a", &other), "a", &text);
            prop_assert_eq!(between, once);
        }

        #[test]
        fn sections_do_not_touch_each_other(body in marked(), one in marked(), two in marked()) {
            let body = body + ".";
            let both = with_section(&with_section(&body, "a", &one), "c", &two);
            prop_assert!(both.starts_with(&body));
            let turned = with_section(&with_section(&both, "a", &two), "c", &one);
            let expected = with_section(&with_section(&body, "a", &two), "c", &one);
            prop_assert_eq!(turned, expected);
        }
    }
}
