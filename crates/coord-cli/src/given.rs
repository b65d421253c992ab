//! Texts that a person gives to a command: on the command line, in a file, or through stdin.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::{Failure, io};

/// What a worker is told; some commands need it, others take it.
#[derive(Debug, Args)]
pub(crate) struct GuidanceArgs {
    /// What to tell the worker
    #[arg(
        long,
        value_name = "TEXT",
        conflicts_with = "guidance_file",
        allow_hyphen_values = true
    )]
    guidance: Option<String>,
    /// A file with what to tell the worker; `-` reads it from stdin
    #[arg(long, value_name = "FILE", allow_hyphen_values = true)]
    guidance_file: Option<PathBuf>,
}

impl GuidanceArgs {
    /// The text, which is not empty where there is one.
    pub(crate) fn read(&self) -> Result<Option<String>, Failure> {
        let text = match (&self.guidance, &self.guidance_file) {
            (Some(text), _) => text.clone(),
            (None, Some(file)) => all_of(file)?,
            (None, None) => return Ok(None),
        };
        match text.trim().is_empty() {
            true => Err(Failure::usage("the guidance is empty")),
            false => Ok(Some(text)),
        }
    }
}

/// A whole file; `-` is stdin.
pub(crate) fn all_of(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = open(file).and_then(|mut from| from.read_to_string(&mut text));
    read.map_err(io(file))?;
    Ok(text)
}

/// The end of a file, at most `limit` bytes of text; `-` is stdin.
pub(crate) fn end_of(file: &Path, limit: usize) -> Result<String, Failure> {
    let end = open(file).and_then(|from| end(from, limit));
    end.map_err(io(file))
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    Ok(match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file)?),
    })
}

fn end(mut from: impl Read, limit: usize) -> io::Result<String> {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..read]);
        kept.drain(..kept.len().saturating_sub(limit));
    }
    // What is no UTF-8 grows when it is replaced.
    let text = String::from_utf8_lossy(&kept);
    let from = text.len().saturating_sub(limit);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at));
    Ok(text[from.unwrap_or(text.len())..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_fits_and_is_text() {
        assert_eq!(end("grüße".as_bytes(), 100).unwrap(), "grüße");
        assert_eq!(end("grüße".as_bytes(), 3).unwrap(), "ße");
        assert_eq!(end("grüße".as_bytes(), 2).unwrap(), "e");
        let long = "ü".repeat(100_000);
        assert_eq!(end(long.as_bytes(), 4096).unwrap(), "ü".repeat(2048));
        assert!(end(&[0xff; 10_000][..], 4096).unwrap().len() <= 4096);
        assert_eq!(end(&b""[..], 10).unwrap(), "");
    }
}
