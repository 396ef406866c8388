//! Describes why a reply does not contain the expected JSON.

use std::fmt;

/// Describes why a reply does not contain the expected JSON. Contains the text of the reply, the position of the
/// mismatch, and the reason.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_reply("Here:\n{\"count\": 1,}", async |client, mock| {
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Count.");
/// # let session = client.create_session(request).await?;
/// let reply = session.first_reply().await?;
/// let schema = serde_json::json!({"type": "object"});
/// let error = reply.json_matching(&schema, |_| Ok(())).unwrap_err();
/// let mismatch = error.reply_mismatch().expect("this kind of error has it");
/// assert_eq!((mismatch.line(), mismatch.column()), (2, 12));
/// assert_eq!(mismatch.reason(), "a comma must not follow the last element");
/// assert_eq!(mismatch.text(), reply.text());
/// # Ok(()) });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyMismatch {
    text: String,
    offset: usize,
    line: usize,
    column: usize,
    reason: String,
}

impl ReplyMismatch {
    pub(crate) fn new(text: &str, mut offset: usize, reason: String) -> Self {
        offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |place| place + 1);
        Self {
            text: text.to_owned(),
            offset,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason,
        }
    }

    /// Returns the whole text of the reply.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the position of the mismatch in the text, as a byte offset.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the line number of the position, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column of the position, in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the reason for the mismatch, for example `a comma must not follow the last element`.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ReplyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            reason,
            ..
        } = self;
        write!(f, "line {line}, column {column}: {reason}")
    }
}

impl fmt::Debug for ReplyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyMismatch")
            .field("line", &self.line)
            .field("column", &self.column)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
