//! Files that get their final name only when they are complete. On Unix, only the user can read them. Also compares the
//! paths of the files that a command writes.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Maximum number of symbolic links that are followed, as in Linux.
const MAX_LINKS: u32 = 40;

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

/// Returns the path of the file that `path` names, without symbolic links. The file does not need to exist. A rename to
/// the returned path replaces the file, while a rename to a symbolic link would replace only the link.
pub fn resolve(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = path.read_link() else { break };
        // `join` returns the target alone if the target is absolute.
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    if let (Ok(folder), Some(name)) = (folder, path.file_name()) {
        return folder.join(name);
    }
    path
}

/// Returns the names of the first two files that are the same file. Each file has a name for the user, such as the name
/// of an option. Devices, such as `/dev/null`, can be named several times.
pub fn first_same<'n>(files: &[(&'n str, PathBuf)]) -> Option<(&'n str, &'n str)> {
    let mut seen: Vec<(&'n str, PathBuf)> = Vec::new();
    for (name, path) in files {
        let path = resolve(path);
        if path.metadata().is_ok_and(|file| !file.is_file()) {
            continue;
        }
        if let Some((other, _)) = seen.iter().find(|(_, other)| *other == path) {
            return Some((*other, *name));
        }
        seen.push((*name, path));
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_spellings_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("new", path("link")).unwrap();
        std::os::unix::fs::symlink(folder.path(), path("folder")).unwrap();
        std::os::unix::fs::symlink("circle", path("circle")).unwrap();
        for exists in [false, true] {
            for other in ["new", "./new", "link", "folder/new", "folder/link"] {
                let files = [("a", path("other")), ("b", path("new")), ("c", path(other))];
                assert_eq!(first_same(&files), Some(("b", "c")), "{other} {exists}");
            }
            std::fs::write(path("new"), "").unwrap();
        }
        let files = ["other", "new", "circle", "nowhere/new", "nowhere/link"];
        assert_eq!(first_same(&files.map(|name| (name, path(name)))), None);
        let null = Path::new("/dev/null").to_owned();
        assert_eq!(first_same(&[("a", null.clone()), ("b", null)]), None);
    }
}
