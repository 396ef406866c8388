//! The commands `run`, `send` and `wait`, each for one prompt and its reply.

mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use blocks_sdk::{
    Client, CreatePermit, CreateSession, Error, FollowUp, Id, Pending, Reply, SessionRef, Turn,
};
use tokio::time::{Instant, sleep, timeout};

use super::agent::agent;
use super::latest::latest;
use super::pending::{self, Content, PendingFile};
use super::sessions::choose;
use super::wait::{
    Watcher, check_command, describe, identify, read_pull_requests, resume_command, showing,
};
use crate::args::{
    FollowOptions, PromptArgs, ReplyOptions, RunArgs, SendArgs, WaitArgs, WaitOptions,
};
use crate::exit::{Code, Exit};
use crate::files::NewFile;
use crate::input;
use crate::output::Output;
use crate::register::Register;
use crate::report::{Status, TurnReport};
use crate::structured::ReplySchema;
use crate::values::Field;

/// State of a command that sends a prompt or waits for its reply. Each of these commands ends with a call of `finish`,
/// which prints the report and returns the exit code.
struct Job<'a> {
    output: &'a Output,
    report: TurnReport,
    /// Whether the service has accepted the prompt, during this command or earlier.
    is_sent: bool,
    /// Whether this command has sent a prompt or a correction that had an effect, or may have had one. The same command
    /// would then send it a second time.
    has_sent: bool,
    /// Whether the ids were already written to GitHub's step outputs.
    ids_are_written: bool,
    /// Whether the command has already tried to write the reply, to standard output or to the file of `--output`. Stays
    /// false with `--json`, because the report then contains the reply.
    is_printed: bool,
    /// Whether the reply could not be written to standard output, so that the user has not seen it. If the file of
    /// `--output` cannot be written, the reply is written to standard output. Stays false with `--json`.
    is_lost: bool,
    /// The file for the reply, which `--output` names.
    reply_file: Option<NewFile>,
    /// What to do with the pending file after the reply is printed. `None` if this command neither wrote nor read one.
    settle: Option<Settle>,
    /// The local list of sessions for `blocks list`, to which the session is added.
    register: Option<Register>,
    /// The JSON Schema that `--schema` names, to which the reply must conform.
    schema: Option<ReplySchema>,
    /// Number of corrections that may still be sent. A correction is a follow-up that asks the agent to correct its
    /// JSON.
    corrections: u32,
    /// Whether the reply to a correction is still missing. The correction was sent, or the outcome of sending it is
    /// unknown.
    is_correcting: bool,
    /// Whether it is unknown if the service has accepted a follow-up or a correction. The session's newest prompt may
    /// then be an older prompt, so `blocks wait SESSION` could return the reply to that older prompt.
    is_follow_up_unknown: bool,
    /// The thread of the session's newest prompt before the follow-up whose outcome is unknown. Stays `None` without
    /// `--pending`.
    previous_thread: Option<Id>,
}

enum Settle {
    Remove(PathBuf),
    MarkReplied(PathBuf, Content),
}

pub async fn run(args: RunArgs, output: &Output) -> u8 {
    let mut job = Job::new(output);
    let result = job.run(args).await;
    job.finish(result)
}

pub async fn send(args: SendArgs, output: &Output) -> u8 {
    let mut job = Job::new(output);
    let result = job.send(args).await;
    job.finish(result)
}

pub async fn wait(args: WaitArgs, output: &Output) -> u8 {
    let mut job = Job::new(output);
    let result = job.wait(args).await;
    job.finish(result)
}

fn prompt(args: &PromptArgs, output: &Output) -> Result<String, Exit> {
    match (&args.prompt, &args.prompt_file) {
        // The prompt is sent unchanged. A prompt such as `@FILE` is not replaced by the content of a file, because the
        // prompt may come from an issue or a comment.
        (Some(text), _) => Ok(text.clone()),
        (None, Some(path)) => input::read_text("--prompt-file", path, output.host()),
        (None, None) => Err(Exit::usage("give a prompt or --prompt-file FILE")),
    }
}

/// Returns the fields of the option `--field`, or a usage error if a field name occurs twice. A request can contain
/// only one value for each name.
fn unique(fields: &[Field]) -> Result<&[Field], Exit> {
    for (place, field) in fields.iter().enumerate() {
        if fields[..place].iter().any(|other| other.name == field.name) {
            let name = &field.name;
            return Err(Exit::usage(format!("--field: `{name}` is given twice")));
        }
    }
    Ok(fields)
}

impl<'a> Job<'a> {
    fn new(output: &'a Output) -> Self {
        Self {
            output,
            report: TurnReport::default(),
            is_sent: false,
            has_sent: false,
            ids_are_written: false,
            is_printed: false,
            is_lost: false,
            reply_file: None,
            settle: None,
            register: None,
            schema: None,
            corrections: 0,
            is_correcting: false,
            is_follow_up_unknown: false,
            previous_thread: None,
        }
    }

    async fn run(&mut self, args: RunArgs) -> Result<Status, Exit> {
        let output = self.output;
        output.open_github()?;
        let agent = agent(&args.agent, output.host())?;
        let mut request =
            CreateSession::new(agent, prompt(&args.prompt, output)?).artifacts(args.artifact);
        if args.private {
            request = request.private(true);
        }
        if let Some(title) = args.title {
            request = request.title(title);
        }
        if let Some(group) = args.session_group {
            request = request.session_group(group);
        }
        for field in unique(&args.wait.field)? {
            request = request.extra(field.name.clone(), field.value.clone());
        }
        self.read_schema(&args.wait.schema)?;
        if let Some(schema) = &self.schema {
            request = request.expect_schema(schema.as_value().clone());
        }
        let client = output.client_for_create()?;
        self.open_register(&args.wait)?;
        self.open_reply_file(args.wait.output.output.as_deref())?;
        let file = self.pending_file(&args.wait)?;
        let is_valid = request.validate();
        let send = |permit: CreatePermit| permit.create_session(request);
        let session = match send_prompt(output, &client, is_valid, send).await {
            Ok(session) => session,
            Err(exit) => return Err(self.not_created(exit, file).await),
        };
        self.report.session_id = Some(session.id().to_string());
        describe(&session, &mut self.report);
        let turn = match session.first_turn() {
            Ok(turn) => turn,
            Err(error) => {
                let mut exit = Exit::from(error);
                // The session exists and is billed, but the response does not name the thread in which the reply will
                // appear. The exit code must not suggest a retry, because a retry would start the work a second time.
                exit.code = Code::OutcomeUnknown;
                exit.error.kind = "no_thread".into();
                exit.error.may_have_taken_effect = true;
                return Err(self.not_created(exit, file).await);
            }
        };
        self.follow(&turn, file, &args.wait).await
    }

    async fn send(&mut self, mut args: SendArgs) -> Result<Status, Exit> {
        let output = self.output;
        output.open_github()?;
        let (session, text) = args.parts().map_err(Exit::usage)?;
        let session = choose(session, args.last, output.host())?;
        let mut request = FollowUp::new(prompt(&text, output)?);
        for field in unique(&args.wait.field)? {
            request = request.extra(field.name.clone(), field.value.clone());
        }
        self.read_schema(&args.wait.schema)?;
        if let Some(schema) = &self.schema {
            request = request.expect_schema(schema.as_value().clone());
        }
        let client = output.client_for_create()?;
        self.open_register(&args.wait)?;
        self.open_reply_file(args.wait.output.output.as_deref())?;
        let file = self.pending_file(&args.wait)?;
        let session = client.session(session);
        self.report.session_id = Some(session.id().to_string());
        match self
            .follow_up(&client, &session, request, file.is_some())
            .await
        {
            Ok(turn) => self.follow(&turn, file, &args.wait).await,
            Err(exit) => Err(self.not_created(exit, file).await),
        }
    }

    async fn wait(&mut self, args: WaitArgs) -> Result<Status, Exit> {
        let output = self.output;
        output.open_github()?;
        let client = output.client()?;
        let limit = args.reply.timeout.0;
        self.read_schema(&args.schema)?;
        self.open_reply_file(args.output.output.as_deref())?;
        let content = match &args.pending {
            Some(path) => Some(pending::read(path, output.host())?),
            None => None,
        };
        let session = match (&content, args.session) {
            (Some(content), _) => Id::from_service(&content.session_id).ok_or_else(|| {
                Exit::usage(format!(
                    "--pending: `{}` is not a session id",
                    content.session_id
                ))
            })?,
            (None, session) => choose(session, args.last, output.host())?,
        };
        // With `--pending -`, the content was read from standard input, so there is no file to mark as replied.
        let file = args.pending.filter(|path| path != Path::new("-"));
        if let (Some(path), Some(content)) = (file, &content) {
            self.settle = Some(Settle::MarkReplied(path, content.clone()));
        }
        let stored = content
            .as_ref()
            .and_then(|content| content.pending().ok().flatten());
        let previous = content
            .as_ref()
            .and_then(|content| content.previous_thread_id.as_deref());
        let start = Instant::now();
        self.is_sent = true;
        self.is_follow_up_unknown = previous.is_some();
        let pending = match (stored, args.thread) {
            (Some(pending), _) => pending,
            (None, Some(thread)) => Pending::new(session, thread),
            (None, None) => {
                self.report.session_id = Some(session.to_string());
                let session = client.session(session);
                self.find_latest(&session, limit, previous).await?
            }
        };
        self.is_follow_up_unknown = false;
        identify(&pending, &mut self.report);
        output.report_started(&self.report);
        self.ids_are_written = true;
        // `left` is the part of the time limit that remains after the search for the prompt. If it is zero,
        // `await_reply` polls once.
        let left = limit.saturating_sub(start.elapsed());
        self.await_reply(&client.resume(pending), left, &args.reply, args.follow)
            .await?;
        Ok(Status::Completed)
    }

    /// Finds the newest prompt of the session. The search takes at most the time of `--timeout`, or 10 seconds if
    /// `--timeout` is zero.
    ///
    /// `previous` is the thread of the prompt before a follow-up whose outcome is unknown. As long as this thread is
    /// the newest, the search continues for at most a minute, because the service may still be processing the
    /// follow-up. With a `--timeout` of zero, the search does not continue.
    async fn find_latest(
        &self,
        session: &SessionRef,
        limit: Duration,
        previous: Option<&str>,
    ) -> Result<Pending, Exit> {
        const SHORTEST: Duration = Duration::from_secs(10);
        const LONGEST_SEARCH: Duration = Duration::from_secs(60);
        const PAUSE: Duration = Duration::from_secs(5);
        let host = self.output.host();
        let start = Instant::now();
        let bound = if limit.is_zero() { SHORTEST } else { limit };
        loop {
            let left = bound.saturating_sub(start.elapsed());
            let read = timeout(left, latest(session));
            let read = showing(self.output, "reading the newest prompt", read);
            let Ok(found) = host.interruptible(read).await? else {
                let bound = humantime::format_duration(bound);
                let message = format!("cannot find the newest prompt: no response within {bound}");
                let mut exit = Exit::new(Code::StillRunning, "timed_out", message);
                exit.error.retryable = true;
                return Err(exit);
            };
            let found = found?;
            if previous.is_none() || found.thread_id().map(Id::as_str) != previous {
                return Ok(found);
            }
            if start.elapsed() + PAUSE >= limit.min(LONGEST_SEARCH) {
                return Err(not_accepted_yet(session.id()));
            }
            host.interruptible(sleep(PAUSE)).await?;
        }
    }

    /// Sends a follow-up. If there is a pending file, the session's newest prompt is read first. So `blocks wait
    /// --pending` can recognize this older prompt if the outcome of the follow-up is unknown.
    async fn follow_up(
        &mut self,
        client: &Client,
        session: &SessionRef,
        request: FollowUp,
        has_pending_file: bool,
    ) -> Result<Turn, Exit> {
        let is_valid = request.validate();
        let previous = match has_pending_file && is_valid.is_ok() {
            true => self.newest_thread(session).await?,
            false => None,
        };
        let send = |permit: CreatePermit| permit.follow_up(session.id(), request);
        let sent = send_prompt(self.output, client, is_valid, send).await;
        if let Err(exit) = &sent
            && exit.error.may_have_taken_effect
        {
            self.is_follow_up_unknown = true;
            self.previous_thread = previous;
        }
        sent
    }

    /// Returns the thread of the session's newest prompt. Returns `None` if the session has no prompt, or if its newest
    /// prompt is unknown. If it is unknown, a later search fails too, unless the session gets a newer prompt. So the
    /// search does not find an older prompt.
    async fn newest_thread(&self, session: &SessionRef) -> Result<Option<Id>, Exit> {
        let read = showing(
            self.output,
            "reading the newest prompt",
            session.latest_turn(),
        );
        match self.output.host().interruptible(read).await? {
            Ok(turn) => Ok(turn.and_then(|turn| turn.thread_id().cloned())),
            Err(error) if error.is_unknown_turn() => Ok(None),
            Err(error) => {
                let mut exit = Exit::from(error);
                let cause = &exit.error.message;
                let message = format!(
                    "cannot read the newest prompt before the next prompt, so nothing was sent: {cause}"
                );
                exit.error.message = message;
                Err(exit)
            }
        }
    }

    /// Opens the local list of sessions. Called before the prompt is sent, so that an error means that nothing was
    /// sent.
    fn open_register(&mut self, options: &WaitOptions) -> Result<(), Exit> {
        self.register = Register::open(self.output, options.register)?;
        Ok(())
    }

    /// Adds the session to the local list of sessions. A failure is only a warning, because the session exists.
    async fn add_to_register(&self) {
        let (Some(register), Some(id)) = (&self.register, &self.report.session_id) else {
            return;
        };
        let url = self.report.session_html_url.as_deref();
        register.add_or_warn(id, url, self.output).await;
    }

    /// Creates the file that `--output` names. Called before the prompt is sent, so that an error means that nothing
    /// was sent.
    fn open_reply_file(&mut self, path: Option<&Path>) -> Result<(), Exit> {
        self.output.host().listen();
        // `-` means standard output, which is also the default.
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(());
        };
        let wrong = |what: &str| Exit::usage(format!("--output {}: {what}", path.display()));
        if path.symlink_metadata().is_ok() {
            return Err(wrong("the file exists"));
        }
        self.reply_file = Some(NewFile::create(path).map_err(|e| wrong(&e.to_string()))?);
        Ok(())
    }

    /// Writes the reply to the file that `--output` names. Returns false if `--output` names no file, or if the file
    /// cannot be written. The reply is then written to standard output.
    fn write_reply_file(&mut self, text: &str) -> bool {
        let Some(file) = self.reply_file.take() else {
            return false;
        };
        let path = file.path().to_owned();
        let written = file.write(format!("{text}\n").as_bytes());
        if let Err(error) = &written {
            let path = path.display();
            self.output.fail_beside(Exit::failed(format!(
                "cannot write --output {path}: {error}"
            )));
        }
        written.is_ok()
    }

    /// Creates the pending file. Called before the prompt is sent, so that an error means that nothing was sent. The
    /// command starts to receive signals before it creates the file. Otherwise, a signal could leave a temporary file.
    fn pending_file(&self, options: &WaitOptions) -> Result<Option<PendingFile>, Exit> {
        self.output.host().listen();
        let path = options.pending.as_deref();
        path.map(PendingFile::create).transpose()
    }

    /// Handles the error of a request that sends a prompt. The service may have accepted the prompt although the
    /// request failed. If the error then names the session, the session is written to the pending file and to the local
    /// list of sessions.
    async fn not_created(&mut self, exit: Exit, file: Option<PendingFile>) -> Exit {
        if exit.code == Code::OutcomeUnknown
            && let Some(id) = &exit.session_id
        {
            self.report.session_id = Some(id.clone());
            self.keep(file, None);
            self.add_to_register().await;
        }
        exit
    }

    /// Writes the pending file. If the write fails, another process may own the file at the path, so this command must
    /// not replace or remove it later.
    fn keep(&mut self, file: Option<PendingFile>, pending: Option<&Pending>) {
        let Some(file) = file else { return };
        let previous = self.previous_thread.as_ref();
        let Some(content) = Content::new(&self.report, pending, previous) else {
            return;
        };
        let path = file.path().to_owned();
        match file.write(&content) {
            Ok(()) => self.settle = Some(Settle::Remove(path)),
            Err(exit) => self.output.fail_beside(exit),
        }
    }

    /// Saves the ids after the service has accepted the prompt, and waits for the reply, except with `--no-wait`. From
    /// here on, a usage error becomes a failure, because a usage error says that nothing was sent.
    async fn follow(
        &mut self,
        turn: &Turn,
        file: Option<PendingFile>,
        options: &WaitOptions,
    ) -> Result<Status, Exit> {
        identify(turn.pending(), &mut self.report);
        self.is_sent = true;
        self.has_sent = true;
        self.output.report_started(&self.report);
        self.ids_are_written = true;
        self.keep(file, Some(turn.pending()));
        self.add_to_register().await;
        if options.no_wait {
            if let Some(resume) = resume_command(&self.report) {
                self.output
                    .note(&format!("to wait for the reply, run: {resume}"));
            }
            return Ok(Status::Started);
        }
        self.await_reply(
            turn,
            options.reply.timeout.0,
            &options.reply,
            options.follow,
        )
        .await
        .map_err(Exit::after_create)?;
        Ok(Status::Completed)
    }

    /// Waits for the reply, prints it, and then reads the pull requests. The reply is printed first, because reading
    /// the pull requests can fail or take time. With `--json`, `finish` prints the reply and the pull requests
    /// together. With `--correct`, asks for corrections of the reply before it is printed.
    async fn await_reply(
        &mut self,
        turn: &Turn,
        limit: Duration,
        options: &ReplyOptions,
        follow: FollowOptions,
    ) -> Result<(), Exit> {
        let output = self.output;
        let start = Instant::now();
        let mut turn = turn.clone();
        let mut left = limit;
        let opinion = loop {
            let reply = self.await_text(&turn, left, follow).await?;
            left = limit.saturating_sub(start.elapsed());
            let (opinion, mismatch) = self.keep_checked(&reply, options.fail_on_notice);
            match mismatch.filter(|_| self.may_correct(left)) {
                Some(mismatch) => turn = self.send_correction(&turn, &mismatch).await?,
                None => break opinion,
            }
        };
        self.deliver()?;
        // Pull requests are printed only with `--json` or as step outputs, so otherwise they are not read.
        if !output.is_json() && !output.is_github() {
            return opinion;
        }
        let client = output.client()?;
        let read = read_pull_requests(&client, turn.pending(), &mut self.report);
        match output.host().interruptible(read).await {
            Ok(Ok(())) => opinion,
            Ok(Err(what)) => {
                output.note(&format!("warning: {what}"));
                opinion
            }
            Err(by) => Err(Exit::interrupted(
                by,
                "interrupted after the reply, before pull requests were read",
            )),
        }
    }

    /// Waits for the reply to one turn.
    async fn await_text(
        &mut self,
        turn: &Turn,
        limit: Duration,
        follow: FollowOptions,
    ) -> Result<Reply, Exit> {
        let output = self.output;
        let words = match resume_command(&self.report) {
            Some(resume) => format!("error: interrupted; to keep waiting, run: {resume}\n"),
            None => "error: interrupted\n".to_owned(),
        };
        output.host().set_last_words(&words);
        let watcher = Watcher {
            output,
            name: "",
            shows_time: true,
        };
        let waited = output
            .host()
            .interruptible(watcher.following(turn, limit, follow))
            .await;
        output.clear_progress();
        match waited? {
            Ok(reply) => {
                output.host().set_last_words("");
                Ok(reply)
            }
            Err(exit) if exit.code == Code::StillRunning && !limit.is_zero() => {
                Err(self.check_for_newer_prompt(turn, exit).await)
            }
            Err(exit) => Err(exit),
        }
    }

    /// Writes the reply to the file that `--output` names, or to standard output. With a schema, writes only the JSON
    /// in the reply. With `--json`, writes nothing to standard output, because `finish` prints the report.
    fn deliver(&mut self) -> Result<(), Exit> {
        let output = self.output;
        let text = match (&self.schema, &self.report.structured_output) {
            (None, _) => self.report.final_message.clone(),
            (Some(_), json) => json.as_ref().map(|json| json.as_str().to_owned()),
        };
        let Some(text) = text else {
            return Ok(());
        };
        let is_in_file = self.write_reply_file(&text);
        if output.is_json() {
            return Ok(());
        }
        self.is_printed = true;
        let printed = match &self.report.structured_output {
            _ if is_in_file => Ok(()),
            Some(json) => output.json(json),
            None => output.text(&text),
        };
        self.is_lost = printed.is_err();
        printed
    }

    /// Checks after a time-out whether a newer prompt from another process interrupted this prompt. An interrupted
    /// prompt never gets a reply, and the service does not report the interruption.
    async fn check_for_newer_prompt(&mut self, turn: &Turn, timed_out: Exit) -> Exit {
        const LIMIT: Duration = Duration::from_secs(3);
        let Ok(client) = self.output.client() else {
            return timed_out;
        };
        let session = client.session(turn.session_id());
        let read = timeout(LIMIT, latest(&session));
        let newest = match self.output.host().interruptible(read).await {
            Ok(Ok(Ok(newest))) => newest,
            Ok(_) => return timed_out,
            Err(by) => return by.into(),
        };
        if newest.thread_id() == turn.thread_id() {
            return timed_out;
        }
        // From here on, the report contains the ids of the newer prompt. So the printed resume command waits for the
        // reply to the newer prompt.
        identify(&newest, &mut self.report);
        let message = format!(
            "{}; a newer prompt in session {} interrupted this one",
            timed_out.error.message,
            turn.session_id()
        );
        Exit::new(Code::Failed, "superseded", message)
    }

    /// Reports the success or the failure of the command, and returns the exit code.
    fn finish(mut self, result: Result<Status, Exit>) -> u8 {
        let output = self.output;
        let replied = self.report.final_message.is_some() && !self.is_correcting;
        let (status, mut exit) = match result {
            Ok(status) => (status, output.side_failure()),
            Err(exit) => (exit.status(), Some(exit)),
        };
        // A prompt whose reply was received counts as completed, even if the command failed afterwards.
        self.report.status = if replied { Status::Completed } else { status };
        self.show_unmatched_reply();
        if let Some(exit) = &mut exit {
            self.describe_end(exit, replied && !self.is_lost);
        }
        self.report.exit_code = exit.as_ref().map_or(0, |exit| exit.code as u8);
        self.report.error = exit.as_ref().map(|exit| (*exit.error).clone());
        output.report_to_github(&self.report, self.ids_are_written);
        // The step outputs are written before the report is printed, so that the report has the exit code of this
        // failure.
        if exit.is_none()
            && let Some(mut exit) = output.side_failure()
        {
            self.describe_end(&mut exit, replied && !self.is_lost);
            self.report.exit_code = exit.code as u8;
            self.report.error = Some(*exit.error);
        }
        let printed = self.print();
        if let Err(failed) = &printed {
            output.note_error(failed);
            self.note_resume();
        } else if replied && !self.is_lost {
            self.settle_pending_file();
        }
        match (self.report.exit_code, printed.err()) {
            (0, Some(exit)) => exit.code as u8,
            (code, _) => code,
        }
    }

    /// Prints the error and, if a reply may still arrive, the command that resumes the wait.
    fn describe_end(&self, exit: &mut Exit, replied: bool) {
        self.output.note_error(exit);
        exit.error.retryable &= !self.has_sent;
        let may_be_sent = self.is_sent || exit.code == Code::OutcomeUnknown;
        if may_be_sent && !replied {
            // Programs run this command without a check, so it must not return the reply to an older prompt.
            exit.error.resume = match self.is_follow_up_unknown {
                true => None,
                false => resume_command(&self.report),
            };
            self.note_resume();
        }
    }

    fn note_resume(&self) {
        let advice = match (self.is_follow_up_unknown, self.pending_path()) {
            (false, _) => {
                resume_command(&self.report).map(|resume| format!("to keep waiting, run: {resume}"))
            }
            (true, Some(path)) => {
                let path = in_shell(path);
                let what =
                    "to check whether the prompt was accepted, and to wait for its reply, run";
                Some(format!("{what}: blocks wait --pending {path}"))
            }
            (true, None) => check_command(&self.report)
                .map(|check| format!("to check whether the prompt was accepted, run: {check}")),
        };
        match (advice, &self.report.session_id) {
            (Some(advice), _) => self.output.note(&advice),
            (None, Some(id)) => {
                let what =
                    format!("the id of the session is {id}; `blocks wait` accepts only UUIDs");
                self.output.note(&what);
            }
            (None, None) => {}
        }
    }

    /// Returns the path of the pending file that this command has written or read.
    fn pending_path(&self) -> Option<&Path> {
        match &self.settle {
            Some(Settle::Remove(path) | Settle::MarkReplied(path, _)) => Some(path.as_path()),
            None => None,
        }
    }

    fn print(&self) -> Result<(), Exit> {
        if self.output.is_json() {
            return self.output.json(&self.report);
        }
        match (&self.report.final_message, self.report.status) {
            (Some(_), _) if self.schema.is_some() => Ok(()),
            (Some(text), _) if !self.is_printed => self.output.text(text),
            (None, Status::Started) => {
                let id = self.report.session_id.as_deref().unwrap_or_default();
                self.output.text(id)
            }
            _ => Ok(()),
        }
    }

    /// Removes the pending file of `run` or `send`, or marks the pending file of `wait` as replied. Called after the
    /// reply was printed.
    fn settle_pending_file(&self) {
        let (path, settled) = match &self.settle {
            Some(Settle::Remove(path)) => (path, std::fs::remove_file(path)),
            Some(Settle::MarkReplied(path, content)) => {
                (path, pending::mark_replied(path, content))
            }
            None => return,
        };
        match settled {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let path = path.display();
                self.output
                    .note(&format!("warning: cannot update --pending {path}: {error}"));
            }
            _ => {}
        }
    }
}

/// Returns the `Exit` for a follow-up with an unknown outcome that a search did not find in the session.
fn not_accepted_yet(session: &Id) -> Exit {
    let message = format!(
        "the newest prompt of session {session} is older than the prompt that was sent, so it is unknown whether the \
         service has accepted the prompt"
    );
    let mut exit = Exit::new(Code::OutcomeUnknown, "unknown", message);
    exit.error.may_have_taken_effect = true;
    // A second search sends no prompt, and finds the prompt if the service accepts it late.
    exit.error.retryable = true;
    exit
}

/// Returns a path as one word of a shell's command line.
fn in_shell(path: &Path) -> String {
    let path = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if path.chars().all(is_plain) {
        return path.into_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// Sends a prompt with `send`, which gets the permit of the rate limiter. If a signal arrives first, the `Exit` says
/// whether the prompt may have had an effect. `is_valid` is the result of the check of the request. An invalid request
/// waits for no permit.
async fn send_prompt<T, F>(
    output: &Output,
    client: &Client,
    is_valid: Result<(), Error>,
    send: impl FnOnce(CreatePermit) -> F,
) -> Result<T, Exit>
where
    F: Future<Output = Result<T, Error>>,
{
    is_valid?;
    let mut effect = None;
    let sending = showing(output, "sending the prompt", async {
        let permit = client.acquire_create().await?;
        effect = Some(permit.effect());
        send(permit).await
    });
    let by = match output.host().interruptible(sending).await {
        Ok(sent) => return sent.map_err(Exit::from),
        Err(by) => by,
    };
    // Without a permit, nothing was sent.
    if !effect.is_some_and(|effect| effect.may_have_taken_effect()) {
        let what = "interrupted; the prompt certainly had no effect and can be sent again";
        return Err(Exit::interrupted(by, what));
    }
    let mut exit = Exit::interrupted(
        by,
        "interrupted; the request may have been accepted. Check the dashboard before you retry",
    );
    exit.error.may_have_taken_effect = true;
    Err(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_command_line() {
        for (path, word) in [
            ("a/b_1.json", "a/b_1.json"),
            ("a b", "'a b'"),
            ("$(x)'y", r"'$(x)'\''y'"),
        ] {
            assert_eq!(in_shell(Path::new(path)), word);
        }
    }
}
