//! What a token costs, for the estimate of a run that goes on.
//!
//! Source: the public list prices of Anthropic's API, "Pricing" in its documentation
//! (platform.claude.com/docs/en/about-claude/pricing), as of November 2026; those of the models whose
//! names end in `5-5` are also what Claude Code 2.1.330 itself reckons with. Batches, fast modes and
//! negotiated prices are not in it, and a subscription is charged otherwise: an estimate.

use crate::stream::Usage;

/// What one model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Price {
    /// A part of the model's name.
    name: &'static str,
    /// For prompts of more tokens than this, cached ones included.
    prompt_over: u64,
    /// Of the prompt, uncached.
    input: f64,
    /// Of the prompt, from the cache.
    cache_read: f64,
    /// Written.
    output: f64,
}

/// The price of writing to the cache for five minutes, as a multiple of `input`.
const WRITE: f64 = 1.25;
/// The same for an hour.
const WRITE_FOR_AN_HOUR: f64 = 2.0;
/// The bytes that a token stands for, where nobody has counted them: a rule of thumb.
const BYTES_PER_TOKEN: u64 = 4;

/// The dearest there is: for models that are not known.
const DEAREST: Price = price("", 0, 15.0, 1.5, 75.0);

/// The first one that fits counts.
const PRICES: [Price; 15] = [
    price("fable-5-1", 0, 10.0, 0.25, 50.0),
    price("mythos-5-1", 0, 10.0, 0.25, 50.0),
    price("fable", 0, 10.0, 1.0, 50.0),
    price("mythos", 0, 10.0, 1.0, 50.0),
    price("opus-5-5", 0, 4.0, 0.2, 20.0),
    price("opus-4-1", 0, 15.0, 1.5, 75.0),
    price("opus-4-2025", 0, 15.0, 1.5, 75.0),
    price("3-opus", 0, 15.0, 1.5, 75.0),
    price("opus", 0, 5.0, 0.5, 25.0),
    price("sonnet-5-5", 0, 2.0, 0.1, 10.0),
    price("sonnet-5", 0, 2.0, 0.2, 10.0),
    price("sonnet", 0, 3.0, 0.3, 15.0),
    price("haiku-5-5", 100_000, 0.5, 0.05, 2.5),
    price("haiku-5-5", 0, 0.1, 0.01, 0.5),
    price("haiku", 0, 1.0, 0.1, 5.0),
];

const fn price(
    name: &'static str,
    prompt_over: u64,
    input: f64,
    cache_read: f64,
    output: f64,
) -> Price {
    Price {
        name,
        prompt_over,
        input,
        cache_read,
        output,
    }
}

impl Price {
    /// The price of `model` for a prompt as in `usage`.
    pub(super) fn of(model: &str, usage: &Usage) -> Self {
        let cached = usage.cache_write.saturating_add(usage.cache_read);
        let prompt = usage.input.saturating_add(cached);
        let fits = |it: &&Self| model.contains(it.name) && prompt >= it.prompt_over;
        PRICES.iter().find(fits).copied().unwrap_or(DEAREST)
    }

    /// US dollars for the prompt.
    pub(super) fn prompt(&self, usage: &Usage) -> f64 {
        let hour = usage.cache_write_hour.min(usage.cache_write);
        let write = WRITE * tokens(usage.cache_write - hour) + WRITE_FOR_AN_HOUR * tokens(hour);
        let input = self.input * (tokens(usage.input) + write);
        (input + self.cache_read * tokens(usage.cache_read)) / 1e6
    }

    /// US dollars for what was written: so many tokens as counted, and at least what was seen.
    pub(super) fn output(&self, counted: u64, seen_bytes: u64) -> f64 {
        let seen = seen_bytes.div_ceil(BYTES_PER_TOKEN);
        self.output * tokens(counted.max(seen)) / 1e6
    }
}

/// Exact up to 2^53, which no message has.
fn tokens(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_by_their_names() {
        let output = |model: &str| Price::of(model, &Usage::default()).output;
        for (model, usd) in [
            ("claude-opus-5-5", 20.0),
            ("claude-opus-4-5-20251101", 25.0),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", 75.0),
            ("claude-opus-4-20250514", 75.0),
            ("claude-sonnet-5-5", 10.0),
            ("claude-3-7-sonnet-20250219", 15.0),
            ("claude-haiku-5-5", 0.5),
            ("claude-haiku-4-5", 5.0),
            ("claude-test", 75.0),
            ("", 75.0),
        ] {
            assert_eq!(output(model), usd, "{model}");
        }
    }

    #[test]
    fn what_is_unknown_is_no_cheaper_than_anything() {
        for it in PRICES {
            assert!(it.input <= DEAREST.input && it.output <= DEAREST.output);
            assert!(it.cache_read <= DEAREST.cache_read);
        }
    }

    #[test]
    fn a_long_prompt_counts_what_is_cached() {
        let usage = Usage {
            cache_read: 90_000,
            cache_write: 20_000,
            ..Usage::default()
        };
        assert_eq!(Price::of("claude-haiku-5-5", &usage).output, 2.5);
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let million = 1_000_000;
        let usage = Usage {
            input: million,
            cache_write: 2 * million,
            cache_write_hour: million,
            cache_read: million,
            output: 0,
        };
        let opus = Price::of("claude-opus-5-5", &usage);
        assert_eq!(opus.prompt(&usage), 4.0 + 5.0 + 8.0 + 0.2);
        assert_eq!(opus.output(million, 4), 20.0);
        assert_eq!(opus.output(1, 4 * million), 20.0);
    }

    #[test]
    fn absurd_counts_are_no_panic() {
        let usage = Usage {
            input: u64::MAX,
            cache_write: 1,
            cache_write_hour: u64::MAX,
            cache_read: u64::MAX,
            output: u64::MAX,
        };
        assert!(Price::of("x", &usage).prompt(&usage).is_finite());
    }
}
