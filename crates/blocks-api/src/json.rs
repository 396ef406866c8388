//! Keeps JSON exactly as it was received.
//!
//! `serde_json::Value` rounds numbers that need more than 64 bits, and rejects some of these numbers. So this crate
//! keeps the JSON text of all data of a response that it does not interpret, such as unknown fields. No number in this
//! data is changed or rejected.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::decode::for_each_field;

/// Contains one JSON value, exactly as it was received.
///
/// ```
/// use blocks_api::json::RawJson;
///
/// let number: RawJson = serde_json::from_str("12345678901234567890123")?;
/// assert_eq!(serde_json::to_string(&number)?, "12345678901234567890123");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Returns the value, or `None` if `serde_json` cannot represent the value, for example the number `1e999`.
    pub fn to_value(&self) -> Option<Value> {
        serde_json::from_str(self.as_str()).ok()
    }

    /// Creates a value from `text`, which must be exactly one JSON value. If `text` is anything else, the created value
    /// is `null`.
    pub(crate) fn of_valid(text: &str) -> Self {
        let raw = RawValue::from_string(text.trim().to_owned());
        Self(raw.unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// Removes the escapes of printable ASCII characters from JSON text, except the escapes of `"` and `\`. Those
    /// become `\"` and `\\`. The result has the same meaning.
    ///
    /// Many servers write `/` as `\/`, and some write `?` as `\u003f`. So use this function before you search for
    /// something in JSON text.
    ///
    /// ```
    /// use blocks_api::json::RawJson;
    ///
    /// let text = br#"{"url": "https:\/\/files.example\u003Fsignature", "quote": "\u0022"}"#;
    /// let plain = br#"{"url": "https://files.example?signature", "quote": "\""}"#;
    /// assert_eq!(*RawJson::without_escapes(text), *plain);
    /// ```
    pub fn without_escapes(json: &[u8]) -> Cow<'_, [u8]> {
        let mut plain = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(offset) = json[at..].iter().position(|byte| *byte == b'\\') {
            at += offset;
            let Some((byte, length)) = escaped(&json[at..]) else {
                // An escape that is kept has at least two characters. The second may be a backslash, too.
                at = (at + 2).min(json.len());
                continue;
            };
            plain.extend_from_slice(&json[copied..at]);
            if matches!(byte, b'"' | b'\\') {
                plain.push(b'\\');
            }
            plain.push(byte);
            at += length;
            copied = at;
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        plain.extend_from_slice(&json[copied..]);
        Cow::Owned(plain)
    }

    /// Also removes the escapes that start with several backslashes, except those of `"` and `\`. A JSON string that
    /// contains JSON text can contain such escapes.
    ///
    /// Use this function after [`without_escapes`](Self::without_escapes), before you search for something in nested
    /// JSON text. The result is valid JSON, but can have another meaning: a string that is not JSON loses backslashes,
    /// too.
    ///
    /// ```
    /// use blocks_api::json::RawJson;
    ///
    /// let text = br#"{"input": "{\"url\": \"https:\\/\\/files.example\\u003fsignature\"}"}"#;
    /// let plain = br#"{"input": "{\"url\": \"https://files.example?signature\"}"}"#;
    /// assert_eq!(*RawJson::without_nested_escapes(text), *plain);
    /// ```
    pub fn without_nested_escapes(json: &[u8]) -> Cow<'_, [u8]> {
        let mut plain = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(offset) = json[at..].windows(2).position(|pair| pair == br"\\") {
            let start = at + offset;
            let slashes = json[start..].iter().take_while(|byte| **byte == b'\\');
            at = start + slashes.count();
            let found = escaped(&json[at - 1..]);
            if let Some((byte, length)) = found.filter(|(byte, _)| !matches!(byte, b'"' | b'\\')) {
                plain.extend_from_slice(&json[copied..start]);
                plain.push(byte);
                at += length - 1;
                copied = at;
            }
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        plain.extend_from_slice(&json[copied..]);
        Cow::Owned(plain)
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> Self {
        Self::of_valid(&value.to_string())
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// Prints the text without [escapes](RawJson::without_escapes) and without
/// [nested escapes](RawJson::without_nested_escapes). If a `?` follows the first `://` in the text, prints the text
/// only up to this `?`, because the query of a presigned URL gives access to a file.
impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_query(self.as_str()))
    }
}

/// Returns the text that `Debug` shows for a JSON text. A text without a query is unchanged.
fn without_query(json: &str) -> String {
    let plain = RawJson::without_escapes(json.as_bytes());
    let plain = RawJson::without_nested_escapes(&plain);
    let text = String::from_utf8_lossy(&plain);
    let query = text
        .find("://")
        .and_then(|address| Some(address + text[address..].find('?')?));
    match query {
        Some(query) => format!("{}?<redacted>", &text[..query]),
        None => json.to_owned(),
    }
}

/// Returns the printable ASCII character that the escape at the start of a JSON text represents, and the length of the
/// escape. Returns `None` for other characters, and for the escapes `\"` and `\\`.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [_, b'/', ..] => Some((b'/', 2)),
        [_, b'u', b'0', b'0', high, low, ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
            (b' '..=b'~').contains(&byte).then_some((byte, 6))
        }
        _ => None,
    }
}

/// The number of fields up to which a linear search for a field is quicker than a map.
const FEW_FIELDS: usize = 32;

/// Contains a JSON object. The values and their order are the same as in the received text. If the text contains
/// several fields with the same name, the last value is kept, at the position of the first.
///
/// The field `extra` of each response type is a `JsonObject`. `extra` contains everything that the typed fields cannot
/// represent, such as unknown fields, fields with an unexpected type, numbers that would be rounded, and nulls.
///
/// ```
/// use blocks_api::json::JsonObject;
///
/// let object: JsonObject = r#"{"model": "large", "seed": 12345678901234567890123}"#.parse()?;
/// assert_eq!(object.get("model"), Some("large".into()));
/// assert_eq!(object.raw("seed"), Some("12345678901234567890123"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct JsonObject {
    fields: Vec<(Box<str>, RawJson)>,
    not_an_object: Option<RawJson>,
}

impl JsonObject {
    /// Creates an object without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the value of a field. Returns `None` if the field is missing, or if `serde_json` cannot represent the
    /// value, for example the number `1e999`.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.find(name)?.to_value()
    }

    /// Returns the JSON text of a field's value.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.find(name).map(RawJson::as_str)
    }

    fn find(&self, name: &str) -> Option<&RawJson> {
        self.fields
            .iter()
            .find(|(known, _)| **known == *name)
            .map(|(_, value)| value)
    }

    /// Returns whether a field of this name exists.
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets a field. Replaces the earlier value of the field, if there is one.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<RawJson>) {
        let (name, value) = (name.into(), value.into());
        match self.fields.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((name.into_boxed_str(), value)),
        }
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<RawJson> {
        let place = self.fields.iter().position(|(known, _)| **known == *name)?;
        Some(self.fields.remove(place).1)
    }

    /// Iterates over the fields in the order in which they were received or inserted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawJson)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns whether the object has no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the value that was received instead of an object, such as a number in a list of messages.
    pub fn not_an_object(&self) -> Option<&RawJson> {
        self.not_an_object.as_ref()
    }

    /// Creates a `JsonObject` that has no fields and keeps a JSON value that is not an object. `raw` is the JSON text
    /// of that value.
    pub(crate) fn of_other(raw: &str) -> Self {
        Self {
            fields: Vec::new(),
            not_an_object: Some(RawJson::of_valid(raw)),
        }
    }
}

impl FromStr for JsonObject {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = Vec::new();
        for_each_field(text, |name, raw| {
            fields.push((name.to_owned(), RawJson::of_valid(raw)));
        })?;
        Ok(fields.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        raw.get().parse().map_err(D::Error::custom)
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(value) = &self.not_an_object {
            return value.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl From<Map<String, Value>> for JsonObject {
    fn from(map: Map<String, Value>) -> Self {
        map.into_iter().collect()
    }
}

impl<N: Into<String>, V: Into<RawJson>> FromIterator<(N, V)> for JsonObject {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut object = Self::new();
        // The places of the fields. A linear search for each field of a very large object would take hours.
        let mut places: HashMap<String, usize> = HashMap::new();
        for (name, value) in fields {
            let name = name.into();
            if object.len() < FEW_FIELDS {
                object.insert(name, value);
                continue;
            }
            if places.is_empty() {
                let known = object.iter().enumerate();
                places = known
                    .map(|(place, (name, _))| (name.to_owned(), place))
                    .collect();
            }
            match places.get(&name) {
                Some(place) => object.fields[*place].1 = value.into(),
                None => {
                    places.insert(name.clone(), object.len());
                    object.fields.push((name.into_boxed_str(), value.into()));
                }
            }
        }
        object
    }
}

/// Two objects are equal if they have the same field names with the same JSON texts, in any order.
impl PartialEq for JsonObject {
    fn eq(&self, other: &Self) -> bool {
        self.not_an_object == other.not_an_object
            && self.len() == other.len()
            && self
                .iter()
                .all(|(name, value)| other.find(name) == Some(value))
    }
}

/// Prints the names without the queries of URLs, too: a field can have the name of a presigned URL.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| (without_query(name), value);
        match &self.not_an_object {
            Some(value) => value.fmt(f),
            None => f.debug_map().entries(self.iter().map(shown)).finish(),
        }
    }
}

/// Reads a field with `#[serde(flatten)]`, which gets the unknown fields of its struct. For such a field, serde does
/// not provide the JSON text, so the values are read as `Value`.
pub(crate) fn flattened<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<JsonObject, D::Error> {
    Map::<String, Value>::deserialize(deserializer).map(JsonObject::from)
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for RawJson {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RawJson".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for JsonObject {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonObject".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": true})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_duplicate_fields_is_kept() {
        let object: JsonObject = r#"{"a": 1, "b": 2, "a": 3}"#.parse().unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn an_object_with_many_fields_keeps_the_last_values() {
        // With a linear search for each field, reading this many fields would take minutes.
        let fields: Vec<_> = (0..200_000).map(|n| format!(r#""f{n}":{n}"#)).collect();
        let text = format!(r#"{{{},"f7":-7,"f199999":-9}}"#, fields.join(","));
        let object: JsonObject = text.parse().unwrap();
        let message: crate::types::Message = serde_json::from_str(&text).unwrap();
        for object in [object, message.extra] {
            assert_eq!(object.len(), 200_000);
            assert_eq!(object.iter().nth(7).map(|(name, _)| name), Some("f7"));
            let raw = |name| object.raw(name);
            assert_eq!([raw("f7"), raw("f199999")], [Some("-7"), Some("-9")]);
        }
    }

    #[test]
    fn the_last_of_duplicate_known_fields_counts() {
        for (text, read, kept) in [
            (r#"{"message":7,"a":1,"message":"x"}"#, Some("x"), None),
            (r#"{"message":"x","a":1,"message":7}"#, None, Some("7")),
            (r#"{"message":7,"a":1,"message":8}"#, None, Some("8")),
        ] {
            let message: crate::types::Message = serde_json::from_str(text).unwrap();
            assert_eq!(message.message.as_deref(), read, "{text}");
            assert_eq!(message.extra.raw("message"), kept, "{text}");
            assert_eq!(message.extra.raw("a"), Some("1"), "{text}");
        }
    }

    #[test]
    fn values_are_kept_digit_for_digit() {
        let text = r#"{"n":1e999,"big":12345678901234567890123,"f":1.0,"deep":[[{"x":"\u00e9"}]]}"#;
        let object: JsonObject = text.parse().unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), text);
        assert_eq!(object.get("n"), None);
        assert_eq!(object.raw("n"), Some("1e999"));
    }

    #[test]
    fn equality_ignores_the_order_of_fields() {
        let one: JsonObject = r#"{"a":1,"b":2}"#.parse().unwrap();
        let other: JsonObject = r#"{"b":2,"a":1}"#.parse().unwrap();
        assert_eq!(one, other);
        assert_ne!(one, r#"{"a":1,"b":3}"#.parse().unwrap());
    }

    #[test]
    fn debug_shows_no_query_of_an_address() {
        for (text, shown) in [
            (
                r#"{"url":{"href":"https://s.example/a?sig=s3cret"}}"#,
                r#"{"url": {"href":"https://s.example/a?<redacted>}"#,
            ),
            (
                r#"{"url":"https:\/\/s.example\/a\u003Fx=1\u0026sig=s3cret"}"#,
                r#"{"url": "https://s.example/a?<redacted>}"#,
            ),
            (
                r#"{"url":"\u0068ttps\u003a\u002f/s.example?sig=s3cret"}"#,
                r#"{"url": "https://s.example?<redacted>}"#,
            ),
            (r#"{"a":"b\/c\\/d"}"#, r#"{"a": "b\/c\\/d"}"#),
            (
                r#"{"input":"{\"url\":\"https:\\/\\/s.example\\/a?sig=s3cret\"}"}"#,
                r#"{"input": "{\"url\":\"https://s.example/a?<redacted>}"#,
            ),
            (
                r#"{"https://s.example/a?sig=s3cret":1}"#,
                r#"{"https://s.example/a?<redacted>": 1}"#,
            ),
        ] {
            let object: JsonObject = text.parse().unwrap();
            assert_eq!(format!("{object:?}"), shown);
        }
    }

    #[test]
    fn text_without_escapes_means_the_same() {
        for (text, plain) in [
            (r#""a\/b\\/c""#, r#""a/b\\/c""#),
            (r#""\u0041\u002b\u002B\u0020\u007e""#, r#""A++ ~""#),
            (r#""\u0022\u005c\u005C\"\\""#, r#""\"\\\\\"\\""#),
            (
                r#""\n\u000a\u007f\u00e9\u2028\ud83d\ude00""#,
                r#""\n\u000a\u007f\u00e9\u2028\ud83d\ude00""#,
            ),
            ("\"\u{e9}\"", "\"\u{e9}\""),
        ] {
            let found = RawJson::without_escapes(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), plain, "{text}");
            let value = |text: &str| serde_json::from_str::<String>(text).unwrap();
            assert_eq!(value(text), value(plain));
        }
        // Not JSON: an escape that is cut off, or that is none.
        for text in ["\\", "a\\", "\\u00", "\\u004", "\\u+041", "\\u00 1", "\\é"] {
            let found = RawJson::without_escapes(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), text);
        }
    }

    #[test]
    fn nested_escapes_are_removed() {
        for (text, plain) in [
            (r#""a\\u002bb\\\\u002b\\/""#, r#""a+b+/""#),
            (
                r#""\\u0022\\u005c\\n\\u00e9\\""#,
                r#""\\u0022\\u005c\\n\\u00e9\\""#,
            ),
            (r#""a\u002b\/""#, r#""a\u002b\/""#),
            (r"\\\\", r"\\\\"),
        ] {
            let found = RawJson::without_nested_escapes(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), plain, "{text}");
        }
    }

    #[test]
    fn other_values_are_no_object() {
        for text in ["7", "[]", "null", "\"x\"", "{", ""] {
            assert!(text.parse::<JsonObject>().is_err(), "{text}");
        }
    }
}
