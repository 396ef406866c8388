//! One field of a page against its schema, judged from the side that it stands on.

use std::collections::BTreeSet;

use super::block::Section;
use super::compare::typed_default;
use super::facts::Field;
use super::notation::Notation;
use super::sheet::Sheet;
use crate::drift::finding::{Kind, Severity};
use crate::drift::marked::step;
use crate::drift::shape::{JsonType, Shape};

/// Compares a field that both sides have.
pub fn compare(sheet: &mut Sheet<'_>, field: &Field, pointer: &str, required: bool) {
    let shape = Shape::of(sheet.document, pointer);
    let mut pair = Pair {
        sent: field.section != Section::Response,
        subject: sheet.subject(field.section, &field.name()),
        sheet,
        field,
        pointer,
        shape: &shape,
    };
    if pair.types() {
        pair.format();
        pair.default();
    }
    pair.nullable();
    pair.required(required);
    pair.values();
    pair.limits();
}

struct Pair<'a, 'b> {
    sheet: &'a mut Sheet<'b>,
    field: &'a Field,
    pointer: &'a str,
    shape: &'a Shape,
    subject: String,
    /// Whether the field is sent to the service; else it is received.
    sent: bool,
}

impl Pair<'_, '_> {
    fn add(&mut self, kind: Kind, severity: Severity, document: &str, page: &str) {
        self.sheet.add(
            kind,
            severity,
            &self.subject,
            self.pointer,
            document,
            page,
            self.field.line,
        );
    }

    /// The weight of a page that takes or gives more values than the document says, or fewer.
    fn weight(&self, page_is_wider: bool) -> Severity {
        match (self.sent, page_is_wider) {
            (true, true) => Severity::Additive,
            (true, false) | (false, true) => Severity::Breaking,
            (false, false) => Severity::Informational,
        }
    }

    /// Whether the types are near enough for their formats to be compared.
    fn types(&mut self) -> bool {
        let (page, document) = (&self.field.notation, self.shape);
        let wider = document_within(document, page);
        let narrower = page_within(page, document);
        if wider && narrower {
            return true;
        }
        let severity = match (wider, narrower) {
            (true, _) => self.weight(true),
            (_, true) => self.weight(false),
            _ => Severity::Breaking,
        };
        let (document, page) = (document.type_text(), page.type_text());
        self.add(Kind::Type, severity, &document, &page);
        false
    }

    fn format(&mut self) {
        let inner = |n: &Notation| n.items.as_ref().and_then(|i| i.format.clone());
        let page = self
            .field
            .notation
            .format
            .clone()
            .or_else(|| inner(&self.field.notation));
        let items = self.shape.items.as_ref().and_then(|i| i.format.clone());
        let document = self.shape.format.clone().or(items);
        if page == document || (matches!(page.as_deref(), Some("uri")) && document.is_none()) {
            return;
        }
        let severity = match (&document, &page) {
            (Some(_), None) => self.weight(true),
            (None, Some(_)) => self.weight(false),
            _ => Severity::Breaking,
        };
        let text =
            |format: &Option<String>| format.clone().unwrap_or_else(|| "no format".to_owned());
        self.add(Kind::Format, severity, &text(&document), &text(&page));
    }

    /// Whether null may stand there; of the parts of a path nobody says so.
    fn nullable(&mut self) {
        let (page, document) = (self.field.notation.nullable, self.shape.nullable);
        if page == document || self.field.section == Section::Path {
            return;
        }
        let text = |nullable| if nullable { "nullable" } else { "never null" };
        self.add(
            Kind::Nullable,
            self.weight(page),
            text(document),
            text(page),
        );
    }

    /// A request field without a mark is optional; a response field without one says nothing.
    fn required(&mut self, document: bool) {
        let page = match (self.field.required, self.field.section) {
            (Some(required), _) => required,
            (None, Section::Request | Section::Query) => false,
            (None, _) => return,
        };
        if page == document {
            return;
        }
        let text = |required| if required { "required" } else { "optional" };
        self.add(
            Kind::Required,
            self.weight(!page),
            text(document),
            text(page),
        );
    }

    fn default(&mut self) {
        let (page, document) = (typed_default(self.field), self.shape.default.clone());
        if page == document || !self.sent {
            return;
        }
        let severity = match (&document, &page) {
            (Some(_), Some(_)) => Severity::Breaking,
            (None, _) => Severity::Additive,
            _ => Severity::Informational,
        };
        let text = |value: &Option<serde_json::Value>| {
            value
                .as_ref()
                .map_or_else(|| "no default".to_owned(), ToString::to_string)
        };
        self.add(Kind::Default, severity, &text(&document), &text(&page));
    }

    fn values(&mut self) {
        let nested = self.shape.items.as_ref().and_then(|i| i.values.clone());
        let document = self.shape.values.clone().or(nested);
        let (page, document) = match (self.field.values.clone(), document) {
            (None, None) => return,
            (None, Some(document)) => {
                let text = document.list.join(", ");
                return self.add(
                    Kind::EnumUnstated,
                    Severity::Informational,
                    &text,
                    "no list of values",
                );
            }
            (Some(page), None) => {
                let text = page.join(", ");
                let severity = self.weight(false);
                return self.add(Kind::EnumAdded, severity, "any value", &text);
            }
            (Some(page), Some(document)) => (page, document),
        };
        let (line, subject) = (self.field.line, self.subject.clone());
        for value in page.iter().filter(|v| !document.list.contains(v)) {
            let place = format!("{}/{}", document.pointer, step(value));
            self.sheet.add(
                Kind::EnumAdded,
                Severity::Additive,
                &subject,
                &place,
                "nothing",
                value,
                line,
            );
        }
        let severity = self.weight(false);
        for value in document.list.iter().filter(|v| !page.contains(v)) {
            let place = format!("{}/{}", document.pointer, step(value));
            self.sheet.add(
                Kind::EnumRemoved,
                severity,
                &subject,
                &place,
                value,
                "nothing",
                line,
            );
        }
    }

    /// Only limits that the page states; most pages leave them out.
    fn limits(&mut self) {
        for (keyword, page) in &self.field.limits {
            let document = self.shape.limits.get(keyword).copied();
            if document == Some(*page) {
                continue;
            }
            let wider = document.is_some_and(|d| {
                if keyword.starts_with("max") {
                    *page > d
                } else {
                    *page < d
                }
            });
            let severity = self.weight(wider);
            let text =
                document.map_or_else(|| format!("no {keyword}"), |d| format!("{keyword} {d}"));
            self.add(Kind::Limit, severity, &text, &format!("{keyword} {page}"));
        }
    }
}

/// Whether the page allows every value that the document allows.
fn document_within(document: &Shape, page: &Notation) -> bool {
    types_within(&document.types, &page.types)
        && match (&document.items, &page.items) {
            (Some(document), Some(page)) => document_within(document, page),
            _ => true,
        }
}

/// Whether the document allows every value that the page allows.
fn page_within(page: &Notation, document: &Shape) -> bool {
    types_within(&page.types, &document.types)
        && match (&page.items, &document.items) {
            (Some(page), Some(document)) => page_within(page, document),
            _ => true,
        }
}

/// An empty set means any type.
fn types_within(inner: &BTreeSet<JsonType>, outer: &BTreeSet<JsonType>) -> bool {
    let each = inner.iter().all(|i| outer.iter().any(|o| i.within(*o)));
    outer.is_empty() || (!inner.is_empty() && each)
}
