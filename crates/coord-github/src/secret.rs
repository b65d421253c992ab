//! A token that cannot be shown by accident.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use octocrab::secrecy::{ExposeSecret, SecretString};

/// A token, with the place it came from. Neither `Debug` nor any message shows the token.
#[derive(Clone)]
pub struct Secret {
    text: SecretString,
    origin: String,
}

impl Secret {
    /// `origin` is for messages: the name of a variable, or the command that printed it. White
    /// space around the token is dropped: files and commands end with a line break.
    #[must_use]
    pub fn new(text: &str, origin: impl Into<String>) -> Self {
        Self {
            text: text.trim().into(),
            origin: origin.into(),
        }
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it could be a token at all: visible ASCII, and at least one character of it.
    pub(crate) fn is_sound(&self) -> bool {
        let text = self.text.expose_secret();
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    pub(crate) const fn text(&self) -> &SecretString {
        &self.text
    }

    /// Tells tokens apart without giving one away: 32 bits of a token of at least 160.
    pub(crate) fn fingerprint(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.text.expose_secret().hash(&mut hasher);
        (hasher.finish() & u64::from(u32::MAX)) as u32
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(from {})", self.origin)
    }
}

/// `text` with tokens blotted out: `known` wherever it stands, and whatever looks like one of
/// GitHub's, because a proxy may quote a request in its answer.
pub(crate) fn blot(text: &str, known: Option<&SecretString>) -> String {
    let mut text = text.to_owned();
    if let Some(known) = known.map(ExposeSecret::expose_secret)
        && !known.is_empty()
    {
        text = text.replace(known, "***");
    }
    for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"] {
        text = blot_prefix(&text, prefix, "_");
    }
    // What an app shows of itself: three parts of base64, the first of which begins with `{"`.
    blot_prefix(&text, "eyJ", "_-.")
}

/// Blots out what follows `prefix`: letters, digits and `signs`.
fn blot_prefix(text: &str, prefix: &str, signs: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    let mut pieces = text.split(prefix);
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        clean.push_str(prefix);
        clean.push_str("***");
        clean.push_str(piece.trim_start_matches(is_part));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let secret = Secret::new("hunter2-token\n", "GITHUB_TOKEN");
        assert_eq!(format!("{secret:?}"), "Secret(from GITHUB_TOKEN)");
        assert!(secret.is_sound());
    }

    #[test]
    fn what_is_no_token_is_seen() {
        for text in ["", " \n", "a b", "a\nb", "töken", "a\u{0}"] {
            assert!(!Secret::new(text, "x").is_sound(), "{text:?}");
        }
    }

    #[test]
    fn tokens_are_blotted_out() {
        let known = SecretString::from("s3cr3t");
        let text = "bad s3cr3t, ghp_abcDEF1, github_pat_11A_b. and eyJhbGci.eyJpc3Mi.a-b_c x";
        assert_eq!(
            blot(text, Some(&known)),
            "bad ***, ghp_***, github_pat_***. and eyJ***eyJ*** x"
        );
    }
}
