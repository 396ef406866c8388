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
    let is_empty = schema
        .as_object()
        .is_none_or(|fields| essential(fields).next().is_none());
    if !is_empty && is_same(&value, schema) {
        return Echo::Yes;
    }
    Echo::No
}

/// Returns whether two values are equal except for annotations. Compares without a copy, because a reply can contain
/// millions of objects.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let is_in_b = |(name, value): (&String, &Value)| {
                let other = b.get(name).filter(|other| is_essential(name, other));
                other.is_some_and(|other| is_same(value, other))
            };
            essential(a).count() == essential(b).count() && essential(a).all(is_in_b)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        _ => a == b,
    }
}

/// Returns the fields that are not annotations.
fn essential(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let fields = fields.iter();
    fields.filter(|(name, value)| is_essential(name, value))
}

/// Returns whether a field is not an annotation. An annotation such as `title` has a string as its value. But a schema
/// can also have a property with the name `title`. The value of this property is a schema and not a string.
fn is_essential(name: &str, value: &Value) -> bool {
    !(ANNOTATIONS.contains(&name) && value.is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_without_its_annotations_is_an_echo() {
        let schema = json!({
            "title": "A", "type": "object", "required": ["title"],
            "properties": {"title": {"type": "string", "description": "B"}},
        });
        for (value, echo) in [
            (schema.clone(), Echo::Yes),
            (
                json!({
                    "description": "C", "type": "object", "required": ["title"],
                    "properties": {"title": {"type": "string"}},
                }),
                Echo::Yes,
            ),
            (
                json!({"type": "object", "required": ["title"], "properties": {}}),
                Echo::No,
            ),
            (json!({"title": "A"}), Echo::No),
            (json!({}), Echo::No),
        ] {
            assert_eq!(compare(&value.to_string(), &schema), echo, "{value}");
        }
        assert_eq!(
            compare(r#"{"title": "B"}"#, &json!({"title": "A"})),
            Echo::No
        );
    }
}
