//! The maintainers' tasks, which `cargo xtask` runs.

pub mod codegen;
pub mod command;
pub mod pictures;
pub mod readme;

use std::path::{Path, PathBuf};

/// Returns the root folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads a file by its path in the repository.
///
/// # Errors
/// Fails if the file cannot be read; the error contains the file's name.
pub fn read(name: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(name)).map_err(|e| format!("{name}: {e}"))
}
