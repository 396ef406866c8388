//! Finds the agent that the options of `run` name.

use blocks_sdk::{Agent, AgentName};
use serde_json::{Map, Value};

use crate::args::AgentArgs;
use crate::exit::Exit;
use crate::host::Host;
use crate::input;

/// Parts of model names. A model is not an agent: the profile of an agent selects the model. If the user gives an
/// unknown agent name that contains one of these parts, such as `gpt-5`, the error says that the name looks like a
/// model.
const MODELS: [&str; 14] = [
    "haiku", "sonnet", "opus", "gpt", "flash", "-pro", "grok", "llama", "qwen", "mistral",
    "deepseek", "kimi-k", "o1", "o3",
];

/// Returns the agent that the options name, or else the agent that `BLOCKS_AGENT` names.
///
/// # Errors
/// A usage error: no agent is given, or the given agent is invalid.
pub fn agent(args: &AgentArgs, host: &Host) -> Result<Agent, Exit> {
    if let Some(id) = args.agent_id {
        return Ok(Agent::Id(id));
    }
    if let Some(name) = &args.any_agent {
        return Ok(Agent::any(name.clone()));
    }
    if let Some(text) = &args.profile {
        return profile("--profile", text);
    }
    if let Some(path) = &args.profile_file {
        let text = input::read_text("--profile-file", path, host)?;
        return profile("--profile-file", &text);
    }
    if let Some(name) = &args.agent {
        return named("--agent", name);
    }
    match host.var("BLOCKS_AGENT") {
        Some(name) => named("BLOCKS_AGENT", &name.to_string_lossy()),
        None => Err(Exit::usage(
            "no agent is given: use one of --agent NAME, --agent-id UUID, --profile JSON and \
             --profile-file FILE, or set BLOCKS_AGENT",
        )),
    }
}

fn profile(option: &str, text: &str) -> Result<Agent, Exit> {
    let profile: Map<String, Value> = serde_json::from_str(text)
        .map_err(|e| Exit::usage(format!("{option} must be a JSON object: {e}")))?;
    Agent::profile(Value::Object(profile)).map_err(Exit::from)
}

/// Returns the known agent with this name. Letter case does not matter.
fn named(option: &str, name: &str) -> Result<Agent, Exit> {
    let lower = name.trim().to_lowercase();
    let agent = Agent::from_fields(None, Some(&lower), None);
    agent.map_err(|error| {
        let is_model = MODELS.iter().any(|part| lower.contains(part));
        let known = AgentName::KNOWN.join(", ");
        match is_model {
            true => Exit::usage(format!(
                "{option}: `{name}` looks like a model; an agent is expected: {known}"
            )),
            false => {
                let mut exit = Exit::from(error);
                let rest = "; --any-agent sends a name that is not in this list";
                exit.error.message = format!("{option}: {}{rest}", exit.error.message);
                exit
            }
        }
    })
}
