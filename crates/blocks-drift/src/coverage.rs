//! Lists what each operation and schema of the OpenAPI document was compared with: pages, requests or the SDK. Also
//! lists the fields, values, statuses and codes that a page does not mention, and the values of enums that the SDK
//! lacks.

use serde::Serialize;

use crate::document::Document;
use crate::finding::{CheckResult, Finding, Kind, NOTHING, Severity, Side, finding};

/// The facts about the whole API that at least one page must state.
const WHOLE: [(Kind, &str, &str); 3] = [
    (Kind::Server, "the base URL", "/servers"),
    (Kind::Security, "the authentication header", "/components/securitySchemes"),
    (Kind::RateLimit, "the rate limit", "/info/description"),
];

/// Adds a finding for each operation that no page describes. Also adds a finding for each fact about the whole API that
/// no page states. Call this function only after a run over all pages. If `result` contains an error, the function adds
/// nothing, because a page that could not be read may state the fact.
pub fn judge(document: &Document, result: &mut CheckResult) {
    if !result.errors.is_empty() {
        return;
    }
    let absent = |kind, subject: &str, pointer: &str, document: &str| {
        finding(kind, Severity::Breaking, subject, pointer, (document, NOTHING))
    };
    for operation in document.operations() {
        let page = |c: &&crate::finding::Covered| c.side == Side::Page && c.scope == operation.id;
        if !result.covered.iter().any(|c| page(&c)) {
            let text = format!("{} {}", operation.method, operation.path);
            let found = absent(Kind::OperationRemoved, "the operation", &operation.pointer, &text);
            result.report(Side::Page, &operation.id, "all pages", vec![found]);
        }
    }
    for (kind, subject, pointer) in WHOLE {
        if document.get(pointer).is_some() && !result.stated.contains(&kind) {
            let found = absent(kind, subject, pointer, "stated");
            result.report(Side::Page, "", "all pages", vec![found]);
        }
    }
}

/// A summary of all comparisons of one operation or schema with one side, such as the pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The operation or schema; empty for the OpenAPI document as a whole.
    pub scope: String,
    /// The side that the operation or schema was compared with.
    pub side: Side,
    /// How many facts were compared, in all `sources` together.
    pub facts: usize,
    /// The pages or requests that were compared, or `blocks_sdk`.
    pub sources: Vec<String>,
    /// The parts of the OpenAPI document that a page does not mention, or the values of an enum that the SDK lacks,
    /// each as a JSON pointer. Empty for the service.
    pub unmentioned: Vec<String>,
}

/// Returns the rows: one for each operation or schema and each side that it was compared with, such as the pages. If
/// any page was compared, the rows about the pages are first: one for each operation, sorted by path, even if no page
/// describes the operation.
pub fn rows(document: &Document, result: &CheckResult) -> Vec<Row> {
    let operations: Vec<String> = document.operations().into_iter().map(|o| o.id).collect();
    let mut rows: Vec<Row> = Vec::new();
    let pages = result.covered.iter().any(|c| c.side == Side::Page);
    for id in operations.iter().filter(|_| pages) {
        rows.push(row(id, Side::Page, result));
    }
    for covered in &result.covered {
        if !rows.iter().any(|r| r.side == covered.side && r.scope == covered.scope) {
            rows.push(row(&covered.scope, covered.side, result));
        }
    }
    rows
}

fn row(scope: &str, side: Side, result: &CheckResult) -> Row {
    let own = || result.covered.iter().filter(|c| c.side == side && c.scope == scope);
    let absent = |f: &&Finding| f.side == side && f.scope == scope && f.other == NOTHING;
    Row {
        scope: scope.to_owned(),
        side,
        facts: own().map(|c| c.facts).sum(),
        sources: own().map(|c| c.origin.clone()).collect(),
        unmentioned: result.findings.iter().filter(absent).map(|f| f.pointer.clone()).collect(),
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scope = if self.scope.is_empty() { "document" } else { &self.scope };
        write!(f, "{scope} ({}): ", self.side)?;
        match self.sources.len() {
            0 => f.write_str("not compared")?,
            1..=4 if self.side == Side::Page => {
                write!(f, "{} facts, by {}", self.facts, self.sources.join(", "))?
            }
            n => write!(f, "{} facts, by {n} source{}", self.facts, if n == 1 { "" } else { "s" })?,
        }
        let names = self.unmentioned.iter().filter_map(|p| p.rsplit('/').next());
        let names: Vec<&str> = names.collect();
        if !names.is_empty() && !self.sources.is_empty() {
            write!(f, "; not mentioned: {}", names.join(", "))?;
        }
        Ok(())
    }
}
