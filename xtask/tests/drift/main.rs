//! One change at a time: each that means something is found at its place and with its
//! weight, and one that means nothing raises nothing.

mod around;
mod document;
mod live;
mod messages;
mod pages;
mod quiet;
mod report;
mod schemas;
#[cfg(feature = "types")]
mod sdk;
mod source;

use xtask::drift::deviations::Deviations;
use xtask::drift::docs::{self, PageText};
use xtask::drift::document::Document;
use xtask::drift::finding::{Finding, Kind, Outcome, Severity};
use xtask::drift::report::Report;

pub(crate) use Kind::*;
pub(crate) use Severity::{Additive, Breaking, Informational};

/// The pages of the repository, by form.
pub(crate) const PLAIN: &str = "xtask/tests/pages/create-session.txt";
pub(crate) const MARKDOWN: &str = "xtask/tests/pages/create-session.md";

/// A change: what stands there (once, or at every place), what takes its place.
pub(crate) type Edit = (&'static str, &'static str);

/// What must be found: the kind, the weight, a part of the line of the document that the
/// finding points at, and a part of the page's line, where it has one.
pub(crate) type Expected = (Kind, Severity, &'static str, &'static str);

pub(crate) fn document() -> Document {
    document_of(&xtask::read("openapi/blocks.yaml").unwrap())
}

pub(crate) fn document_of(text: &str) -> Document {
    Document::parse("openapi/blocks.yaml", text).unwrap()
}

/// Makes changes in a text; each must have something to change.
pub(crate) fn edit(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "nothing to change: {from:?}");
        text.replace(from, to)
    })
}

/// A page against a document, known deviations applied.
pub(crate) fn outcome(document: &Document, name: &str, page: &str) -> Outcome {
    let known = xtask::read("openapi/deviations.yaml").unwrap();
    outcome_with(document, &known, name, page)
}

/// A page against a document, with a list of known deviations.
pub(crate) fn outcome_with(document: &Document, known: &str, name: &str, page: &str) -> Outcome {
    let known = Deviations::parse("openapi/deviations.yaml", known, document).unwrap();
    let page = PageText {
        name: name.to_owned(),
        text: page.to_owned(),
    };
    let mut outcome = docs::check(document, &page).unwrap_or_else(|e| panic!("{e}\n{}", page.text));
    known.apply(&mut outcome);
    outcome
}

/// Asserts that exactly `expected` was found.
pub(crate) fn assert_found(
    change: &str,
    document: &Document,
    outcome: &Outcome,
    page: &str,
    expected: &[Expected],
) {
    let report = Report { document, outcome };
    let mut left: Vec<&Finding> = report.drift();
    let deviations = xtask::read("openapi/deviations.yaml").unwrap();
    for (kind, severity, at, on_page) in expected {
        let line =
            |text: &str, line: usize| text.lines().nth(line - 1).unwrap_or_default().to_owned();
        let found = left.iter().position(|f| {
            let (file, place) = report.place(f);
            let source = if file.ends_with("deviations.yaml") {
                &deviations
            } else {
                &document.0.text
            };
            let stated = f.origin.line.map_or(String::new(), |l| line(page, l));
            let page_fits = *kind == StaleDeviation || stated.contains(on_page);
            f.kind == *kind
                && f.severity == *severity
                && line(source, place.line).contains(at)
                && page_fits
        });
        match found {
            Some(index) => drop(left.remove(index)),
            None => {
                panic!("{change}: no {kind:?} {severity:?} at {at:?} and {on_page:?} in {left:#?}")
            }
        }
    }
    assert!(left.is_empty(), "{change}: also found {left:#?}");
}
