//! One request and its answer against the document.

use serde_json::Value;

use crate::drift::docs::advice;
use crate::drift::document::{Document, Operation};
use crate::drift::finding::{Finding, Kind, Origin, Severity, Side};
use crate::drift::validate;

/// A request and what the service answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How reports call it.
    pub name: String,
    /// The method, in capitals.
    pub method: String,
    /// The path, without query.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The body, if it is JSON.
    pub body: Option<Value>,
}

impl Exchange {
    /// What differs from the document. `expected` are the statuses that the document says
    /// such a request is answered with; without them any documented one is good.
    pub fn findings(&self, document: &Document, expected: Option<&[u16]>) -> Vec<Finding> {
        let Some(operation) = document.operation_of_request(&self.method, &self.path) else {
            let scope = format!("{} {}", self.method, self.path);
            return vec![self.finding(
                Kind::OperationUnknown,
                Severity::Additive,
                &scope,
                "the operation",
                "/paths",
                "nothing",
                &self.status.to_string(),
            )];
        };
        let mut findings = Vec::new();
        findings.extend(self.status_finding(document, &operation, expected));
        if let Some((pointer, schema)) = document.response(&operation, self.status) {
            findings.extend(self.body_findings(document, &operation, &pointer, schema));
        }
        findings
    }

    fn status_finding(
        &self,
        document: &Document,
        operation: &Operation,
        expected: Option<&[u16]>,
    ) -> Option<Finding> {
        let responses = format!("{}/responses", operation.pointer);
        let status = self.status.to_string();
        let subject = "the status";
        if let Some(expected) = expected.filter(|e| !matches(e, self.status)) {
            let wanted: Vec<String> = expected
                .iter()
                .map(|s| {
                    if *s == 200 {
                        "2XX".to_owned()
                    } else {
                        s.to_string()
                    }
                })
                .collect();
            let pointer = format!("{responses}/{}", wanted[0]);
            let wanted = wanted.join(" or ");
            return Some(self.finding(
                Kind::Status,
                Severity::Breaking,
                &operation.id,
                subject,
                &pointer,
                &wanted,
                &status,
            ));
        }
        let documented = document.response(operation, self.status).is_some();
        (!documented).then(|| {
            self.finding(
                Kind::StatusAdded,
                Severity::Additive,
                &operation.id,
                subject,
                &format!("{responses}/{status}"),
                "nothing",
                &status,
            )
        })
    }

    fn body_findings(
        &self,
        document: &Document,
        operation: &Operation,
        response: &str,
        schema: Option<String>,
    ) -> Vec<Finding> {
        let Some(schema) = schema else {
            return Vec::new();
        };
        let Some(body) = &self.body else {
            // An intermediary may answer an error with HTML or nothing; a success is the service's own.
            let severity = if self.status < 300 {
                Severity::Breaking
            } else {
                Severity::Informational
            };
            return vec![self.finding(
                Kind::NotJson,
                severity,
                &operation.id,
                "the body",
                response,
                "JSON",
                "not JSON",
            )];
        };
        let mut findings: Vec<Finding> = validate::check(document, &schema, body)
            .into_iter()
            .map(|v| {
                let subject = format!("response field `{}`", v.name());
                self.finding(
                    v.kind,
                    v.severity,
                    &operation.id,
                    &subject,
                    &v.pointer,
                    &v.document,
                    &short(&v.other),
                )
            })
            .collect();
        findings.extend(self.code_finding(document, operation, response, body));
        findings
    }

    fn code_finding(
        &self,
        document: &Document,
        operation: &Operation,
        response: &str,
        body: &Value,
    ) -> Option<Finding> {
        let code = body["code"].as_str().filter(|_| self.status >= 400)?;
        let home = document.resolve(response);
        let known = document.get(&home)?["x-error-codes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        (!known.iter().any(|k| k == code)).then(|| {
            let pointer = format!("{home}/x-error-codes/{code}");
            let subject = format!("error {}", self.status);
            self.finding(
                Kind::CodeAdded,
                Severity::Additive,
                &operation.id,
                &subject,
                &pointer,
                "nothing",
                &short(code),
            )
        })
    }

    #[expect(clippy::too_many_arguments, reason = "a finding has as many parts")]
    fn finding(
        &self,
        kind: Kind,
        severity: Severity,
        scope: &str,
        subject: &str,
        pointer: &str,
        document: &str,
        other: &str,
    ) -> Finding {
        Finding {
            kind,
            severity,
            side: Side::Service,
            scope: scope.to_owned(),
            subject: subject.to_owned(),
            pointer: pointer.to_owned(),
            document: document.to_owned(),
            other: other.to_owned(),
            origin: Origin {
                name: self.name.clone(),
                line: None,
            },
            advice: advice(kind).to_owned(),
            known: None,
        }
    }
}

/// 200 stands for any success, since the document names no exact one.
fn matches(expected: &[u16], status: u16) -> bool {
    expected
        .iter()
        .any(|e| *e == status || (*e == 200 && (200..300).contains(&status)))
}

/// What the service says can be long.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
