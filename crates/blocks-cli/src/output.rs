//! Writes results and progress to standard output, to standard error, and to the files for the outputs and the summary
//! of a GitHub workflow step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use blocks_fleet::LimitLocation;
use blocks_sdk::types::Message;
use blocks_sdk::{Client, RawJson, ToolCall};
use serde::Serialize;
use serde_json::Value;

use crate::exit::Exit;
use crate::github::{self, GithubFiles};
use crate::host::Host;
use crate::limit;
use crate::notes::Notes;
use crate::report::{Event, FailureReport, TurnReport};
use crate::text;

/// Maximum number of characters of a tool call that `--follow` of `run`, `send` and `wait` prints for a person. The
/// arguments of a tool call can contain a whole file, but a person only wants to see which tool was called.
const MAX_TOOL_CALL: usize = 200;

/// Settings of [`Output`] from the command line.
#[derive(Clone, Copy, Default)]
pub struct OutputOptions {
    pub json: bool,
    pub github: bool,
    pub raw: bool,
    /// Whether standard error gets JSON Lines, as with `--json` and `--follow`.
    pub events: bool,
    /// Whether `--no-shared-limit` was given.
    pub no_shared_limit: bool,
    pub request_timeout: Option<Duration>,
}

pub struct Output {
    notes: Notes,
    host: Host,
    options: OutputOptions,
    github: OnceLock<GithubFiles>,
    /// The first failure to write a file such as that of the step outputs. The command continues after this failure,
    /// but its exit code is not 0.
    side_failure: Mutex<Option<Exit>>,
    is_discard_reported: AtomicBool,
}

impl Output {
    pub fn new(host: Host, options: OutputOptions) -> Self {
        Self {
            notes: Notes::new(host.error_stream(), options.events),
            host,
            options,
            github: OnceLock::new(),
            side_failure: Mutex::new(None),
            is_discard_reported: AtomicBool::new(false),
        }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the client, which is configured by environment variables such as `BLOCKS_API_KEY`.
    pub fn client(&self) -> Result<Client, Exit> {
        let client = self.host.client(&self.limit_location()?, &self.notes)?;
        Ok(match self.options.request_timeout {
            Some(timeout) => client.with_attempt_timeout(timeout),
            None => client,
        })
    }

    /// Returns the client for requests that send a prompt. Without `--request-timeout`, the time-out of these requests
    /// is longer than that of reads. After a time-out, it is unknown whether the service accepted the prompt, so a
    /// time-out must be rare.
    pub fn client_for_create(&self) -> Result<Client, Exit> {
        const CREATE_TIMEOUT: Duration = Duration::from_secs(180);
        let timeout = self.options.request_timeout.unwrap_or(CREATE_TIMEOUT);
        let client = self.host.client(&self.limit_location()?, &self.notes)?;
        Ok(client.with_attempt_timeout(timeout))
    }

    /// Returns the remaining time of the rate limiter's pause, for example after a 429. Returns `None` if there is no
    /// pause or no client.
    pub fn rate_limit_pause(&self) -> Option<Duration> {
        self.client().ok()?.rate_limit_status().paused_for
    }

    /// Returns the location of the store for the shared rate limit.
    pub fn limit_location(&self) -> Result<LimitLocation, Exit> {
        limit::location(self.options.no_shared_limit, &self.host)
    }

    pub fn is_json(&self) -> bool {
        self.options.json
    }

    pub fn is_github(&self) -> bool {
        self.options.github
    }

    /// Opens the files of the step outputs and the job summary, if `--github-output` was given. Called before anything
    /// is sent.
    pub fn open_github(&self) -> Result<(), Exit> {
        if self.options.github && self.github.get().is_none() {
            let (files, warning) = GithubFiles::open(&self.host)?;
            if let Some(warning) = warning {
                self.note(&format!("warning: {warning}"));
            }
            let _ = self.github.set(files);
        }
        Ok(())
    }

    /// Prints the address of the session's page, or the session's id if the address is not known. If standard error
    /// gets JSON Lines, prints an event with both instead. Also writes the ids of the session and of the prompt's
    /// thread of messages, and the address, to the step outputs. Called before the wait for the reply, so that later
    /// steps of a workflow get the ids even if the wait fails.
    pub fn report_started(&self, report: &TurnReport) {
        let id = report.session_id.as_deref().unwrap_or_default();
        let place = report.session_html_url.as_deref().unwrap_or(id);
        match self.options.events {
            true => self.event(&Event::Started {
                session_id: report.session_id.clone(),
                thread_id: report.thread_id.clone(),
                session_html_url: report.session_html_url.clone(),
            }),
            false => self.note(&format!("session {place}")),
        }
        self.write_outputs(&ids(report));
    }

    /// Writes the result of a turn to the step outputs and the job summary. Called before the command prints its
    /// report, because the report also describes a failure to write the step outputs.
    pub fn report_to_github(&self, report: &TurnReport, ids_are_written: bool) {
        if self.github.get().is_none() {
            return;
        }
        let reply = report.final_message.as_deref().unwrap_or_default();
        let (fit, cut) = github::fit_output(reply);
        let error = report.error.as_ref();
        let error = error.and_then(|error| serde_json::to_string(error).ok());
        let mut pairs = if ids_are_written {
            Vec::new()
        } else {
            ids(report)
        };
        pairs.extend([
            ("status", report.status.name().to_owned()),
            ("exit_code", report.exit_code.to_string()),
            (
                "pull_requests",
                Value::from(report.pull_requests.clone()).to_string(),
            ),
            ("error", error.unwrap_or_default()),
            ("final_message", fit.to_owned()),
        ]);
        if let Some(json) = &report.structured_output {
            pairs.push(("structured_output", self.fit_json(json)));
        }
        if cut {
            pairs.push(("final_message_truncated", "true".to_owned()));
            self.note("warning: the output final_message was cut: GitHub takes 1 MiB from a job");
        }
        self.write_outputs(&pairs);
        self.write_summary(report);
    }

    /// Returns the JSON in the reply as the text of a step output. If the JSON is too large, returns an empty text,
    /// because cut JSON would not be valid.
    fn fit_json(&self, json: &RawJson) -> String {
        let json = json.as_str();
        if json.len() > github::MAX_JSON {
            self.note(
                "warning: the output structured_output is empty: GitHub takes 1 MiB from a job",
            );
            return String::new();
        }
        json.to_owned()
    }

    fn write_outputs(&self, pairs: &[(&str, String)]) {
        let Some(files) = self.github.get() else {
            return;
        };
        if let Err(error) = files.write_outputs(pairs) {
            self.fail_beside(Exit::failed(format!("cannot write GITHUB_OUTPUT: {error}")));
        }
    }

    fn write_summary(&self, report: &TurnReport) {
        let Some(files) = self.github.get() else {
            return;
        };
        let id = report.session_id.as_deref().unwrap_or_default();
        let place = report.session_html_url.as_deref().unwrap_or(id);
        let error = report.error.as_ref().map(|error| error.message.as_str());
        let reply = report.final_message.as_deref();
        let (text, cut) = github::fit_summary(reply.or(error).unwrap_or("No reply yet."));
        let rest = match cut {
            true => format!("\n_The reply is longer than this summary: {place}_\n"),
            false => String::new(),
        };
        let status = report.status.name();
        let text = text.trim_end();
        let markdown = format!("### Blocks: {status}\n\n{place}\n\n{text}\n{rest}");
        if let Err(error) = files.write_summary(&markdown) {
            self.note(&format!(
                "warning: cannot write GITHUB_STEP_SUMMARY: {error}"
            ));
        }
    }

    /// Warns that a file such as that of the step outputs cannot be written. The command continues, but its exit code
    /// is not 0.
    pub fn fail_beside(&self, exit: Exit) {
        self.note(&format!("warning: {}", exit.error.message));
        let mut first = self
            .side_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(exit);
    }

    pub fn side_failure(&self) -> Option<Exit> {
        let first = self
            .side_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.clone()
    }

    /// Reports the failure of a command that has no result, and returns the exit code.
    pub fn report_failure(&self, exit: &Exit) -> u8 {
        let code = exit.code as u8;
        self.note_error(exit);
        if self.options.json && !exit.is_reported {
            let report = FailureReport {
                status: exit.status(),
                exit_code: code,
                error: (*exit.error).clone(),
            };
            // An error of this write is ignored: the exit code already shows that the command failed.
            let _ = self.json(&report);
        }
        code
    }

    /// Prints the error, except if the command ended because no process reads its output any more. Other programs print
    /// nothing in this case either, for example `cat` in `cat FILE | head`.
    pub fn note_error(&self, exit: &Exit) {
        if exit.error.kind != "closed_output" {
            self.note(&format!("error: {}", exit.error.message));
        }
    }

    /// Prints a text from an agent. A terminal gets the text without control characters, and a CI log also without
    /// commands to the CI system. A file, or a pipe outside of CI, gets the text unchanged. With `--raw`, the text is
    /// always unchanged.
    pub fn text(&self, text: &str) -> Result<(), Exit> {
        let mut safe = text.to_owned();
        if !self.options.raw && (self.host.out_is_terminal || self.host.out_is_ci_log()) {
            safe = text::plain(&safe);
        }
        if !self.options.raw && self.host.out_is_ci_log() {
            safe = text::no_commands(&safe);
        }
        self.print(&safe)
    }

    pub fn out_is_terminal(&self) -> bool {
        self.host.out_is_terminal
    }

    /// Draws the progress line, if it can be redrawn: what the command has done so far, and the elapsed time.
    pub fn show_progress(&self, what: &str, elapsed: Duration) {
        if self.can_redraw() {
            const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
            let frame = FRAMES[elapsed.as_secs() as usize / 2 % FRAMES.len()];
            let elapsed = whole_seconds(elapsed);
            self.notes.draw(&format!("{frame} {what}{elapsed}"));
        }
    }

    /// Removes the progress line.
    pub fn clear_progress(&self) {
        self.notes.clear();
    }

    /// Reports the progress. `batch` calls it once a minute, and the other commands after each minute without a
    /// message. If standard error gets JSON Lines, prints an event. Otherwise, prints a new line, but nothing if a
    /// progress line could be redrawn on a terminal. A CI log needs the new lines, because CI systems end a job that
    /// prints nothing for a long time.
    pub fn show_minute(&self, what: &str, elapsed: Duration) {
        if self.options.events {
            let seconds = elapsed.as_secs();
            self.event(&Event::Waiting { seconds });
        } else if !self.can_redraw() {
            self.note(&format!("{what}, {}", whole_seconds(elapsed)));
        }
    }

    pub fn can_redraw(&self) -> bool {
        self.host.can_redraw() && !self.options.events
    }

    /// Shows a message or a tool call that the agent sent before its reply.
    pub fn show_message(&self, message: &Message) {
        let call = ToolCall::of(message);
        if self.options.events {
            let value = serde_json::to_value(message).unwrap_or_default();
            return self.event(&match call {
                Some(call) => Event::ToolCall {
                    arguments: serde_json::to_value(call.arguments()).unwrap_or_default(),
                    name: call.name,
                    message: value,
                },
                None => Event::Message { message: value },
            });
        }
        let text = match call {
            Some(call) => text::shorten(&text::tool_call(&call), MAX_TOOL_CALL),
            None => message.message.clone().unwrap_or_default(),
        };
        self.note(&text);
    }

    fn event(&self, event: &Event) {
        self.notes.event(event);
    }

    /// Prints a line for a person on standard error.
    pub fn note(&self, line: &str) {
        self.notes.note(line);
    }

    /// Prints a value as one line of JSON. Escapes control characters, characters that change the writing direction,
    /// and texts that start a command to a CI system.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Exit> {
        let line = serde_json::to_string(value)
            .map_err(|e| Exit::failed(format!("cannot serialize the result: {e}")))?;
        self.print(&text::safe_json(&line))
    }

    /// Prints a line on standard output, unchanged.
    pub fn print(&self, line: &str) -> Result<(), Exit> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes bytes to standard output, unchanged.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Exit> {
        // The progress line is removed first, since standard output and standard error may be the same terminal.
        self.notes.clear();
        self.host.write(bytes)?;
        if self.host.out_discards && !self.is_discard_reported.swap(true, Ordering::Relaxed) {
            self.note(
                "warning: standard output is closed or discards everything; to keep it, use > FILE",
            );
        }
        Ok(())
    }
}

fn ids(report: &TurnReport) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        ("session_id", text(&report.session_id)),
        ("thread_id", text(&report.thread_id)),
        ("session_html_url", text(&report.session_html_url)),
    ]
}

fn whole_seconds(elapsed: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(elapsed.as_secs()))
}
