//! Compares the vendor's documentation pages with the OpenAPI document.

mod block;
mod compare;
mod facts;
mod fields;
mod markdown;
mod notation;
mod plain;
mod prose;
mod requests;
pub mod rules_errors_samples;
mod samples;
pub mod source;
mod whole;

use anyhow::{Context as _, Result, bail};

use crate::document::Document;
use crate::finding::{CheckResult, Finding, Kind, NOTHING, Severity, Side, finding};
use block::Section;
use facts::Page;
pub use source::PageText;

/// Compares a page with the OpenAPI document. The page is either a reference page, which describes operations, or a
/// guide.
///
/// # Errors
/// Fails if the page is HTML. Fails if the page cannot be parsed; the error then contains the line. Also fails if the
/// page has nothing to compare, or has fields (except headers) but no operation. Also fails if the page has an
/// operation, but no fields, errors or response samples.
pub fn check(document: &Document, text: &PageText) -> Result<CheckResult> {
    let page = read(document, text)?;
    let mut result = CheckResult::default();
    let facts = whole::compare(document, &page, &mut result);
    if facts > 0 {
        result.cover(Side::Page, "", &page.name, facts);
    }
    if page.operations.is_empty()
        && (page.fields.iter().any(|f| f.section != Section::Header) || facts == 0)
    {
        bail!(
            "{}: no operation such as `POST /rest/v1/sessions` is at the top of the page",
            page.name
        );
    }
    if !page.operations.is_empty() && !page.is_reference() {
        bail!(
            "{}: the page names an operation, and no field, error or response sample could be read; its form may have changed",
            page.name
        );
    }
    for (method, path, line) in &page.operations {
        let scope = format!("{method} {path}");
        let Some(operation) = document.operation(method, path) else {
            let subject = format!("the operation {scope}");
            let texts = (NOTHING, scope.as_str());
            let (kind, severity) = (Kind::OperationUnknown, Severity::Additive);
            let found = finding(kind, severity, &subject, "/paths", texts);
            let found = Finding { line: Some(*line), ..found };
            result.report(Side::Page, &scope, &page.name, vec![found]);
            continue;
        };
        let found = compare::compare(document, &page, &operation, (path, *line));
        result.errors.extend(found.errors.into_iter().map(|e| format!("{}: {e}", page.name)));
        result.cover(Side::Page, &operation.id, &page.name, found.facts);
        result.report(Side::Page, &operation.id, &page.name, found.findings);
    }
    if page.unread_numbers > 0 {
        result.notes.push(format!(
            "{}: {} numbers in descriptions were not understood",
            page.name, page.unread_numbers
        ));
    }
    Ok(result)
}

/// Compares a page with the OpenAPI document. The page is one of those that an index (a list of links such as
/// `llms.txt`) names. If the page contains nothing to compare, or cannot be parsed, adds a note that says why the page
/// was left out.
///
/// # Errors
/// Fails if the page is HTML. Also fails if the page names an operation of the OpenAPI document in its first 12 lines,
/// but cannot be parsed.
pub fn check_indexed(document: &Document, text: &PageText) -> Result<CheckResult> {
    let mut result = CheckResult::default();
    let skipped = |why: &str| CheckResult {
        notes: vec![format!("{}: left out, {why}", text.name)],
        ..CheckResult::default()
    };
    match read(document, text) {
        Err(error) if is_html(&text.text) || names_an_operation(document, &text.text) => {
            return Err(error);
        }
        Err(error) => {
            result.add(skipped(&format!("not about an operation and not readable ({error:#})")))
        }
        Ok(page) if page.is_reference() => return check(document, text),
        Ok(page) => {
            let facts = whole::compare(document, &page, &mut result);
            match facts {
                0 => result.add(skipped("not about an operation")),
                _ => result.cover(Side::Page, "", &page.name, facts),
            }
        }
    }
    Ok(result)
}

fn names_an_operation(document: &Document, text: &str) -> bool {
    let clean = block::clean(text);
    let top = clean.lines().take(12).filter_map(|line| {
        let line = line.trim().trim_start_matches('#').trim();
        block::operation(
            line.strip_prefix("api:").or(line.strip_prefix("openapi:")).unwrap_or(line),
        )
    });
    top.into_iter().any(|(method, path)| document.operation(&method, &path).is_some())
}

fn is_html(text: &str) -> bool {
    let start = block::clean(text).trim_start().to_lowercase();
    let start = start.split("-->").last().unwrap_or_default().trim_start();
    ["<!doctype html", "<html", "mime-version:", "from: <saved by"]
        .iter()
        .any(|s| start.starts_with(s))
}

fn read(document: &Document, text: &PageText) -> Result<Page> {
    let name = &text.name;
    if is_html(&text.text) {
        bail!("{name}: this is HTML; give the page's text or its Markdown form");
    }
    let clean = block::clean(&text.text);
    let blocks = if markdown::is_markdown(&clean) {
        markdown::blocks(&clean)
    } else {
        plain::blocks(&clean)
    };
    let blocks = blocks.with_context(|| name.clone())?;
    facts::page(name, &blocks, &document.codes()).with_context(|| name.clone())
}
