//! The notation of types on a page: `string (uuid) | null`, `string[] (uuid[])`, `enum<string>`.

use std::collections::BTreeSet;

use crate::drift::shape::{JsonType, type_text};

/// A type as a page states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notation {
    /// The types; none means any.
    pub types: BTreeSet<JsonType>,
    /// What an array holds, where it is stated.
    pub items: Option<Box<Notation>>,
    /// The format of a string.
    pub format: Option<String>,
    /// Whether null is stated.
    pub nullable: bool,
    /// Values that stand as literals in the type.
    pub values: Vec<String>,
}

impl Notation {
    /// Reads a type, or nothing if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut whole = Self::default();
        for part in alternatives(text) {
            let part = part.trim();
            if part == "null" {
                whole.nullable = true;
                continue;
            }
            if let Some(rest) = part.strip_prefix("nullable ") {
                whole.nullable = true;
                whole.take(one(rest)?);
            } else if let Some(literal) = literal(part) {
                whole.types.insert(JsonType::String);
                whole.values.push(literal);
            } else {
                whole.take(one(part)?);
            }
        }
        let said = !whole.types.is_empty() || text.trim() == "any";
        said.then_some(whole)
    }

    fn take(&mut self, part: Self) {
        self.types.extend(part.types);
        self.items = self.items.take().or(part.items);
        self.format = self.format.take().or(part.format);
        self.nullable |= part.nullable;
        self.values.extend(part.values);
    }

    /// The type in one phrase, without formats.
    pub fn type_text(&self) -> String {
        type_text(&self.types, self.items.as_deref().map(Self::type_text))
    }
}

/// The text split at `|` and `or` outside brackets and quotes.
fn alternatives(text: &str) -> Vec<String> {
    let text = text.trim().replace(" or ", " | ");
    let (mut parts, mut depth, mut part) = (Vec::new(), 0usize, String::new());
    for character in text.chars() {
        match character {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(character);
    }
    parts.push(part);
    parts
}

fn literal(text: &str) -> Option<String> {
    ['"', '\'', '`'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.is_empty()).then(|| inner.to_owned())
    })
}

/// One alternative: a base, list marks, and a qualifier in brackets.
fn one(text: &str) -> Option<Notation> {
    let text = text.trim();
    if let Some(items) = text
        .strip_prefix("array of ")
        .or(text.strip_prefix("list of "))
    {
        let items = items
            .strip_suffix('s')
            .and_then(one)
            .or_else(|| one(items))?;
        return Some(list(items));
    }
    if let Some(base) = text.strip_suffix("[]") {
        return Some(list(one(base)?));
    }
    let Some(open) = text.find(['(', '<']) else {
        return base(text);
    };
    let (name, rest) = text.split_at(open);
    let qualifier = rest[1..].strip_suffix([')', '>'])?.trim();
    let name = name.trim();
    match name.to_lowercase().as_str() {
        "array" | "list" => return Some(list(Notation::parse(qualifier)?)),
        "enum" => return one(qualifier),
        _ => {}
    }
    let mut notation = one(name)?;
    match notation.items.as_deref_mut() {
        Some(items) => qualify(items, qualifier.trim_end_matches("[]")),
        None => qualify(&mut notation, qualifier),
    }
    Some(notation)
}

fn list(items: Notation) -> Notation {
    Notation {
        types: BTreeSet::from([JsonType::Array]),
        items: Some(Box::new(items)),
        ..Notation::default()
    }
}

fn base(name: &str) -> Option<Notation> {
    let of = |json: JsonType, format: Option<&str>| {
        Some(Notation {
            types: BTreeSet::from([json]),
            format: format.map(str::to_owned),
            ..Notation::default()
        })
    };
    match name.trim().to_lowercase().as_str() {
        "string" | "str" | "text" | "enum" => of(JsonType::String, None),
        "uuid" => of(JsonType::String, Some("uuid")),
        "datetime" | "date-time" | "timestamp" | "iso 8601" | "iso8601" => {
            of(JsonType::String, Some("date-time"))
        }
        "number" | "float" | "double" => of(JsonType::Number, None),
        "integer" | "int" => of(JsonType::Integer, None),
        "boolean" | "bool" => of(JsonType::Boolean, None),
        "object" | "map" | "record" => of(JsonType::Object, None),
        "array" | "list" => of(JsonType::Array, None),
        "any" => Some(Notation::default()),
        _ => None,
    }
}

/// Only strings have formats that a program sees; `number (epoch seconds)` is a remark.
fn qualify(notation: &mut Notation, qualifier: &str) {
    if !notation.types.contains(&JsonType::String) {
        return;
    }
    let word = qualifier.trim().to_lowercase();
    notation.format = match word.as_str() {
        "enum" | "optional" | "required" => None,
        "iso 8601" | "iso8601" | "iso-8601" | "datetime" | "timestamp" => {
            Some("date-time".to_owned())
        }
        "url" => Some("uri".to_owned()),
        _ => Some(word),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>, bool) {
        let n = Notation::parse(text).unwrap_or_else(|| panic!("{text}"));
        let inner = n.items.as_ref().and_then(|i| i.format.clone());
        (n.type_text(), n.format.clone().or(inner), n.nullable)
    }

    #[test]
    fn notations_of_both_forms_are_read() {
        let some = |text: &str| Some(text.to_owned());
        for (text, json, format, nullable) in [
            ("string", "string", None, false),
            ("string (uuid)", "string", some("uuid"), false),
            ("string<uuid>", "string", some("uuid"), false),
            ("string (uuid) | null", "string", some("uuid"), true),
            ("string or null", "string", None, true),
            ("nullable string", "string", None, true),
            ("string[] (uuid[])", "string[]", some("uuid"), false),
            ("array<string>", "string[]", None, false),
            ("array of strings", "string[]", None, false),
            ("string (ISO 8601)", "string", some("date-time"), false),
            ("enum<string>", "string", None, false),
            ("\"a\" | \"b\"", "string", None, false),
            ("number (epoch seconds)", "number", None, false),
            ("object[]", "object[]", None, false),
            ("string | object", "string | object", None, false),
        ] {
            assert_eq!(read(text), (json.to_owned(), format, nullable), "{text}");
        }
    }

    #[test]
    fn other_words_are_no_type() {
        for text in [
            "",
            "The first message.",
            "required",
            "null",
            "strnig",
            "map<",
        ] {
            assert_eq!(Notation::parse(text), None, "{text}");
        }
    }
}
