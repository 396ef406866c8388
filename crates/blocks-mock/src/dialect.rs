//! What the documentation and the live service tell differently, one switch for each.

use serde::{Deserialize, Serialize};

/// How validation failures look, and the other rows on which sources disagree.
///
/// A dialect is a set of switches; begin with [`Dialect::observed`] or [`Dialect::documented`]
/// and turn what your test is about.
///
/// ```
/// use blocks_mock::Dialect;
///
/// let mut older = Dialect::observed();
/// older.repeated_role_refused = true;
/// assert_eq!(older.validation_status, 422);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dialect {
    /// The status of a validation failure: the documentation says 400, the service answers 422.
    pub validation_status: u16,
    /// Errors as `{"code", "message"}`, as documented; else as `{"error"}`, as observed.
    pub error_codes: bool,
    /// The status of a successful create. The documentation does not say whether 200 or 201.
    pub created_status: u16,
    /// Pages newest first unless asked otherwise, as documented; else oldest first.
    pub newest_first: bool,
    /// Pull requests as objects with `url` and `status`, as observed; else as text.
    pub pull_request_objects: bool,
    /// The origin that links name; `None` is the one that was called.
    pub link_origin: Option<String>,
    /// A page's links without the filters that were sent.
    pub links_drop_filters: bool,
    /// The last `message` of a finished thread repeats its final message.
    pub doubled_final: bool,
    /// A notice of the system, in no thread, when a session begins.
    pub system_notices: bool,
    /// A repeated `role` is refused, as by older deployments.
    pub repeated_role_refused: bool,
    /// The user's messages have no `ts`, as in the documentation's samples.
    pub user_ts_null: bool,
    /// Items of a list have only what the vendor's own mock gives: no `chat_id`, `task_id`, times.
    pub bare_items: bool,
    /// Sessions have `session_group_id` and `plan_artifact_ids`, which are seen and not documented.
    pub observed_fields: bool,
    /// The agent `sisyphus` is known, which only the vendor's client names.
    pub sisyphus: bool,
    /// Two or three of `agent_id`, `agent_name`, `profile` are refused. What the service does
    /// is not documented; without this the first of them counts.
    pub several_agents_refused: bool,
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
            doubled_final: true,
            system_notices: true,
            repeated_role_refused: false,
            user_ts_null: false,
            bare_items: false,
            observed_fields: true,
            sisyphus: true,
            several_agents_refused: true,
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
            doubled_final: false,
            system_notices: false,
            user_ts_null: true,
            observed_fields: false,
            sisyphus: false,
            ..Self::observed()
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::observed()
    }
}
