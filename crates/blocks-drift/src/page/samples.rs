//! Finds the JSON samples of a page. These are blocks of JSON, and the request bodies in blocks of other languages,
//! such as a `curl` command.

use std::sync::LazyLock;

use anyhow::{Result, anyhow};
use regex::{Captures, Regex};
use serde_json::Value;

use super::block::Section;
use crate::spanned::Spanned;

/// A JSON sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Whether the sample is a request (`Section::Request`) or a response (`Section::Response`).
    pub section: Section,
    /// The HTTP status of the response, if the label of the code block (such as `json 404`) contains it. Without a
    /// status in the label, a sample in the page's section of errors has the status 400.
    pub status: Option<u16>,
    /// The parsed sample, or the reason and the line of the error if the sample is not valid JSON. For a sample in
    /// program code, or with a duplicate key, the line is the first line of the sample.
    pub value: Result<Value, (String, usize)>,
    /// Whether the sample contains a line `...`, a field `"..."` or a comment. The page may then have left out lines of
    /// the sample.
    pub shortened: bool,
    /// The sample with the position of each value. It was parsed as YAML (which includes most JSON), because only the
    /// YAML parser reports positions. `None` if the sample is not valid YAML.
    pub spanned: Option<Spanned>,
    /// The line of the page on which the sample starts.
    pub line: usize,
}

impl Sample {
    /// Returns the line of the page that contains a value of the sample. `instance` is the JSON pointer to the value.
    pub fn line_of(&self, instance: &str) -> usize {
        self.line + self.spanned.as_ref().map_or(1, |m| m.position(instance).line) - 1
    }
}

/// Returns the JSON sample in a block of code, or `None` if the block contains no sample.
///
/// # Errors
/// Fails if a request body starts in the code but has no end, for example because the last `}` is missing.
pub fn find(
    label: &str,
    text: &str,
    line: usize,
    section: Option<Section>,
) -> Result<Option<Sample>> {
    let lower = label.to_lowercase();
    let mut words = lower.split_whitespace();
    let language = words.next().unwrap_or_default();
    let status =
        lower.split_whitespace().find_map(|w| w.parse().ok().filter(|s| (100..600).contains(s)));
    let status = status.or((section == Some(Section::Errors)).then_some(400));
    let start = text.trim_start();
    let bare = language.is_empty()
        || !["bash", "sh", "javascript", "js", "ts", "python", "http"].contains(&language);
    if ["json", "jsonc", "json5"].contains(&language) || (bare && start.starts_with(['{', '['])) {
        let response = status.is_some()
            || lower.contains("response")
            || matches!(section, Some(Section::Response | Section::Errors));
        let section = if response { Section::Response } else { Section::Request };
        return Ok(Some(sample(section, status, text, line, false)));
    }
    static BODY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)JSON\.stringify\(\s*\{|\bjson\s*=\s*\{|(?:-d|--data|--data-raw|--json)[ =]?\s*'\{").expect("a pattern")
    });
    let Some(found) = BODY.find(text) else {
        return Ok(None);
    };
    let shell = found.as_str().contains('\'');
    let open = found.end() - 1;
    let body = text[open..].replace("'\\''", "\u{1}");
    let end = match shell {
        true => body.find('\''),
        false => closing(&body),
    };
    let body = &body[..end.ok_or_else(|| anyhow!("the request body does not end"))?];
    let body = body.replace('\u{1}', "'");
    let line = line + text[..open].matches('\n').count();
    Ok(Some(sample(Section::Request, None, &body, line, !shell)))
}

/// Returns the byte index in `text` just after the bracket that closes the first bracket.
pub(super) fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            // The next character is escaped, so it does not end the string, even if it is a quotation mark.
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(q), _) => quote = (q != c).then_some(q),
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn sample(section: Section, status: Option<u16>, text: &str, line: usize, code: bool) -> Sample {
    // Comments, lines such as `...`, and fields such as `"...": "..."` are removed, because they are not valid JSON or
    // not part of the value. Their line breaks stay, so that the values below keep their line numbers. The last
    // alternative of the pattern matches all other strings, so that a `//` in a string is not taken for a comment.
    static REST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?m)^\s*(?:\.\.\.|…)\s*,?\s*$|(?:^|\s)//.*$|,?\s*"(?:\.\.\.|…)"\s*:\s*"[^"]*"|("(?:\\.|[^"\\\n])*")"#,
        )
        .expect("a pattern")
    });
    static TAIL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r",(\s*[}\]])").expect("a pattern"));
    let mut shortened = false;
    let line_breaks = |found: &Captures<'_>| {
        if let Some(string) = found.get(1) {
            return string.as_str().to_owned();
        }
        shortened = true;
        "\n".repeat(found[0].matches('\n').count())
    };
    let mut text = REST.replace_all(text, line_breaks).into_owned();
    if shortened {
        text = TAIL.replace_all(&text, "$1").into_owned();
    }
    if code {
        // A request body in program code, such as `{message: "Hi"}` in JavaScript, is parsed as YAML, because YAML
        // allows keys without quotes.
        text = text
            .replace("True", "true")
            .replace("False", "false")
            .replace("None", "null")
            .replace('`', "\"");
    }
    let spanned = Spanned::parse("sample", &text);
    let value = match (&spanned, code) {
        (Ok(spanned), true) => Ok(spanned.value.clone()),
        (Err(error), true) => Err((error.to_string(), line)),
        (Err(error), false) if error.to_string().contains("duplicate") => {
            Err((error.to_string(), line))
        }
        (_, false) => serde_json::from_str(&text)
            .map_err(|e| (e.to_string(), line + e.line().saturating_sub(1))),
    };
    Sample { section, status, value, shortened, spanned: spanned.ok(), line }
}
