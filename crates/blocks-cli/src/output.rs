//! Where results and progress go.

use std::time::Duration;

use blocks_sdk::{Client, Pending, Session};
use serde::Serialize;
use serde_json::Value;

use crate::exit::Exit;
use crate::host::Host;
use crate::{github, text};

pub struct Output {
    host: Host,
    json: bool,
    github: bool,
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
    pub fn new(host: Host, json: bool, github: bool) -> Self {
        Self { host, json, github }
    }

    /// The client that the environment describes.
    pub fn client(&self) -> Result<Client, Exit> {
        self.host.client()
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Before a wait: where to look, and the ids for whatever comes after this step.
    pub fn begun(&self, outcome: &Outcome) -> Result<(), Exit> {
        let place = outcome.session_html_url.as_deref();
        self.note(&format!("session {}", place.unwrap_or(&outcome.session_id)));
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
            return self.json(outcome);
        }
        match reply {
            Some(text) => self.text(text),
            None => Ok(()),
        }
    }

    /// Whether what goes to standard output must be made harmless first: to a terminal, or to the
    /// log of a CI system. To a file or a program it goes as it is.
    pub fn is_watched(&self) -> bool {
        self.host.in_ci || self.host.out_is_terminal
    }

    /// A text from an agent, harmless where that matters.
    pub fn text(&self, text: &str) -> Result<(), Exit> {
        let mut safe = text.to_owned();
        if self.is_watched() {
            safe = text::plain(&safe);
        }
        if self.host.in_ci {
            safe = text::no_commands(&safe);
        }
        self.print(&safe)
    }

    /// How long a wait has taken: a spinner, for a person who looks.
    pub fn waiting(&self, elapsed: Duration) {
        if self.host.err_is_terminal {
            const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
            let frame = FRAMES[elapsed.as_secs() as usize / 2 % FRAMES.len()];
            let elapsed = humantime::format_duration(Duration::from_secs(elapsed.as_secs()));
            self.host.tell(&format!("\r\u{1b}[K{frame} {elapsed}"));
        }
    }

    /// Takes the spinner away.
    pub fn waited(&self) {
        if self.host.err_is_terminal {
            self.host.tell("\r\u{1b}[K");
        }
    }

    /// A line for a person, on standard error.
    pub fn note(&self, line: &str) {
        let safe = text::no_commands(&text::plain(line));
        self.host.tell(&format!("{safe}\n"));
    }

    /// A value as one line of JSON, in which everything that is not plain is escaped.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Exit> {
        let line = serde_json::to_string(value)
            .map_err(|e| Exit::failed(format!("no JSON can be written: {e}")))?;
        self.print(&text::safe_json(&line))
    }

    /// A line on standard output, as it is.
    pub fn print(&self, line: &str) -> Result<(), Exit> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Bytes on standard output, as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Exit> {
        self.host.write(bytes)
    }
}
