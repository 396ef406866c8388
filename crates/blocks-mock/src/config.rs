//! Reads a script file: a JSON file with the settings of a mock, such as scripts, faults and limits.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::dialect::Dialect;
use crate::fault::FaultRule;
use crate::limit::RateLimit;
use crate::object;
use crate::rules::AgentRule;
use crate::script::Script;

/// Contains the settings of a mock. A script file contains the same fields as JSON. In the file, durations are strings
/// such as `"1m 30s"`.
///
/// ```
/// use blocks_mock::MockConfig;
///
/// let config: MockConfig = serde_json::from_str(r#"{
///     "dialect": "documented",
///     "agent": {
///         "text": "Done.", "when": {"after": "1m"},
///         "steps": [{"at": "10s", "do": {"message": "Looking."}}]
///     },
///     "faults": [
///         {"operation": "createSession", "when": {"times": 2},
///          "fault": {"status": {"status": 503, "after_effect": true}}}
///     ],
///     "rate_limit": {"requests": 100, "window": "1m", "retry_after": {"seconds": 2}}
/// }"#)?;
/// let mock = blocks_mock::MockBuilder::from(config).build();
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MockConfig {
    /// URL or path of the JSON Schema of the file. An editor uses it, and the mock ignores it.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<String>,
    /// API key that the mock accepts. Default: `test-key`.
    pub key: String,
    /// Dialect: `"observed"`, `"documented"`, `"vendor_mock"`, or the switches that differ from `observed`.
    pub dialect: DialectConfig,
    /// Script of each turn that no rule matches.
    pub agent: Script,
    /// Rules that choose a script. The first rule that matches a turn is used.
    pub agents: Vec<AgentRule>,
    /// Faults. The first fault that applies to a request is used.
    pub faults: Vec<FaultRule>,
    /// Rate limit. Default: none.
    pub rate_limit: Option<RateLimit>,
    /// Seed of the mock's random numbers. With a seed, every run has the same start date. If the requests of every run
    /// have the same order and the same times, every run also has the same ids and the same random choices of faults.
    pub seed: Option<u64>,
    /// Port to listen on. Default: 0, a free port.
    pub port: u16,
    /// Delay before each response of the service. The request takes effect before the delay. Default: none.
    #[serde(with = "crate::duration")]
    #[schemars(with = "String")]
    pub delay: Duration,
    /// How long presigned URLs are valid. Default: 6 days.
    #[serde(with = "crate::duration")]
    #[schemars(with = "String")]
    pub presigned_url_ttl: Duration,
    /// How many of the newest requests the log keeps. Default: 10,000.
    pub request_log_size: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            json_schema: None,
            key: "test-key".into(),
            dialect: DialectConfig::default(),
            agent: Script::default(),
            agents: Vec::new(),
            faults: Vec::new(),
            rate_limit: None,
            seed: None,
            port: 0,
            delay: Duration::ZERO,
            presigned_url_ttl: Duration::from_secs(6 * 86_400),
            request_log_size: 10_000,
        }
    }
}

impl MockConfig {
    /// Reads a script file.
    ///
    /// # Errors
    /// The file is not valid. The text of the error contains the line, the field, or both, unless the whole file is a
    /// list.
    ///
    /// ```
    /// let error = blocks_mock::MockConfig::parse("{\n  \"faults\": [{\"when\": 7}]\n}").unwrap_err();
    /// assert!(error.contains("faults[0].when") && error.contains("line 2"), "{error}");
    /// assert!(blocks_mock::MockConfig::parse(r#"{"$schema": "mock.schema.json", "port": 80}"#).is_ok());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let config = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| object::describe(&error))?;
        json.end().map_err(|error| error.to_string())?;
        let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        object::check_objects(&config, &value)?;
        Ok(config)
    }

    /// Returns the JSON Schema of a script file.
    ///
    /// ```
    /// let schema = blocks_mock::MockConfig::schema();
    /// assert!(schema["properties"]["agents"].is_object());
    /// ```
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// Selects a dialect by its name, or by its switches.
///
/// ```
/// use blocks_mock::{Dialect, DialectConfig};
///
/// let named: DialectConfig = serde_json::from_str(r#""documented""#)?;
/// assert_eq!(Dialect::from(named), Dialect::documented());
/// let switches: DialectConfig = serde_json::from_str(r#"{"created_status": 201}"#)?;
/// assert_eq!(Dialect::from(switches).created_status, 201);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum DialectConfig {
    /// The name of a preset.
    Named(DialectName),
    /// The switches that differ from `observed`.
    Switches(Box<Dialect>),
}

/// Names a preset of a dialect.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DialectName {
    /// [`Dialect::observed`]
    #[default]
    Observed,
    /// [`Dialect::documented`]
    Documented,
    /// [`Dialect::vendor_mock`]
    VendorMock,
}

impl std::str::FromStr for DialectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "observed" => Ok(Self::Observed),
            "documented" => Ok(Self::Documented),
            "vendor_mock" => Ok(Self::VendorMock),
            _ => Err(format!(
                "unknown dialect `{text}`: expected observed, documented or vendor_mock"
            )),
        }
    }
}

/// Implements the trait by hand, because the error of `#[serde(untagged)]` would not name the invalid switch.
impl<'de> Deserialize<'de> for DialectConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = DialectConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a dialect, or an object of its switches")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<DialectConfig, E> {
                let name = name.parse().map_err(E::custom)?;
                Ok(DialectConfig::Named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DialectConfig, A::Error> {
                let switches = Dialect::deserialize(MapAccessDeserializer::new(map))?;
                Ok(switches.into())
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Default for DialectConfig {
    fn default() -> Self {
        Self::Named(DialectName::Observed)
    }
}

impl From<Dialect> for DialectConfig {
    fn from(dialect: Dialect) -> Self {
        Self::Switches(Box::new(dialect))
    }
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Observed => Self::observed(),
            DialectName::Documented => Self::documented(),
            DialectName::VendorMock => Self::vendor_mock(),
        }
    }
}

impl From<DialectConfig> for Dialect {
    fn from(choice: DialectConfig) -> Self {
        match choice {
            DialectConfig::Named(name) => name.into(),
            DialectConfig::Switches(dialect) => *dialect,
        }
    }
}
