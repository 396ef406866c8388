//! Locks a file, so that only one process, or only one part of a process, uses it.

use std::fs::File;
use std::io::Result;
use std::ops::Deref;

use fs4::fs_std::FileExt;

/// An open file that is locked. No other `LockedFile` of this process or another process can lock the same file.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Waits until no other process or open file of this process has the lock, and locks the file.
    pub fn wait(file: File) -> Result<Self> {
        FileExt::lock_exclusive(&file)?;
        Ok(Self(file))
    }

    /// Returns `None` if another process, or another open file of this process, has the lock.
    pub fn try_lock(file: File) -> Result<Option<Self>> {
        let is_locked = FileExt::try_lock_exclusive(&file)?;
        Ok(is_locked.then_some(Self(file)))
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockedFile {
    /// Releases the lock immediately. Closing the file is not sufficient if another thread is starting a process.
    /// Between `fork` and `exec`, the new process has a copy of the open file, and this copy keeps the lock.
    fn drop(&mut self) {
        let _ = FileExt::unlock(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_though_a_copy_is_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let lock = LockedFile::wait(open()).unwrap();
        let _copy = lock.try_clone().unwrap();
        assert!(LockedFile::try_lock(open()).unwrap().is_none());
        drop(lock);
        assert!(LockedFile::try_lock(open()).unwrap().is_some());
    }
}
