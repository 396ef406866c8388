//! A page's facts against one operation of the document, in both directions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::block::Section;
use super::facts::{Field, Page};
use super::fields::{self, subject};
use super::samples::Sample;
use crate::document::{Document, Operation, template_names};
use crate::finding::{Finding, Kind, NOTHING, Severity};
use crate::marked::step;
use crate::shape::{Shape, rule_fields};
use crate::validate;

/// One page against one operation.
pub struct Comparison<'a> {
    /// The document.
    pub document: &'a Document,
    page: &'a Page,
    operation: &'a Operation,
    /// The path template and its line, as the page has them.
    path: (&'a str, usize),
    /// What differs.
    pub findings: Vec<Finding>,
    /// What could not be compared.
    pub errors: Vec<String>,
    /// How many facts were compared.
    pub facts: usize,
}

/// Compares all that a page says of an operation.
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
    to.parameters(Section::Query);
    to.parameters(Section::Path);
    to.parameters(Section::Header);
    let request = document.request_schema(operation);
    to.body(Section::Request, request.as_deref());
    let response = document
        .response(operation, 200)
        .and_then(|(_, schema)| schema);
    to.body(Section::Response, response.as_deref());
    to.rule(request.as_deref());
    to.error_rows();
    to.samples();
    to.order();
    to.nulls(response.as_deref());
    to
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

/// What samples show of a place: all values there, with lists entered.
fn shown<'v>(samples: &[&'v Value], path: &[String]) -> Vec<&'v Value> {
    let mut here: Vec<&Value> = samples.to_vec();
    for name in path {
        here = here
            .into_iter()
            .flat_map(each)
            .filter_map(|v| v.get(name))
            .collect();
    }
    here.into_iter().flat_map(each).collect()
}

fn each(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map_or_else(|| vec![value], |items| items.iter().collect())
}

impl Comparison<'_> {
    fn add(
        &mut self,
        kind: Kind,
        severity: Severity,
        subject: &str,
        pointer: &str,
        texts: (&str, &str),
        line: usize,
    ) {
        self.findings.push(Finding {
            kind,
            severity,
            subject: subject.to_owned(),
            pointer: pointer.to_owned(),
            document: texts.0.to_owned(),
            other: texts.1.to_owned(),
            line: Some(line),
            ..Finding::default()
        });
    }

    /// The line to name when something is absent: the first field of its section.
    fn line(&self, section: Section) -> usize {
        self.page.of(section).next().map_or(self.path.1, |f| f.line)
    }

    fn added(&mut self, field: &Field, pointer: &str) {
        let required = field.required == Some(true) && field.default.is_none();
        let sent = field.section != Section::Response;
        let severity = if sent && required {
            Severity::Breaking
        } else {
            Severity::Additive
        };
        let (text, name) = (
            field.notation.type_text(),
            subject(field.section, &field.name()),
        );
        self.facts += 1;
        self.add(
            Kind::FieldAdded,
            severity,
            &name,
            pointer,
            (NOTHING, &text),
            field.line,
        );
    }

    fn removed(&mut self, section: Section, name: &str, pointer: &str, schema: &str) {
        let text = Shape::of(self.document, schema).type_text();
        let (name, line) = (subject(section, name), self.line(section));
        self.facts += 1;
        self.add(
            Kind::FieldRemoved,
            Severity::Breaking,
            &name,
            pointer,
            (&text, NOTHING),
            line,
        );
    }

    /// Parameters of one location, each against the one of its name.
    fn parameters(&mut self, section: Section) {
        let place = section.to_string();
        let known = self.document.parameters(self.operation, &place);
        let names = (
            template_names(self.path.0),
            template_names(&self.operation.path),
        );
        let renamed = |name: &str| {
            names
                .0
                .iter()
                .position(|n| n == name)
                .and_then(|at| names.1.get(at).cloned())
        };
        let page = self.page;
        let fields: Vec<&Field> = page.of(section).collect();
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
            let name = renamed(&own)
                .filter(|_| section == Section::Path)
                .unwrap_or_else(|| own.clone());
            if let Some((_, pointer)) = known.iter().find(|(n, _)| *n == name) {
                let required = self
                    .document
                    .get(pointer)
                    .is_some_and(|p| p["required"] == true);
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
                self.added(
                    field,
                    &format!("{}/parameters/{}", self.operation.pointer, step(&own)),
                );
            }
        }
        for (name, pointer) in known.iter().filter(|(n, _)| !seen.contains(n)) {
            self.removed(section, name, pointer, &format!("{pointer}/schema"));
        }
    }

    /// A part of another path on the same page, or a header that every request has.
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

    /// The fields of a body: those on the page, then those in the document alone.
    fn body(&mut self, section: Section, schema: Option<&str>) {
        let page = self.page;
        let fields: Vec<&Field> = page.of(section).collect();
        let Some(schema) = schema else {
            for field in fields {
                self.added(
                    field,
                    &format!(
                        "{}/requestBody/{}",
                        self.operation.pointer,
                        step(&field.name())
                    ),
                );
            }
            return;
        };
        let samples: Vec<&Sample> = page
            .samples
            .iter()
            .filter(|s| s.section == section && s.status.is_none_or(|s| s < 400))
            .collect();
        let values: Vec<&Value> = samples
            .iter()
            .filter_map(|s| s.value.as_ref().ok())
            .collect();
        if fields.is_empty() && values.is_empty() {
            self.errors.push(format!(
                "{} has a {section} body, and the page has neither its fields nor a sample; its form may have changed",
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
            let (line, home) = (self.line(section), self.document.resolve(schema));
            self.add(
                Kind::FieldUndescribed,
                Severity::Informational,
                &format!("the {section} fields"),
                &home,
                ("a list of fields", "a sample only"),
                line,
            );
        }
        // A sample in which lines were left out, or of a request, does not show all.
        let complete = section == Section::Response && !samples.iter().any(|s| s.shortened);
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

    /// What the document has and the page neither describes nor shows. The fields inside an
    /// object are compared if the page describes or shows any of them.
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
            fields
                .iter()
                .any(|f| f.path.len() > path.len() && f.path.starts_with(path))
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
                    let (text, line) = (
                        Shape::of(self.document, &pointer).type_text(),
                        self.line(section),
                    );
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

    /// The rule over the request's fields, such as exactly one of three.
    fn rule(&mut self, schema: Option<&str>) {
        let Some(schema) = schema else { return };
        let home = self.document.resolve(schema);
        let known = self.document.get(&home).and_then(rule_fields);
        let page = self.page.rule.as_ref();
        let text =
            |how_many: &str, fields: &[String]| format!("{how_many} of {}", fields.join(", "));
        let stated = page.map_or_else(|| "no rule".to_owned(), |r| text(&r.how_many, &r.fields));
        let document = known
            .as_deref()
            .map_or_else(|| "no rule".to_owned(), |k| text("exactly one", k));
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
            &format!("{home}/oneOf"),
            (&document, &stated),
            line,
        );
    }

    /// Error statuses and codes: a new one is additive; when one is gone, programs that
    /// distinguish errors by it break. Only rows of a table count: sentences name single cases.
    fn error_rows(&mut self) {
        let (page, known) = (self.page, self.document.errors(self.operation));
        let cases = page
            .errors
            .iter()
            .chain(&page.mentions)
            .filter(|c| c.status >= 400);
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
            if let Some(code) = case
                .code
                .as_ref()
                .filter(|c| !codes.contains(c) && !sentence(c))
            {
                let place = format!(
                    "{}/x-error-codes/{}",
                    self.document.resolve(pointer),
                    step(code)
                );
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
            let subject = format!("error {status}");
            let rows: Vec<_> = page.errors.iter().filter(|e| e.status == status).collect();
            let Some(first) = rows.first() else {
                let line = page.errors.first().map_or(self.path.1, |e| e.line);
                self.add(
                    Kind::StatusRemoved,
                    Severity::Breaking,
                    &subject,
                    &pointer,
                    ("a status", NOTHING),
                    line,
                );
                continue;
            };
            for code in codes {
                let of = |c: &super::prose::ErrorCase| {
                    c.status == status && c.code.as_ref() == Some(&code)
                };
                let listed = rows.iter().filter(|e| of(e)).count();
                let named = page.mentions.iter().filter(|e| of(e)).count();
                let place = format!(
                    "{}/x-error-codes/{}",
                    self.document.resolve(&pointer),
                    step(&code)
                );
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
                    let (document, other) = (
                        format!("{named} cases in sentences"),
                        format!("{listed} rows"),
                    );
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
    }

    /// Every sample is valid under the schema of its side, and its links lead to operations.
    fn samples(&mut self) {
        for sample in &self.page.samples {
            let request = sample.section == Section::Request;
            let schema = if request {
                self.document.request_schema(self.operation)
            } else {
                let status = sample.status.unwrap_or(200);
                let found = self.document.response(self.operation, status);
                if found.is_none() {
                    let pointer = format!("{}/responses/{status}", self.operation.pointer);
                    self.add(
                        Kind::StatusAdded,
                        Severity::Additive,
                        &format!("error {status}"),
                        &pointer,
                        (NOTHING, "a status"),
                        sample.line,
                    );
                }
                found.and_then(|(_, schema)| schema)
            };
            let Some(schema) = schema else { continue };
            let side = if request { "request" } else { "response" };
            let value = match &sample.value {
                Ok(value) => value,
                Err((why, line)) => {
                    let home = self.document.resolve(&schema);
                    self.add(
                        Kind::SampleBroken,
                        Severity::Informational,
                        &format!("{side} sample"),
                        &home,
                        ("JSON", why),
                        *line,
                    );
                    continue;
                }
            };
            self.facts += 1;
            for violation in validate::check(self.document, &schema, value) {
                // What lines that were left out contain is not known.
                if sample.shortened
                    && !matches!(
                        violation.finding.kind,
                        Kind::Type | Kind::FieldAdded | Kind::Nullable
                    )
                {
                    continue;
                }
                let line = Some(sample.line_of(&violation.instance));
                let subject = format!("{side} sample `{}`", violation.finding.subject);
                self.findings.push(Finding {
                    subject,
                    line,
                    ..violation.finding
                });
            }
            for (instance, why) in links(self.document, value) {
                let (line, subject) = (
                    sample.line_of(&instance),
                    format!("{side} sample `{instance}`"),
                );
                self.facts += 1;
                if let Some(why) = why {
                    let home = self.document.resolve(&schema);
                    self.add(
                        Kind::Link,
                        Severity::Breaking,
                        &subject,
                        &home,
                        ("a link to an operation", why),
                        line,
                    );
                }
            }
        }
    }

    /// The order of a list, beside the parameter that chooses it.
    fn order(&mut self) {
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

    /// Fields that a sentence says are always null are null in each sample, and may be.
    fn nulls(&mut self, schema: Option<&str>) {
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

/// The links in a value, and what is wrong with each. The host is not compared: the service's
/// links can name another one.
pub fn links(document: &Document, value: &Value) -> Vec<(String, Option<&'static str>)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), value)];
    while let Some((pointer, value)) = open.pop() {
        if let Some(href) = value.get("href").and_then(Value::as_str) {
            let path = href
                .split_once("://")
                .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
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
            Value::Object(map) => open.extend(
                map.iter()
                    .map(|(k, v)| (format!("{pointer}/{}", step(k)), v)),
            ),
            Value::Array(items) => open.extend(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, v)| (format!("{pointer}/{i}"), v)),
            ),
            _ => {}
        }
    }
    found.reverse();
    found
}
