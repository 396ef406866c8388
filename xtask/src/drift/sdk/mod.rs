//! The SDK's types and requests against the document.
//!
//! The SDK is compiled in with the feature `types` only: codegen has to build while the
//! generated code is broken.

#[cfg(feature = "types")]
mod requests;
mod schema;
#[cfg(feature = "types")]
mod types;

use serde_json::Value;

use super::docs::advice;
use super::document::Document;
use super::finding::{Finding, Kind, Origin, Outcome, Severity, Side};

/// Whether the SDK is compiled in.
pub const BUILT_IN: bool = cfg!(feature = "types");

/// Compares the SDK with the document.
///
/// # Errors
/// The SDK is not compiled in, or it refuses a request that the document allows.
#[cfg(feature = "types")]
pub async fn check(document: &Document) -> Result<Outcome, String> {
    let mut outcome = types::check(document);
    outcome.add(requests::check(document).await?);
    Ok(outcome)
}

/// Compares the SDK with the document.
///
/// # Errors
/// The SDK is not compiled in.
#[cfg(not(feature = "types"))]
#[expect(clippy::unused_async, reason = "the other half waits")]
pub async fn check(_: &Document) -> Result<Outcome, String> {
    Err(
        "the SDK's types: xtask does not build with them (cargo build -p xtask --features types)"
            .to_owned(),
    )
}

/// A type of the SDK, as `schemars` describes it.
pub struct SdkType {
    /// The component schema that it stands for.
    pub name: &'static str,
    /// Whether it is sent; else it is received.
    pub sent: bool,
    /// Its JSON Schema.
    pub schema: Value,
}

/// An enum of the SDK, which keeps values that it does not know.
pub struct SdkEnum {
    /// The component schema that it stands for.
    pub name: &'static str,
    /// The values that it knows.
    pub known: &'static [&'static str],
}

/// Compares types and enums with the component schemas, each of which must have one.
pub fn compare(document: &Document, types: &[SdkType], enums: &[SdkEnum]) -> Outcome {
    let mut outcome = Outcome::default();
    let schemas = document.0.value["components"]["schemas"].as_object();
    let mut properties = 0;
    for name in schemas.into_iter().flat_map(|s| s.keys()) {
        if let Some(sdk) = types.iter().find(|t| t.name == name) {
            properties += schema::compare(document, sdk, &mut outcome.findings);
        } else if let Some(sdk) = enums.iter().find(|e| e.name == name) {
            values(document, sdk, &mut outcome.findings);
        } else {
            let place = format!("/components/schemas/{name}");
            let found = finding(
                name,
                Kind::SchemaMissing,
                Severity::Breaking,
                "the schema",
                &place,
                "a schema",
                "nothing",
            );
            outcome.findings.push(found);
        }
        outcome.covered.push((Side::Sdk, name.clone()));
    }
    outcome.looked_at.push(format!(
        "blocks_sdk: {} types with {properties} properties, {} enums",
        types.len(),
        enums.len()
    ));
    outcome
}

/// A value that the SDK has no name for still passes, as text; one that only the SDK has is
/// sent to a service that does not know it.
fn values(document: &Document, sdk: &SdkEnum, findings: &mut Vec<Finding>) {
    let place = format!("/components/schemas/{}/enum", sdk.name);
    let list = document
        .get(&place)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let list: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    for value in list.iter().filter(|v| !sdk.known.contains(v)) {
        let at = format!("{place}/{value}");
        findings.push(finding(
            sdk.name,
            Kind::EnumRemoved,
            Severity::Informational,
            "the values",
            &at,
            value,
            "nothing",
        ));
    }
    for value in sdk.known.iter().filter(|v| !list.contains(v)) {
        let at = format!("{place}/{value}");
        findings.push(finding(
            sdk.name,
            Kind::EnumAdded,
            Severity::Breaking,
            "the values",
            &at,
            "nothing",
            value,
        ));
    }
}

fn finding(
    scope: &str,
    kind: Kind,
    severity: Severity,
    subject: &str,
    pointer: &str,
    document: &str,
    other: &str,
) -> Finding {
    Finding {
        kind,
        severity,
        side: Side::Sdk,
        scope: scope.to_owned(),
        subject: subject.to_owned(),
        pointer: pointer.to_owned(),
        document: document.to_owned(),
        other: other.to_owned(),
        origin: Origin {
            name: format!("blocks_sdk, {scope}"),
            line: None,
        },
        advice: match kind {
            Kind::SchemaMissing => advice(kind).to_owned(),
            _ => "run `cargo xtask codegen`, then change what is written by hand in crates/"
                .to_owned(),
        },
        known: None,
    }
}
