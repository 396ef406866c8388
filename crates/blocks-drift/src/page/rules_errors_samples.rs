//! Compares some statements of a documentation page with the OpenAPI document. They are the rule about several fields
//! of a request (such as "exactly one of a, b, c"), the errors, the JSON samples and their links, the sort order of
//! lists, and the fields that are always null.

use serde_json::Value;

use super::block::Section;
use super::compare::{Comparison, locate, shown};
use super::fields::subject;
use super::prose::ErrorCase;
use super::samples::Sample;
use crate::document::Document;
use crate::finding::{Finding, Kind, NOTHING, Severity};
use crate::shape::{Shape, rule_fields};
use crate::spanned::step;
use crate::validate;

impl Comparison<'_> {
    /// Compares the page's rule about the fields of the request with the rule of the schema. Such a rule is "exactly
    /// one of a, b, c".
    pub(super) fn rule(&mut self, schema: Option<&str>) {
        let Some(schema) = schema else { return };
        let resolved = self.document.resolve(schema);
        let known = self.document.get(&resolved).and_then(rule_fields);
        let page = self.page.rule.as_ref();
        let text =
            |how_many: &str, fields: &[String]| format!("{how_many} of {}", fields.join(", "));
        let stated = page.map_or_else(|| "no rule".to_owned(), |r| text(&r.how_many, &r.fields));
        let document =
            known.as_deref().map_or_else(|| "no rule".to_owned(), |k| text("exactly one", k));
        self.facts += usize::from(known.is_some() || page.is_some());
        if stated == document {
            return;
        }
        let severity = match (&known, page) {
            (_, None) => Severity::Informational,
            (Some(known), Some(page)) if known.iter().all(|k| page.fields.contains(k)) => {
                Severity::Additive
            }
            _ => Severity::Breaking,
        };
        let line = page.map_or_else(|| self.line(Section::Request), |r| r.line);
        self.add(
            Kind::Rule,
            severity,
            "the rule over its fields",
            &format!("{resolved}/oneOf"),
            (&document, &stated),
            line,
        );
    }

    /// Compares the error statuses and error codes of the page and the OpenAPI document. A status or code that only the
    /// page has is additive. A status or code that only the OpenAPI document has is breaking, because programs
    /// distinguish errors by status and code. The page must list each error of the OpenAPI document in its table of
    /// errors. A sentence of the page that mentions the error is not sufficient, because sentences mention only some
    /// errors.
    pub(super) fn error_rows(&mut self) {
        let (page, known) = (self.page, self.document.errors(self.operation));
        let cases = page.errors.iter().chain(&page.mentions).filter(|c| c.status >= 400);
        for case in cases {
            let subject = format!("error {}", case.status);
            self.facts += 1;
            let Some((_, codes, pointer)) =
                known.iter().find(|(status, ..)| *status == case.status)
            else {
                let pointer = format!("{}/responses/{}", self.operation.pointer, case.status);
                self.add(
                    Kind::StatusAdded,
                    Severity::Additive,
                    &subject,
                    &pointer,
                    (NOTHING, "a status"),
                    case.line,
                );
                continue;
            };
            let sentence = |code: &&String| code.contains(' ');
            if let Some(code) = case.code.as_ref().filter(|c| !codes.contains(c) && !sentence(c)) {
                let place =
                    format!("{}/x-error-codes/{}", self.document.resolve(pointer), step(code));
                self.add(
                    Kind::CodeAdded,
                    Severity::Additive,
                    &format!("{subject}, code {code}"),
                    &place,
                    (NOTHING, "a code"),
                    case.line,
                );
            }
        }
        for (status, codes, pointer) in known {
            self.error_row(status, &codes, &pointer);
        }
    }

    /// Compares an error status of the OpenAPI document and its error codes with the rows of the page's error table.
    fn error_row(&mut self, status: u16, codes: &[String], pointer: &str) {
        let page = self.page;
        let subject = format!("error {status}");
        let rows: Vec<_> = page.errors.iter().filter(|e| e.status == status).collect();
        let Some(first) = rows.first() else {
            let line = page.errors.first().map_or(self.path.1, |e| e.line);
            self.add(
                Kind::StatusRemoved,
                Severity::Breaking,
                &subject,
                pointer,
                ("a status", NOTHING),
                line,
            );
            return;
        };
        for code in codes {
            let of = |c: &ErrorCase| c.status == status && c.code.as_ref() == Some(code);
            let listed = rows.iter().filter(|e| of(e)).count();
            let named = page.mentions.iter().filter(|e| of(e)).count();
            let place = format!("{}/x-error-codes/{}", self.document.resolve(pointer), step(code));
            if listed == 0 {
                self.add(
                    Kind::CodeRemoved,
                    Severity::Breaking,
                    &format!("{subject}, code {code}"),
                    &place,
                    ("a code", NOTHING),
                    first.line,
                );
            } else if listed < named {
                let (document, other) =
                    (format!("{named} cases in sentences"), format!("{listed} rows"));
                self.add(
                    Kind::ErrorRows,
                    Severity::Informational,
                    &format!("{subject}, code {code}"),
                    &place,
                    (&document, &other),
                    first.line,
                );
            }
        }
    }

    /// Validates each sample of the page against its schema. Checks that each link in a sample is the URL of a `GET`
    /// operation.
    pub(super) fn samples(&mut self) {
        for sample in &self.page.samples {
            let request = sample.section == Section::Request;
            let schema = if request {
                self.document.request_schema(self.operation)
            } else {
                self.response_schema(sample)
            };
            let side = if request { "request" } else { "response" };
            match (schema, &sample.value) {
                (Some(schema), Ok(value)) => self.sample(sample, value, &schema, side),
                (Some(schema), Err((why, line))) => {
                    let (resolved, subject) =
                        (self.document.resolve(&schema), format!("{side} sample"));
                    let texts = ("JSON", why.as_str());
                    self.add(
                        Kind::SampleBroken,
                        Severity::Informational,
                        &subject,
                        &resolved,
                        texts,
                        *line,
                    );
                }
                (None, _) => {}
            }
        }
    }

    fn response_schema(&mut self, sample: &Sample) -> Option<String> {
        let status = sample.status.unwrap_or(200);
        let found = self.document.response(self.operation, status);
        if found.is_none() {
            let pointer = format!("{}/responses/{status}", self.operation.pointer);
            let subject = format!("error {status}");
            let texts = (NOTHING, "a status");
            self.add(Kind::StatusAdded, Severity::Additive, &subject, &pointer, texts, sample.line);
        }
        found?.1
    }

    fn sample(&mut self, sample: &Sample, value: &Value, schema: &str, side: &str) {
        self.facts += 1;
        for difference in validate::check_sample(self.document, schema, value) {
            // If the page left lines out of the sample, only wrong types, wrong nulls and unknown fields are reported.
            // Other differences may be due to the omitted lines: for example, a missing field may be in such a line.
            let shown =
                matches!(difference.finding.kind, Kind::Type | Kind::FieldAdded | Kind::Nullable);
            if !sample.shortened || shown {
                let line = Some(sample.line_of(&difference.instance));
                let subject = format!("{side} sample `{}`", difference.finding.subject);
                self.findings.push(Finding { subject, line, ..difference.finding });
            }
        }
        for (instance, why) in links(self.document, value) {
            self.facts += 1;
            if let Some(why) = why {
                let (line, subject) =
                    (sample.line_of(&instance), format!("{side} sample `{instance}`"));
                let resolved = self.document.resolve(schema);
                let texts = ("a link to an operation", why);
                self.add(Kind::Link, Severity::Breaking, &subject, &resolved, texts, line);
            }
        }
    }

    /// Reports the default sort order that the page states (such as "newest first"), if the operation has a parameter
    /// `direction`. Every stated order is a difference, because the OpenAPI document states no default order.
    pub(super) fn order(&mut self) {
        let direction = self
            .document
            .parameters(self.operation, "query")
            .into_iter()
            .find(|(n, _)| n == "direction");
        if let (Some((order, line)), Some((_, pointer))) = (self.page.order, direction) {
            self.facts += 1;
            self.add(
                Kind::Order,
                Severity::Informational,
                "the order of the list",
                &pointer,
                ("not stated", order),
                line,
            );
        }
    }

    /// Checks each field that a sentence of the page calls always null. The OpenAPI document must allow null for the
    /// field, and the field must be null in each sample of a response.
    pub(super) fn nulls(&mut self, schema: Option<&str>) {
        let Some(schema) = schema else { return };
        let values: Vec<&Value> = self
            .page
            .samples
            .iter()
            .filter(|s| s.section == Section::Response)
            .filter_map(|s| s.value.as_ref().ok())
            .collect();
        for (name, line) in &self.page.nulls {
            let path: Vec<String> = name.split('.').map(str::to_owned).collect();
            let Ok((pointer, _)) = locate(self.document, schema, &path) else {
                continue;
            };
            self.facts += 1;
            let subject = subject(Section::Response, name);
            if !Shape::of(self.document, &pointer).nullable {
                self.add(
                    Kind::Nullable,
                    Severity::Breaking,
                    &subject,
                    &pointer,
                    ("never null", "always null"),
                    *line,
                );
            } else if shown(&values, &path).iter().any(|v| !v.is_null()) {
                self.add(
                    Kind::SampleBroken,
                    Severity::Informational,
                    &subject,
                    &pointer,
                    ("always null, as a sentence says", "a value in the sample"),
                    *line,
                );
            }
        }
    }
}

/// Returns the JSON pointer of each link in a JSON value, and the reason if the link is wrong. A link is a field
/// `href`. It is wrong if it is not an absolute URL, or if its path belongs to no `GET` operation. This function does
/// not compare the host of a link, because the service may send links with another host than the base URL.
pub fn links(document: &Document, value: &Value) -> Vec<(String, Option<&'static str>)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        if let Some(href) = value.get("href").and_then(Value::as_str) {
            let path =
                href.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            let path = path.map(|p| p.split(['?', '#']).next().unwrap_or_default());
            let why = match path {
                None => Some("no absolute URL"),
                Some(path) if document.operation_of_request("GET", path).is_none() => {
                    Some("a path of no operation")
                }
                _ => None,
            };
            found.push((format!("{pointer}/href"), why));
        }
        match value {
            Value::Object(map) => {
                open.extend(map.iter().map(|(k, v)| (format!("{pointer}/{}", step(k)), v)))
            }
            Value::Array(items) => {
                open.extend(items.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), v)))
            }
            _ => {}
        }
    }
    found.reverse();
    found
}
