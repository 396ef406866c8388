//! What a user sends, refused early when the service would refuse it.

use blocks_api::types;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::agent::Agent;
use crate::error::Error;

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
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSession {
    body: types::CreateSessionRequest,
}

impl CreateSession {
    /// A session in which `agent` works on `message`.
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
            Agent::Id(id) => body.agent_id = Some(id),
            Agent::Profile(profile) => body.profile = profile,
        }
        Self { body }
    }

    /// Hides the session from other members of the workspace.
    pub fn private(mut self) -> Self {
        self.body.is_private = Some(true);
        self
    }

    /// A title of at most 200 characters.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.body.title = Some(title.into());
        self
    }

    /// Attaches existing artifacts to the first message.
    pub fn artifacts(mut self, ids: impl IntoIterator<Item = Uuid>) -> Self {
        self.body.artifact_ids.extend(ids);
        self
    }

    /// Puts the session into an existing group.
    pub fn session_group(mut self, id: Uuid) -> Self {
        self.body.session_group_id = Some(id);
        self
    }

    /// Settings, which were seen in one third-party client only.
    pub fn config_values(mut self, values: Map<String, Value>) -> Self {
        self.body.config_values = values;
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
#[derive(Clone, Debug, PartialEq)]
pub struct FollowUp {
    body: types::CreateMessageRequest,
}

impl FollowUp {
    /// A follow-up with `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            body: types::CreateMessageRequest {
                message: message.into(),
                artifact_ids: Vec::new(),
                profile: Default::default(),
            },
        }
    }

    /// Attaches existing artifacts.
    pub fn artifacts(mut self, ids: impl IntoIterator<Item = Uuid>) -> Self {
        self.body.artifact_ids.extend(ids);
        self
    }

    /// Lets another profile work on it.
    pub fn profile(mut self, profile: Map<String, Value>) -> Self {
        self.body.profile = profile;
        self
    }

    pub(crate) fn validated(self) -> Result<types::CreateMessageRequest, Error> {
        check_message(&self.body.message)?;
        Ok(self.body)
    }
}

fn check_message(message: &str) -> Result<(), Error> {
    if message.trim().is_empty() {
        return Err(Error::invalid_input("the message is empty"));
    }
    Ok(())
}
