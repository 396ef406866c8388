//! Compares `openapi/blocks.yaml` with what else describes the API: the vendor's pages, the
//! service's responses, the mock, and what the SDK sends.
//!
//! The entry point is [`run::Drift`]. A check returns an [`CheckResult`](finding::CheckResult): its
//! differences, what it could not read, and which operations it covered with how many facts.
//! What was not read is an error or a finding, never "in sync".

pub mod coverage;
pub mod deviations;
pub mod document;
pub mod finding;
pub mod live;
pub mod page;
pub mod report;
pub mod run;
pub mod sdk;
pub mod shape;
pub mod spanned;
pub mod validate;

use anyhow::Context as _;

/// Reads a file of the repository, by its path in it.
///
/// # Errors
/// The file cannot be read; the error contains its name.
pub fn read(name: &str) -> anyhow::Result<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(name)).with_context(|| name.to_owned())
}
