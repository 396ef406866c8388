//! Compares requests by hashes of their fields, so that a journal does not need to contain the requests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Contains the names of the fields of a request, and a hash of each value.
///
/// ```
/// use blocks_fleet::Fingerprint;
/// use serde_json::json;
///
/// let sent = Fingerprint::new(&json!({"message": "Go.", "agent_name": "claude", "title": null}));
/// let same = Fingerprint::new(&json!({"agent_name": "claude", "message": "Go."}));
/// let other = Fingerprint::new(&json!({"agent_name": "codex", "message": "Go."}));
/// assert_eq!(sent.changes(&same), Vec::<String>::new());
/// assert_eq!(sent.changes(&other), ["agent_name"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Creates the fingerprint of a request in JSON. The order of the fields does not matter. A null field of the
    /// request counts as absent, but a null field within a value does not.
    pub fn new(request: &Value) -> Self {
        let fields = request.as_object().into_iter().flatten();
        let given = fields.filter(|(_, value)| !value.is_null());
        Self(
            given
                .map(|(name, value)| (name.clone(), hash(value)))
                .collect(),
        )
    }

    /// Adds a field that is not in the JSON of the request, or replaces the hash of a field.
    ///
    /// ```
    /// use blocks_fleet::Fingerprint;
    /// use serde_json::json;
    ///
    /// let line = json!({"message": "Go.", "schema": true});
    /// let shared = Fingerprint::new(&json!({"message": "Go."})).with_field("schema", &json!(true));
    /// assert_eq!(shared, Fingerprint::new(&line));
    /// ```
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &Value) -> Self {
        self.0.insert(name.to_owned(), hash(value));
        self
    }

    /// Returns the names of the fields that differ, in alphabetical order.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys());
        let changed = names.filter(|name| self.0.get(*name) != other.0.get(*name));
        let mut changed: Vec<String> = changed.cloned().collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

fn hash(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    let hash = Sha256::digest(text);
    hash[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes a value with the fields of each object sorted by name. So the order of the fields does not change the hash.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            text.push('{');
            for (name, value) in fields.iter().collect::<BTreeMap<_, _>>() {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_sorted(item, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}
