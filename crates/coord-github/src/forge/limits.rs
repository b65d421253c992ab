//! What GitHub takes, checked before it is asked, so that the refusal says what to do.

use coord_forge::ForgeError;

/// The longest body of an issue, pull request, review or comment, in characters.
pub(super) const BODY_CHARS: usize = 65_536;

/// Refuses a body that GitHub would refuse; `what` is e.g. `the comment`.
pub(super) fn check_body(what: &str, body: &str) -> Result<(), ForgeError> {
    // No text has more characters than bytes, and few are near the limit.
    if body.len() <= BODY_CHARS {
        return Ok(());
    }
    match body.chars().count() {
        0..=BODY_CHARS => Ok(()),
        length => Err(ForgeError::Refused {
            reason: format!("{what} has {length} characters, and GitHub takes {BODY_CHARS}"),
            hint: Some("shorten it".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_and_not_bytes() {
        assert!(check_body("the comment", &"ü".repeat(BODY_CHARS)).is_ok());
        let error = check_body("the comment", &"u".repeat(BODY_CHARS + 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the comment has 65537 characters, and GitHub takes 65536"
        );
    }
}
