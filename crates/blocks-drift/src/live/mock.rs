//! The mock server that replaces the service in offline checks.

use std::time::Duration;

use blocks_mock::{Action, Dialect, Mock, MockBuilder, Script};
use serde_json::json;

/// Returns a mock whose responses have the form that the live service was observed to use. The mock's agent immediately
/// writes a message, calls a tool, writes a plan, opens a pull request, adds a notice and replies.
pub fn server() -> MockBuilder {
    let plan = Action::Plan { file_name: "plan.md".to_owned(), text: "# Plan\n".to_owned() };
    let call = Action::ToolCall { name: "search".to_owned(), input: json!({"text": "drift"}) };
    let notice = Action::Notice("A notice.".to_owned());
    let pull_request = Action::PullRequest("https://example.com/pull/1".to_owned());
    let steps = [Action::Message("Looking.".to_owned()), call, plan, pull_request, notice];
    let agent = Script::reply("Done.").reply_after(Duration::ZERO);
    let agent = steps.into_iter().fold(agent, |agent, action| agent.step(Duration::ZERO, action));
    Mock::builder().dialect(Dialect::observed()).agent(agent)
}
