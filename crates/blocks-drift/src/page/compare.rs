//! Compares the facts of a page with one operation of the OpenAPI document. Finds facts that only the page states,
//! facts that only the OpenAPI document states, and facts that differ.

use std::collections::BTreeSet;

use serde_json::Value;

use super::block::Section;
use super::facts::{Field, Page};
use super::fields::{self, subject};
use super::samples::Sample;
use crate::document::{Document, Operation, template_names};
use crate::finding::{Finding, Kind, NOTHING, Severity, finding};
use crate::shape::Shape;
use crate::spanned::step;

/// The comparison of one page with one operation.
pub struct Comparison<'a> {
    /// The OpenAPI document.
    pub document: &'a Document,
    pub(super) page: &'a Page,
    pub(super) operation: &'a Operation,
    /// The path template on the page, and the line of the path template.
    pub(super) path: (&'a str, usize),
    /// The differences that were found.
    pub findings: Vec<Finding>,
    /// The parts that could not be compared.
    pub errors: Vec<String>,
    /// The number of facts that were compared.
    pub facts: usize,
}

/// Compares everything that a page says about an operation with the OpenAPI document.
pub fn compare<'a>(
    document: &'a Document,
    page: &'a Page,
    operation: &'a Operation,
    path: (&'a str, usize),
) -> Comparison<'a> {
    let mut to = Comparison {
        document,
        page,
        operation,
        path,
        findings: Vec::new(),
        errors: Vec::new(),
        facts: 1,
    };
    to.deprecated();
    to.requests();
    to.parameters(Section::Query);
    to.parameters(Section::Path);
    to.parameters(Section::Header);
    let request = document.request_schema(operation);
    to.body(Section::Request, request.as_deref());
    let response = document.response(operation, 200).and_then(|(_, schema)| schema);
    to.body(Section::Response, response.as_deref());
    to.rule(request.as_deref());
    to.error_rows();
    to.samples();
    to.order();
    to.nulls(response.as_deref());
    to
}

/// Returns the [`Shape`] of the schema at `pointer`. If the schema is a list of objects, returns the shape of its
/// items.
fn object(document: &Document, pointer: &str) -> Shape {
    let mut shape = Shape::of(document, pointer);
    match shape.items.take() {
        Some(items) if !items.properties.is_empty() => *items,
        _ => shape,
    }
}

/// Returns the pointer of a field, and whether the field is required. If the OpenAPI document lacks the field or a
/// field around it, the error is the pointer that the first missing field would have.
pub(super) fn locate(
    document: &Document,
    schema: &str,
    path: &[String],
) -> Result<(String, bool), String> {
    let (mut pointer, mut required) = (schema.to_owned(), false);
    for name in path {
        let shape = object(document, &pointer);
        let Some(place) = shape.properties.get(name) else {
            return Err(format!("{}/properties/{}", shape.object, step(name)));
        };
        required = shape.required.contains(name);
        pointer.clone_from(place);
    }
    Ok((pointer, required))
}

/// Returns all values that the samples have at a path of field names. If a value on the path is a list, all items of
/// the list are searched.
pub(super) fn shown<'v>(samples: &[&'v Value], path: &[String]) -> Vec<&'v Value> {
    let mut here: Vec<&Value> = samples.to_vec();
    for name in path {
        here = here.into_iter().flat_map(each).filter_map(|v| v.get(name)).collect();
    }
    here.into_iter().flat_map(each).collect()
}

fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

impl Comparison<'_> {
    pub(super) fn add(
        &mut self,
        kind: Kind,
        severity: Severity,
        subject: &str,
        pointer: &str,
        texts: (&str, &str),
        line: usize,
    ) {
        let line = Some(line);
        let found = finding(kind, severity, subject, pointer, texts);
        self.findings.push(Finding { line, ..found });
    }

    /// Returns the line that a report shows if the page lacks a field of the section. This is the line of the section's
    /// first field, or the line of the path if the section has no fields.
    pub(super) fn line(&self, section: Section) -> usize {
        self.page.of(section).next().map_or(self.path.1, |f| f.line)
    }

    /// Reports that the page calls the operation deprecated, if the OpenAPI document does not.
    fn deprecated(&mut self) {
        let Some(line) = self.page.deprecated else { return };
        let operation = self.operation;
        let known = self.document.get(&format!("{}/deprecated", operation.pointer));
        self.facts += 1;
        if known.and_then(Value::as_bool) != Some(true) {
            let (severity, texts) = (Severity::Informational, ("not deprecated", "deprecated"));
            let pointer = &operation.pointer;
            self.add(Kind::Deprecated, severity, "the operation", pointer, texts, line);
        }
    }

    fn added(&mut self, field: &Field, pointer: &str) {
        let required = field.required == Some(true) && field.default.is_none();
        let sent = field.section != Section::Response;
        let severity = if sent && required { Severity::Breaking } else { Severity::Additive };
        let (text, name) = (field.notation.type_text(), subject(field.section, &field.name()));
        self.facts += 1;
        self.add(Kind::FieldAdded, severity, &name, pointer, (NOTHING, &text), field.line);
    }

    fn removed(&mut self, section: Section, name: &str, pointer: &str, schema: &str) {
        let text = Shape::of(self.document, schema).type_text();
        let (name, line) = (subject(section, name), self.line(section));
        self.facts += 1;
        self.add(Kind::FieldRemoved, Severity::Breaking, &name, pointer, (&text, NOTHING), line);
    }

    /// Compares the parameters of a section (query, path or header) with those of the OpenAPI document. A path
    /// parameter may have another name on the page. Then the parameter is identified by its position in the path.
    fn parameters(&mut self, section: Section) {
        let place = section.to_string();
        let known = self.document.parameters(self.operation, &place);
        let names = (template_names(self.path.0), template_names(&self.operation.path));
        let renamed = |name: &str| {
            names.0.iter().position(|n| n == name).and_then(|at| names.1.get(at).cloned())
        };
        let page = self.page;
        let fields: Vec<&Field> = page.of(section).collect();
        if fields.is_empty() && section == Section::Path {
            // The page mentions the path parameters only in its path template. The path template contains their names,
            // but not their types, so the types cannot be compared.
            for (name, pointer) in &known {
                let (name, texts) = (subject(section, name), ("a parameter", "in the path only"));
                let line = self.path.1;
                let severity = Severity::Informational;
                self.add(Kind::FieldUndescribed, severity, &name, pointer, texts, line);
            }
            return;
        }
        if fields.is_empty() && !known.is_empty() {
            self.errors.push(format!(
                "{} has {place} parameters, and the page lists none; its form may have changed",
                self.operation.id
            ));
            return;
        }
        let mut seen = BTreeSet::new();
        for field in fields {
            let own = field.name();
            let name =
                renamed(&own).filter(|_| section == Section::Path).unwrap_or_else(|| own.clone());
            if let Some((_, pointer)) = known.iter().find(|(n, _)| *n == name) {
                let required = self.document.get(pointer).is_some_and(|p| p["required"] == true);
                fields::compare(self, field, &format!("{pointer}/schema"), required);
                if own != name {
                    let subject = subject(section, &name);
                    self.add(
                        Kind::ParameterName,
                        Severity::Informational,
                        &subject,
                        pointer,
                        (&name, &own),
                        field.line,
                    );
                }
                seen.insert(name);
            } else if !self.is_elsewhere(section, &own) {
                self.added(field, &format!("{}/parameters/{}", self.operation.pointer, step(&own)));
            }
        }
        for (name, pointer) in known.iter().filter(|(n, _)| !seen.contains(n)) {
            self.removed(section, name, pointer, &format!("{pointer}/schema"));
        }
    }

    /// Returns whether a parameter belongs to another path on the page, or is a general header such as `Authorization`.
    fn is_elsewhere(&self, section: Section, name: &str) -> bool {
        match section {
            Section::Path => {
                self.page.operations.iter().any(|(_, p, _)| {
                    p != self.path.0 && template_names(p).iter().any(|n| n == name)
                })
            }
            Section::Header => {
                ["authorization", "content-type", "accept"].contains(&name.to_lowercase().as_str())
            }
            _ => false,
        }
    }

    /// Compares the fields of a request or response body. First compares the fields on the page, and then the fields
    /// that only the OpenAPI document has.
    fn body(&mut self, section: Section, schema: Option<&str>) {
        let page = self.page;
        let fields: Vec<&Field> = page.of(section).collect();
        let Some(schema) = schema else {
            for field in fields {
                self.added(
                    field,
                    &format!("{}/requestBody/{}", self.operation.pointer, step(&field.name())),
                );
            }
            return;
        };
        let samples: Vec<&Sample> = page
            .samples
            .iter()
            .filter(|s| s.section == section && s.status.is_none_or(|s| s < 400))
            .collect();
        let values: Vec<&Value> = samples.iter().filter_map(|s| s.value.as_ref().ok()).collect();
        // A sample of a request, or a sample with lines left out, does not show all fields. It is not a difference if a
        // field is missing in such a sample.
        let complete = section == Section::Response && !samples.iter().any(|s| s.shortened);
        if fields.is_empty() && (values.is_empty() || !complete) {
            self.errors.push(format!(
                "{} has a {section} body, and the page has neither its fields nor a complete sample; \
                 its form may have changed",
                self.operation.id
            ));
            return;
        }
        for field in &fields {
            match locate(self.document, schema, &field.path) {
                Ok((pointer, required)) => fields::compare(self, field, &pointer, required),
                Err(parent) => self.added(field, &parent),
            }
        }
        if fields.is_empty() {
            let (line, resolved) = (self.line(section), self.document.resolve(schema));
            self.add(
                Kind::FieldUndescribed,
                Severity::Informational,
                &format!("the {section} fields"),
                &resolved,
                ("a list of fields", "a sample only"),
                line,
            );
        }
        let mut path = Vec::new();
        self.absent(
            section,
            schema,
            &mut path,
            &fields,
            complete.then_some(&values),
            fields.is_empty(),
        );
    }

    /// Reports the fields of the OpenAPI document that the page neither describes nor shows in a sample. The fields
    /// inside an object are compared only if the page describes or shows at least one of these fields. A field that
    /// only a sample shows is reported as undescribed, if the page describes other fields of the same object.
    fn absent(
        &mut self,
        section: Section,
        schema: &str,
        path: &mut Vec<String>,
        fields: &[&Field],
        samples: Option<&Vec<&Value>>,
        shown_only: bool,
    ) {
        let own = object(self.document, schema);
        let described = |path: &[String]| fields.iter().any(|f| f.path == path);
        let inside = |path: &[String]| {
            fields.iter().any(|f| f.path.len() > path.len() && f.path.starts_with(path))
        };
        let here: Vec<&Value> = samples
            .map_or_else(Vec::new, |s| shown(s, path))
            .into_iter()
            .filter(|v| v.is_object())
            .collect();
        if path.len() > 4 || (here.is_empty() && !inside(path) && !path.is_empty()) {
            return;
        }
        for (name, pointer) in own.properties {
            path.push(name.clone());
            let in_sample = here.iter().any(|v| v.get(&name).is_some());
            let listed = described(path) || inside(path);
            if !listed && !in_sample {
                self.removed(section, &path.join("."), &pointer, &pointer);
            } else {
                if !listed && !shown_only && (path.len() == 1 || inside(&path[..path.len() - 1])) {
                    let (text, line) =
                        (Shape::of(self.document, &pointer).type_text(), self.line(section));
                    let subject = subject(section, &path.join("."));
                    self.add(
                        Kind::FieldUndescribed,
                        Severity::Informational,
                        &subject,
                        &pointer,
                        (&text, "in a sample only"),
                        line,
                    );
                }
                self.facts += usize::from(in_sample);
                self.absent(section, &pointer, path, fields, samples, shown_only);
            }
            path.pop();
        }
    }
}
