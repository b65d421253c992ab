//! How each event changes a [`Summary`].

use coord_core::ids::Timestamp;

use super::{
    Answer, Commits, DeniedCall, FileEdit, LastResult, Limit, Retrying, Summary, commands,
};
use crate::stream::{
    self, Block, Broken, Denial, Init, Line, Message, RateLimit, Retry, RunResult, StreamEvent,
    ToolUse,
};
use crate::text;

const MAX_FILES: usize = 1000;
const MAX_DENIALS: usize = 100;
const MAX_TOOLS: usize = 64;
const MAX_UNKNOWN: usize = 32;
/// Subagents' messages come between those of the model, so the latest id alone is not enough.
const MAX_RECENT_MESSAGES: usize = 32;
const MAX_NAME: usize = 200;
const MAX_PATH: usize = 1024;
const MAX_ACTIVITY: usize = 160;
/// Who was asked for JSON may say it as text.
const MAX_RESULT: usize = 64 * 1024;

impl Summary {
    /// Folds one line of the log.
    pub(super) fn fold_line(&mut self, line: &[u8]) {
        if stream::is_noise(line) {
            self.events += 1;
            return;
        }
        match stream::parse_line(line) {
            // Damage to the text must not hide the event around it.
            Line::Broken(Broken::Damaged) if str::from_utf8(line).is_err() => {
                let mended = String::from_utf8_lossy(line);
                self.fold(stream::parse_line(mended.as_bytes()));
            }
            line => self.fold(line),
        }
    }

    fn fold(&mut self, line: Line<'_>) {
        match line {
            Line::Comment | Line::Blank => {}
            Line::Broken(Broken::NotJson) => add_one(&mut self.broken.not_json),
            Line::Broken(Broken::Damaged) => add_one(&mut self.broken.damaged),
            Line::Unknown { kind } => {
                self.events += 1;
                let known = self.unknown.len() < MAX_UNKNOWN || self.unknown.contains_key(&kind);
                let kind = if known { kind } else { "other".to_owned() };
                add_one(self.unknown.entry(kind).or_default());
            }
            Line::Event(event) => {
                self.events += 1;
                self.fold_event(event);
            }
        }
    }

    fn fold_event(&mut self, event: StreamEvent<'_>) {
        match event {
            StreamEvent::Init(init) => self.init(&init),
            StreamEvent::Assistant(message) => self.message(&message),
            StreamEvent::Grown(grown) => self.spend.grown(&grown.id, grown.output),
            StreamEvent::Result(result) => self.result(&result),
            StreamEvent::Retry(retry) => self.retry(&retry),
            StreamEvent::RateLimit(limit) => self.rate_limit(&limit),
            StreamEvent::Denied(denial) => self.denied(&denial, false),
            StreamEvent::VcsChanged(kind) => {
                if kind == "commit" {
                    add_one(&mut self.commits.announced);
                    self.committed();
                }
            }
            StreamEvent::ToolResults(_) | StreamEvent::Noise => {}
        }
    }

    fn init(&mut self, init: &Init<'_>) {
        self.session_id = non_empty(&init.session_id, MAX_NAME).or(self.session_id.take());
        self.model = non_empty(&init.model, MAX_NAME).or(self.model.take());
        // A later `init` of the same run may come from a folder that the worker has gone to.
        self.cwd = self.cwd.take().or_else(|| non_empty(&init.cwd, MAX_PATH));
    }

    fn message(&mut self, message: &Message<'_>) {
        let own = !message.subagent && !message.is_synthetic();
        if !message.is_synthetic() {
            self.retrying = None;
            self.spend.message(message);
        }
        if own && self.is_new_message(&message.id) {
            add_one(&mut self.turns);
            self.commits.turn();
        }
        for block in &message.blocks {
            match block {
                Block::Text(prose) => {
                    self.activity = non_empty(prose, MAX_ACTIVITY).or(self.activity.take());
                    if own {
                        self.claims.read(prose);
                    }
                }
                Block::ToolUse(tool) => self.tool_use(tool, message.subagent),
                Block::Other => {}
            }
        }
    }

    fn is_new_message(&mut self, id: &str) -> bool {
        let id = text::fingerprint(id.as_bytes());
        if self.recent_messages.contains(&id) {
            return false;
        }
        if self.recent_messages.len() == MAX_RECENT_MESSAGES {
            self.recent_messages.pop_front();
        }
        self.recent_messages.push_back(id);
        true
    }

    fn tool_use(&mut self, tool: &ToolUse<'_>, subagent: bool) {
        let name = text::line(&tool.name, MAX_NAME);
        self.activity = Some(text::line(
            &format!("{name}: {}", tool.target()),
            MAX_ACTIVITY,
        ));
        let counted = self.tools.len() < MAX_TOOLS || self.tools.contains_key(&name);
        let counter = if counted {
            name.clone()
        } else {
            "other".to_owned()
        };
        add_one(self.tools.entry(counter).or_default());
        self.last_tool = Some(name);
        if let Some(path) = tool.edited_path() {
            self.edited(path, &tool.id);
        }
        if let Some(command) = tool.command.as_deref().filter(|_| tool.name == "Bash") {
            self.command(command, subagent);
        }
    }

    /// Several subagents may well run the same command: theirs are not counted as repeats.
    fn command(&mut self, command: &str, subagent: bool) {
        if !subagent {
            self.commands.ran(command);
        }
        if commands::commits(command) {
            add_one(&mut self.commits.commands);
            self.committed();
        }
    }

    fn committed(&mut self) {
        self.commits.turns_since = 0;
        self.commands.something_changed();
    }

    fn edited(&mut self, path: &str, tool_use_id: &str) {
        self.commands.something_changed();
        let path = self.relative(path);
        if self.files.len() < MAX_FILES && !self.files.iter().any(|edit| edit.path == path) {
            let tool_use_id = text::line(tool_use_id, MAX_NAME);
            self.files.push(FileEdit { path, tool_use_id });
        }
    }

    fn relative(&self, path: &str) -> String {
        let below = self.cwd.as_deref().and_then(|cwd| {
            let rest = path
                .strip_prefix(cwd.trim_end_matches('/'))?
                .strip_prefix('/')?;
            (!rest.split('/').any(|part| part == "..")).then_some(rest)
        });
        text::line(below.unwrap_or(path), MAX_PATH)
    }

    /// `told` says whether `about` is the call's own command or file rather than an explanation.
    fn denied(&mut self, denial: &Denial<'_>, told: bool) {
        let id = text::line(&denial.tool_use_id, MAX_NAME);
        self.files.retain(|edit| edit.tool_use_id != id);
        let about = text::line(&denial.about, MAX_NAME);
        if let Some(known) = self
            .denials
            .iter_mut()
            .find(|known| known.tool_use_id == id)
        {
            if told && !about.is_empty() {
                known.about = about;
            }
        } else if self.denials.len() < MAX_DENIALS {
            let tool = text::line(&denial.tool, MAX_NAME);
            self.denials.push(DeniedCall {
                tool,
                tool_use_id: id,
                about,
            });
        }
    }

    fn retry(&mut self, retry: &Retry<'_>) {
        add_one(&mut self.retries);
        let error = text::line(&retry.error, MAX_NAME);
        self.activity = Some(format!("waiting for the API: {error}"));
        self.retrying = Some(Retrying {
            attempt: retry.attempt,
            status: retry.error_status,
            error,
        });
    }

    fn rate_limit(&mut self, limit: &RateLimit<'_>) {
        let rejected = match limit.status.as_ref() {
            "rejected" => true,
            "allowed_warning" => false,
            // `allowed` is news, not a limit; and what is not known to be a limit is none.
            _ => {
                self.limit = None;
                return;
            }
        };
        if rejected {
            add_one(&mut self.limits_hit);
        }
        self.limit = Some(Limit {
            rejected,
            window: text::line(&limit.window, MAX_NAME),
            resets_at: limit.resets_at.map(Timestamp::from_secs_f64),
        });
    }

    fn result(&mut self, result: &RunResult<'_>) {
        add_one(&mut self.results);
        self.retrying = None;
        self.session_id = self
            .session_id
            .take()
            .or_else(|| non_empty(&result.session_id, MAX_NAME));
        if let Some(cost) = result.total_cost_usd {
            self.spend.told(cost);
            // Rounded, because a stored summary has to equal the one that was stored.
            self.cost_usd = self.cost_usd.max((cost * 1e6).round() / 1e6);
        }
        for denial in &result.denials {
            self.denied(denial, true);
        }
        self.last_result = Some(LastResult {
            subtype: text::line(&result.subtype, MAX_NAME),
            is_error: result.is_error,
            terminal_reason: result
                .terminal_reason
                .as_deref()
                .map(|reason| text::line(reason, MAX_NAME)),
            api_error_status: result.api_error_status,
            text: text::block(&result.text, MAX_RESULT),
            answer: result.answer.as_ref().map(Answer::bounded),
        });
    }
}

impl Commits {
    fn turn(&mut self) {
        add_one(&mut self.turns_since);
        self.longest_gap = self.longest_gap.max(self.turns_since);
    }
}

fn add_one(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

fn non_empty(text: &str, max: usize) -> Option<String> {
    Some(text::line(text, max)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::Folder;
    use super::*;

    fn fold(lines: &[&str]) -> Summary {
        let mut folder = Folder::default();
        for line in lines {
            folder.feed(line.as_bytes());
            folder.feed(b"\n");
        }
        folder.summary().clone()
    }

    fn assistant(id: &str, block: &str) -> String {
        format!(
            r#"{{"type":"assistant","message":{{"id":"{id}","model":"m","content":[{block}]}},"parent_tool_use_id":null}}"#
        )
    }

    fn write(id: &str, path: &str) -> String {
        let block = format!(
            r#"{{"type":"tool_use","id":"{id}","name":"Write","input":{{"file_path":"{path}"}}}}"#
        );
        assistant(id, &block)
    }

    const INIT: &str =
        r#"{"type":"system","subtype":"init","cwd":"/w/t","session_id":"s","model":"m"}"#;

    #[test]
    fn paths_are_relative_below_the_worktree_only() {
        let lines = [
            "/w/t/a b/ä.rs",
            "/w/tt/c",
            "/w/t/../d",
            "e",
            "/w/t/a b/ä.rs",
        ];
        let writes: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(i, path)| write(&i.to_string(), path))
            .collect();
        let mut log = vec![INIT];
        log.extend(writes.iter().map(String::as_str));
        let paths: Vec<_> = fold(&log).files.into_iter().map(|edit| edit.path).collect();
        assert_eq!(paths, ["a b/ä.rs", "/w/tt/c", "/w/t/../d", "e"]);
    }

    #[test]
    fn a_denied_edit_is_taken_back_and_counted_once() {
        let denied = r#"{"type":"system","subtype":"permission_denied","tool_name":"Write","tool_use_id":"t1","message":"no"}"#;
        let result = r#"{"type":"result","is_error":false,"permission_denials":[{"tool_name":"Write","tool_use_id":"t1","tool_input":{"file_path":"/w/t/a"}}]}"#;
        let summary = fold(&[
            INIT,
            &write("t1", "/w/t/a"),
            &write("t2", "/w/t/b"),
            denied,
            result,
        ]);
        assert_eq!(summary.files.len(), 1);
        assert_eq!(summary.denials.len(), 1);
        assert_eq!(summary.denials[0].about, "/w/t/a");
    }

    #[test]
    fn a_subagent_takes_no_turn_and_makes_no_claim() {
        let said = r#"{"type":"assistant","message":{"id":"x","model":"m","content":[{"type":"text","text":"STUCK: no"}]},"parent_tool_use_id":"t"}"#;
        let summary = fold(&[said]);
        assert_eq!((summary.turns, summary.claims.stuck), (0, None));
    }

    #[test]
    fn a_tool_that_prints_stuck_does_not_make_the_worker_stuck() {
        let answer = r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"STUCK: echoed"}]}}"#;
        assert_eq!(fold(&[answer]).claims.stuck, None);
    }

    #[test]
    fn a_limit_is_over_when_the_api_says_so() {
        let event = |status: &str| {
            format!(
                r#"{{"type":"rate_limit_event","rate_limit_info":{{"status":"{status}","resetsAt":100,"rateLimitType":"five_hour"}}}}"#
            )
        };
        let rejected = fold(&[&event("rejected")]);
        assert!(rejected.is_rate_limited());
        assert_eq!(
            rejected.limit.unwrap().resets_at,
            Some(Timestamp::from_millis(100_000))
        );
        let over = fold(&[&event("rejected"), &event("allowed")]);
        assert_eq!((over.limit, over.limits_hit), (None, 1));
        assert!(!fold(&[&event("allowed_warning")]).is_rate_limited());
    }

    #[test]
    fn invalid_utf8_hides_nothing() {
        let mut folder = Folder::default();
        folder.feed(b"{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"STATUS: \xff\xfe ok\"}]}}\n");
        assert_eq!(folder.summary().claims.updates, ["\u{fffd}\u{fffd} ok"]);
        assert_eq!(folder.summary().broken.total(), 0);
    }

    #[test]
    fn an_answer_that_comes_as_text_is_kept() {
        let said = |length: usize| {
            let line = serde_json::json!({"type": "result", "result": "x".repeat(length)});
            fold(&[&line.to_string()]).last_result.unwrap().text.len()
        };
        assert_eq!(said(60_000), 60_000);
        assert_eq!(said(1_000_000), MAX_RESULT);
    }

    #[test]
    fn the_cost_never_falls() {
        let cost =
            |usd: f64| format!(r#"{{"type":"result","is_error":false,"total_cost_usd":{usd}}}"#);
        assert_eq!(fold(&[&cost(0.3), &cost(0.1)]).cost_usd, 0.3);
    }

    #[test]
    fn an_answer_is_kept_whole_or_not_at_all() {
        let answer = |json: &str| {
            let line =
                format!(r#"{{"type":"result","is_error":false,"structured_output":{json}}}"#);
            fold(&[&line]).last_result.unwrap().answer
        };
        let kept = serde_json::json!({"b": [1, "\u{1b}", null], "a": 0.1});
        assert_eq!(answer(&kept.to_string()), Some(Answer::Whole(kept)));
        assert_eq!(answer("null"), None);
        let fits = "x".repeat(Answer::MAX_BYTES - 2);
        assert_eq!(
            answer(&format!("\"{fits}\"")),
            Some(Answer::Whole(fits.as_str().into()))
        );
        let large = format!("\"{fits}x\"");
        assert_eq!(answer(&large), Some(Answer::TooLarge(large.len())));
    }

    #[test]
    fn plain_text_is_counted_and_not_read() {
        let mut folder = Folder::default().of_plain_text();
        folder.feed(b"{\"type\":\"result\",\"is_error\":false}\nhalf a li");
        folder.finish();
        assert_eq!(folder.position(), 44);
        assert_eq!((folder.summary().results, folder.summary().events), (0, 0));
    }

    #[test]
    fn counters_of_untrusted_names_are_bounded() {
        let lines: Vec<_> = (0..500)
            .map(|i| {
                assistant(
                    "m",
                    &format!(r#"{{"type":"tool_use","id":"{i}","name":"tool{i}"}}"#),
                )
            })
            .chain((0..500).map(|i| format!(r#"{{"type":"novel{i}"}}"#)))
            .collect();
        let summary = fold(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(summary.tools.len(), MAX_TOOLS + 1);
        assert_eq!(summary.tools.values().sum::<u32>(), 500);
        assert_eq!(summary.unknown.len(), MAX_UNKNOWN + 1);
    }
}
