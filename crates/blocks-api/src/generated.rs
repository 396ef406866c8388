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
    #[non_exhaustive]
    #[derive(Default)]
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
        /// Fields that are not in the OpenAPI document.
        #[serde(flatten, deserialize_with = "crate::json::flattened")]
        pub extra: crate::json::JsonObject,
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
        /// Fields that are not in the OpenAPI document.
        #[serde(flatten, deserialize_with = "crate::json::flattened")]
        pub extra: crate::json::JsonObject,
    }
    /// What went wrong. The documentation names code and message; the live service sends error. An intermediary may respond with HTML or nothing.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// A link. Its host can differ from the one that was called.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    pub struct Link {
        /// The address.
        pub href: ::std::string::String,
        #[cfg_attr(feature = "schemars", serde(flatten))]
        pub extra: crate::json::JsonObject,
    }
    crate::decode::tolerant_object! {
        Link { needed : { href : "href", } optional : {} }
    }
    /// A message.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// Where the reply to a message is.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// One page of messages.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// Where a page and what comes after it are. Both links drop the filters that were sent.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// Which page this is, of how many.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
    /// A session. What only some sources guarantee can be missing or null.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
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
    /// Where a session's parts are.
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "schemars", derive(::schemars::JsonSchema))]
    #[non_exhaustive]
    #[derive(Default)]
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
        body: Result<types::CreateSessionRequest, String>,
    }
    impl<'a> CreateSession<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                body: Err("body was not set".to_string()),
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
        body: Result<types::CreateMessageRequest, String>,
    }
    impl<'a> CreateMessage<'a> {
        pub fn new(client: &'a super::Client) -> Self {
            Self {
                client: client,
                session_id: Err("session_id was not initialized".to_string()),
                body: Err("body was not set".to_string()),
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
