//! Compares the OpenAPI document of this repository, `openapi/blocks.yaml`, with the other descriptions of the API. The
//! other descriptions are the vendor's pages, the service's responses, the mock, and the requests, enums and limits of
//! the SDK.
//!
//! The entry point is [`run::Drift`]. A check returns a [`CheckResult`](finding::CheckResult), which contains the
//! differences, the errors, and the number of compared facts for each operation. If a response of a live check cannot
//! be read, the result contains an error or a finding. The same is true for a page that names an operation of the
//! OpenAPI document in its first 12 lines. The report then does not say "in sync". A captured body that is missing or
//! cut off is not compared.

pub mod coverage;
pub mod deviations;
pub mod document;
pub mod finding;
mod limited;
pub mod live;
pub mod page;
pub mod report;
pub mod run;
pub mod sdk;
pub mod shape;
pub mod spanned;
pub mod validate;

use anyhow::Context as _;

/// Reads a file by its path in the repository.
///
/// # Errors
/// Fails if the file cannot be read; the error contains the file's name.
pub fn read(name: &str) -> anyhow::Result<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(name)).with_context(|| name.to_owned())
}
