//! One difference between the document and another side, and how much it weighs.

use serde::Serialize;

/// How much a difference weighs for a program that follows the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A program that follows the document can fail, or loses what it relies on.
    Breaking,
    /// The other side offers or accepts more than the document says.
    Additive,
    /// The two differ, and no program fails.
    Informational,
}

impl Severity {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Additive => "additive",
            Self::Informational => "informational",
        }
    }
}

/// Which side stands against the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// A documentation page.
    Page,
    /// An answer of the service.
    Service,
    /// The SDK's types.
    Sdk,
    /// The list of known deviations itself.
    Deviations,
}

impl Side {
    /// The word in reports, and the key in the list of known deviations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Service => "service",
            Self::Sdk => "sdk",
            Self::Deviations => "deviations",
        }
    }
}

/// What kind of difference it is: the stable id of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "as_str says the same")]
pub enum Kind {
    OperationUnknown,
    FieldAdded,
    FieldRemoved,
    FieldUndescribed,
    Type,
    Format,
    Nullable,
    Required,
    Default,
    Limit,
    EnumAdded,
    EnumRemoved,
    EnumUnstated,
    Rule,
    Status,
    StatusAdded,
    StatusRemoved,
    CodeAdded,
    CodeRemoved,
    SampleBroken,
    Invalid,
    NotJson,
    SchemaMissing,
    StaleDeviation,
}

impl Kind {
    /// The id in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OperationUnknown => "operation-unknown",
            Self::FieldAdded => "field-added",
            Self::FieldRemoved => "field-removed",
            Self::FieldUndescribed => "field-undescribed",
            Self::Type => "type",
            Self::Format => "format",
            Self::Nullable => "nullable",
            Self::Required => "required",
            Self::Default => "default",
            Self::Limit => "limit",
            Self::EnumAdded => "enum-added",
            Self::EnumRemoved => "enum-removed",
            Self::EnumUnstated => "enum-unstated",
            Self::Rule => "rule",
            Self::Status => "status",
            Self::StatusAdded => "status-added",
            Self::StatusRemoved => "status-removed",
            Self::CodeAdded => "code-added",
            Self::CodeRemoved => "code-removed",
            Self::SampleBroken => "sample-broken",
            Self::Invalid => "invalid",
            Self::NotJson => "not-json",
            Self::SchemaMissing => "schema-missing",
            Self::StaleDeviation => "stale-deviation",
        }
    }
}

/// Where the other side says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// A file, a URL, a request or a type.
    pub name: String,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind it is.
    pub kind: Kind,
    /// How much it weighs.
    pub severity: Severity,
    /// The side that stands against the document.
    pub side: Side,
    /// The operation it was found in, or the schema.
    pub scope: String,
    /// What differs, such as `request field title`.
    pub subject: String,
    /// The place in the document, as a JSON pointer.
    pub pointer: String,
    /// What the document says.
    pub document: String,
    /// What the other side says.
    pub other: String,
    /// Where the other side says it.
    pub origin: Origin,
    /// What to do about it.
    pub advice: String,
    /// Why it is known and stays, if it is in the list of known deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl Finding {
    /// The headline in one line.
    pub fn title(&self) -> String {
        format!("{}, {}", self.scope, self.subject)
    }
}

/// What a check came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The differences.
    pub findings: Vec<Finding>,
    /// What was looked at, one line each, for the foot of the report.
    pub looked_at: Vec<String>,
    /// Why something could not be checked.
    pub errors: Vec<String>,
    /// What the list of known deviations can be judged on: side and operation.
    pub covered: Vec<(Side, String)>,
}

impl Outcome {
    /// Takes in what another check came to.
    pub fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.looked_at.extend(other.looked_at);
        self.errors.extend(other.errors);
        self.covered.extend(other.covered);
    }

    /// Takes in a check, or why it could not be made.
    pub fn attempt(&mut self, outcome: Result<Self, String>) {
        match outcome {
            Ok(outcome) => self.add(outcome),
            Err(error) => self.errors.push(error),
        }
    }
}
