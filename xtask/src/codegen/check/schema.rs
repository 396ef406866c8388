//! Checks the keywords and fields of one schema.

use serde_json::Value;

use super::{Fault, TYPES, fault, rust_name, step, unique};

/// Checks one schema. The caller checks the nested schemas.
pub(super) fn check(pointer: &str, schema: &Value) -> Result<(), Fault> {
    let Some(map) = schema.as_object() else {
        return Ok(());
    };
    let kind = match schema.get("type") {
        None => "",
        Some(kind) => kind.as_str().filter(|k| TYPES.contains(k)).ok_or_else(|| {
            (
                step(pointer, "type"),
                format!("{kind} is not a type of OpenAPI 3.0"),
            )
        })?,
    };
    if kind == "array" && schema.get("items").is_none() {
        return fault(pointer, "an array needs items");
    }
    for (keyword, owner) in [
        ("minLength", "string"),
        ("maxLength", "string"),
        ("pattern", "string"),
        ("minItems", "array"),
        ("maxItems", "array"),
        ("items", "array"),
        ("properties", "object"),
    ] {
        if map.contains_key(keyword) && !kind.is_empty() && kind != owner {
            return fault(
                &step(pointer, keyword),
                format!("`{keyword}` does not belong to {kind}"),
            );
        }
    }
    for (low, high) in [
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
    ] {
        if let (Some(low), Some(max)) = (schema[low].as_f64(), schema[high].as_f64())
            && low > max
        {
            return fault(
                &step(pointer, high),
                format!("{max} is less than the minimum {low}"),
            );
        }
    }
    if let Some(list) = map.get("enum") {
        let list = list.as_array().filter(|l| !l.is_empty());
        let Some(list) = list else {
            return fault(&step(pointer, "enum"), "the enum has no values");
        };
        if list.iter().any(|v| !v.is_string()) {
            return fault(
                &step(pointer, "enum"),
                "only texts can be values of an enum",
            );
        }
        unique(
            &step(pointer, "enum"),
            "value",
            list.iter().filter_map(Value::as_str),
        )?;
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        if map
            .get(keyword)
            .is_some_and(|v| v.as_array().is_none_or(Vec::is_empty))
        {
            return fault(
                &step(pointer, keyword),
                format!("`{keyword}` needs a list that is not empty"),
            );
        }
    }
    fields(pointer, schema)
}

fn fields(pointer: &str, schema: &Value) -> Result<(), Fault> {
    let fields = schema["properties"].as_object();
    let names = || {
        fields
            .into_iter()
            .flat_map(|p| p.keys())
            .map(String::as_str)
    };
    unique(&step(pointer, "properties"), "field", names())?;
    if names().any(|n| rust_name(n) == "extra") && schema.get("additionalProperties").is_some() {
        let place = step(&step(pointer, "properties"), "extra");
        return fault(
            &place,
            "a field called `extra` has the name of the map of unknown fields",
        );
    }
    match schema.get("required") {
        None => Ok(()),
        Some(Value::Array(list)) => {
            let unknown = |name: &&Value| {
                fields.is_some_and(|f| name.as_str().is_none_or(|n| !f.contains_key(n)))
            };
            match list.iter().find(unknown) {
                Some(name) => fault(
                    &step(pointer, "required"),
                    format!("{name} is required and is not a field"),
                ),
                None => Ok(()),
            }
        }
        Some(_) => fault(
            &step(pointer, "required"),
            "`required` must be a list of names",
        ),
    }
}
