//! Where the differences between one page and the document are put down.

use super::block::Section;
use super::facts::Page;
use crate::drift::document::{Document, Operation};
use crate::drift::finding::{Finding, Kind, Origin, Severity, Side};

/// One page against one operation.
pub struct Sheet<'a> {
    /// The document.
    pub document: &'a Document,
    /// The page.
    pub page: &'a Page,
    /// The operation that the page describes.
    pub operation: &'a Operation,
    /// What differs.
    pub findings: Vec<Finding>,
}

impl<'a> Sheet<'a> {
    /// An empty sheet.
    pub fn new(document: &'a Document, page: &'a Page, operation: &'a Operation) -> Self {
        Self {
            document,
            page,
            operation,
            findings: Vec::new(),
        }
    }

    /// Puts a difference down, once for each place and kind.
    #[expect(clippy::too_many_arguments, reason = "a finding has as many parts")]
    pub fn add(
        &mut self,
        kind: Kind,
        severity: Severity,
        subject: &str,
        pointer: &str,
        document: &str,
        other: &str,
        line: usize,
    ) {
        if self
            .findings
            .iter()
            .any(|f| f.kind == kind && f.pointer == pointer)
        {
            return;
        }
        self.findings.push(Finding {
            kind,
            severity,
            side: Side::Page,
            scope: self.operation.id.clone(),
            subject: subject.to_owned(),
            pointer: pointer.to_owned(),
            document: document.to_owned(),
            other: other.to_owned(),
            origin: Origin {
                name: self.page.name.clone(),
                line: Some(line),
            },
            advice: advice(kind).to_owned(),
            known: None,
        });
    }

    /// How reports call a field.
    pub fn subject(&self, section: Section, name: &str) -> String {
        let what = match section {
            Section::Request => "request field",
            Section::Response => "response field",
            Section::Query => "query parameter",
            Section::Path => "path parameter",
            Section::Errors | Section::Other => "field",
        };
        format!("{what} `{name}`")
    }

    /// The line to point at when something is absent: the first field of its section.
    pub fn section_line(&self, section: Section) -> usize {
        self.page
            .of(section)
            .next()
            .map_or(self.page.line, |f| f.line)
    }

    /// Why a page without a whole part is not a page in sync.
    pub fn missing(&self, part: &str) -> String {
        format!(
            "{}: {} has {part} in the document, and none could be read; the page's form may have changed",
            self.page.name, self.operation.id
        )
    }
}

/// What a maintainer does about a difference.
pub fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::FieldAdded
        | Kind::EnumAdded
        | Kind::StatusAdded
        | Kind::CodeAdded
        | Kind::OperationUnknown => "add it to the document, then `cargo xtask codegen`",
        Kind::FieldRemoved | Kind::EnumRemoved | Kind::StatusRemoved | Kind::CodeRemoved => {
            "ask the live service; remove it from the document, or list it in openapi/deviations.yaml"
        }
        Kind::SampleBroken => "tell the vendor; nothing changes here",
        Kind::NotJson => "ask again; an intermediary may have answered",
        Kind::SchemaMissing => "give the SDK a type for it, and name it in the check of types",
        Kind::StaleDeviation => "remove the entry, or write down what is so now",
        _ => "change the document, or list it in openapi/deviations.yaml with evidence",
    }
}
