//! What a command that thinks is doing: on a terminal one line that is written over, elsewhere a
//! line for each step.

use std::io::IsTerminal as _;
use std::time::Instant;

use crate::printer::{Printer, plain};

/// The line on stderr.
pub(crate) struct LiveLine {
    printer: Printer,
    /// How wide the terminal is; `None`: there is none.
    width: Option<usize>,
    since: Instant,
    /// The step.
    step: String,
    /// What is going on in it.
    detail: String,
}

impl LiveLine {
    /// Nothing is shown yet.
    pub(crate) fn new(printer: Printer) -> Self {
        let is_shown = !printer.is_json() && std::io::stderr().is_terminal();
        Self {
            printer,
            width: is_shown.then(width),
            since: Instant::now(),
            step: String::new(),
            detail: String::new(),
        }
    }

    /// Another step has begun.
    pub(crate) fn step(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.step == text {
            return;
        }
        self.step = text;
        self.detail.clear();
        match self.width {
            Some(_) => self.draw(),
            None => self.printer.note(&self.step),
        }
    }

    /// What is going on in this step.
    pub(crate) fn detail(&mut self, text: impl Into<String>) {
        self.detail = text.into();
        self.draw();
    }

    /// Says something that stays.
    pub(crate) fn note(&mut self, text: &str) {
        self.clear();
        self.printer.note(text);
        self.draw();
    }

    /// Shows that time goes by.
    pub(crate) fn draw(&self) {
        let Some(width) = self.width.filter(|_| !self.step.is_empty()) else {
            return;
        };
        let seconds = self.since.elapsed().as_secs();
        let detail = match self.detail.is_empty() {
            true => String::new(),
            false => format!(": {}", self.detail),
        };
        let text = plain(&format!("{seconds:3} s  {}{detail}", self.step));
        // A line that wraps could not be written over.
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        self.printer.write_over(&text);
    }

    fn clear(&self) {
        if self.width.is_some() {
            self.printer.write_over("");
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The usual width where the terminal does not say.
const USUAL_WIDTH: usize = 80;

fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let width = size.map_or(0, |size| usize::from(size.ws_col));
    match width {
        0 => USUAL_WIDTH,
        width => width,
    }
}
