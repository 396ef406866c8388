//! A page's facts against the document, in both directions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::block::Section;
use super::facts::{Field, Page, default_value};
use super::sheet::Sheet;
use super::{fields, outer};
use crate::drift::document::{Document, Operation};
use crate::drift::finding::{Kind, Outcome, Severity, Side};
use crate::drift::marked::step;
use crate::drift::shape::Shape;

/// Compares a page with the document.
///
/// # Errors
/// The page lacks a whole part that the operation has, so that its form may have changed.
pub fn compare(document: &Document, page: &Page) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let Some(operation) = document.operation(&page.method, &page.path) else {
        outcome.findings.push(unknown_operation(document, page));
        outcome.looked_at.push(looked_at(page));
        return Ok(outcome);
    };
    let mut sheet = Sheet::new(document, page, &operation);
    request(&mut sheet)?;
    parameters(&mut sheet, Section::Query, "query");
    parameters(&mut sheet, Section::Path, "path");
    response(&mut sheet)?;
    outer::rule(&mut sheet);
    outer::errors(&mut sheet);
    outer::samples(&mut sheet);
    outcome.findings = sheet.findings;
    outcome.looked_at.push(looked_at(page));
    outcome.covered.push((Side::Page, operation.id.clone()));
    Ok(outcome)
}

fn looked_at(page: &Page) -> String {
    format!(
        "page {}: {} facts of {} {}",
        page.name,
        page.count(),
        page.method,
        page.path
    )
}

fn unknown_operation(document: &Document, page: &Page) -> crate::drift::finding::Finding {
    let known = Operation {
        id: format!("{} {}", page.method, page.path),
        method: String::new(),
        path: String::new(),
        pointer: String::new(),
    };
    let mut sheet = Sheet::new(document, page, &known);
    let other = format!("{} {}", page.method, page.path);
    sheet.add(
        Kind::OperationUnknown,
        Severity::Additive,
        "the operation",
        "/paths",
        "nothing",
        &other,
        page.line,
    );
    sheet.findings.remove(0)
}

fn request(sheet: &mut Sheet<'_>) -> Result<(), String> {
    let stated = sheet.page.of(Section::Request).count();
    match sheet.document.request_schema(sheet.operation) {
        Some(_) if stated == 0 => Err(sheet.missing("a request body")),
        Some(schema) => {
            body(sheet, Section::Request, &schema);
            Ok(())
        }
        None if stated > 0 => Err(format!(
            "{}: a request body is described, and {} has none in the document",
            sheet.page.name, sheet.operation.id
        )),
        None => Ok(()),
    }
}

fn response(sheet: &mut Sheet<'_>) -> Result<(), String> {
    let Some((_, Some(schema))) = sheet.document.response(sheet.operation, 200) else {
        return Ok(());
    };
    if sheet.page.of(Section::Response).count() == 0 {
        return Err(sheet.missing("the fields of the response"));
    }
    body(sheet, Section::Response, &schema);
    Ok(())
}

/// The fields of a body: those on the page, then those in the document alone.
fn body(sheet: &mut Sheet<'_>, section: Section, schema: &str) {
    let page = sheet.page;
    let mut described: BTreeSet<Vec<String>> = BTreeSet::new();
    for field in page.of(section) {
        described.insert(field.path.clone());
        match locate(sheet.document, schema, &field.path) {
            Ok((pointer, required)) => fields::compare(sheet, field, &pointer, required),
            Err(parent) => added(sheet, field, &parent),
        }
    }
    let in_samples = sample_fields(page, section);
    absent(
        sheet,
        section,
        schema,
        &mut Vec::new(),
        &described,
        &in_samples,
    );
}

/// The object at a pointer, or the one that the list there holds.
fn object(document: &Document, pointer: &str) -> Shape {
    let mut shape = Shape::of(document, pointer);
    match shape.items.take() {
        Some(items) if !items.properties.is_empty() => *items,
        _ => shape,
    }
}

/// The place of a field and whether it is required, or the place where it would be.
fn locate(document: &Document, schema: &str, path: &[String]) -> Result<(String, bool), String> {
    let mut pointer = schema.to_owned();
    let mut required = false;
    for name in path {
        let shape = object(document, &pointer);
        match shape.properties.get(name) {
            Some(place) => {
                required = shape.required.contains(name);
                pointer.clone_from(place);
            }
            None => return Err(format!("{}/properties/{}", shape.object, step(name))),
        }
    }
    Ok((pointer, required))
}

fn added(sheet: &mut Sheet<'_>, field: &Field, pointer: &str) {
    let severity = match field.section {
        Section::Request | Section::Query if field.required == Some(true) => Severity::Breaking,
        _ => Severity::Additive,
    };
    let text = field.notation.type_text();
    sheet.add(
        Kind::FieldAdded,
        severity,
        &sheet.subject(field.section, &field.name()),
        pointer,
        "nothing",
        &text,
        field.line,
    );
}

/// The top-level fields in the samples of a section.
fn sample_fields(page: &Page, section: Section) -> BTreeSet<String> {
    let samples = page
        .samples
        .iter()
        .filter(|s| s.section == section && s.status.is_none_or(|s| s < 400));
    samples.flat_map(|s| keys(&s.text)).collect()
}

/// The keys of a sample. One that is broken is reported as such; what it shows counts still.
fn keys(sample: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(sample) {
        Ok(value) => value
            .as_object()
            .map_or_else(Vec::new, |map| map.keys().cloned().collect()),
        Err(_) => sample
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\":"))
            .map(|(key, _)| key.to_owned())
            .collect(),
    }
}

/// What the document has and the page does not describe. The fields inside one are looked
/// at if the page describes any of them.
fn absent(
    sheet: &mut Sheet<'_>,
    section: Section,
    schema: &str,
    around: &mut Vec<String>,
    described: &BTreeSet<Vec<String>>,
    in_samples: &BTreeSet<String>,
) {
    for (name, pointer) in object(sheet.document, schema).properties {
        around.push(name.clone());
        let inside = described
            .iter()
            .any(|d| d.len() > around.len() && d.starts_with(around));
        if inside {
            absent(
                sheet,
                section,
                &pointer,
                around,
                described,
                &BTreeSet::new(),
            );
        }
        if !inside && !described.contains(around) {
            let text = Shape::of(sheet.document, &pointer).type_text();
            let subject = sheet.subject(section, &around.join("."));
            let line = sheet.section_line(section);
            if in_samples.contains(&name) {
                sheet.add(
                    Kind::FieldUndescribed,
                    Severity::Informational,
                    &subject,
                    &pointer,
                    &text,
                    "in a sample only",
                    line,
                );
            } else {
                sheet.add(
                    Kind::FieldRemoved,
                    Severity::Breaking,
                    &subject,
                    &pointer,
                    &text,
                    "nothing",
                    line,
                );
            }
        }
        around.pop();
    }
}

/// Query and path parameters; a page that lists none says nothing about them.
fn parameters(sheet: &mut Sheet<'_>, section: Section, place: &str) {
    let page = sheet.page;
    if page.of(section).next().is_none() {
        return;
    }
    let known = sheet.document.parameters(sheet.operation, place);
    for field in page.of(section) {
        match known.iter().find(|(name, _)| *name == field.name()) {
            Some((_, pointer)) => {
                let parameter = sheet.document.get(pointer);
                let required = parameter.is_some_and(|p| p["required"] == true);
                fields::compare(sheet, field, &format!("{pointer}/schema"), required);
            }
            None => added(
                sheet,
                field,
                &format!("{}/parameters", sheet.operation.pointer),
            ),
        }
    }
    for (name, pointer) in known {
        if !page.of(section).any(|f| f.name() == name) {
            let text = Shape::of(sheet.document, &format!("{pointer}/schema")).type_text();
            let (subject, line) = (sheet.subject(section, &name), sheet.section_line(section));
            sheet.add(
                Kind::FieldRemoved,
                Severity::Breaking,
                &subject,
                &pointer,
                &text,
                "nothing",
                line,
            );
        }
    }
}

/// A default of the page as JSON, typed as the document types it.
pub fn typed_default(field: &Field) -> Option<Value> {
    let text = field.default.as_deref()?;
    let value = default_value(text);
    let is_text = field.notation.type_text() == "string";
    Some(if is_text {
        Value::String(text.to_owned())
    } else {
        value
    })
}
