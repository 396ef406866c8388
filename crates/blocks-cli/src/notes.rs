//! Writes to standard error: lines for a person, JSON Lines for a program, and a progress line that is redrawn in
//! place.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::Event;
use crate::text;

/// A handle to standard error. All clones write to the same stream.
#[derive(Clone)]
pub struct ErrorStream(Arc<Mutex<Box<dyn Write + Send>>>);

impl ErrorStream {
    pub fn new(stream: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(stream))))
    }

    /// Writes the text. Errors are ignored, since there is no other place to report them.
    pub fn write(&self, text: &str) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush());
    }
}

/// Writes a command's notes (such as warnings), its events and its progress line to standard error.
#[derive(Clone)]
pub struct Notes {
    stream: ErrorStream,
    /// Whether notes are written as JSON Lines.
    is_events: bool,
    /// Whether a progress line is shown. The next output must first remove it.
    is_drawn: Arc<AtomicBool>,
}

impl Notes {
    pub fn new(stream: ErrorStream, is_events: bool) -> Self {
        Self {
            stream,
            is_events,
            is_drawn: Arc::default(),
        }
    }

    /// Writes a line for a person.
    pub fn note(&self, line: &str) {
        if self.is_events {
            let text = line.to_owned();
            return self.event(&Event::Note { text });
        }
        self.clear();
        let safe = text::no_commands(&text::plain(line));
        self.stream.write(&format!("{safe}\n"));
    }

    pub fn event(&self, event: &Event) {
        let line = serde_json::to_string(event).unwrap_or_default();
        self.stream.write(&format!("{}\n", text::safe_json(&line)));
    }

    /// Draws the progress line in place of the previous one. Works only on a terminal.
    pub fn draw(&self, line: &str) {
        self.is_drawn.store(true, Ordering::Relaxed);
        self.stream.write(&format!("\r\u{1b}[K{line}"));
    }

    /// Removes the progress line, if one is shown.
    pub fn clear(&self) {
        if self.is_drawn.swap(false, Ordering::Relaxed) {
            self.stream.write("\r\u{1b}[K");
        }
    }
}
