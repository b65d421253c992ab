//! What the supervisor is told to run, and the plain format in which that is handed over.
//!
//! A sequence of fields, each `NAME LENGTH\n` + that many bytes + `\n`. Lengths instead of separators,
//! because arguments, paths and variables hold any byte. Repeated fields keep their order.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::deadlines::Limits;

/// The first bytes of the format; another number is another format.
const MAGIC: &[u8] = b"coord-launch 1\n";

/// Everything there is to know about one worker to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions {
    /// Program and arguments; the program is looked up in the `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// The worker's working folder.
    pub cwd: PathBuf,
    /// The whole environment of the worker: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Where its stdin comes from.
    pub stdin: Stdin,
    /// Lines that open the log; each gets `# ` in front if it does not start with `#`.
    pub header: Vec<String>,
    /// When it is ended without being asked.
    pub limits: Limits,
}

/// Where the worker's stdin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// The file [`crate::files::PROMPT`] in the assignment's folder.
    PromptFile,
    /// A pipe that stays open for orders `input`, beginning with this line.
    Steered(Vec<u8>),
}

/// The file is not what [`Instructions::encode`] writes.
#[derive(Debug, PartialEq, Eq)]
pub struct MalformedInstructions(&'static str);

impl std::fmt::Display for MalformedInstructions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the launch instructions are malformed: {}", self.0)
    }
}

impl std::error::Error for MalformedInstructions {}

impl Instructions {
    /// The bytes of the file `launch`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for arg in &self.argv {
            field(&mut out, "arg", arg.as_bytes());
        }
        field(&mut out, "cwd", self.cwd.as_os_str().as_bytes());
        for (key, value) in &self.env {
            field(&mut out, "key", key.as_bytes());
            field(&mut out, "value", value.as_bytes());
        }
        match &self.stdin {
            Stdin::PromptFile => field(&mut out, "prompt", b""),
            Stdin::Steered(first) => field(&mut out, "steered", first),
        }
        for line in &self.header {
            field(&mut out, "header", line.as_bytes());
        }
        for (name, limit) in self.limits.named() {
            if let Some(limit) = limit {
                field(&mut out, name, limit.as_millis().to_string().as_bytes());
            }
        }
        out
    }

    /// Reads what [`Instructions::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are cut, of another version, or lack the program or the folder.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedInstructions> {
        let mut rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(MalformedInstructions("unknown format"))?;
        let mut found = Self {
            argv: Vec::new(),
            cwd: PathBuf::new(),
            env: Vec::new(),
            stdin: Stdin::PromptFile,
            header: Vec::new(),
            limits: Limits::default(),
        };
        while !rest.is_empty() {
            let (name, value, after) = split_field(rest).ok_or(MalformedInstructions("cut off"))?;
            found.take(name, value)?;
            rest = after;
        }
        if found.argv.is_empty() || found.cwd.as_os_str().is_empty() {
            return Err(MalformedInstructions("no program or no folder"));
        }
        Ok(found)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), MalformedInstructions> {
        let owned = || OsString::from_vec(value.to_vec());
        match name {
            b"arg" => self.argv.push(owned()),
            b"cwd" => self.cwd = PathBuf::from(owned()),
            b"key" => self.env.push((owned(), OsString::new())),
            b"value" => {
                let (_, slot) = self
                    .env
                    .last_mut()
                    .ok_or(MalformedInstructions("value without key"))?;
                *slot = owned();
            }
            b"prompt" => self.stdin = Stdin::PromptFile,
            b"steered" => self.stdin = Stdin::Steered(value.to_vec()),
            b"header" => self
                .header
                .push(String::from_utf8_lossy(value).into_owned()),
            _ => {
                let millis = parse_number(value).ok_or(MalformedInstructions("not a number"))?;
                if !self.limits.set(name, Duration::from_millis(millis)) {
                    return Err(MalformedInstructions("unknown field"));
                }
            }
        }
        Ok(())
    }

    /// The program, for messages.
    pub(crate) fn program(&self) -> &OsStr {
        self.argv
            .first()
            .map_or(OsStr::new(""), OsString::as_os_str)
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(format!(" {}\n", value.len()).as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Name, value, and what follows.
fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let line_end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, body) = (bytes.get(..line_end)?, bytes.get(line_end + 1..)?);
    let space = line.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(parse_number(line.get(space + 1..)?)?).ok()?;
    let after = body.get(length..)?.strip_prefix(b"\n")?;
    Some((line.get(..space)?, body.get(..length)?, after))
}

/// A decimal number without sign.
pub(crate) fn parse_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Instructions {
        Instructions {
            argv: vec![
                "sh".into(),
                OsString::from_vec(vec![0xff, b'\n', b' ']),
                "".into(),
            ],
            cwd: PathBuf::from("/tmp/über uns\n"),
            env: vec![("A".into(), "1\n2 3".into()), ("B".into(), "".into())],
            stdin: Stdin::Steered(b"{\"a\":1}".to_vec()),
            header: vec!["# agent=x".to_owned()],
            limits: Limits {
                grace: Duration::from_millis(1500),
                stall: Some(Duration::from_secs(7)),
                ..Limits::default()
            },
        }
    }

    #[test]
    fn any_bytes_survive_the_round_trip() {
        assert_eq!(Instructions::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_whole() {
        let whole = sample().encode();
        for end in 0..whole.len() {
            let cut = Instructions::decode(whole.get(..end).unwrap());
            assert_ne!(cut, Ok(sample()), "cut at {end}");
        }
        assert!(Instructions::decode(b"coord-launch 2\n").is_err());
        assert!(Instructions::decode(b"coord-launch 1\narg 99999999999999999999\n").is_err());
    }
}
