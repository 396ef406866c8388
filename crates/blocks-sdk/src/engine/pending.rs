//! A serializable handle to a pending reply. Another process can use the handle to resume waiting for the reply.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use blocks_api::open::Id;

/// Identifies a pending reply. Store this value as JSON, and resume with [`Client::resume`](crate::Client::resume), in
/// this process or another.
///
/// This value contains no secret, in particular not the API key.
///
/// ```
/// use blocks_sdk::Pending;
///
/// let text = r#"{
///   "session_id": "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11",
///   "final_message": "/rest/v1/sessions/5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11/threads/8c1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b22/messages?type=final_message"
/// }"#;
/// let pending: Pending = serde_json::from_str(text)?;
/// assert_eq!(pending.session_id().to_string(), "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Pending {
    session_id: Id,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread_id: Option<Id>,
    /// The link to the reply. Before the client follows the link, it checks that the path is below `/rest/v1/`.
    final_message: String,
}

impl Pending {
    /// Creates a handle from the ids of a session and of the thread that holds the messages of the turn.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::Pending;
    ///
    /// let turn = session.first_turn()?;
    /// let thread = turn.thread_id().expect("a create names it");
    /// let pending = Pending::new(session.id(), thread);
    /// assert_eq!(client.resume(pending).reply().await?.text(), "Done.");
    /// # Ok(()) });
    /// ```
    pub fn new(session_id: impl Into<Id>, thread_id: impl Into<Id>) -> Self {
        let (session_id, thread_id) = (session_id.into(), thread_id.into());
        Self {
            final_message: final_message_path(&session_id, &thread_id),
            session_id,
            thread_id: Some(thread_id),
        }
    }

    pub(crate) fn at(session_id: Id, thread_id: Option<Id>, href: &str) -> Self {
        Self {
            session_id,
            thread_id: thread_id.or_else(|| thread_in(href)),
            final_message: href.to_owned(),
        }
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> &Id {
        &self.session_id
    }

    /// Returns the id of the thread that holds the messages of the turn. Returns `None` if this value was created or
    /// read without this id. The id is not read from the link of a stored value.
    pub fn thread_id(&self) -> Option<&Id> {
        self.thread_id.as_ref()
    }

    /// Returns a link that is built from the ids of the session and the thread. The caller follows this link if the
    /// service's own link cannot be used.
    pub(crate) fn by_ids(&self) -> Option<String> {
        Some(final_message_path(
            &self.session_id,
            self.thread_id.as_ref()?,
        ))
    }

    pub(crate) fn href(&self) -> &str {
        &self.final_message
    }
}

/// Returns the id of the thread in the path of a link.
pub(crate) fn thread_in(href: &str) -> Option<Id> {
    let (_, rest) = href.split_once("/threads/")?;
    let segment = rest.split(['/', '?', '#']).next()?;
    Id::from_service(&percent_decode_str(segment).decode_utf8().ok()?)
}

/// Returns the path of the final message of a thread. Each id is encoded as one segment of the path, even if the id
/// contains a slash.
pub(crate) fn final_message_path(session_id: &Id, thread_id: &Id) -> String {
    let (session, thread) = (segment(session_id), segment(thread_id));
    format!(
        "/rest/v1/sessions/{session}/threads/{thread}/messages?type=final_message&role=assistant"
    )
}

/// Encodes an id as one segment of a path.
pub(crate) fn segment(id: &Id) -> impl std::fmt::Display {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(id.as_str(), UNRESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_pending_value_survives_storage() {
        let pending = Pending::new(Uuid::from_u128(1), Uuid::from_u128(2));
        let text = serde_json::to_string(&pending).unwrap();
        assert_eq!(serde_json::from_str::<Pending>(&text).unwrap(), pending);
        let at = Pending::at(pending.session_id.clone(), None, pending.href());
        assert_eq!(at, pending, "the link names the thread, too");
    }
}
