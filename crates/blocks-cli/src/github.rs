//! Writes the step outputs and the job summary of a GitHub workflow.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

use uuid::Uuid;

use crate::exit::Exit;
use crate::host::Host;

/// Maximum bytes of a reply in the job summary. GitHub drops a step's summary above 1 MiB, and this maximum is far
/// below that limit.
const MAX_SUMMARY: usize = 60 << 10;
/// Maximum bytes of a reply in the step outputs. GitHub accepts at most 1 MiB of outputs per job, and counts two bytes
/// for most characters. So this limit leaves space for other outputs and for other steps of the job.
const MAX_OUTPUT: usize = 256 << 10;
/// Maximum bytes of the step output `structured_output`, which contains the JSON in the reply.
pub const MAX_JSON: usize = 256 << 10;

/// The files of the step outputs and the job summary, opened before anything is sent.
pub struct GithubFiles {
    outputs: File,
    summary: Option<File>,
}

impl GithubFiles {
    /// Opens the files that `GITHUB_OUTPUT` and `GITHUB_STEP_SUMMARY` name. `GITHUB_STEP_SUMMARY` may be unset. If
    /// the file of the summary cannot be opened, the second returned value is a warning.
    ///
    /// # Errors
    /// A usage error: `GITHUB_OUTPUT` is not set, or its file cannot be opened.
    pub fn open(host: &Host) -> Result<(Self, Option<String>), Exit> {
        let path = host.var("GITHUB_OUTPUT").ok_or_else(|| {
            Exit::usage(
                "--github-output: GITHUB_OUTPUT is not set; a GitHub workflow sets it to a file",
            )
        })?;
        let outputs = open(&path).map_err(|e| {
            let path = path.to_string_lossy();
            Exit::usage(format!(
                "--github-output: cannot write GITHUB_OUTPUT {path}: {e}"
            ))
        })?;
        let (summary, warning) = match host
            .var("GITHUB_STEP_SUMMARY")
            .map(|path| (open(&path), path))
        {
            Some((Ok(file), _)) => (Some(file), None),
            Some((Err(error), path)) => {
                let path = path.to_string_lossy();
                let warning = format!("cannot write GITHUB_STEP_SUMMARY {path}: {error}");
                (None, Some(warning))
            }
            None => (None, None),
        };
        Ok((Self { outputs, summary }, warning))
    }

    /// Appends step outputs.
    pub fn write_outputs(&self, pairs: &[(&str, String)]) -> std::io::Result<()> {
        append(&self.outputs, &entries(pairs))
    }

    /// Appends to the job summary, if there is one.
    pub fn write_summary(&self, markdown: &str) -> std::io::Result<()> {
        match &self.summary {
            Some(file) => append(file, markdown),
            None => Ok(()),
        }
    }
}

fn open(path: &OsString) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // `append` reads the file to check whether its last line is complete. If the file cannot be opened for reading, it
    // is opened only for writing.
    options
        .clone()
        .read(true)
        .open(path)
        .or_else(|_| options.open(path))
}

/// Appends the text in one write. If the last line of the file has no line break, adds one before the text.
fn append(mut file: &File, text: &str) -> std::io::Result<()> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() {
        // If the read fails, `last` is still a line break, and the last line counts as complete.
        let _ = file.read_exact(&mut last);
    }
    let start = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{start}{text}").as_bytes())
}

/// Formats each pair of a name and a value as a step output. GitHub reads the value until the delimiter occurs, so the
/// delimiter is random and does not occur in the value.
fn entries(pairs: &[(&str, String)]) -> String {
    let entry = |(name, value): &(&str, String)| {
        let mut delimiter = Uuid::new_v4().to_string();
        while value.contains(&delimiter) {
            delimiter = Uuid::new_v4().to_string();
        }
        format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
    };
    pairs.iter().map(entry).collect()
}

/// Cuts the text to the size limit of an output. Returns the text and whether it was cut.
pub fn fit_output(text: &str) -> (&str, bool) {
    let end = text.floor_char_boundary_at(MAX_OUTPUT);
    (&text[..end], end < text.len())
}

/// Cuts the text to the size limit of the job summary, and closes a code fence that the cut left
/// open. Returns the text and whether it was cut.
pub fn fit_summary(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary_at(MAX_SUMMARY);
    let mut fit = text[..end].to_owned();
    let cut = end < text.len();
    let mut open: Option<&str> = None;
    for line in text[..end].lines() {
        let line = line.trim_start();
        let length = line.len() - line.trim_start_matches(['`', '~']).len();
        let fence = &line[..length];
        open = match open {
            Some(start) if fence.starts_with(start) => None,
            None if length >= 3 => Some(fence),
            unchanged => unchanged,
        };
    }
    if let Some(fence) = open.filter(|_| cut) {
        fit += &format!("\n{fence}\n");
    }
    (fit, cut)
}

trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, limit: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, limit: usize) -> usize {
        let mut end = limit.min(self.len());
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_entry() {
        let text = "a\nEOF\nstatus<<EOF\nforged\nEOF";
        let pairs = [("final_message", text.to_owned())];
        let (entries, again) = (entries(&pairs), entries(&pairs));
        assert_ne!(entries, again, "each output has its own delimiter");
        let (head, rest) = entries.split_once('\n').unwrap();
        let delimiter = head.strip_prefix("final_message<<").unwrap();
        assert_eq!(rest, format!("{text}\n{delimiter}\n"));
        assert!(Uuid::parse_str(delimiter).is_ok(), "random: {delimiter}");
    }

    #[test]
    fn a_long_summary_ends_at_a_character_and_closes_fences() {
        let text = format!("```rust\n{}", "é".repeat(MAX_SUMMARY));
        let (fit, cut) = fit_summary(&text);
        assert!(cut && fit.len() < MAX_SUMMARY + 8 && fit.ends_with("é\n```\n"));
        assert_eq!(fit_summary("```\nshort"), ("```\nshort".to_owned(), false));
    }
}
