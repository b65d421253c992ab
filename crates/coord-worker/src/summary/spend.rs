//! What a run has cost so far: estimated from the tokens of its messages until it tells a total.
//!
//! The stream tells the tokens of a message when the message begins, the prompt's exactly and of
//! the answer none to speak of: that is estimated from what is seen of it. Thinking that is not
//! shown, calls that print no message (of titles, of a compaction) and prices that are not the list's
//! are what the estimate can be wrong by.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::price::Price;
use crate::stream::{Message, Usage};
use crate::text;

/// Messages of subagents come between those of the model.
const MAX_OPEN: usize = 32;

/// The cost of a run, and of the session that it goes on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spend {
    /// What the session had cost before this run.
    before_usd: f64,
    /// The last total that was told for the whole session.
    told_usd: f64,
    /// What has come since then and cannot grow any more.
    since_usd: f64,
    /// Messages that may still grow.
    open: VecDeque<Open>,
    /// The most that it ever was.
    most_usd: f64,
    /// What it was when the latest message began.
    earlier_usd: f64,
    /// How many messages of any model there were.
    messages: u32,
}

/// A message that may still grow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Open {
    /// The fingerprint of its id.
    id: u64,
    model: String,
    usage: Usage,
    /// Bytes of what was seen of it; 0 once its tokens are told.
    seen: u64,
}

impl Open {
    fn usd(&self) -> f64 {
        let price = Price::of(&self.model, &self.usage);
        price.prompt(&self.usage) + price.output(self.usage.output, self.seen)
    }
}

impl Spend {
    /// US dollars so far, of the whole session. It never falls.
    #[must_use]
    pub fn so_far_usd(&self) -> f64 {
        micros(self.most_usd)
    }

    /// US dollars so far, of this run alone. It never falls.
    #[must_use]
    pub fn of_run_usd(&self) -> f64 {
        micros(self.most_usd - self.before_usd).max(0.0)
    }

    /// What [`Spend::of_run_usd`] was when the latest message began: who has used up a budget by then
    /// has gone on regardless.
    #[must_use]
    pub fn before_last_message_usd(&self) -> f64 {
        micros(self.earlier_usd - self.before_usd).max(0.0)
    }

    /// US dollars of the whole session, as well as is known: once a total is told, an estimate that
    /// was too high counts no more.
    #[must_use]
    pub fn best_usd(&self) -> f64 {
        micros(self.now())
    }

    /// How many messages of any model there were, subagents' included.
    #[must_use]
    pub const fn messages(&self) -> u32 {
        self.messages
    }

    /// The session had cost so much before. Only what comes later counts as this run's.
    pub(super) fn goes_on(&mut self, before_usd: f64) {
        self.before_usd = before_usd;
        self.told_usd = before_usd;
        self.most_usd = before_usd;
    }

    /// Counts one event of a message.
    pub(super) fn message(&mut self, message: &Message<'_>) {
        let id = text::fingerprint(message.id.as_bytes());
        let mut open = self.take(id).unwrap_or_else(|| {
            self.messages = self.messages.saturating_add(1);
            self.earlier_usd = self.most_usd;
            Open {
                id,
                model: text::line(&message.model, 80),
                ..Open::default()
            }
        });
        open.usage.grow(&message.usage);
        open.seen = open.seen.saturating_add(message.bytes);
        self.put(open);
    }

    /// Counts what a message has become, where the stream tells it.
    pub(super) fn grown(&mut self, id: &str, output: u64) {
        let id = text::fingerprint(id.as_bytes());
        if let Some(mut open) = self.take(id) {
            open.usage.output = open.usage.output.max(output);
            open.seen = 0;
            self.put(open);
        }
    }

    /// Takes over a total of the whole session. One that leaves earlier runs out, because they were
    /// killed before the CLI wrote theirs down, is of no use.
    pub(super) fn told(&mut self, total_usd: f64) {
        if total_usd >= self.before_usd {
            self.told_usd = self.told_usd.max(total_usd);
            self.since_usd = 0.0;
            self.open.clear();
            self.rise();
        }
    }

    fn take(&mut self, id: u64) -> Option<Open> {
        let at = self.open.iter().position(|open| open.id == id)?;
        self.open.remove(at)
    }

    fn put(&mut self, open: Open) {
        if self.open.len() == MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.since_usd += oldest.usd();
        }
        self.open.push_back(open);
        self.rise();
    }

    fn rise(&mut self) {
        self.most_usd = self.most_usd.max(self.now());
    }

    fn now(&self) -> f64 {
        let open: f64 = self.open.iter().map(Open::usd).sum();
        self.told_usd + self.since_usd + open
    }
}

/// To a millionth.
fn micros(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::{Folder, Summary};

    const MODEL: &str = "claude-opus-5-5";

    fn message(id: &str, input: u64, text: &str) -> String {
        format!(
            r#"{{"type":"assistant","message":{{"id":"{id}","model":"{MODEL}","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"output_tokens":1}}}}}}"#
        )
    }

    fn result(usd: f64) -> String {
        format!(r#"{{"type":"result","is_error":false,"total_cost_usd":{usd}}}"#)
    }

    fn fold(before: f64, lines: &[String]) -> Summary {
        let mut folder = Folder::default().after_runs_that_cost(before);
        for line in lines {
            folder.feed(line.as_bytes());
            folder.feed(b"\n");
        }
        folder.summary().clone()
    }

    #[test]
    fn a_message_is_paid_once_and_for_what_is_seen_of_it() {
        let one = fold(0.0, &[message("a", 1_000_000, "")]).spend;
        assert_eq!((one.so_far_usd(), one.messages()), (4.00002, 1));
        let text = "x".repeat(40_000);
        let both = [message("a", 1_000_000, ""), message("a", 1_000_000, &text)];
        let both = fold(0.0, &both).spend;
        assert_eq!((both.so_far_usd(), both.messages()), (4.2, 1));
    }

    #[test]
    fn a_call_counts_with_all_of_its_input() {
        let long = "x".repeat(3990);
        let call = format!(
            r#"{{"type":"assistant","message":{{"id":"a","model":"{MODEL}","content":[{{"type":"tool_use","id":"t","name":"Edit","input":{{"file_path":"/w","edits":[{{"new":"{long}","n":1}}]}}}}]}}}}"#
        );
        // 1001 tokens: `/w`, the names and the text are 4001 bytes.
        assert_eq!(fold(0.0, &[call]).spend.so_far_usd(), 0.02002);
    }

    #[test]
    fn what_the_stream_tells_counts_more_than_what_is_seen() {
        let told = r#"{"type":"stream_event","event":{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"output_tokens":500}},"api_message_id":"a"}"#;
        let lines = [message("a", 0, &"x".repeat(40_000)), told.to_owned()];
        assert_eq!(fold(0.0, &lines).spend.best_usd(), 0.01);
        assert_eq!(fold(0.0, &lines).spend.so_far_usd(), 0.2, "it never falls");
        let unknown = [told.to_owned()];
        assert_eq!(fold(0.0, &unknown).spend.so_far_usd(), 0.0);
    }

    #[test]
    fn a_total_takes_the_place_of_the_estimate() {
        let more = [
            message("a", 1_000_000, ""),
            result(5.0),
            message("b", 1_000_000, ""),
        ];
        let more = fold(0.0, &more).spend;
        assert_eq!((more.so_far_usd(), more.best_usd()), (9.00002, 9.00002));
        let less = fold(0.0, &[message("a", 1_000_000, ""), result(3.0)]).spend;
        assert_eq!((less.so_far_usd(), less.best_usd()), (4.00002, 3.0));
    }

    #[test]
    fn the_latest_message_does_not_count_before_it_begins() {
        let one = message("a", 1_000_000, "");
        let two = [one.clone(), one, message("b", 1_000_000, "")];
        let first = fold(2.0, &two[..2]).spend;
        assert_eq!(first.before_last_message_usd(), 0.0);
        let second = fold(2.0, &two).spend;
        assert_eq!(second.before_last_message_usd(), 4.00002);
    }

    #[test]
    fn what_the_session_had_cost_before_is_not_this_run_s() {
        let resumed = fold(2.0, &[message("a", 1_000_000, "")]).spend;
        assert_eq!(
            (resumed.so_far_usd(), resumed.of_run_usd()),
            (6.00002, 4.00002)
        );
        let told = fold(2.0, &[message("a", 1_000_000, ""), result(6.5)]).spend;
        assert_eq!((told.best_usd(), told.of_run_usd()), (6.5, 4.5));
    }

    #[test]
    fn a_total_without_the_runs_before_is_of_no_use() {
        let forgot = fold(5.0, &[message("a", 1_000_000, ""), result(4.1)]).spend;
        assert_eq!((forgot.best_usd(), forgot.of_run_usd()), (9.00002, 4.00002));
    }

    #[test]
    fn many_messages_are_all_counted_and_few_are_kept() {
        let lines: Vec<_> = (0..100)
            .map(|n| message(&format!("m{n}"), 1000, ""))
            .collect();
        let spend = fold(0.0, &lines).spend;
        assert_eq!(
            (spend.so_far_usd(), spend.open.len()),
            (0.402, super::MAX_OPEN)
        );
        assert_eq!(spend.messages(), 100);
    }

    #[test]
    fn what_the_cli_says_itself_costs_nothing() {
        let own = message("a", 1_000_000, "").replace(MODEL, "<synthetic>");
        assert_eq!(fold(0.0, &[own]).spend.messages(), 0);
    }
}
