//! `Retry-After`, in both of its forms.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How long the server asks to wait. A date counts from the response's own `Date`, since the
/// two clocks may differ, or else from `now`; one that has passed is no wait.
/// `None` without the header, and for a value that is neither form.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a u64 holds ask for a wait without end.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let served = headers.get(DATE).and_then(|v| http_date(v.to_str().ok()?));
    let wait = http_date(text)? - served.unwrap_or(now);
    Some(wait.to_std().unwrap_or(Duration::ZERO))
}

/// The date of RFC 9110: the form in use, and the two that a recipient must also read.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
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

    #[test]
    fn both_forms_and_all_dates_are_read() {
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
        ] {
            assert_eq!(
                read(value.as_bytes()).map(|d| d.as_secs()),
                seconds,
                "{value}"
            );
        }
    }

    #[test]
    fn a_date_counts_from_the_servers_clock() {
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
        fn any_number_of_seconds_is_kept(seconds: u64) {
            prop_assert_eq!(read(seconds.to_string().as_bytes()), Some(Duration::from_secs(seconds)));
        }
    }
}
