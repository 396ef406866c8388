//! Reads texts from files and standard input, up to a size limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::exit::Exit;
use crate::host::Host;

/// Maximum size of a text in bytes. Without this limit, an endless device such as `/dev/zero` would
/// fill the memory.
const MAX_TEXT: u64 = 64 << 20;

/// Reads a file, or standard input for `-`. A leading byte order mark is skipped.
///
/// # Errors
/// A usage error that names the option, the file and the cause. Nothing was sent yet.
pub fn read_text(option: &str, path: &Path, host: &Host) -> Result<String, Exit> {
    let (name, bytes) = if path == Path::new("-") {
        let bytes = host.read_input(MAX_TEXT + 1);
        ("standard input".to_owned(), bytes)
    } else {
        (path.display().to_string(), read_file(path))
    };
    let wrong = |what: String| Exit::usage(format!("{option}: cannot read {name}: {what}"));
    let bytes = bytes.map_err(|e| wrong(e.to_string()))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(wrong(format!("it is larger than {MAX_TEXT} bytes")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|e| wrong(format!("it is not valid UTF-8: {}", e.utf8_error())))?;
    // Some editors write a byte order mark at the start of a file.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// Reads a file, and stops one byte after the size limit.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_TEXT + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
