//! Instants and durations as people read them: in the time zone of the machine, where nothing says
//! otherwise.

use coord_core::ids::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};

/// `2026-11-23 01:14:33`.
pub(crate) fn date_time(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `01:14:33`.
pub(crate) fn clock(at: Timestamp) -> String {
    zoned(at).strftime("%H:%M:%S").to_string()
}

fn zoned(at: Timestamp) -> Zoned {
    instant(at).to_zoned(TimeZone::system())
}

fn utc(at: Timestamp) -> Zoned {
    instant(at).to_zoned(TimeZone::UTC)
}

fn instant(at: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// `0.4s`, `12s`, `3m 5s`, `2h 7m`, `3d 4h`; negative spans read as zero.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let millis = (to.as_millis() - from.as_millis()).max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{seconds}.{}s", millis % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `2026-11-23` for days since the epoch, which are UTC as those of the budgets are.
pub(crate) fn day(day: i64) -> String {
    utc(Timestamp::from_millis(day.saturating_mul(86_400_000)))
        .strftime("%Y-%m-%d")
        .to_string()
}

/// `2026-11-23 01:14 UTC`.
pub(crate) fn minute_utc(at: Timestamp) -> String {
    utc(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Reads `2026-11-23`, `2026-11-23T01:14:33`, or a span back from now such as `2h` or `7 days`.
pub(crate) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    parse_in(text, now, TimeZone::system())
}

/// The same where dates are UTC.
pub(crate) fn parse_utc(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    parse_in(text, now, TimeZone::UTC)
}

fn parse_in(text: &str, now: Timestamp, zone: TimeZone) -> Result<Timestamp, String> {
    back(text, now)
        .or_else(|| absolute(text, zone))
        .ok_or_else(|| {
            format!(
                "`{text}` is neither a date such as 2026-11-23T08:00 nor a span such as 2h or 7d"
            )
        })
}

fn back(text: &str, now: Timestamp) -> Option<Timestamp> {
    let span: jiff::Span = text.parse().ok()?;
    let length = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()?;
    let millis = i64::try_from(length.as_millis()).ok()?;
    (length >= SignedDuration::ZERO)
        .then(|| Timestamp::from_millis(now.as_millis().saturating_sub(millis)))
}

fn absolute(text: &str, zone: TimeZone) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    let at = civil.to_zoned(zone).ok()?.timestamp();
    Some(Timestamp::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for text in [
            "1970-01-02 00:00:00",
            "2024-02-29 23:59:59",
            "2026-11-23 01:14:33",
        ] {
            let at = parse(text, Timestamp::default()).unwrap();
            assert_eq!(date_time(at), text);
        }
    }

    #[test]
    fn days_are_utc() {
        let now = Timestamp::default();
        let noon = parse_utc("2026-11-23T12:00", now).unwrap();
        assert_eq!(
            parse_utc(&day(noon.day()), now).unwrap().plus_secs(43_200),
            noon
        );
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(minute_utc(noon), "2026-11-23 12:00 UTC");
    }

    #[test]
    fn spans_count_back_from_now() {
        let now = Timestamp::from_millis(10_000_000);
        assert_eq!(parse("2h", now), Ok(Timestamp::from_millis(2_800_000)));
        for wrong in ["h", "2026-13-01", "grüße", "-3h", ""] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_has_two_units_at_most() {
        let at = Timestamp::from_millis;
        let spans = [450, 12_000, 185_000, 7_620_000, 273_600_000].map(|ms| span(at(0), at(ms)));
        assert_eq!(spans, ["0.4s", "12s", "3m 5s", "2h 7m", "3d 4h"]);
    }
}
