//! The primary rate limit: a budget of requests for an hour.

use super::exchange::{Answer, refusal};

const HOUR: i64 = 3600;

/// One budget for the whole server, however many accounts ask.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Seconds since the epoch.
    pub(crate) reset: i64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            limit: 5000,
            remaining: 5000,
            reset: 0,
        }
    }
}

impl Rate {
    /// Gives the whole budget back when its hour is over.
    pub(crate) fn refill(&mut self, now: i64) {
        if now >= self.reset {
            self.remaining = self.limit;
            self.reset = now + HOUR;
        }
    }

    /// Takes one request; none is left when it fails.
    pub(crate) fn take(&mut self) -> Result<(), Answer> {
        match self.remaining.checked_sub(1) {
            Some(remaining) => {
                self.remaining = remaining;
                Ok(())
            }
            None => Err(exceeded()),
        }
    }

    /// An answer of 304 was free.
    pub(crate) fn give_back(&mut self) {
        self.remaining = (self.remaining + 1).min(self.limit);
    }

    pub(crate) fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-used", self.used().to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }

    fn used(&self) -> u64 {
        self.limit.saturating_sub(self.remaining)
    }
}

/// What GitHub answers when the budget is used up.
pub(crate) fn exceeded() -> Answer {
    refusal(403, "API rate limit exceeded for user ID 1.")
}
