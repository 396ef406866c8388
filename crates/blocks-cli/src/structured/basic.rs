//! Validates JSON without the crate `jsonschema`, which would make the command too large. Supports the common keywords
//! of JSON Schema 2020-12, but none that needs a regular expression. Accepts and ignores the keywords that do not
//! restrict values. Refuses a schema with any other keyword. Otherwise, a reply could count as valid although a part of
//! the schema was not checked.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ptr;

use serde_json::{Map, Value};

use crate::text::shorten;

/// Maximum characters of a value in an error message.
const MAX_VALUE: usize = 100;
/// Maximum characters of the reasons why a value satisfies no schema of `anyOf` or `oneOf`. Without it, the reasons of
/// nested schemas could become very long.
const MAX_REASONS: usize = 500;
/// Maximum number of times that a part of a reply is compared with a schema. If schemas with `anyOf` refer to each
/// other, each level of the reply can double this number.
const MAX_STEPS: u32 = 20_000_000;
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];
/// Keywords that do not restrict which values are valid. In the draft 2020-12, `format` is such a keyword.
const ANNOTATIONS: [&str; 9] = [
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
];

pub struct Validator {
    root: Value,
}

impl Validator {
    pub fn new(schema: &Value) -> Result<Self, String> {
        check_schema(schema, schema, &mut HashSet::new())?;
        let root = schema.clone();
        Ok(Self { root })
    }

    /// Validates one value of a reply. `steps` counts the steps of all values of the reply.
    pub fn validate(&self, value: &Value, steps: &mut u32) -> Result<(), String> {
        let mut check = Check {
            root: &self.root,
            path: String::new(),
            references: Vec::new(),
            steps: *steps,
        };
        let result = check.value(value, &self.root);
        *steps = check.steps;
        // With `not`, the result can be `Ok` although a part of the value was not checked.
        match *steps > MAX_STEPS {
            true => Err(format!(
                "the reply cannot be checked against the schema within {MAX_STEPS} steps"
            )),
            false => result,
        }
    }
}

/// Checks that each keyword of a schema and of its subschemas is known and has a usable value. `seen` contains the
/// references whose targets were already checked.
fn check_schema<'a>(
    schema: &'a Value,
    root: &'a Value,
    seen: &mut HashSet<&'a str>,
) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return match schema.is_boolean() {
            true => Ok(()),
            false => Err(format!(
                "expected an object, `true` or `false`, found {}",
                short(schema)
            )),
        };
    };
    for (keyword, value) in keywords {
        let is_usable = match keyword.as_str() {
            "$schema" => value
                .as_str()
                .is_some_and(|draft| draft.trim_end_matches('#') == DRAFT),
            "type" => {
                let is_type =
                    |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
                is_type(value)
                    || value
                        .as_array()
                        .is_some_and(|names| names.iter().all(is_type))
            }
            "enum" => value.is_array(),
            "const" => true,
            "required" => value
                .as_array()
                .is_some_and(|names| names.iter().all(Value::is_string)),
            "uniqueItems" => value.is_boolean(),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => value.is_u64(),
            "$ref" => {
                let target = value.as_str().unwrap_or_default();
                let found = resolve(target, root);
                // The target can be in a place that is not checked otherwise, such as in `examples`.
                if let Some(schema) = found
                    && seen.insert(target)
                {
                    check_schema(schema, root, seen)?;
                }
                found.is_some()
            }
            "properties" | "$defs" | "definitions" => {
                for schema in value.as_object().into_iter().flat_map(Map::values) {
                    check_schema(schema, root, seen)?;
                }
                value.is_object()
            }
            "additionalProperties" | "items" | "not" => {
                check_schema(value, root, seen)?;
                true
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                for schema in value.as_array().into_iter().flatten() {
                    check_schema(schema, root, seen)?;
                }
                value.is_array()
            }
            name if ANNOTATIONS.contains(&name) => true,
            _ => {
                return Err(format!(
                    "this build cannot check the keyword `{keyword}`; build it with the feature `schema-validation`"
                ));
            }
        };
        if !is_usable {
            return Err(format!("invalid `{keyword}`: {}", short(value)));
        }
    }
    Ok(())
}

/// Returns the schema that a `$ref` refers to. Only references within `root` are supported.
fn resolve<'a>(target: &str, root: &'a Value) -> Option<&'a Value> {
    let found = root.pointer(target.strip_prefix('#')?)?;
    (found.is_object() || found.is_boolean()).then_some(found)
}

struct Check<'a> {
    root: &'a Value,
    /// JSON Pointer to the part of the value that is being checked.
    path: String,
    /// The schemas that the current check reached through `$ref`, each with the value that it is applied to. If a pair
    /// occurs twice, the references form an endless loop.
    references: Vec<(&'a Value, *const Value)>,
    steps: u32,
}

impl<'a> Check<'a> {
    fn wrong(&self, what: String) -> Result<(), String> {
        match self.path.as_str() {
            "" => Err(what),
            path => Err(format!("{what} (at {path})")),
        }
    }

    fn value(&mut self, value: &Value, schema: &'a Value) -> Result<(), String> {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MAX_STEPS {
            // The caller ignores this result.
            return Err(String::new());
        }
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(false) => return self.wrong(format!("unexpected {}", short(value))),
            _ => return Ok(()),
        };
        if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
            self.reference(value, target)?;
        }
        self.type_and_values(value, keywords)?;
        self.combined(value, keywords)?;
        match value {
            Value::Object(fields) => self.object(fields, keywords),
            Value::Array(items) => self.array(items, keywords),
            Value::String(text) => self.size(
                "characters",
                text.chars().count(),
                keywords,
                ["minLength", "maxLength"],
            ),
            Value::Number(_) => self.number(value, keywords),
            _ => Ok(()),
        }
    }

    fn reference(&mut self, value: &Value, target: &str) -> Result<(), String> {
        let Some(schema) = resolve(target, self.root) else {
            return self.wrong(format!("unresolved reference {target}"));
        };
        let here = ptr::from_ref(value);
        let is_loop =
            |(other, place): &(&Value, *const Value)| ptr::eq(*other, schema) && *place == here;
        if self.references.iter().any(is_loop) {
            return self.wrong(format!("the schema refers to itself without end: {target}"));
        }
        self.references.push((schema, here));
        let result = self.value(value, schema);
        self.references.pop();
        result
    }

    fn type_and_values(&self, value: &Value, keywords: &Map<String, Value>) -> Result<(), String> {
        if let Some(expected) = keywords.get("type") {
            let names = expected
                .as_array()
                .map_or(std::slice::from_ref(expected), Vec::as_slice);
            if !names
                .iter()
                .filter_map(Value::as_str)
                .any(|name| is_type(value, name))
            {
                let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
                return self.wrong(format!(
                    "expected {}, found {}",
                    names.join(" or "),
                    short(value)
                ));
            }
        }
        if let Some(expected) = keywords.get("const")
            && plain(expected) != plain(value)
        {
            return self.wrong(format!(
                "expected {}, found {}",
                short(expected),
                short(value)
            ));
        }
        if let Some(Value::Array(allowed)) = keywords.get("enum")
            && !allowed.iter().any(|allowed| plain(allowed) == plain(value))
        {
            let allowed = short(&Value::from(allowed.clone()));
            return self.wrong(format!("expected one of {allowed}, found {}", short(value)));
        }
        Ok(())
    }

    fn combined(&mut self, value: &Value, keywords: &'a Map<String, Value>) -> Result<(), String> {
        let schemas = |name: &str| keywords.get(name).and_then(Value::as_array);
        for schema in schemas("allOf").into_iter().flatten() {
            self.value(value, schema)?;
        }
        for (name, is_enough) in [("anyOf", false), ("oneOf", true)] {
            let Some(schemas) = schemas(name) else {
                continue;
            };
            let results = schemas.iter().map(|schema| self.value(value, schema));
            let results: Vec<_> = results.collect();
            let valid = results.iter().filter(|result| result.is_ok()).count();
            if valid == 0 {
                let reasons: Vec<_> = results.into_iter().filter_map(Result::err).collect();
                let reasons = shorten(&reasons.join("; "), MAX_REASONS);
                return self.wrong(format!("no schema of `{name}` is satisfied: {reasons}"));
            }
            if is_enough && valid > 1 {
                return self.wrong(format!(
                    "{valid} schemas of `{name}` are satisfied instead of one"
                ));
            }
        }
        if let Some(schema) = keywords.get("not")
            && self.value(value, schema).is_ok()
        {
            return self.wrong(format!("{} is excluded by `not`", short(value)));
        }
        Ok(())
    }

    fn object(
        &mut self,
        fields: &Map<String, Value>,
        keywords: &'a Map<String, Value>,
    ) -> Result<(), String> {
        self.size(
            "properties",
            fields.len(),
            keywords,
            ["minProperties", "maxProperties"],
        )?;
        let required = keywords.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        for name in required {
            if !fields.contains_key(name) {
                return self.wrong(format!("the property `{name}` is missing"));
            }
        }
        let known = keywords.get("properties").and_then(Value::as_object);
        for (name, field) in fields {
            let schema = known.and_then(|known| known.get(name));
            let Some(schema) = schema.or_else(|| keywords.get("additionalProperties")) else {
                continue;
            };
            let escaped = name.replace('~', "~0").replace('/', "~1");
            self.inside(&escaped, field, schema)?;
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value], keywords: &'a Map<String, Value>) -> Result<(), String> {
        self.size("items", items.len(), keywords, ["minItems", "maxItems"])?;
        let first = keywords.get("prefixItems").and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let schema = first.and_then(|first| first.get(index));
            if let Some(schema) = schema.or_else(|| keywords.get("items")) {
                self.inside(&index.to_string(), item, schema)?;
            }
        }
        if keywords.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen = HashSet::new();
            for item in items {
                if !seen.insert(plain(item).to_string()) {
                    return self.wrong(format!("duplicate item {}", short(item)));
                }
            }
        }
        Ok(())
    }

    fn inside(&mut self, name: &str, value: &Value, schema: &'a Value) -> Result<(), String> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        let result = self.value(value, schema);
        self.path.truncate(length);
        result
    }

    fn size(
        &self,
        what: &str,
        size: usize,
        keywords: &Map<String, Value>,
        names: [&str; 2],
    ) -> Result<(), String> {
        let [least, most] = names.map(|name| keywords.get(name).and_then(Value::as_u64));
        let size = size as u64;
        if let Some(least) = least.filter(|least| size < *least) {
            return self.wrong(format!("{size} {what}, expected at least {least}"));
        }
        if let Some(most) = most.filter(|most| size > *most) {
            return self.wrong(format!("{size} {what}, expected at most {most}"));
        }
        Ok(())
    }

    fn number(&self, value: &Value, keywords: &Map<String, Value>) -> Result<(), String> {
        use Ordering::{Equal, Greater, Less};
        for (name, words, allowed) in [
            ("minimum", "at least", &[Equal, Greater][..]),
            ("maximum", "at most", &[Equal, Less]),
            ("exclusiveMinimum", "more than", &[Greater]),
            ("exclusiveMaximum", "less than", &[Less]),
        ] {
            if let Some(bound) = keywords.get(name)
                && !allowed.contains(&order(value, bound))
            {
                return self.wrong(format!("expected {words} {bound}, found {}", short(value)));
            }
        }
        Ok(())
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // `1.0` is an integer.
        "integer" => {
            value.is_i64()
                || value.is_u64()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

fn whole(value: &Value) -> Option<i128> {
    value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from))
}

fn order(value: &Value, bound: &Value) -> Ordering {
    match (whole(value), whole(bound)) {
        (Some(value), Some(bound)) => value.cmp(&bound),
        _ => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            number(value).total_cmp(&number(bound))
        }
    }
}

/// Converts each float of less than 9e15 without a fraction to an integer, because `1.0` equals `1` in JSON Schema.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            // Within these bounds, an `f64` represents every integer exactly.
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), plain(value)));
            Value::Object(fields.collect())
        }
        _ => value.clone(),
    }
}

fn short(value: &Value) -> String {
    shorten(&value.to_string(), MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_judged_as_by_the_library() {
        let tree = json!({"type": "object", "required": ["next"], "properties":
            {"next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}}});
        let schemas = [
            json!(true),
            json!(false),
            json!({}),
            tree,
            json!({"type": "integer"}),
            json!({"type": ["string", "null"]}),
            json!({"type": "number", "minimum": 1, "exclusiveMaximum": 3.5}),
            json!({"enum": [1, "a", [1.0], {"a": 2}]}),
            json!({"const": 1.0}),
            json!({"not": {"type": "string"}}),
            json!({"type": "string", "minLength": 1, "maxLength": 2}),
            json!({"exclusiveMinimum": 1, "maximum": 18_446_744_073_709_551_614_u64}),
            json!({"required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": false}),
            json!({"properties": {"a": {"$ref": "#/$defs/b~1c"}}, "additionalProperties": {"type": "null"}, "$defs": {"b/c": {"minimum": 2}}}),
            json!({"minProperties": 1, "maxProperties": 1, "minItems": 1, "maxItems": 2}),
            json!({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}),
            json!({"uniqueItems": true}),
            json!({"allOf": [{"type": "integer"}, {"minimum": 2}]}),
            json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}),
            json!({"type": "string", "format": "date"}),
        ];
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(1.0),
            json!(2),
            json!(2.5),
            json!(-3),
            json!(3.5),
            json!(u64::MAX),
            json!(""),
            json!("a"),
            json!("éé"),
            json!("abc"),
            json!([]),
            json!([1]),
            json!([1, "a"]),
            json!([1, 1.0]),
            json!(["a", "a", "b"]),
            json!({}),
            json!({"a": 1}),
            json!({"a": 2}),
            json!({"a": 2.0, "b": null}),
            json!({"a": "x"}),
            json!({"b": 1}),
            json!({"next": null}),
            json!({"next": {"next": null}}),
            json!({"next": {"next": 1}}),
            json!({"next": {}}),
        ];
        for schema in &schemas {
            let (ours, library) = (
                Validator::new(schema).unwrap(),
                jsonschema::validator_for(schema).unwrap(),
            );
            for value in &values {
                let result = ours.validate(value, &mut 0);
                assert_eq!(
                    result.is_ok(),
                    library.is_valid(value),
                    "{schema} {value}: {result:?}"
                );
            }
        }
    }

    #[test]
    fn errors_have_the_place_and_the_reason() {
        let schema =
            json!({"properties": {"a/b": {"items": {"type": ["integer", "null"], "maximum": 3}}}});
        let validator = Validator::new(&schema).unwrap();
        for (value, expected) in [
            (
                json!({"a/b": [1, "x"]}),
                "expected integer or null, found \"x\" (at /a~1b/1)",
            ),
            (
                json!({"a/b": [4]}),
                "expected at most 3, found 4 (at /a~1b/0)",
            ),
        ] {
            assert_eq!(validator.validate(&value, &mut 0), Err(expected.to_owned()));
        }
    }

    #[test]
    fn schemas_that_cannot_be_checked_are_refused() {
        for (schema, expected) in [
            (
                json!({"items": {"pattern": "a"}}),
                "this build cannot check the keyword `pattern`",
            ),
            (
                json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
                "invalid `$schema`",
            ),
            (json!({"type": "strin"}), "invalid `type`: \"strin\""),
            (
                json!({"$ref": "https://example.com/other.json"}),
                "invalid `$ref`",
            ),
            (json!({"$ref": "#/$defs/missing"}), "invalid `$ref`"),
            (
                json!({"$ref": "#/examples/0", "examples": [{"type": "string", "pattern": "^a"}]}),
                "this build cannot check the keyword `pattern`",
            ),
            (
                json!({"properties": {"a": 1}}),
                "expected an object, `true` or `false`, found 1",
            ),
        ] {
            let error = Validator::new(&schema).err().unwrap_or_default();
            assert!(error.starts_with(expected), "{schema}: {error}");
        }
    }

    #[test]
    fn a_check_ends_after_a_number_of_steps() {
        let list = json!({"type": "array", "items": {"$ref": "#/$defs/tree"}});
        let tree = json!({"anyOf": [list, list, {"type": "string"}]});
        let value = (0..60).fold(json!(1), |value, _| json!([value]));
        for schema in [
            json!({"$ref": "#/$defs/tree", "$defs": {"tree": tree}}),
            json!({"not": {"$ref": "#/$defs/tree"}, "$defs": {"tree": tree}}),
        ] {
            let validator = Validator::new(&schema).unwrap();
            // Most of the steps are used up, so that the test is quick.
            let mut steps = MAX_STEPS - 10_000;
            // The second value of the reply has no steps left.
            for value in [&value, &json!("a")] {
                let error = validator.validate(value, &mut steps).unwrap_err();
                assert!(error.contains("cannot be checked"), "{error}");
            }
        }
    }

    #[test]
    fn endless_references_are_errors() {
        let schema = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]});
        let error = Validator::new(&schema)
            .unwrap()
            .validate(&json!(1), &mut 0)
            .unwrap_err();
        assert!(
            error.contains("the schema refers to itself without end"),
            "{error}"
        );
    }
}
