//! The folder that an operation or a command may write to.

use std::path::PathBuf;

use tempfile::TempDir;

use super::setup::Setup;

/// A temporary folder for a plan, a pending file, and the files of `blocks batch`.
pub struct OutputDir(TempDir);

impl OutputDir {
    pub fn new() -> Self {
        // `blocks batch` writes a journal to this folder. On most Linux systems, `/dev/shm` is in memory, so these
        // writes do not wait for a disk.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self(
            memory
                .or_else(|_| tempfile::tempdir())
                .expect("a temporary folder"),
        )
    }

    pub fn plan(&self) -> PathBuf {
        self.0.path().join("plan.md")
    }

    pub fn folder(&self) -> String {
        self.0.path().to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("a file");
    }

    /// Returns a violation if the plan is not the complete file that the storage host sent, or if a
    /// partly written file remains. A missing plan is not a violation.
    pub fn check(&self, setup: &Setup) -> Option<String> {
        let names = std::fs::read_dir(self.0.path()).expect("the folder");
        let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        if let Some(part) = names.find(|name| name.ends_with(".part")) {
            return Some(format!("{part} was not removed"));
        }
        let file = std::fs::read(self.plan()).ok()?;
        let exchanges = setup.recorder.exchanges();
        let is_complete = exchanges.last().map(|last| &last.body) == Some(&file);
        (!is_complete).then(|| format!("an incomplete file of {} bytes", file.len()))
    }
}
