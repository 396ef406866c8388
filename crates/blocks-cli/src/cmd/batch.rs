//! `batch`: many prompts, with one rate limit.

mod journal;
mod prompt;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use blocks_sdk::Client;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, interval_at};

use super::wait::resume_command;
use crate::args::BatchArgs;
use crate::exit::{Code, Exit};
use crate::host::Interruption;
use crate::input;
use crate::output::Output;
use crate::prompts::{self, Prompt};
use crate::report::{Status, TurnReport};
use crate::structured::ReplySchema;
use journal::{Journal, State};
use prompt::{Context, Running, Work, finished, lock};

const MINUTE: Duration = Duration::from_secs(60);

/// How many ended in each way.
#[derive(Default)]
struct Tally {
    completed: usize,
    failed: usize,
    running: usize,
    unknown: usize,
    interrupted: usize,
    /// Those among the completed whose reply looks like a notice of failure.
    notices: usize,
    /// Those among the completed whose reply does not conform to its schema.
    mismatches: usize,
}

struct Batch<'a> {
    output: &'a Output,
    client: Client,
    client_for_create: Client,
    journal: Journal,
    timeout: Duration,
    fail_on_notice: bool,
    total: usize,
    /// What is known of the prompts that are running, in the order of the file.
    running: Running,
    tally: Tally,
    /// Why no more prompts are started.
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
    let client = output.client()?;
    let client_for_create = output.client_for_create()?;
    output.host().listen();
    let journal = Journal::open(args.journal.as_deref())?;
    check_unchanged(&prompts, &journal)?;
    let mut batch = Batch {
        output,
        client,
        client_for_create,
        journal,
        timeout: args.reply.timeout.0,
        fail_on_notice: args.reply.fail_on_notice,
        total: prompts.len(),
        running: Running::default(),
        tally: Tally::default(),
        stop: None,
    };
    let queue = batch.sort(prompts, schemas, args.retry_unknown)?;
    let max_running = args.max_running.map_or(usize::MAX, |n| n as usize);
    let by = batch.run(queue, max_running, args.fail_fast).await?;
    batch.end(by)
}

/// The schema of each reply: that of its line, or else of `--schema`.
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

/// A prompt that was edited under the same id would get the reply of the old one.
fn check_unchanged(prompts: &[Prompt], journal: &Journal) -> Result<(), Exit> {
    for prompt in prompts {
        let sent = journal.entry(&prompt.id).and_then(|entry| entry.request);
        if sent.is_some_and(|sent| sent != prompt.fingerprint) {
            return Err(Exit::usage(format!(
                "prompt {}: its request differs from the one that the journal names under this id; \
                 give it a new id, or undo the change",
                prompt.id
            )));
        }
    }
    Ok(())
}

impl Batch<'_> {
    /// Prints what earlier runs know, and returns the rest: those that are running first, because
    /// their agents may be done.
    fn sort(
        &mut self,
        prompts: Vec<Prompt>,
        schemas: Vec<Option<Arc<ReplySchema>>>,
        retry_unknown: bool,
    ) -> Result<VecDeque<(usize, Work)>, Exit> {
        for line in self.journal.damaged_lines() {
            let what = "is damaged and was skipped; prompts that it may concern are unknown";
            self.output
                .note(&format!("warning: journal line {line} {what}"));
        }
        let (mut first, mut rest) = (VecDeque::new(), VecDeque::new());
        for (index, (prompt, schema)) in prompts.into_iter().zip(schemas).enumerate() {
            match self.journal.entry(&prompt.id).map(|entry| entry.state) {
                Some(State::Ended(result)) => {
                    self.tally.completed += 1;
                    let noticed = !result["failure_notice"].is_null();
                    self.tally.notices += usize::from(noticed && self.fail_on_notice);
                    let is_mismatch = result["exit_code"] == Code::ReplyMismatch as u8;
                    self.tally.mismatches += usize::from(is_mismatch);
                    self.output.json(&result)?;
                }
                Some(created @ State::Created { .. }) => {
                    let created = Some(created);
                    let work = Work {
                        prompt,
                        schema,
                        created,
                    };
                    first.push_back((index, work));
                }
                Some(state) if !retry_unknown => self.report_unknown(&prompt, &state)?,
                _ => rest.push_back((
                    index,
                    Work {
                        prompt,
                        schema,
                        created: None,
                    },
                )),
            }
        }
        first.append(&mut rest);
        Ok(first)
    }

    /// An earlier run stopped during this create.
    fn report_unknown(&mut self, prompt: &Prompt, state: &State) -> Result<(), Exit> {
        let mut report = TurnReport {
            id: Some(prompt.given_id.clone()),
            ..TurnReport::default()
        };
        if let State::Unknown { session_id } = state {
            report.session_id = Some(session_id.clone());
        }
        let mut exit = Exit::new(
            Code::OutcomeUnknown,
            "unknown",
            "a previous run stopped during this create, so a session may exist; use \
             --retry-unknown to create it again",
        );
        exit.error.may_have_taken_effect = true;
        self.output
            .note(&format!("{}: {}", prompt.id, exit.error.message));
        self.print(finished(report, Err(exit)))
    }

    /// Runs the queue. The value says what ended it early.
    async fn run(
        &mut self,
        mut queue: VecDeque<(usize, Work)>,
        max_running: usize,
        fail_fast: bool,
    ) -> Result<Option<Interruption>, Exit> {
        let start = Instant::now();
        let mut minutes = interval_at(start + MINUTE, MINUTE);
        let context = Context {
            output: self.output,
            client: self.client.clone(),
            client_for_create: self.client_for_create.clone(),
            journal: self.journal.clone(),
            timeout: self.timeout,
            fail_on_notice: self.fail_on_notice,
        };
        let running = std::mem::take(&mut self.running);
        let mut open = FuturesUnordered::new();
        let by = loop {
            while self.stop.is_none() && open.len() < max_running {
                let Some((index, work)) = queue.pop_front() else {
                    break;
                };
                open.push(context.run_prompt(index, work, &running));
            }
            if open.is_empty() {
                break None;
            }
            let report = tokio::select! {
                biased;
                Some(report) = open.next() => report,
                by = self.output.host().interruption_or_closed_output() => break Some(by),
                _ = minutes.tick() => {
                    let (done, at_work) = (self.tally.ended(), open.len());
                    let what = format!("{done} of {} done, {at_work} running", self.total);
                    self.output.show_minute(&what, start.elapsed());
                    continue;
                }
            };
            if fail_fast && report.exit_code != 0 {
                self.stop
                    .get_or_insert("a prompt failed (--fail-fast)".into());
            }
            if let Some(error) = self.journal.failure() {
                let what = format!("cannot write the journal: {error}");
                if self.stop.is_none() {
                    self.output
                        .note(&format!("warning: {what}; no more prompts are started"));
                }
                self.stop.get_or_insert(what);
            }
            if let Err(exit) = self.print(report) {
                self.output.note_error(&exit);
                self.list_running(lock(&running).values());
                return Err(exit);
            }
        };
        drop(open);
        let running = std::mem::take(&mut *lock(&running));
        self.report_rest(running, queue, by)?;
        Ok(by)
    }

    /// One line for each prompt that has no result.
    fn report_rest(
        &mut self,
        running: BTreeMap<usize, TurnReport>,
        queue: VecDeque<(usize, Work)>,
        by: Option<Interruption>,
    ) -> Result<(), Exit> {
        if by == Some(Interruption::ClosedOutput) {
            self.list_running(running.values());
            return Ok(());
        }
        for mut report in running.into_values() {
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
        for (_, work) in queue {
            let report = TurnReport {
                id: Some(work.prompt.given_id.clone()),
                ..TurnReport::default()
            };
            let exit = match (by, &self.stop) {
                (Some(by), _) => Exit::interrupted(by, "interrupted before it was sent"),
                (None, Some(why)) => Exit::usage(format!("not sent: {why}")),
                (None, None) => Exit::usage("not sent"),
            };
            self.print(finished(report, Err(exit)))?;
        }
        Ok(())
    }

    fn list_running<'r>(&self, reports: impl Iterator<Item = &'r TurnReport>) {
        for report in reports {
            if let Some(resume) = resume_command(report) {
                let id = report
                    .id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                self.output
                    .note(&format!("{id}: to keep waiting, run: {resume}"));
            }
        }
    }

    fn print(&mut self, report: TurnReport) -> Result<(), Exit> {
        self.tally.add(report.status);
        self.tally.notices += usize::from(report.exit_code == Code::Notice as u8);
        self.tally.mismatches += usize::from(report.exit_code == Code::ReplyMismatch as u8);
        self.output.json(&report)?;
        let ended = self.tally.ended();
        let id = report.id.map(|id| match id {
            serde_json::Value::String(id) => id,
            other => other.to_string(),
        });
        let (id, status) = (id.unwrap_or_default(), report.status.name());
        let error = report.error.map(|error| format!(": {}", error.message));
        let error = error.unwrap_or_default();
        self.output
            .note(&format!("{ended} of {}: {id} {status}{error}", self.total));
        Ok(())
    }

    /// The summary and the exit code. Each prompt has its own line already.
    fn end(self, by: Option<Interruption>) -> Result<(), Exit> {
        let tally = &self.tally;
        self.output.note(&format!(
            "{} replied, {} failed, {} still running, {} with unknown outcome, {} interrupted",
            tally.completed, tally.failed, tally.running, tally.unknown, tally.interrupted
        ));
        if let Some(by) = by {
            let advice = match self.journal.is_used() {
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
