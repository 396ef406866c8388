//! The plain-text form of a page: as a reader copies it, with one thing on each line.

use super::block::{Block, RawField, Section};
use super::notation::Notation;

/// Reads a page into blocks.
///
/// # Errors
/// A line that stands where a field should and cannot be understood.
pub fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut reader = Reader {
        lines: &lines,
        at: 0,
        section: None,
        blocks: Vec::new(),
    };
    while reader.at < lines.len() {
        reader.step()?;
    }
    Ok(reader.blocks)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    section: Option<Section>,
    blocks: Vec<Block>,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<(), String> {
        let (line, text) = (self.at + 1, self.lines[self.at]);
        if text.trim().is_empty() {
            self.at += 1;
        } else if self.is_heading(self.at) {
            self.section = Section::of_heading(text);
            self.blocks.push(Block::Heading {
                text: text.trim().to_owned(),
                line,
            });
            self.at += 1;
        } else if text.starts_with(['{', '[']) {
            self.code()?;
        } else if self.in_fields() && is_name(text) {
            self.field()?;
        } else if self.section == Some(Section::Errors) {
            self.row(text, line);
            self.at += 1;
        } else {
            self.blocks.push(Block::Text {
                text: text.trim().to_owned(),
                line,
            });
            self.at += 1;
        }
        Ok(())
    }

    fn in_fields(&self) -> bool {
        use Section::{Path, Query, Request, Response};
        matches!(self.section, Some(Path | Query | Request | Response))
    }

    /// A heading stands alone: an empty line before it and after it.
    fn is_heading(&self, at: usize) -> bool {
        let empty = |line: Option<&&str>| line.is_none_or(|l| l.trim().is_empty());
        let before = at == 0 || empty(self.lines.get(at - 1));
        before && empty(self.lines.get(at + 1)) && Section::of_heading(self.lines[at]).is_some()
    }

    /// A JSON sample, up to the bracket at the start of a line that closes it.
    fn code(&mut self) -> Result<(), String> {
        let first = self.at;
        let one_line = self.lines[first].ends_with(['}', ']']);
        let end = if one_line {
            Some(first)
        } else {
            (first..self.lines.len()).find(|i| self.lines[*i].starts_with(['}', ']']))
        };
        let end = end.ok_or_else(|| {
            format!(
                "line {}: the sample that begins here does not end",
                first + 1
            )
        })?;
        self.blocks.push(Block::Code {
            section: None,
            label: String::new(),
            text: self.lines[first..=end].join("\n"),
            line: first + 1,
        });
        self.at = end + 1;
        Ok(())
    }

    /// A name, its type, marks, and the description.
    fn field(&mut self) -> Result<(), String> {
        let (line, name) = (self.at + 1, self.lines[self.at].trim());
        let notation = self.lines.get(self.at + 1).map_or("", |l| l.trim());
        if Notation::parse(notation).is_none() {
            return Err(format!(
                "line {}: `{notation}` is no type that `{name}` could have",
                line + 1
            ));
        }
        let mut field = RawField {
            name: name.to_owned(),
            notation: notation.to_owned(),
            line,
            ..RawField::default()
        };
        self.at += 2;
        while let Some(text) = self.lines.get(self.at).map(|l| l.trim()) {
            match mark(text) {
                Some(Mark::Required(required)) => field.required = Some(required),
                Some(Mark::Default(value)) => field.default = Some(value),
                Some(Mark::None) => {}
                None => break,
            }
            self.at += 1;
        }
        while let Some(text) = self.lines.get(self.at).map(|l| l.trim()) {
            if text.starts_with(['{', '[']) || self.is_heading(self.at) || is_name(text) {
                break;
            }
            field.text = format!("{} {text}", field.text).trim().to_owned();
            self.at += 1;
        }
        self.blocks.push(Block::Field(field));
        Ok(())
    }

    /// A row of the table of errors; a copied table has tabs, or nothing between its cells.
    fn row(&mut self, text: &str, line: usize) {
        let cells: Vec<String> = text.split('\t').map(|c| c.trim().to_owned()).collect();
        let starts_with_status = text.trim_start().starts_with(|c: char| c.is_ascii_digit());
        self.blocks.push(if !starts_with_status {
            Block::Text {
                text: text.trim().to_owned(),
                line,
            }
        } else if cells.len() > 1 {
            let header = ["status", "code", "reason"].map(str::to_owned).to_vec();
            Block::Row {
                header,
                cells,
                line,
            }
        } else {
            Block::JoinedRow {
                text: text.trim().to_owned(),
                line,
            }
        });
    }
}

/// A field's name: one word, as JSON fields of this service are written.
fn is_name(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'))
        && !text.ends_with('.')
}

enum Mark {
    Required(bool),
    Default(String),
    None,
}

fn mark(text: &str) -> Option<Mark> {
    match text {
        "required" => return Some(Mark::Required(true)),
        "optional" => return Some(Mark::Required(false)),
        "deprecated" | "read-only" => return Some(Mark::None),
        _ => {}
    }
    let value = text.strip_prefix("default:")?.trim();
    Some(Mark::Default(
        value.trim_matches(['"', '\'', '`']).to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<RawField> {
        let blocks = blocks(text).unwrap();
        blocks
            .into_iter()
            .filter_map(|b| match b {
                Block::Field(field) => Some(field),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_field_has_type_marks_and_description() {
        let found = fields(
            "Body\n\nTold first.\na_b\nstring (uuid)\nrequired\ndefault:\"x\"\nOne.\n\nTwo.\nc\nobject\n",
        );
        assert_eq!(found.len(), 2);
        let first = &found[0];
        assert_eq!((first.name.as_str(), first.line), ("a_b", 4));
        assert_eq!(
            (first.required, first.default.as_deref()),
            (Some(true), Some("x"))
        );
        assert_eq!(first.text, "One. Two.");
    }

    #[test]
    fn a_name_without_a_type_is_an_error_with_its_line() {
        let error = blocks("Body\n\nfield\nstrnig\n").unwrap_err();
        assert!(
            error.contains("line 4") && error.contains("strnig"),
            "{error}"
        );
    }

    #[test]
    fn a_sample_without_an_end_is_an_error() {
        assert!(
            blocks("Response\n\n{\n  \"a\": 1\n")
                .unwrap_err()
                .contains("line 3")
        );
    }

    #[test]
    fn rows_of_errors_come_joined_or_with_tabs() {
        let found = blocks("Errors\n\nStatusCodeReason\n400BADNo.\n404\tGONE\tIt left.\n").unwrap();
        assert!(matches!(&found[2], Block::JoinedRow { text, line: 4 } if text == "400BADNo."));
        assert!(matches!(&found[3], Block::Row { cells, .. } if cells[1] == "GONE"));
    }
}
