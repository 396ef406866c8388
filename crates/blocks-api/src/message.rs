//! Reads the text and the tool call of a message.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::json::JsonObject;
use crate::open::MessageType;
use crate::types::Message;

impl Message {
    /// Returns the text, or an empty string if the service sent no text. An empty reply is valid.
    ///
    /// ```
    /// use blocks_api::types::Message;
    ///
    /// let message: Message = serde_json::from_str(r#"{"type": "final_message", "message": "Done."}"#)?;
    /// assert_eq!((message.text(), message.is_reply()), ("Done.", true));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn text(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Returns whether this is the final message of a turn, which is the agent's reply.
    pub fn is_reply(&self) -> bool {
        self.type_ == Some(MessageType::FinalMessage)
    }

    /// Returns the tool call of the message. Returns `None` if the message has another type, or if its text is not a
    /// tool call in JSON.
    pub fn tool_call(&self) -> Option<ToolCall> {
        ToolCall::of(self)
    }
}

/// Contains the name and the arguments of a tool call. The service does not report the result of the call.
///
/// The service was seen to send tool calls in two formats. The newer format is `{"__name__": "Read", "file_path":
/// "a.rs"}`, with the arguments beside the name. The older format is `{"__name__": "Bash", "input": "..."}`, where
/// `input` is a string that may contain JSON. [`fields`](Self::fields) contains every key except `__name__`.
/// [`arguments`](Self::arguments) returns the arguments for both formats.
///
/// ```
/// use blocks_api::message::ToolCall;
///
/// let newer: ToolCall = serde_json::from_str(r#"{"__name__": "Bash", "command": "ls"}"#)?;
/// let older: ToolCall = serde_json::from_str(r#"{"__name__": "Bash", "input": "{\"command\": \"ls\"}"}"#)?;
/// assert_eq!(newer.arguments(), older.arguments());
/// assert_eq!(newer.arguments().get("command"), Some("ls".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ToolCall {
    /// The name of the tool.
    pub name: String,
    /// Every other key of the call, exactly as it was received.
    pub fields: JsonObject,
}

impl ToolCall {
    /// Reads the tool call of a message. Returns `None` if the message has another type, or if its text is not a tool
    /// call in JSON.
    ///
    /// ```
    /// use blocks_api::{message::ToolCall, types::Message};
    ///
    /// let message: Message = serde_json::from_value(serde_json::json!({
    ///     "type": "tool_call", "message": r#"{"__name__": "Read", "file_path": "a.rs"}"#,
    /// }))?;
    /// assert_eq!(ToolCall::of(&message).unwrap().name, "Read");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn of(message: &Message) -> Option<Self> {
        let is_call = message.type_ == Some(MessageType::ToolCall);
        let text = message.message.as_deref().filter(|_| is_call)?;
        serde_json::from_str(text).ok()
    }

    /// Returns the arguments. If `input` is the only field, and its value is an object or a string that contains an
    /// object as JSON, returns that object. Otherwise, returns all fields.
    pub fn arguments(&self) -> JsonObject {
        let only_input = (self.fields.len() == 1).then(|| self.fields.raw("input"));
        let input = only_input.flatten().map(|raw| {
            let text = serde_json::from_str::<String>(raw);
            text.unwrap_or_else(|_| raw.to_owned())
        });
        let unwrapped = input.and_then(|text| text.parse().ok());
        unwrapped.unwrap_or_else(|| self.fields.clone())
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = JsonObject::deserialize(deserializer)?;
        let name = fields.remove("__name__");
        let name = name.ok_or_else(|| D::Error::missing_field("__name__"))?;
        let name = serde_json::from_str(name.as_str()).map_err(D::Error::custom)?;
        Ok(Self { name, fields })
    }
}

impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.fields.len()))?;
        map.serialize_entry("__name__", &self.name)?;
        for (name, value) in self.fields.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for ToolCall {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ToolCall".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object", "required": ["__name__"], "properties": {"__name__": {"type": "string"}},
            "additionalProperties": true,
        })
    }
}
