//! Writes to a pipe that may be in non-blocking mode. The mode belongs to the pipe, so another process that uses the same
//! pipe can set it. For example, Node.js does this.

use std::io::{Result, Write};

/// Writes to a stream, and waits while the stream is a full pipe. Without this, a write to a full pipe in non-blocking
/// mode would fail, and a part of a reply would be lost.
pub(crate) struct Waiting<W>(pub W);

#[cfg(unix)]
impl<W: Write + std::os::fd::AsFd> Waiting<W> {
    fn retry<T>(&mut self, mut write: impl FnMut(&mut W) -> Result<T>) -> Result<T> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            match write(&mut self.0) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            // `poll` also returns when no process can read the pipe any more, and then the next write fails.
            match poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(unix)]
impl<W: Write + std::os::fd::AsFd> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.retry(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        self.retry(Write::flush)
    }
}

#[cfg(not(unix))]
impl<W: Write> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}
