//! The repository's tasks, as `cargo xtask` runs them.

pub mod codegen;
pub mod command;
pub mod pictures;
pub mod readme;

use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository, by its path in it.
///
/// # Errors
/// It cannot be read; the file is named.
pub fn read(name: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(name)).map_err(|e| format!("{name}: {e}"))
}
