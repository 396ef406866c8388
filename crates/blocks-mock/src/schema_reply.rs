//! Creates replies in JSON that conform to the JSON Schema in a prompt. Some keywords of the schema are ignored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Largest nesting depth of a generated value. Deeper values are null, because a schema that refers to itself can
/// require infinite nesting.
const DEEPEST: usize = 32;

/// Largest number of values and schemas that are visited for one reply. Values after these are null, because a schema
/// that refers to itself twice would require 2^32 values.
const MOST_VISITS: usize = 200_000;

/// Replies with JSON that conforms to the schema in the prompt. A setting makes the first replies of a session
/// break the schema. Some keywords, such as `pattern`, `not` and `if`, are ignored, so the reply may violate them.
///
/// The schema is the last fenced block in the prompt that has the language `json` and contains valid JSON. If the
/// prompt contains no schema, the newest earlier prompt of the session that contains a schema is used. Without any
/// schema, the reply is the script's text.
///
/// ```
/// let script: blocks_mock::Script =
///     serde_json::from_str(r#"{"schema_reply": {"invalid_replies": 1}}"#)?;
/// assert_eq!(script, blocks_mock::Script::schema_reply(1));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaReply {
    /// How many of the first turns of a session get an invalid reply.
    pub invalid_replies: usize,
}

impl SchemaReply {
    /// Returns the reply to the last prompt in `prompts`. `turn` is the number of the turn, from 0; if `turn` is less
    /// than `invalid_replies`, the reply is invalid. Returns `None` if no prompt contains a schema.
    pub(crate) fn text<'a>(
        self,
        turn: usize,
        prompts: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Option<String> {
        let schema = prompts.rev().find_map(find_schema)?;
        let mut reply = instance(&schema);
        if turn < self.invalid_replies {
            let first = schema["required"][0].as_str();
            let removed = first.and_then(|name| reply.as_object_mut()?.remove(name));
            if removed.is_none() {
                return Some("This reply contains no JSON.".into());
            }
        }
        Some(format!("```json\n{reply:#}\n```"))
    }
}

/// Returns the schema in a prompt. The schema is in the last fenced block that has the language `json` and contains
/// valid JSON. Returns `None` if this JSON is neither an object nor a boolean.
fn find_schema(prompt: &str) -> Option<Value> {
    let mut found = None;
    let mut lines = prompt.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let language = line.trim_start_matches('`');
        let fence = &line[..line.len() - language.len()];
        if fence.len() < 3 {
            continue;
        }
        let is_end = |line: &&str| {
            let line = line.trim();
            line.len() >= fence.len() && line.bytes().all(|byte| byte == b'`')
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !is_end(line)).collect();
        if language.trim() == "json" {
            found = serde_json::from_str(&block.join("\n")).ok().or(found);
        }
    }
    found.filter(|schema: &Value| schema.is_object() || schema.is_boolean())
}

/// Returns a small value that the schema allows. Some keywords, such as `pattern`, `not` and `if`, are ignored, so the
/// value may violate them.
fn instance(schema: &Value) -> Value {
    let mut generator = Generator {
        root: schema,
        left: MOST_VISITS,
    };
    generator.value(schema, 0)
}

struct Generator<'a> {
    root: &'a Value,
    /// The number of visits that are left.
    left: usize,
}

impl Generator<'_> {
    /// Counts a visit. Returns whether it is within the limits.
    fn visit(&mut self, depth: usize) -> bool {
        let is_within = depth <= DEEPEST && self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_within
    }

    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if !self.visit(depth) {
            return Value::Null;
        }
        let schema = &self.resolve(schema, depth);
        // A long value counts as many visits, because an array can contain many long values.
        if let Some(value) = schema.get("const").or(schema["enum"].get(0)) {
            self.left = self.left.saturating_sub(value.to_string().len() / 50);
            return value.clone();
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => json!(number(schema, true) as i64),
            "number" => json!(number(schema, false)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => {
                let text = string(schema);
                self.left = self.left.saturating_sub(text.len() / 50);
                json!(text)
            }
        }
    }

    /// Merges other schemas into a schema: the schema that `$ref` names, all schemas of `allOf`, and the first schema
    /// of `anyOf` and of `oneOf`. Removes these keywords.
    fn resolve(&mut self, schema: &Value, depth: usize) -> Value {
        let mut merged = schema.as_object().cloned().unwrap_or_default();
        let mut parts: Vec<Value> = Vec::new();
        if let Some(Value::String(reference)) = merged.remove("$ref") {
            let pointer = reference.strip_prefix('#').unwrap_or_default();
            parts.extend(self.root.pointer(&decoded(pointer)).cloned());
        }
        if let Some(Value::Array(all)) = merged.remove("allOf") {
            parts.extend(all);
        }
        for name in ["anyOf", "oneOf"] {
            if let Some(Value::Array(choices)) = merged.remove(name) {
                parts.extend(choices.into_iter().next());
            }
        }
        if !self.visit(depth) {
            return Value::Object(merged);
        }
        for part in parts {
            if let Value::Object(part) = self.resolve(&part, depth + 1) {
                merge(&mut merged, part);
            }
        }
        Value::Object(merged)
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            let property = schema["properties"].get(name);
            let property = property.unwrap_or(&schema["additionalProperties"]);
            object.insert(name.to_owned(), self.value(property, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Value {
        let mut values = Vec::new();
        for item in schema["prefixItems"].as_array().into_iter().flatten() {
            values.push(self.value(item, depth + 1));
        }
        let least = schema["minItems"].as_u64().unwrap_or(0).min(10_000) as usize;
        while values.len() < least && self.left > 0 {
            let mut value = self.value(&schema["items"], depth + 1);
            if schema["uniqueItems"] == true {
                value = distinct(value, values.len());
            }
            values.push(value);
        }
        Value::Array(values)
    }
}

/// Adds the keywords of `part` to `schema`. For a keyword that both schemas have, objects are merged and `required`
/// lists are joined. For any other such keyword, `schema` keeps its value.
fn merge(schema: &mut Map<String, Value>, part: Map<String, Value>) {
    for (name, value) in part {
        match (schema.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Array(old)), Value::Array(new)) if name == "required" => old.extend(new),
            (Some(_), _) => {}
            (None, value) => {
                schema.insert(name, value);
            }
        }
    }
}

/// Decodes the percent encoding of the JSON pointer in a `$ref`, for example `/$defs/a%20b`.
fn decoded(fragment: &str) -> String {
    let query = format!("p={}", fragment.replace('+', "%2B"));
    let pair = form_urlencoded::parse(query.as_bytes()).next();
    pair.map(|(_, pointer)| pointer.into_owned())
        .unwrap_or_default()
}

/// Returns the first type in the schema's `type`. Without `type`, returns the type that the schema's other keywords
/// imply, for example `array` for `items`. If they imply none, returns `string`.
fn kind(schema: &Value) -> &str {
    let named = schema["type"].as_str().or(schema["type"][0].as_str());
    let has = |names: &[&str]| names.iter().any(|name| schema.get(name).is_some());
    match named {
        Some(name) => name,
        None if has(&["properties", "required"]) => "object",
        None if has(&["items", "prefixItems", "minItems"]) => "array",
        None if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) => "number",
        None => "string",
    }
}

/// Returns a number that the schema allows: zero, if the schema allows zero. If no such number is found, returns a
/// number that may be outside the limits.
fn number(schema: &Value, is_integer: bool) -> f64 {
    let limit = |name: &str| schema[name].as_f64();
    let (minimum, maximum) = (limit("minimum"), limit("maximum"));
    let (above, below) = (limit("exclusiveMinimum"), limit("exclusiveMaximum"));
    let least = minimum.into_iter().chain(above).reduce(f64::max);
    let most = maximum.into_iter().chain(below).reduce(f64::min);
    let is_allowed = |number: &f64| {
        minimum.is_none_or(|minimum| minimum <= *number)
            && above.is_none_or(|above| above < *number)
            && maximum.is_none_or(|maximum| *number <= maximum)
            && below.is_none_or(|below| *number < below)
            && !(is_integer && number.fract() != 0.0)
    };
    let candidates = match is_integer {
        true => [
            least.map(f64::ceil),
            least.map(|least| least.floor() + 1.0),
            most.map(f64::floor),
            most.map(|most| most.ceil() - 1.0),
            None,
        ],
        false => [
            least,
            most,
            least
                .zip(most)
                .map(|(least, most)| f64::midpoint(least, most)),
            least.map(|least| least + 1.0),
            most.map(|most| most - 1.0),
        ],
    };
    let candidates = std::iter::once(Some(0.0)).chain(candidates).flatten();
    let number = candidates.clone().find(is_allowed);
    let number = number.or(least).unwrap_or_default();
    match limit("multipleOf") {
        Some(multiple) if multiple > 0.0 => {
            let multiples =
                [f64::ceil, f64::floor].map(|round| round(number / multiple) * multiple);
            multiples.into_iter().find(is_allowed).unwrap_or(number)
        }
        _ => number,
    }
}

fn string(schema: &Value) -> String {
    let known = match schema["format"].as_str() {
        Some("date-time") => "2026-05-02T09:30:00Z",
        Some("date") => "2026-05-02",
        Some("time") => "09:30:00Z",
        Some("duration") => "PT1H",
        Some("email" | "idn-email") => "agent@example.com",
        Some("hostname" | "idn-hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uri" | "uri-reference" | "iri" | "iri-reference" | "url") => "https://example.com/",
        Some("uuid") => "7d1c4f0a-52b3-4c6e-9a0d-3f5e8b2761c4",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let length = |name: &str| schema[name].as_u64().map(|length| length as usize);
    let least = length("minLength").unwrap_or(0).min(1_000_000);
    // `format!` cannot fill more than 65,535 characters.
    let mut text = "text".to_owned();
    text.push_str(&"x".repeat(least.saturating_sub(text.len())));
    text.truncate(length("maxLength").unwrap_or(usize::MAX).min(text.len()));
    text
}

/// Makes an item of an array differ from the other items: appends its position `number` to a string, or adds it to the
/// whole part of a number. Other values are unchanged.
fn distinct(value: Value, number: usize) -> Value {
    match value {
        Value::String(text) => json!(format!("{text}{number}")),
        Value::Number(value) => json!(value.as_f64().unwrap_or(0.0) as i64 + number as i64),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(schema: &Value) -> String {
        format!(
            "Go.\n\nReply with JSON that conforms to this JSON Schema:\n\n```json\n{schema:#}\n```\n"
        )
    }

    fn reply(script: SchemaReply, turn: usize, prompts: &[&str]) -> Option<String> {
        script.text(turn, prompts.iter().copied())
    }

    fn value(text: &str) -> Value {
        let inside = text.strip_prefix("```json\n").unwrap();
        serde_json::from_str(inside.strip_suffix("\n```").unwrap()).unwrap()
    }

    #[test]
    fn replies_conform_to_their_schemas() {
        for schema in [
            json!({}),
            json!({"type": "object", "required": ["a", "b", "c"], "additionalProperties": false,
                "properties": {"a": {"type": "string", "minLength": 12}, "b": {"type": "integer", "minimum": 3},
                    "c": {"type": ["number", "null"], "exclusiveMinimum": 0.5, "maximum": 0.75}, "d": {}}}),
            json!({"required": ["kind", "state"], "properties":
                {"kind": {"const": "bug"}, "state": {"enum": ["open", "closed"]}}}),
            json!({"type": "array", "minItems": 3, "uniqueItems": true, "items": {"type": "integer"}}),
            json!({"prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": {"type": "string"}, "minItems": 4}),
            json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["next"], "properties":
                {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}}}}}),
            json!({"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
                {"required": ["b"], "properties": {"b": {"oneOf": [{"type": "boolean"}, {"type": "string"}]}}}]}),
            json!({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "string", "maxLength": 2}}}),
            json!({"type": "string", "format": "date-time"}),
            json!({"type": "string", "format": "uuid"}),
            json!({"type": "string", "format": "email"}),
            json!({"type": "integer", "exclusiveMinimum": 6, "multipleOf": 5}),
            json!({"type": "integer", "maximum": -3, "multipleOf": 5}),
            json!({"type": "number", "exclusiveMaximum": 0}),
            json!({"minimum": 2.5}),
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 4.5, "multipleOf": 4}),
        ] {
            let text = reply(SchemaReply::default(), 0, &[&prompt(&schema)]).unwrap();
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&schema)
                .unwrap();
            let value = value(&text);
            let error = validator.validate(&value).err();
            assert!(error.is_none(), "{schema}: {value}: {error:?}");
        }
    }

    #[test]
    fn a_number_is_zero_or_within_its_limits() {
        const NAMES: [&str; 4] = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"];
        const LIMITS: [Option<f64>; 6] = [
            None,
            Some(-2.5),
            Some(-1.0),
            Some(0.0),
            Some(0.5),
            Some(3.0),
        ];
        for (combination, is_integer) in (0..6_usize.pow(4)).flat_map(|n| [(n, true), (n, false)]) {
            let limits = [1, 6, 36, 216].map(|digit| LIMITS[combination / digit % LIMITS.len()]);
            let is_allowed = |number: f64| {
                limits[0].is_none_or(|limit| limit <= number)
                    && limits[1].is_none_or(|limit| limit < number)
                    && limits[2].is_none_or(|limit| number <= limit)
                    && limits[3].is_none_or(|limit| number < limit)
                    && !(is_integer && number.fract() != 0.0)
            };
            let named = NAMES.iter().zip(limits);
            let schema: Map<_, _> = named
                .filter_map(|(name, limit)| Some(((*name).to_owned(), json!(limit?))))
                .collect();
            let number = number(&Value::from(schema), is_integer);
            let exists = (-32..=32).any(|eighths| is_allowed(f64::from(eighths) / 8.0));
            assert_eq!(
                is_allowed(number),
                exists,
                "{limits:?} {is_integer}: {number}"
            );
            assert!(
                number == 0.0 || !is_allowed(0.0),
                "{limits:?} {is_integer}: {number}"
            );
        }
    }

    #[test]
    fn the_first_replies_are_invalid() {
        let schema =
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "null"}}});
        let script = SchemaReply { invalid_replies: 2 };
        let prompt = prompt(&schema);
        let at = |turn| reply(script, turn, &[&prompt]).unwrap();
        assert_eq!(value(&at(0)), json!({}));
        assert_eq!(value(&at(1)), json!({}));
        assert_eq!(value(&at(2)), json!({"a": null}));
        let any = self::prompt(&json!({"type": "string"}));
        let text = reply(script, 0, &[&any]).unwrap();
        assert_eq!(text, "This reply contains no JSON.");
    }

    #[test]
    fn the_last_json_block_is_the_schema() {
        let schema = json!({"const": 2});
        let decoy = "```json\n{\"const\": 1}\n```\n";
        let text = |prompts: &[&str]| reply(SchemaReply::default(), 0, prompts);
        let with_decoy = format!("{decoy}{}", prompt(&schema));
        assert_eq!(value(&text(&[&with_decoy]).unwrap()), 2);
        let later_text = format!("{}```text\n{{\"const\": 3}}\n```", prompt(&schema));
        assert_eq!(value(&text(&[&later_text]).unwrap()), 2);
        let nested = "````json\n{\"const\": \"```\"}\n````";
        assert_eq!(value(&text(&[nested]).unwrap()), "```");
        assert_eq!(value(&text(&[&prompt(&schema), "Correct it."]).unwrap()), 2);
        assert_eq!(text(&["No schema.", "```json\nnot JSON\n```"]), None);
    }

    #[test]
    fn endless_references_end() {
        let schema = json!({"$ref": "#"});
        assert!(reply(SchemaReply::default(), 0, &[&prompt(&schema)]).is_some());
        let tree = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}});
        assert!(reply(SchemaReply::default(), 0, &[&prompt(&tree)]).is_some());
    }

    #[test]
    fn replies_to_endless_schemas_have_a_limit() {
        let either = json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]});
        let texts = json!({"type": "array", "minItems": 10_000, "items": {"type": "string", "minLength": 1_000_000}});
        for schema in [
            json!({"type": "object", "required": ["l", "r"], "properties": {"l": either, "r": either}}),
            json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
            json!({"type": "array", "minItems": 10_000, "items": {"$ref": "#"}}),
            json!({"type": "array", "minItems": 10_000, "items": texts}),
            json!({"type": "array", "minItems": 10_000, "items": {"const": "x".repeat(100_000)}}),
        ] {
            let text = reply(SchemaReply::default(), 0, &[&prompt(&schema)]).unwrap();
            assert!(text.len() < 20_000_000, "{schema}: {} bytes", text.len());
        }
    }
}
