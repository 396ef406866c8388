//! Enums that keep a value they do not know: the service may add one at any time.

use std::convert::Infallible;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema), schemars(with = "String"))]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A value newer than this release, as it was given.
            Other(String),
        }

        impl $name {
            /// Every value that this release knows.
            pub const KNOWN: &[&str] = &[$($text),*];

            /// The value as it stands in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = Infallible;
            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.to_owned().into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

open_enum! {
    /// A core agent.
    AgentName {
        /// Claude.
        Claude = "claude",
        /// Codex.
        Codex = "codex",
        /// Gemini.
        Gemini = "gemini",
        /// OpenCode.
        Opencode = "opencode",
        /// Cursor.
        Cursor = "cursor",
        /// Kimi.
        Kimi = "kimi",
        /// Sisyphus, which the vendor's own client sends and its pages do not name.
        Sisyphus = "sisyphus",
    }
}

open_enum! {
    /// Who wrote a message.
    MessageRole {
        /// The user.
        User = "user",
        /// The agent.
        Assistant = "assistant",
    }
}

open_enum! {
    /// What a message is.
    MessageType {
        /// A message on the way.
        Message = "message",
        /// The reply.
        FinalMessage = "final_message",
        /// A call of a tool, without its result.
        ToolCall = "tool_call",
    }
}

open_enum! {
    /// What an artifact is.
    ArtifactKind {
        /// A plan.
        Plan = "plan",
        /// A file.
        File = "file",
    }
}

open_enum! {
    /// The order of messages by time.
    Direction {
        /// Oldest first.
        Asc = "asc",
        /// Newest first.
        Desc = "desc",
    }
}

/// A pull request, in any of the shapes that the service was seen to send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum PullRequest {
    /// An id or a URL.
    Text(String),
    /// An object; `url` and `status` are the fields seen so far.
    Object(Map<String, Value>),
    /// Anything else, as it was sent.
    Other(Value),
}

impl PullRequest {
    /// The URL, or the id where the service sent only that.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Object(map) => map.get("url")?.as_str(),
            Self::Other(_) => None,
        }
    }
}

/// An address on a storage host that gives access to whoever has it: a secret, whose query is
/// kept out of `Debug`.
///
/// ```
/// use blocks_api::open::PresignedUrl;
///
/// let url = PresignedUrl::from("https://storage.example/plan.md?signature=s3cret".to_owned());
/// assert_eq!(format!("{url:?}"), "https://storage.example/plan.md?<redacted>");
/// assert!(url.as_str().ends_with("s3cret"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(with = "String")
)]
pub struct PresignedUrl(String);

impl PresignedUrl {
    /// The whole of it, to fetch without the API key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PresignedUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.0.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{address}?<redacted>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_survive_a_round_trip() {
        let role: MessageRole = serde_json::from_str("\"system\"").unwrap();
        assert_eq!(role, MessageRole::Other("system".into()));
        assert_eq!(serde_json::to_string(&role).unwrap(), "\"system\"");
    }

    #[test]
    fn pull_requests_decode_in_every_shape() {
        let text = r#"["https://x/1", {"url": "https://x/2", "status": "open"}, 7]"#;
        let all: Vec<PullRequest> = serde_json::from_str(text).unwrap();
        let urls: Vec<_> = all.iter().map(PullRequest::url).collect();
        assert_eq!(urls, [Some("https://x/1"), Some("https://x/2"), None]);
        assert_eq!(
            serde_json::to_value(&all).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }
}
