//! Exactly one of `agent_id`, `agent_name` and `profile`.

use blocks_api::open::AgentName;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::Error;

/// Who works on a new session. A value of this type names exactly one agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Agent {
    /// A core agent.
    Name(AgentName),
    /// A custom agent of the workspace.
    Id(Uuid),
    /// A reference to a profile, or an inline one. Its inner shape is not documented.
    Profile(Map<String, Value>),
}

impl Agent {
    /// Claude.
    pub fn claude() -> Self {
        Self::Name(AgentName::Claude)
    }

    /// Codex.
    pub fn codex() -> Self {
        Self::Name(AgentName::Codex)
    }

    /// Gemini.
    pub fn gemini() -> Self {
        Self::Name(AgentName::Gemini)
    }

    /// A core agent that may be newer than this release; the name is sent as it is.
    pub fn other_name(name: impl Into<String>) -> Self {
        Self::Name(name.into().into())
    }

    /// The rule over data from outside: exactly one field may be given, and a name must be known.
    ///
    /// ```
    /// use blocks_sdk::Agent;
    ///
    /// assert_eq!(Agent::from_fields(None, Some("claude"), None)?, Agent::claude());
    /// assert!(Agent::from_fields(None, None, None).is_err());
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput), with what was given and what is allowed.
    pub fn from_fields(
        agent_id: Option<Uuid>,
        agent_name: Option<&str>,
        profile: Option<Map<String, Value>>,
    ) -> Result<Self, Error> {
        match (agent_id, agent_name, profile) {
            (Some(id), None, None) => Ok(Self::Id(id)),
            (None, Some(name), None) => match AgentName::from(name.to_owned()) {
                AgentName::Other(name) => Err(Error::invalid_input(format!(
                    "agent_name `{name}` is unknown; known are {}",
                    AgentName::KNOWN.join(", ")
                ))),
                known => Ok(Self::Name(known)),
            },
            (None, None, Some(profile)) => Ok(Self::Profile(profile)),
            (id, name, profile) => {
                let given: Vec<&str> = [
                    id.map(|_| "agent_id"),
                    name.map(|_| "agent_name"),
                    profile.map(|_| "profile"),
                ]
                .into_iter()
                .flatten()
                .collect();
                let given = if given.is_empty() {
                    "none".into()
                } else {
                    given.join(" and ")
                };
                Err(Error::invalid_input(format!(
                    "give exactly one of agent_id, agent_name, profile; given: {given}"
                )))
            }
        }
    }
}
