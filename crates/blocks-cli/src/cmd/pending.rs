//! The file that keeps what is pending.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use blocks_sdk::Pending;

use crate::exit::Exit;

/// A new file, made before anything is sent: that it cannot be written is known in time, and
/// none that is there is lost. It is removed again when nothing is pending.
pub struct PendingFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl PendingFile {
    pub fn create(path: &Path) -> Result<Self, Exit> {
        let file = File::create_new(path).map_err(|error| {
            let path = path.display();
            Exit::wrong_use(format!("--pending {path}: {error}; nothing was sent"))
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            written: false,
        })
    }

    pub fn write(mut self, pending: &Pending) -> std::io::Result<()> {
        self.file.write_all(&serde_json::to_vec(pending)?)?;
        self.file.sync_data()?;
        self.written = true;
        Ok(())
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.written {
            // Best effort: why nothing is pending is what there is to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What such a file has.
pub fn read(path: &Path) -> Result<Pending, Exit> {
    let wrong = |what: String| Exit::wrong_use(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(format!("not what `--pending` writes: {e}")))
}
