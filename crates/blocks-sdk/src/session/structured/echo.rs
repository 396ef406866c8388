//! Recognizes a JSON value in a reply that only repeats the schema in the prompt.

use serde_json::{Map, Value};

/// Says whether a JSON value in the reply repeats the schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Echo {
    No,
    Yes,
    /// The value equals the schema, but the schema is `true`, `false` or `{}`. Such a value may repeat the schema, or
    /// may be the intended reply.
    Ambiguous,
}

/// Keywords that usually do not affect which values are valid. Agents sometimes omit these keywords when they repeat a
/// schema.
const ANNOTATIONS: [&str; 5] = ["$schema", "$id", "$comment", "title", "description"];

pub(super) fn compare(json: &str, schema: &Value) -> Echo {
    let is_possible = match schema {
        Value::Object(_) => json.starts_with('{'),
        Value::Bool(_) => json == "true" || json == "false",
        _ => false,
    };
    if !is_possible {
        return Echo::No;
    }
    let Ok(value) = serde_json::from_str::<Value>(json) else {
        return Echo::No;
    };
    let says_nothing = match schema {
        Value::Object(fields) => fields.is_empty(),
        _ => true,
    };
    if value == *schema {
        return if says_nothing {
            Echo::Ambiguous
        } else {
            Echo::Yes
        };
    }
    let essence = without_annotations(schema);
    let is_empty = essence.as_object().is_none_or(Map::is_empty);
    if !is_empty && without_annotations(&value) == essence {
        return Echo::Yes;
    }
    Echo::No
}

fn without_annotations(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            // An annotation such as `title` has a string as its value. But a schema can also have a property with the
            // name `title`. The value of this property is a schema and not a string, and must be kept.
            let is_kept =
                |name: &str, value: &Value| !(ANNOTATIONS.contains(&name) && value.is_string());
            let kept = fields.iter().filter(|(name, value)| is_kept(name, value));
            kept.map(|(name, value)| (name.clone(), without_annotations(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_annotations).collect(),
        _ => value.clone(),
    }
}
