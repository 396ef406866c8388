//! Contains the settings that can change while the mock runs.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::{DialectConfig, MockConfig};
use crate::dialect::Dialect;
use crate::limit::RateLimit;
use crate::object;

/// Contains the settings that a test can change over HTTP, at `/_mock/`. A change does not affect requests that have
/// started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "dialect")]
    pub dialect: Dialect,
    pub rate_limit: Option<RateLimit>,
    /// Delay before each response of the service. The request takes effect before the delay.
    #[serde(with = "crate::duration")]
    pub delay: Duration,
    #[serde(with = "crate::duration")]
    pub presigned_url_ttl: Duration,
    pub request_log_size: usize,
}

impl Settings {
    /// Returns the settings with the values of `patch`. If the field `dialect` of `patch` is an object, only the
    /// switches in this object change. A setting that is null in `patch` gets its default.
    ///
    /// # Errors
    /// Returns the first field that is unknown or has an invalid value.
    pub fn patched(&self, patch: &Value) -> Result<Self, String> {
        let Value::Object(patch) = patch else {
            return Err("expected an object".into());
        };
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, new) in patch {
            match (value.get_mut(name), new) {
                (None, _) => return Err(format!("unknown field `{name}`")),
                (Some(Value::Object(switches)), Value::Object(new)) if name == "dialect" => {
                    switches.extend(new.clone());
                }
                (Some(field), new) => *field = new.clone(),
            }
        }
        if let Value::Object(fields) = &mut value {
            fields.retain(|_, value| !value.is_null());
        }
        object::from_value(&value)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::from(&MockConfig::default())
    }
}

impl From<&MockConfig> for Settings {
    fn from(config: &MockConfig) -> Self {
        Self {
            dialect: config.dialect.clone().into(),
            rate_limit: config.rate_limit.clone(),
            delay: config.delay,
            presigned_url_ttl: config.presigned_url_ttl,
            request_log_size: config.request_log_size,
        }
    }
}

fn dialect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Dialect, D::Error> {
    DialectConfig::deserialize(deserializer).map(Dialect::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names() {
        let start = Settings::default();
        let limited = start
            .patched(&json!({"rate_limit": {"requests": 7}, "delay": "50ms"}))
            .unwrap();
        assert_eq!(limited.rate_limit.as_ref().unwrap().requests, 7);
        assert_eq!(limited.delay, Duration::from_millis(50));
        assert_eq!(limited.dialect, start.dialect);
        let dialect = json!({"dialect": {"created_status": 201}});
        let switched = limited.patched(&dialect).unwrap();
        assert_eq!(switched.dialect.created_status, 201);
        assert_eq!(switched.dialect.validation_status, 422);
        let origin = json!({"dialect": {"link_origin": null}});
        assert_eq!(limited.patched(&origin).unwrap().dialect.link_origin, None);
        let named = switched.patched(&json!({"dialect": "documented"})).unwrap();
        assert_eq!(named.dialect, Dialect::documented());
        let removed = json!({"rate_limit": null, "delay": null, "dialect": null});
        assert_eq!(named.patched(&removed).unwrap(), start);
    }

    #[test]
    fn an_invalid_patch_names_the_field() {
        for (patch, expected) in [
            (json!({"delay": 5}), "field `delay`: "),
            (
                json!({"dialect": {"short_ids": null}}),
                "field `dialect.short_ids`: ",
            ),
            (json!({"rate_limit": [5]}), "field `rate_limit`: "),
            (json!({"dialect": "spoken"}), "field `dialect`: "),
            (
                json!({"dialect": {"created_status": "x"}}),
                "field `dialect.created_status`: ",
            ),
            (json!({"colour": null}), "unknown field `colour`"),
            (json!([1]), "expected an object"),
        ] {
            let error = Settings::default().patched(&patch).unwrap_err();
            assert!(error.contains(expected), "{patch}: {error}");
        }
    }
}
