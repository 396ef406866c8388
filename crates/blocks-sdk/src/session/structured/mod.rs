//! Finds JSON in a reply, and waits for a reply that contains JSON.

mod echo;
mod finder;
mod scan;
#[cfg(feature = "schemars")]
mod wait;

use blocks_api::json::RawJson;
use serde_json::Value;

use crate::engine::error::Error;
use crate::engine::mismatch::ReplyMismatch;
use crate::session::turn::Reply;
use finder::{Rejection, decode, find};

#[cfg(feature = "schemars")]
pub use wait::{StructuredReply, StructuredWait};

impl Reply {
    /// Finds the JSON in the reply and decodes it as `T`. Ask for the same type in the request, with
    /// [`CreateSession::expect`](crate::CreateSession::expect) or [`FollowUp::expect`](crate::FollowUp::expect). This
    /// method does not check the request. But if the request did not ask for `T`, the agent does not know which fields
    /// are expected.
    ///
    /// The result is the first value that decodes as `T`. The text of the reply is split into the code fences and the
    /// parts between them. The search first considers the parts that contain only JSON. In the other parts, the search
    /// then considers objects and arrays anywhere, and other values if they are alone on a line. A part of a larger
    /// JSON value is never the result. If the reply repeats the schema of `T`, the schema is skipped. An unpaired
    /// surrogate is replaced with U+FFFD. Other invalid JSON, such as a trailing comma, is not repaired.
    ///
    /// # Errors
    /// [`ErrorKind::ReplyMismatch`](crate::ErrorKind::ReplyMismatch) when no value decodes as `T`.
    /// [`Error::reply_mismatch`] returns the text of the reply, the position in the text at which the decoding failed,
    /// and the reason.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_reply("Here it is: {\"is_bug\": true}", async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Triage {
    ///     is_bug: bool,
    /// }
    ///
    /// let request = CreateSession::new(Agent::claude(), "Is issue 7 a bug?").expect::<Triage>();
    /// let session = client.create_session(request).await?;
    /// let triage: Triage = session.first_reply().await?.json()?;
    /// assert!(triage.is_bug);
    /// # Ok(()) });
    /// ```
    #[cfg(feature = "schemars")]
    pub fn json<T>(&self) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let schema = crate::request::schema::schema_of::<T>();
        find(self.text(), &schema, &mut decode).map_err(|mismatch| self.mismatch(mismatch))
    }

    /// Finds the JSON in the reply for a schema that is known only at run time. Ask for the same schema in the
    /// request, with `expect_schema`. The function `accept` validates a value. If the value is not valid, `accept`
    /// returns the reason as an error.
    ///
    /// The search follows the rules of `Reply::json`. The value is returned exactly as the agent wrote it, except that
    /// unpaired surrogates are replaced.
    ///
    /// # Errors
    /// [`ErrorKind::ReplyMismatch`](crate::ErrorKind::ReplyMismatch) when `accept` accepts no value.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_reply("Not 1, but this:\n5", async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// let schema = serde_json::json!({"type": "integer"});
    /// let request = CreateSession::new(Agent::claude(), "How many?").expect_schema(schema.clone());
    /// let session = client.create_session(request).await?;
    /// let count = session.first_reply().await?.json_matching(&schema, |value| match value.is_i64() {
    ///     true => Ok(()),
    ///     false => Err("expected an integer".to_owned()),
    /// })?;
    /// assert_eq!(count.as_str(), "5");
    /// # Ok(()) });
    /// ```
    pub fn json_matching(
        &self,
        schema: &Value,
        mut accept: impl FnMut(&Value) -> Result<(), String>,
    ) -> Result<RawJson, Error> {
        let mut accept_text = |json: &str| {
            let value: Value = decode(json)?;
            accept(&value).map_err(|reason| Rejection { offset: 0, reason })?;
            decode::<RawJson>(json)
        };
        find(self.text(), schema, &mut accept_text).map_err(|mismatch| self.mismatch(mismatch))
    }

    fn mismatch(&self, mismatch: ReplyMismatch) -> Error {
        Error::unexpected_reply(self.session_id(), mismatch)
    }
}

#[cfg(test)]
mod tests;
