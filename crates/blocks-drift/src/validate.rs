//! Compares a JSON value with a schema of the OpenAPI document, and reports the place of each difference.
//!
//! This module itself follows references, `allOf`, `anyOf`, `oneOf`, and the schemas of fields and items. So it knows
//! the schema (and the line) that each difference is about. It also checks `nullable`. The crate `jsonschema` checks
//! other keywords, such as `maxLength`.

use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use crate::document::Document;
use crate::finding::{Finding, Kind, NOTHING, Severity, finding};
use crate::shape::{Shape, alternatives, rule_fields};
use crate::spanned::step;

/// A difference between a JSON value and its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The place in the JSON value, as a JSON pointer.
    pub instance: String,
    /// The finding. Its subject is the place in the JSON value, written with dots, such as `items.0.id`.
    pub finding: Finding,
}

/// Returns the differences between a value and the schema at the JSON pointer `schema`. A field or an enum value that
/// is not in the OpenAPI document is an additive difference. Of a value with a wrong type, only the wrong type is
/// reported.
pub fn check(document: &Document, schema: &str, value: &Value) -> Vec<Difference> {
    let mut walk = Walk { document, placeholders: false, found: Vec::new() };
    walk.value(schema, value, "");
    walk.found
}

/// Returns the differences between a sample of a page and a schema, as [`check`] does. But a string of a sample that
/// looks like a placeholder may have any value, length and format (see [`is_placeholder`]).
pub fn check_sample(document: &Document, schema: &str, value: &Value) -> Vec<Difference> {
    let mut walk = Walk { document, placeholders: true, found: Vec::new() };
    walk.value(schema, value, "");
    walk.found
}

/// Returns whether a string contains a sign of a placeholder, such as `8c1d…` or `<id>`. The string may contain other
/// text too.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let bracketed =
        |open, close| text.find(open).is_some_and(|at| text[at..].contains::<char>(close));
    text.contains('…')
        || text.contains("...")
        || bracketed('<', '>')
        || bracketed('{', '}')
        || text.starts_with(['$', ':'])
        || text.contains("YOUR_")
        || text.to_lowercase().contains("xxx")
}

struct Walk<'a> {
    document: &'a Document,
    /// Whether placeholders may be in the place of values.
    placeholders: bool,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn add(&mut self, instance: &str, finding: Finding) {
        let name = instance.trim_start_matches('/').replace('/', ".");
        let subject = if name.is_empty() { "the body".to_owned() } else { name };
        // Two parts of an `allOf` can report the same difference. The difference is added only once.
        let same = |v: &Difference| {
            v.instance == instance
                && (v.finding.kind, &v.finding.pointer) == (finding.kind, &finding.pointer)
        };
        if !self.found.iter().any(same) {
            let finding = Finding { subject, ..finding };
            self.found.push(Difference { instance: instance.to_owned(), finding });
        }
    }

    fn breaking(&mut self, kind: Kind, pointer: &str, instance: &str, texts: (&str, &str)) {
        self.add(instance, finding(kind, Severity::Breaking, "", pointer, texts));
    }

    fn value(&mut self, pointer: &str, value: &Value, instance: &str) {
        let shape = Shape::of(self.document, pointer);
        let any = shape.types.is_empty() && shape.values.is_none();
        if value.is_null() && !any {
            if !shape.nullable {
                self.breaking(Kind::Nullable, pointer, instance, ("never null", "null"));
            }
            return;
        }
        let before = self.found.len();
        self.keywords(pointer, &shape, pointer, value, instance);
        if self.found[before..].iter().any(|v| v.finding.kind == Kind::Type) {
            return;
        }
        let resolved = self.document.resolve(pointer);
        let branches = alternatives(self.document, &resolved);
        if let Some(values) = shape.values.as_ref().filter(|v| v.open) {
            match value.as_str() {
                Some(text) => {
                    self.enum_value(&values.pointer, &values.list, text, instance);
                }
                None => self.wrong_type(&shape, pointer, value, instance),
            }
        } else if let [branch] = branches.as_slice() {
            self.value(branch, value, instance);
            // If there is only one branch, a finding about the branch gets the pointer of the property that contains
            // it. The report then shows the line of the property, which a reader understands better than the line of
            // the branch.
            for difference in
                self.found[before..].iter_mut().filter(|v| v.finding.pointer == *branch)
            {
                pointer.clone_into(&mut difference.finding.pointer);
            }
        } else if !branches.is_empty() {
            self.closest_branch(&branches, &shape, pointer, value, instance);
        } else {
            self.children(&shape, value, instance);
        }
    }

    fn enum_value(&mut self, at: &str, list: &[String], text: &str, instance: &str) {
        let is_placeholder = self.placeholders && is_placeholder(text);
        if !list.iter().any(|v| v == text) && !is_placeholder {
            let pointer = format!("{at}/{}", step(text));
            let texts = (NOTHING, text);
            let found = finding(Kind::EnumAdded, Severity::Additive, "", &pointer, texts);
            self.add(instance, found);
        }
    }

    fn wrong_type(&mut self, shape: &Shape, pointer: &str, value: &Value, instance: &str) {
        let texts = (shape.type_text(), type_name(value));
        self.breaking(Kind::Type, pointer, instance, (&texts.0, texts.1));
    }

    fn children(&mut self, shape: &Shape, value: &Value, instance: &str) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let inside = format!("{instance}/{}", step(name));
                    let place = format!("{}/properties/{}", shape.object, step(name));
                    match (shape.properties.get(name), &shape.additional) {
                        (Some(place), _) => self.value(place, value, &inside),
                        (None, Some(schema)) => self.value(schema, value, &inside),
                        (None, None) if shape.properties.is_empty() => {}
                        (None, None) => {
                            let (kind, texts) = (Kind::FieldAdded, (NOTHING, type_name(value)));
                            let found = finding(kind, Severity::Additive, "", &place, texts);
                            self.add(&inside, found);
                        }
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(shape) = &shape.items {
                        self.value(&shape.pointer, item, &format!("{instance}/{index}"));
                    }
                }
            }
            _ => {}
        }
    }

    /// Compares a value with each branch of an `anyOf` or `oneOf`. Reports a wrong type if the value has a breaking
    /// difference from every branch. Otherwise reports the differences from one of the branches without a breaking
    /// difference: the branch with the fewest differences.
    fn closest_branch(
        &mut self,
        branches: &[String],
        shape: &Shape,
        pointer: &str,
        value: &Value,
        instance: &str,
    ) {
        let breaking = |found: &[Difference]| {
            found.iter().filter(|v| v.finding.severity == Severity::Breaking).count()
        };
        let (document, placeholders) = (self.document, self.placeholders);
        let attempts = branches.iter().map(|place| {
            let mut walk = Walk { document, placeholders, found: Vec::new() };
            walk.value(place, value, instance);
            walk.found
        });
        let best = attempts.min_by_key(|found| (breaking(found), found.len())).unwrap_or_default();
        if breaking(&best) > 0 {
            self.wrong_type(shape, pointer, value, instance);
        } else {
            self.found.extend(best);
        }
    }

    /// Checks a value against the keywords of a schema, and of the parts of its `allOf`. The schemas of fields and
    /// items are not checked.
    fn keywords(&mut self, at: &str, shape: &Shape, pointer: &str, value: &Value, instance: &str) {
        let resolved = self.document.resolve(at);
        let Some(node) = self.document.0.value.pointer(&resolved).cloned() else {
            return;
        };
        if let Some(fields) = rule_fields(&node).filter(|_| value.is_object()) {
            let given: Vec<&str> =
                fields.iter().map(String::as_str).filter(|f| value.get(f).is_some()).collect();
            if given.len() != 1 {
                let other = if given.is_empty() { "none of them".into() } else { given.join(", ") };
                let rule = format!("exactly one of {}", fields.join(", "));
                self.breaking(Kind::Rule, &format!("{resolved}/oneOf"), instance, (&rule, &other));
            }
        }
        let placeholder = self.placeholders && value.as_str().is_some_and(is_placeholder);
        for fault in faults(&node, value) {
            match fault {
                Fault::Type => self.wrong_type(shape, pointer, value, instance),
                Fault::Missing(name) => {
                    let place = format!("{resolved}/properties/{}", step(&name));
                    let inside = format!("{instance}/{}", step(&name));
                    self.breaking(Kind::Required, &place, &inside, ("required", "missing"));
                }
                _ if placeholder => {}
                Fault::Enum => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    self.enum_value(&format!("{resolved}/enum"), &[], &text, instance);
                }
                Fault::Format(format) => {
                    let texts = (format.as_str(), "a value of another format");
                    self.breaking(Kind::Format, pointer, instance, texts);
                    if let (true, Some(last)) = (shape.usual, self.found.last_mut()) {
                        last.finding.severity = Severity::Informational;
                    }
                }
                Fault::Other(text) => {
                    self.breaking(Kind::Invalid, pointer, instance, ("a valid value", &text));
                }
            }
        }
        for index in 0..node["allOf"].as_array().map_or(0, Vec::len) {
            self.keywords(&format!("{resolved}/allOf/{index}"), shape, pointer, value, instance);
        }
    }
}

/// A reason why a JSON value is not valid under its schema.
enum Fault {
    Type,
    Format(String),
    Enum,
    Missing(String),
    Other(String),
}

/// Checks a value against the keywords of one schema, and returns the violations. The schemas of fields and items are
/// not checked. `nullable` is not checked, because the caller has already handled null.
fn faults(node: &Value, value: &Value) -> Vec<Fault> {
    const DEEPER: [&str; 10] = [
        "properties",
        "additionalProperties",
        "items",
        "allOf",
        "anyOf",
        "oneOf",
        "nullable",
        "example",
        "default",
        "format",
    ];
    let mut schema = node.as_object().cloned().unwrap_or_default();
    let format = node.get("format").or(node.get("x-usual-format")).cloned();
    schema.retain(|name, _| !DEEPER.contains(&name.as_str()));
    if let Some(format) = format.filter(|f| f != "int64" && f != "int32") {
        schema.insert("format".to_owned(), format);
    }
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&json!(schema));
    let validator = match validator {
        Ok(validator) => validator,
        Err(e) => return vec![Fault::Other(format!("the document's schema: {e}"))],
    };
    let mut found: Vec<Fault> = validator
        .iter_errors(value)
        .map(|error| match &error.kind {
            ValidationErrorKind::Type { .. } => Fault::Type,
            ValidationErrorKind::Format { format } => Fault::Format(format.clone()),
            ValidationErrorKind::Enum { .. } => Fault::Enum,
            ValidationErrorKind::Required { property } => {
                Fault::Missing(property.as_str().unwrap_or_default().to_owned())
            }
            // The message of `jsonschema` is not used, because it contains the value. The value may be a secret.
            kind => Fault::Other(format!("{} failed", keyword(kind))),
        })
        .collect();
    // `jsonschema` accepts 1.0 and 2^63 as integers. They are a wrong type here, because a program cannot read them as
    // an `i64`.
    if node["type"] == "integer" && value.is_number() && !value.is_i64() {
        found.push(Fault::Type);
    }
    found
}

fn keyword(kind: &ValidationErrorKind) -> String {
    let text = format!("{kind:?}");
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let mut name = text[..end].to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}

/// Returns the name of the JSON type of a value, for reports.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
