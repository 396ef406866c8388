//! Builds the bodies of requests that create a session or send a follow-up. Rejects an invalid request before it is
//! sent.

pub(crate) mod agent;
pub(crate) mod schema;

use blocks_api::json::JsonObject;
use blocks_api::open::Id;
use blocks_api::types;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::engine::error::Error;
use crate::engine::mismatch::ReplyMismatch;
use crate::request::agent::Agent;

const TITLE_MAX: usize = 200;

/// The fields of a request that creates a session, as in the OpenAPI document.
const FIELDS: [&str; 9] = [
    "message",
    "agent_name",
    "agent_id",
    "profile",
    "is_private",
    "artifact_ids",
    "title",
    "session_group_id",
    "config_values",
];

/// The fields of a request that sends a follow-up.
const FOLLOW_UP_FIELDS: [&str; 3] = ["message", "artifact_ids", "profile"];

/// Describes a new session.
///
/// ```
/// use blocks_sdk::{Agent, CreateSession};
///
/// let request = CreateSession::new(Agent::claude(), "Go.").title("A walk").private(true);
/// let sent = serde_json::json!({
///     "message": "Go.", "agent_name": "claude", "title": "A walk", "is_private": true,
/// });
/// assert_eq!(request, CreateSession::from_json(sent)?);
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
pub struct CreateSession {
    body: types::CreateSessionRequest,
    /// The schema of the expected reply.
    schema: Option<Value>,
}

impl CreateSession {
    /// Describes a session in which `agent` works on `message`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_sdk::{Agent, CreateSession, ErrorKind};
    ///
    /// client.create_session(CreateSession::new(Agent::codex(), "Fix the tests.")).await?;
    /// let empty = client.create_session(CreateSession::new(Agent::codex(), " ")).await;
    /// assert_eq!(empty.unwrap_err().kind(), ErrorKind::InvalidInput);
    /// # Ok(()) });
    /// ```
    pub fn new(agent: Agent, message: impl Into<String>) -> Self {
        let mut body = types::CreateSessionRequest {
            message: message.into(),
            agent_id: None,
            agent_name: None,
            artifact_ids: Vec::new(),
            config_values: Default::default(),
            is_private: None,
            profile: Default::default(),
            session_group_id: None,
            title: None,
            extra: JsonObject::new(),
        };
        match agent {
            Agent::Name(name) => body.agent_name = Some(name),
            Agent::Id(id) => body.agent_id = Some(id.into()),
            Agent::Profile(profile) => body.profile = profile.into(),
        }
        Self { body, schema: None }
    }

    /// Sets whether the session is hidden from other members of the workspace. By default, the request does not contain
    /// this field, for which the service documents the default `false`. The admins of a workspace can force private
    /// sessions. Then the session is hidden even if `private` is `false`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// let request = CreateSession::new(Agent::claude(), "Go.").private(true);
    /// let session = client.create_session(request).await?;
    /// assert_eq!(session.data().is_private, Some(true));
    /// # Ok(()) });
    /// ```
    pub fn private(mut self, private: bool) -> Self {
        self.body.is_private = Some(private);
        self
    }

    /// Sets a title of at most 200 characters.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// let request = CreateSession::new(Agent::claude(), "Go.").title("A walk");
    /// let session = client.create_session(request).await?;
    /// assert_eq!(session.data().title.as_deref(), Some("A walk"));
    /// # Ok(()) });
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.body.title = Some(title.into());
        self
    }

    /// Attaches existing artifacts to the first message. Replaces the artifacts of an earlier call.
    ///
    /// ```
    /// # use blocks_sdk::{Agent, CreateSession};
    /// # let plan = uuid::uuid!("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11");
    /// let request = CreateSession::new(Agent::claude(), "Carry out the plan.").artifacts([plan]);
    /// # let sent = serde_json::json!({
    /// #     "message": "Carry out the plan.", "agent_name": "claude", "artifact_ids": [plan],
    /// # });
    /// # assert_eq!(request, CreateSession::from_json(sent)?);
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn artifacts(mut self, ids: impl IntoIterator<Item = impl Into<Id>>) -> Self {
        self.body.artifact_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Adds the session to an existing group.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// # let group = uuid::uuid!("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11");
    /// let request = CreateSession::new(Agent::claude(), "Go.").session_group(group);
    /// let session = client.create_session(request).await?;
    /// assert_eq!(session.data().session_group_id.clone(), Some(group.into()));
    /// # Ok(()) });
    /// ```
    pub fn session_group(mut self, id: impl Into<Id>) -> Self {
        self.body.session_group_id = Some(id.into());
        self
    }

    /// Sets the field `config_values` of the request. The vendor does not document which values this field accepts.
    /// Only one third-party client is known to use the field.
    pub fn config_values(mut self, values: impl Into<JsonObject>) -> Self {
        self.body.config_values = values.into();
        self
    }

    /// Adds a field that this release does not support.
    ///
    /// If `name` is a field that this release supports, such as `title`, the request is rejected before it is sent.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// let request = CreateSession::new(Agent::claude(), "Go.").extra("budget", 5);
    /// let sent = serde_json::json!({"message": "Go.", "agent_name": "claude", "budget": 5});
    /// assert_eq!(serde_json::to_value(&request)?, sent);
    /// # client.create_session(request).await?;
    /// # assert!(mock.requests()[0].body.contains(r#""budget":5"#));
    /// # Ok(()) });
    /// ```
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body.extra.insert(name, value.into());
        self
    }

    /// Calls `setter` with the value if `value` is not `None`.
    ///
    /// ```
    /// use blocks_sdk::{Agent, CreateSession};
    ///
    /// # let title = Some("A walk");
    /// let request = CreateSession::new(Agent::claude(), "Go.").set(title, CreateSession::title);
    /// # assert_eq!(request, CreateSession::new(Agent::claude(), "Go.").title("A walk"));
    /// ```
    pub fn set<T>(self, value: Option<T>, setter: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => setter(self, value),
            None => self,
        }
    }

    /// Returns the first message, without the schema that [`expect_schema`](Self::expect_schema) adds to the message
    /// that is sent.
    pub fn message(&self) -> &str {
        &self.body.message
    }

    /// Asks for a reply in JSON that [`Reply::json`](crate::Reply::json) decodes as `T`.
    ///
    /// The service has no field for a schema, so the JSON Schema of `T` is added to the end of the message, as follows:
    ///
    /// ````text
    /// Reply with JSON that conforms to this JSON Schema:
    ///
    /// ```json
    /// { … }
    /// ```
    ///
    /// Write one JSON value in one code block. Do not repeat the schema.
    /// ````
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_reply("```json\n[3, 5]\n```", async |client, mock| {
    /// # use blocks_sdk::{Agent, CreateSession};
    /// let request = CreateSession::new(Agent::claude(), "Which issues are bugs?").expect::<Vec<u32>>();
    /// let session = client.create_session(request).await?;
    /// let bugs: Vec<u32> = session.first_reply().await?.json()?;
    /// assert_eq!(bugs, [3, 5]);
    /// # Ok(()) });
    /// ```
    #[cfg(feature = "schemars")]
    pub fn expect<T: schemars::JsonSchema>(self) -> Self {
        self.expect_schema(schema::schema_of::<T>())
    }

    /// Asks for a reply in JSON that conforms to a JSON Schema, which must be an object, `true` or `false`. The schema
    /// is added to the end of the message, in the same format as the schema of `expect`. Use
    /// [`Reply::json_matching`](crate::Reply::json_matching) to find the JSON in the reply.
    pub fn expect_schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Reads a request from JSON, for example from a file that a person wrote. The JSON must be one object with the
    /// fields of the service for a new session.
    ///
    /// An unknown field is an error, because its name may be misspelt. If your program serialized the request with
    /// serde, deserialize it with serde, for example with `serde_json::from_str`. This keeps unknown fields, except
    /// fields with the value null.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the JSON is not an object, `message` is
    /// missing, or a field is unknown or has the wrong type. Also returns the errors of [`Agent::from_json`] and
    /// [`validate`](Self::validate).
    ///
    /// ```
    /// use blocks_sdk::CreateSession;
    ///
    /// let line = serde_json::json!({"message": "Fix the tests.", "agent_name": "claude"});
    /// assert!(CreateSession::from_json(line).is_ok());
    /// ```
    pub fn from_json(request: Value) -> Result<Self, Error> {
        let Value::Object(fields) = &request else {
            return Err(Error::invalid_input("a request must be a JSON object"));
        };
        Agent::from_json(fields)?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(Error::invalid_input(format!(
                "unknown field `{unknown}`; expected one of {}",
                FIELDS.join(", ")
            )));
        }
        let mut fields = fields.clone();
        // A known field with the value null counts as absent.
        fields.retain(|_, value| !value.is_null());
        let body: types::CreateSessionRequest = serde_json::from_value(Value::Object(fields))
            .map_err(|e| Error::invalid_input(format!("cannot read the request: {e}")))?;
        let request = Self { body, schema: None };
        request.validate()?;
        Ok(request)
    }

    pub(crate) fn validated(self) -> Result<types::CreateSessionRequest, Error> {
        self.validate()?;
        Ok(self.sent())
    }

    /// Returns the request body, with the schema in the message.
    fn sent(self) -> types::CreateSessionRequest {
        let mut body = self.body;
        if let Some(schema) = &self.schema {
            body.message = schema::with_schema(&body.message, schema);
        }
        body
    }

    /// Checks the request. [`Client::create_session`](crate::Client::create_session) makes the same checks before it
    /// sends the request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the message is empty or only white space, the
    /// profile is empty, the title is too long, [`extra`](Self::extra) was used for a field that this release supports,
    /// or the schema of the expected reply is not an object or a Boolean.
    pub fn validate(&self) -> Result<(), Error> {
        check_message(&self.body.message)?;
        check_extra(&self.body.extra, &FIELDS)?;
        schema::check_schema(self.schema.as_ref())?;
        let body = &self.body;
        // If the profile is empty, the body omits it. Then the request would not name any agent.
        if body.agent_id.is_none() && body.agent_name.is_none() && body.profile.is_empty() {
            return Err(Error::invalid_input(
                "the profile is empty; give a JSON object with fields, or another agent",
            ));
        }
        let length = self.body.title.as_ref().map_or(0, |t| t.chars().count());
        if length > TITLE_MAX {
            return Err(Error::invalid_input(format!(
                "the title has {length} characters; at most {TITLE_MAX} are allowed"
            )));
        }
        Ok(())
    }
}

/// Describes a follow-up, which is a further prompt in a session. If the agent is still working on the previous prompt,
/// the follow-up interrupts this work.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// use blocks_sdk::FollowUp;
///
/// session.first_reply().await?;
/// let turn = session.follow_up(FollowUp::new("Now document it.")).await?;
/// assert_eq!(turn.reply().await?.text(), "Done.");
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
pub struct FollowUp {
    body: types::CreateMessageRequest,
    /// Whether the caller set a profile. The follow-up is rejected if this profile is empty. Otherwise the body would
    /// omit the profile, and the turn would run without the profile that the caller selected.
    has_profile: bool,
    /// The schema of the expected reply.
    schema: Option<Value>,
}

impl FollowUp {
    /// Describes a follow-up with `message`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::{ErrorKind, FollowUp};
    ///
    /// let error = session.follow_up(FollowUp::new("")).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// # Ok(()) });
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            body: types::CreateMessageRequest {
                message: message.into(),
                artifact_ids: Vec::new(),
                profile: Default::default(),
                extra: JsonObject::new(),
            },
            has_profile: false,
            schema: None,
        }
    }

    /// Creates a follow-up that asks the agent to correct a reply. The message says why the reply does not contain the
    /// expected JSON. Call `expect` or [`expect_schema`](Self::expect_schema) to add the schema again.
    pub fn correction(mismatch: &ReplyMismatch) -> Self {
        Self::new(format!(
            "Your last reply does not contain the expected JSON: {mismatch}. Reply again, with nothing but the JSON."
        ))
    }

    /// Asks for a reply in JSON that [`Reply::json`](crate::Reply::json) decodes as `T`. See
    /// [`CreateSession::expect`].
    #[cfg(feature = "schemars")]
    pub fn expect<T: schemars::JsonSchema>(self) -> Self {
        self.expect_schema(schema::schema_of::<T>())
    }

    /// Asks for a reply in JSON that conforms to a JSON Schema. See [`CreateSession::expect_schema`].
    pub fn expect_schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Attaches existing artifacts. Replaces the artifacts of an earlier call.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// # use blocks_sdk::FollowUp;
    /// let plan = session.plans().await?.remove(0)?;
    /// session.follow_up(FollowUp::new("Carry it out.").artifacts([plan.id()])).await?;
    /// # Ok(()) });
    /// ```
    pub fn artifacts(mut self, ids: impl IntoIterator<Item = impl Into<Id>>) -> Self {
        self.body.artifact_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a field that this release does not support; see [`CreateSession::extra`].
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body.extra.insert(name, value.into());
        self
    }

    /// Calls `setter` with the value if `value` is not `None`; see [`CreateSession::set`].
    pub fn set<T>(self, value: Option<T>, setter: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => setter(self, value),
            None => self,
        }
    }

    /// Returns the message, without the schema that [`expect_schema`](Self::expect_schema) adds to the message that is
    /// sent.
    pub fn message(&self) -> &str {
        &self.body.message
    }

    /// Selects another profile for this turn; see [`Agent::Profile`](crate::Agent::Profile).
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # use blocks_sdk::FollowUp;
    /// let reviewer = serde_json::Map::from_iter([("name".to_owned(), "reviewer".into())]);
    /// session.follow_up(FollowUp::new("Now review it.").profile(reviewer)).await?;
    /// # assert!(mock.requests()[1].body.contains(r#""profile":{"name":"reviewer"}"#));
    /// # Ok(()) });
    /// ```
    pub fn profile(mut self, profile: impl Into<JsonObject>) -> Self {
        self.has_profile = true;
        self.body.profile = profile.into();
        self
    }

    pub(crate) fn validated(self) -> Result<types::CreateMessageRequest, Error> {
        self.validate()?;
        Ok(self.sent())
    }

    /// Returns the request body, with the schema in the message.
    fn sent(self) -> types::CreateMessageRequest {
        let mut body = self.body;
        if let Some(schema) = &self.schema {
            body.message = schema::with_schema(&body.message, schema);
        }
        body
    }

    /// Checks the request. [`SessionRef::follow_up`](crate::SessionRef::follow_up) makes the same checks before it
    /// sends the request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the message is empty or only white space, the
    /// profile is empty, [`extra`](Self::extra) was used for a field that this release supports, or the schema of the
    /// expected reply is not an object or a Boolean.
    pub fn validate(&self) -> Result<(), Error> {
        check_message(&self.body.message)?;
        check_extra(&self.body.extra, &FOLLOW_UP_FIELDS)?;
        schema::check_schema(self.schema.as_ref())?;
        if self.has_profile && self.body.profile.is_empty() {
            return Err(Error::invalid_input(
                "the profile is empty; give a JSON object with fields, or none",
            ));
        }
        Ok(())
    }
}

fn check_message(message: &str) -> Result<(), Error> {
    if message.trim().is_empty() {
        return Err(Error::invalid_input(
            "the message is empty; give at least one character that is not white space",
        ));
    }
    Ok(())
}

fn check_extra(extra: &JsonObject, known: &[&str]) -> Result<(), Error> {
    match known.iter().find(|name| extra.contains_key(name)) {
        Some(name) => Err(Error::invalid_input(format!(
            "the field `{name}` cannot be an extra field: this release has a method or a parameter for it; \
             use that"
        ))),
        None => Ok(()),
    }
}

/// Serializes the request body. The message contains the schema of the expected reply. Fails if
/// [`extra`](CreateSession::extra) was used for a field that this release supports, because the stored request would be
/// a valid request with another value of this field.
impl Serialize for CreateSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        check_extra(&self.body.extra, &FIELDS).map_err(serde::ser::Error::custom)?;
        self.clone().sent().serialize(serializer)
    }
}

/// Serializes the request body. The message contains the schema of the expected reply. Fails if
/// [`extra`](FollowUp::extra) was used for a field that this release supports, because the stored request would be a
/// valid request with another value of this field.
impl Serialize for FollowUp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        check_extra(&self.body.extra, &FOLLOW_UP_FIELDS).map_err(serde::ser::Error::custom)?;
        let mut body = self.clone().sent();
        // The body omits an empty profile. Without the profile, the stored request would be valid.
        if self.has_profile && body.profile.is_empty() {
            body.extra.insert("profile", Value::Object(Map::new()));
        }
        body.serialize(serializer)
    }
}

/// Deserializes a request that was serialized with serde. Keeps agents that this release does not know, and unknown
/// fields whose value is not null.
impl<'de> Deserialize<'de> for CreateSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(deserializer)?;
        fields.retain(|_, value| !value.is_null());
        Agent::check_one(&fields).map_err(D::Error::custom)?;
        let body = serde_json::from_value(fields.into()).map_err(D::Error::custom)?;
        Ok(Self { body, schema: None })
    }
}

impl<'de> Deserialize<'de> for FollowUp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(deserializer)?;
        fields.retain(|_, value| !value.is_null());
        let has_profile = fields.contains_key("profile");
        let body = serde_json::from_value(fields.into()).map_err(D::Error::custom)?;
        Ok(Self {
            body,
            has_profile,
            schema: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_survive_storage() {
        let id = uuid::Uuid::from_u128(7);
        let profile = Agent::profile(json!({"name": "reviewer"})).unwrap();
        for agent in [
            Agent::claude(),
            Agent::any("newest"),
            Agent::Id(id),
            profile,
        ] {
            let request = CreateSession::new(agent, "Go.")
                .title("A title")
                .private(false)
                .artifacts([id])
                .session_group(id)
                .config_values(json!({"a": [1]}).as_object().unwrap().clone())
                .extra("budget", json!({"most": 5}))
                .extra("fast", true);
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(
                serde_json::from_str::<CreateSession>(&text).unwrap(),
                request
            );
        }
        let profile = json!({"name": "reviewer"}).as_object().unwrap().clone();
        let request = FollowUp::new("More.").artifacts([id]).profile(profile);
        let request = request.extra("fast", true);
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<FollowUp>(&text).unwrap(), request);
    }

    #[test]
    fn a_refused_extra_field_is_not_stored() {
        let create = CreateSession::new(Agent::claude(), "Go.").extra("message", "Stop.");
        let follow_up = FollowUp::new("Go.").extra("message", "Stop.");
        for error in [
            serde_json::to_string(&create),
            serde_json::to_string(&follow_up),
        ] {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("`message` cannot be an extra field"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_empty_profile_is_refused_after_storage_too() {
        let request = FollowUp::new("More.").profile(Map::new());
        let text = serde_json::to_string(&request).unwrap();
        let read: FollowUp = serde_json::from_str(&text).unwrap();
        assert_eq!(read, request);
        assert!(request.validate().is_err());
        assert!(read.validate().is_err());
    }

    #[test]
    fn a_stored_request_contains_the_expected_schema() {
        let schema = json!({"type": "array"});
        let request = CreateSession::new(Agent::claude(), "Go.").expect_schema(schema.clone());
        let text = serde_json::to_string(&request).unwrap();
        let read: CreateSession = serde_json::from_str(&text).unwrap();
        assert_eq!(read.validated().unwrap(), request.validated().unwrap());
        let request = FollowUp::new("More.").expect_schema(schema);
        let text = serde_json::to_string(&request).unwrap();
        let read: FollowUp = serde_json::from_str(&text).unwrap();
        assert_eq!(read.validated().unwrap(), request.validated().unwrap());
    }

    #[test]
    fn a_stored_request_names_one_agent() {
        for fields in [
            json!({"message": "Go."}),
            json!({"message": "Go.", "agent_name": "kimi", "profile": {"a": 1}}),
        ] {
            let error = serde_json::from_value::<CreateSession>(fields).unwrap_err();
            assert!(error.to_string().contains("give exactly one of"), "{error}");
        }
    }

    #[test]
    fn an_extra_field_that_is_supported_is_refused() {
        for name in FIELDS {
            let request = CreateSession::new(Agent::claude(), "Go.").extra(name, "x");
            let error = request.validate().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        for name in FOLLOW_UP_FIELDS {
            assert!(FollowUp::new("Go.").extra(name, "x").validate().is_err());
        }
        let new = CreateSession::new(Agent::claude(), "Go.").extra("new", "x");
        assert!(new.validate().is_ok());
        assert!(
            CreateSession::from_json(json!({"message": "Go.", "agent_name": "kimi", "new": 1}))
                .is_err()
        );
    }
}
