//! What a GitHub workflow reads: step outputs and the job summary.

use std::fs::OpenOptions;
use std::io::Write;

use uuid::Uuid;

use crate::exit::Exit;

/// Appends outputs to the file that `GITHUB_OUTPUT` names.
pub fn outputs(pairs: &[(&str, &str)]) -> Result<(), Exit> {
    append("GITHUB_OUTPUT", &entries(pairs))
}

/// Appends to the job summary, where there is one.
pub fn summary(markdown: &str) -> Result<(), Exit> {
    if std::env::var_os("GITHUB_STEP_SUMMARY").is_none() {
        return Ok(());
    }
    append("GITHUB_STEP_SUMMARY", markdown)
}

/// Each in the form for many lines, behind a delimiter that nobody can guess and that the
/// text does not have.
fn entries(pairs: &[(&str, &str)]) -> String {
    let entry = |(name, value): &(&str, &str)| {
        let mut delimiter = Uuid::new_v4().to_string();
        while value.contains(&delimiter) {
            delimiter = Uuid::new_v4().to_string();
        }
        format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
    };
    pairs.iter().map(entry).collect()
}

fn append(variable: &str, text: &str) -> Result<(), Exit> {
    let path = std::env::var_os(variable).ok_or_else(|| {
        Exit::wrong_use(format!(
            "{variable} is not set: --github-output is for a GitHub workflow"
        ))
    })?;
    let mut file = OpenOptions::new().append(true).create(true).open(&path);
    let written = match &mut file {
        Ok(file) => file.write_all(text.as_bytes()),
        Err(error) => return Err(Exit::failed(format!("{variable}: {error}"))),
    };
    written.map_err(|error| Exit::failed(format!("{variable}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_entry_early() {
        let text = "a\nEOF\nstatus<<EOF\nforged\nEOF";
        let entries = entries(&[("final_message", text)]);
        let (head, rest) = entries.split_once('\n').unwrap();
        let delimiter = head.strip_prefix("final_message<<").unwrap();
        assert_eq!(rest, format!("{text}\n{delimiter}\n"));
    }
}
