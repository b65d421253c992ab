//! The message of the commit that a merge makes.

use coord_core::ids::AssignmentId;

/// The subject, and the rest with the trailer that names the assignment: in the last paragraph,
/// where that consists of trailers.
pub(super) fn title_and_text(message: &str, assignment: &AssignmentId) -> (String, String) {
    let message = message.trim();
    let (title, text) = message.split_once('\n').unwrap_or((message, ""));
    let text = text.trim();
    let last = text.rsplit("\n\n").next().unwrap_or_default();
    let gap = match last {
        "" => "",
        paragraph if paragraph.lines().all(is_trailer) => "\n",
        _ => "\n\n",
    };
    let text = format!("{text}{gap}Coord-Assignment: {assignment}");
    (title.trim_end().to_owned(), text)
}

fn is_trailer(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(key, _)| {
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_joins_other_trailers_only() {
        let id = AssignmentId::from_bits(10);
        for (message, title, text) in [
            ("fix: a title\n", "fix: a title", ""),
            ("Title\n\nBody text.", "Title", "Body text.\n\n"),
            ("T\r\n\nBody.\n\nCloses: #1\n", "T", "Body.\n\nCloses: #1\n"),
            ("Title\n\nCloses: #1", "Title", "Closes: #1\n"),
        ] {
            let expected = (
                title.to_owned(),
                format!("{text}Coord-Assignment: 00000000000a"),
            );
            assert_eq!(title_and_text(message, &id), expected);
        }
    }
}
