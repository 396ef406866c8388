//! Types for differences between the OpenAPI document and other descriptions of the API, and for results of checks. A
//! *side* is one of these other descriptions, such as the vendor's pages. A *source* is a part of a side, such as one
//! page. A *fact* is one statement, such as the type of a field.

use std::collections::BTreeSet;

use serde::Serialize;
use strum::{Display, IntoStaticStr};

/// How serious a difference is for a program that follows the OpenAPI document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// A program that follows the OpenAPI document can fail, or loses a value that the program relies on.
    Breaking,
    /// The other side offers or accepts more than the OpenAPI document says, and a program that follows the document
    /// still works.
    Additive,
    /// The two sides differ, but no program fails.
    #[default]
    Informational,
}

/// The side that is compared with the OpenAPI document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Side {
    /// A documentation page.
    #[default]
    Page,
    /// The responses of the service or of the mock, or captured requests and responses.
    Service,
    /// The requests, enums and limits of the SDK.
    Sdk,
    /// The list of known deviations itself, if one of its entries is stale.
    Deviations,
}

/// The kind of a difference. The name of a kind, such as `field-added`, is its stable id in reports.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
#[expect(missing_docs, reason = "each name says it")]
pub enum Kind {
    OperationUnknown,
    OperationRemoved,
    FieldAdded,
    FieldRemoved,
    FieldUndescribed,
    ParameterName,
    Type,
    Format,
    Nullable,
    Required,
    Default,
    Deprecated,
    Limit,
    Order,
    EnumAdded,
    EnumRemoved,
    EnumUnstated,
    Rule,
    Status,
    StatusAdded,
    StatusRemoved,
    CodeAdded,
    CodeRemoved,
    ErrorRows,
    Link,
    Server,
    Security,
    RateLimit,
    SampleBroken,
    SampleRequest,
    #[default]
    Invalid,
    NotJson,
    MediaType,
    StaleDeviation,
}

impl Kind {
    /// Returns what a maintainer should do about a difference of this kind.
    pub fn advice(self, side: Side) -> &'static str {
        match (self, side) {
            (Self::StaleDeviation, _) => "remove the entry, or record what is true now",
            (_, Side::Sdk) => {
                "run `cargo xtask codegen`, then change the hand-written code in crates/"
            }
            (
                Self::FieldAdded
                | Self::EnumAdded
                | Self::StatusAdded
                | Self::CodeAdded
                | Self::OperationUnknown,
                _,
            ) => "add it to the document, then `cargo xtask codegen`",
            (
                Self::FieldRemoved
                | Self::EnumRemoved
                | Self::StatusRemoved
                | Self::CodeRemoved
                | Self::OperationRemoved,
                _,
            ) => {
                "check the live service; remove it from the document, or list it in openapi/deviations.yaml"
            }
            (Self::SampleBroken | Self::ErrorRows, _) => {
                "report it to the vendor; nothing changes here"
            }
            (Self::NotJson, _) => "request it again; an intermediary may have responded",
            _ => "change the document, or list it in openapi/deviations.yaml with evidence",
        }
    }
}

/// The value of `document` or `other` in a [`Finding`], if the OpenAPI document or the other side does not mention the
/// subject.
pub const NOTHING: &str = "nothing";

/// A difference between the OpenAPI document and another side. A check sets most fields; [`CheckResult::report`] sets
/// side, scope and origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of the difference.
    pub kind: Kind,
    /// How serious the difference is.
    pub severity: Severity,
    /// The subject of the difference, such as `request field title`.
    pub subject: String,
    /// The place in the OpenAPI document, as a JSON pointer.
    pub pointer: String,
    /// The OpenAPI document's statement, such as `nullable`.
    pub document: String,
    /// The other side's statement, such as `never null`.
    pub other: String,
    /// The line of the other side's statement in `origin`, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The side that is compared with the OpenAPI document.
    pub side: Side,
    /// The operation or schema where the difference was found; empty for the whole OpenAPI document. For an operation
    /// that the OpenAPI document lacks, this is the method and the path.
    pub scope: String,
    /// The source of the other side's statement: a file, a URL, a request, `standard input`, `blocks_sdk`, `all pages`
    /// or `all responses`.
    pub origin: String,
    /// The evidence for a known deviation; `None` for drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl Finding {
    /// Returns the headline of the finding, in one line.
    pub fn title(&self) -> String {
        let scope = if self.scope.is_empty() { "document" } else { &self.scope };
        format!("{scope}, {}", self.subject)
    }

    /// Returns the origin, with the line if it is known.
    pub fn source(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.origin),
            None => self.origin.clone(),
        }
    }

    /// Returns whether two findings report the same difference. Their sources may differ.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.kind, &self.scope, &self.pointer, &self.subject, &self.other)
            == (other.kind, &other.scope, &other.pointer, &other.subject, &other.other)
    }
}

/// The record that one source was compared with one operation, one schema, or the whole OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The side that was compared with the OpenAPI document.
    pub side: Side,
    /// The operation or schema; empty for the OpenAPI document as a whole.
    pub scope: String,
    /// The page or request that was compared, or `blocks_sdk`.
    pub origin: String,
    /// How many facts were compared. A response counts as one or two facts: the status, and the body. Each request and
    /// each enum value of the SDK counts as one fact.
    pub facts: usize,
}

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct CheckResult {
    /// The differences.
    pub findings: Vec<Finding>,
    /// Notes for the end of the report, such as the number of compared responses, or a page that was left out.
    pub notes: Vec<String>,
    /// The parts that could not be checked, each with the reason.
    pub errors: Vec<String>,
    /// The operations, the schemas and the facts about the whole API that were compared.
    pub covered: Vec<Covered>,
    /// The facts about the whole API, such as the base URL, that at least one page states.
    pub stated: BTreeSet<Kind>,
}

impl CheckResult {
    /// Adds the result of another check, and leaves out findings that were already added.
    pub fn add(&mut self, other: Self) {
        for finding in other.findings {
            if !self.findings.iter().any(|f| f.side == finding.side && f.says_the_same(&finding)) {
                self.findings.push(finding);
            }
        }
        self.notes.extend(other.notes);
        self.errors.extend(other.errors);
        self.covered.extend(other.covered);
        self.stated.extend(other.stated);
    }

    /// Adds the result of another check, or the error that prevented the check.
    pub fn attempt(&mut self, result: anyhow::Result<Self>) {
        match result {
            Ok(result) => self.add(result),
            Err(error) => self.errors.push(format!("{error:#}")),
        }
    }

    /// Adds the findings from one source, and leaves out findings that were already added.
    pub fn report(&mut self, side: Side, scope: &str, origin: &str, findings: Vec<Finding>) {
        for finding in findings {
            let finding =
                Finding { side, scope: scope.to_owned(), origin: origin.to_owned(), ..finding };
            if !self.findings.iter().any(|f| f.side == side && f.says_the_same(&finding)) {
                self.findings.push(finding);
            }
        }
    }

    /// Records that a source was compared with an operation or schema.
    pub fn cover(&mut self, side: Side, scope: &str, origin: &str, facts: usize) {
        self.covered.push(Covered {
            side,
            scope: scope.to_owned(),
            origin: origin.to_owned(),
            facts,
        });
    }
}

/// Creates a finding about the place at `pointer` in the OpenAPI document. `texts` contains the OpenAPI document's
/// statement and the other side's statement.
pub fn finding(
    kind: Kind,
    severity: Severity,
    subject: &str,
    pointer: &str,
    texts: (&str, &str),
) -> Finding {
    Finding {
        kind,
        severity,
        subject: subject.to_owned(),
        pointer: pointer.to_owned(),
        document: texts.0.to_owned(),
        other: texts.1.to_owned(),
        ..Finding::default()
    }
}
