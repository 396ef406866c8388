//! A YAML parser that keeps the line of each value. The parser also reads most JSON. It rejects, for example, JSON with
//! the escape of a surrogate pair, such as `\ud83d\ude00`.

use std::collections::HashMap;

use anyhow::{Result, anyhow, bail};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Number, Value};

/// The position of a value in the text. For a value in a map, this is the position of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The width of the key or list item in characters. A key or list item of several lines has the width 1.
    pub width: usize,
}

/// A parsed text with its value, and the position of each part of the value.
#[derive(Clone, Debug)]
pub struct Spanned {
    /// The name of the text in reports.
    pub file: String,
    /// The unparsed text.
    pub text: String,
    /// The parsed value.
    pub value: Value,
    positions: HashMap<String, Position>,
}

/// The largest indentation of a line that is parsed, in bytes. See [`is_too_deep`].
const MOST_INDENTATION: usize = 200;

/// Returns whether a line has so many indicators, such as `- `, or so many spaces at its start that the YAML parser
/// could overflow the stack. The parser is recursive, and each level of lists and maps is indented more than the level
/// around it. Brackets need no such check, because the parser rejects more than 255 levels of brackets itself.
fn is_too_deep(text: &str) -> bool {
    let is_indentation = |c: char| matches!(c, ' ' | '\t' | '-' | '?' | ':' | '\u{feff}');
    text.split(['\n', '\r'])
        .any(|line| line.len() - line.trim_start_matches(is_indentation).len() > MOST_INDENTATION)
}

impl Spanned {
    /// Parses a YAML text. The value of a text without a YAML document, such as an empty text, is null.
    ///
    /// # Errors
    /// Fails if the text is not valid YAML, contains several YAML documents, or is nested too deeply. The error
    /// contains the file. For invalid syntax, the error also contains the line.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        if is_too_deep(text) {
            bail!("{file}: the values are nested too deeply");
        }
        let nodes = MarkedYaml::load_from_str(text).map_err(|e| {
            let at = e.marker();
            anyhow!("{file}:{}:{}: {e}", at.line(), at.col() + 1)
        })?;
        let mut positions = HashMap::new();
        let value = match nodes.as_slice() {
            [] => Value::Null,
            [node] => convert(node, "", &mut positions)
                .map_err(|e| anyhow!("{file}:{}: {e}", node.span.start.line()))?,
            _ => bail!("{file}: it contains several YAML documents"),
        };
        Ok(Self { file: file.to_owned(), text: text.to_owned(), value, positions })
    }

    /// Returns the position of the value at a JSON pointer. If there is no such value, returns the position of the
    /// nearest parent that exists.
    pub fn position(&self, pointer: &str) -> Position {
        let mut path = pointer;
        loop {
            if let Some(position) = self.positions.get(path) {
                return *position;
            }
            match path.rfind('/') {
                Some(end) => path = &path[..end],
                None => {
                    return Position { line: 1, column: 1, width: 1 };
                }
            }
        }
    }

    /// Returns whether there is a value at a JSON pointer. The last step of the pointer can also be a string in a list,
    /// instead of the string's index. For example, `/enum/open` leads to the string `open` in the list `enum`.
    pub fn has(&self, pointer: &str) -> bool {
        self.positions.contains_key(pointer)
    }
}

/// Escapes `~` and `/` in a name, for use as one step of a JSON pointer.
pub fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn convert(
    node: &MarkedYaml<'_>,
    pointer: &str,
    positions: &mut HashMap<String, Position>,
) -> Result<Value> {
    Ok(match &node.data {
        YamlData::Value(scalar) => scalar_value(scalar),
        YamlData::Sequence(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let path = format!("{pointer}/{index}");
                positions.insert(path.clone(), position(item));
                let value = convert(item, &path, positions)?;
                if let Value::String(text) = &value {
                    positions.insert(format!("{pointer}/{}", step(text)), position(item));
                }
                list.push(value);
            }
            Value::Array(list)
        }
        YamlData::Mapping(pairs) => {
            let mut map = Map::new();
            for (key, item) in pairs {
                let name = match &key.data {
                    YamlData::Value(Scalar::String(text)) => text.to_string(),
                    YamlData::Value(scalar) => scalar_value(scalar).to_string(),
                    _ => bail!("a key of {pointer} is not a scalar"),
                };
                let path = format!("{pointer}/{}", step(&name));
                positions.insert(path.clone(), position(key));
                map.insert(name, convert(item, &path, positions)?);
            }
            Value::Object(map)
        }
        YamlData::Tagged(_, inner) => convert(inner, pointer, positions)?,
        YamlData::Alias(_) | YamlData::BadValue | YamlData::Representation(..) => {
            bail!("{pointer} cannot be read");
        }
    })
}

fn position(node: &MarkedYaml<'_>) -> Position {
    let (start, end) = (node.span.start, node.span.end);
    let one_line = start.line() == end.line();
    Position {
        line: start.line(),
        column: start.col() + 1,
        width: if one_line { node.span.len().max(1) } else { 1 },
    }
}

fn scalar_value(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Bool(*value),
        Scalar::Integer(value) => Value::from(*value),
        Scalar::FloatingPoint(value) => {
            Number::from_f64(value.into_inner()).map_or(Value::Null, Value::Number)
        }
        Scalar::String(text) => Value::String(text.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines() {
        let text = "a:\n  b: &x { c: 1 }\nd: *x\ne: [p, q/r]\n";
        let spanned = Spanned::parse("t", text).unwrap();
        let line = |pointer| spanned.position(pointer).line;
        assert_eq!((line("/a/b"), line("/a/b/c")), (2, 2));
        assert_eq!((line("/d"), line("/d/c")), (3, 2), "an alias has the position of its anchor");
        assert_eq!((line("/e/1"), line("/e/q~1r")), (4, 4));
        assert_eq!(line("/a/none/deeper"), 1, "the nearest parent");
        assert_eq!(spanned.value["d"]["c"], 1);
        assert_eq!(spanned.position("/e/p").column, 5);
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let deeper = |line: usize| format!("{}-\n", " ".repeat(line));
        for text in [
            "- ".repeat(30_000) + "1",
            "? ".repeat(30_000) + "1",
            format!("? a\r: {}1", "- ".repeat(30_000)),
            (0..300).map(deeper).collect(),
        ] {
            let error = Spanned::parse("t", &text).unwrap_err().to_string();
            assert!(error.contains("nested too deeply"), "{error}");
        }
        let brackets = format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(Spanned::parse("t", &brackets).is_err());
        assert!(Spanned::parse("t", &("- ".repeat(20) + "1")).is_ok());
    }

    #[test]
    fn broken_text_is_an_error_with_its_position() {
        let error = Spanned::parse("file.yaml", "a:\n  - [b\n").unwrap_err().to_string();
        assert!(error.starts_with("file.yaml:"), "{error}");
    }
}
