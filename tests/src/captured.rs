//! An output stream that keeps its text, so that a test can read the text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Keeps the bytes that are written to the stream. All clones share these bytes.
#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Returns the text that was written so far.
    ///
    /// # Panics
    /// If a thread panicked while it wrote to the stream.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().expect("no writer panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
