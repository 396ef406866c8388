//! One difference between the document and another side, and the result of a check.

use std::collections::BTreeSet;

use serde::Serialize;
use strum::{Display, IntoStaticStr};

/// How serious a difference is for a program that follows the document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// A program that follows the document can fail, or loses what it relies on.
    Breaking,
    /// The other side offers or accepts more than the document says.
    Additive,
    /// The two differ, and no program fails.
    #[default]
    Informational,
}

/// Which side is compared with the document.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Side {
    /// A documentation page.
    #[default]
    Page,
    /// A response of the service.
    Service,
    /// What the SDK sends.
    Sdk,
    /// The list of known deviations itself.
    Deviations,
}

/// What kind of difference it is: the stable id of a finding.
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
    #[default]
    Invalid,
    NotJson,
    MediaType,
    StaleDeviation,
}

impl Kind {
    /// What a maintainer does about a difference of this kind.
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

/// What the other side says when it does not mention something.
pub const NOTHING: &str = "nothing";

/// A difference. Checks fill in what they compare; [`CheckResult::report`] adds where it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind it is.
    pub kind: Kind,
    /// How serious it is.
    pub severity: Severity,
    /// What differs, such as `request field title`.
    pub subject: String,
    /// The place in the document, as a JSON pointer.
    pub pointer: String,
    /// What the document says.
    pub document: String,
    /// What the other side says.
    pub other: String,
    /// The line where the other side says it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The side that is compared with the document.
    pub side: Side,
    /// The operation it was found in, or the schema; empty for the whole document.
    pub scope: String,
    /// Where the other side says it: a file, a URL, a request or a type.
    pub origin: String,
    /// Why it is known and stays, if it is in the list of known deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl Finding {
    /// The headline in one line.
    pub fn title(&self) -> String {
        let scope = if self.scope.is_empty() { "document" } else { &self.scope };
        format!("{scope}, {}", self.subject)
    }

    /// The origin with its line.
    pub fn source(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.origin),
            None => self.origin.clone(),
        }
    }

    /// Whether two findings say the same, wherever they were found.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.kind, &self.scope, &self.pointer, &self.subject, &self.other)
            == (other.kind, &other.scope, &other.pointer, &other.subject, &other.other)
    }
}

/// One operation (or the document as a whole, with an empty name), compared by one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The side that it was compared with.
    pub side: Side,
    /// The operation or schema.
    pub scope: String,
    /// The page, request or type.
    pub origin: String,
    /// How many facts were compared.
    pub facts: usize,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct CheckResult {
    /// The differences.
    pub findings: Vec<Finding>,
    /// Notes for the end of the report: what was read, and what was left out and why.
    pub notes: Vec<String>,
    /// What could not be checked, and why.
    pub errors: Vec<String>,
    /// What was compared.
    pub covered: Vec<Covered>,
    /// The facts of the document as a whole that some page states.
    pub stated: BTreeSet<Kind>,
}

impl CheckResult {
    /// Adds the result of another check.
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

    /// Adds a check, or why it could not be made.
    pub fn attempt(&mut self, result: anyhow::Result<Self>) {
        match result {
            Ok(result) => self.add(result),
            Err(error) => self.errors.push(format!("{error:#}")),
        }
    }

    /// Adds findings of one source, each once.
    pub fn report(&mut self, side: Side, scope: &str, origin: &str, findings: Vec<Finding>) {
        for finding in findings {
            let finding =
                Finding { side, scope: scope.to_owned(), origin: origin.to_owned(), ..finding };
            if !self.findings.iter().any(|f| f.side == side && f.says_the_same(&finding)) {
                self.findings.push(finding);
            }
        }
    }

    /// Records what was compared.
    pub fn cover(&mut self, side: Side, scope: &str, origin: &str, facts: usize) {
        self.covered.push(Covered {
            side,
            scope: scope.to_owned(),
            origin: origin.to_owned(),
            facts,
        });
    }
}

/// A finding about `pointer` of the document, with what the document and the other side say.
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
