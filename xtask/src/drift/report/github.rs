//! Workflow commands, which GitHub shows beside the lines of the document.

use super::Report;
use crate::drift::finding::Severity;

pub fn render(report: &Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.drift() {
        let command = match finding.severity {
            Severity::Breaking => "error",
            Severity::Additive => "warning",
            Severity::Informational => "notice",
        };
        let (file, place) = report.place(finding);
        let title = format!(
            "{}[{}]: {}",
            finding.severity.as_str(),
            finding.kind.as_str(),
            finding.title()
        );
        let message = format!(
            "document: {}\n{} ({}): {}\nto do: {}",
            finding.document,
            finding.side.as_str(),
            finding.origin,
            finding.other,
            finding.advice
        );
        out.push_str(&format!(
            "::{command} file={},line={},col={},title={}::{}\n",
            property(&file),
            place.line,
            place.column,
            property(&title),
            data(&message)
        ));
    }
    for error in &report.outcome.errors {
        out.push_str(&format!("::error title=could not check::{}\n", data(error)));
    }
    out.push_str(&format!("drift: {}\n", report.verdict()));
    out
}

/// A message of a workflow command ends at the line's end, so breaks are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(data("50%\nof a: b"), "50%25%0Aof a: b");
        assert_eq!(property("a: b, c"), "a%3A b%2C c");
    }
}
