//! The vendor's documentation pages against the document.

mod block;
mod cases;
mod compare;
mod facts;
mod fields;
mod markdown;
mod notation;
mod outer;
mod plain;
mod prose;
mod sheet;
pub mod source;

use super::document::Document;
use super::finding::Outcome;

pub use sheet::advice;
pub use source::PageText;

/// Compares a page with the document.
///
/// # Errors
/// The page cannot be made sense of.
pub fn check(document: &Document, page: &PageText) -> Result<Outcome, String> {
    let name = &page.name;
    let start = page.text.trim_start().to_lowercase();
    if start.starts_with("<!doctype") || start.starts_with("<html") {
        return Err(format!(
            "{name}: this is HTML; give the page's text or its Markdown form"
        ));
    }
    let blocks = if markdown::is_markdown(&page.text) {
        markdown::blocks(&page.text)
    } else {
        plain::blocks(&page.text)
    };
    let blocks = blocks.map_err(|e| format!("{name}: {e}"))?;
    let facts = facts::page(name, &blocks, &known_codes(document))?;
    compare::compare(document, &facts)
}

/// Whether a page describes an operation at all; a guide does not.
pub fn names_operation(page: &PageText) -> bool {
    let form = if markdown::is_markdown(&page.text) {
        markdown::blocks
    } else {
        plain::blocks
    };
    // A page that cannot be read is not left out: the check says what is wrong with it.
    form(&page.text).map_or(true, |blocks| {
        facts::operation_of(&blocks).is_some_and(|(_, path)| path.starts_with("/rest/"))
    })
}

/// All error codes of the document.
fn known_codes(document: &Document) -> Vec<String> {
    let operations = document.operations();
    let mut codes: Vec<String> = operations
        .iter()
        .flat_map(|o| document.errors(o))
        .flat_map(|(_, codes, _)| codes)
        .collect();
    codes.sort();
    codes.dedup();
    codes
}
