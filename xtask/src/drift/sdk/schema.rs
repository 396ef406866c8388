//! One type of the SDK against its component schema.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{SdkType, finding};
use crate::drift::document::Document;
use crate::drift::finding::{Finding, Kind, Severity};
use crate::drift::marked::step;
use crate::drift::shape::{JsonType, Shape, type_text};

/// Compares, and gives the number of properties that were looked at.
pub fn compare(document: &Document, sdk: &SdkType, findings: &mut Vec<Finding>) -> usize {
    let pointer = format!("/components/schemas/{}", sdk.name);
    let shape = Shape::of(document, &pointer);
    let whole = read(&sdk.schema, &sdk.schema, 0);
    if !within(&shape.types, &whole.types) {
        let (document, other) = (shape.type_text(), whole.text());
        findings.push(finding(
            sdk.name,
            Kind::Type,
            Severity::Breaking,
            "the type",
            &pointer,
            &document,
            &other,
        ));
    }
    // A union is carried as JSON; its parts are not properties of a Rust type.
    let Some(properties) = sdk.schema["properties"].as_object() else {
        return 0;
    };
    for (name, place) in &shape.properties {
        let subject = format!("property `{name}`");
        match properties.get(name) {
            Some(schema) => {
                let mut pair = Pair {
                    sdk,
                    subject,
                    place,
                    document: Shape::of(document, place),
                    other: read(&sdk.schema, schema, 0),
                    findings,
                };
                pair.types();
                pair.format();
                pair.nullable();
                pair.required(shape.required.contains(name), requires(&sdk.schema, name));
            }
            None => {
                let text = Shape::of(document, place).type_text();
                findings.push(finding(
                    sdk.name,
                    Kind::FieldRemoved,
                    Severity::Breaking,
                    &subject,
                    place,
                    &text,
                    "nothing",
                ));
            }
        }
    }
    for (name, schema) in properties
        .iter()
        .filter(|(n, _)| !shape.properties.contains_key(*n))
    {
        let place = format!("{}/properties/{}", shape.object, step(name));
        let text = read(&sdk.schema, schema, 0).text();
        let severity = if sdk.sent {
            Severity::Breaking
        } else {
            Severity::Additive
        };
        let subject = format!("property `{name}`");
        findings.push(finding(
            sdk.name,
            Kind::FieldAdded,
            severity,
            &subject,
            &place,
            "nothing",
            &text,
        ));
    }
    shape.properties.len()
}

fn requires(schema: &Value, name: &str) -> bool {
    let list = schema["required"].as_array().into_iter().flatten();
    list.into_iter().any(|r| r == name)
}

struct Pair<'a> {
    sdk: &'a SdkType,
    subject: String,
    place: &'a str,
    document: Shape,
    other: Read,
    findings: &'a mut Vec<Finding>,
}

impl Pair<'_> {
    fn add(&mut self, kind: Kind, document: &str, other: &str) {
        self.findings.push(finding(
            self.sdk.name,
            kind,
            Severity::Breaking,
            &self.subject,
            self.place,
            document,
            other,
        ));
    }

    /// What is received must fit the SDK's type; what is sent must fit the document's.
    fn types(&mut self) {
        let items = self
            .document
            .items
            .as_deref()
            .map(|i| i.types.clone())
            .unwrap_or_default();
        let fits = if self.sdk.sent {
            within(&self.other.types, &self.document.types) && within(&self.other.items, &items)
        } else {
            within(&self.document.types, &self.other.types) && within(&items, &self.other.items)
        };
        if !fits {
            let (document, other) = (self.document.type_text(), self.other.text());
            self.add(Kind::Type, &document, &other);
        }
    }

    fn format(&mut self) {
        let inner = self.document.items.as_ref().and_then(|i| i.format.clone());
        let document = self.document.format.clone().or(inner);
        let other = self.other.format.clone();
        let looser = if self.sdk.sent {
            other.is_none()
        } else {
            document.is_none()
        };
        if document != other && (looser || (document.is_some() && other.is_some())) {
            let text = |format: Option<String>| format.unwrap_or_else(|| "no format".to_owned());
            let (document, other) = (text(document), text(other));
            self.add(Kind::Format, &document, &other);
        }
    }

    /// What is sent leaves an empty option out, which the check of requests sees.
    fn nullable(&mut self) {
        if !self.sdk.sent && self.document.nullable && !self.other.nullable {
            self.add(Kind::Nullable, "nullable", "never null");
        }
    }

    fn required(&mut self, document: bool, sdk: bool) {
        let text = |required| if required { "required" } else { "optional" };
        let breaks = if self.sdk.sent {
            document && !sdk
        } else {
            sdk && !document
        };
        if breaks {
            self.add(Kind::Required, text(document), text(sdk));
        }
    }
}

/// Whether every type of one set is in the other; an empty set means any.
fn within(inner: &BTreeSet<JsonType>, outer: &BTreeSet<JsonType>) -> bool {
    let each = inner.iter().all(|i| outer.iter().any(|o| i.within(*o)));
    outer.is_empty() || (!inner.is_empty() && each)
}

/// What a JSON Schema of `schemars` allows.
#[derive(Clone, Debug, Default)]
struct Read {
    types: BTreeSet<JsonType>,
    items: BTreeSet<JsonType>,
    format: Option<String>,
    nullable: bool,
}

impl Read {
    fn text(&self) -> String {
        let array = self.types.contains(&JsonType::Array);
        type_text(&self.types, array.then(|| type_text(&self.items, None)))
    }
}

fn read(root: &Value, schema: &Value, depth: usize) -> Read {
    let mut read = Read::default();
    if depth > 8 {
        return read;
    }
    if let Some(target) = schema["$ref"].as_str() {
        return match root.pointer(target.trim_start_matches('#')) {
            Some(target) => self::read(root, target, depth + 1),
            None => read,
        };
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    read.nullable = names.contains(&"null");
    read.types = names.iter().filter_map(|n| JsonType::parse(n)).collect();
    let text = |value: &Value| value["format"].as_str().map(str::to_owned);
    // Only a string's format is on the wire.
    read.format = text(schema).filter(|_| read.types.contains(&JsonType::String));
    if let Some(items) = schema.get("items") {
        let items = self::read(root, items, depth + 1);
        read.format = read.format.or(items.format);
        read.items = items.types;
    }
    let alternatives = ["anyOf", "oneOf"]
        .iter()
        .filter_map(|k| schema[*k].as_array());
    let mut any = names.is_empty() && !["anyOf", "oneOf"].iter().any(|k| schema[*k].is_array());
    for alternative in alternatives.flatten() {
        if alternative["type"] == "null" {
            read.nullable = true;
            continue;
        }
        let part = self::read(root, alternative, depth + 1);
        read.nullable |= part.nullable;
        any |= part.types.is_empty();
        read.types.extend(part.types);
        read.items.extend(part.items);
        read.format = read.format.or(part.format);
    }
    if any {
        // Without a type everything is allowed, null too.
        read.types.clear();
        read.nullable = true;
    }
    read
}
