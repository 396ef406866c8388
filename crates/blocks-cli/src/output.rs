//! Where results and progress go.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use blocks_sdk::{Pending, Session};
use serde::Serialize;
use serde_json::Value;

use crate::exit::Exit;
use crate::{github, text};

/// Set in the logs of CI systems.
const CI: [&str; 4] = ["CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"];

pub struct Output {
    json: bool,
    github: bool,
    /// A spinner is for a person who looks.
    spins: bool,
}

/// What became of a turn, by the names that the vendor's action has for the same things.
#[derive(Serialize)]
pub struct Outcome {
    pub session_id: String,
    pub thread_id: Option<String>,
    pub session_html_url: Option<String>,
    pub status: &'static str,
    pub final_message: Option<String>,
    pub pull_requests: Vec<Value>,
}

impl Outcome {
    pub fn new(status: &'static str, pending: &Pending, session: Option<&Session>) -> Self {
        let pull_requests = session.map(Session::pull_requests).unwrap_or_default();
        Self {
            session_id: pending.session_id().to_string(),
            thread_id: pending.thread_id().map(|id| id.to_string()),
            session_html_url: session.and_then(Session::html_url).map(str::to_owned),
            status,
            final_message: None,
            pull_requests: pull_requests
                .iter()
                .filter_map(|pr| serde_json::to_value(pr).ok())
                .collect(),
        }
    }
}

impl Output {
    pub fn new(json: bool, github: bool) -> Self {
        Self {
            json,
            github,
            spins: std::io::stderr().is_terminal(),
        }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Before a wait: where to look, and the ids for whatever comes after this step.
    pub fn begun(&self, outcome: &Outcome) -> Result<(), Exit> {
        let place = outcome.session_html_url.as_deref();
        note(&format!("session {}", place.unwrap_or(&outcome.session_id)));
        if !self.github {
            return Ok(());
        }
        github::outputs(&[
            ("session_id", &outcome.session_id),
            (
                "thread_id",
                outcome.thread_id.as_deref().unwrap_or_default(),
            ),
            ("session_html_url", place.unwrap_or_default()),
        ])
    }

    /// The end of a turn.
    pub fn ended(&self, outcome: &Outcome) -> Result<(), Exit> {
        let reply = outcome.final_message.as_deref();
        if self.github {
            let pull_requests = Value::from(outcome.pull_requests.clone()).to_string();
            let mut pairs = vec![
                ("status", outcome.status),
                ("pull_requests", &pull_requests),
            ];
            pairs.extend(reply.map(|text| ("final_message", text)));
            github::outputs(&pairs)?;
            let place = outcome
                .session_html_url
                .as_deref()
                .unwrap_or(&outcome.session_id);
            let reply = reply.unwrap_or("There is no reply yet.");
            github::summary(&format!(
                "### Blocks: {}\n\n{place}\n\n{reply}\n",
                outcome.status
            ))?;
        }
        if self.json {
            return json(outcome);
        }
        match reply {
            Some(text) => self.text(text),
            None => Ok(()),
        }
    }

    /// A text from an agent: as it is to a file or a program, harmless to a terminal or the log
    /// of a CI system.
    pub fn text(&self, text: &str) -> Result<(), Exit> {
        let mut safe = text.to_owned();
        let in_ci = CI.iter().any(|name| std::env::var_os(name).is_some());
        if in_ci || std::io::stdout().is_terminal() {
            safe = text::plain(&safe);
        }
        if in_ci {
            safe = text::no_commands(&safe);
        }
        print(&safe)
    }

    /// How long a wait has taken, on a terminal alone.
    pub fn waiting(&self, elapsed: Duration) {
        if self.spins {
            const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
            let frame = FRAMES[elapsed.as_secs() as usize / 2 % FRAMES.len()];
            let elapsed = humantime::format_duration(Duration::from_secs(elapsed.as_secs()));
            eprint!("\r\u{1b}[K{frame} {elapsed}");
            // A spinner that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    /// Takes the spinner away.
    pub fn waited(&self) {
        if self.spins {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// A line for a person, on standard error.
pub fn note(line: &str) {
    eprintln!("{}", text::no_commands(&text::plain(line)));
}

/// A value as one line of JSON, in which control characters are escaped.
pub fn json(value: &impl Serialize) -> Result<(), Exit> {
    let line = serde_json::to_string(value)
        .map_err(|e| Exit::failed(format!("no JSON can be written: {e}")))?;
    print(&text::no_commands_in_json(&line))
}

/// A line on standard output. A reader that has gone, as `head` does, is no failure.
pub fn print(line: &str) -> Result<(), Exit> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Exit::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
