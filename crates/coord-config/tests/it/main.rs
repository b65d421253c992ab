//! The configuration from outside: the seed's files, every kind of error, hostile input.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod ends;
mod errors;
mod example;
mod files;
mod hostile;
mod seed;
mod smoke;
mod values;

use std::path::Path;

use coord_config::{Config, ConfigError};

/// Reads `text` as the file `/etc/coord/coordinator.yml` for an account with the home `/home/me`.
fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_bytes(text.as_bytes())
}

fn parse_bytes(bytes: &[u8]) -> Result<Config, ConfigError> {
    let path = Path::new("/etc/coord/coordinator.yml");
    coord_config::parse(bytes, path, Some(Path::new("/home/me")))
}

/// The configuration of `text`, which has to be right.
fn config(text: &str) -> Config {
    match parse(text) {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

/// What is shown for `text`, which has to be wrong.
fn report(text: &str) -> String {
    report_bytes(text.as_bytes())
}

fn report_bytes(bytes: &[u8]) -> String {
    match parse_bytes(bytes) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string().replace("/etc/coord/", ""),
    }
}
