//! Selects the agent of a new session. A request names the agent in exactly one of the fields `agent_id`, `agent_name`
//! and `profile`.

use std::str::FromStr;

use blocks_api::open::AgentName;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::engine::error::Error;

/// Selects the agent of a new session. Each value of this type names one agent, except an empty profile, which names
/// none. A request with an empty profile is rejected before it is sent.
///
/// ```
/// use blocks_sdk::{Agent, AgentName};
///
/// assert_eq!(Agent::claude(), Agent::Name(AgentName::Claude));
/// let custom = Agent::Id(uuid::uuid!("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11"));
/// assert_ne!(custom, Agent::claude());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Agent {
    /// A core agent: an agent that is built into Blocks and has a name, such as `claude`.
    Name(AgentName),
    /// A custom agent of the workspace, selected by its id.
    Id(Uuid),
    /// A JSON object that refers to a profile, or contains the profile itself (an inline profile). The service applies
    /// the profile to the session. The vendor does not document what a profile contains.
    Profile(Map<String, Value>),
}

impl Agent {
    /// Selects Claude.
    pub fn claude() -> Self {
        Self::Name(AgentName::Claude)
    }

    /// Selects Codex.
    pub fn codex() -> Self {
        Self::Name(AgentName::Codex)
    }

    /// Selects Gemini.
    pub fn gemini() -> Self {
        Self::Name(AgentName::Gemini)
    }

    /// Selects OpenCode.
    pub fn opencode() -> Self {
        Self::Name(AgentName::Opencode)
    }

    /// Selects Cursor.
    pub fn cursor() -> Self {
        Self::Name(AgentName::Cursor)
    }

    /// Selects Kimi.
    pub fn kimi() -> Self {
        Self::Name(AgentName::Kimi)
    }

    /// Selects a core agent (an agent that is built into Blocks) by its name, even if this release does not know the
    /// name. The name is sent unchanged.
    ///
    /// ```
    /// use blocks_sdk::{Agent, AgentName};
    ///
    /// let newer = Agent::any("newest");
    /// assert_eq!(newer, Agent::Name(AgentName::from("newest".to_owned())));
    /// assert_eq!(Agent::any("kimi"), Agent::kimi());
    /// ```
    pub fn any(name: impl Into<String>) -> Self {
        Self::Name(name.into().into())
    }

    /// Selects a profile by a JSON object; see [`Agent::Profile`].
    ///
    /// # Errors
    /// Returns an error if the profile is not an object, or is empty.
    ///
    /// ```
    /// use blocks_sdk::Agent;
    ///
    /// assert!(Agent::profile(serde_json::json!({"name": "reviewer"})).is_ok());
    /// assert!(Agent::profile(serde_json::json!("reviewer")).is_err());
    /// ```
    pub fn profile(profile: Value) -> Result<Self, Error> {
        match profile {
            Value::Object(map) if map.is_empty() => Err(Error::invalid_input(
                "the profile is empty; give a JSON object with fields, or another agent",
            )),
            Value::Object(map) => Ok(Self::Profile(map)),
            other => Err(Error::invalid_input(format!(
                "a profile must be a JSON object, not {}",
                kind(&other)
            ))),
        }
    }

    /// Selects the agent from external input, such as command-line flags. Exactly one of the three values must be
    /// `Some`. If `agent_name` is given, this release must know the name.
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
    /// Returns [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput). If no value or several values are given,
    /// the error lists the given fields and the allowed fields. If the name is unknown, the error lists the known
    /// names, and suggests the most similar name if one is similar enough.
    pub fn from_fields(
        agent_id: Option<Uuid>,
        agent_name: Option<&str>,
        profile: Option<Map<String, Value>>,
    ) -> Result<Self, Error> {
        match (agent_id, agent_name, profile) {
            (Some(id), None, None) => Ok(Self::Id(id)),
            (None, Some(name), None) => known(name).map(Self::Name),
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
                Err(not_one(&given))
            }
        }
    }

    /// Reads the agent from a JSON object, such as a line of a file. A field with the value null counts as missing.
    /// Fields that do not select an agent, such as `message`, are ignored.
    ///
    /// ```
    /// use blocks_sdk::Agent;
    ///
    /// let body = serde_json::json!({"message": "hello", "agent_name": "codex", "profile": null});
    /// assert_eq!(Agent::from_json(body.as_object().unwrap())?, Agent::codex());
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`from_fields`](Self::from_fields) and [`profile`](Self::profile), and an error if a field
    /// has the wrong type.
    pub fn from_json(body: &Map<String, Value>) -> Result<Self, Error> {
        let field = Self::check_one(body)?;
        let wrong = |expected: &str, value: &Value| {
            Error::invalid_input(format!("{field} must be {expected}, not {}", kind(value)))
        };
        match (field, &body[field]) {
            ("agent_id", Value::String(text)) => text.parse().map(Self::Id).map_err(|_| {
                Error::invalid_input(format!("agent_id must be a UUID, not `{text}`"))
            }),
            ("agent_id", other) => Err(wrong("a UUID in a string", other)),
            ("agent_name", Value::String(name)) => known(name).map(Self::Name),
            ("agent_name", other) => Err(wrong("a string", other)),
            (_, profile) => Self::profile(profile.clone()),
        }
    }

    /// Returns the name of the field that selects the agent. Returns an error if the JSON object `body` has no such
    /// field, or several.
    pub(crate) fn check_one(body: &Map<String, Value>) -> Result<&'static str, Error> {
        let given: Vec<&str> = ["agent_id", "agent_name", "profile"]
            .into_iter()
            .filter(|field| body.get(*field).is_some_and(|value| !value.is_null()))
            .collect();
        match given[..] {
            [field] => Ok(field),
            _ => Err(not_one(&given)),
        }
    }
}

/// Parses the name of a core agent: an agent that is built into Blocks, such as `claude`. This release must know the
/// name, and the name must be in lower case.
impl FromStr for Agent {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        known(name).map(Self::Name)
    }
}

impl From<AgentName> for Agent {
    fn from(name: AgentName) -> Self {
        Self::Name(name)
    }
}

impl From<Uuid> for Agent {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

fn not_one(given: &[&str]) -> Error {
    let given = if given.is_empty() {
        "none".to_owned()
    } else {
        given.join(" and ")
    };
    Error::invalid_input(format!(
        "give exactly one of agent_id, agent_name, profile; given: {given}"
    ))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn known(name: &str) -> Result<AgentName, Error> {
    let agent = AgentName::from(name.to_owned());
    if agent.is_known() {
        return Ok(agent);
    }
    // Only the first 64 characters are compared, because the comparison of a long name would take long. No known name
    // is longer than 64 characters.
    let start: String = name.chars().take(64).collect();
    let nearest = AgentName::KNOWN
        .iter()
        .map(|known| (strsim::osa_distance(&start.to_lowercase(), known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .map_or(";".to_owned(), |(_, known)| {
            format!("; did you mean {known}?")
        });
    // A long name is shortened, so that the known names are not cut off at the end of the error.
    let mut shown: String = name.chars().take(60).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    Err(Error::invalid_input(format!(
        "agent_name `{shown}` is unknown{nearest} known are {}",
        AgentName::KNOWN.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_name_gets_the_nearest() {
        for (given, suggestion) in [
            ("cluade", Some("claude")),
            ("Claude", Some("claude")),
            ("gemni", Some("gemini")),
            ("open-code", Some("opencode")),
            ("coursor", Some("cursor")),
            ("zzzzzzzz", None),
        ] {
            let text = Agent::from_fields(None, Some(given), None)
                .unwrap_err()
                .to_string();
            match suggestion {
                Some(suggestion) => assert!(
                    text.contains(&format!("did you mean {suggestion}?")),
                    "{text}"
                ),
                None => assert!(!text.contains("did you mean"), "{text}"),
            }
        }
    }

    #[test]
    fn an_error_of_a_long_name_lists_the_known_names() {
        let name = "é".repeat(1_000);
        let error = name.parse::<Agent>().unwrap_err().to_string();
        let shown = "é".repeat(60);
        let known = AgentName::KNOWN.join(", ");
        assert_eq!(
            error,
            format!("agent_name `{shown}…` is unknown; known are {known}")
        );
    }

    #[test]
    fn an_error_names_what_was_given_and_what_is_allowed() {
        for (body, expected) in [
            (json!({}), "given: none"),
            (
                json!({"agent_name": "kimi", "profile": {"a": 1}}),
                "given: agent_name and profile",
            ),
            (
                json!({"agent_name": 7}),
                "agent_name must be a string, not a number",
            ),
            (json!({"agent_id": "x"}), "agent_id must be a UUID, not `x`"),
            (
                json!({"profile": []}),
                "a profile must be a JSON object, not an array",
            ),
            (
                json!({"profile": {}}),
                "the profile is empty; give a JSON object with fields, or another agent",
            ),
        ] {
            let text = Agent::from_json(body.as_object().unwrap())
                .unwrap_err()
                .to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(claude|kimi|[a-z]{0,8})".prop_map(Value::from),
            any::<u128>().prop_map(|n| Value::from(Uuid::from_u128(n).to_string())),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[a-z]{1,4}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_json_is_given_an_agent_means_exactly_one_field(
            id in any_json(), name in any_json(), profile in any_json(),
        ) {
            let fields = [("agent_id", id), ("agent_name", name), ("profile", profile)];
            let given = fields.iter().filter(|(_, value)| !value.is_null()).count();
            let body: Map<_, _> = fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
            match Agent::from_json(&body) {
                Ok(agent) => {
                    prop_assert_eq!(given, 1);
                    let sent = match agent {
                        Agent::Id(id) => ("agent_id", json!(id)),
                        Agent::Name(name) => ("agent_name", json!(name)),
                        Agent::Profile(map) => ("profile", json!(map)),
                    };
                    prop_assert_eq!(&body[sent.0], &sent.1);
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
                    prop_assert_eq!(error.to_string().contains("given: "), given != 1);
                }
            }
        }
    }
}
