//! Files that only the user can read, and that get their final name only when they are complete.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// A new file that has a temporary name until it is complete. A command creates its output files before the first
/// request. If a path cannot be written, the command then fails before it sends anything.
pub struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Creates the file under a temporary name beside `path`. Only the user can read it.
    pub fn create(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::from(ErrorKind::IsADirectory));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
        let temporary = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary)?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            file,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the whole file, and renames it to its final name. An existing file of this name is replaced.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        std::fs::rename(&self.temporary, &self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Removes an incomplete temporary file. After a successful write, the temporary name does not exist any more.
        let _ = std::fs::remove_file(&self.temporary);
    }
}
