//! Reads bodies, files and standard input up to a largest size, so that no input uses up the memory.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use anyhow::bail;

/// The largest body or text that is read, in bytes.
pub const MOST_BYTES: usize = 16 << 20;

/// Reads the body of a response. A larger body than [`MOST_BYTES`] is not read to its end.
///
/// # Errors
/// Fails if the body is larger than [`MOST_BYTES`], or if the connection is lost. The error contains no URL.
pub async fn body(mut response: reqwest::Response) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if bytes.len() + chunk.len() > MOST_BYTES {
            bail!("the body is larger than {MOST_BYTES} bytes");
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads a file of at most `most` bytes. The error for a larger file has the kind [`ErrorKind::FileTooLarge`].
pub fn file(path: &Path, most: usize) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    // The length of an endless device, such as `/dev/zero`, is 0. So the read is limited too.
    if file.metadata()?.len() > most as u64 {
        return Err(too_large("file", most));
    }
    bytes(file, "file", most)
}

/// Reads a text of at most [`MOST_BYTES`] from a file.
pub fn text_file(path: &Path) -> Result<String> {
    text(file(path, MOST_BYTES)?)
}

/// Reads a text of at most [`MOST_BYTES`] from standard input.
pub fn standard_input() -> Result<String> {
    text(bytes(std::io::stdin().lock(), "input", MOST_BYTES)?)
}

fn bytes(input: impl Read, what: &str, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(too_large(what, most));
    }
    Ok(bytes)
}

fn too_large(what: &str, most: usize) -> Error {
    let text = format!("the {what} is larger than {most} bytes");
    Error::new(ErrorKind::FileTooLarge, text)
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "the text is not UTF-8"))
}
