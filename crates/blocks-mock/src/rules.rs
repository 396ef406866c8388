//! Contains rules that choose the script of a turn. Replaces templates, such as `{{message}}`, in texts of the script.

use serde::{Deserialize, Serialize};

use crate::script::{Action, Script, TurnInfo};

/// Selects a script for the turns that match the conditions in `when`. If several rules match a turn, the first rule is
/// used.
///
/// Texts of the script can contain `{{message}}`, `{{title}}`, `{{turn}}` and `{{session}}`. In file names and tool
/// calls, these are not replaced.
///
/// ```
/// let rule: blocks_mock::AgentRule = serde_json::from_str(
///     r#"{"when": {"message_contains": "deploy"}, "do": {"text": "Cannot do: {{message}}"}}"#,
/// )?;
/// assert_eq!(rule.when.message_contains.as_deref(), Some("deploy"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRule {
    /// Conditions for the turns to which the rule applies. Default: all turns.
    #[serde(default)]
    pub when: TurnFilter,
    /// Script for the turns that match.
    #[serde(rename = "do")]
    pub script: Script,
}

/// Contains conditions for a turn. A field that is absent matches every turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TurnFilter {
    /// Text that the user's message contains.
    pub message_contains: Option<String>,
    /// Number of the turn in its session, from 0.
    pub turn: Option<usize>,
    /// The `agent_name` in the request that created the session.
    pub agent_name: Option<String>,
    /// Text that the session's title contains.
    pub title_contains: Option<String>,
    /// Number of the session, from 0 in the order of creation.
    pub session: Option<usize>,
}

impl TurnFilter {
    fn matches(&self, turn: &TurnInfo) -> bool {
        let within =
            |part: &Option<String>, text: &str| part.as_ref().is_none_or(|p| text.contains(p));
        within(&self.message_contains, &turn.message)
            && within(&self.title_contains, &turn.title)
            && self.turn.is_none_or(|number| number == turn.turn)
            && self.session.is_none_or(|number| number == turn.session)
            && (self.agent_name.is_none() || self.agent_name == turn.agent_name)
    }
}

/// Returns the script of the first rule that matches, with its templates filled in.
pub(crate) fn select(rules: &[AgentRule], turn: &TurnInfo) -> Option<Script> {
    let rule = rules.iter().find(|rule| rule.when.matches(turn))?;
    let mut script = rule.script.clone();
    script.text = fill(&script.text, turn);
    for step in &mut script.steps {
        match &mut step.action {
            Action::Message(text) | Action::Notice(text) | Action::PullRequest(text) => {
                *text = fill(text, turn);
            }
            Action::Plan { text, .. } => *text = fill(text, turn),
            Action::ToolCall { .. } => {}
        }
    }
    Some(script)
}

/// Replaces templates in one pass, so that a `{{title}}` that the user wrote in the message is not replaced.
fn fill(template: &str, turn: &TurnInfo) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let value = after.split_once("}}").and_then(|(name, rest)| {
            let value = match name.trim() {
                "message" => turn.message.clone(),
                "title" => turn.title.clone(),
                "turn" => turn.turn.to_string(),
                "session" => turn.session.to_string(),
                _ => return None,
            };
            Some((value, rest))
        });
        match value {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push_str("{{");
                rest = after;
            }
        }
    }
    filled + rest
}
