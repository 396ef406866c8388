//! Reads the header `Retry-After` in its two standard formats, and in non-standard formats that some services send.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Returns the pause that the service asks for, in whole seconds, rounded up. The header `Retry-After` can contain a
/// date with a time, such as today at 12:00:30, instead of a duration. Another header of the response, `Date`, contains
/// the service's current time, such as today at 12:00:00. Then the pause is the difference, 30 s. The clock of this
/// machine may differ from the service's clock, so its time `now` is used only if the `Date` header is missing or
/// cannot be read. For a time in the past, the pause is zero. Returns `None` if `Retry-After` is missing or cannot be
/// read.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let served = headers.get(DATE).and_then(|v| date(v.to_str().ok()?));
    let until = |date: DateTime<Utc>| {
        let wait = date - served.unwrap_or(now);
        whole_seconds(wait.to_std().unwrap_or(Duration::ZERO))
    };
    match seconds(text) {
        Some(seconds) => Some(match epoch(seconds) {
            Some(date) => until(date),
            None => seconds,
        }),
        None => date(text).map(until),
    }
}

/// Reads a duration such as `30`, `1.5 min` or `500ms`. The default unit is seconds. A negative duration becomes zero.
fn seconds(text: &str) -> Option<Duration> {
    let (is_negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "millisecond" | "milliseconds" => 0.001,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        _ => return None,
    };
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_negative {
        return Some(Duration::ZERO);
    }
    // A number that is too large for a `u64` becomes the maximum, `u64::MAX` seconds.
    if unit == 1.0 && !number.contains('.') {
        return Some(Duration::from_secs(number.parse().unwrap_or(u64::MAX)));
    }
    let value: f64 = number.parse().ok()?;
    let value = (value * unit).ceil();
    Some(Duration::try_from_secs_f64(value).unwrap_or(Duration::from_secs(u64::MAX)))
}

/// Reads a number as a date in seconds or milliseconds since 1970. Some services send such dates. Only numbers from
/// 1,000,000,000 count as dates: as pauses, they would be longer than 30 years. Returns `None` for a number that is a
/// pause.
fn epoch(seconds: Duration) -> Option<DateTime<Utc>> {
    match i64::try_from(seconds.as_secs()).ok()? {
        number @ 1_000_000_000..100_000_000_000 => DateTime::from_timestamp(number, 0),
        number @ 1_000_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(number),
        _ => None,
    }
}

fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(
        wait.as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0)),
    )
}

/// Reads a date with a time in a common format of ISO 8601, or in a format of RFC 9110. RFC 9110 defines one current
/// format, and two obsolete formats that a recipient must accept. Except in the obsolete format of the C function
/// `asctime`, the time zone can also be a number, such as `+0100`. A date without a time zone is in UTC.
fn date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let with_gmt = text.strip_suffix("UTC").map(|text| format!("{text}GMT"));
    let rfc = with_gmt.as_deref().unwrap_or(text);
    let with_zone =
        DateTime::parse_from_rfc2822(rfc).or_else(|_| DateTime::parse_from_rfc3339(text));
    let with_zone =
        with_zone.or_else(|_| DateTime::parse_from_str(text, "%A, %d-%b-%y %H:%M:%S %z"));
    if let Ok(date) = with_zone {
        return Some(date.to_utc());
    }
    let text = ["UTC", "GMT", "Z"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))
        .unwrap_or(text)
        .trim();
    [
        "%a, %d %b %Y %H:%M:%S",
        "%A, %d-%b-%y %H:%M:%S",
        "%a %b %e %H:%M:%S %Y",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
    ]
    .iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn read(value: &[u8]) -> Option<Duration> {
        let now = DateTime::from_timestamp(784_111_770, 0).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).ok()?);
        retry_after(&headers, now)
    }

    fn check(values: &[(&str, Option<u64>)]) {
        for (value, seconds) in values {
            let wait = read(value.as_bytes());
            assert_eq!(wait.map(|wait| wait.as_secs()), *seconds, "{value}");
        }
    }

    #[test]
    fn numbers_are_read_in_every_form() {
        check(&[
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("-1", Some(0)),
            ("+7", Some(7)),
            ("1.5", Some(2)),
            ("6.0", Some(6)),
            ("\"30\"", Some(30)),
            ("30s", Some(30)),
            ("30 seconds", Some(30)),
            ("2 min", Some(120)),
            ("1h", Some(3600)),
            ("1500ms", Some(2)),
            ("", None),
            (".5", None),
            ("1.2.3", None),
            ("30 parsecs", None),
            ("soon", None),
        ]);
    }

    #[test]
    fn dates_are_read_in_every_form() {
        check(&[
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 UTC", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37", Some(7)),
            ("Sun, 06 Nov 1994 09:49:37 +0100", Some(7)),
            ("1994-11-06T08:49:37Z", Some(7)),
            ("1994-11-06T08:49:36.2Z", Some(7)),
            ("1994-11-06T10:49:37+02:00", Some(7)),
            ("1994-11-06 08:49:37", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 99:49:37 GMT", None),
        ]);
    }

    #[test]
    fn a_time_since_1970_is_a_date() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("2026-01-01T00:00:00Z"));
        for value in ["1767225610", "1767225610000"] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            let wait = retry_after(&headers, DateTime::UNIX_EPOCH);
            assert_eq!(wait, Some(Duration::from_secs(10)), "{value}");
        }
    }

    #[test]
    fn a_date_counts_from_the_clock_of_the_service() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (DATE, "Sun, 06 Nov 1994 08:49:35 GMT"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let wait = retry_after(&headers, DateTime::UNIX_EPOCH);
        assert_eq!(wait, Some(Duration::from_secs(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(value: Vec<u8>) {
            read(&value);
        }

        #[test]
        fn any_number_below_a_billion_is_kept(seconds in 0..1_000_000_000_u64) {
            prop_assert_eq!(read(seconds.to_string().as_bytes()), Some(Duration::from_secs(seconds)));
        }

        #[test]
        fn any_fraction_is_rounded_up(millis in 0..100_000_u64) {
            let text = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(read(text.as_bytes()), Some(Duration::from_secs(millis.div_ceil(1000))));
        }
    }
}
