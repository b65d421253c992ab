//! What GitHub's answers say of its rate limits.
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use coord_core::ids::Timestamp;
use coord_store::RateLimit;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::Answer;

/// The limits that have no window of their own: too many requests at once, or too many writes.
pub(super) const SECONDARY: &str = "secondary";
/// Secondary limits without a `Retry-After`: GitHub asks for a minute at least.
const PATIENCE_SECS: u64 = 60;
/// Longer than any window of GitHub's; a server that is wrong about the time parks nobody for ever.
pub(super) const LONGEST_SECS: u64 = 24 * 60 * 60;

/// The limit that a request to this path counts for.
pub(super) fn resource_of(path: &str) -> &'static str {
    if path.starts_with("/search/code") {
        "code_search"
    } else if path.starts_with("/search/") {
        "search"
    } else {
        "core"
    }
}

/// The primary limit that the answer tells of; it is parked when nothing is left.
pub(super) fn told_in(answer: &Answer, path: &str, now: Timestamp) -> Option<RateLimit> {
    let headers = answer.headers();
    let number = |name| text(headers, name)?.parse::<u64>().ok();
    let (limit, remaining) = (
        number("x-ratelimit-limit")?,
        number("x-ratelimit-remaining")?,
    );
    let resets_at = Timestamp::from_millis(0).plus_secs(number("x-ratelimit-reset")?);
    let resets_at = resets_at.min(now.plus_secs(LONGEST_SECS));
    let resource = text(headers, "x-ratelimit-resource").filter(|name| is_word(name));
    let resource = resource.unwrap_or(resource_of(path));
    Some(RateLimit {
        resource: resource.to_owned(),
        limit,
        remaining,
        resets_at,
        parked_until: (remaining == 0 && resets_at > now).then_some(resets_at),
        seen_at: now,
    })
}

/// Until when the answer asks for patience beyond its primary limit, if it refuses for that.
pub(super) fn asks_for_patience(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let status = answer.status();
    if !matches!(
        status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    ) {
        return None;
    }
    if let Some(until) = retry_after(answer.headers(), now) {
        return Some(until);
    }
    let used_up = text(answer.headers(), "x-ratelimit-remaining") == Some("0");
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS || used_up || complains(answer.body());
    is_limit.then(|| now.plus_secs(PATIENCE_SECS))
}

/// Whether a refusal is about a secondary limit: only its words tell it from a missing permission.
fn complains(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    [
        "secondary rate limit",
        "abuse detection",
        "api rate limit exceeded",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = match text.parse::<u64>() {
        Ok(seconds) => now.plus_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            Timestamp::from_millis(date.timestamp().as_millisecond())
        }
    };
    Some(until.min(now.plus_secs(LONGEST_SECS)))
}

/// Limits are shown to people; theirs are short names like `code_search`.
fn is_word(name: &str) -> bool {
    let in_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(in_word)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus_secs(seconds)
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_used_up_limit_is_parked_until_its_reset() {
        let told = |remaining, reset| {
            let headers = [
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset", reset),
            ];
            told_in(&answer(200, &headers, ""), "/search/issues", at(100)).unwrap()
        };
        assert_eq!(told("1", "200").parked_until, None);
        assert_eq!(told("0", "200").parked_until, Some(at(200)));
        assert_eq!(told("0", "50").parked_until, None);
        assert_eq!(
            told("0", "99999999999").parked_until,
            Some(at(100 + LONGEST_SECS))
        );
        assert_eq!(told("1", "200").resource, "search");
    }

    #[test]
    fn headers_that_make_no_sense_tell_nothing() {
        let headers = [
            ("x-ratelimit-limit", "many"),
            ("x-ratelimit-remaining", "-1"),
        ];
        assert!(told_in(&answer(200, &headers, ""), "/user", at(0)).is_none());
    }

    #[test]
    fn patience_is_what_the_server_asks_for() {
        let words = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let after = |text| [("retry-after", text)];
        for (answer, until) in [
            (answer(403, &after("7"), ""), Some(at(107))),
            (
                answer(429, &after("Thu, 01 Jan 1970 00:02:30 GMT"), ""),
                Some(at(150)),
            ),
            (answer(429, &after("soon"), ""), Some(at(160))),
            (
                answer(429, &after("18446744073709551615"), ""),
                Some(at(100 + LONGEST_SECS)),
            ),
            (answer(403, &[], words), Some(at(160))),
            (
                answer(403, &[("x-ratelimit-remaining", "0")], ""),
                Some(at(160)),
            ),
            (
                answer(403, &[], r#"{"message":"Resource not accessible"}"#),
                None,
            ),
            (answer(404, &after("7"), words), None),
        ] {
            assert_eq!(asks_for_patience(&answer, at(100)), until, "{answer:?}");
        }
    }
}
