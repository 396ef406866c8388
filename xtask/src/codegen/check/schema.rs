//! Checks the keywords and fields of one schema.

use serde_json::Value;

use super::{Fault, TYPES, fault, rust_name, step, unique};
use crate::codegen::emit::OPEN;

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
        values(pointer, list)?;
    }
    if let Some(format) = map.get("x-usual-format")
        && (kind != "string" || (format != "uuid" && format != "date-time"))
    {
        return fault(
            &step(pointer, "x-usual-format"),
            "`x-usual-format` must be uuid or date-time, and the type must be string",
        );
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

/// Checks the values of an enum.
fn values(pointer: &str, list: &Value) -> Result<(), Fault> {
    let place = step(pointer, "enum");
    let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
        return fault(&place, "the enum has no values");
    };
    if list.iter().any(|value| !value.is_string()) {
        return fault(&place, "only texts can be values of an enum");
    }
    unique(&place, "value", list.iter().filter_map(Value::as_str))?;
    let name = pointer.strip_prefix("/components/schemas/");
    if name.is_some_and(|name| OPEN.contains(&name)) {
        return Ok(());
    }
    fault(
        &place,
        "an enum is written by hand: make it a schema of `components`, write its type in \
         `crates/blocks-api/src/open.rs`, and add its name to `OPEN` in `xtask/src/codegen/emit.rs`",
    )
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
    for keyword in ["required", "x-needed"] {
        // The alternatives of a `oneOf` require fields that are properties of the schema around them. But `x-needed` is
        // used only beside `properties`.
        let is_outside = fields.is_none() && keyword == "required";
        let is_field = |name: &Value| {
            let name = name.as_str();
            name.is_some_and(|name| is_outside || fields.is_some_and(|f| f.contains_key(name)))
        };
        let place = step(pointer, keyword);
        match schema.get(keyword) {
            None => {}
            Some(Value::Array(list)) => {
                if let Some(name) = list.iter().find(|name| !is_field(name)) {
                    return fault(
                        &place,
                        format!("{name} is in `{keyword}` and is not a field"),
                    );
                }
            }
            Some(_) => return fault(&place, format!("`{keyword}` must be a list of names")),
        }
    }
    Ok(())
}
