// Generated from openapi/blocks.yaml by `cargo xtask codegen`. Do not edit.

#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{ClientHooks, OperationInfo, RequestBuilderExt, encode_path};
/// Types used as operation parameters and responses.
#[allow(clippy::all)]
pub mod types {
    /// A file or plan. Fetch its url without the Authorization header.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct Artifact {
        /// When it was made.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub created_at: ::std::option::Option<crate::open::Timestamp>,
        /// The file's name.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub file_name: ::std::option::Option<::std::string::String>,
        /// Where the agent had it.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub file_path: ::std::option::Option<::std::string::String>,
        /// Size, in KB.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub file_size_in_kb: ::std::option::Option<f64>,
        /// The artifact's id.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub id: ::std::option::Option<crate::open::Id>,
        /// What it is. Values may be added.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub kind: ::std::option::Option<crate::open::ArtifactKind>,
        /// The media type.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub mime_type: ::std::option::Option<::std::string::String>,
        /// The plan it belongs to.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub plan_id: ::std::option::Option<crate::open::Id>,
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub url: ::std::option::Option<crate::open::PresignedUrl>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        Artifact { needed : {} optional : { created_at : "created_at", file_name :
        "file_name", file_path : "file_path", file_size_in_kb : "file_size_in_kb", id :
        "id", kind : "kind", mime_type : "mime_type", plan_id : "plan_id", url : "url", }
        }
    }
    impl Artifact {
        pub fn builder() -> builder::Artifact {
            Default::default()
        }
    }
    /// A follow-up to a session.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct CreateMessageRequest {
        /// Existing artifacts to attach.
        #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
        pub artifact_ids: ::std::vec::Vec<crate::open::Id>,
        /// The user message.
        pub message: ::std::string::String,
        /// A reference to a profile or an inline one.
        #[serde(default, skip_serializing_if = "crate::json::JsonObject::is_empty")]
        pub profile: crate::json::JsonObject,
    }
    impl CreateMessageRequest {
        pub fn builder() -> builder::CreateMessageRequest {
            Default::default()
        }
    }
    /// A new session. Give exactly one of agent_id, agent_name and profile.
    #[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct CreateSessionRequest {
        /// A custom agent of the workspace.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub agent_id: ::std::option::Option<crate::open::Id>,
        /// A core agent by name.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub agent_name: ::std::option::Option<crate::open::AgentName>,
        /// Existing artifacts to attach to the first message.
        #[serde(default, skip_serializing_if = "::std::vec::Vec::is_empty")]
        pub artifact_ids: ::std::vec::Vec<crate::open::Id>,
        /// Settings. Seen in one third-party client only.
        #[serde(default, skip_serializing_if = "crate::json::JsonObject::is_empty")]
        pub config_values: crate::json::JsonObject,
        /// Whether other workspace members do not see the session.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub is_private: ::std::option::Option<bool>,
        /// The first user message.
        pub message: ::std::string::String,
        /// A reference to a profile or an inline one. Its inner shape is not documented.
        #[serde(default, skip_serializing_if = "crate::json::JsonObject::is_empty")]
        pub profile: crate::json::JsonObject,
        /// An existing group to put the session in. Seen in the vendor's client only.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub session_group_id: ::std::option::Option<crate::open::Id>,
        /// A title, at most 200 characters. Seen in the vendor's client only.
        #[serde(skip_serializing_if = "::std::option::Option::is_none")]
        pub title: ::std::option::Option<::std::string::String>,
    }
    impl CreateSessionRequest {
        pub fn builder() -> builder::CreateSessionRequest {
            Default::default()
        }
    }
    /// What went wrong. The documentation names code and message; the live service sends error. An intermediary may respond with HTML or nothing.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct ErrorBody {
        /// VALIDATION, NOT_FOUND or BAD_REQUEST.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub code: ::std::option::Option<::std::string::String>,
        /// The reason.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub error: ::std::option::Option<::std::string::String>,
        /// The reason.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub message: ::std::option::Option<::std::string::String>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        ErrorBody { needed : {} optional : { code : "code", error : "error", message :
        "message", } }
    }
    impl ErrorBody {
        pub fn builder() -> builder::ErrorBody {
            Default::default()
        }
    }
    /// A link. Its host can differ from the one that was called.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct Link {
        /// The address.
        pub href: ::std::string::String,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        Link { needed : { href : "href", } optional : {} }
    }
    impl Link {
        pub fn builder() -> builder::Link {
            Default::default()
        }
    }
    /// A message.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct Message {
        /// Its session.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub chat_id: ::std::option::Option<crate::open::Id>,
        /// Its thread. Null for a system notice.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub chat_thread_id: ::std::option::Option<crate::open::Id>,
        /// When it was created.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub created_at: ::std::option::Option<crate::open::Timestamp>,
        /// The message's id.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub id: ::std::option::Option<crate::open::Id>,
        /// Where the reply is.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "_links",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub links: ::std::option::Option<MessageLinks>,
        /// The text. An empty text is a valid reply.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub message: ::std::option::Option<::std::string::String>,
        /// Who wrote it. Values may be added.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub role: ::std::option::Option<crate::open::MessageRole>,
        /// The task it belongs to.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub task_id: ::std::option::Option<crate::open::Id>,
        /// Epoch seconds, with fractions.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub ts: ::std::option::Option<f64>,
        /// What it is. Values may be added.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "type",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub type_: ::std::option::Option<crate::open::MessageType>,
        /// When it was last changed.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub updated_at: ::std::option::Option<crate::open::Timestamp>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        Message { needed : {} optional : { chat_id : "chat_id", chat_thread_id :
        "chat_thread_id", created_at : "created_at", id : "id", links : "_links", message
        : "message", role : "role", task_id : "task_id", ts : "ts", type_ : "type",
        updated_at : "updated_at", } }
    }
    impl Message {
        pub fn builder() -> builder::Message {
            Default::default()
        }
    }
    /// Where the reply to a message is.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct MessageLinks {
        /// The reply; its page is empty until the reply is there. On a session that is read again it is null, or a link with `null` in place of the thread.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub final_message: ::std::option::Option<Link>,
        /// The resource itself.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "self",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub self_: ::std::option::Option<Link>,
        /// The thread's messages. Null when a session is read again.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub thread: ::std::option::Option<Link>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        MessageLinks { needed : {} optional : { final_message : "final_message", self_ :
        "self", thread : "thread", } }
    }
    impl MessageLinks {
        pub fn builder() -> builder::MessageLinks {
            Default::default()
        }
    }
    /// One page of messages.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct MessagePage {
        /// The messages.
        pub items: ::std::vec::Vec<Message>,
        /// Where more is.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "_links",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub links: ::std::option::Option<PageLinks>,
        /// Which page this is.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub meta: ::std::option::Option<PageMeta>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        MessagePage { needed : { items : "items", } optional : { links : "_links", meta :
        "meta", } }
    }
    impl MessagePage {
        pub fn builder() -> builder::MessagePage {
            Default::default()
        }
    }
    /// Where a page and what comes after it are. Both links drop the filters that were sent.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct PageLinks {
        /// Newer messages; keeps the gts cursor alone.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub new_messages: ::std::option::Option<Link>,
        /// The resource itself.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "self",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub self_: ::std::option::Option<Link>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        PageLinks { needed : {} optional : { new_messages : "new_messages", self_ :
        "self", } }
    }
    impl PageLinks {
        pub fn builder() -> builder::PageLinks {
            Default::default()
        }
    }
    /// Which page this is, of how many.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct PageMeta {
        /// Messages in a page.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub limit: ::std::option::Option<i64>,
        /// This page, from 1.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub page: ::std::option::Option<i64>,
        /// Messages over all pages.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub total: ::std::option::Option<i64>,
        /// Pages.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub total_pages: ::std::option::Option<i64>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        PageMeta { needed : {} optional : { limit : "limit", page : "page", total :
        "total", total_pages : "total_pages", } }
    }
    impl PageMeta {
        pub fn builder() -> builder::PageMeta {
            Default::default()
        }
    }
    /// A session. What only some sources guarantee can be missing or null.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct Session {
        /// When it was created.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub created_at: ::std::option::Option<crate::open::Timestamp>,
        /// The session's id.
        pub id: crate::open::Id,
        /// Whether it is archived.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub is_archived: ::std::option::Option<bool>,
        /// Whether other members do not see it. A workspace's admins can force it, so it can be true although false was sent.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub is_private: ::std::option::Option<bool>,
        /// Where its parts are.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "_links",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub links: ::std::option::Option<SessionLinks>,
        /// Its plans, oldest first. Seen beyond the documentation.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub plan_artifact_ids: ::std::option::Option<::std::vec::Vec<crate::open::Id>>,
        /// Pull requests that the agent opened. Filled only once they are open, so read the session again after the reply.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub pull_requests: ::std::option::Option<::std::vec::Vec<crate::open::PullRequest>>,
        /// Its group. Seen beyond the documentation.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub session_group_id: ::std::option::Option<crate::open::Id>,
        /// The page of the session for people. It usually contains the id of the workspace.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub session_html_url: ::std::option::Option<::std::string::String>,
        /// Where the session was started from.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub source_url: ::std::option::Option<::std::string::String>,
        /// The first thread. Null when the session is read again.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub thread_id: ::std::option::Option<crate::open::Id>,
        /// Its title.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub title: ::std::option::Option<::std::string::String>,
        /// When it was last changed.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub updated_at: ::std::option::Option<crate::open::Timestamp>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        Session { needed : { id : "id", } optional : { created_at : "created_at",
        is_archived : "is_archived", is_private : "is_private", links : "_links",
        plan_artifact_ids : "plan_artifact_ids", pull_requests : "pull_requests",
        session_group_id : "session_group_id", session_html_url : "session_html_url",
        source_url : "source_url", thread_id : "thread_id", title : "title", updated_at :
        "updated_at", } }
    }
    impl Session {
        pub fn builder() -> builder::Session {
            Default::default()
        }
    }
    /// Where a session's parts are.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    pub struct SessionLinks {
        /// The reply; its page is empty until the reply is there. On a session that is read again it is null, or a link with `null` in place of the thread.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub final_message: ::std::option::Option<Link>,
        /// All messages.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub messages: ::std::option::Option<Link>,
        /// The resource itself.
        #[cfg_attr(
            feature = "schemars",
            serde(
                rename = "self",
                skip_serializing_if = "::std::option::Option::is_none"
            )
        )]
        pub self_: ::std::option::Option<Link>,
        /// The thread's messages. Null when a session is read again.
        #[cfg_attr(
            feature = "schemars",
            serde(skip_serializing_if = "::std::option::Option::is_none")
        )]
        pub thread: ::std::option::Option<Link>,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        SessionLinks { needed : {} optional : { final_message : "final_message", messages
        : "messages", self_ : "self", thread : "thread", } }
    }
    impl SessionLinks {
        pub fn builder() -> builder::SessionLinks {
            Default::default()
        }
    }
    /// Types for composing complex structures.
    pub mod builder {
        #[derive(Clone, Debug)]
        pub struct Artifact {
            created_at: ::std::result::Result<
                ::std::option::Option<crate::open::Timestamp>,
                ::std::string::String,
            >,
            file_name: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            file_path: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            file_size_in_kb:
                ::std::result::Result<::std::option::Option<f64>, ::std::string::String>,
            id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            kind: ::std::result::Result<
                ::std::option::Option<crate::open::ArtifactKind>,
                ::std::string::String,
            >,
            mime_type: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            plan_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            url: ::std::result::Result<
                ::std::option::Option<crate::open::PresignedUrl>,
                ::std::string::String,
            >,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for Artifact {
            fn default() -> Self {
                Self {
                    created_at: Ok(Default::default()),
                    file_name: Ok(Default::default()),
                    file_path: Ok(Default::default()),
                    file_size_in_kb: Ok(Default::default()),
                    id: Ok(Default::default()),
                    kind: Ok(Default::default()),
                    mime_type: Ok(Default::default()),
                    plan_id: Ok(Default::default()),
                    url: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl Artifact {
            pub fn created_at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Timestamp>>,
                T::Error: ::std::fmt::Display,
            {
                self.created_at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for created_at: {e}"));
                self
            }
            pub fn file_name<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.file_name = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for file_name: {e}"));
                self
            }
            pub fn file_path<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.file_path = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for file_path: {e}"));
                self
            }
            pub fn file_size_in_kb<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<f64>>,
                T::Error: ::std::fmt::Display,
            {
                self.file_size_in_kb = value.try_into().map_err(|e| {
                    format!("error converting supplied value for file_size_in_kb: {e}")
                });
                self
            }
            pub fn id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for id: {e}"));
                self
            }
            pub fn kind<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::ArtifactKind>>,
                T::Error: ::std::fmt::Display,
            {
                self.kind = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for kind: {e}"));
                self
            }
            pub fn mime_type<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.mime_type = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for mime_type: {e}"));
                self
            }
            pub fn plan_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.plan_id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for plan_id: {e}"));
                self
            }
            pub fn url<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::PresignedUrl>>,
                T::Error: ::std::fmt::Display,
            {
                self.url = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for url: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<Artifact> for super::Artifact {
            type Error = super::error::ConversionError;
            fn try_from(
                value: Artifact,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    created_at: value.created_at?,
                    file_name: value.file_name?,
                    file_path: value.file_path?,
                    file_size_in_kb: value.file_size_in_kb?,
                    id: value.id?,
                    kind: value.kind?,
                    mime_type: value.mime_type?,
                    plan_id: value.plan_id?,
                    url: value.url?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::Artifact> for Artifact {
            fn from(value: super::Artifact) -> Self {
                Self {
                    created_at: Ok(value.created_at),
                    file_name: Ok(value.file_name),
                    file_path: Ok(value.file_path),
                    file_size_in_kb: Ok(value.file_size_in_kb),
                    id: Ok(value.id),
                    kind: Ok(value.kind),
                    mime_type: Ok(value.mime_type),
                    plan_id: Ok(value.plan_id),
                    url: Ok(value.url),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct CreateMessageRequest {
            artifact_ids:
                ::std::result::Result<::std::vec::Vec<crate::open::Id>, ::std::string::String>,
            message: ::std::result::Result<::std::string::String, ::std::string::String>,
            profile: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for CreateMessageRequest {
            fn default() -> Self {
                Self {
                    artifact_ids: Ok(Default::default()),
                    message: Err("no value supplied for message".to_string()),
                    profile: Ok(Default::default()),
                }
            }
        }
        impl CreateMessageRequest {
            pub fn artifact_ids<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::vec::Vec<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.artifact_ids = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for artifact_ids: {e}"));
                self
            }
            pub fn message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::string::String>,
                T::Error: ::std::fmt::Display,
            {
                self.message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for message: {e}"));
                self
            }
            pub fn profile<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.profile = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for profile: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<CreateMessageRequest> for super::CreateMessageRequest {
            type Error = super::error::ConversionError;
            fn try_from(
                value: CreateMessageRequest,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    artifact_ids: value.artifact_ids?,
                    message: value.message?,
                    profile: value.profile?,
                })
            }
        }
        impl ::std::convert::From<super::CreateMessageRequest> for CreateMessageRequest {
            fn from(value: super::CreateMessageRequest) -> Self {
                Self {
                    artifact_ids: Ok(value.artifact_ids),
                    message: Ok(value.message),
                    profile: Ok(value.profile),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct CreateSessionRequest {
            agent_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            agent_name: ::std::result::Result<
                ::std::option::Option<crate::open::AgentName>,
                ::std::string::String,
            >,
            artifact_ids:
                ::std::result::Result<::std::vec::Vec<crate::open::Id>, ::std::string::String>,
            config_values: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
            is_private: ::std::result::Result<::std::option::Option<bool>, ::std::string::String>,
            message: ::std::result::Result<::std::string::String, ::std::string::String>,
            profile: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
            session_group_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            title: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
        }
        impl ::std::default::Default for CreateSessionRequest {
            fn default() -> Self {
                Self {
                    agent_id: Ok(Default::default()),
                    agent_name: Ok(Default::default()),
                    artifact_ids: Ok(Default::default()),
                    config_values: Ok(Default::default()),
                    is_private: Ok(Default::default()),
                    message: Err("no value supplied for message".to_string()),
                    profile: Ok(Default::default()),
                    session_group_id: Ok(Default::default()),
                    title: Ok(Default::default()),
                }
            }
        }
        impl CreateSessionRequest {
            pub fn agent_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.agent_id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for agent_id: {e}"));
                self
            }
            pub fn agent_name<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::AgentName>>,
                T::Error: ::std::fmt::Display,
            {
                self.agent_name = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for agent_name: {e}"));
                self
            }
            pub fn artifact_ids<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::vec::Vec<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.artifact_ids = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for artifact_ids: {e}"));
                self
            }
            pub fn config_values<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.config_values = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for config_values: {e}"));
                self
            }
            pub fn is_private<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<bool>>,
                T::Error: ::std::fmt::Display,
            {
                self.is_private = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for is_private: {e}"));
                self
            }
            pub fn message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::string::String>,
                T::Error: ::std::fmt::Display,
            {
                self.message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for message: {e}"));
                self
            }
            pub fn profile<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.profile = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for profile: {e}"));
                self
            }
            pub fn session_group_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.session_group_id = value.try_into().map_err(|e| {
                    format!("error converting supplied value for session_group_id: {e}")
                });
                self
            }
            pub fn title<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.title = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for title: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<CreateSessionRequest> for super::CreateSessionRequest {
            type Error = super::error::ConversionError;
            fn try_from(
                value: CreateSessionRequest,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    agent_id: value.agent_id?,
                    agent_name: value.agent_name?,
                    artifact_ids: value.artifact_ids?,
                    config_values: value.config_values?,
                    is_private: value.is_private?,
                    message: value.message?,
                    profile: value.profile?,
                    session_group_id: value.session_group_id?,
                    title: value.title?,
                })
            }
        }
        impl ::std::convert::From<super::CreateSessionRequest> for CreateSessionRequest {
            fn from(value: super::CreateSessionRequest) -> Self {
                Self {
                    agent_id: Ok(value.agent_id),
                    agent_name: Ok(value.agent_name),
                    artifact_ids: Ok(value.artifact_ids),
                    config_values: Ok(value.config_values),
                    is_private: Ok(value.is_private),
                    message: Ok(value.message),
                    profile: Ok(value.profile),
                    session_group_id: Ok(value.session_group_id),
                    title: Ok(value.title),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct ErrorBody {
            code: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            error: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            message: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for ErrorBody {
            fn default() -> Self {
                Self {
                    code: Ok(Default::default()),
                    error: Ok(Default::default()),
                    message: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl ErrorBody {
            pub fn code<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.code = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for code: {e}"));
                self
            }
            pub fn error<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.error = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for error: {e}"));
                self
            }
            pub fn message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for message: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<ErrorBody> for super::ErrorBody {
            type Error = super::error::ConversionError;
            fn try_from(
                value: ErrorBody,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    code: value.code?,
                    error: value.error?,
                    message: value.message?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::ErrorBody> for ErrorBody {
            fn from(value: super::ErrorBody) -> Self {
                Self {
                    code: Ok(value.code),
                    error: Ok(value.error),
                    message: Ok(value.message),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct Link {
            href: ::std::result::Result<::std::string::String, ::std::string::String>,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for Link {
            fn default() -> Self {
                Self {
                    href: Err("no value supplied for href".to_string()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl Link {
            pub fn href<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::string::String>,
                T::Error: ::std::fmt::Display,
            {
                self.href = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for href: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<Link> for super::Link {
            type Error = super::error::ConversionError;
            fn try_from(value: Link) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    href: value.href?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::Link> for Link {
            fn from(value: super::Link) -> Self {
                Self {
                    href: Ok(value.href),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct Message {
            chat_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            chat_thread_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            created_at: ::std::result::Result<
                ::std::option::Option<crate::open::Timestamp>,
                ::std::string::String,
            >,
            id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            links: ::std::result::Result<
                ::std::option::Option<super::MessageLinks>,
                ::std::string::String,
            >,
            message: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            role: ::std::result::Result<
                ::std::option::Option<crate::open::MessageRole>,
                ::std::string::String,
            >,
            task_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            ts: ::std::result::Result<::std::option::Option<f64>, ::std::string::String>,
            type_: ::std::result::Result<
                ::std::option::Option<crate::open::MessageType>,
                ::std::string::String,
            >,
            updated_at: ::std::result::Result<
                ::std::option::Option<crate::open::Timestamp>,
                ::std::string::String,
            >,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for Message {
            fn default() -> Self {
                Self {
                    chat_id: Ok(Default::default()),
                    chat_thread_id: Ok(Default::default()),
                    created_at: Ok(Default::default()),
                    id: Ok(Default::default()),
                    links: Ok(Default::default()),
                    message: Ok(Default::default()),
                    role: Ok(Default::default()),
                    task_id: Ok(Default::default()),
                    ts: Ok(Default::default()),
                    type_: Ok(Default::default()),
                    updated_at: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl Message {
            pub fn chat_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.chat_id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for chat_id: {e}"));
                self
            }
            pub fn chat_thread_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.chat_thread_id = value.try_into().map_err(|e| {
                    format!("error converting supplied value for chat_thread_id: {e}")
                });
                self
            }
            pub fn created_at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Timestamp>>,
                T::Error: ::std::fmt::Display,
            {
                self.created_at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for created_at: {e}"));
                self
            }
            pub fn id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for id: {e}"));
                self
            }
            pub fn links<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::MessageLinks>>,
                T::Error: ::std::fmt::Display,
            {
                self.links = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for links: {e}"));
                self
            }
            pub fn message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for message: {e}"));
                self
            }
            pub fn role<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::MessageRole>>,
                T::Error: ::std::fmt::Display,
            {
                self.role = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for role: {e}"));
                self
            }
            pub fn task_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.task_id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for task_id: {e}"));
                self
            }
            pub fn ts<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<f64>>,
                T::Error: ::std::fmt::Display,
            {
                self.ts = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for ts: {e}"));
                self
            }
            pub fn type_<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::MessageType>>,
                T::Error: ::std::fmt::Display,
            {
                self.type_ = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for type_: {e}"));
                self
            }
            pub fn updated_at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Timestamp>>,
                T::Error: ::std::fmt::Display,
            {
                self.updated_at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for updated_at: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<Message> for super::Message {
            type Error = super::error::ConversionError;
            fn try_from(
                value: Message,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    chat_id: value.chat_id?,
                    chat_thread_id: value.chat_thread_id?,
                    created_at: value.created_at?,
                    id: value.id?,
                    links: value.links?,
                    message: value.message?,
                    role: value.role?,
                    task_id: value.task_id?,
                    ts: value.ts?,
                    type_: value.type_?,
                    updated_at: value.updated_at?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::Message> for Message {
            fn from(value: super::Message) -> Self {
                Self {
                    chat_id: Ok(value.chat_id),
                    chat_thread_id: Ok(value.chat_thread_id),
                    created_at: Ok(value.created_at),
                    id: Ok(value.id),
                    links: Ok(value.links),
                    message: Ok(value.message),
                    role: Ok(value.role),
                    task_id: Ok(value.task_id),
                    ts: Ok(value.ts),
                    type_: Ok(value.type_),
                    updated_at: Ok(value.updated_at),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct MessageLinks {
            final_message:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            self_: ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            thread:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for MessageLinks {
            fn default() -> Self {
                Self {
                    final_message: Ok(Default::default()),
                    self_: Ok(Default::default()),
                    thread: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl MessageLinks {
            pub fn final_message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.final_message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for final_message: {e}"));
                self
            }
            pub fn self_<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.self_ = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for self_: {e}"));
                self
            }
            pub fn thread<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.thread = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for thread: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<MessageLinks> for super::MessageLinks {
            type Error = super::error::ConversionError;
            fn try_from(
                value: MessageLinks,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    final_message: value.final_message?,
                    self_: value.self_?,
                    thread: value.thread?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::MessageLinks> for MessageLinks {
            fn from(value: super::MessageLinks) -> Self {
                Self {
                    final_message: Ok(value.final_message),
                    self_: Ok(value.self_),
                    thread: Ok(value.thread),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct MessagePage {
            items: ::std::result::Result<::std::vec::Vec<super::Message>, ::std::string::String>,
            links: ::std::result::Result<
                ::std::option::Option<super::PageLinks>,
                ::std::string::String,
            >,
            meta: ::std::result::Result<
                ::std::option::Option<super::PageMeta>,
                ::std::string::String,
            >,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for MessagePage {
            fn default() -> Self {
                Self {
                    items: Err("no value supplied for items".to_string()),
                    links: Ok(Default::default()),
                    meta: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl MessagePage {
            pub fn items<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::vec::Vec<super::Message>>,
                T::Error: ::std::fmt::Display,
            {
                self.items = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for items: {e}"));
                self
            }
            pub fn links<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::PageLinks>>,
                T::Error: ::std::fmt::Display,
            {
                self.links = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for links: {e}"));
                self
            }
            pub fn meta<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::PageMeta>>,
                T::Error: ::std::fmt::Display,
            {
                self.meta = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for meta: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<MessagePage> for super::MessagePage {
            type Error = super::error::ConversionError;
            fn try_from(
                value: MessagePage,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    items: value.items?,
                    links: value.links?,
                    meta: value.meta?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::MessagePage> for MessagePage {
            fn from(value: super::MessagePage) -> Self {
                Self {
                    items: Ok(value.items),
                    links: Ok(value.links),
                    meta: Ok(value.meta),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct PageLinks {
            new_messages:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            self_: ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for PageLinks {
            fn default() -> Self {
                Self {
                    new_messages: Ok(Default::default()),
                    self_: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl PageLinks {
            pub fn new_messages<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.new_messages = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for new_messages: {e}"));
                self
            }
            pub fn self_<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.self_ = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for self_: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<PageLinks> for super::PageLinks {
            type Error = super::error::ConversionError;
            fn try_from(
                value: PageLinks,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    new_messages: value.new_messages?,
                    self_: value.self_?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::PageLinks> for PageLinks {
            fn from(value: super::PageLinks) -> Self {
                Self {
                    new_messages: Ok(value.new_messages),
                    self_: Ok(value.self_),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct PageMeta {
            limit: ::std::result::Result<::std::option::Option<i64>, ::std::string::String>,
            page: ::std::result::Result<::std::option::Option<i64>, ::std::string::String>,
            total: ::std::result::Result<::std::option::Option<i64>, ::std::string::String>,
            total_pages: ::std::result::Result<::std::option::Option<i64>, ::std::string::String>,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for PageMeta {
            fn default() -> Self {
                Self {
                    limit: Ok(Default::default()),
                    page: Ok(Default::default()),
                    total: Ok(Default::default()),
                    total_pages: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl PageMeta {
            pub fn limit<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<i64>>,
                T::Error: ::std::fmt::Display,
            {
                self.limit = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for limit: {e}"));
                self
            }
            pub fn page<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<i64>>,
                T::Error: ::std::fmt::Display,
            {
                self.page = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for page: {e}"));
                self
            }
            pub fn total<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<i64>>,
                T::Error: ::std::fmt::Display,
            {
                self.total = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for total: {e}"));
                self
            }
            pub fn total_pages<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<i64>>,
                T::Error: ::std::fmt::Display,
            {
                self.total_pages = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for total_pages: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<PageMeta> for super::PageMeta {
            type Error = super::error::ConversionError;
            fn try_from(
                value: PageMeta,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    limit: value.limit?,
                    page: value.page?,
                    total: value.total?,
                    total_pages: value.total_pages?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::PageMeta> for PageMeta {
            fn from(value: super::PageMeta) -> Self {
                Self {
                    limit: Ok(value.limit),
                    page: Ok(value.page),
                    total: Ok(value.total),
                    total_pages: Ok(value.total_pages),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct Session {
            created_at: ::std::result::Result<
                ::std::option::Option<crate::open::Timestamp>,
                ::std::string::String,
            >,
            id: ::std::result::Result<crate::open::Id, ::std::string::String>,
            is_archived: ::std::result::Result<::std::option::Option<bool>, ::std::string::String>,
            is_private: ::std::result::Result<::std::option::Option<bool>, ::std::string::String>,
            links: ::std::result::Result<
                ::std::option::Option<super::SessionLinks>,
                ::std::string::String,
            >,
            plan_artifact_ids: ::std::result::Result<
                ::std::option::Option<::std::vec::Vec<crate::open::Id>>,
                ::std::string::String,
            >,
            pull_requests: ::std::result::Result<
                ::std::option::Option<::std::vec::Vec<crate::open::PullRequest>>,
                ::std::string::String,
            >,
            session_group_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            session_html_url: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            source_url: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            thread_id: ::std::result::Result<
                ::std::option::Option<crate::open::Id>,
                ::std::string::String,
            >,
            title: ::std::result::Result<
                ::std::option::Option<::std::string::String>,
                ::std::string::String,
            >,
            updated_at: ::std::result::Result<
                ::std::option::Option<crate::open::Timestamp>,
                ::std::string::String,
            >,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for Session {
            fn default() -> Self {
                Self {
                    created_at: Ok(Default::default()),
                    id: Err("no value supplied for id".to_string()),
                    is_archived: Ok(Default::default()),
                    is_private: Ok(Default::default()),
                    links: Ok(Default::default()),
                    plan_artifact_ids: Ok(Default::default()),
                    pull_requests: Ok(Default::default()),
                    session_group_id: Ok(Default::default()),
                    session_html_url: Ok(Default::default()),
                    source_url: Ok(Default::default()),
                    thread_id: Ok(Default::default()),
                    title: Ok(Default::default()),
                    updated_at: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl Session {
            pub fn created_at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Timestamp>>,
                T::Error: ::std::fmt::Display,
            {
                self.created_at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for created_at: {e}"));
                self
            }
            pub fn id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::open::Id>,
                T::Error: ::std::fmt::Display,
            {
                self.id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for id: {e}"));
                self
            }
            pub fn is_archived<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<bool>>,
                T::Error: ::std::fmt::Display,
            {
                self.is_archived = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for is_archived: {e}"));
                self
            }
            pub fn is_private<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<bool>>,
                T::Error: ::std::fmt::Display,
            {
                self.is_private = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for is_private: {e}"));
                self
            }
            pub fn links<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::SessionLinks>>,
                T::Error: ::std::fmt::Display,
            {
                self.links = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for links: {e}"));
                self
            }
            pub fn plan_artifact_ids<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::vec::Vec<crate::open::Id>>>,
                T::Error: ::std::fmt::Display,
            {
                self.plan_artifact_ids = value.try_into().map_err(|e| {
                    format!("error converting supplied value for plan_artifact_ids: {e}")
                });
                self
            }
            pub fn pull_requests<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<
                        ::std::option::Option<::std::vec::Vec<crate::open::PullRequest>>,
                    >,
                T::Error: ::std::fmt::Display,
            {
                self.pull_requests = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for pull_requests: {e}"));
                self
            }
            pub fn session_group_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.session_group_id = value.try_into().map_err(|e| {
                    format!("error converting supplied value for session_group_id: {e}")
                });
                self
            }
            pub fn session_html_url<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.session_html_url = value.try_into().map_err(|e| {
                    format!("error converting supplied value for session_html_url: {e}")
                });
                self
            }
            pub fn source_url<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.source_url = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for source_url: {e}"));
                self
            }
            pub fn thread_id<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Id>>,
                T::Error: ::std::fmt::Display,
            {
                self.thread_id = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for thread_id: {e}"));
                self
            }
            pub fn title<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<::std::string::String>>,
                T::Error: ::std::fmt::Display,
            {
                self.title = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for title: {e}"));
                self
            }
            pub fn updated_at<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<crate::open::Timestamp>>,
                T::Error: ::std::fmt::Display,
            {
                self.updated_at = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for updated_at: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<Session> for super::Session {
            type Error = super::error::ConversionError;
            fn try_from(
                value: Session,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    created_at: value.created_at?,
                    id: value.id?,
                    is_archived: value.is_archived?,
                    is_private: value.is_private?,
                    links: value.links?,
                    plan_artifact_ids: value.plan_artifact_ids?,
                    pull_requests: value.pull_requests?,
                    session_group_id: value.session_group_id?,
                    session_html_url: value.session_html_url?,
                    source_url: value.source_url?,
                    thread_id: value.thread_id?,
                    title: value.title?,
                    updated_at: value.updated_at?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::Session> for Session {
            fn from(value: super::Session) -> Self {
                Self {
                    created_at: Ok(value.created_at),
                    id: Ok(value.id),
                    is_archived: Ok(value.is_archived),
                    is_private: Ok(value.is_private),
                    links: Ok(value.links),
                    plan_artifact_ids: Ok(value.plan_artifact_ids),
                    pull_requests: Ok(value.pull_requests),
                    session_group_id: Ok(value.session_group_id),
                    session_html_url: Ok(value.session_html_url),
                    source_url: Ok(value.source_url),
                    thread_id: Ok(value.thread_id),
                    title: Ok(value.title),
                    updated_at: Ok(value.updated_at),
                    extra: Ok(value.extra),
                }
            }
        }
        #[derive(Clone, Debug)]
        pub struct SessionLinks {
            final_message:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            messages:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            self_: ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            thread:
                ::std::result::Result<::std::option::Option<super::Link>, ::std::string::String>,
            extra: ::std::result::Result<crate::json::JsonObject, ::std::string::String>,
        }
        impl ::std::default::Default for SessionLinks {
            fn default() -> Self {
                Self {
                    final_message: Ok(Default::default()),
                    messages: Ok(Default::default()),
                    self_: Ok(Default::default()),
                    thread: Ok(Default::default()),
                    extra: Err("no value supplied for extra".to_string()),
                }
            }
        }
        impl SessionLinks {
            pub fn final_message<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.final_message = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for final_message: {e}"));
                self
            }
            pub fn messages<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.messages = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for messages: {e}"));
                self
            }
            pub fn self_<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.self_ = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for self_: {e}"));
                self
            }
            pub fn thread<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<::std::option::Option<super::Link>>,
                T::Error: ::std::fmt::Display,
            {
                self.thread = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for thread: {e}"));
                self
            }
            pub fn extra<T>(mut self, value: T) -> Self
            where
                T: ::std::convert::TryInto<crate::json::JsonObject>,
                T::Error: ::std::fmt::Display,
            {
                self.extra = value
                    .try_into()
                    .map_err(|e| format!("error converting supplied value for extra: {e}"));
                self
            }
        }
        impl ::std::convert::TryFrom<SessionLinks> for super::SessionLinks {
            type Error = super::error::ConversionError;
            fn try_from(
                value: SessionLinks,
            ) -> ::std::result::Result<Self, super::error::ConversionError> {
                Ok(Self {
                    final_message: value.final_message?,
                    messages: value.messages?,
                    self_: value.self_?,
                    thread: value.thread?,
                    extra: value.extra?,
                })
            }
        }
        impl ::std::convert::From<super::SessionLinks> for SessionLinks {
            fn from(value: super::SessionLinks) -> Self {
                Self {
                    final_message: Ok(value.final_message),
                    messages: Ok(value.messages),
                    self_: Ok(value.self_),
                    thread: Ok(value.thread),
                    extra: Ok(value.extra),
                }
            }
        }
    }
    /// Error types.
    pub mod error {
        /// Error from a `TryFrom` or `FromStr` implementation.
        pub struct ConversionError(::std::borrow::Cow<'static, str>);
        impl ::std::error::Error for ConversionError {}
        impl ::std::fmt::Display for ConversionError {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }
        impl ::std::fmt::Debug for ConversionError {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> Result<(), ::std::fmt::Error> {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }
        impl From<&'static str> for ConversionError {
            fn from(value: &'static str) -> Self {
                Self(value.into())
            }
        }
        impl From<String> for ConversionError {
            fn from(value: String) -> Self {
                Self(value.into())
            }
        }
    }
}
#[derive(Clone, Debug)]
/// Client for Blocks Sessions API
///
/// Run coding agents as a service: create a session, poll the link of its final message, and follow up. Limit: 100 requests per minute and key, counted over every process that uses the key. A 429 may carry Retry-After, in delta-seconds or as an HTTP date. In responses, `x-usual-format` names the format that a text usually has and that no source guarantees; `x-needed` lists the properties without which a client cannot continue. A client reads every other property tolerantly.
///
/// Version: v1
pub struct Client {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
    pub(crate) inner: crate::hook::Hook,
}
impl Client {
    /// Create a new client.
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new(baseurl: &str, inner: crate::hook::Hook) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        let client = {
            let dur = ::std::time::Duration::from_secs(15u64);
            reqwest::ClientBuilder::new()
                .connect_timeout(dur)
                .timeout(dur)
        };
        #[cfg(target_arch = "wasm32")]
        let client = reqwest::ClientBuilder::new();
        Self::new_with_client(baseurl, client.build().unwrap(), inner)
    }
    /// Construct a new client with an existing `reqwest::Client`,
    /// allowing more control over its configuration.
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new_with_client(
        baseurl: &str,
        client: reqwest::Client,
        inner: crate::hook::Hook,
    ) -> Self {
        Self {
            baseurl: baseurl.to_string(),
            client,
            inner,
        }
    }
}
impl ClientInfo<crate::hook::Hook> for Client {
    fn api_version() -> &'static str {
        "v1"
    }
    fn baseurl(&self) -> &str {
        self.baseurl.as_str()
    }
    fn client(&self) -> &reqwest::Client {
        &self.client
    }
    fn inner(&self) -> &crate::hook::Hook {
        &self.inner
    }
}
const _: () = {
    #[allow(dead_code)]
    fn assert_client_hooks()
    where
        Client: ClientHooks<crate::hook::Hook>,
    {
    }
};
impl Client {
    /// Create a session, post its first message and dispatch it to the agent
    ///
    /// There is no idempotency key, and each session is billed. Do not repeat a create whose outcome is unknown.
    ///
    /// Sends a `POST` request to `/rest/v1/sessions`
    ///
    /// ```ignore
    /// let response = client.create_session()
    /// .body(body)
    /// .send()
    /// .await;
    /// ```
    pub fn create_session(&self) -> builder::CreateSession<'_> {
        builder::CreateSession::new(self)
    }
    /// Read a session. Its thread and final-message links are always null here
    ///
    /// Sends a `GET` request to `/rest/v1/sessions/{session_id}`
    ///
    /// Arguments:
    /// - `session_id`: The session. The service responds with 422 to an id that is not a UUID.
    /// ```ignore
    /// let response = client.get_session()
    /// .session_id(session_id)
    /// .send()
    /// .await;
    /// ```
    pub fn get_session(&self) -> builder::GetSession<'_> {
        builder::GetSession::new(self)
    }
    /// Read an artifact's metadata and its presigned URL
    ///
    /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/artifacts/{artifact_id}`
    ///
    /// Arguments:
    /// - `session_id`: The session. The service responds with 422 to an id that is not a UUID.
    /// - `artifact_id`: The artifact. Ids come from the session's plan_artifact_ids; there is no list.
    /// ```ignore
    /// let response = client.get_artifact()
    /// .session_id(session_id)
    /// .artifact_id(artifact_id)
    /// .send()
    /// .await;
    /// ```
    pub fn get_artifact(&self) -> builder::GetArtifact<'_> {
        builder::GetArtifact::new(self)
    }
    /// Read one page of a session's messages
    ///
    /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/messages`
    ///
    /// Arguments:
    /// - `session_id`: The session. The service responds with 422 to an id that is not a UUID.
    /// - `direction`: The order by time. Sources disagree on the default, so always send it.
    /// - `gts`: Only messages whose ts, in epoch seconds, is strictly greater.
    /// - `limit`: Messages in a page, 1 to 100.
    /// - `page`: The page, counted from 1.
    /// - `role`: Roles to include; repeat the key. The default is assistant. Older deployments respond with 422 to a repeated key.
    /// - `thread_id`: Only messages of this thread. For an unknown id the page is empty.
    /// - `type_`: Types to include; repeat the key. The server's default is message and final_message.
    /// ```ignore
    /// let response = client.list_session_messages()
    /// .session_id(session_id)
    /// .direction(direction)
    /// .gts(gts)
    /// .limit(limit)
    /// .page(page)
    /// .role(role)
    /// .thread_id(thread_id)
    /// .type_(type_)
    /// .send()
    /// .await;
    /// ```
    pub fn list_session_messages(&self) -> builder::ListSessionMessages<'_> {
        builder::ListSessionMessages::new(self)
    }
    /// Follow up in a new thread. A turn still in flight is interrupted
    ///
    /// Sends a `POST` request to `/rest/v1/sessions/{session_id}/messages`
    ///
    /// Arguments:
    /// - `session_id`: The session. The service responds with 422 to an id that is not a UUID.
    /// - `body`
    /// ```ignore
    /// let response = client.create_message()
    /// .session_id(session_id)
    /// .body(body)
    /// .send()
    /// .await;
    /// ```
    pub fn create_message(&self) -> builder::CreateMessage<'_> {
        builder::CreateMessage::new(self)
    }
    /// Read one page of a thread's messages
    ///
    /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/threads/{thread_id}/messages`
    ///
    /// Arguments:
    /// - `session_id`: The session. The service responds with 422 to an id that is not a UUID.
    /// - `thread_id`: The thread. For an unknown id, one source documents 404 and another saw an empty page.
    /// - `direction`: The order by time. Sources disagree on the default, so always send it.
    /// - `gts`: Only messages whose ts, in epoch seconds, is strictly greater.
    /// - `limit`: Messages in a page, 1 to 100.
    /// - `page`: The page, counted from 1.
    /// - `role`: Roles to include; repeat the key. The default is assistant. Older deployments respond with 422 to a repeated key.
    /// - `type_`: Types to include; repeat the key. The server's default is message and final_message.
    /// ```ignore
    /// let response = client.list_thread_messages()
    /// .session_id(session_id)
    /// .thread_id(thread_id)
    /// .direction(direction)
    /// .gts(gts)
    /// .limit(limit)
    /// .page(page)
    /// .role(role)
    /// .type_(type_)
    /// .send()
    /// .await;
    /// ```
    pub fn list_thread_messages(&self) -> builder::ListThreadMessages<'_> {
        builder::ListThreadMessages::new(self)
    }
}
/// Types for composing operation parameters.
#[allow(clippy::all)]
pub mod builder {
    use super::types;
    #[allow(unused_imports)]
    use super::{
        ByteStream, ClientHooks, ClientInfo, Error, OperationInfo, RequestBuilderExt,
        ResponseValue, encode_path,
    };
    /// Builder for [`Client::create_session`]
    ///
    /// [`Client::create_session`]: super::Client::create_session
    #[derive(Debug, Clone)]
    pub struct CreateSession<'a> {
        client: &'a super::Client,
        body: Result<types::builder::CreateSessionRequest, String>,
    }
    impl<'a> CreateSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::CreateSessionRequest>,
            <V as std::convert::TryInto<types::CreateSessionRequest>>::Error: std::fmt::Display,
        {
            self.body = value.try_into().map(From::from).map_err(|s| {
                format!(
                    "conversion to `CreateSessionRequest` for body failed: {}",
                    s
                )
            });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                    types::builder::CreateSessionRequest,
                ) -> types::builder::CreateSessionRequest,
        {
            self.body = self.body.map(f);
            self
        }
        /// Sends a `POST` request to `/rest/v1/sessions`
        pub async fn send(self) -> Result<ResponseValue<types::Session>, Error<()>> {
            let Self { client, body } = self;
            let body = body
                .and_then(|v| types::CreateSessionRequest::try_from(v).map_err(|e| e.to_string()))
                .map_err(Error::InvalidRequest)?;
            let url = format!("{}/rest/v1/sessions", client.baseurl,);
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "create_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /// Builder for [`Client::get_session`]
    ///
    /// [`Client::get_session`]: super::Client::get_session
    #[derive(Debug, Clone)]
    pub struct GetSession<'a> {
        client: &'a super::Client,
        session_id: Result<crate::open::Id, String>,
    }
    impl<'a> GetSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.session_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for session_id failed".to_string()
            });
            self
        }
        /// Sends a `GET` request to `/rest/v1/sessions/{session_id}`
        pub async fn send(self) -> Result<ResponseValue<types::Session>, Error<()>> {
            let Self { client, session_id } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/rest/v1/sessions/{}",
                client.baseurl,
                encode_path(&session_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "get_session",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /// Builder for [`Client::get_artifact`]
    ///
    /// [`Client::get_artifact`]: super::Client::get_artifact
    #[derive(Debug, Clone)]
    pub struct GetArtifact<'a> {
        client: &'a super::Client,
        session_id: Result<crate::open::Id, String>,
        artifact_id: Result<crate::open::Id, String>,
    }
    impl<'a> GetArtifact<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                artifact_id: Err("artifact_id was not initialized".to_string()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.session_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for session_id failed".to_string()
            });
            self
        }
        pub fn artifact_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.artifact_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for artifact_id failed".to_string()
            });
            self
        }
        /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/artifacts/{artifact_id}`
        pub async fn send(self) -> Result<ResponseValue<types::Artifact>, Error<()>> {
            let Self {
                client,
                session_id,
                artifact_id,
            } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let artifact_id = artifact_id.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/rest/v1/sessions/{}/artifacts/{}",
                client.baseurl,
                encode_path(&session_id.to_string()),
                encode_path(&artifact_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "get_artifact",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /// Builder for [`Client::list_session_messages`]
    ///
    /// [`Client::list_session_messages`]: super::Client::list_session_messages
    #[derive(Debug, Clone)]
    pub struct ListSessionMessages<'a> {
        client: &'a super::Client,
        session_id: Result<crate::open::Id, String>,
        direction: Result<Option<crate::open::Direction>, String>,
        gts: Result<Option<f64>, String>,
        limit: Result<Option<::std::num::NonZeroU64>, String>,
        page: Result<Option<::std::num::NonZeroU64>, String>,
        role: Result<Option<::std::vec::Vec<crate::open::MessageRole>>, String>,
        thread_id: Result<Option<crate::open::Id>, String>,
        type_: Result<Option<::std::vec::Vec<crate::open::MessageType>>, String>,
    }
    impl<'a> ListSessionMessages<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                direction: Ok(None),
                gts: Ok(None),
                limit: Ok(None),
                page: Ok(None),
                role: Ok(None),
                thread_id: Ok(None),
                type_: Ok(None),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.session_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for session_id failed".to_string()
            });
            self
        }
        pub fn direction<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Direction>,
        {
            self.direction = value.try_into().map(Some).map_err(|_| {
                "conversion to `crate :: open :: Direction` for direction failed".to_string()
            });
            self
        }
        pub fn gts<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<f64>,
        {
            self.gts = value
                .try_into()
                .map(Some)
                .map_err(|_| "conversion to `f64` for gts failed".to_string());
            self
        }
        pub fn limit<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::num::NonZeroU64>,
        {
            self.limit = value.try_into().map(Some).map_err(|_| {
                "conversion to `:: std :: num :: NonZeroU64` for limit failed".to_string()
            });
            self
        }
        pub fn page<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::num::NonZeroU64>,
        {
            self.page = value.try_into().map(Some).map_err(|_| {
                "conversion to `:: std :: num :: NonZeroU64` for page failed".to_string()
            });
            self
        }
        pub fn role<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::vec::Vec<crate::open::MessageRole>>,
        {
            self.role = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `:: std :: vec :: Vec < crate :: open :: MessageRole >` for role failed"
                        .to_string()
                });
            self
        }
        pub fn thread_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.thread_id = value.try_into().map(Some).map_err(|_| {
                "conversion to `crate :: open :: Id` for thread_id failed".to_string()
            });
            self
        }
        pub fn type_<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::vec::Vec<crate::open::MessageType>>,
        {
            self.type_ = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `:: std :: vec :: Vec < crate :: open :: MessageType >` for type_ failed"
                        .to_string()
                });
            self
        }
        /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/messages`
        pub async fn send(self) -> Result<ResponseValue<types::MessagePage>, Error<()>> {
            let Self {
                client,
                session_id,
                direction,
                gts,
                limit,
                page,
                role,
                thread_id,
                type_,
            } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let direction = direction.map_err(Error::InvalidRequest)?;
            let gts = gts.map_err(Error::InvalidRequest)?;
            let limit = limit.map_err(Error::InvalidRequest)?;
            let page = page.map_err(Error::InvalidRequest)?;
            let role = role.map_err(Error::InvalidRequest)?;
            let thread_id = thread_id.map_err(Error::InvalidRequest)?;
            let type_ = type_.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/rest/v1/sessions/{}/messages",
                client.baseurl,
                encode_path(&session_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .query(&progenitor_client::QueryParam::new("direction", &direction))
                .query(&progenitor_client::QueryParam::new("gts", &gts))
                .query(&progenitor_client::QueryParam::new("limit", &limit))
                .query(&progenitor_client::QueryParam::new("page", &page))
                .query(&progenitor_client::QueryParam::new("role", &role))
                .query(&progenitor_client::QueryParam::new("thread_id", &thread_id))
                .query(&progenitor_client::QueryParam::new("type", &type_))
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "list_session_messages",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /// Builder for [`Client::create_message`]
    ///
    /// [`Client::create_message`]: super::Client::create_message
    #[derive(Debug, Clone)]
    pub struct CreateMessage<'a> {
        client: &'a super::Client,
        session_id: Result<crate::open::Id, String>,
        body: Result<types::builder::CreateMessageRequest, String>,
    }
    impl<'a> CreateMessage<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                body: Ok(::std::default::Default::default()),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.session_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for session_id failed".to_string()
            });
            self
        }
        pub fn body<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<types::CreateMessageRequest>,
            <V as std::convert::TryInto<types::CreateMessageRequest>>::Error: std::fmt::Display,
        {
            self.body = value.try_into().map(From::from).map_err(|s| {
                format!(
                    "conversion to `CreateMessageRequest` for body failed: {}",
                    s
                )
            });
            self
        }
        pub fn body_map<F>(mut self, f: F) -> Self
        where
            F: std::ops::FnOnce(
                    types::builder::CreateMessageRequest,
                ) -> types::builder::CreateMessageRequest,
        {
            self.body = self.body.map(f);
            self
        }
        /// Sends a `POST` request to `/rest/v1/sessions/{session_id}/messages`
        pub async fn send(self) -> Result<ResponseValue<types::Message>, Error<()>> {
            let Self {
                client,
                session_id,
                body,
            } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let body = body
                .and_then(|v| types::CreateMessageRequest::try_from(v).map_err(|e| e.to_string()))
                .map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/rest/v1/sessions/{}/messages",
                client.baseurl,
                encode_path(&session_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .post(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "create_message",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
    /// Builder for [`Client::list_thread_messages`]
    ///
    /// [`Client::list_thread_messages`]: super::Client::list_thread_messages
    #[derive(Debug, Clone)]
    pub struct ListThreadMessages<'a> {
        client: &'a super::Client,
        session_id: Result<crate::open::Id, String>,
        thread_id: Result<crate::open::Id, String>,
        direction: Result<Option<crate::open::Direction>, String>,
        gts: Result<Option<f64>, String>,
        limit: Result<Option<::std::num::NonZeroU64>, String>,
        page: Result<Option<::std::num::NonZeroU64>, String>,
        role: Result<Option<::std::vec::Vec<crate::open::MessageRole>>, String>,
        type_: Result<Option<::std::vec::Vec<crate::open::MessageType>>, String>,
    }
    impl<'a> ListThreadMessages<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                thread_id: Err("thread_id was not initialized".to_string()),
                direction: Ok(None),
                gts: Ok(None),
                limit: Ok(None),
                page: Ok(None),
                role: Ok(None),
                type_: Ok(None),
            }
        }
        pub fn session_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.session_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for session_id failed".to_string()
            });
            self
        }
        pub fn thread_id<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Id>,
        {
            self.thread_id = value.try_into().map_err(|_| {
                "conversion to `crate :: open :: Id` for thread_id failed".to_string()
            });
            self
        }
        pub fn direction<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<crate::open::Direction>,
        {
            self.direction = value.try_into().map(Some).map_err(|_| {
                "conversion to `crate :: open :: Direction` for direction failed".to_string()
            });
            self
        }
        pub fn gts<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<f64>,
        {
            self.gts = value
                .try_into()
                .map(Some)
                .map_err(|_| "conversion to `f64` for gts failed".to_string());
            self
        }
        pub fn limit<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::num::NonZeroU64>,
        {
            self.limit = value.try_into().map(Some).map_err(|_| {
                "conversion to `:: std :: num :: NonZeroU64` for limit failed".to_string()
            });
            self
        }
        pub fn page<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::num::NonZeroU64>,
        {
            self.page = value.try_into().map(Some).map_err(|_| {
                "conversion to `:: std :: num :: NonZeroU64` for page failed".to_string()
            });
            self
        }
        pub fn role<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::vec::Vec<crate::open::MessageRole>>,
        {
            self.role = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `:: std :: vec :: Vec < crate :: open :: MessageRole >` for role failed"
                        .to_string()
                });
            self
        }
        pub fn type_<V>(mut self, value: V) -> Self
        where
            V: std::convert::TryInto<::std::vec::Vec<crate::open::MessageType>>,
        {
            self.type_ = value
                .try_into()
                .map(Some)
                .map_err(|_| {
                    "conversion to `:: std :: vec :: Vec < crate :: open :: MessageType >` for type_ failed"
                        .to_string()
                });
            self
        }
        /// Sends a `GET` request to `/rest/v1/sessions/{session_id}/threads/{thread_id}/messages`
        pub async fn send(self) -> Result<ResponseValue<types::MessagePage>, Error<()>> {
            let Self {
                client,
                session_id,
                thread_id,
                direction,
                gts,
                limit,
                page,
                role,
                type_,
            } = self;
            let session_id = session_id.map_err(Error::InvalidRequest)?;
            let thread_id = thread_id.map_err(Error::InvalidRequest)?;
            let direction = direction.map_err(Error::InvalidRequest)?;
            let gts = gts.map_err(Error::InvalidRequest)?;
            let limit = limit.map_err(Error::InvalidRequest)?;
            let page = page.map_err(Error::InvalidRequest)?;
            let role = role.map_err(Error::InvalidRequest)?;
            let type_ = type_.map_err(Error::InvalidRequest)?;
            let url = format!(
                "{}/rest/v1/sessions/{}/threads/{}/messages",
                client.baseurl,
                encode_path(&session_id.to_string()),
                encode_path(&thread_id.to_string()),
            );
            let mut header_map = ::reqwest::header::HeaderMap::with_capacity(1usize);
            header_map.append(
                ::reqwest::header::HeaderName::from_static("api-version"),
                ::reqwest::header::HeaderValue::from_static(super::Client::api_version()),
            );
            #[allow(unused_mut)]
            let mut request = client
                .client
                .get(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .query(&progenitor_client::QueryParam::new("direction", &direction))
                .query(&progenitor_client::QueryParam::new("gts", &gts))
                .query(&progenitor_client::QueryParam::new("limit", &limit))
                .query(&progenitor_client::QueryParam::new("page", &page))
                .query(&progenitor_client::QueryParam::new("role", &role))
                .query(&progenitor_client::QueryParam::new("type", &type_))
                .headers(header_map)
                .build()?;
            let info = OperationInfo {
                operation_id: "list_thread_messages",
            };
            client.pre(&mut request, &info).await?;
            let result = client.exec(request, &info).await;
            client.post(&result, &info).await?;
            let response = result?;
            match response.status().as_u16() {
                200..=299 => ResponseValue::from_response(response).await,
                _ => Err(Error::UnexpectedResponse(response)),
            }
        }
    }
}
/// Items consumers will typically use such as the Client.
pub mod prelude {
    pub use self::super::Client;
}
