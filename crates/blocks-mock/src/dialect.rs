//! Differences between the sources of the contract, one switch for each.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize};

/// The behaviour to mimic where the sources of the contract disagree.
///
/// A dialect is a set of switches. Three presets name a source each: [`Dialect::observed`] (the
/// live service), [`Dialect::documented`] (the vendor's pages) and [`Dialect::vendor_mock`] (the
/// mock of the vendor's public client). Take one and change the switches that your test is about.
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
    /// The status of a validation failure: the documentation says 400, the service answers 422.
    #[serde(deserialize_with = "error_status")]
    #[schemars(range(min = 400, max = 499))]
    pub validation_status: u16,
    /// Errors as `{"code", "message"}`, as documented; else as `{"error"}`, as observed.
    pub error_codes: bool,
    /// The status of a successful create. The documentation does not say whether 200 or 201.
    #[serde(deserialize_with = "success_status")]
    #[schemars(range(min = 200, max = 299))]
    pub created_status: u16,
    /// Pages without a `direction` are newest first, as documented; else oldest first.
    pub newest_first: bool,
    /// Pull requests as objects with `url` and `status`, as observed; else as text.
    pub pull_request_objects: bool,
    /// The origin that links name; `None` is the one that was called.
    pub link_origin: Option<String>,
    /// A page's links without the filters that were sent.
    pub links_drop_filters: bool,
    /// The last `message` of a finished thread repeats its final message.
    pub duplicated_final: bool,
    /// A notice of the system, in no thread, when a session begins.
    pub system_notices: bool,
    /// A repeated `role` is refused, as by older deployments.
    pub repeated_role_rejected: bool,
    /// The user's messages have no `ts`, as in the documentation's samples.
    pub user_ts_null: bool,
    /// Items of a list have only what the vendor's own mock gives: no `chat_id`, `task_id`, times.
    pub bare_items: bool,
    /// Sessions have `session_group_id` and `plan_artifact_ids`, which are seen and not documented.
    pub observed_fields: bool,
    /// The status for a wrong key and for a malformed `Authorization` header: 403 by the service,
    /// 401 by the vendor's mock. A request without the header is always answered 401.
    #[serde(deserialize_with = "error_status")]
    #[schemars(range(min = 400, max = 499))]
    pub wrong_key_status: u16,
    /// An unknown thread on the threaded path is answered 404, as documented; else with an empty
    /// page, as observed.
    pub unknown_thread_rejected: bool,
    /// `session_html_url` contains the workspace's id, as observed; the documentation's samples
    /// lack it.
    pub workspace_in_html_url: bool,
    /// A tool call's arguments are one text under `input`, as older deployments send them; else
    /// they are at top level, beside `__name__`.
    pub tool_input_text: bool,
    /// Every session is private, whatever the create asked for, as a workspace's admins can set.
    pub forced_private: bool,
    /// A session that is read again has a link to its final message that contains
    /// `/threads/null/`, as the vendor's mock sends it; else the link is null.
    pub null_thread_link: bool,
    /// The final message of a follow-up names the first thread, as the vendor's mock does.
    pub final_names_first_thread: bool,
    /// Times have no zone.
    pub times_without_zone: bool,
    /// Ids of messages, tasks and threads are `m0`, `task-1` and `t1` instead of UUIDs.
    pub short_ids: bool,
    /// The agent `sisyphus` is known, which only the vendor's client names.
    pub sisyphus: bool,
    /// Two or three of `agent_id`, `agent_name`, `profile` are refused. What the service does
    /// is not documented; without this the first of them counts.
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
    /// As the live service was seen to behave.
    ///
    /// ```
    /// use blocks_mock::Dialect;
    ///
    /// assert_eq!(Dialect::observed(), Dialect::default());
    /// assert_eq!(Dialect::observed().validation_status, 422);
    /// ```
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

    /// As the vendor's documentation says.
    ///
    /// ```
    /// use blocks_mock::Dialect;
    ///
    /// assert_eq!(Dialect::documented().validation_status, 400);
    /// assert!(Dialect::documented().error_codes);
    /// ```
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

    /// As the mock of the vendor's public client answers: ids that are not UUIDs, items without
    /// `chat_id`, `task_id` and times, 401 for a wrong key, links that name no thread.
    ///
    /// ```
    /// use blocks_mock::Dialect;
    ///
    /// assert!(Dialect::vendor_mock().short_ids);
    /// assert_eq!(Dialect::vendor_mock().wrong_key_status, 401);
    /// ```
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
    /// An ISO 8601 time in UTC, with or without its zone.
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
