//! A worker's log as people want to read it.

use coord_worker::stream::{Block, Broken, Line, Slice, StreamEvent};

use crate::printer::{BAD, FAINT, GOOD, STRONG, WARN, paint, plain};

/// A line of a worker's log as people want to see it; nothing for what they do not.
pub(crate) fn log_line(slice: &Slice<'_>) -> Vec<String> {
    let line = match slice {
        Slice::Line(line) => *line,
        Slice::Overlong { len } => {
            return vec![paint(WARN, format_args!("[skipped] a line of {len} bytes"))];
        }
    };
    match coord_worker::stream::parse_line(line) {
        Line::Event(event) => stream_event(&event),
        Line::Comment => vec![paint(FAINT, plain(&short(&String::from_utf8_lossy(line))))],
        Line::Broken(Broken::NotJson) => vec![plain(&String::from_utf8_lossy(line))],
        Line::Broken(Broken::Damaged) => vec![paint(WARN, "[damaged] a line that is no event")],
        Line::Blank | Line::Unknown { .. } => Vec::new(),
    }
}

fn stream_event(event: &StreamEvent<'_>) -> Vec<String> {
    match event {
        StreamEvent::Init(init) => {
            let session: String = init.session_id.chars().take(8).collect();
            vec![tagged(
                STRONG,
                "init",
                &format!("{} session {session}", init.model),
            )]
        }
        StreamEvent::Assistant(message) => message.blocks.iter().filter_map(block).collect(),
        StreamEvent::ToolResults(results) => results
            .iter()
            .filter(|result| result.is_error)
            .map(|result| tagged(WARN, "error", &short(&result.text)))
            .collect(),
        StreamEvent::Result(result) => {
            let style = if result.is_error { BAD } else { GOOD };
            let cost = result
                .total_cost_usd
                .map(|usd| format!(" ${usd:.2}"))
                .unwrap_or_default();
            let text = format!("{}{cost}: {}", result.subtype, short(&result.text));
            vec![tagged(style, "result", &text)]
        }
        StreamEvent::Retry(retry) => {
            let text = format!("the API said `{}`, attempt {}", retry.error, retry.attempt);
            vec![tagged(WARN, "retry", &text)]
        }
        StreamEvent::RateLimit(limit) if limit.status != "allowed" => {
            vec![tagged(
                WARN,
                "limit",
                &format!("{} {}", limit.window, limit.status),
            )]
        }
        StreamEvent::Denied(denial) => {
            vec![tagged(
                WARN,
                "denied",
                &format!("{} {}", denial.tool, short(&denial.about)),
            )]
        }
        StreamEvent::VcsChanged(what) => vec![tagged(FAINT, "git", what)],
        StreamEvent::RateLimit(_) | StreamEvent::Grown(_) | StreamEvent::Noise => Vec::new(),
    }
}

fn block(block: &Block<'_>) -> Option<String> {
    match block {
        Block::Text(text) => {
            let lines: Vec<String> = text.lines().map(plain).collect();
            Some(lines.join("\n"))
        }
        Block::ToolUse(tool) => Some(tagged(
            FAINT,
            "tool",
            &format!("{} {}", tool.name, short(tool.target())),
        )),
        Block::Other => None,
    }
}

fn tagged(style: anstyle::Style, tag: &str, text: &str) -> String {
    format!("{} {}", paint(style, format_args!("[{tag}]")), plain(text))
}

/// The first line, cut to a length that is pleasant to read.
fn short(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut cut: String = line.chars().take(160).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}
