//! One prompt of a batch, from its create to its reply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blocks_sdk::{Client, Id, Pending};

use super::journal::{Journal, State};
use crate::cmd::latest::latest;
use crate::cmd::wait::{
    Watcher, describe, identify, keep_reply, read_pull_requests, resume_command,
};
use crate::exit::{Code, Exit};
use crate::output::Output;
use crate::prompts::Prompt;
use crate::report::{Status, TurnReport};
use crate::structured::{ReplySchema, mismatch_exit};

/// A prompt that has no result yet.
pub struct Work {
    pub prompt: Prompt,
    pub schema: Option<Arc<ReplySchema>>,
    /// Where an earlier run left it.
    pub created: Option<State>,
}

/// What every running prompt needs.
pub struct Context<'a> {
    pub output: &'a Output,
    pub client: Client,
    pub client_for_create: Client,
    pub journal: Journal,
    pub timeout: Duration,
    pub fail_on_notice: bool,
}

pub type Running = Mutex<BTreeMap<usize, TurnReport>>;

pub fn lock(running: &Running) -> MutexGuard<'_, BTreeMap<usize, TurnReport>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context<'_> {
    /// Starts a prompt, or continues where an earlier run left it, until its reply. What is
    /// known is in `running` all the time, so that an early end can report it.
    pub async fn run_prompt(&self, index: usize, work: Work, running: &Running) -> TurnReport {
        let id = work.prompt.id.clone();
        let report = TurnReport {
            id: Some(work.prompt.given_id.clone()),
            ..TurnReport::default()
        };
        lock(running).insert(index, report);
        let update = |change: &mut dyn FnMut(&mut TurnReport)| {
            if let Some(report) = lock(running).get_mut(&index) {
                change(report);
            }
        };
        let result = self.reply(work, &update).await;
        let mut report = lock(running).remove(&index).unwrap_or_default();
        if let Err(exit) = &result
            && report.session_id.is_none()
        {
            report.session_id.clone_from(&exit.session_id);
        }
        let report = finished(report, result);
        if report.status == Status::Completed
            && let Ok(result) = serde_json::to_value(&report)
        {
            self.journal.ended(&id, result);
        }
        report
    }

    async fn reply(&self, work: Work, update: &Update<'_>) -> Result<(), Exit> {
        let id = work.prompt.id.clone();
        let pending = match work.created {
            Some(State::Created {
                session_id,
                session_html_url,
                pending,
            }) => {
                update(&mut |report| {
                    report.session_id = Some(session_id.clone());
                    report.session_html_url.clone_from(&session_html_url);
                });
                match pending {
                    Some(pending) => pending,
                    None => self.find(&session_id).await?,
                }
            }
            _ => {
                let schema = work.schema.as_deref();
                self.create(work.prompt, schema, update).await?
            }
        };
        update(&mut |report| identify(&pending, report));
        let watcher = Watcher {
            output: self.output,
            name: &format!("{id}: "),
            shows_time: false,
        };
        let turn = self.client.resume(pending.clone());
        let reply = watcher
            .reply(&turn, self.timeout)
            .await
            .map_err(Exit::after_create)?;
        let mut read = TurnReport::default();
        let mut opinion = Ok(());
        update(&mut |report| {
            opinion = keep_reply(&reply, self.fail_on_notice, report);
            let checked = work
                .schema
                .as_ref()
                .map(|schema| schema.keep(&reply, report));
            if let (Ok(()), Some(Err(error))) = (&opinion, checked) {
                opinion = Err(mismatch_exit(&error));
            }
        });
        if let Err(what) = read_pull_requests(&self.client, &pending, &mut read).await {
            self.output.note(&format!("warning: {id}: {what}"));
        }
        update(&mut |report| {
            report.pull_requests = std::mem::take(&mut read.pull_requests);
            if let Some(url) = read.session_html_url.take() {
                report.session_html_url = Some(url);
            }
        });
        opinion
    }

    async fn find(&self, session_id: &str) -> Result<Pending, Exit> {
        let session = Id::from_service(session_id)
            .ok_or_else(|| Exit::failed("the journal has no usable session id"))?;
        latest(&self.client.session(session))
            .await
            .map_err(Exit::after_create)
    }

    async fn create(
        &self,
        mut prompt: Prompt,
        schema: Option<&ReplySchema>,
        update: &Update<'_>,
    ) -> Result<Pending, Exit> {
        let id = prompt.id;
        if let Some(schema) = schema {
            prompt.request = prompt.request.expect_schema(schema.as_value().clone());
        }
        let permit = self.client_for_create.acquire_create().await?;
        // Written only now: a prompt that waits for its permit is in no doubt after a crash.
        if let Err(error) = self.journal.starting(&id, &prompt.fingerprint) {
            return Err(Exit::failed(format!(
                "nothing was sent, since the journal cannot be written: {error}"
            )));
        }
        let create = permit.create_session(prompt.request);
        let session = match create.await {
            Ok(session) => session,
            Err(error) => {
                match error.session_id() {
                    _ if !error.may_have_taken_effect() => self.journal.not_started(&id),
                    Some(session) => self.journal.unknown(&id, session.as_str()),
                    None => {}
                }
                return Err(error.into());
            }
        };
        let session_id = session.id().to_string();
        let mut created = TurnReport::default();
        describe(&session, &mut created);
        let url = created.session_html_url;
        update(&mut |report| {
            report.session_id = Some(session_id.clone());
            report.session_html_url.clone_from(&url);
        });
        let place = url.as_deref().unwrap_or(&session_id);
        self.output.note(&format!("{id} session {place}"));
        let turn = session.first_turn();
        let pending = turn.as_ref().ok().map(|turn| turn.pending().clone());
        self.journal
            .created(&id, &session_id, url.as_deref(), pending.as_ref());
        pending.ok_or_else(|| {
            let message = "the session was created, but the service named no thread to wait for";
            let mut exit = Exit::new(Code::OutcomeUnknown, "no_thread", message);
            exit.error.may_have_taken_effect = true;
            exit
        })
    }
}

type Update<'a> = dyn Fn(&mut dyn FnMut(&mut TurnReport)) + 'a;

/// The report with its end.
pub fn finished(mut report: TurnReport, result: Result<(), Exit>) -> TurnReport {
    match result {
        Ok(()) => report.status = Status::Completed,
        Err(mut exit) => {
            report.status = exit.status();
            report.exit_code = exit.code as u8;
            if report.session_id.is_some() && report.final_message.is_none() {
                exit.error.resume = resume_command(&report);
            }
            report.error = Some(*exit.error);
        }
    }
    report
}
