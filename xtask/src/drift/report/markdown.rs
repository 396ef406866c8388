//! For a job's summary or an issue.

use super::Report;
use crate::drift::finding::Finding;

pub fn render(report: &Report<'_>) -> String {
    let mut out = format!("## Spec drift: {}\n", report.verdict());
    let drift = report.drift();
    if !drift.is_empty() {
        out.push_str("\n| severity | what | where | document | other side | to do |\n| --- | --- | --- | --- | --- | --- |\n");
    }
    for finding in drift {
        out.push_str(&row(report, finding));
    }
    if !report.outcome.errors.is_empty() {
        out.push_str("\nCould not check:\n\n");
    }
    for error in &report.outcome.errors {
        out.push_str(&format!("- {}\n", cell(error)));
    }
    let known = report.known();
    if !known.is_empty() {
        out.push_str("\n<details><summary>Known deviations</summary>\n\n");
        for finding in known {
            let (file, place) = report.place(finding);
            let why = finding.known.as_deref().unwrap_or_default();
            out.push_str(&format!(
                "- `{file}:{}` {}: document {}, {} {}. {}\n",
                place.line,
                cell(&finding.title()),
                cell(&finding.document),
                finding.side.as_str(),
                cell(&finding.other),
                cell(why)
            ));
        }
        out.push_str("\n</details>\n");
    }
    if !report.outcome.looked_at.is_empty() {
        out.push('\n');
    }
    for line in &report.outcome.looked_at {
        out.push_str(&format!("- Read {}\n", cell(line)));
    }
    out
}

fn row(report: &Report<'_>, finding: &Finding) -> String {
    let (file, place) = report.place(finding);
    format!(
        "| {} `{}` | {} | `{file}:{}` | {} | {} ({}) | {} |\n",
        finding.severity.as_str(),
        finding.kind.as_str(),
        cell(&finding.title()),
        place.line,
        cell(&finding.document),
        cell(&finding.other),
        cell(&finding.origin.to_string()),
        cell(&finding.advice)
    )
}

/// What the other side says must not become a mark, a tag or a mention.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('@', "@\u{200b}")
        .replace('\n', " ")
}
