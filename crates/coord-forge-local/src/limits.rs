//! What the local forge accepts: no more than a forge on the network would, so that work can move
//! from one to the other.

use coord_forge::{ForgeError, NewIssue};

/// As on GitHub.
const TITLE_CHARS: usize = 256;
/// A body is kept as it is, whatever it holds; this only keeps accidents out of the database.
const BODY_BYTES: usize = 1 << 20;

pub(crate) fn check_issue(new: &NewIssue) -> Result<(), ForgeError> {
    check_title(&new.title)?;
    check_body(&new.body)?;
    new.labels.iter().try_for_each(|label| check_label(label))
}

pub(crate) fn check_label(label: &str) -> Result<(), ForgeError> {
    line("a label", label)
}

pub(crate) fn check_title(title: &str) -> Result<(), ForgeError> {
    line("the title", title)?;
    match title.chars().count() {
        0..=TITLE_CHARS => Ok(()),
        length => Err(refused(
            format!("the title has {length} characters"),
            format!("keep it to {TITLE_CHARS}, and put the rest into the body"),
        )),
    }
}

pub(crate) fn check_body(body: &str) -> Result<(), ForgeError> {
    if body.len() <= BODY_BYTES {
        return Ok(());
    }
    Err(refused(
        format!("the text has {} bytes", body.len()),
        format!("keep it to {BODY_BYTES}"),
    ))
}

/// A text that stands in one line of a table.
fn line(what: &str, text: &str) -> Result<(), ForgeError> {
    if text.trim().is_empty() {
        return Err(refused(
            format!("{what} is empty"),
            "write at least one word".to_owned(),
        ));
    }
    if text.contains(char::is_control) {
        return Err(refused(
            format!("{what} holds a line break or another control character"),
            "write it in one line".to_owned(),
        ));
    }
    Ok(())
}

fn refused(reason: String, hint: String) -> ForgeError {
    ForgeError::Refused {
        reason,
        hint: Some(hint),
    }
}
