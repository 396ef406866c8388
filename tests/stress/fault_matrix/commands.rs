//! Runs nine commands of the CLI with every kind of fault that the mock can inject. The commands run in this process,
//! and their output is captured.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use blocks_cli::Host;
use blocks_mock::Dialect;
use blocks_tests::{Captured, KEY};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::output_dir::OutputDir;
use super::setup::{InjectedFault, Setup};

/// A command line without the word `blocks`. `SESSION`, `THREAD` and `PLAN` are replaced by the ids in the setup, and
/// `FOLDER` by a temporary folder.
#[derive(Clone, Copy)]
pub struct CommandLine(&'static str);

impl Debug for CommandLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

pub const ALL: [CommandLine; 19] = [
    CommandLine("run --agent claude --timeout 3m hello"),
    CommandLine("run --agent claude --no-wait hello"),
    CommandLine("run --agent claude --timeout 3m --json hello"),
    CommandLine("run --agent claude --timeout 3m --pending FOLDER/pending hello"),
    CommandLine("send SESSION --timeout 3m more"),
    CommandLine("wait SESSION --timeout 3m"),
    CommandLine("wait SESSION --thread THREAD --timeout 3m"),
    CommandLine("show SESSION"),
    CommandLine("show SESSION --json"),
    CommandLine("messages SESSION"),
    CommandLine("messages SESSION --page 1 --limit 2"),
    CommandLine("messages SESSION --type tool_call --role assistant --json"),
    CommandLine("transcript SESSION --tools"),
    CommandLine("transcript SESSION --format json"),
    CommandLine("plan SESSION"),
    CommandLine("plan SESSION --output FOLDER/plan.md"),
    CommandLine("artifact SESSION PLAN"),
    CommandLine("artifact SESSION PLAN --output FOLDER/plan.md"),
    CommandLine("batch FOLDER/prompts --journal FOLDER/journal --timeout 3m"),
];

const DONE: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const STILL_RUNNING: u8 = 3;
const OUTCOME_UNKNOWN: u8 = 4;

/// The maximum duration of a command: a wait of 3 minutes, and five requests of 185 s, the time for all attempts of a
/// request.
const LONGEST: Duration = Duration::from_secs(180 + 5 * 185);

/// Runs a command with a fault. The dialect selects whether the mock behaves like the live service or like the
/// documentation.
pub async fn run(
    CommandLine(line): CommandLine,
    dialect: Dialect,
    fault: Option<InjectedFault>,
) -> super::Result {
    let mut setup = Setup::new(dialect).await;
    setup.inject(fault);
    let output = OutputDir::new();
    let is_prompt = line.starts_with("run") || line.starts_with("send");
    let is_batch = line.starts_with("batch");
    if is_batch {
        let prompts = ["a", "b"].map(|id| {
            let prompt = json!({"id": id, "agent_name": "claude", "message": id});
            format!("{prompt}\n")
        });
        output.write("prompts", &prompts.concat());
    }
    let (stdout, stderr) = (Captured::default(), Captured::default());
    let host = Host::new(setup.client.clone(), stdout.clone(), stderr.clone());
    let started = Instant::now();
    let code = timeout(
        2 * LONGEST,
        blocks_cli::run(arguments(line, &setup, &output), host),
    )
    .await;
    let mut violations = setup.check(usize::from(is_prompt) + 2 * usize::from(is_batch));
    violations.extend(output.check(&setup));
    if started.elapsed() > LONGEST {
        violations.push(format!("it took {:?}", started.elapsed()));
    }
    let Ok(code) = code else {
        violations.push("it does not end".into());
        return (setup, violations);
    };
    let result = CommandResult {
        code,
        stdout: stdout.text(),
        stderr: stderr.text(),
    };
    violations.extend(result.check());
    if is_prompt {
        violations.extend(result.check_prompt(&setup));
    }
    if is_batch {
        violations.extend(result.check_batch());
    }
    (setup, violations)
}

fn arguments(line: &str, setup: &Setup, output: &OutputDir) -> Vec<String> {
    let session = setup.session.id().to_string();
    let thread = setup.mock.threads(setup.session.id())[0].to_string();
    let plan = setup.session.plan_ids()[0].to_string();
    let arguments = line.split(' ').map(|argument| {
        argument
            .replace("SESSION", &session)
            .replace("THREAD", &thread)
            .replace("PLAN", &plan)
            .replace("FOLDER", &output.folder())
    });
    ["blocks".to_owned()].into_iter().chain(arguments).collect()
}

/// The exit code and the output of a command.
#[derive(Debug)]
struct CommandResult {
    code: u8,
    stdout: String,
    stderr: String,
}

impl CommandResult {
    fn check(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let printed = format!("{}{}", self.stdout, self.stderr);
        if printed.contains(KEY) || printed.contains("signature=") {
            violations.push("a secret is shown".into());
        }
        let error = self.stderr.lines().find(|line| line.starts_with("error: "));
        if (self.code == DONE) == error.is_some() {
            violations.push(format!("exit code and error line disagree: {self:?}"));
        }
        if ![DONE, FAILED, USAGE, STILL_RUNNING, OUTCOME_UNKNOWN].contains(&self.code) {
            violations.push(format!("an exit code that is not documented: {self:?}"));
        }
        if self.stderr.lines().any(|l| l.contains(char::is_control)) {
            violations.push(format!("control characters on the terminal: {self:?}"));
        }
        violations
    }

    /// Checks that the session is not lost if the prompt took effect. Either the session's id must be printed, or the
    /// exit code must say that a session may exist.
    fn check_prompt(&self, setup: &Setup) -> Option<String> {
        let (_, messages) = setup.created();
        let session = *setup.mock.sessions().last()?;
        let printed = format!("{}{}", self.stdout, self.stderr).contains(&session.to_string());
        let known = printed || self.code == OUTCOME_UNKNOWN;
        (messages > 0 && !known).then(|| format!("a lost session: {self:?}"))
    }

    /// Checks that the command printed exactly one result for each prompt of the batch.
    fn check_batch(&self) -> Option<String> {
        let results: Vec<Value> = self
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let count = |id: &str| results.iter().filter(|r| r["id"] == id).count();
        (count("a") != 1 || count("b") != 1)
            .then(|| format!("a prompt without its result: {self:?}"))
    }
}
