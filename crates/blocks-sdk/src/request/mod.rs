//! What a user sends, refused early when the service would refuse it.

pub(crate) mod agent;

use blocks_api::json::JsonObject;
use blocks_api::open::Id;
use blocks_api::types;
use serde_json::Value;

use crate::engine::error::Error;
use crate::request::agent::Agent;

const TITLE_MAX: usize = 200;

/// What a request may have, as the OpenAPI document names it.
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

/// A new session.
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
pub struct CreateSession {
    body: types::CreateSessionRequest,
}

impl CreateSession {
    /// A session in which `agent` works on `message`.
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
        };
        match agent {
            Agent::Name(name) => body.agent_name = Some(name),
            Agent::Id(id) => body.agent_id = Some(id.into()),
            Agent::Profile(profile) => body.profile = profile.into(),
        }
        Self { body }
    }

    /// Whether the session is hidden from other members of the workspace. Default: `false`, or what the workspace says.
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

    /// A title of at most 200 characters.
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

    /// Attaches existing artifacts to the first message.
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

    /// Puts the session into an existing group.
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

    /// Settings, which were seen in one third-party client only.
    pub fn config_values(mut self, values: impl Into<JsonObject>) -> Self {
        self.body.config_values = values.into();
        self
    }

    /// A request from outside, as the service takes it: one JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when a field is unknown or
    /// has the wrong type, or for the reasons of [`Agent::from_json`].
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
                "the field `{unknown}` is unknown; known are {}",
                FIELDS.join(", ")
            )));
        }
        let mut fields = fields.clone();
        // Null stands for a field that is not given.
        fields.retain(|_, value| !value.is_null());
        let body: types::CreateSessionRequest = serde_json::from_value(Value::Object(fields))
            .map_err(|e| Error::invalid_input(format!("the request cannot be read: {e}")))?;
        let request = Self { body };
        request.check()?;
        Ok(request)
    }

    pub(crate) fn validated(self) -> Result<types::CreateSessionRequest, Error> {
        self.check()?;
        Ok(self.body)
    }

    fn check(&self) -> Result<(), Error> {
        check_message(&self.body.message)?;
        let body = &self.body;
        // An empty profile is not sent, which would leave the session without an agent.
        if body.agent_id.is_none() && body.agent_name.is_none() && body.profile.is_empty() {
            return Err(Error::invalid_input("the profile is empty"));
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

/// A follow-up to a session. It interrupts a turn that is still in flight.
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
pub struct FollowUp {
    body: types::CreateMessageRequest,
    /// An empty profile would not be sent, and the default agent would work.
    has_profile: bool,
}

impl FollowUp {
    /// A follow-up with `message`.
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
            },
            has_profile: false,
        }
    }

    /// Attaches existing artifacts.
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

    /// Lets another profile work on it.
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
        check_message(&self.body.message)?;
        if self.has_profile && self.body.profile.is_empty() {
            return Err(Error::invalid_input("the profile is empty"));
        }
        Ok(self.body)
    }
}

fn check_message(message: &str) -> Result<(), Error> {
    if message.trim().is_empty() {
        return Err(Error::invalid_input("the message is empty"));
    }
    Ok(())
}
