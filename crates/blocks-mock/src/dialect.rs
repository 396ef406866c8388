//! Contains the switches of a dialect. Each switch selects one behaviour of the mock. Most switches are for behaviour
//! in which the live service, the vendor's documentation and the vendor's mock differ. The others are for an older
//! service, for a setting of a workspace, or for behaviour that no source describes.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize};

/// Selects the behaviour of the mock, for example where the sources of the contract disagree.
///
/// A dialect is a set of switches. Each of three presets mimics one source: [`Dialect::observed`] the live service,
/// [`Dialect::documented`] the vendor's pages, and [`Dialect::vendor_mock`] the mock of the vendor's public client.
/// Take a preset, and change the switches that matter for your test.
///
/// ```
/// use blocks_mock::Dialect;
///
/// let mut older = Dialect::observed();
/// older.repeated_role_rejected = true;
/// assert_eq!(older.validation_status, 422);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dialect {
    /// The status of a validation failure: 400 as documented, 422 as observed.
    #[serde(deserialize_with = "error_status")]
    #[schemars(range(min = 400, max = 499))]
    pub validation_status: u16,
    /// Whether errors have the fields `code` and `message`, as documented. Errors for which the documentation names no
    /// code, such as 401, 403 and 429, then have only `message`. If false, errors have the field `error`, as observed.
    pub error_codes: bool,
    /// The status of a successful create; it is not documented.
    #[serde(deserialize_with = "success_status")]
    #[schemars(range(min = 200, max = 299))]
    pub created_status: u16,
    /// Whether pages are sorted newest first when the request has no `direction`, as documented. If false, such pages
    /// are sorted oldest first.
    pub newest_first: bool,
    /// Whether pull requests are objects with `url` and `status`, as observed. If false, pull requests are strings.
    pub pull_request_objects: bool,
    /// The origin of the links in `_links`, such as `https://api.prod.blocks.team`. `None` selects the origin of the
    /// request's URL.
    pub link_origin: Option<String>,
    /// Whether the links of a page omit the query parameters of the request, such as `type`, `role` and `limit`. The
    /// request's `page` and `gts` are always omitted.
    pub links_drop_filters: bool,
    /// Whether a finished thread contains the text of its final message twice. The first message with the text has the
    /// type `message`, and the next is the final message.
    pub duplicated_final: bool,
    /// Whether a session starts with a notice of the service, which is in no thread.
    pub system_notices: bool,
    /// Whether a request with a repeated parameter `role` is rejected, as by older deployments.
    pub repeated_role_rejected: bool,
    /// Whether `ts` is null in the user's messages, as in the documentation's samples.
    pub user_ts_null: bool,
    /// Whether messages omit `chat_id`, `task_id`, `created_at` and `updated_at`, as in the vendor's mock.
    pub bare_items: bool,
    /// Whether sessions have `session_group_id` and `plan_artifact_ids`, which were observed but are not documented.
    pub observed_fields: bool,
    /// The status for a wrong key and for a malformed `Authorization` header. The service responds with 403, and the
    /// vendor's mock with 401. Without the header, the status is always 401.
    #[serde(deserialize_with = "error_status")]
    #[schemars(range(min = 400, max = 499))]
    pub wrong_key_status: u16,
    /// Whether the response for an unknown thread in the path is 404, as documented. If false, the response is an empty
    /// page, as observed.
    pub unknown_thread_rejected: bool,
    /// Whether `session_html_url` contains the id of the workspace, as in the responses of the live service. The
    /// documentation's samples do not contain the id.
    pub workspace_in_html_url: bool,
    /// Whether the arguments of a tool call are one string in the field `input`, as in older deployments. If false,
    /// each argument in an object is a separate field. For example, a call of `Bash` then has the fields `__name__` and
    /// `command`.
    pub tool_input_text: bool,
    /// Whether every new session is private. The admins of a workspace can enforce this.
    pub forced_private: bool,
    /// Whether a session that is read has a link to the final message with `/threads/null/` in its path, as in the
    /// vendor's mock. If false, the link is null.
    pub null_thread_link: bool,
    /// Whether the final message of a follow-up contains the id of the first thread, as in the vendor's mock.
    pub final_names_first_thread: bool,
    /// Whether times have no time zone.
    pub times_without_zone: bool,
    /// Whether ids of messages, tasks and threads have the forms `m0`, `task-1` and `t1` instead of UUIDs.
    pub short_ids: bool,
    /// Whether the mock accepts the agent `sisyphus`, which only the vendor's client mentions.
    pub sisyphus: bool,
    /// Whether a create with more than one of `agent_id`, `agent_name` and `profile` is rejected. If false, the
    /// create is accepted. The documentation does not specify this.
    pub several_agents_rejected: bool,
}

fn success_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    status(deserializer, 200..=299)
}

fn error_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    status(deserializer, 400..=499)
}

fn status<'de, D: Deserializer<'de>>(
    deserializer: D,
    valid: RangeInclusive<u16>,
) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    match valid.contains(&status) {
        true => Ok(status),
        false => Err(serde::de::Error::custom(format!(
            "invalid status {status}: expected {} to {}",
            valid.start(),
            valid.end()
        ))),
    }
}

impl Dialect {
    /// Returns the dialect of the live service.
    pub fn observed() -> Self {
        Self {
            validation_status: 422,
            error_codes: false,
            created_status: 200,
            newest_first: false,
            pull_request_objects: true,
            link_origin: Some("https://api.prod.blocks.team".into()),
            links_drop_filters: true,
            duplicated_final: true,
            system_notices: true,
            repeated_role_rejected: false,
            user_ts_null: false,
            bare_items: false,
            observed_fields: true,
            wrong_key_status: 403,
            unknown_thread_rejected: false,
            workspace_in_html_url: true,
            tool_input_text: false,
            forced_private: false,
            null_thread_link: false,
            final_names_first_thread: false,
            times_without_zone: false,
            short_ids: false,
            sisyphus: true,
            several_agents_rejected: true,
        }
    }

    /// Returns the dialect of the vendor's documentation.
    pub fn documented() -> Self {
        Self {
            validation_status: 400,
            error_codes: true,
            newest_first: true,
            pull_request_objects: false,
            link_origin: None,
            links_drop_filters: false,
            duplicated_final: false,
            system_notices: false,
            user_ts_null: true,
            observed_fields: false,
            unknown_thread_rejected: true,
            workspace_in_html_url: false,
            tool_input_text: true,
            sisyphus: false,
            ..Self::observed()
        }
    }

    /// Returns the dialect of the mock in the vendor's public client. That mock uses short ids such as `m0` and `t1`,
    /// messages without `chat_id`, `task_id`, `created_at` and `updated_at`, and status 401 for a wrong key. If a
    /// session is read, its link to the final message contains `/threads/null/`.
    pub fn vendor_mock() -> Self {
        Self {
            pull_request_objects: false,
            duplicated_final: false,
            system_notices: false,
            bare_items: true,
            observed_fields: false,
            wrong_key_status: 401,
            tool_input_text: true,
            null_thread_link: true,
            final_names_first_thread: true,
            short_ids: true,
            ..Self::observed()
        }
    }
}

impl Dialect {
    /// Returns `time`, without its final `Z` if the dialect omits the time zone. `time` is an ISO 8601 time in UTC.
    pub(crate) fn time(&self, time: String) -> String {
        match time.strip_suffix('Z') {
            Some(local) if self.times_without_zone => local.to_owned(),
            _ => time,
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::observed()
    }
}
