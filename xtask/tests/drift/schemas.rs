//! JSON Schemas, as `schemars` writes them, against component schemas.

use serde_json::{Value, json};
use xtask::drift::sdk::{SdkEnum, SdkType, compare};

use super::*;

const DOCUMENT: &str = "\
components:
  schemas:
    Color: { type: string, enum: [red, blue] }
    Thing:
      type: object
      required: [id]
      properties:
        id: { type: string, format: uuid }
        size: { type: number, nullable: true }
        color: { anyOf: [{ $ref: '#/components/schemas/Color' }, { type: string, nullable: true }] }
        parts: { type: array, nullable: true, items: { type: string, format: uuid } }
        free: { description: Any shape. }
";

fn thing() -> Value {
    json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "size": {"type": ["number", "null"], "format": "double"},
            "color": {"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}]},
            "parts": {"type": ["array", "null"], "items": {"type": "string", "format": "uuid"}},
            "free": true,
        },
        "$defs": {"Color": {"type": "string"}},
    })
}

fn found(sent: bool, change: impl Fn(&mut Value)) -> Vec<(Kind, Severity, String)> {
    let document = document_of(DOCUMENT);
    let mut schema = thing();
    change(&mut schema);
    let types = [SdkType {
        name: "Thing",
        sent,
        schema,
    }];
    let enums = [SdkEnum {
        name: "Color",
        known: &["red", "blue"],
    }];
    let outcome = compare(&document, &types, &enums);
    let place = |f: Finding| {
        f.pointer
            .replace("/components/schemas/Thing/properties/", "")
    };
    outcome
        .findings
        .into_iter()
        .map(|f| (f.kind, f.severity, place(f)))
        .collect()
}

#[test]
fn a_type_that_fits_raises_nothing() {
    for sent in [true, false] {
        assert_eq!(found(sent, |_| {}), [], "sent: {sent}");
    }
    assert_eq!(
        found(false, |s| s["properties"]["size"] = json!(true)),
        [],
        "any value is read"
    );
    assert_eq!(
        found(false, |s| s["properties"]["id"] =
            json!({"type": ["string", "null"]})),
        []
    );
}

#[test]
fn a_type_that_cannot_take_what_comes_is_breaking() {
    for (name, schema, kind) in [
        ("size", json!({"type": ["integer", "null"]}), Type),
        ("size", json!({"type": "number"}), Nullable),
        ("parts", json!({"type": ["string", "null"]}), Type),
        (
            "parts",
            json!({"type": ["array", "null"], "items": {"type": "integer"}}),
            Type,
        ),
        ("free", json!({"type": ["string", "null"]}), Type),
    ] {
        let found = found(false, |s| s["properties"][name] = schema.clone());
        assert_eq!(found, [(kind, Breaking, name.to_owned())], "{schema}");
    }
    let found = found(false, |s| s["required"] = json!(["id", "size"]));
    assert_eq!(found, [(Required, Breaking, "size".to_owned())]);
}

#[test]
fn a_type_that_sends_what_is_refused_is_breaking() {
    for (name, schema, kind) in [
        ("id", json!({"type": "string"}), Format),
        (
            "id",
            json!({"type": ["string", "integer"], "format": "uuid"}),
            Type,
        ),
        ("extra", json!({"type": "string"}), FieldAdded),
    ] {
        let found = found(true, |s| s["properties"][name] = schema.clone());
        assert_eq!(found, [(kind, Breaking, name.to_owned())], "{schema}");
    }
    let found = found(true, |s| s["required"] = json!([]));
    assert_eq!(found, [(Required, Breaking, "id".to_owned())]);
}

#[test]
fn a_property_schema_or_value_without_its_like_is_found() {
    let gone = found(false, |s| {
        drop(s["properties"].as_object_mut().unwrap().remove("size"))
    });
    assert_eq!(gone, [(FieldRemoved, Breaking, "size".to_owned())]);
    let document = document_of(DOCUMENT);
    let enums = [SdkEnum {
        name: "Color",
        known: &["red", "green"],
    }];
    let outcome = compare(&document, &[], &enums);
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|f| (f.kind, f.severity, f.pointer.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                EnumRemoved,
                Informational,
                "/components/schemas/Color/enum/blue"
            ),
            (EnumAdded, Breaking, "/components/schemas/Color/enum/green"),
            (SchemaMissing, Breaking, "/components/schemas/Thing"),
        ]
    );
}
