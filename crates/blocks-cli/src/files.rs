//! Files that get their final name only when they are complete. On Unix, only the user can read them.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A new file that has a temporary name until it is complete. The commands create the files of `--output`, and `run`
/// and `send` also the file of `--pending`, before the first request. If a path cannot be written, the command then
/// fails before it sends anything. Dropping the value removes the incomplete file.
pub struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// Creates the file under a temporary name beside `path`. On Unix, only the user can read it.
    pub fn create(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
            return Err(Error::from(ErrorKind::IsADirectory));
        };
        let mut prefix = OsString::from(name);
        prefix.push(".");
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the whole file, and renames it to its final name. Fails if another program has created a file of this
    /// name. On a file system without hard links, the check and the rename may be two steps. A file that another
    /// program creates between these steps is then replaced.
    pub fn write(self, bytes: &[u8]) -> Result<()> {
        let path = self.path.clone();
        match self.write_temporary(bytes)?.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            // A file system without hard links may support only a rename that can replace a file.
            Err(error) if path.symlink_metadata().is_err() => {
                error.file.persist(path).map(drop).map_err(|e| e.error)
            }
            Err(error) => Err(error.error),
        }
    }

    /// Writes the whole file, and renames it to its final name. An existing file of this name is replaced.
    pub fn replace(self, bytes: &[u8]) -> Result<()> {
        let path = self.path.clone();
        let written = self.write_temporary(bytes)?.persist(path);
        written.map(drop).map_err(|error| error.error)
    }

    fn write_temporary(mut self, bytes: &[u8]) -> Result<NamedTempFile> {
        self.file.write_all(bytes)?;
        self.file.as_file().sync_data()?;
        Ok(self.file)
    }
}
