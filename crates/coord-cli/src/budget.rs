//! What is left of the rate limits of GitHub, as it was said last. Nobody is asked.

use std::collections::BTreeMap;

use coord_core::ids::Timestamp;
use coord_store::{RateLimit, Store, StoreError};
use serde_json::{Value, json};

use crate::printer::{Printer, WARN, paint, plain};
use crate::time::clock;

/// The limit that nearly every request counts against.
const MAIN: &str = "core";

/// What is left, by who asks whom.
#[derive(Debug)]
pub(crate) struct Budget(Vec<(String, RateLimit)>);

impl Budget {
    /// As it stands in the store, of whoever asked each GitHub last. Of tokens that were used
    /// before only what is parked is worth a word.
    pub(crate) async fn read(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        store
            .rate_limits()
            .await
            .map(|limits| Self(current(limits, now)))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let limit = |(scope, limit): &(String, RateLimit)| {
            json!({"scope": scope, "resource": limit.resource, "limit": limit.limit,
                "remaining": limit.remaining, "resets_at": limit.resets_at,
                "parked_until": limit.parked_until, "seen_at": limit.seen_at})
        };
        self.0.iter().map(limit).collect()
    }

    /// Lines for people: what is left, and what is parked.
    pub(crate) fn print(&self, printer: Printer, now: Timestamp) {
        for (scope, limit) in &self.0 {
            let name = self.name(scope);
            if limit.resource == MAIN {
                printer.line(format_args!("{name}: {}", left(limit, now)));
            }
            if let Some(until) = limit.parked_until.filter(|until| *until > now) {
                let text = format!(
                    "{name}: the {} limit is used up; nothing is asked before {}",
                    plain(&limit.resource),
                    clock(until)
                );
                printer.line(paint(WARN, text));
            }
        }
    }

    /// Whoever asks one GitHub as one account needs no longer name.
    fn name(&self, scope: &str) -> String {
        let is_only = self.0.iter().all(|(other, _)| other == scope);
        match is_only {
            true => "GitHub".to_owned(),
            false => format!("GitHub ({})", plain(scope)),
        }
    }
}

fn current(limits: Vec<(String, RateLimit)>, now: Timestamp) -> Vec<(String, RateLimit)> {
    let mut last: BTreeMap<String, (Timestamp, String)> = BTreeMap::new();
    for (scope, limit) in &limits {
        let seen = (limit.seen_at, scope.clone());
        let known = last.entry(address(scope).to_owned()).or_default();
        *known = std::mem::take(known).max(seen);
    }
    let is_last = |scope: &str| last.get(address(scope)).is_some_and(|(_, it)| it == scope);
    let is_parked = |limit: &RateLimit| limit.parked_until.is_some_and(|until| until > now);
    limits
        .into_iter()
        .filter(|(scope, limit)| is_last(scope) || is_parked(limit))
        .collect()
}

/// A scope begins with the address of the API; who asks comes after it.
fn address(scope: &str) -> &str {
    scope.split_once(' ').map_or(scope, |(address, _)| address)
}

fn left(limit: &RateLimit, now: Timestamp) -> String {
    let most = grouped(limit.limit);
    if limit.resets_at <= now {
        return format!("{most} of {most} requests left");
    }
    let remaining = grouped(limit.remaining);
    let until = clock(limit.resets_at);
    format!("{remaining} of {most} requests left until {until}")
}

/// `4,812`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 60, 999, 5000, 15_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "60", "999", "5,000", "15,000", "1,234,567"]);
    }

    #[test]
    fn a_limit_that_was_filled_up_again_is_whole() {
        let at = Timestamp::from_millis;
        let limit = RateLimit {
            resource: MAIN.to_owned(),
            limit: 5000,
            remaining: 12,
            resets_at: at(2000),
            parked_until: None,
            seen_at: at(0),
        };
        assert_eq!(left(&limit, at(2000)), "5,000 of 5,000 requests left");
        let text = left(&limit, at(1999));
        assert!(
            text.starts_with("12 of 5,000 requests left until "),
            "{text}"
        );
    }

    #[test]
    fn tokens_of_yesterday_are_not_shown() {
        let at = Timestamp::from_millis;
        let entry = |scope: &str, seen: i64, parked_until: Option<i64>| {
            let limit = RateLimit {
                resource: MAIN.to_owned(),
                limit: 5000,
                remaining: 12,
                resets_at: at(2000),
                parked_until: parked_until.map(at),
                seen_at: at(seen),
            };
            (scope.to_owned(), limit)
        };
        let limits = vec![
            entry("https://one token 1", 10, None),
            entry("https://one token 2", 20, None),
            entry("https://one token 3", 5, Some(1001)),
            entry("https://one token 4", 6, Some(999)),
            entry("https://two app 1 installation 2", 1, None),
        ];
        let scopes: Vec<String> = current(limits, at(1000))
            .into_iter()
            .map(|(scope, _)| scope)
            .collect();
        assert_eq!(
            scopes,
            [
                "https://one token 2",
                "https://one token 3",
                "https://two app 1 installation 2"
            ]
        );
    }
}
