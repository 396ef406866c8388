//! What a page states around its fields: the agent rule, errors, samples.

use serde_json::Value;

use super::block::Section;
use super::facts::Sample;
use super::sheet::Sheet;
use crate::drift::finding::{Kind, Severity};
use crate::drift::marked::Marked;
use crate::drift::validate;

/// The rule over the request's fields, such as exactly one of three.
pub fn rule(sheet: &mut Sheet<'_>) {
    let Some(schema) = sheet.document.request_schema(sheet.operation) else {
        return;
    };
    let home = sheet.document.resolve(&schema);
    let pointer = format!("{home}/oneOf");
    let known = document_rule(sheet.document.0.value.pointer(&pointer));
    let (severity, document, page, line) = match (known, &sheet.page.rule) {
        (None, None) => return,
        (Some(known), None) => {
            let line = sheet.section_line(Section::Request);
            (
                Severity::Informational,
                text("exactly one", &known),
                "no rule".to_owned(),
                line,
            )
        }
        (None, Some(rule)) => (
            Severity::Breaking,
            "no rule".to_owned(),
            text(rule.how_many, &rule.fields),
            rule.line,
        ),
        (Some(known), Some(rule)) => {
            if rule.how_many == "exactly one" && rule.fields == known {
                return;
            }
            let all = known.iter().all(|k| rule.fields.contains(k));
            let severity = if all {
                Severity::Additive
            } else {
                Severity::Breaking
            };
            (
                severity,
                text("exactly one", &known),
                text(rule.how_many, &rule.fields),
                rule.line,
            )
        }
    };
    sheet.add(
        Kind::Rule,
        severity,
        "the rule over its fields",
        &pointer,
        &document,
        &page,
        line,
    );
}

fn text(how_many: &str, fields: &[String]) -> String {
    format!("{how_many} of {}", fields.join(", "))
}

/// The fields of which `oneOf` requires each in turn.
fn document_rule(one_of: Option<&Value>) -> Option<Vec<String>> {
    let mut fields: Vec<String> = one_of?
        .as_array()?
        .iter()
        .map(
            |choice| match choice["required"].as_array().map(Vec::as_slice) {
                Some([Value::String(field)]) => Some(field.clone()),
                _ => None,
            },
        )
        .collect::<Option<_>>()?;
    fields.sort();
    Some(fields)
}

/// Error statuses and codes: a new one is additive; for one that is gone, programs that
/// tell errors by it break.
pub fn errors(sheet: &mut Sheet<'_>) {
    let page = sheet.page;
    let known = sheet.document.errors(sheet.operation);
    for case in &page.errors {
        let subject = format!("error {}", case.status);
        let Some((_, codes, pointer)) = known.iter().find(|(status, ..)| *status == case.status)
        else {
            let pointer = format!("{}/responses/{}", sheet.operation.pointer, case.status);
            let other = format!(
                "{} {}",
                case.status,
                case.code.as_deref().unwrap_or_default()
            );
            sheet.add(
                Kind::StatusAdded,
                Severity::Additive,
                &subject,
                &pointer,
                "nothing",
                other.trim(),
                case.line,
            );
            continue;
        };
        if let Some(code) = case.code.as_ref().filter(|c| !codes.contains(c)) {
            let place = format!("{}/x-error-codes/{code}", sheet.document.resolve(pointer));
            sheet.add(
                Kind::CodeAdded,
                Severity::Additive,
                &subject,
                &place,
                "nothing",
                code,
                case.line,
            );
        }
    }
    for (status, codes, pointer) in known {
        let subject = format!("error {status}");
        let Some(case) = page.errors.iter().find(|e| e.status == status) else {
            let line = page.errors.first().map_or(page.line, |e| e.line);
            sheet.add(
                Kind::StatusRemoved,
                Severity::Breaking,
                &subject,
                &pointer,
                &status.to_string(),
                "nothing",
                line,
            );
            continue;
        };
        let stated = |code: &String| {
            page.errors
                .iter()
                .any(|e| e.status == status && e.code.as_ref() == Some(code))
        };
        for code in codes.iter().filter(|c| !stated(c)) {
            let place = format!("{}/x-error-codes/{code}", sheet.document.resolve(&pointer));
            sheet.add(
                Kind::CodeRemoved,
                Severity::Breaking,
                &subject,
                &place,
                code,
                "nothing",
                case.line,
            );
        }
    }
}

/// Every sample is valid under the schema of its side.
pub fn samples(sheet: &mut Sheet<'_>) {
    let page = sheet.page;
    for sample in &page.samples {
        let schema = match sample.section {
            Section::Request => sheet.document.request_schema(sheet.operation),
            _ => {
                let status = sample.status.unwrap_or(200);
                sheet
                    .document
                    .response(sheet.operation, status)
                    .and_then(|(_, schema)| schema)
            }
        };
        if let Some(schema) = schema {
            check_sample(sheet, sample, &schema);
        }
    }
}

fn check_sample(sheet: &mut Sheet<'_>, sample: &Sample, schema: &str) {
    let side = if sample.section == Section::Request {
        "request"
    } else {
        "response"
    };
    let value: Value = match serde_json::from_str(&sample.text) {
        Ok(value) => value,
        Err(e) => {
            let line = sample.line + e.line().saturating_sub(1);
            let home = sheet.document.resolve(schema);
            let subject = format!("{side} sample");
            return sheet.add(
                Kind::SampleBroken,
                Severity::Informational,
                &subject,
                &home,
                "JSON",
                &e.to_string(),
                line,
            );
        }
    };
    let marked = Marked::parse("sample", &sample.text).ok();
    for violation in validate::check(sheet.document, schema, &value) {
        let offset = marked
            .as_ref()
            .map_or(1, |m| m.place(&violation.instance).line);
        let subject = format!("{side} sample `{}`", violation.name());
        sheet.add(
            violation.kind,
            violation.severity,
            &subject,
            &violation.pointer,
            &violation.document,
            &violation.other,
            sample.line + offset - 1,
        );
    }
}
