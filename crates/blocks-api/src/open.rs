//! Contains types that also accept values that are not in the OpenAPI document. All enums except [`Direction`] keep
//! unknown values, ids need not be UUIDs, and times accept the common formats of ISO 8601.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::decode::{Decoded, FromJson, Text};
use crate::json::{JsonObject, RawJson};

/// Contains the text of an enum value that this release does not know.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UnknownValue(Box<str>);

impl fmt::Debug for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema), schemars(with = "String"))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A value that this release does not know. Do not match this variant, because a later release may know the
            /// value; compare [`as_str`](Self::as_str) instead.
            Other(UnknownValue),
        }

        impl $name {
            /// Every value that this release knows.
            pub const KNOWN: &[&str] = &[$($text),*];

            /// Returns whether this release knows the value.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }

            /// Returns the value as a string, as it is in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(UnknownValue(text)) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(UnknownValue(text.into())),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl FromJson for $name {
            fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
                serde_json::from_str(raw).map(Decoded::exact)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = Infallible;
            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.to_owned().into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

open_enum! {
    /// Names a core agent: an agent that is built into Blocks, such as `claude`.
    AgentName {
        /// Claude.
        Claude = "claude",
        /// Codex.
        Codex = "codex",
        /// Gemini.
        Gemini = "gemini",
        /// OpenCode.
        Opencode = "opencode",
        /// Cursor.
        Cursor = "cursor",
        /// Kimi.
        Kimi = "kimi",
        /// Sisyphus. The vendor's client sends this name, but the vendor's documentation does not mention it.
        Sisyphus = "sisyphus",
    }
}

open_enum! {
    /// Names the author of a message.
    MessageRole {
        /// The user.
        User = "user",
        /// The agent.
        Assistant = "assistant",
    }
}

open_enum! {
    /// Names the type of a message.
    MessageType {
        /// A message before the reply.
        Message = "message",
        /// The reply.
        FinalMessage = "final_message",
        /// A call of a tool, without its result.
        ToolCall = "tool_call",
    }
}

open_enum! {
    /// Names the type of an artifact.
    ArtifactKind {
        /// A plan.
        Plan = "plan",
        /// A file.
        File = "file",
    }
}

/// Sets the order of messages by time. Only requests contain an order, so the enum needs no variant for unknown values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum Direction {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl Direction {
    /// All values, as strings.
    pub const KNOWN: &[&str] = &["asc", "desc"];

    /// Returns the value as a string, as it is in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Contains a pull request in any format that the service was seen to send: an id or a URL as a string, or an object.
///
/// ```
/// use blocks_api::open::PullRequest;
///
/// let text = r#"["https://x/1", {"url": "https://x/2", "status": "open"}, 7]"#;
/// let all: Vec<PullRequest> = serde_json::from_str(text)?;
/// assert_eq!(all[1].url(), Some("https://x/2"));
/// assert_eq!(all[1].status(), Some("open"));
/// assert_eq!((all[2].url(), all[2].raw().as_str()), (None, "7"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PullRequest {
    url: Option<String>,
    status: Option<String>,
    raw: RawJson,
}

impl PullRequest {
    /// Returns the URL, or the string if the service sent only a string, such as an id. Returns `None` for any other
    /// value without a URL.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Returns the status, if the service sent an object with a `status` that is a string.
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// Returns the value exactly as it was received.
    pub fn raw(&self) -> &RawJson {
        &self.raw
    }
}

impl FromJson for PullRequest {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        let object: JsonObject = raw.parse().unwrap_or_default();
        let text = |name: &str| serde_json::from_str(object.raw(name)?).ok();
        Ok(Decoded::exact(Self {
            url: serde_json::from_str(raw).ok().or_else(|| text("url")),
            status: text("status"),
            raw: RawJson::of_valid(raw),
        }))
    }
}

impl Serialize for PullRequest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for PullRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PullRequest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"description": "A pull request: an id or a URL, or an object with `url` and `status`."})
    }
}

impl<'de> Deserialize<'de> for PullRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let decoded = Self::from_json(raw.get()).map_err(D::Error::custom)?;
        Ok(decoded.value)
    }
}

/// Contains an id. An id is usually a UUID, but the vendor does not guarantee this. So a received id is kept as text,
/// and is sent to the service unchanged.
///
/// The `FromStr` implementation is for ids that a user enters. It accepts only UUIDs, because the service rejects any
/// other id in the path of a URL.
///
/// ```
/// use blocks_api::open::Id;
///
/// let typed: Id = "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11".parse()?;
/// assert_eq!(typed.to_string(), "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11");
/// assert!("the first session".parse::<Id>().is_err());
///
/// let received: Id = serde_json::from_str("\"task-1\"")?;
/// assert_eq!(received.as_str(), "task-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

impl Id {
    /// Returns the id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as a UUID, or `None` if the id is not a UUID.
    pub fn to_uuid(&self) -> Option<Uuid> {
        self.0.parse().ok()
    }

    /// Reads an id that the service sent, for example in a link. Returns `None` if the text is `.`, or if a part of the
    /// text between slashes is `..`, because a server could read such a text as a relative path. Returns `None` if the
    /// text contains a backslash, because URL parsers read a backslash in a path as a slash. Also returns `None` if the
    /// text is empty, `null` or `undefined`.
    pub fn from_service(text: &str) -> Option<Self> {
        let is_absent = ["", ".", "null", "undefined"].contains(&text);
        // The generated methods encode the slashes of an id, but not its backslashes. And some servers decode a path
        // before they resolve `..`, so a text such as `a/../b` is refused too. The search for `..` is quicker than the
        // split, so only a text that contains `..` is split.
        let leaves_its_place = text.contains('\\')
            || (text.contains("..") && text.split('/').any(|part| part == ".."));
        (!is_absent && !leaves_its_place).then(|| Self(text.into()))
    }
}

impl FromJson for Id {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        let exact = raw.starts_with('"');
        let text = if exact {
            serde_json::from_str::<Text>(raw)?.0
        } else {
            // An id can also be a JSON number instead of a string.
            serde_json::from_str::<serde_json::Number>(raw).map(|_| raw.into())?
        };
        let value = Self::from_service(&text)
            .ok_or_else(|| serde_json::Error::custom(format_args!("`{text}` is not an id")))?;
        Ok(Decoded { value, exact })
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let uuid = Uuid::parse_str(text).map_err(|_| InvalidId(text.to_owned()))?;
        Ok(uuid.into())
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        Self(Arc::from(&*uuid.hyphenated().encode_lower(&mut buffer)))
    }
}

impl From<&Id> for Id {
    fn from(id: &Id) -> Self {
        id.clone()
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<Uuid> for Id {
    fn eq(&self, uuid: &Uuid) -> bool {
        self.to_uuid().as_ref() == Some(uuid)
    }
}

impl PartialEq<&Id> for Uuid {
    fn eq(&self, id: &&Id) -> bool {
        **id == *self
    }
}

impl PartialEq<Id> for Uuid {
    fn eq(&self, id: &Id) -> bool {
        *id == *self
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_service(&text)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` is not an id")))
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for Id {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "Usually a UUID."})
    }
}

/// Reports that a text is not a UUID, and so cannot be parsed as an [`Id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId(String);

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.0.chars().take(80).collect();
        write!(
            f,
            "invalid id {short:?}: expected a UUID, such as 5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11"
        )
    }
}

impl std::error::Error for InvalidId {}

/// Contains a point in time and the text that the service sent.
///
/// The service's documentation specifies only ISO 8601, and no time zone. So a time without a zone is read as UTC.
/// Serializing a timestamp gives the text that was received.
///
/// ```
/// use blocks_api::open::Timestamp;
///
/// let time: Timestamp = serde_json::from_str("\"2026-05-02T09:30:00\"")?;
/// assert_eq!(time.utc().timestamp(), 1_777_714_200);
/// assert_eq!(time.to_string(), "2026-05-02T09:30:00");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    utc: DateTime<Utc>,
    text: Box<str>,
}

impl Timestamp {
    /// Returns the point in time.
    pub fn utc(&self) -> DateTime<Utc> {
        self.utc
    }

    /// Returns the text that was received.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reads a time in a common format of ISO 8601: with or without a time zone, seconds and fractions, or only a date.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    const WITH_ZONE: [&str; 4] = [
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M%#z",
        "%Y-%m-%d %H:%M%#z",
    ];
    const WITHOUT_ZONE: [&str; 4] = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let offset = text
        .strip_suffix(['Z', 'z'])
        .map(|time| format!("{time}+00:00"));
    let text = offset.as_deref().unwrap_or(text);
    let with_zone = |format: &&str| DateTime::parse_from_str(text, format).ok();
    if let Some(time) = WITH_ZONE.iter().find_map(with_zone) {
        return Some(time.to_utc());
    }
    let without_zone = |format: &&str| NaiveDateTime::parse_from_str(text, format).ok();
    if let Some(time) = WITHOUT_ZONE.iter().find_map(without_zone) {
        return Some(time.and_utc());
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc())
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let utc = parse_time(text.trim()).ok_or_else(|| InvalidTimestamp(text.to_owned()))?;
        Ok(Self {
            utc,
            text: text.into(),
        })
    }
}

/// Reports that a text is not a time in a common format of ISO 8601.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTimestamp(String);

impl fmt::Display for InvalidTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.0.chars().take(80).collect();
        write!(
            f,
            "invalid time {short:?}: expected ISO 8601, such as 2026-05-02T09:30:00Z"
        )
    }
}

impl std::error::Error for InvalidTimestamp {}

impl FromJson for Timestamp {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        serde_json::from_str(raw).map(Decoded::exact)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "A time of ISO 8601."})
    }
}

/// Contains a secret URL on a storage host. Anyone who knows the URL can read the file. `Debug` output hides the query
/// of the URL.
///
/// ```
/// use blocks_api::open::PresignedUrl;
///
/// let url = PresignedUrl::from("https://storage.example/plan.md?signature=s3cret".to_owned());
/// assert_eq!(format!("{url:?}"), "https://storage.example/plan.md?<redacted>");
/// assert!(url.as_str().ends_with("s3cret"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(with = "String")
)]
pub struct PresignedUrl(String);

impl PresignedUrl {
    /// Returns the whole URL. A request to this URL must not contain the API key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromJson for PresignedUrl {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        serde_json::from_str(raw).map(Decoded::exact)
    }
}

impl From<String> for PresignedUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.0.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{address}?<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_survive_a_round_trip() {
        let role: MessageRole = serde_json::from_str("\"system\"").unwrap();
        assert_eq!(role, MessageRole::from("system".to_owned()));
        assert_eq!(serde_json::to_string(&role).unwrap(), "\"system\"");
    }

    #[test]
    fn pull_requests_are_read_in_every_shape() {
        let text = r#"["https://x/1",{"url":"https://x/2","status":"open"},7]"#;
        let all: Vec<PullRequest> = serde_json::from_str(text).unwrap();
        let urls: Vec<_> = all.iter().map(PullRequest::url).collect();
        let expected = [Some("https://x/1"), Some("https://x/2"), None];
        assert_eq!(urls, expected);
        assert_eq!(serde_json::to_string(&all).unwrap(), text);
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for (text, seconds) in [
            ("2026-05-02T09:30:00.250Z", 1_777_714_200),
            ("2026-05-02T11:30:00+02:00", 1_777_714_200),
            ("2026-05-02T11:30:00+0200", 1_777_714_200),
            ("2026-05-02 11:30:00+02", 1_777_714_200),
            ("2026-05-02T09:30:00", 1_777_714_200),
            ("2026-05-02 09:30:00.5", 1_777_714_200),
            ("2026-05-02T09:30Z", 1_777_714_200),
            ("2026-05-02T09:30", 1_777_714_200),
            ("2026-05-02", 1_777_680_000),
        ] {
            let time: Timestamp = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(time.utc().timestamp(), seconds, "{text}");
            assert_eq!(time.as_str(), text);
        }
        for text in ["", "soon", "1777714200", "2026-13-01T00:00:00Z", "09:30"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn typed_ids_are_uuids_and_received_ids_are_text() {
        for text in ["", "m1", "../x", "5f0c7a52"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
        for (json, id) in [
            ("\"t1\"", Some("t1")),
            ("\"a/b c\"", Some("a/b c")),
            ("12", Some("12")),
        ] {
            let read = Id::from_json(json).ok().map(|decoded| decoded.value);
            assert_eq!(read.as_ref().map(Id::as_str), id, "{json}");
        }
        for json in [
            "\"\"",
            "\"..\"",
            "\"a/../b\"",
            r#""a\\b""#,
            "\"null\"",
            "null",
            "true",
            "[1]",
        ] {
            assert!(Id::from_json(json).is_err(), "{json}");
        }
    }
}
