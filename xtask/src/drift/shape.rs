//! What a schema of the document allows, with references and unions folded in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::document::Document;
use super::marked::step;

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The type of a name in a schema.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" => Self::Array,
            _ => return None,
        })
    }

    /// Whether every value of `self` is one of `other`.
    pub fn within(self, other: Self) -> bool {
        self == other || (self == Self::Integer && other == Self::Number)
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
        })
    }
}

/// The values of an enum.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Where they are listed.
    pub pointer: String,
    /// The values.
    pub list: Vec<String>,
    /// Whether other values are allowed too.
    pub open: bool,
}

/// What a schema allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Where the schema stands, references followed.
    pub pointer: String,
    /// Where the schema with the properties stands: itself, or a part of it.
    pub object: String,
    /// The types; none means any.
    pub types: BTreeSet<JsonType>,
    /// The format of a string.
    pub format: Option<String>,
    /// Whether null is allowed.
    pub nullable: bool,
    /// The values of an enum.
    pub values: Option<Values>,
    /// What the server takes when the value is left out.
    pub default: Option<Value>,
    /// The numeric limits and lengths, by keyword.
    pub limits: BTreeMap<String, f64>,
    /// The items of an array.
    pub items: Option<Box<Shape>>,
    /// The properties of an object, and where each stands.
    pub properties: BTreeMap<String, String>,
    /// The properties that are always there.
    pub required: BTreeSet<String>,
}

impl Shape {
    /// The shape of the schema at a pointer.
    pub fn of(document: &Document, pointer: &str) -> Self {
        Self::at(document, pointer, 0)
    }

    fn at(document: &Document, pointer: &str, depth: usize) -> Self {
        let home = document.resolve(pointer);
        let Some(schema) = document.0.value.pointer(&home).filter(|_| depth < 16) else {
            return Self::default();
        };
        let text = |name: &str| schema[name].as_str().map(str::to_owned);
        let mut shape = Self {
            pointer: home.clone(),
            object: home.clone(),
            types: text("type")
                .and_then(|t| JsonType::parse(&t))
                .into_iter()
                .collect(),
            // Widths of numbers are hints for a program, not part of the wire.
            format: text("format")
                .filter(|f| !matches!(f.as_str(), "int32" | "int64" | "float" | "double")),
            nullable: schema["nullable"] == true,
            default: schema.get("default").cloned(),
            ..Self::default()
        };
        if let Some(list) = schema["enum"].as_array() {
            shape.values = Some(Values {
                pointer: format!("{home}/enum"),
                list: list
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect(),
                open: false,
            });
        }
        for keyword in ["minimum", "maximum", "minLength", "maxLength"] {
            if let Some(limit) = schema[keyword].as_f64() {
                shape.limits.insert(keyword.to_owned(), limit);
            }
        }
        if schema.get("items").is_some() {
            shape.items = Some(Box::new(Self::at(
                document,
                &format!("{home}/items"),
                depth + 1,
            )));
        }
        for name in schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|m| m.keys())
        {
            let place = format!("{home}/properties/{}", step(name));
            shape.properties.insert(name.clone(), place);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        shape.required = required
            .filter_map(|r| r.as_str().map(str::to_owned))
            .collect();
        let parts = schema["allOf"].as_array().map_or(0, Vec::len);
        for index in 0..parts {
            shape.join(Self::at(
                document,
                &format!("{home}/allOf/{index}"),
                depth + 1,
            ));
        }
        let choices = schema["anyOf"].as_array().map_or(0, Vec::len);
        if choices > 0 {
            let alternatives =
                (0..choices).map(|i| Self::at(document, &format!("{home}/anyOf/{i}"), depth + 1));
            shape.join(Self::union(alternatives.collect()));
        }
        shape
    }

    /// Adds what a part of `allOf` says.
    fn join(&mut self, part: Self) {
        if self.types.is_empty() {
            self.types = part.types;
        }
        if self.properties.is_empty() && !part.properties.is_empty() {
            self.object = part.object;
        }
        self.format = self.format.take().or(part.format);
        self.nullable |= part.nullable;
        self.values = self.values.take().or(part.values);
        self.default = self.default.take().or(part.default);
        self.items = self.items.take().or(part.items);
        self.limits.extend(part.limits);
        self.properties.extend(part.properties);
        self.required.extend(part.required);
    }

    /// What at least one alternative allows.
    fn union(alternatives: Vec<Self>) -> Self {
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
            whole.values = whole.values.or(alternative.values);
        }
        if let Some(values) = &mut whole.values {
            values.open = free;
        }
        whole
    }

    /// The type in one phrase, without formats.
    pub fn type_text(&self) -> String {
        type_text(&self.types, self.items.as_deref().map(Shape::type_text))
    }
}

/// A set of types in one phrase; `items` are what an array holds.
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
        let text = format!("s: {schema}\nE: {{ type: string, enum: [a, b] }}\n");
        Shape::of(&Document::parse("t", &text).unwrap(), "/s")
    }

    #[test]
    fn an_open_enum_keeps_its_values_and_lets_others_in() {
        let open = shape("{ anyOf: [{ $ref: '#/E' }, { type: string, nullable: true }] }");
        let values = open.values.clone().unwrap();
        assert!(values.open && open.nullable);
        assert_eq!(values.pointer, "/E/enum");
        assert_eq!(open.type_text(), "string");
        assert!(!shape("{ allOf: [{ $ref: '#/E' }] }").values.unwrap().open);
    }

    #[test]
    fn an_alternative_without_a_type_is_any() {
        let any =
            shape("{ type: array, items: { anyOf: [{ type: string }, { description: x }] } }");
        assert_eq!(any.type_text(), "any[]");
        assert_eq!(shape("{ type: integer, format: int64 }").format, None);
    }
}
