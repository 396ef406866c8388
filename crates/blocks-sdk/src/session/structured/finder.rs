//! Finds the JSON value in a reply. The result depends only on the reply's text, the schema and the function `accept`.
//!
//! The candidates are, in this order:
//! 1. values in a part of the text that contains only JSON (a part is a code fence, or the text between fences);
//! 2. values in the other parts: objects and arrays anywhere, and other values that are alone on a line;
//! 3. the first value that equals the schema, if the schema is `true`, `false` or `{}`.
//!
//! A candidate is a complete value. A part of a value, such as an object in an array, is never a candidate, even if the
//! whole value is invalid, as in `{name: {}}`, in which the name has no double quotes. But brackets around prose, such
//! as `[see {}]`, are not a value, so a value in them is a candidate. An invalid value ends at the latest at an empty
//! line, unless the next line continues the value. The first candidate that is accepted is the result. Any other value
//! that repeats the schema of the prompt is never a candidate. The search for candidates takes linear time, because
//! each byte is read at most a fixed number of times.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr2, memmem};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::echo::{Echo, compare};
use super::scan::{Malformed, Scanned, Scanner};
use crate::engine::mismatch::ReplyMismatch;
use crate::engine::repair::repair;

/// The reason why a candidate was not accepted.
pub(super) struct Rejection {
    /// The position of the error in the candidate.
    pub offset: usize,
    pub reason: String,
}

/// Returns the first value in `text` that `accept` accepts. Skips values that repeat `schema`.
pub(super) fn find<T>(
    text: &str,
    schema: &Value,
    accept: &mut dyn FnMut(&str) -> Result<T, Rejection>,
) -> Result<T, ReplyMismatch> {
    Finder::new(text, schema, accept)
        .run()
        .map_err(|failure| ReplyMismatch::new(text, failure.offset, failure.reason))
}

/// Returns how many bytes the search reads in a text if no value is accepted. A byte that is read twice counts twice. A
/// test checks with this number that the search takes linear time.
#[cfg(test)]
pub(super) fn count_steps(text: &str) -> usize {
    let mut accept = |_: &str| {
        let reason = String::new();
        Err::<(), _>(Rejection { offset: 0, reason })
    };
    let mut finder = Finder::new(text, &Value::Null, &mut accept);
    assert!(finder.run().is_err());
    finder.scanner.steps
}

/// Decodes a candidate.
pub(super) fn decode<T: DeserializeOwned>(json: &str) -> Result<T, Rejection> {
    serde_json::from_str(json).map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = error.to_string();
        let lines = json.split_inclusive('\n').map(str::len);
        let line: usize = lines.take(error.line().saturating_sub(1)).sum();
        // serde_json reports the column of the last byte that it read, counted from 1. The offset is counted from 0.
        let offset = line + error.column().saturating_sub(1);
        Rejection {
            offset: offset.min(json.len()),
            reason: reason.strip_suffix(&place).unwrap_or(&reason).to_owned(),
        }
    })
}

/// A part of the text between two lines that open or close a code fence.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    range: Range<usize>,
    is_fenced: bool,
}

/// The reason why no value was accepted.
struct Failure {
    is_fenced: bool,
    length: usize,
    offset: usize,
    reason: String,
}

struct Finder<'a, T> {
    text: &'a str,
    schema: &'a Value,
    accept: &'a mut dyn FnMut(&str) -> Result<T, Rejection>,
    scanner: Scanner<'a>,
    failure: Option<Failure>,
    /// The position at which the reply first repeats the schema.
    echo: Option<usize>,
    /// The range of a value that equals the schema `true`, `false` or `{}`. This value is a candidate only if no other
    /// value is accepted.
    ambiguous: Option<Range<usize>>,
}

impl<'a, T> Finder<'a, T> {
    fn new(
        text: &'a str,
        schema: &'a Value,
        accept: &'a mut dyn FnMut(&str) -> Result<T, Rejection>,
    ) -> Self {
        Self {
            text,
            schema,
            accept,
            scanner: Scanner::new(text),
            failure: None,
            echo: None,
            ambiguous: None,
        }
    }

    fn run(&mut self) -> Result<T, Failure> {
        let mut rest = Vec::new();
        for segment in segments(self.text) {
            match self.values_alone(segment.range.clone()) {
                Some(values) => {
                    for value in values {
                        if let Some(found) = self.consider(value, segment.is_fenced) {
                            return Ok(found);
                        }
                    }
                }
                None => rest.push(segment),
            }
        }
        for segment in rest {
            if let Some(found) = self.search(&segment) {
                return Ok(found);
            }
        }
        if let Some(value) = self.ambiguous.take() {
            self.schema = &Value::Null;
            if let Some(found) = self.consider(value, false) {
                return Ok(found);
            }
        }
        Err(self.failure.take().unwrap_or_else(|| {
            let (offset, reason) = match self.echo {
                Some(offset) => (
                    offset,
                    "the reply repeats the schema and contains no other JSON",
                ),
                None => (0, "the reply contains no JSON"),
            };
            Failure {
                is_fenced: false,
                length: 0,
                offset,
                reason: reason.to_owned(),
            }
        }))
    }

    /// Returns the ranges of all values in a segment. Returns `None` if the segment contains text other than values.
    fn values_alone(&mut self, range: Range<usize>) -> Option<Vec<Range<usize>>> {
        let mut values = Vec::new();
        let mut at = self.scanner.skip_space(range.start, range.end);
        while at < range.end {
            let Scanned::Complete(end) = self.scanner.value(at, range.end) else {
                return None;
            };
            values.push(at..end);
            let next = self.scanner.skip_space(end, range.end);
            let is_scalar = !self.text[at..].starts_with(['{', '[']);
            // Scalars need a space between them, so that `2026-11-25` is not read as three numbers.
            if is_scalar && next == end && end < range.end {
                return None;
            }
            at = next;
        }
        Some(values)
    }

    /// Returns the first accepted value in a segment that also contains other text.
    fn search(&mut self, segment: &Segment) -> Option<T> {
        let end = segment.range.end;
        let mut at = segment.range.start;
        let mut line_end = at;
        while at < end {
            if at >= line_end {
                line_end = self.line_end(at, end);
                if let Some(scalar) = self.scalar_alone(at..line_end) {
                    at = line_end;
                    if let Some(found) = self.consider(scalar, segment.is_fenced) {
                        return Some(found);
                    }
                    continue;
                }
            }
            let bracket = memchr2(b'{', b'[', &self.text.as_bytes()[at..line_end]);
            let start = bracket.map_or(line_end, |offset| at + offset);
            self.scanner.steps += start - at;
            if start == line_end {
                at = line_end;
                continue;
            }
            match self.scanner.value(start, end) {
                Scanned::Complete(value_end) if self.is_task_box(start..value_end) => {
                    at = value_end;
                }
                Scanned::Complete(value_end) => {
                    at = value_end;
                    if let Some(found) = self.consider(start..value_end, segment.is_fenced) {
                        return Some(found);
                    }
                }
                Scanned::Prose(next) => at = next,
                Scanned::Malformed(malformed) => {
                    at = malformed.resume;
                    self.note_malformed(&malformed, segment.is_fenced);
                }
            }
            // The value ended in a later line. The rest of that line is not searched for a scalar that is alone on its
            // line, because the end of the value is in the same line.
            if at > line_end {
                line_end = self.line_end(at, end);
            }
        }
        None
    }

    fn line_end(&mut self, at: usize, end: usize) -> usize {
        let length = memchr(b'\n', &self.text.as_bytes()[at..end]);
        let line_end = length.map_or(end, |length| at + length + 1);
        self.scanner.steps += line_end - at;
        line_end
    }

    /// Returns whether the text in `range` is the check box of a Markdown list item with the mark `-`, `*` or `+`, or a
    /// number at the start of a line, as in `- [ ]` and `1. [ ]`. Such a text is not an empty array.
    fn is_task_box(&self, range: Range<usize>) -> bool {
        let before = self.text[..range.start].strip_suffix(' ');
        let Some(before) = before.filter(|_| self.text[range] == *"[ ]") else {
            return false;
        };
        if before.ends_with(['-', '*', '+']) {
            return true;
        }
        let Some(number) = before.strip_suffix(['.', ')']) else {
            return false;
        };
        let indent = number.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let line_before = indent.trim_end_matches([' ', '\t']);
        indent.len() < number.len() && (line_before.is_empty() || line_before.ends_with('\n'))
    }

    /// Returns the position of a scalar that is alone on its line.
    fn scalar_alone(&mut self, line: Range<usize>) -> Option<Range<usize>> {
        let start = self.scanner.skip_space(line.start, line.end);
        if self.text[start..].starts_with(['{', '[']) {
            return None;
        }
        let end = self.scanner.scalar(start, line.end).ok()?;
        (self.scanner.skip_space(end, line.end) == line.end).then_some(start..end)
    }

    /// Returns the decoded value if the candidate in `range` is accepted. Otherwise records the reason of the
    /// rejection.
    fn consider(&mut self, range: Range<usize>, is_fenced: bool) -> Option<T> {
        let json = repaired(&self.text[range.clone()]);
        match compare(&json, self.schema) {
            Echo::No => {}
            Echo::Yes => {
                self.echo.get_or_insert(range.start);
                return None;
            }
            Echo::Ambiguous => {
                self.ambiguous.get_or_insert(range);
                return None;
            }
        }
        match (self.accept)(&json) {
            Ok(found) => Some(found),
            Err(rejection) => {
                let offset = range.start + rejection.offset.min(range.len());
                self.note_failure(range.len(), is_fenced, offset, rejection.reason);
                None
            }
        }
    }

    fn note_malformed(&mut self, malformed: &Malformed, is_fenced: bool) {
        let length = malformed.resume - malformed.start;
        self.note_failure(length, is_fenced, malformed.at, malformed.reason.to_owned());
    }

    /// Keeps the failure of the value that was most likely the intended reply. A value in a code fence has precedence
    /// over other values, and a longer value over a shorter value.
    fn note_failure(&mut self, length: usize, is_fenced: bool, offset: usize, reason: String) {
        let before = self.failure.as_ref();
        let before = before.map(|failure| (failure.is_fenced, failure.length));
        if before.is_none_or(|before| before < (is_fenced, length)) {
            self.failure = Some(Failure {
                is_fenced,
                length,
                offset,
                reason,
            });
        }
    }
}

/// Replaces unpaired surrogates with U+FFFD. Some programs write half of a surrogate pair when they cut a string. The
/// length of the text does not change.
fn repaired(json: &str) -> Cow<'_, str> {
    if memmem::find(json.as_bytes(), b"\\u").is_none() {
        return Cow::Borrowed(json);
    }
    let repaired = repair(Bytes::copy_from_slice(json.as_bytes()), || None);
    match String::from_utf8(repaired.into()) {
        Ok(repaired) => Cow::Owned(repaired),
        Err(_) => Cow::Borrowed(json),
    }
}

/// A line that opens or closes a code fence.
struct FenceLine {
    mark: u8,
    length: usize,
    /// Whether a language or other words follow the marks (backticks or tildes). A line with words opens a fence, and
    /// never closes one.
    has_words: bool,
    /// The offset at which the content starts in the line that opens the fence. JSON may follow the language in the
    /// same line, as in `~~~json {}`.
    content: usize,
}

/// Splits a text at the lines that open or close a code fence. Such a line is never inside a JSON value: its marks are
/// not valid JSON outside of a string, and a JSON string has no line breaks. So no value is split, even if fences are
/// nested, unclosed or of the wrong length.
fn segments(text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if let Some(fence) = fence_line(line) {
            segments.push(Segment {
                range: start..at,
                is_fenced: !open.is_empty(),
            });
            let closes = open
                .last()
                .is_some_and(|(mark, length)| *mark == fence.mark && *length <= fence.length);
            if closes && !fence.has_words {
                open.pop();
            } else {
                open.push((fence.mark, fence.length));
            }
            start = at + fence.content;
        }
        at = end;
    }
    segments.push(Segment {
        range: start..text.len(),
        is_fenced: !open.is_empty(),
    });
    segments
}

fn fence_line(line: &str) -> Option<FenceLine> {
    let rest = line.trim_start_matches([' ', '\t']);
    let mark = *rest.as_bytes().first()?;
    if mark != b'`' && mark != b'~' {
        return None;
    }
    let length = rest.bytes().take_while(|byte| *byte == mark).count();
    let words = &rest[length..];
    // A line such as "```{}```" is inline code, not a fence.
    if length < 3 || (mark == b'`' && words.contains('`')) {
        return None;
    }
    let words_start = line.len() - words.len();
    Some(FenceLine {
        mark,
        length,
        has_words: !words.trim().is_empty(),
        content: words_start + words.find(['{', '[']).unwrap_or(words.len()),
    })
}
