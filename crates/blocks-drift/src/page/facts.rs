//! The facts that a page states about the API. The format and the wording of a page do not change its facts. For
//! example, `string (uuid)` and `uuid string` are the same type.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use super::block::{Block, RawField, Section};
use super::notation::Notation;
use super::prose::{self, ErrorCase, Rule};
use super::requests::{self, Request};
use super::samples::{self, Sample};

/// The facts that a page states about the API.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The name of the page: a file or a URL.
    pub name: String,
    /// The operations at the top of the page: method, path template and line.
    pub operations: Vec<(String, String, usize)>,
    /// The fields of all sections.
    pub fields: Vec<Field>,
    /// The rule about the fields of the request, such as "exactly one of a, b".
    pub rule: Option<Rule>,
    /// The rows of the table of errors.
    pub errors: Vec<ErrorCase>,
    /// The errors that sentences of the page mention.
    pub mentions: Vec<ErrorCase>,
    /// The JSON samples.
    pub samples: Vec<Sample>,
    /// The requests in sample code, such as `curl` commands.
    pub requests: Vec<Request>,
    /// The line that says that the operation of the page is deprecated.
    pub deprecated: Option<usize>,
    /// The sort order of the list that the page describes, and the line that states the order.
    pub order: Option<(&'static str, usize)>,
    /// The fields that are always null according to a sentence of the page, each with the line of the paragraph. Only
    /// names with an underscore are found.
    pub nulls: Vec<(String, usize)>,
    /// The text of the page with line numbers. The check searches this text for facts about the whole API, such as the
    /// base URL.
    pub text: Vec<(String, usize)>,
    /// How many numbers in descriptions of fields the parser did not understand.
    pub unread_numbers: usize,
}

/// A field that a page describes.
#[derive(Clone, Debug)]
pub struct Field {
    /// The section that the field belongs to.
    pub section: Section,
    /// The names of the enclosing fields, followed by the name of this field.
    pub path: Vec<String>,
    /// The type of the field.
    pub notation: Notation,
    /// Whether the field is marked as required or as optional; `None` without a mark.
    pub required: Option<bool>,
    /// Whether the field is marked as deprecated.
    pub deprecated: bool,
    /// The default of the field.
    pub default: Option<Value>,
    /// The values that the page lists for the field.
    pub values: Option<Vec<String>>,
    /// The limits in the field's description. Each key is a JSON Schema keyword, such as `maxLength`.
    pub limits: BTreeMap<String, f64>,
    /// The line of the name.
    pub line: usize,
}

impl Page {
    /// Returns the fields of a section.
    pub fn of(&self, section: Section) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |f| f.section == section)
    }

    /// Returns whether the page describes an operation: the page has an operation, and it has fields, errors or a
    /// sample of a response. A guide may mention an operation, but does not describe it.
    pub fn is_reference(&self) -> bool {
        let response = |s: &Sample| s.section == Section::Response;
        let states_any = !self.fields.is_empty() || !self.errors.is_empty();
        !self.operations.is_empty() && (states_any || self.samples.iter().any(response))
    }
}

impl Field {
    /// Returns the names of the enclosing fields and the name of this field, joined by dots.
    pub fn name(&self) -> String {
        self.path.join(".")
    }
}

/// The section and the heading that the current block of the page belongs to.
#[derive(Default)]
struct State {
    section: Option<Section>,
    level: u8,
    heading: String,
    /// Whether a field, or a section other than sample code and headers, has started. An operation after this start is
    /// only an example. It is not an operation that the page describes.
    started: bool,
}

/// Interprets the parsed blocks of a page (headings, fields, table rows), and returns the facts that the page states.
///
/// # Errors
/// Fails if a field or a row cannot be understood, or if a sample does not end; the error contains the line.
pub fn page(name: &str, blocks: &[Block], codes: &[String]) -> Result<Page> {
    let mut page = Page { name: name.to_owned(), ..Page::default() };
    let mut state = State::default();
    for block in blocks {
        page.block(block, &mut state, codes)?;
    }
    Ok(page)
}

impl Page {
    fn block(&mut self, block: &Block, state: &mut State, codes: &[String]) -> Result<()> {
        match block {
            Block::Heading { text, level, line } => {
                self.text.push((text.clone(), *line));
                self.deprecation(text, *line, state);
                let section = Section::of_heading(text);
                // A heading at a deeper level ends the current section only if the heading starts another section.
                if section.is_some() || *level <= state.level || state.section.is_none() {
                    (state.section, state.level) = (section, *level);
                    state.heading.clone_from(text);
                }
                state.started |=
                    !matches!(section, None | Some(Section::Example | Section::Header));
            }
            Block::Operation { method, path, text, line } => {
                self.text.push((text.clone(), *line));
                let same = |(m, p, _): &(String, String, usize)| m == method && p == path;
                if !state.started && !self.operations.iter().any(same) {
                    self.operations.push((method.clone(), path.clone(), *line));
                }
            }
            Block::Field(raw) => {
                state.started = true;
                self.field(raw, state)?;
            }
            Block::Deprecated { line } => self.deprecated = self.deprecated.or(Some(*line)),
            Block::Text { text, line } => {
                self.deprecation(text, *line, state);
                self.prose(text, *line);
            }
            Block::Code { section, label, text, line } => {
                self.text.extend(text.lines().zip(*line..).map(|(t, n)| (t.to_owned(), n)));
                let found = samples::find(label, text, *line, section.or(state.section));
                self.samples.extend(found.map_err(|e| anyhow!("line {line}: {e}"))?);
                self.requests.extend(requests::find(text, *line));
            }
            Block::Row { header, cells, line } => self.row(header, cells, *line, state)?,
            Block::JoinedRow { text, line } => {
                let case = prose::joined_row(text, *line, codes)
                    .ok_or_else(|| anyhow!("line {line}: there is no status in `{text}`"))?;
                self.errors.push(case);
            }
        }
        Ok(())
    }

    /// Reads whether a text at the top of the page says that the operation is deprecated. Below the first section or
    /// field, such a sentence is usually about a field.
    fn deprecation(&mut self, text: &str, line: usize, state: &State) {
        let own = |path: &str| self.operations.iter().any(|(_, p, _)| p == path);
        if !state.started && self.deprecated.is_none() && prose::deprecated(text, own) {
            self.deprecated = Some(line);
        }
    }

    fn prose(&mut self, text: &str, line: usize) {
        self.text.push((text.to_owned(), line));
        self.rule = self.rule.take().or_else(|| prose::rule(text, line));
        self.mentions.extend(prose::errors(text, line));
        self.order = self.order.or_else(|| prose::order(text).map(|o| (o, line)));
        for sentence in text.split(". ").filter(|s| s.contains("always null")) {
            let words = sentence.split(|c: char| !(c.is_alphanumeric() || "_.".contains(c)));
            let names =
                words.filter(|w| w.contains('_')).map(|w| (w.trim_matches('.').to_owned(), line));
            self.nulls.extend(names);
        }
    }

    fn field(&mut self, raw: &RawField, state: &State) -> Result<()> {
        let line = raw.line;
        let notation = Notation::parse(&raw.notation).ok_or_else(|| {
            anyhow!("line {line}: `{}` is not a type that `{}` could have", raw.notation, raw.name)
        })?;
        let Some(section) = raw.section.or(state.section) else {
            bail!(
                "line {line}: the field `{}` is below the heading `{}`, which is not known",
                raw.name,
                state.heading
            );
        };
        let (is_text, is_list) = match notation.type_text().as_str() {
            "string" => (true, false),
            text => (false, text.ends_with("[]")),
        };
        let (limits, unread) = prose::limits(&raw.text, is_text, is_list);
        self.unread_numbers += unread;
        self.mentions.extend(prose::errors(&raw.text, line));
        self.text.push((raw.text.clone(), line));
        let literals = (!notation.values.is_empty()).then(|| notation.values.clone());
        let default = raw.default.clone().or_else(|| prose::default(&raw.text));
        self.fields.push(Field {
            section,
            path: raw.name.split('.').map(|n| n.trim_end_matches("[]").to_owned()).collect(),
            required: raw.required.or(notation.required),
            deprecated: raw.deprecated,
            default: default.map(|text| value(&text, is_text)),
            values: literals.or_else(|| prose::values(&raw.text)),
            limits,
            line,
            notation,
        });
        Ok(())
    }

    /// Reads a row of a table. The column names and the section determine whether the row is an error, a field or
    /// prose.
    fn row(
        &mut self,
        header: &[String],
        cells: &[String],
        line: usize,
        state: &mut State,
    ) -> Result<()> {
        let cell = |names: &[&str]| {
            let at = header.iter().position(|h| names.contains(&h.as_str()))?;
            cells
                .get(at)
                .map(|c| c.trim().trim_matches('`').to_owned())
                .filter(|c| !c.is_empty() && !["-", "—", "–"].contains(&c.as_str()))
        };
        let known = [
            NAME,
            &["type", "data type"][..],
            REQUIRED,
            &["optional", "default", "default value"],
            TEXT,
            &["example", "since"],
            STATUS,
            CODE,
        ];
        let has = |names: &[&str]| header.iter().any(|h| names.contains(&h.as_str()));
        if has(STATUS) {
            let text = cell(STATUS).unwrap_or_default();
            let status = text.split_whitespace().next().and_then(|s| s.parse().ok());
            let status = status.ok_or_else(|| anyhow!("line {line}: `{text}` is not a status"))?;
            self.errors.push(ErrorCase { status, code: cell(CODE), line });
            return Ok(());
        }
        let fields = !matches!(state.section, None | Some(Section::Errors | Section::Example));
        let table = has(NAME) && has(&["type", "data type"]);
        if !fields && !table {
            self.prose(&cells.join(" | "), line);
            if state.section == Some(Section::Errors) {
                bail!("line {line}: the table of errors has no column that is a status");
            }
            return Ok(());
        }
        if let Some(other) = header.iter().find(|h| !known.iter().any(|k| k.contains(&h.as_str())))
        {
            bail!("line {line}: the column `{other}` of a table of fields is not known");
        }
        let (Some(name), Some(notation)) = (cell(NAME), cell(&["type", "data type"])) else {
            bail!("line {line}: the row has no name or no type");
        };
        let flag = |names: &[&str]| match cell(names).as_deref().map(str::to_lowercase).as_deref() {
            None => Ok(has(names).then_some(false)),
            Some("yes" | "true" | "required" | "✓" | "✔" | "✔️" | "✅" | "y" | "x" | "always") => {
                Ok(Some(true))
            }
            Some("no" | "false" | "optional" | "✗" | "✘" | "❌" | "n") => Ok(Some(false)),
            Some(other) => {
                Err(anyhow!("line {line}: `{other}` says neither required nor optional"))
            }
        };
        let required = match flag(&["optional"])? {
            Some(optional) => Some(!optional),
            None => flag(REQUIRED)?,
        };
        state.started = true;
        let raw = RawField {
            name,
            notation: notation.replace("\\|", "|"),
            required,
            default: cell(&["default", "default value"]),
            text: cell(TEXT).unwrap_or_default(),
            line,
            ..RawField::default()
        };
        self.field(&raw, state)
    }
}

const NAME: &[&str] = &[
    "field",
    "name",
    "parameter",
    "param",
    "property",
    "key",
    "attribute",
    "query parameter",
    "path parameter",
    "header",
    "argument",
];
const REQUIRED: &[&str] = &["required", "mandatory", "required?"];
const TEXT: &[&str] =
    &["description", "notes", "note", "meaning", "details", "values", "allowed values"];
const STATUS: &[&str] = &["status", "http status", "status code", "http code", "http"];
const CODE: &[&str] =
    &["code", "error code", "error", "reason", "message", "description", "meaning", "when"];

/// Converts the text of a default to JSON. The result is a JSON string if the type of the field is string.
fn value(text: &str, is_text: bool) -> Value {
    let parsed = serde_json::from_str(text).ok();
    let parsed = parsed.or_else(|| {
        text.contains('\'').then(|| serde_json::from_str(&text.replace('\'', "\"")).ok())?
    });
    match parsed {
        Some(Value::String(inner)) => Value::String(inner),
        Some(value) if !is_text => value,
        _ => Value::String(text.to_owned()),
    }
}
