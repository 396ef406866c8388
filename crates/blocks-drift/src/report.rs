//! Renders the report on the differences that the checks have found. The report is a text for a reader, JSON, Markdown,
//! or GitHub workflow commands (printed lines from which GitHub creates comments beside the files).

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::coverage;
use crate::document::Document;
use crate::finding::{CheckResult, Finding, Kind, Severity};
use crate::spanned::Position;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a reader at a terminal.
    Text,
    /// For a program.
    Json,
    /// Annotations that GitHub Actions shows beside the lines of the files.
    Github,
    /// Markdown for the job summary of GitHub Actions, or for an issue.
    Markdown,
}

/// The input of a report.
pub struct Report<'a> {
    /// The OpenAPI document.
    pub document: &'a Document,
    /// The result of the checks. The findings that are known deviations (intended differences) are marked.
    pub result: &'a CheckResult,
}

/// The width, in characters, to which a text report shortens the lines of the OpenAPI document. This width fits in half
/// of a screen. Other lines of the report can be longer.
const WIDTH: usize = 100;

impl Report<'_> {
    /// Renders the report in the given format. The text ends with a newline.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => self.json(),
            Format::Github => self.github(),
            Format::Markdown => self.markdown(),
        }
    }

    /// Returns the exit code: 0 without drift, 1 with drift, 2 if something could not be checked.
    pub fn exit_code(&self) -> u8 {
        if self.result.errors.is_empty() { u8::from(!self.drift().is_empty()) } else { 2 }
    }

    /// Returns the findings that are not known deviations, the most serious first.
    pub fn drift(&self) -> Vec<&Finding> {
        let mut drift: Vec<&Finding> =
            self.result.findings.iter().filter(|f| f.known.is_none()).collect();
        drift.sort_by_key(|f| f.severity);
        drift
    }

    /// Returns the findings that are known deviations.
    pub fn known(&self) -> Vec<&Finding> {
        self.result.findings.iter().filter(|f| f.known.is_some()).collect()
    }

    /// Returns the file and the position that the report shows for a finding. They are in the OpenAPI document, or in
    /// the list of known deviations if the finding is about an entry that no longer applies.
    pub fn position(&self, finding: &Finding) -> (String, Position) {
        if finding.kind == Kind::StaleDeviation {
            let line = finding.line.unwrap_or(1);
            return (finding.origin.clone(), Position { line, column: 1, width: 1 });
        }
        let spanned = &self.document.0;
        (spanned.file.clone(), spanned.position(&finding.pointer))
    }

    /// Returns the verdict with the numbers of differences and known deviations, such as `in sync, 2 known deviations`.
    pub fn verdict(&self) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (drift, known) = (self.drift().len(), plural(self.known().len(), "known deviation"));
        match (self.exit_code(), drift) {
            (0, _) => format!("in sync, {known}"),
            (2, 0) => format!("could not check everything, {known}"),
            (2, n) => {
                format!("{}, {known}, and not everything could be checked", plural(n, "difference"))
            }
            (_, n) => format!("{}, {known}", plural(n, "difference")),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for finding in self.drift() {
            let _ = writeln!(out, "{}", self.snippet(finding));
        }
        for error in &self.result.errors {
            let _ = writeln!(out, "could not check: {error}");
        }
        for row in coverage::rows(self.document, self.result) {
            let _ = writeln!(out, "compared {row}");
        }
        for note in &self.result.notes {
            let _ = writeln!(out, "note: {note}");
        }
        let _ = writeln!(out, "drift: {}", self.verdict());
        out
    }

    /// Renders a finding with the line of the OpenAPI document that the finding is about. A finding about an entry of
    /// the list of known deviations has only the line number of the entry.
    fn snippet(&self, finding: &Finding) -> String {
        let level = match finding.severity {
            Severity::Breaking => Level::ERROR,
            Severity::Additive => Level::WARNING,
            Severity::Informational => Level::INFO,
        };
        let title = finding.title();
        let severity: &str = finding.severity.into();
        let title = level.with_name(severity).primary_title(&title).id(<&str>::from(finding.kind));
        let says = format!("{} ({})", finding.other, finding.source());
        let side: &str = finding.side.into();
        let says = Level::NOTE.with_name(side).message(says);
        let advice = Level::HELP.with_name("to do").message(finding.kind.advice(finding.side));
        let (file, position) = self.position(finding);
        let group = if finding.kind == Kind::StaleDeviation {
            title
                .element(annotate_snippets::Origin::path(file).line(position.line))
                .element(Level::NOTE.with_name("it says").message(&finding.other))
                .element(advice)
        } else {
            let text = &self.document.0.text;
            let annotation = AnnotationKind::Primary
                .span(span(text, position))
                .label(format!("document: {}", finding.document));
            let snippet = Snippet::source(text).path(file).annotation(annotation);
            title.element(snippet).element(says).element(advice)
        };
        let text = Renderer::plain().term_width(WIDTH).render(&[group]);
        // Empty lines are removed, so that more findings fit on one screen.
        text.lines().filter(|line| line.trim() != "|").flat_map(|line| [line, "\n"]).collect()
    }

    fn json(&self) -> String {
        let one = |finding: &Finding| {
            let (file, position) = self.position(finding);
            let mut value = serde_json::to_value(finding).unwrap_or_default();
            value["place"] =
                json!({"file": file, "line": position.line, "column": position.column});
            value["advice"] = finding.kind.advice(finding.side).into();
            value
        };
        let list = |findings: Vec<&Finding>| findings.into_iter().map(one).collect::<Vec<Value>>();
        let verdict = ["in sync", "drift", "could not check"][usize::from(self.exit_code())];
        let value = json!({
            "verdict": verdict,
            "drift": list(self.drift()),
            "known": list(self.known()),
            "errors": self.result.errors,
            "coverage": coverage::rows(self.document, self.result),
            "notes": self.result.notes,
        });
        format!("{value:#}\n")
    }

    fn github(&self) -> String {
        let mut out = String::new();
        for finding in self.drift() {
            let command = match finding.severity {
                Severity::Breaking => "error",
                Severity::Additive => "warning",
                Severity::Informational => "notice",
            };
            let (file, position) = self.position(finding);
            let title = format!("{}[{}]: {}", finding.severity, finding.kind, finding.title());
            let message = format!(
                "document: {}\n{} ({}): {}\nto do: {}",
                finding.document,
                finding.side,
                finding.source(),
                finding.other,
                finding.kind.advice(finding.side)
            );
            let _ = writeln!(
                out,
                "::{command} file={},line={},col={},title={}::{}",
                property(&file),
                position.line,
                position.column,
                property(&title),
                data(&message)
            );
        }
        for error in &self.result.errors {
            let _ = writeln!(out, "::error title=could not check::{}", data(error));
        }
        let _ = writeln!(out, "drift: {}", self.verdict());
        out
    }

    fn markdown(&self) -> String {
        let mut out = format!("## Spec drift: {}\n", self.verdict());
        let drift = self.drift();
        if !drift.is_empty() {
            out.push_str("\n| severity | what | where | document | other side | to do |\n| --- | --- | --- | --- | --- | --- |\n");
        }
        for finding in drift {
            let (file, position) = self.position(finding);
            let _ = writeln!(
                out,
                "| {} `{}` | {} | `{file}:{}` | {} | {} ({}) | {} |",
                finding.severity,
                finding.kind,
                cell(&finding.title()),
                position.line,
                cell(&finding.document),
                cell(&finding.other),
                cell(&finding.source()),
                finding.kind.advice(finding.side)
            );
        }
        section(&mut out, "Could not check", &self.result.errors);
        let known = self.known().into_iter().map(|finding| {
            let (file, position) = self.position(finding);
            format!(
                "{file}:{} {}: document {}, {} {}. {}",
                position.line,
                finding.title(),
                finding.document,
                finding.side,
                finding.other,
                finding.known.as_deref().unwrap_or_default()
            )
        });
        section(&mut out, "Known deviations", &known.collect::<Vec<_>>());
        let rows = coverage::rows(self.document, self.result);
        section(&mut out, "Compared", &rows.iter().map(ToString::to_string).collect::<Vec<_>>());
        section(&mut out, "Notes", &self.result.notes);
        out
    }
}

/// Adds a list below a title that a reader can click to fold or unfold the list. Only the list of errors is unfolded at
/// first.
fn section(out: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let open = if title == "Could not check" { " open" } else { "" };
    let _ = writeln!(out, "\n<details{open}><summary>{title}</summary>\n");
    for item in items {
        let _ = writeln!(out, "- {}", cell(item));
    }
    out.push_str("\n</details>\n");
}

/// Converts a position in lines and characters to the range of bytes in `text`.
fn span(text: &str, position: Position) -> std::ops::Range<usize> {
    let start: usize = text.split_inclusive('\n').take(position.line - 1).map(str::len).sum();
    let here = text[start..].lines().next().unwrap_or_default();
    let byte = |chars: usize| here.char_indices().nth(chars).map_or(here.len(), |(at, _)| at);
    let from = start + byte(position.column - 1);
    from..(start + byte(position.column - 1 + position.width)).max(from)
}

/// Escapes a message for a workflow command, which is one printed line. A line break in the message would end the
/// command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Escapes text for a cell of a Markdown table. Text from a page or a response then cannot end the cell, add an HTML
/// tag, mention a user or start a code span. Character references would stay visible in a code span. `|` and `\` become
/// character references. The escape `\|` would not be enough, because the text may contain a `\` before the `|`.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
        .replace('\\', "&#92;")
        .replace('|', "&#124;")
        .replace('`', "&#96;")
        .replace('<', "&lt;")
        .replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_text_cannot_end_its_cell() {
        for (text, escaped) in [
            ("a|b", "a&#124;b"),
            ("`a|b`", "&#96;a&#124;b&#96;"),
            ("x\\|y", "x&#92;&#124;y"),
            ("a\rb\nc", "a b c"),
            ("<b> @all", "&lt;b> @\u{200b}all"),
        ] {
            assert_eq!(cell(text), escaped);
        }
    }
}
