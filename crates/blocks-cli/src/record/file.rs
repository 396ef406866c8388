//! Writes a HAR 1.2 file: JSON with an entry for each request and its response. The file is valid after each entry.

use std::fs::{File, OpenOptions};
use std::io::{Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The closing brackets of the file. Each new entry overwrites the closing brackets, and new closing brackets are
/// written after the entry.
const END: &[u8] = b"\n]}}\n";

/// A HAR file that is valid after each entry. The file has its final name from the start. A temporary file was
/// rejected, because a process that is killed could not rename it to the final name.
pub struct HarFile {
    path: PathBuf,
    file: File,
    /// Offset of the closing brackets.
    end: u64,
    entries: usize,
}

impl HarFile {
    /// Creates the file, and fails if the file exists. On Unix, only the user can read it.
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let creator = serde_json::json!({"name": "blocks", "version": env!("CARGO_PKG_VERSION")});
        let start = format!(r#"{{"log":{{"version":"1.2","creator":{creator},"entries":["#);
        file.write_all(&[start.as_bytes(), END].concat())?;
        Ok(Self {
            path: path.to_owned(),
            file,
            end: start.len() as u64,
            entries: 0,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Adds an entry. If the write fails, tries to cut the file after the previous entry, so that it is still valid.
    pub fn add(&mut self, entry: &Value) -> Result<()> {
        let separator = if self.entries == 0 { "\n" } else { ",\n" };
        let mut bytes = format!("{separator}{entry}").into_bytes();
        let length = bytes.len() as u64;
        bytes.extend_from_slice(END);
        if let Err(error) = self.write_at_end(&bytes) {
            let _ = self.file.set_len(self.end);
            let _ = self.write_at_end(END);
            return Err(error);
        }
        self.end += length;
        self.entries += 1;
        Ok(())
    }

    fn write_at_end(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)
    }

    /// Removes the file if nothing was recorded. A second run of the same command would fail if the file existed.
    pub fn remove_if_empty(&self) {
        if self.entries == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
