//! For a program.

use serde_json::{Value, json};

use super::Report;
use crate::drift::finding::Finding;

pub fn render(report: &Report<'_>) -> String {
    let list = |findings: Vec<&Finding>| -> Vec<Value> {
        findings.into_iter().map(|f| one(report, f)).collect()
    };
    let value = json!({
        "verdict": match report.exit_code() { 0 => "in sync", 1 => "drift", _ => "could not check" },
        "drift": list(report.drift()),
        "known": list(report.known()),
        "errors": report.outcome.errors,
        "read": report.outcome.looked_at,
    });
    format!("{value:#}\n")
}

fn one(report: &Report<'_>, finding: &Finding) -> Value {
    let (file, place) = report.place(finding);
    let mut value = serde_json::to_value(finding).unwrap_or_default();
    value["place"] = json!({"file": file, "line": place.line, "column": place.column});
    value
}
