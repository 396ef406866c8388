//! Reads and writes durations as strings, such as `30s`, `1m 30s` and `250ms`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// Reads a duration of less than 36,600 days, which is about a century. A much longer duration could overflow when it
/// is added to a time.
pub fn parse(text: &str) -> Result<Duration, String> {
    const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);
    match humantime::parse_duration(text) {
        // humantime accepts `0` without a unit. This function rejects `0`, like every other number without a unit.
        Ok(_) if !text.contains(|c: char| c.is_alphabetic()) => Err(format!(
            "invalid duration `{text}`: expected a unit, such as 0s"
        )),
        Ok(duration) if duration < CENTURY => Ok(duration),
        Ok(_) => Err(format!(
            "invalid duration `{text}`: expected less than 100 years"
        )),
        Err(error) => Err(format!(
            "invalid duration `{text}`: {error}; write one such as 250ms or 1m 30s"
        )),
    }
}
