//! Types of the option values that this crate parses itself: time-outs, sessions and request fields.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use blocks_sdk::Id;
use serde_json::Value;

/// The time-out of 10 years, which has the effect of no limit. Longer time-outs are reduced to this value, since a
/// deadline could overflow otherwise.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A duration such as `90s` or `1h 30m`. A huge duration means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub Duration);

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "0" {
            // Zero is the only number that needs no unit.
            return Ok(Self(Duration::ZERO));
        }
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(Self(duration.min(NO_LIMIT))),
            Err(humantime::DurationError::NumberOverflow) => Ok(Self(NO_LIMIT)),
            Err(error) => Err(format!(
                "{error}; expected a duration such as 90s or `1h 30m`"
            )),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A session, given by its id or by the address of its page. Other commands print both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRef(pub Id);

impl FromStr for SessionRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = match text.split_once("/sessions/") {
            Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
            None => text,
        };
        id.parse()
            .map(Self)
            .map_err(|_| "expected a UUID, or the address of a session's page".to_owned())
    }
}

/// A value of the option `--field`, such as `budget=5`. It is for a request field that this version of the command does
/// not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: Value,
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("{what}; expected NAME=JSON, such as budget=5 or a='\"b\"'");
        let (name, value) = text.split_once('=').ok_or_else(|| wrong("no `=`"))?;
        if name.is_empty() {
            return Err(wrong("no name"));
        }
        let value = serde_json::from_str(value).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_timeouts_mean_no_limit() {
        for text in [
            "18446744073709551615s",
            "99999999999999999999999s",
            "600000000years",
        ] {
            assert_eq!(text.parse(), Ok(Timeout(NO_LIMIT)), "{text}");
        }
        assert_eq!("0".parse(), Ok(Timeout(Duration::ZERO)));
        for text in ["-5s", "soon", "", "5", "5 parsecs"] {
            assert!(text.parse::<Timeout>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_is_an_id_or_an_address() {
        let id = Id::from(uuid::Uuid::from_u128(7));
        for text in [
            id.to_string(),
            format!("https://blocks.team/app/sessions/{id}"),
            format!("https://blocks.team/app/w/sessions/{id}/?tab=a#b"),
        ] {
            assert_eq!(text.parse(), Ok(SessionRef(id.clone())), "{text}");
        }
        for text in ["", "x", "https://blocks.team/app/sessions/x"] {
            assert!(text.parse::<SessionRef>().is_err(), "{text}");
        }
    }
}
