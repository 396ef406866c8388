//! A report in four forms: for a reader, for a program, for GitHub, for a job's summary.

mod github;
mod json;
mod markdown;
mod text;

use super::document::Document;
use super::finding::{Finding, Kind, Outcome};
use super::marked::Place;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a reader at a terminal.
    Text,
    /// For a program.
    Json,
    /// Workflow commands, which GitHub shows beside the lines.
    Github,
    /// For a job's summary or an issue.
    Markdown,
}

/// What a report is made from.
pub struct Report<'a> {
    /// The document.
    pub document: &'a Document,
    /// What the checks came to, with known deviations marked.
    pub outcome: &'a Outcome,
}

impl Report<'_> {
    /// The report in a form, ended by a newline.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Json => json::render(self),
            Format::Github => github::render(self),
            Format::Markdown => markdown::render(self),
        }
    }

    /// 0 in sync, 1 drift, 2 could not check.
    pub fn exit_code(&self) -> u8 {
        if !self.outcome.errors.is_empty() {
            2
        } else {
            u8::from(!self.drift().is_empty())
        }
    }

    /// The findings that are not known, the weightiest first.
    pub fn drift(&self) -> Vec<&Finding> {
        let mut drift: Vec<&Finding> = self
            .outcome
            .findings
            .iter()
            .filter(|f| f.known.is_none())
            .collect();
        drift.sort_by_key(|f| f.severity);
        drift
    }

    /// The findings that are known.
    pub fn known(&self) -> Vec<&Finding> {
        self.outcome
            .findings
            .iter()
            .filter(|f| f.known.is_some())
            .collect()
    }

    /// The file and the place that a finding is shown at.
    pub fn place(&self, finding: &Finding) -> (String, Place) {
        if finding.kind == Kind::StaleDeviation {
            let line = finding.origin.line.unwrap_or(1);
            return (
                finding.origin.name.clone(),
                Place {
                    line,
                    column: 1,
                    width: 1,
                },
            );
        }
        let marked = &self.document.0;
        (marked.file.clone(), marked.place(&finding.pointer))
    }

    /// The last line: what it all comes to.
    pub fn verdict(&self) -> String {
        let (drift, known) = (self.drift().len(), self.known().len());
        let known = format!(
            "{known} known deviation{}",
            if known == 1 { "" } else { "s" }
        );
        match (self.exit_code(), drift) {
            (0, _) => format!("in sync, {known}"),
            (2, 0) => format!("could not check everything, {known}"),
            (code, n) => {
                let more = if code == 2 {
                    ", and not everything could be checked"
                } else {
                    ""
                };
                format!("{n} drift{}, {known}{more}", if n == 1 { "" } else { "s" })
            }
        }
    }
}
