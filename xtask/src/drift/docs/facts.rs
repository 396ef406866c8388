//! What a page states, form and wording left behind.

use serde_json::Value;

use super::block::{Block, RawField, Section};
use super::cases::{self, ErrorCase};
use super::notation::Notation;
use super::prose::{self, Rule};

/// A page's facts.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Where the page comes from.
    pub name: String,
    /// The method, in capitals.
    pub method: String,
    /// The path template.
    pub path: String,
    /// The line of both.
    pub line: usize,
    /// The fields of all sections.
    pub fields: Vec<Field>,
    /// The rule over the request's fields.
    pub rule: Option<Rule>,
    /// The error statuses and codes.
    pub errors: Vec<ErrorCase>,
    /// The JSON samples.
    pub samples: Vec<Sample>,
}

/// A field that a page describes.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it belongs to.
    pub section: Section,
    /// Its name, from the outside in.
    pub path: Vec<String>,
    /// Its type.
    pub notation: Notation,
    /// Whether it is marked as required or as optional.
    pub required: Option<bool>,
    /// The default.
    pub default: Option<String>,
    /// The values that are listed.
    pub values: Option<Vec<String>>,
    /// The limits in its description.
    pub limits: std::collections::BTreeMap<String, f64>,
    /// The line of the name.
    pub line: usize,
}

/// A JSON sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Whether it is a request or a response.
    pub section: Section,
    /// The status it belongs to, if one stands beside it.
    pub status: Option<u16>,
    /// The text.
    pub text: String,
    /// The line of its first character.
    pub line: usize,
}

impl Page {
    /// How many facts the page states.
    pub fn count(&self) -> usize {
        let fields: usize = self.fields.iter().map(Field::count).sum();
        let errors: usize = self
            .errors
            .iter()
            .map(|e| 1 + usize::from(e.code.is_some()))
            .sum();
        1 + fields + usize::from(self.rule.is_some()) + errors + self.samples.len()
    }

    /// The fields of a section.
    pub fn of(&self, section: Section) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |f| f.section == section)
    }
}

impl Field {
    /// The name, dot by dot.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// Name, type and nullability, and whatever else is stated.
    fn count(&self) -> usize {
        let inner = self.notation.items.as_ref().and_then(|i| i.format.as_ref());
        3 + usize::from(self.notation.format.is_some() || inner.is_some())
            + usize::from(self.required.is_some())
            + usize::from(self.default.is_some())
            + self.values.as_ref().map_or(0, Vec::len)
            + self.limits.len()
    }
}

/// Gives blocks their meaning.
///
/// # Errors
/// The page names no operation, or states nothing that can be compared.
pub fn page(name: &str, blocks: &[Block], known_codes: &[String]) -> Result<Page, String> {
    let Some((method, path, line)) = blocks.iter().find_map(operation) else {
        return Err(format!(
            "{name}: no operation such as `POST /rest/v1/sessions` stands on the page"
        ));
    };
    let mut page = Page {
        name: name.to_owned(),
        method,
        path,
        line,
        ..Page::default()
    };
    let mut section = None;
    let mut joined = Vec::new();
    for block in blocks {
        match block {
            Block::Heading { text, .. } => section = Section::of_heading(text),
            Block::Field(raw) => page.fields.push(field(name, raw, section)?),
            Block::Text { text, line } => page.prose(text, *line, section),
            Block::Code {
                section: own,
                label,
                text,
                line,
            } => page
                .samples
                .extend(cases::sample(label, text, *line, own.or(section))),
            Block::Row {
                header,
                cells,
                line,
            } => page.row(header, cells, *line, section)?,
            Block::JoinedRow { text, line } => joined.push((text.as_str(), *line)),
        }
    }
    page.descriptions(blocks);
    cases::joined_rows(&mut page, &joined, known_codes).map_err(|e| format!("{name}: {e}"))?;
    if page.fields.is_empty() && page.samples.is_empty() {
        return Err(format!(
            "{name}: no field and no sample could be read; the page's form may have changed"
        ));
    }
    Ok(page)
}

impl Page {
    fn prose(&mut self, text: &str, line: usize, section: Option<Section>) {
        if matches!(section, Some(Section::Request)) {
            self.rule = self.rule.take().or_else(|| prose::rule(text, line));
        }
        self.add_errors(prose::errors(text, line));
    }

    /// Errors stand in the descriptions of fields too.
    fn descriptions(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let Block::Field(raw) = block {
                self.add_errors(prose::errors(&raw.text, raw.line));
            }
        }
    }

    /// Adds errors that are not known yet; one with a code says more than one without.
    pub fn add_errors(&mut self, found: Vec<ErrorCase>) {
        for case in found {
            let same = |e: &ErrorCase| {
                e.status == case.status && (e.code == case.code || case.code.is_none())
            };
            if !self.errors.iter().any(same) {
                self.errors
                    .retain(|e| e.status != case.status || e.code.is_some());
                self.errors.push(case);
            }
        }
    }

    /// A row is a field or an error, by its columns.
    fn row(
        &mut self,
        header: &[String],
        cells: &[String],
        line: usize,
        section: Option<Section>,
    ) -> Result<(), String> {
        let cell = |names: &[&str]| {
            let at = header.iter().position(|h| names.contains(&h.as_str()))?;
            cells
                .get(at)
                .map(|c| c.trim().to_owned())
                .filter(|c| !c.is_empty() && c != "-")
        };
        if let Some(status) = cell(&["status", "http status", "status code"]) {
            let status: u16 = status
                .split_whitespace()
                .next()
                .and_then(|s| s.parse().ok())
                .ok_or_else(|| format!("{}:{line}: `{status}` is no status", self.name))?;
            let code = cell(&["code", "error code", "error"]);
            self.add_errors(vec![ErrorCase { status, code, line }]);
            return Ok(());
        }
        let name = cell(&["field", "name", "parameter", "property"]);
        if let (Some(field_name), Some(notation)) = (name, cell(&["type"])) {
            let required = cell(&["required"])
                .map(|r| matches!(r.to_lowercase().as_str(), "yes" | "true" | "required"));
            let raw = RawField {
                section: None,
                name: field_name,
                notation,
                required,
                default: cell(&["default"]),
                text: cell(&["description", "notes"]).unwrap_or_default(),
                line,
            };
            self.fields.push(field(&self.name, &raw, section)?);
        }
        Ok(())
    }
}

/// The method and path of the operation that blocks describe.
pub fn operation_of(blocks: &[Block]) -> Option<(String, String)> {
    blocks
        .iter()
        .find_map(operation)
        .map(|(method, path, _)| (method, path))
}

fn operation(block: &Block) -> Option<(String, String, usize)> {
    let (text, line) = match block {
        Block::Heading { text, line }
        | Block::Text { text, line }
        | Block::Code { text, line, .. } => (text, *line),
        _ => return None,
    };
    let mut words = text.split_whitespace();
    let method = words
        .next()
        .filter(|w| matches!(*w, "GET" | "POST" | "PUT" | "PATCH" | "DELETE"))?;
    let target = words.next()?;
    let path = match target.find("://") {
        Some(at) => &target[at + 3..][target[at + 3..].find('/')?..],
        None => target,
    };
    path.starts_with('/')
        .then(|| (method.to_owned(), path.to_owned(), line))
}

fn field(page: &str, raw: &RawField, heading: Option<Section>) -> Result<Field, String> {
    let place = format!("{page}:{}", raw.line);
    let notation = Notation::parse(&raw.notation).ok_or_else(|| {
        format!(
            "{place}: `{}` is no type that `{}` could have",
            raw.notation, raw.name
        )
    })?;
    let section = raw
        .section
        .or(heading)
        .ok_or_else(|| format!("{place}: `{}` stands in no section", raw.name))?;
    let literals = (!notation.values.is_empty()).then(|| notation.values.clone());
    Ok(Field {
        section,
        path: raw
            .name
            .split('.')
            .map(|n| n.trim_end_matches("[]").to_owned())
            .collect(),
        required: raw.required,
        default: raw.default.clone().or_else(|| prose::default(&raw.text)),
        values: literals.or_else(|| prose::values(&raw.text)),
        limits: prose::limits(&raw.text),
        line: raw.line,
        notation,
    })
}

/// The text of a default as a value of the field's type.
pub fn default_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
