//! Serves the scripted Messages API by itself, to drive a real worker against it by hand.
//!
//! Prints its address for `ANTHROPIC_BASE_URL`, serves until its stdin is closed, and then prints
//! the requests that it answered.

use std::io::{self, Read as _, Write as _};

use coord_test_support::messages_api::MessagesApi;

fn main() -> anyhow::Result<()> {
    let api = MessagesApi::start()?;
    writeln!(io::stdout(), "{}", api.base_url())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    for request in api.requests() {
        writeln!(io::stdout(), "{request:?}")?;
    }
    Ok(())
}
