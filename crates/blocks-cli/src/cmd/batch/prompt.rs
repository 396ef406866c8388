//! One prompt of a batch, from its create to its reply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blocks_fleet::{BatchPrompt, BatchWork, BeforeSend, Created, NotCreated, Replied, WorkFuture};
use blocks_sdk::{Client, CreateEffect, Error, Id, Pending};
use serde_json::Value;

use crate::cmd::latest::latest;
use crate::cmd::wait::{
    Watcher, describe, identify, keep_reply, read_pull_requests, resume_command,
};
use crate::exit::{Code, Exit};
use crate::output::Output;
use crate::register::Register;
use crate::report::{Status, TurnReport};
use crate::structured::{ReplySchema, mismatch_exit};

/// State that all prompts of a batch share.
pub struct PromptWork<'a> {
    pub output: &'a Output,
    pub client: Client,
    pub client_for_create: Client,
    pub timeout: Duration,
    pub fail_on_notice: bool,
    /// Whether the batch has a journal, so that a rerun does not send a prompt twice.
    pub has_journal: bool,
    /// The id of each prompt, as the prompts file contains it: a string or a number.
    pub given_ids: Vec<Value>,
    /// The schema that the reply to each prompt must conform to, if there is one.
    pub schemas: Vec<Option<Arc<ReplySchema>>>,
    /// The report of each running prompt. The key is the position of the prompt in the prompts file, from 0. The
    /// reports are printed if the batch ends early.
    pub running: Mutex<BTreeMap<usize, TurnReport>>,
    /// The report of each prompt that has ended, until the batch returns the report. Before that, the batch records the
    /// result, which can take minutes if the journal does not respond.
    pub ended: Mutex<BTreeMap<usize, TurnReport>>,
    /// Whether the create of each prompt may have had an effect. The batch needs this if it is interrupted.
    pub effects: Mutex<BTreeMap<usize, CreateEffect>>,
    /// The local list of sessions for `blocks list`, to which each new session is added.
    pub register: Option<Register>,
}

impl BatchWork for PromptWork<'_> {
    type Report = TurnReport;

    fn create<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        before_send: BeforeSend,
    ) -> WorkFuture<'a, Result<Created, NotCreated<TurnReport>>> {
        Box::pin(async move {
            let failed = |error: Error| NotCreated {
                may_have_taken_effect: error.may_have_taken_effect(),
                session_id: error.session_id().map(ToString::to_string),
                report: self.end(index, Err(error.into())),
            };
            let permit = self.client_for_create.acquire_create().await;
            let permit = permit.map_err(failed)?;
            self.effects().insert(index, permit.effect());
            self.running().insert(index, self.report(index));
            if let Err(error) = before_send.await {
                let exit = Exit::failed(format!(
                    "nothing was sent, since the journal cannot be written: {error}"
                ));
                return Err(NotCreated {
                    may_have_taken_effect: false,
                    session_id: None,
                    report: self.end(index, Err(exit)),
                });
            }
            let session = permit.create_session(prompt.request.clone()).await;
            let session = match session {
                Ok(session) => session,
                Err(error) => {
                    let not_created = failed(error);
                    if let Some(id) = &not_created.session_id {
                        self.add_to_register(id, None).await;
                    }
                    return Err(not_created);
                }
            };
            let session_id = session.id().to_string();
            let mut described = TurnReport::default();
            describe(&session, &mut described);
            let session_html_url = described.session_html_url;
            self.update(index, |report| {
                report.session_id = Some(session_id.clone());
                report.session_html_url.clone_from(&session_html_url);
            });
            let place = session_html_url.as_deref().unwrap_or(&session_id);
            self.output.note(&format!("{} session {place}", prompt.id));
            self.add_to_register(&session_id, session_html_url.as_deref())
                .await;
            let turn = session.first_turn();
            let pending = turn.as_ref().ok().map(|turn| turn.pending().clone());
            Ok(Created {
                session_id,
                session_html_url,
                pending,
            })
        })
    }

    fn may_have_taken_effect(&self, index: usize) -> bool {
        let effects = self.effects();
        let effect = effects.get(&index);
        effect.is_none_or(CreateEffect::may_have_taken_effect)
    }

    fn reply<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        created: Created,
    ) -> WorkFuture<'a, Replied<TurnReport>> {
        Box::pin(async move {
            let is_new = self.running().contains_key(&index);
            if !is_new {
                let mut report = self.report(index);
                report.session_id = Some(created.session_id.clone());
                report
                    .session_html_url
                    .clone_from(&created.session_html_url);
                self.running().insert(index, report);
            }
            let result = self.wait(index, prompt, created, is_new).await;
            let report = self.end(index, result);
            let is_completed = report.status == Status::Completed;
            Replied {
                result: is_completed
                    .then(|| serde_json::to_value(&report).ok())
                    .flatten(),
                report,
            }
        })
    }

    fn is_failed(&self, result: &Value) -> bool {
        let has_failed = result["exit_code"].as_u64().is_some_and(|code| code != 0);
        // An earlier run without `--fail-on-notice` wrote the exit code 0 to the journal even if the reply was a
        // failure notice. So `failure_notice` is checked too.
        has_failed || self.fail_on_notice && !result["failure_notice"].is_null()
    }
}

impl PromptWork<'_> {
    async fn add_to_register(&self, id: &str, html_url: Option<&str>) {
        if let Some(register) = &self.register {
            register.add_or_warn(id, html_url, self.output).await;
        }
    }

    pub fn running(&self) -> MutexGuard<'_, BTreeMap<usize, TurnReport>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ended(&self) -> MutexGuard<'_, BTreeMap<usize, TurnReport>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn effects(&self) -> MutexGuard<'_, BTreeMap<usize, CreateEffect>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the initial report of a prompt, which contains only the prompt's id.
    pub fn report(&self, index: usize) -> TurnReport {
        TurnReport {
            id: Some(self.given_ids[index].clone()),
            ..TurnReport::default()
        }
    }

    fn update(&self, index: usize, change: impl FnOnce(&mut TurnReport)) {
        if let Some(report) = self.running().get_mut(&index) {
            change(report);
        }
    }

    fn end(&self, index: usize, mut result: Result<(), Exit>) -> TurnReport {
        let running = self.running().remove(&index);
        let mut report = running.unwrap_or_else(|| self.report(index));
        if let Err(exit) = &mut result {
            if report.session_id.is_none() {
                report.session_id.clone_from(&exit.session_id);
            }
            // Without a journal, a rerun would create a second session.
            exit.error.retryable &= self.has_journal || report.session_id.is_none();
        }
        let report = finished(report, result);
        self.ended().insert(index, report.clone());
        report
    }

    async fn wait(
        &self,
        index: usize,
        prompt: &BatchPrompt,
        created: Created,
        is_new: bool,
    ) -> Result<(), Exit> {
        let id = &prompt.id;
        let pending = match created.pending {
            Some(pending) => pending,
            None if is_new => {
                let message =
                    "the session was created, but the service named no thread to wait for";
                let mut exit = Exit::new(Code::OutcomeUnknown, "no_thread", message);
                exit.error.may_have_taken_effect = true;
                return Err(exit);
            }
            None => self.find(&created.session_id).await?,
        };
        self.update(index, |report| identify(&pending, report));
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
        self.update(index, |report| {
            opinion = keep_reply(&reply, self.fail_on_notice, report);
            let checked = self.schemas[index]
                .as_ref()
                .map(|schema| schema.keep(&reply, report));
            if let (Ok(()), Some(Err(error))) = (&opinion, checked) {
                opinion = Err(mismatch_exit(&error));
            }
        });
        if let Err(what) = read_pull_requests(&self.client, &pending, &mut read).await {
            self.output.note(&format!("warning: {id}: {what}"));
        }
        self.update(index, |report| {
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
}

/// Returns the report, after setting its status, exit code and error from `result`.
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
