//! For a reader at a terminal: what, where in the document, what the other side says, what to do.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Report;
use crate::drift::finding::{Finding, Kind, Severity};

/// Wide enough for a headline, narrow enough for half a screen.
const WIDTH: usize = 100;

pub fn render(report: &Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.drift() {
        out.push_str(&one(report, finding));
        out.push('\n');
    }
    for error in &report.outcome.errors {
        out.push_str(&format!("could not check: {error}\n"));
    }
    for line in &report.outcome.looked_at {
        out.push_str(&format!("read {line}\n"));
    }
    out.push_str(&format!("drift: {}\n", report.verdict()));
    out
}

fn one(report: &Report<'_>, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Breaking => Level::ERROR,
        Severity::Additive => Level::WARNING,
        Severity::Informational => Level::INFO,
    };
    let level = level.with_name(finding.severity.as_str());
    let title = finding.title();
    let title = level.primary_title(&title).id(finding.kind.as_str());
    let says = format!("{} ({})", finding.other, finding.origin);
    let says = Level::NOTE.with_name(finding.side.as_str()).message(says);
    let advice = Level::HELP.with_name("to do").message(&finding.advice);
    let (file, place) = report.place(finding);
    let group = if finding.kind == Kind::StaleDeviation {
        title
            .element(annotate_snippets::Origin::path(file).line(place.line))
            .element(Level::NOTE.with_name("it says").message(&finding.other))
            .element(advice)
    } else {
        let text = &report.document.0.text;
        let label = format!("document: {}", finding.document);
        let annotation = AnnotationKind::Primary
            .span(span(text, place.line, place.column, place.width))
            .label(label);
        let snippet = Snippet::source(text).path(file).annotation(annotation);
        title.element(snippet).element(says).element(advice)
    };
    let renderer = Renderer::plain().term_width(WIDTH);
    let text = renderer.render(&[group]);
    // Without its empty lines a report of several findings fits one screen.
    let lines = text.lines().filter(|line| line.trim() != "|");
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The bytes of a place that is given in lines and characters.
fn span(text: &str, line: usize, column: usize, width: usize) -> std::ops::Range<usize> {
    let start: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let here = text[start..].lines().next().unwrap_or_default();
    let byte = |chars: usize| {
        here.char_indices()
            .nth(chars)
            .map_or(here.len(), |(at, _)| at)
    };
    let (from, to) = (start + byte(column - 1), start + byte(column - 1 + width));
    from..to.max(from)
}
