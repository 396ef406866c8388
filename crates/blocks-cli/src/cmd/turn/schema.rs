//! Checks the reply against the schema of `--schema`. With `--correct`, asks the agent to correct an invalid reply.

use std::time::Duration;

use blocks_sdk::{FollowUp, Pending, Reply, ReplyMismatch, Turn};

use super::{Job, Settle};
use crate::args::SchemaOptions;
use crate::cmd::pending::{self, Content};
use crate::cmd::wait::{identify, keep_reply};
use crate::exit::{Code, Exit};
use crate::report::Status;
use crate::structured::{ReplySchema, mismatch_exit};

impl Job<'_> {
    pub(super) fn read_schema(&mut self, options: &SchemaOptions) -> Result<(), Exit> {
        if let Some(path) = &options.schema {
            self.schema = Some(ReplySchema::read(path, self.output.host())?);
        }
        self.corrections = options.correct;
        Ok(())
    }

    /// Stores the reply in the report. If `--schema` was given, also searches the reply for a JSON value that conforms
    /// to the schema, and stores this value in the report. The first returned value is the result of the command. The
    /// second says why the reply does not conform to the schema, if it does not.
    pub(super) fn keep_checked(
        &mut self,
        reply: &Reply,
        fail_on_notice: bool,
    ) -> (Result<(), Exit>, Option<ReplyMismatch>) {
        self.is_correcting = false;
        let opinion = keep_reply(reply, fail_on_notice, &mut self.report);
        let Some(schema) = &self.schema else {
            return (opinion, None);
        };
        match schema.keep(reply, &mut self.report) {
            Ok(()) => (opinion, None),
            Err(error) => {
                let mismatch = error.reply_mismatch().cloned();
                (opinion.and(Err(mismatch_exit(&error))), mismatch)
            }
        }
    }

    /// Returns whether a correction may be sent. After a notice of failure, such as an exceeded
    /// quota, a correction would fail too.
    pub(super) fn may_correct(&self, left: Duration) -> bool {
        self.corrections > 0 && !left.is_zero() && self.report.failure_notice.is_none()
    }

    /// Asks the agent to correct its reply, as a new turn of the session.
    pub(super) async fn send_correction(
        &mut self,
        turn: &Turn,
        mismatch: &ReplyMismatch,
    ) -> Result<Turn, Exit> {
        let output = self.output;
        output.note(&format!(
            "the reply does not conform to the schema, asking for a correction: {mismatch}"
        ));
        self.corrections -= 1;
        let mut request = FollowUp::correction(mismatch);
        if let Some(schema) = &self.schema {
            request = request.expect_schema(schema.as_value().clone());
        }
        let client = output.client_for_create()?;
        let session = client.session(turn.session_id());
        let has_pending_file = self.settle.is_some();
        match self
            .follow_up(&client, &session, request, has_pending_file)
            .await
        {
            Ok(turn) => {
                self.is_correcting = true;
                self.has_sent = true;
                identify(turn.pending(), &mut self.report);
                self.update_pending_file(Some(turn.pending()));
                Ok(turn)
            }
            Err(mut exit) if exit.error.may_have_taken_effect => {
                self.is_correcting = true;
                // The service may have accepted the correction, but the thread id of the correction is not known. The
                // report must not name the thread of the reply that was not valid.
                self.report.thread_id = None;
                self.update_pending_file(None);
                exit.error.message = format!("cannot send the correction: {}", exit.error.message);
                Err(exit)
            }
            Err(mut exit) => {
                if exit.status() != Status::Interrupted {
                    exit.code = Code::ReplyMismatch;
                }
                exit.error.message = format!(
                    "the reply does not conform to the schema: {mismatch}; cannot send the correction: {}",
                    exit.error.message
                );
                Err(exit)
            }
        }
    }

    /// Updates the pending file after a correction, so that the file refers to the newest prompt.
    fn update_pending_file(&mut self, pending: Option<&Pending>) {
        let previous = self.previous_thread.as_ref();
        let Some(content) = Content::new(&self.report, pending, previous) else {
            return;
        };
        let path = match &mut self.settle {
            Some(Settle::Remove(path)) => path,
            Some(Settle::MarkReplied(path, old)) => {
                *old = content.clone();
                path
            }
            None => return,
        };
        if let Err(exit) = pending::replace(path, &content) {
            self.output.fail_beside(exit);
        }
    }

    /// Prints the reply to standard error if it does not conform to the schema. Standard output then stays empty,
    /// because a program expects JSON there. With `--json`, prints nothing, because the report contains the reply.
    pub(super) fn show_unmatched_reply(&self) {
        let report = &self.report;
        if self.schema.is_some()
            && report.structured_output.is_none()
            && !self.output.is_json()
            && let Some(text) = &report.final_message
        {
            self.output.note(text);
        }
    }
}
