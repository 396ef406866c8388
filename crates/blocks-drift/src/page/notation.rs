//! Parses the types on a page, such as `string (uuid) | null`, `string[] (uuid[])`, `enum<string>`.

use std::collections::BTreeSet;

use crate::shape::{JsonType, type_text};

/// The parsed type of a field on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notation {
    /// The allowed types. An empty set means any type.
    pub types: BTreeSet<JsonType>,
    /// The type of an array's items, if the page states it.
    pub items: Option<Box<Notation>>,
    /// The format of a string.
    pub format: Option<String>,
    /// Whether the type allows null.
    pub nullable: bool,
    /// Whether the field is required or optional; `None` if the text of the type does not state this.
    pub required: Option<bool>,
    /// The allowed values, if the type lists them as literals.
    pub values: Vec<String>,
}

impl Notation {
    /// Parses a type. Returns `None` if the text is not a type.
    pub fn parse(text: &str) -> Option<Self> {
        let mut whole = Self::default();
        for part in alternatives(text) {
            let part = part.trim();
            if part == "null" {
                whole.nullable = true;
                continue;
            }
            if let Some(literal) = literal(part) {
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
        self.required = self.required.or(part.required);
        self.values.extend(part.values);
    }

    /// Returns a phrase that names the types, without formats.
    pub fn type_text(&self) -> String {
        type_text(&self.types, self.items.as_deref().map(Self::type_text))
    }
}

/// Splits a text at each `|` and `or` that is outside brackets.
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

/// Parses a type that has a mark before or after it. For example, `nullable` is the mark in `nullable string`. The
/// outer `Option` is `None` if the text has no mark. The inner `Option` is `None` if the rest of the text is not a
/// type.
fn with_mark(text: &str, lower: &str) -> Option<Option<Notation>> {
    for mark in ["nullable", "optional", "required", "read-only", "deprecated"] {
        let rest = lower
            .strip_suffix(mark)
            .map(|r| &text[..r.len()])
            .or_else(|| lower.strip_prefix(mark).map(|_| &text[mark.len()..]));
        if let Some(rest) =
            rest.map(|r| r.trim().trim_matches([',', '·', ';']).trim()).filter(|r| !r.is_empty())
        {
            let Some(mut notation) = one(rest) else {
                return Some(None);
            };
            notation.nullable |= mark == "nullable";
            match mark {
                "required" => notation.required = Some(true),
                "optional" => notation.required = Some(false),
                _ => {}
            }
            return Some(Some(notation));
        }
    }
    None
}

/// Parses one of the types that `|` separates, such as `string (uuid)`, `string[]` or `array of strings`.
fn one(text: &str) -> Option<Notation> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if let Some(notation) = with_mark(text, &lower) {
        return notation;
    }
    if let Some(items) = lower.strip_prefix("array of ").or(lower.strip_prefix("list of ")) {
        let items = &text[text.len() - items.len()..];
        return Some(list(items.strip_suffix('s').and_then(one).or_else(|| one(items))?));
    }
    if let Some(items) = lower.strip_suffix(" array").or(lower.strip_suffix(" list")) {
        return Some(list(one(&text[..items.len()])?));
    }
    if let Some(base) = text.strip_suffix("[]") {
        return Some(list(one(base)?));
    }
    if let Some(base) = text.strip_suffix('?') {
        return one(base).map(|n| Notation { nullable: true, ..n });
    }
    let Some(open) = text.find(['(', '<', '[']).filter(|at| !text[*at..].starts_with("[]")) else {
        return match text.find("[] ") {
            Some(at) => one(&text[..at + 2]).map(|mut n| {
                if let Some(items) = n.items.as_deref_mut() {
                    qualify(
                        items,
                        text[at + 2..].trim().trim_matches(['(', ')']).trim_end_matches("[]"),
                    );
                }
                n
            }),
            None => words(text),
        };
    };
    let (name, rest) = text.split_at(open);
    let qualifier = rest[1..].strip_suffix([')', '>', ']'])?.trim();
    let name = name.trim();
    match name.to_lowercase().as_str() {
        "array" | "list" => return Some(list(Notation::parse(qualifier)?)),
        "enum" => return one(qualifier),
        _ => {}
    }
    let mut notation = one(name)?;
    for part in qualifier.split(',') {
        match part.trim() {
            "nullable" | "null" => notation.nullable = true,
            part => match notation.items.as_deref_mut() {
                Some(items) => qualify(items, part.trim_end_matches("[]")),
                None => qualify(&mut notation, part),
            },
        }
    }
    Some(notation)
}

/// Parses a base type with the name of its format before or after it, such as `ISO 8601 string`.
fn words(text: &str) -> Option<Notation> {
    if let Some(found) = base(text) {
        return Some(found);
    }
    let (first, last) = (text.split_once(' '), text.rsplit_once(' '));
    let pairs = [first, last.map(|(a, b)| (b, a))];
    for (name, format) in pairs.into_iter().flatten() {
        let format = format.trim_matches(['·', '-', ',', ' ']);
        let known = [
            "uuid",
            "iso 8601",
            "rfc 3339",
            "date-time",
            "datetime",
            "uri",
            "url",
            "enum",
            "iso8601",
            "positive",
            "non-empty",
        ];
        if let Some(mut notation) =
            base(name).filter(|_| known.contains(&format.to_lowercase().as_str()))
        {
            qualify(&mut notation, format);
            return Some(notation);
        }
    }
    // A capitalised word, such as `Profile`, is read as the name of an object type.
    let name = text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric());
    if name { base("object") } else { None }
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
        "string" | "str" | "enum" => of(JsonType::String, None),
        "uuid" => of(JsonType::String, Some("uuid")),
        "datetime" | "date-time" | "timestamp" | "iso 8601" | "iso8601" | "rfc 3339" => {
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

/// Applies the qualifier of a type, such as `uuid` in `string (uuid)`, or `required` in `number (required)`. Only
/// strings have a format, so a format of another type is ignored, such as `epoch seconds` in `number (epoch seconds)`.
fn qualify(notation: &mut Notation, qualifier: &str) {
    let word = qualifier.trim().to_lowercase();
    if matches!(word.as_str(), "optional" | "required") {
        notation.required = Some(word == "required");
        return;
    }
    if !notation.types.contains(&JsonType::String) {
        return;
    }
    notation.format = match word.as_str() {
        "enum" | "positive" | "non-empty" => None,

        "iso 8601" | "iso8601" | "iso-8601" | "datetime" | "timestamp" | "rfc 3339" | "rfc3339" => {
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
    fn types_are_read_in_many_notations() {
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
            ("string array", "string[]", None, false),
            ("Profile", "object", None, false),
            ("Message[]", "object[]", None, false),
            ("ISO 8601 string", "string", some("date-time"), false),
            ("string (RFC 3339)", "string", some("date-time"), false),
            ("string (nullable)", "string", None, true),
            ("string (uuid), nullable", "string", some("uuid"), true),
            ("string, required", "string", None, false),
            ("string (uuid, required)", "string", some("uuid"), false),
            ("string (required, uuid)", "string", some("uuid"), false),
            ("array[string]", "string[]", None, false),
        ] {
            assert_eq!(read(text), (json.to_owned(), format, nullable), "{text}");
        }
    }

    #[test]
    fn other_words_are_not_types() {
        for text in ["", "The first message.", "required", "null", "strnig", "map<"] {
            assert_eq!(Notation::parse(text), None, "{text}");
        }
    }
}
