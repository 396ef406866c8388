//! The command `batch`, which runs many prompts under one rate limit.

mod prompt;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use blocks_fleet::{
    Batch, BatchError, BatchItem, BatchOptions, BatchPrompt, FileJournal, Journal, NoJournal,
    RedisJournal,
};
use serde_json::Value;
use tokio::time::{Instant, interval_at};

use super::wait::resume_command;
use crate::args::BatchArgs;
use crate::exit::{Code, Exit};
use crate::host::Interruption;
use crate::input;
use crate::output::Output;
use crate::prompts::{self, Prompt};
use crate::register::Register;
use crate::report::{Status, TurnReport};
use crate::structured::ReplySchema;
use prompt::{PromptWork, finished};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Number of prompts with each outcome.
#[derive(Default)]
struct Tally {
    completed: usize,
    failed: usize,
    running: usize,
    unknown: usize,
    interrupted: usize,
    /// Completed prompts that `--fail-on-notice` counts as failed, because the reply looks like a notice of failure.
    notices: usize,
    /// Completed prompts whose reply does not conform to its schema.
    mismatches: usize,
}

/// Prints the results of a batch and counts the outcomes.
struct Report<'a> {
    output: &'a Output,
    work: Arc<PromptWork<'a>>,
    total: usize,
    tally: Tally,
    /// The reason why no more prompts are started, if there is one.
    stop: Option<String>,
}

pub async fn batch(args: BatchArgs, output: &Output) -> Result<(), Exit> {
    let text = input::read_text("FILE", &args.file, output.host())?;
    let prompts = prompts::parse(&text);
    let prompts =
        prompts.map_err(|what| Exit::usage(format!("{}: {what}", args.file.display())))?;
    if prompts.is_empty() {
        let file = args.file.display();
        return Err(Exit::usage(format!("{file}: contains no prompts")));
    }
    let schemas = read_schemas(&args, &prompts, output)?;
    let work = Arc::new(PromptWork {
        output,
        client: output.client()?,
        client_for_create: output.client_for_create()?,
        timeout: args.reply.timeout.0,
        fail_on_notice: args.reply.fail_on_notice,
        has_journal: args.journal.is_some(),
        given_ids: prompts.iter().map(|p| p.given_id.clone()).collect(),
        schemas: schemas.clone(),
        running: std::sync::Mutex::default(),
        ended: std::sync::Mutex::default(),
        effects: std::sync::Mutex::default(),
        register: Register::open(output, args.register)?,
    });
    output.host().listen();
    let journal = open_journal(args.journal.as_deref(), &args.file, output)?;
    let mut report = Report {
        output,
        work: Arc::clone(&work),
        total: prompts.len(),
        tally: Tally::default(),
        stop: None,
    };
    let prompts = prompts.into_iter().zip(schemas);
    let prompts = prompts.map(|(prompt, schema)| with_schema(prompt, schema.as_deref()));
    let options = BatchOptions {
        max_running: args.max_running.map_or(usize::MAX, |n| n as usize),
        retry_unknown: args.retry_unknown,
        retry_failed: args.retry_failed,
    };
    let batch = Batch::new(prompts.collect(), journal, work, options).await;
    let batch = batch.map_err(|error| match error {
        BatchError::Journal(error) => Exit::usage(format!("--journal: {error}")),
        changed => Exit::usage(changed.to_string()),
    })?;
    let printed = report.run(batch, args.fail_fast).await;
    match printed {
        Ok(by) => report.end(by),
        Err(exit) => {
            report.list_unprinted();
            Err(exit)
        }
    }
}

/// Returns the prompt, whose request asks for a reply that conforms to the schema. The schema is a part of the message
/// that is sent, so it is also a part of the fingerprint. Without it, a rerun with another `--schema` would report the
/// recorded reply, which was checked against the earlier schema.
fn with_schema(prompt: Prompt, schema: Option<&ReplySchema>) -> BatchPrompt {
    let (mut request, mut fingerprint) = (prompt.request, prompt.fingerprint);
    if let Some(schema) = schema {
        request = request.expect_schema(schema.as_value().clone());
        fingerprint = fingerprint.with_field("schema", schema.as_value());
    }
    BatchPrompt {
        id: prompt.id,
        request,
        fingerprint,
    }
}

/// Returns the schema for the reply to each prompt: the schema in the prompt's line, or else the
/// schema of `--schema`.
fn read_schemas(
    args: &BatchArgs,
    prompts: &[Prompt],
    output: &Output,
) -> Result<Vec<Option<Arc<ReplySchema>>>, Exit> {
    let shared = args.schema.as_deref();
    let shared = shared.map(|path| ReplySchema::read(path, output.host()));
    let shared = shared.transpose()?.map(Arc::new);
    let schema = |prompt: &Prompt| match &prompt.schema {
        Some(schema) => ReplySchema::new(schema.clone())
            .map(|schema| Some(Arc::new(schema)))
            .map_err(|what| {
                Exit::usage(format!("prompt {}: invalid JSON Schema: {what}", prompt.id))
            }),
        None => Ok(shared.clone()),
    };
    prompts.iter().map(schema).collect()
}

fn open_journal(
    journal: Option<&Path>,
    prompts: &Path,
    output: &Output,
) -> Result<Arc<dyn Journal>, Exit> {
    let Some(path) = journal else {
        return Ok(Arc::new(NoJournal));
    };
    // Any URL is tried as the URL of a server. As the name of a file, a URL with a mistake would be printed with its
    // password.
    let text = path.to_string_lossy();
    if text.contains("://") || text.contains(":/") && text.contains('@') {
        let journal = RedisJournal::new(&text);
        let journal = journal.map_err(|error| Exit::usage(format!("--journal: {error}")))?;
        return Ok(Arc::new(journal));
    }
    let name = path.display();
    if let (Ok(file), Ok(journal)) = (prompts.canonicalize(), path.canonicalize())
        && file == journal
    {
        return Err(Exit::usage(format!(
            "--journal {name}: this is the file of the prompts"
        )));
    }
    let journal = FileJournal::open(path);
    let journal = journal.map_err(|error| Exit::usage(format!("--journal {name}: {error}")))?;
    for line in journal.damaged_lines() {
        let what = "is damaged and was skipped; prompts that it may concern are unknown";
        output.note(&format!("warning: journal line {line} {what}"));
    }
    Ok(Arc::new(journal))
}

impl<'a> Report<'a> {
    /// Prints the result of each prompt until the batch ends. Returns what interrupted the batch, a signal or a closed
    /// standard output, or `None` if nothing did. Fails if a result cannot be printed.
    async fn run(
        &mut self,
        mut batch: Batch<'a, PromptWork<'a>>,
        fail_fast: bool,
    ) -> Result<Option<Interruption>, Exit> {
        let start = Instant::now();
        let mut minutes = interval_at(start + MINUTE, MINUTE);
        let mut seconds = interval_at(start + SECOND, SECOND);
        let by = loop {
            let item = tokio::select! {
                biased;
                item = batch.next() => item,
                by = self.output.host().interruption_or_closed_output() => break Some(by),
                _ = seconds.tick(), if self.output.can_redraw() => {
                    self.output.show_progress(&self.progress(), start.elapsed());
                    continue;
                }
                _ = minutes.tick() => {
                    let (done, running) = (self.tally.ended(), batch.running());
                    let what = format!("{done} of {} done, {running} running", self.total);
                    self.output.show_minute(&what, start.elapsed());
                    continue;
                }
            };
            let Some(item) = item else { break None };
            if let Some(error) = batch.failure().filter(|_| self.stop.is_none()) {
                let what = format!("cannot write the journal: {error}");
                self.output
                    .note(&format!("warning: {what}; no more prompts are started"));
                self.stop = Some(what);
            }
            if let BatchItem::Known { index, .. }
            | BatchItem::Unknown { index, .. }
            | BatchItem::Finished { index, .. } = &item
            {
                self.work.ended().remove(index);
            }
            let printed = match item {
                BatchItem::Known { result, .. } => self.print_known(&result),
                BatchItem::Unknown { index, session_id } => self.print_unknown(index, session_id),
                BatchItem::Finished { report, .. } => {
                    if fail_fast && report.exit_code != 0 {
                        self.stop
                            .get_or_insert("a prompt failed (--fail-fast)".into());
                        batch.stop();
                    }
                    self.print(report)
                }
                _ => Ok(()),
            };
            if let Err(exit) = printed {
                batch.interrupt().await;
                let rest = batch.not_started();
                self.work.running().retain(|index, _| !rest.contains(index));
                return Err(exit);
            }
        };
        self.output.clear_progress();
        if let Some(error) = batch.failure().filter(|_| self.stop.is_none()) {
            self.stop = Some(format!("cannot write the journal: {error}"));
        }
        batch.interrupt().await;
        let rest = batch.not_started();
        drop(batch);
        self.report_rest(rest, by)?;
        Ok(by)
    }

    /// Returns the text of the progress line in a terminal. A prompt counts as waiting until it has a session. For
    /// example, such a prompt waits for a permit of the rate limiter, for the response to its create, for the end of
    /// another prompt because of `--max-running`, or for another worker (a process with the same journal) that handles
    /// the prompt.
    fn progress(&self) -> String {
        let has_session = |report: &&TurnReport| report.session_id.is_some();
        let running = self.work.running().values().filter(has_session).count();
        let (done, failed) = (self.tally.ended(), self.tally.failed + self.tally.unknown);
        let waiting = self.total.saturating_sub(done + running);
        let total = self.total;
        format!("{done} of {total} done, {running} running, {waiting} waiting, {failed} failed, ")
    }

    /// Prints a result that an earlier run or another worker has stored in the journal.
    fn print_known(&mut self, result: &Value) -> Result<(), Exit> {
        self.tally.completed += 1;
        let has_notice = !result["failure_notice"].is_null();
        self.tally.notices += usize::from(has_notice && self.work.fail_on_notice);
        let is_mismatch = result["exit_code"] == Code::ReplyMismatch as u8;
        self.tally.mismatches += usize::from(is_mismatch);
        self.output.json(result)
    }

    /// Reports a prompt with unknown outcome. Either an earlier run or another worker stopped during the create, or its
    /// create failed and may have had an effect, or the journal is damaged.
    fn print_unknown(&mut self, index: usize, session_id: Option<String>) -> Result<(), Exit> {
        let mut report = self.work.report(index);
        report.session_id = session_id;
        let mut exit = Exit::new(
            Code::OutcomeUnknown,
            "unknown",
            "it is unknown whether an earlier create had an effect, so a session may exist; use \
             --retry-unknown to create it again",
        );
        exit.error.may_have_taken_effect = true;
        let id = plain_id(report.id.clone());
        self.output.note(&format!("{id}: {}", exit.error.message));
        self.print(finished(report, Err(exit)))
    }

    /// Prints one line for each prompt that has no line yet. If standard output is closed, prints only the commands
    /// that resume the waits, to standard error. Each report is removed from the shared state just before it is
    /// printed, so that `list_unprinted` finds the remaining reports after a failure.
    fn report_rest(&mut self, rest: Vec<usize>, by: Option<Interruption>) -> Result<(), Exit> {
        self.work.ended().retain(|index, _| !rest.contains(index));
        self.work.running().retain(|index, _| !rest.contains(index));
        if by == Some(Interruption::ClosedOutput) {
            self.list_unprinted();
            return Ok(());
        }
        loop {
            let next = self.work.ended().pop_first();
            let Some((_, report)) = next else { break };
            self.print(report)?;
        }
        loop {
            let next = self.work.running().pop_first();
            let Some((_, mut report)) = next else { break };
            let result = match by {
                _ if report.final_message.is_some() => Ok(()),
                Some(by) => {
                    let mut exit = Exit::from(by);
                    exit.error.may_have_taken_effect = report.session_id.is_none();
                    exit.error.resume = resume_command(&report);
                    Err(exit)
                }
                None => Err(Exit::failed("stopped")),
            };
            report = finished(report, result);
            self.print(report)?;
        }
        for index in rest {
            let report = self.work.report(index);
            let exit = match (by, &self.stop) {
                (Some(by), _) => Exit::interrupted(by, "interrupted before it was sent"),
                (None, Some(why)) => Exit::usage(format!("not sent: {why}")),
                (None, None) => Exit::usage("not sent"),
            };
            self.print(finished(report, Err(exit)))?;
        }
        Ok(())
    }

    /// Lists the prompts that were started and have no printed result, because standard output cannot be written.
    fn list_unprinted(&self) {
        for report in self.work.ended().values() {
            self.note_unprinted(report);
        }
        for report in self.work.running().values() {
            self.note_unprinted(report);
        }
    }

    /// Prints to standard error how to get the reply to a prompt whose result was not printed. Without a session,
    /// prints the error of the prompt instead.
    fn note_unprinted(&self, report: &TurnReport) {
        let id = plain_id(report.id.clone());
        let what = match (resume_command(report), &report.error) {
            (Some(resume), _) => format!("to keep waiting, run: {resume}"),
            (None, Some(error)) => error.message.clone(),
            (None, None) => {
                "the create may have had an effect; check the dashboard before you retry".to_owned()
            }
        };
        self.output.note(&format!("{id}: {what}"));
    }

    /// Prints the result of a prompt. If standard output cannot be written, prints how to get the reply to standard
    /// error.
    fn print(&mut self, report: TurnReport) -> Result<(), Exit> {
        self.tally.add(report.status);
        self.tally.notices += usize::from(report.exit_code == Code::Notice as u8);
        self.tally.mismatches += usize::from(report.exit_code == Code::ReplyMismatch as u8);
        if let Err(exit) = self.output.json(&report) {
            self.note_unprinted(&report);
            return Err(exit);
        }
        let ended = self.tally.ended();
        let (id, status) = (plain_id(report.id), report.status.name());
        let error = report.error.map(|error| format!(": {}", error.message));
        let error = error.unwrap_or_default();
        self.output
            .note(&format!("{ended} of {}: {id} {status}{error}", self.total));
        Ok(())
    }

    /// Prints the summary. Returns an error with the exit code if the batch did not fully succeed. The
    /// error is not printed as JSON, because standard output already has a line for each prompt.
    fn end(self, by: Option<Interruption>) -> Result<(), Exit> {
        let tally = &self.tally;
        self.output.note(&format!(
            "{} replied, {} failed, {} still running, {} with unknown outcome, {} interrupted",
            tally.completed, tally.failed, tally.running, tally.unknown, tally.interrupted
        ));
        if let Some(by) = by {
            let advice = match self.work.has_journal {
                true => "rerun with the same --journal to resume",
                false => {
                    "there is no journal, so a rerun sends every prompt again; the lines \
                          above have the sessions' ids"
                }
            };
            return Err(Exit::interrupted(by, format!("interrupted; {advice}")).reported());
        }
        let exit = match tally {
            Tally { unknown: 1.., .. } => Exit::new(
                Code::OutcomeUnknown,
                "unknown",
                "some sessions may have been created; check the dashboard before you retry",
            ),
            Tally { running: 1.., .. } => {
                Exit::new(Code::StillRunning, "timed_out", "some are still running")
            }
            Tally { failed: 1.., .. } => Exit::failed("some failed"),
            Tally { notices: 1.., .. } => Exit::new(
                Code::Notice,
                "failure_notice",
                "some replies look like notices of failure",
            ),
            Tally {
                mismatches: 1.., ..
            } => Exit::new(
                Code::ReplyMismatch,
                "reply_mismatch",
                "some replies do not conform to the schema",
            ),
            _ => match self.stop {
                Some(why) => Exit::failed(why),
                None => return Ok(()),
            },
        };
        Err(exit.reported())
    }
}

/// Returns the id as plain text, without the quotes of a JSON string.
fn plain_id(id: Option<Value>) -> String {
    match id {
        Some(Value::String(id)) => id,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

impl Tally {
    fn add(&mut self, status: Status) {
        *match status {
            Status::Completed | Status::Started => &mut self.completed,
            Status::Failed | Status::Refused => &mut self.failed,
            Status::TimedOut => &mut self.running,
            Status::Unknown => &mut self.unknown,
            Status::Interrupted => &mut self.interrupted,
        } += 1;
    }

    fn ended(&self) -> usize {
        self.completed + self.failed + self.running + self.unknown + self.interrupted
    }
}
