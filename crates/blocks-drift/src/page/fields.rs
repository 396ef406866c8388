//! Compares a field of a page with its schema in the OpenAPI document.

use std::collections::BTreeSet;

use serde_json::Value;

use super::block::Section;
use super::compare::Comparison;
use super::facts::Field;
use super::notation::Notation;
use crate::finding::{Kind, NOTHING, Severity};
use crate::shape::{JsonType, Shape};
use crate::spanned::step;

/// Returns the phrase that reports use for a field, such as ``request field `title` ``.
pub fn subject(section: Section, name: &str) -> String {
    let what = match section {
        Section::Request => "request field",
        Section::Response => "response field",
        Section::Query => "query parameter",
        Section::Path => "path parameter",
        Section::Header => "header parameter",
        Section::Errors | Section::Example => "field",
    };
    format!("{what} `{name}`")
}

/// Compares a field that both the page and the OpenAPI document have.
pub fn compare(to: &mut Comparison<'_>, field: &Field, pointer: &str, required: bool) {
    let shape = Shape::of(to.document, pointer);
    let mut pair =
        Pair { sent: field.section != Section::Response, to, field, pointer, shape: &shape };
    pair.types();
    pair.format();
    pair.nullable();
    pair.required(required);
    pair.default();
    pair.deprecated();
    pair.values();
    pair.limits();
}

struct Pair<'a, 'b> {
    to: &'a mut Comparison<'b>,
    field: &'a Field,
    pointer: &'a str,
    shape: &'a Shape,
    /// Whether the field is sent to the service; otherwise the field is received.
    sent: bool,
}

impl Pair<'_, '_> {
    fn add(&mut self, kind: Kind, severity: Severity, document: &str, page: &str) {
        let pointer = self.pointer.to_owned();
        self.add_at(kind, severity, pointer, (document, page), None);
    }

    fn add_at(
        &mut self,
        kind: Kind,
        severity: Severity,
        pointer: String,
        texts: (&str, &str),
        value: Option<&str>,
    ) {
        let mut subject = subject(self.field.section, &self.field.name());
        if let Some(value) = value {
            subject += &format!(", value `{value}`");
        }
        self.to.add(kind, severity, &subject, &pointer, texts, self.field.line);
    }

    /// Returns the severity of a difference in the allowed values. `page_is_wider` is true if the page allows more
    /// values than the OpenAPI document, and false if the page allows fewer.
    fn severity(&self, page_is_wider: bool) -> Severity {
        match (self.sent, page_is_wider) {
            (true, true) => Severity::Additive,
            (true, false) | (false, true) => Severity::Breaking,
            (false, false) => Severity::Informational,
        }
    }

    fn types(&mut self) {
        self.to.facts += 1;
        let (page, document) = (&self.field.notation, self.shape);
        let wider = document_within(document, page);
        let narrower = page_within(page, document);
        if wider && narrower {
            return;
        }
        let severity = match (wider, narrower) {
            (true, _) => self.severity(true),
            (_, true) => self.severity(false),
            _ => Severity::Breaking,
        };
        let texts = (document.type_text(), page.type_text());
        self.add(Kind::Type, severity, &texts.0, &texts.1);
    }

    fn format(&mut self) {
        let notation = &self.field.notation;
        let inner = notation.items.as_ref().and_then(|i| i.format.clone());
        let page = notation.format.clone().or(inner);
        let items = self.shape.items.as_deref();
        let part = items.filter(|_| self.shape.format.is_none()).unwrap_or(self.shape);
        let document = part.format.clone();
        self.to.facts += usize::from(page.is_some() || document.is_some());
        let text = notation.types.contains(&JsonType::String) || notation.items.is_some();
        if page == document || !text || (page.as_deref() == Some("uri") && document.is_none()) {
            return;
        }
        let severity = match (&document, &page) {
            // Without a `format` keyword, the schema allows any format in a response. The keyword `x-usual-format`
            // names only the format that most values have. So the difference is not breaking.
            _ if part.usual && !self.sent => Severity::Informational,
            (Some(_), None) => self.severity(true),
            (None, Some(_)) => self.severity(false),
            _ => Severity::Breaking,
        };
        let text =
            |format: &Option<String>| format.clone().unwrap_or_else(|| "no format".to_owned());
        self.add(Kind::Format, severity, &text(&document), &text(&page));
    }

    /// Compares whether the page and the OpenAPI document allow null. Skips path parameters, because pages do not
    /// mention null for path parameters.
    fn nullable(&mut self) {
        let (page, document) = (self.field.notation.nullable, self.shape.nullable);
        self.to.facts += 1;
        if page != document && self.field.section != Section::Path {
            let text = |nullable| if nullable { "nullable" } else { "never null" };
            self.add(Kind::Nullable, self.severity(page), text(document), text(page));
        }
    }

    /// Compares whether the page and the OpenAPI document require the field. A request field, query parameter or header
    /// counts as optional if the page marks it neither as required nor as optional. Other fields without such a mark
    /// are not compared.
    fn required(&mut self, document: bool) {
        let page = match (self.field.required, self.field.section) {
            (Some(required), _) => required,
            (None, Section::Request | Section::Query | Section::Header) => false,
            (None, _) => return,
        };
        self.to.facts += 1;
        if page != document {
            let text = |required| if required { "required" } else { "optional" };
            self.add(Kind::Required, self.severity(!page), text(document), text(page));
        }
    }

    fn default(&mut self) {
        let (page, document) = (&self.field.default, &self.shape.default);
        let same = match (page, document) {
            (Some(a), Some(b)) => {
                a == b
                    || (a.as_f64().is_some() && a.as_f64() == b.as_f64())
                    || text_of(a) == text_of(b)
            }
            (a, b) => a.is_none() && b.is_none(),
        };
        self.to.facts += usize::from(page.is_some() || document.is_some());
        if same || !self.sent {
            return;
        }
        let severity = match (document, page) {
            (Some(_), Some(_)) => Severity::Breaking,
            (None, _) => Severity::Additive,
            _ => Severity::Informational,
        };
        let text = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "no default".to_owned(), ToString::to_string)
        };
        self.add(Kind::Default, severity, &text(document), &text(page));
    }

    fn deprecated(&mut self) {
        if self.field.deprecated && !self.shape.deprecated {
            self.add(Kind::Deprecated, Severity::Informational, "not deprecated", "deprecated");
        }
    }

    fn values(&mut self) {
        let nested = self.shape.items.as_ref().and_then(|i| i.values.clone());
        let document = self.shape.values.clone().or(nested);
        let (page, document) = match (self.field.values.clone(), document) {
            (None, None) => return,
            (None, Some(document)) => {
                self.to.facts += 1;
                let text = document.list.join(", ");
                return self.add(
                    Kind::EnumUnstated,
                    Severity::Informational,
                    &text,
                    "no list of values",
                );
            }
            (Some(page), None) => {
                self.to.facts += 1;
                let severity = self.severity(false);
                return self.add(Kind::EnumAdded, severity, "any value", &page.join(", "));
            }
            (Some(page), Some(document)) => (page, document),
        };
        self.to.facts += document.list.len();
        let place = |value: &str| format!("{}/{}", document.pointer, step(value));
        for value in page.iter().filter(|v| !document.list.contains(v)) {
            self.add_at(
                Kind::EnumAdded,
                Severity::Additive,
                place(value),
                (NOTHING, "a value"),
                Some(value),
            );
        }
        let severity = self.severity(false);
        for value in document.list.iter().filter(|v| !page.contains(v)) {
            self.add_at(
                Kind::EnumRemoved,
                severity,
                place(value),
                ("a value", NOTHING),
                Some(value),
            );
        }
    }

    fn limits(&mut self) {
        let keywords: BTreeSet<&String> =
            self.field.limits.keys().chain(self.shape.limits.keys()).collect();
        for keyword in keywords {
            let page = self.field.limits.get(keyword).copied();
            let document = self.shape.limits.get(keyword).copied();
            self.to.facts += 1;
            if page == document {
                continue;
            }
            let wider = match (page, document) {
                (Some(page), Some(document)) => (page > document) == keyword.starts_with("max"),
                (page, _) => page.is_none(),
            };
            let severity =
                if page.is_none() { Severity::Informational } else { self.severity(wider) };
            let text = |value: Option<f64>| {
                value.map_or_else(|| format!("no {keyword}"), |v| format!("{keyword} {v}"))
            };
            self.add(Kind::Limit, severity, &text(document), &text(page));
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns whether the page allows every type that the OpenAPI document allows, also for the items of lists.
fn document_within(document: &Shape, page: &Notation) -> bool {
    types_within(&document.types, &page.types)
        && match (&document.items, &page.items) {
            (Some(document), Some(page)) => document_within(document, page),
            _ => true,
        }
}

/// Returns whether the OpenAPI document allows every type that the page allows, also for the items of lists. The page's
/// type `number` may mean an integer, because pages do not distinguish the two.
fn page_within(page: &Notation, document: &Shape) -> bool {
    let mut types = page.types.clone();
    if types.remove(&JsonType::Number) {
        let integer = document.types.contains(&JsonType::Integer);
        types.insert(if integer { JsonType::Integer } else { JsonType::Number });
    }
    types_within(&types, &document.types)
        && match (&page.items, &document.items) {
            (Some(page), Some(document)) => page_within(page, document),
            _ => true,
        }
}

/// Returns whether every type of `inner` is allowed by `outer`. An empty set means any type.
fn types_within(inner: &BTreeSet<JsonType>, outer: &BTreeSet<JsonType>) -> bool {
    let each = inner.iter().all(|i| outer.iter().any(|o| i.within(*o)));
    outer.is_empty() || (!inner.is_empty() && each)
}
