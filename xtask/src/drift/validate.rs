//! A JSON value against a schema of the document, with the place of each violation in it.
//!
//! The walk follows references, `allOf` and `anyOf`, so that each violation knows its line;
//! what a keyword means is left to `jsonschema`.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::finding::{Kind, Severity};
use super::marked::step;
use super::shape::Shape;

/// What a value violates.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// What kind of difference it is.
    pub kind: Kind,
    /// How much it weighs.
    pub severity: Severity,
    /// The place in the document.
    pub pointer: String,
    /// The place in the value.
    pub instance: String,
    /// What the document says.
    pub document: String,
    /// What the value is.
    pub other: String,
}

impl Violation {
    /// The place in the value, dot by dot.
    pub fn name(&self) -> String {
        let name = self.instance.trim_start_matches('/').replace('/', ".");
        if name.is_empty() {
            "the body".to_owned()
        } else {
            name
        }
    }
}

/// All violations of the schema at a pointer. Fields and enum values that the document
/// does not know are violations too, of less weight.
pub fn check(document: &Document, schema: &str, value: &Value) -> Vec<Violation> {
    let mut walk = Walk {
        document,
        found: Vec::new(),
    };
    walk.value(schema, value, "");
    walk.found
}

struct Walk<'a> {
    document: &'a Document,
    found: Vec<Violation>,
}

impl Walk<'_> {
    fn add(
        &mut self,
        kind: Kind,
        severity: Severity,
        pointer: &str,
        instance: &str,
        document: String,
        other: String,
    ) {
        // The parts of an `allOf` say the same thing of a type.
        let same = |v: &Violation| v.kind == kind && v.pointer == pointer && v.instance == instance;
        if self.found.iter().any(same) {
            return;
        }
        let (pointer, instance) = (pointer.to_owned(), instance.to_owned());
        self.found.push(Violation {
            kind,
            severity,
            pointer,
            instance,
            document,
            other,
        });
    }

    fn value(&mut self, pointer: &str, value: &Value, instance: &str) {
        let shape = Shape::of(self.document, pointer);
        let any = shape.types.is_empty() && shape.values.is_none();
        if value.is_null() && !any {
            if !shape.nullable {
                self.add(
                    Kind::Nullable,
                    Severity::Breaking,
                    pointer,
                    instance,
                    "never null".into(),
                    "null".into(),
                );
            }
            return;
        }
        let before = self.found.len();
        self.keywords(pointer, pointer, value, instance);
        if self.found[before..].iter().any(|v| v.kind == Kind::Type) {
            return;
        }
        let home = self.document.resolve(pointer);
        let choices = self
            .document
            .get(&format!("{home}/anyOf"))
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        match &shape.values {
            Some(values) if values.open => {
                if let Some(text) = value
                    .as_str()
                    .filter(|t| !values.list.iter().any(|v| v == t))
                {
                    let place = format!("{}/{}", values.pointer, step(text));
                    self.add(
                        Kind::EnumAdded,
                        Severity::Additive,
                        &place,
                        instance,
                        "nothing".into(),
                        text.to_owned(),
                    );
                } else if !value.is_string() {
                    self.wrong_type(&shape, pointer, value, instance);
                }
                return;
            }
            _ if choices > 0 => {
                return self.choice(&home, choices, &shape, pointer, value, instance);
            }
            _ => {}
        }
        self.children(&shape, value, instance);
    }

    fn wrong_type(&mut self, shape: &Shape, pointer: &str, value: &Value, instance: &str) {
        self.add(
            Kind::Type,
            Severity::Breaking,
            pointer,
            instance,
            shape.type_text(),
            type_name(value).into(),
        );
    }

    fn children(&mut self, shape: &Shape, value: &Value, instance: &str) {
        match value {
            Value::Object(map) if !shape.properties.is_empty() => {
                for (name, value) in map {
                    let inside = format!("{instance}/{}", step(name));
                    match shape.properties.get(name) {
                        Some(place) => self.value(place, value, &inside),
                        None => {
                            let place = format!("{}/properties/{}", shape.object, step(name));
                            self.add(
                                Kind::FieldAdded,
                                Severity::Additive,
                                &place,
                                &inside,
                                "nothing".into(),
                                type_name(value).into(),
                            );
                        }
                    }
                }
            }
            Value::Array(items) => {
                if let Some(shape) = &shape.items {
                    for (index, item) in items.iter().enumerate() {
                        self.value(&shape.pointer, item, &format!("{instance}/{index}"));
                    }
                }
            }
            _ => {}
        }
    }

    /// The alternative that fits best speaks for all.
    fn choice(
        &mut self,
        home: &str,
        choices: usize,
        shape: &Shape,
        pointer: &str,
        value: &Value,
        instance: &str,
    ) {
        let breaking = |found: &[Violation]| {
            found
                .iter()
                .filter(|v| v.severity == Severity::Breaking)
                .count()
        };
        let best = (0..choices)
            .map(|index| {
                let mut walk = Walk {
                    document: self.document,
                    found: Vec::new(),
                };
                walk.value(&format!("{home}/anyOf/{index}"), value, instance);
                walk.found
            })
            .min_by_key(|found| breaking(found))
            .unwrap_or_default();
        if breaking(&best) > 0 {
            self.wrong_type(shape, pointer, value, instance);
        } else {
            self.found.extend(best);
        }
    }

    /// The keywords of a schema and of the parts of its `allOf`, but for those that lead deeper.
    fn keywords(&mut self, schema: &str, pointer: &str, value: &Value, instance: &str) {
        let home = self.document.resolve(schema);
        let Some(node) = self
            .document
            .0
            .value
            .pointer(&home)
            .and_then(Value::as_object)
        else {
            return;
        };
        for error in shallow_errors(node, value) {
            let (kind, document, other, place) = self.explain(&error, &home, pointer, value);
            let severity = if kind == Kind::EnumAdded {
                Severity::Additive
            } else {
                Severity::Breaking
            };
            self.add(
                kind,
                severity,
                &place,
                &format!("{instance}{}", missing(&error)),
                document,
                other,
            );
        }
        for index in 0..node
            .get("allOf")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
        {
            self.keywords(&format!("{home}/allOf/{index}"), pointer, value, instance);
        }
    }

    fn explain(
        &self,
        error: &Fault,
        home: &str,
        pointer: &str,
        value: &Value,
    ) -> (Kind, String, String, String) {
        let node = self.document.get(home).cloned().unwrap_or_default();
        let at = pointer.to_owned();
        match error {
            Fault::Type => (
                Kind::Type,
                Shape::of(self.document, pointer).type_text(),
                type_name(value).into(),
                at,
            ),
            Fault::Format(format) => (
                Kind::Format,
                format.clone(),
                "a value of another format".into(),
                at,
            ),
            Fault::Enum => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                let place = format!("{home}/enum/{}", step(&text));
                (Kind::EnumAdded, "nothing".into(), text, place)
            }
            Fault::Missing(name) => {
                let place = format!("{home}/properties/{}", step(name));
                (Kind::Required, "required".into(), "missing".into(), place)
            }
            Fault::Rule(text) => {
                let given: Vec<&str> = rule_fields(&node)
                    .filter(|f| value.get(*f).is_some())
                    .collect();
                let given = if given.is_empty() {
                    "none of them".to_owned()
                } else {
                    given.join(", ")
                };
                (Kind::Rule, text.clone(), given, format!("{home}/oneOf"))
            }
            Fault::Other(text) => (Kind::Invalid, "a valid value".into(), text.clone(), at),
        }
    }
}

/// What `jsonschema` found at one place.
enum Fault {
    Type,
    Format(String),
    Enum,
    Missing(String),
    Rule(String),
    Other(String),
}

fn missing(fault: &Fault) -> String {
    match fault {
        Fault::Missing(name) => format!("/{}", step(name)),
        _ => String::new(),
    }
}

fn rule_fields(node: &Value) -> impl Iterator<Item = &str> {
    let choices = node["oneOf"].as_array().into_iter().flatten();
    choices.filter_map(|c| c["required"][0].as_str())
}

/// What the keywords of one schema say of a value; those that lead deeper are left out, and
/// so is `nullable`, since null was looked at before.
fn shallow_errors(node: &Map<String, Value>, value: &Value) -> Vec<Fault> {
    const DEEPER: [&str; 8] = [
        "properties",
        "additionalProperties",
        "items",
        "allOf",
        "anyOf",
        "nullable",
        "example",
        "default",
    ];
    let mut schema = node.clone();
    schema.retain(|name, _| !DEEPER.contains(&name.as_str()));
    let rule: Vec<String> = rule_fields(&json!(node)).map(str::to_owned).collect();
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&Value::Object(schema));
    let validator = match validator {
        Ok(validator) => validator,
        Err(e) => return vec![Fault::Other(format!("the document's schema: {e}"))],
    };
    validator
        .iter_errors(value)
        .map(|error| match &error.kind {
            ValidationErrorKind::Type { .. } => Fault::Type,
            ValidationErrorKind::Format { format } => Fault::Format(format.clone()),
            ValidationErrorKind::Enum { .. } => Fault::Enum,
            ValidationErrorKind::Required { property } => {
                Fault::Missing(property.as_str().unwrap_or_default().to_owned())
            }
            ValidationErrorKind::OneOfNotValid { .. }
            | ValidationErrorKind::OneOfMultipleValid { .. }
                if !rule.is_empty() =>
            {
                Fault::Rule(format!("exactly one of {}", rule.join(", ")))
            }
            // The message would repeat the value, which may be a secret.
            kind => Fault::Other(format!("{} is violated", keyword(kind))),
        })
        .collect()
}

fn keyword(kind: &ValidationErrorKind) -> String {
    let text = format!("{kind:?}");
    let end = text
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(text.len());
    let mut name = text[..end].to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
