//! Checks the schemas of success responses. `blocks_api::decode` reads a response tolerantly, so each object must keep
//! its unknown fields, and each field must have a type for which `blocks_api::decode::FromJson` is implemented.

use std::collections::HashSet;

use serde_json::Value;

use super::{Check, Fault, METHODS, fault, rust_name, step};
use crate::codegen::emit::OPEN;

/// The formats of strings for which the generator would use a type that accepts no other text.
const STRICT_FORMATS: [&str; 4] = ["date", "ip", "ipv4", "ipv6"];

impl Check {
    /// Checks the schema of each success response, and every schema that it contains.
    pub(super) fn responses(&self) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        for (path, item) in self.value["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let responses = item[method]["responses"].as_object();
                for (status, response) in responses.into_iter().flatten() {
                    if status.starts_with('2') {
                        let place = step(&step("/paths", path), method);
                        let place = step(&step(&place, "responses"), status);
                        let (place, response) = self.target(place, response);
                        let schema = &response["content"]["application/json"]["schema"];
                        let place = format!("{place}/content/application~1json/schema");
                        self.kind(&place, schema, &mut seen)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Follows the references at `pointer`, and returns the place and the value of the last target.
    fn target<'a>(&'a self, mut pointer: String, mut value: &'a Value) -> (String, &'a Value) {
        while let Some(target) = value["$ref"].as_str().and_then(|t| t.strip_prefix('#'))
            && let Some(found) = self.value.pointer(target)
        {
            pointer = target.to_owned();
            value = found;
        }
        (pointer, value)
    }

    /// Checks the schema of a response, a field, an item of a list or a value of a map.
    fn kind(&self, pointer: &str, schema: &Value, seen: &mut HashSet<String>) -> Result<(), Fault> {
        if let Some(name) = component(schema) {
            return self.component(name, seen);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            if let Some(list) = schema[keyword].as_array() {
                return self.list(&step(pointer, keyword), keyword, list, seen);
            }
        }
        match schema["type"].as_str() {
            Some("string") => string(pointer, schema),
            Some("array") => {
                let (least, most) = (&schema["minItems"], &schema["maxItems"]);
                if !least.is_null() && least == most {
                    let why = "a list of a fixed length cannot be read with another length";
                    return fault(&step(pointer, "maxItems"), why);
                }
                self.kind(&step(pointer, "items"), &schema["items"], seen)
            }
            Some("object") if schema.get("properties").is_none() => {
                match &schema["additionalProperties"] {
                    Value::Bool(true) => Ok(()),
                    values @ Value::Object(_) => {
                        self.kind(&step(pointer, "additionalProperties"), values, seen)
                    }
                    _ => closed(pointer),
                }
            }
            Some("object") => self.object(pointer, schema, seen),
            Some(_) => Ok(()),
            None => {
                let keywords = ["nullable", "properties", "additionalProperties", "items"];
                match keywords.iter().find(|k| schema.get(**k).is_some()) {
                    Some(keyword) => {
                        let why = format!("`{keyword}` in a response needs a `type` beside it");
                        fault(&step(pointer, keyword), why)
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Checks the list `allOf`, `anyOf` or `oneOf` of a schema.
    fn list(
        &self,
        pointer: &str,
        keyword: &str,
        list: &[Value],
        seen: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        let reference = list.first().and_then(component);
        let Some(name) = reference.filter(|_| list.len() <= 2 && keyword != "oneOf") else {
            return unsupported(pointer);
        };
        match (keyword, list.get(1)) {
            ("allOf", None) => self.component(name, seen),
            ("anyOf", Some(null)) if null["maxProperties"] == 0 && null["nullable"] == true => {
                self.component(name, seen)
            }
            ("anyOf", Some(text)) if text["type"] == "string" && OPEN.contains(&name) => Ok(()),
            _ => unsupported(pointer),
        }
    }

    /// Checks a component schema that a response refers to. Types that are written by hand can be read in any case.
    fn component(&self, name: &str, seen: &mut HashSet<String>) -> Result<(), Fault> {
        if OPEN.contains(&name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let pointer = format!("/components/schemas/{name}");
        let Some(schema) = self.value.pointer(&pointer) else {
            return Ok(());
        };
        if schema["type"] != "object" || schema.get("properties").is_none() {
            return fault(
                &pointer,
                format!(
                    "a response can refer only to an object with properties; write this schema where it is used, or \
                     {BY_HAND}"
                ),
            );
        }
        self.object(&pointer, schema, seen)
    }

    fn object(
        &self,
        pointer: &str,
        schema: &Value,
        seen: &mut HashSet<String>,
    ) -> Result<(), Fault> {
        if schema["additionalProperties"] != true {
            return closed(pointer);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            if schema.get(keyword).is_some() {
                let why = format!("`{keyword}` beside `properties` is not supported in a response");
                return fault(&step(pointer, keyword), why);
            }
        }
        // The module `tolerant` recognises the type of a request by its name.
        let name = pointer.rsplit('/').next().unwrap_or_default();
        if rust_name(name).ends_with("request") {
            let why = "the type of an object whose name ends with `request` would be generated as a request";
            return fault(pointer, format!("{why}; {BY_HAND}"));
        }
        let place = step(pointer, "properties");
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            self.kind(&step(&place, name), field, seen)?;
        }
        Ok(())
    }
}

const BY_HAND: &str = "write a schema of `components` and its type in `crates/blocks-api/src/open.rs`, and add its \
                       name to `OPEN` in `xtask/src/codegen/emit.rs`";

/// Returns the name of the component schema that a reference leads to.
fn component(schema: &Value) -> Option<&str> {
    schema["$ref"]
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

fn string(pointer: &str, schema: &Value) -> Result<(), Fault> {
    if schema.get("pattern").is_some() {
        let why = "a response with another text could not be read; remove the pattern";
        return fault(&step(pointer, "pattern"), why);
    }
    let format = schema["format"].as_str();
    match format.filter(|format| STRICT_FORMATS.contains(format)) {
        Some(format) => fault(
            &step(pointer, "format"),
            format!(
                "a response with a text that is not of the format {format} could not be read; remove the format"
            ),
        ),
        None => Ok(()),
    }
}

fn unsupported(pointer: &str) -> Result<(), Fault> {
    fault(
        pointer,
        format!(
            "a response can contain only three such lists: `allOf` with one reference, `anyOf` with a reference and \
             `{{ type: object, nullable: true, maxProperties: 0 }}`, and `anyOf` with an enum and a string; for another \
             type, {BY_HAND}"
        ),
    )
}

fn closed(pointer: &str) -> Result<(), Fault> {
    let why = "an object in a response needs `additionalProperties: true`; otherwise its unknown fields would be lost";
    fault(pointer, why)
}
