//! The terminal sessions that are recorded: the commands, and the script of the mock's agent.

use serde_json::{Value, json};

/// A terminal session.
pub struct TerminalSession {
    /// The picture's name.
    pub name: &'static str,
    /// The title above the picture.
    pub title: &'static str,
    /// The settings of `blocks mock`. The seed in the settings makes the mock's ids the same in every run.
    pub mock: Value,
    /// The commands. `$SESSION` is replaced by the id of the session that was printed last.
    pub steps: Vec<Step>,
}

/// A command that is typed.
pub struct Step {
    pub typed: &'static str,
    /// Ctrl-C is pressed after the command has printed a line that starts with this text; `None` to press no key.
    pub interrupted_after: Option<&'static str>,
}

fn typed(typed: &'static str) -> Step {
    Step {
        typed,
        interrupted_after: None,
    }
}

pub fn all() -> [TerminalSession; 2] {
    [run(), batch()]
}

fn run() -> TerminalSession {
    let agent = json!({
        "text": "The parser has a test now: tests/parser.rs, with three cases.",
        "when": {"after": "3s"},
        "steps": [
            {"at": "1s", "do": {"message": "Reading the parser."}},
            {"at": "2s", "do": {"tool_call": {"name": "bash", "input": "cargo test parser"}}},
        ],
    });
    TerminalSession {
        name: "run",
        title: "blocks run",
        mock: json!({"seed": 7, "agent": agent}),
        steps: vec![
            typed("blocks run --agent cluade 'Add a test for the parser.'"),
            typed("blocks run --agent claude 'Add a test for the parser.'"),
            typed("blocks transcript --tools $SESSION"),
            typed("blocks run --agent codex --timeout 2s 'Fix the build.'; echo \"exit code $?\""),
        ],
    }
}

fn batch() -> TerminalSession {
    let agent = json!({"text": "Done.", "when": {"after": "4s"}});
    let results = "blocks batch prompts.jsonl --journal journal > results.jsonl";
    TerminalSession {
        name: "batch",
        title: "blocks batch",
        mock: json!({"seed": 7, "agent": agent, "rate_limit": {}}),
        steps: vec![
            typed("cat prompts.jsonl"),
            Step {
                typed: results,
                interrupted_after: Some("2 of 5"),
            },
            typed(results),
            typed("wc -l < results.jsonl"),
        ],
    }
}

/// The file of prompts that is in the folder of each session.
pub const PROMPTS: &str = r#"{"id": "docs",  "agent_name": "claude", "message": "Document the parser."}
{"id": "tests", "agent_name": "codex",  "message": "Add a test for the parser."}
{"id": "lint",  "agent_name": "claude", "message": "Fix what the linter reports."}
{"id": "types", "agent_name": "gemini", "message": "Give the options a type."}
{"id": "ci",    "agent_name": "claude", "message": "Let the build fail on warnings."}
"#;
