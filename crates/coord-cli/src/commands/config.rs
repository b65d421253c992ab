//! `coord config`: which file counts, and what it means with every default filled in.

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::exit;
use crate::failure::Failure;
use crate::printer::{FAINT, paint};

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {}

pub(crate) fn run(app: &App, _: &ConfigArgs) -> Result<u8, Failure> {
    let (located, config) = app.config()?;
    if app.printer.is_json() {
        let path = &located.path;
        app.printer
            .json(&json!({"path": path, "source": located.source, "config": config}));
    } else {
        let origin = format!("# {} ({})", located.path.display(), located.source);
        app.printer.line(paint(FAINT, origin));
        app.printer.line(config.to_yaml()?.trim_end());
    }
    Ok(exit::OK)
}
