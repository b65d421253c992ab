//! Just enough JSON to write two small flat objects. Reading is left to programs with a parser.

use std::fmt::{Display, Write as _};

/// A flat object under construction, in the order of the calls.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a number, or `null`.
    pub(crate) fn number(mut self, key: &str, value: Option<impl Display>) -> Self {
        self.key(key);
        match value {
            Some(value) => {
                let _ = write!(self.0, "{value}");
            }
            None => self.0.push_str("null"),
        }
        self
    }

    /// Adds a string, or `null`.
    pub(crate) fn text(mut self, key: &str, value: Option<&str>) -> Self {
        self.key(key);
        match value {
            Some(value) => self.quote(value),
            None => self.0.push_str("null"),
        }
        self
    }

    /// The object as one line.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push_str("}\n");
        self.0.into_bytes()
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.quote(key);
        self.0.push(':');
    }

    fn quote(&mut self, text: &str) {
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                control if control < ' ' => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(control));
                }
                other => self.0.push(other),
            }
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_text_and_null() {
        let object = Object::new()
            .number("a", Some(1.5))
            .number("b", None::<i32>)
            .text("c", Some("quote \" slash \\ line\n bell \u{7} ü"))
            .text("d", None);
        assert_eq!(
            String::from_utf8(object.finish()).unwrap(),
            "{\"a\":1.5,\"b\":null,\"c\":\"quote \\\" slash \\\\ line\\n bell \\u0007 ü\",\"d\":null}\n"
        );
    }
}
