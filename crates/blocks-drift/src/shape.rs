//! The shape of a schema of the OpenAPI document: the types, properties and limits that the schema allows. In the
//! shape, references, `allOf`, `anyOf` and `oneOf` are already resolved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::Document;
use crate::spanned::step;

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
#[expect(missing_docs, reason = "JSON's own names")]
pub enum JsonType {
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
}

impl JsonType {
    /// Returns whether every value of `self` is also a value of `other`.
    pub fn within(self, other: Self) -> bool {
        self == other || (self == Self::Integer && other == Self::Number)
    }
}

/// The allowed values of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// The JSON pointer to the list of allowed values, which is an `enum` of the OpenAPI document. If several branches
    /// of an `anyOf` or `oneOf` have an `enum`, this is the pointer to the first one.
    pub pointer: String,
    /// The values, of all branches together, each once.
    pub list: Vec<String>,
    /// Whether the schema also allows values that are not in the list.
    pub open: bool,
}

/// The keywords that [`Shape::limits`] contains. They limit a value, and their values are numbers.
pub const LIMITS: [&str; 6] =
    ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"];

/// The values that a schema allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// The JSON pointer to the schema. If the schema is given by a `$ref`, this is the JSON pointer to the schema that
    /// the `$ref` names.
    pub pointer: String,
    /// The JSON pointer to the schema that lists the properties of this shape. If the schema at `pointer` lists none
    /// itself, this is a schema in its `allOf`, `anyOf` or `oneOf`.
    pub object: String,
    /// The allowed types. An empty set means any type.
    pub types: BTreeSet<JsonType>,
    /// The format of a string, such as `uuid`: the value of `format`, or else of this repository's keyword
    /// `x-usual-format`.
    pub format: Option<String>,
    /// Whether the schema has no keyword `format`. The field `format` then contains only the usual format, and values
    /// of other formats are also allowed. False for a schema that states no format and has several `anyOf` or `oneOf`
    /// branches.
    pub usual: bool,
    /// Whether the schema is marked as deprecated.
    pub deprecated: bool,
    /// The JSON pointer to the schema (`additionalProperties`) for properties that are not listed.
    pub additional: Option<String>,
    /// Whether null is allowed.
    pub nullable: bool,
    /// The allowed values, if the schema is an enum.
    pub values: Option<Values>,
    /// The value that the server assumes if a request leaves the value out.
    pub default: Option<Value>,
    /// The limits by keyword, such as `maxLength`.
    pub limits: BTreeMap<String, f64>,
    /// The shape of the items of an array.
    pub items: Option<Box<Shape>>,
    /// A map from the name of each property of an object to the JSON pointer to the property's schema.
    pub properties: BTreeMap<String, String>,
    /// The names of the properties that must be present.
    pub required: BTreeSet<String>,
}

impl Shape {
    /// Returns the shape of the schema at a JSON pointer.
    pub fn of(document: &Document, pointer: &str) -> Self {
        Self::at(document, pointer, 0)
    }

    fn at(document: &Document, pointer: &str, depth: usize) -> Self {
        let resolved = document.resolve(pointer);
        let Some(schema) = document.0.value.pointer(&resolved).filter(|_| depth < 16) else {
            return Self::default();
        };
        let text = |name: &str| schema[name].as_str().map(str::to_owned);
        let mut shape = Self {
            pointer: resolved.clone(),
            object: resolved.clone(),
            types: text("type").and_then(|t| t.parse().ok()).into_iter().collect(),
            // The formats of numbers, such as `int32`, are left out, because a number is written in the same way in
            // each of them.
            format: text("format")
                .filter(|f| !matches!(f.as_str(), "int32" | "int64" | "float" | "double"))
                .or_else(|| text("x-usual-format")),
            usual: schema.get("format").is_none(),
            deprecated: schema["deprecated"] == true,
            additional: schema["additionalProperties"]
                .as_object()
                .filter(|o| !o.is_empty())
                .map(|_| format!("{resolved}/additionalProperties")),
            nullable: schema["nullable"] == true,
            default: schema.get("default").cloned(),
            ..Self::default()
        };
        if let Some(list) = schema["enum"].as_array() {
            shape.values = Some(Values {
                pointer: format!("{resolved}/enum"),
                list: list
                    .iter()
                    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                    .collect(),
                open: false,
            });
        }
        for keyword in LIMITS {
            if let Some(limit) = schema[keyword].as_f64() {
                shape.limits.insert(keyword.to_owned(), limit);
            }
        }
        if schema.get("items").is_some() {
            shape.items =
                Some(Box::new(Self::at(document, &format!("{resolved}/items"), depth + 1)));
        }
        for name in schema["properties"].as_object().into_iter().flat_map(|m| m.keys()) {
            let place = format!("{resolved}/properties/{}", step(name));
            shape.properties.insert(name.clone(), place);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        shape.required = required.filter_map(|r| r.as_str().map(str::to_owned)).collect();
        let parts = schema["allOf"].as_array().map_or(0, Vec::len);
        for index in 0..parts {
            shape.join(Self::at(document, &format!("{resolved}/allOf/{index}"), depth + 1));
        }
        let branches = alternatives(document, &resolved);
        if !branches.is_empty() {
            let shapes = branches.iter().map(|place| Self::at(document, place, depth + 1));
            shape.join(Self::union(shapes.collect()));
            // `alternatives` leaves out a branch that allows only null. So null is allowed if the `anyOf` or `oneOf`
            // has more branches than `branches`.
            shape.nullable |= count(schema, union_keyword(schema)) > branches.len();
        }
        shape
    }

    /// Adds the constraints of `part`: a part of an `allOf`, or the union of the branches of an `anyOf` or `oneOf`.
    fn join(&mut self, part: Self) {
        if self.types.is_empty() {
            self.types = part.types;
        }
        if self.properties.is_empty() && !part.properties.is_empty() {
            self.object = part.object;
        }
        if self.format.is_none() {
            (self.format, self.usual) = (part.format, part.usual);
        }
        self.deprecated |= part.deprecated;
        self.additional = self.additional.take().or(part.additional);
        self.nullable |= part.nullable;
        self.values = self.values.take().or(part.values);
        self.default = self.default.take().or(part.default);
        self.items = self.items.take().or(part.items);
        self.limits.extend(part.limits);
        self.properties.extend(part.properties);
        self.required.extend(part.required);
    }

    /// Returns a shape that allows every value that at least one of the given shapes allows.
    fn union(mut alternatives: Vec<Self>) -> Self {
        if alternatives.len() == 1 {
            return alternatives.remove(0);
        }
        let mut whole = Self::default();
        let any = alternatives.iter().any(|a| a.types.is_empty());
        let free = alternatives.iter().any(|a| a.values.is_none());
        for alternative in alternatives {
            if !any {
                whole.types.extend(alternative.types);
            }
            whole.nullable |= alternative.nullable;
            if !alternative.properties.is_empty() {
                whole.object = alternative.object;
            }
            whole.properties.extend(alternative.properties);
            let values = alternative.values;
            match &mut whole.values {
                Some(first) => {
                    for value in values.into_iter().flat_map(|v| v.list) {
                        if !first.list.contains(&value) {
                            first.list.push(value);
                        }
                    }
                }
                None => whole.values = values,
            }
        }
        if let Some(values) = &mut whole.values {
            values.open = free;
        }
        whole
    }

    /// Returns the names of the allowed types as one phrase, such as `string | number`.
    pub fn type_text(&self) -> String {
        type_text(&self.types, self.items.as_deref().map(Shape::type_text))
    }
}

/// Returns the sorted field names of the rule "exactly one of these fields is required". A schema states this rule as a
/// `oneOf` beside its `properties`. Each branch of the `oneOf` requires one field. Returns `None` if the schema has no
/// such rule.
pub fn rule_fields(schema: &Value) -> Option<Vec<String>> {
    let branches = schema["oneOf"].as_array().filter(|_| schema["properties"].is_object())?;
    let field = |branch: &Value| match branch["required"].as_array().map(Vec::as_slice) {
        Some([Value::String(field)]) => Some(field.clone()),
        _ => None,
    };
    let mut fields: Vec<String> = branches.iter().map(field).collect::<Option<_>>()?;
    fields.sort();
    Some(fields)
}

/// Returns the JSON pointers to the branches of an `anyOf` or a `oneOf`. Returns no pointers for a `oneOf` that states
/// a rule about fields (see [`rule_fields`]). A branch that allows only null (`nullable` with `maxProperties: 0`) is
/// left out.
pub fn alternatives(document: &Document, resolved: &str) -> Vec<String> {
    let Some(schema) = document.0.value.pointer(resolved) else {
        return Vec::new();
    };
    let keyword = union_keyword(schema);
    (0..count(schema, keyword))
        .map(|index| format!("{resolved}/{keyword}/{index}"))
        .filter(|place| {
            let branch = document.get(place);
            !branch.is_some_and(|b| b["nullable"] == true && b["maxProperties"] == 0)
        })
        .collect()
}

/// Returns the keyword of a schema whose branches are alternatives.
fn union_keyword(schema: &Value) -> &'static str {
    match (count(schema, "anyOf"), count(schema, "oneOf")) {
        (0, n) if n > 0 && rule_fields(schema).is_none() => "oneOf",
        _ => "anyOf",
    }
}

fn count(schema: &Value, keyword: &str) -> usize {
    schema[keyword].as_array().map_or(0, Vec::len)
}

/// Returns the names of the types as one phrase, such as `string | number`. `items` is the phrase for the items of an
/// array.
pub fn type_text(types: &BTreeSet<JsonType>, items: Option<String>) -> String {
    if types.is_empty() {
        return "any".to_owned();
    }
    let words: Vec<String> = types
        .iter()
        .map(|t| match (t, &items) {
            (JsonType::Array, Some(items)) => format!("{items}[]"),
            _ => t.to_string(),
        })
        .collect();
    words.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(schema: &str) -> Shape {
        let text = format!(
            "paths: {{}}\ns: {schema}\nE: {{ type: string, enum: [a, b] }}\nO: {{ type: object, required: [x], properties: {{ x: {{ type: string }} }} }}\n"
        );
        Shape::of(&Document::parse("t", &text).unwrap(), "/s")
    }

    #[test]
    fn open_enums_keep_their_values() {
        let open = shape("{ anyOf: [{ $ref: '#/E' }, { type: string, nullable: true }] }");
        let values = open.values.clone().unwrap();
        assert!(values.open);
        assert!(open.nullable);
        assert_eq!(values.pointer, "/E/enum");
        assert_eq!(open.type_text(), "string");
        assert!(!shape("{ allOf: [{ $ref: '#/E' }] }").values.unwrap().open);
    }

    #[test]
    fn two_enums_allow_the_values_of_both() {
        for keyword in ["anyOf", "oneOf"] {
            let both = format!("{{ {keyword}: [{{ $ref: '#/E' }}, {{ enum: [b, c] }}] }}");
            let values = shape(&both).values.unwrap();
            assert_eq!((values.list.join(" "), values.open), ("a b c".to_owned(), false));
        }
    }

    #[test]
    fn nullable_references_keep_their_schema() {
        let null = "{ type: object, nullable: true, maxProperties: 0 }";
        let link = shape(&format!("{{ description: d, anyOf: [{{ $ref: '#/O' }}, {null}] }}"));
        assert!(link.nullable);
        assert!(link.required.contains("x"));
        assert_eq!(link.object, "/O");
        assert_eq!(link.type_text(), "object");
        assert!(shape(&format!("{{ oneOf: [{{ $ref: '#/O' }}, {null}] }}")).nullable);
        let rule = "properties: {}, oneOf: [{ required: [a] }]";
        assert!(!shape(&format!("{{ type: object, {rule} }}")).nullable);
        let union = shape("{ oneOf: [{ $ref: '#/O' }, { type: string }] }");
        assert_eq!(union.type_text(), "string | object");
    }

    #[test]
    fn usual_formats_are_not_required() {
        let usual = shape("{ type: string, x-usual-format: uuid }");
        assert_eq!(usual.format.as_deref(), Some("uuid"));
        assert!(usual.usual);
        assert!(!shape("{ type: string, format: uuid }").usual);
        assert_eq!(shape("{ type: integer, format: int64 }").format, None);
    }

    #[test]
    fn an_alternative_without_a_type_is_any() {
        let any =
            shape("{ type: array, items: { anyOf: [{ type: string }, { description: x }] } }");
        assert_eq!(any.type_text(), "any[]");
    }

    #[test]
    fn rules_are_read_in_both_notations() {
        for branch in ["required: [a]", "type: object, required: [a], title: A"] {
            let text = format!("{{\"properties\": {{}}, \"oneOf\": [{{{branch}}}]}}");
            let schema = crate::spanned::Spanned::parse("t", &text).unwrap().value;
            assert_eq!(rule_fields(&schema), Some(vec!["a".to_owned()]));
        }
    }
}
