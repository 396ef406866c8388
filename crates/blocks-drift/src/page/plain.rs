//! Parses a page in plain text, as a reader copies it from a browser. Each name, type and mark is on its own line.

use std::sync::LazyLock;

use anyhow::{Result, bail};
use regex::Regex;

use super::block::{Block, RawField, Section, operation};
use super::notation::Notation;

/// Parses a page into blocks.
///
/// # Errors
/// Fails if a field, a type, a sample or a row cannot be parsed; the error contains the line.
pub fn blocks(text: &str) -> Result<Vec<Block>> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut reader =
        Reader { lines: &lines, at: 0, section: None, header: Vec::new(), blocks: Vec::new() };
    while reader.at < lines.len() {
        reader.step()?;
    }
    Ok(reader.blocks)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    section: Option<Section>,
    /// The column names of the current table; empty outside a table. Tabs separate the cells of a table.
    header: Vec<String>,
    blocks: Vec<Block>,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<()> {
        let (line, text) = (self.at + 1, self.lines[self.at].trim());
        let next = self.lines.get(self.at + 1).map_or("", |l| l.trim());
        if self.lines[self.at].contains('\t') {
            self.table_row(line);
            return Ok(());
        }
        self.header.clear();
        if text.is_empty() {
            self.at += 1;
        } else if let Some((method, path)) = operation(text) {
            self.blocks.push(Block::Operation { method, path, text: text.to_owned(), line });
            self.at += 1;
        } else if self.is_heading(self.at) {
            self.section = Section::of_heading(text);
            self.blocks.push(Block::Heading { text: text.to_owned(), level: 2, line });
            self.at += 1;
            if self.section == Some(Section::Example) {
                self.request_code();
            }
        } else if self.lines[self.at].starts_with(['{', '[']) {
            self.sample()?;
        } else if is_name(text)
            && self.section != Some(Section::Errors)
            && (self.in_fields() || is_type(next))
        {
            self.field()?;
        } else if self.section == Some(Section::Errors) {
            self.row(text, line)?;
            self.at += 1;
        } else if self.in_fields() && is_type(text) {
            bail!("line {line}: the type `{text}` belongs to no field");
        } else {
            self.blocks.push(Block::Text { text: text.to_owned(), line });
            self.at += 1;
        }
        Ok(())
    }

    fn in_fields(&self) -> bool {
        !matches!(self.section, None | Some(Section::Errors | Section::Example))
    }

    /// Returns whether a line is a heading: a line of at most six words with an empty line before and after it. A line
    /// that ends with one of `. , ; { } )`, or starts with a digit, a quote or an opening bracket, is not a heading.
    fn is_heading(&self, at: usize) -> bool {
        let empty = |line: Option<&&str>| line.is_none_or(|l| l.trim().is_empty());
        let text = self.lines[at].trim();
        let before = at == 0 || empty(self.lines.get(at - 1));
        let short = text.split_whitespace().count() <= 6
            && !text.ends_with(['.', ',', ';', '{', '}', ')'])
            && !text.starts_with(|c: char| c.is_ascii_digit() || "{[`\"(".contains(c));
        before && empty(self.lines.get(at + 1)) && short
    }

    /// Reads the sample code that sends a request, up to the next heading.
    fn request_code(&mut self) {
        let first = self.at;
        while self.at < self.lines.len() && !self.is_heading(self.at) {
            self.at += 1;
        }
        let text = self.lines[first..self.at].join("\n");
        let section = Some(Section::Example);
        self.blocks.push(Block::Code { section, label: String::new(), text, line: first + 1 });
    }

    /// Reads a JSON sample, up to the first line that starts with a closing bracket. If the first line ends with a
    /// closing bracket, the sample is this line.
    fn sample(&mut self) -> Result<()> {
        let first = self.at;
        let closes = |i: &usize| {
            self.lines[*i].starts_with(['}', ']'])
                || (*i == first && self.lines[*i].ends_with(['}', ']']))
        };
        let Some(end) = (first..self.lines.len()).find(closes) else {
            bail!("line {}: the sample that starts here does not end", first + 1);
        };
        self.blocks.push(Block::Code {
            section: None,
            label: "json".to_owned(),
            text: self.lines[first..=end].join("\n"),
            line: first + 1,
        });
        self.at = end + 1;
        Ok(())
    }

    /// Reads a field: its name, its type, marks such as `required`, and the description.
    fn field(&mut self) -> Result<()> {
        let (line, name) = (self.at + 1, self.lines[self.at].trim());
        let notation = self.lines.get(self.at + 1).map_or("", |l| l.trim());
        if Notation::parse(notation).is_none() {
            bail!("line {}: `{notation}` is not a type that `{name}` could have", line + 1);
        }
        let mut field = RawField {
            name: name.to_owned(),
            notation: notation.to_owned(),
            line,
            ..RawField::default()
        };
        self.at += 2;
        while let Some(text) = self.lines.get(self.at).map(|l| l.trim()) {
            match text.to_lowercase().as_str() {
                "required" => field.required = Some(true),
                "optional" => field.required = Some(false),
                "deprecated" => field.deprecated = true,
                "read-only" | "nullable" => field.notation += &format!(" {text}"),
                _ => match text.strip_prefix("default:") {
                    Some(value) => field.default = Some(unescape(value.trim())),
                    None => break,
                },
            }
            self.at += 1;
        }
        while let Some(text) = self.lines.get(self.at).map(|l| l.trim()) {
            let next = self.lines.get(self.at + 1).map_or("", |l| l.trim());
            let field_next =
                is_name(text) && !is_type(text) && (is_type(next) || !field.text.is_empty());
            if text.starts_with(['{', '[']) || self.is_heading(self.at) || field_next {
                break;
            }
            if is_type(text) {
                bail!("line {}: the type `{text}` belongs to no field", self.at + 1);
            }
            field.text = format!("{} {text}", field.text).trim().to_owned();
            self.at += 1;
        }
        self.blocks.push(Block::Field(field));
        Ok(())
    }

    fn table_row(&mut self, line: usize) {
        let cells: Vec<String> =
            self.lines[self.at].split('\t').map(|c| c.trim().to_owned()).collect();
        let status = cells[0].starts_with(|c: char| c.is_ascii_digit());
        if self.header.is_empty() && status {
            self.header = ["status", "code", "reason"].map(str::to_owned).to_vec();
        }
        if self.header.is_empty() {
            self.header = cells.iter().map(|c| c.to_lowercase()).collect();
        } else {
            self.blocks.push(Block::Row { header: self.header.clone(), cells, line });
        }
        self.at += 1;
    }

    /// Reads a line in the section of errors. The line is text, or a row whose cells were joined when the page was
    /// copied.
    fn row(&mut self, text: &str, line: usize) -> Result<()> {
        let capitals = text.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').count();
        self.blocks.push(if text.starts_with(|c: char| c.is_ascii_digit()) {
            Block::JoinedRow { text: text.to_owned(), line }
        } else if capitals > 3 {
            bail!("line {line}: `{text}` is an error without a status");
        } else {
            Block::Text { text: text.to_owned(), line }
        });
        Ok(())
    }
}

/// Returns a default without its quotes.
fn unescape(text: &str) -> String {
    serde_json::from_str::<String>(text)
        .unwrap_or_else(|_| text.trim_matches(['"', '\'', '`']).to_owned())
}

/// Returns whether a line is the name of a field: one word in the style of the service's JSON fields, such as
/// `session_id`.
fn is_name(text: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[a-z_][A-Za-z0-9_.\[\]]*[A-Za-z0-9_\]]$|^[a-z]$").expect("a pattern")
    });
    NAME.is_match(text)
}

/// Returns whether a line is a type. Some words that can also be a word of a sentence, such as `list`, do not count as
/// types. A type that starts with a capital letter, or has more than six words, does not count either.
fn is_type(text: &str) -> bool {
    text.split_whitespace().count() <= 6
        && text.starts_with(|c: char| c.is_ascii_lowercase() || "\"'".contains(c))
        && !matches!(text, "any" | "text" | "map" | "list" | "record")
        && Notation::parse(text).is_some()
}
