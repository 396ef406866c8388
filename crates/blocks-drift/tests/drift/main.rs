//! Tests of the drift checker, which compares documentation pages, responses and the SDK with the OpenAPI document.
//! Most tests change the pages, the OpenAPI document or the responses. A change of meaning must cause a finding of the
//! right kind. Many tests also check its severity and its place. Other changes must cause no drift. If a page describes
//! an operation but cannot be read, the report must never say that the page is in sync.

mod ci;
mod incomplete_pages;
mod live;
mod mutations;
mod no_false_alarms;
mod sdk;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use blocks_drift::coverage;
use blocks_drift::deviations::Deviations;
use blocks_drift::document::Document;
use blocks_drift::finding::{CheckResult, Finding};
use blocks_drift::page::{PageText, check_indexed};
use blocks_drift::report::Report;
use blocks_drift::run::{PAGES, check_index};

pub(crate) const FORMS: [&str; 2] = ["txt", "md"];

pub(crate) static DOCUMENT: LazyLock<Document> =
    LazyLock::new(|| document(&blocks_drift::read("openapi/blocks.yaml").unwrap()));

pub(crate) fn document(text: &str) -> Document {
    Document::parse("openapi/blocks.yaml", text).unwrap()
}

/// Returns the pages in `tests/pages` in one form: as plain text (`txt`) or as Markdown (`md`).
pub(crate) fn pages(form: &str) -> Vec<PageText> {
    let page = |page: &&str| {
        let name = format!("{page}.{form}");
        let text = blocks_drift::read(&format!("crates/blocks-drift/tests/pages/{name}")).unwrap();
        PageText { name, text }
    };
    PAGES.iter().map(page).collect()
}

/// Compares all pages with an OpenAPI document, as `drift docs --index` does, and marks the known deviations.
pub(crate) fn check_pages(document: &Document, pages: &[PageText]) -> CheckResult {
    let mut result = CheckResult::default();
    check_index(document, pages, &mut result);
    let known = blocks_drift::read("openapi/deviations.yaml").unwrap();
    let known = Deviations::parse("openapi/deviations.yaml", &known, document).unwrap();
    known.apply(document, &mut result);
    result
}

pub(crate) fn exit_code(document: &Document, result: &CheckResult) -> u8 {
    Report { document, result }.exit_code()
}

/// Compares all pages of one form after the text of one page was replaced with `text`. The results for the other pages
/// are cached, because these results are the same in every call.
pub(crate) fn changed(form: &str, page: usize, text: &str) -> CheckResult {
    type CheckResults = Vec<CheckResult>;
    let check = |form: &str| -> CheckResults {
        pages(form).iter().map(|p| check_indexed(&DOCUMENT, p).unwrap()).collect()
    };
    static SAME: LazyLock<Mutex<HashMap<String, CheckResults>>> = LazyLock::new(Mutex::default);
    let same = SAME.lock().unwrap().entry(form.to_owned()).or_insert_with(|| check(form)).clone();
    let mut result = CheckResult::default();
    let name = pages(form)[page].name.clone();
    result.attempt(check_indexed(&DOCUMENT, &PageText { name, text: text.to_owned() }));
    same.into_iter()
        .enumerate()
        .filter(|(i, _)| *i != page)
        .for_each(|(_, other)| result.add(other));
    coverage::judge(&DOCUMENT, &mut result);
    KNOWN.apply(&DOCUMENT, &mut result);
    result
}

pub(crate) static KNOWN: LazyLock<Deviations> = LazyLock::new(|| {
    let known = blocks_drift::read("openapi/deviations.yaml").unwrap();
    Deviations::parse("openapi/deviations.yaml", &known, &DOCUMENT).unwrap()
});

#[test]
fn pages_of_both_forms_are_in_sync() {
    for form in FORMS {
        let result = check_pages(&DOCUMENT, &pages(form));
        let report = Report { document: &DOCUMENT, result: &result };
        assert_eq!(report.drift(), Vec::<&Finding>::new(), "{form}");
        assert_eq!(result.errors, Vec::<String>::new(), "{form}");
        let facts: Vec<usize> =
            blocks_drift::coverage::rows(&DOCUMENT, &result).iter().map(|r| r.facts).collect();
        let least = [85, 30, 0, 70, 70, 70, 10];
        assert!(facts.iter().zip(least).all(|(f, l)| *f >= l), "{form}: {facts:?}");
    }
}

/// Returns the text with each `from` replaced. The text must contain `from`, so that a test always changes something.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "nothing is replaced: {from}");
    text.replace(from, to)
}

/// Writes the rule about the fields of a create request in another notation. No drift must result.
#[test]
fn other_notations_of_the_document_are_in_sync() {
    let mut text = DOCUMENT.0.text.clone();
    for field in ["agent_id", "agent_name", "profile"] {
        let from = format!("- required: [{field}]\n");
        text = replaced(&text, &from, &format!("- {{ type: object, required: [{field}] }}\n"));
    }
    let document = document(&text);
    for form in FORMS {
        let result = check_pages(&document, &pages(form));
        let report = Report { document: &document, result: &result };
        assert_eq!(report.drift(), Vec::<&Finding>::new(), "{form}");
        assert_eq!(result.errors, Vec::<String>::new(), "{form}");
    }
}
