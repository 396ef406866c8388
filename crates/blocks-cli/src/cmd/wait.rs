//! Waits for the reply to one prompt, and then reads the session's pull requests.

use std::pin::pin;
use std::time::Duration;

use blocks_sdk::{
    Client, Error, ErrorKind, FailureNoticeKind, Pending, Progress, Reply, Session, Turn, Wait,
    types::Message,
};
use futures_util::StreamExt;
use tokio::time::{Instant, interval_at, timeout};

use crate::args::FollowOptions;
use crate::exit::{Code, Exit, with_causes};
use crate::output::Output;
use crate::report::TurnReport;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Time limit for reading pull requests after the reply, so that a slow read does not keep the command running.
const MAX_SESSION_READ: Duration = Duration::from_secs(5);

/// Waits for a reply, and shows the progress on standard error.
pub struct Watcher<'a> {
    pub output: &'a Output,
    /// Text before each printed line, for example the id of a prompt in a batch.
    pub name: &'a str,
    /// Whether the elapsed time is shown. `batch` instead shows the elapsed time of the whole batch.
    pub shows_time: bool,
}

impl Watcher<'_> {
    /// Waits for the reply, for at most `limit`. A limit of zero polls once.
    ///
    /// # Errors
    /// If the last poll failed, the time-out error contains the error of that poll, so that a
    /// failed connection is not mistaken for a busy agent.
    pub async fn reply(&self, turn: &Turn, limit: Duration) -> Result<Reply, Exit> {
        self.reply_of(turn, turn.reply(), limit).await
    }

    /// Waits for the reply, for at most `limit`. With `--follow`, also shows the agent's messages as they arrive.
    pub async fn following(
        &self,
        turn: &Turn,
        limit: Duration,
        follow: FollowOptions,
    ) -> Result<Reply, Exit> {
        let wait = match (follow.follow, follow.tools) {
            (false, _) => turn.reply(),
            (true, false) => turn.reply().follow(),
            (true, true) => turn.reply().follow_with_tools(),
        };
        self.reply_of(turn, wait, limit).await
    }

    async fn reply_of(&self, turn: &Turn, wait: Wait, limit: Duration) -> Result<Reply, Exit> {
        if limit.is_zero() {
            let reply = turn.poll_once().await.map_err(Exit::from)?;
            return reply.ok_or_else(|| timed_out(limit, None));
        }
        let start = Instant::now();
        let mut minutes = interval_at(start + MINUTE, MINUTE);
        let mut progress = pin!(wait.timeout(limit).progress());
        let mut last_error: Option<Error> = None;
        let mut latest: Option<Box<Message>> = None;
        loop {
            let step = tokio::select! {
                biased;
                step = progress.next() => step,
                _ = minutes.tick(), if self.shows_time => {
                    self.output.show_minute("still working", start.elapsed());
                    continue;
                }
            };
            // The last message of a turn repeats the reply. Without `--json`, the message is not shown, because the
            // reply is printed separately.
            let is_repeated = matches!((&latest, &step), (Some(latest), Some(Ok(Progress::Replied(reply))))
                if latest.message.as_deref() == Some(reply.text()));
            if let Some(message) = latest.take_if(|_| !is_repeated || self.output.is_json()) {
                self.output.show_message(&message);
                minutes.reset();
            }
            match step {
                Some(Ok(Progress::Replied(reply))) => return Ok(reply),
                Some(Ok(Progress::Message(message))) => latest = Some(message),
                Some(Ok(Progress::Waiting { elapsed, error, .. })) => {
                    self.note_failing(last_error.as_ref(), error.as_ref());
                    last_error = error;
                    if self.shows_time {
                        self.output.show_progress("", elapsed);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) if error.kind() == ErrorKind::Deadline => {
                    return Err(timed_out(limit, last_error.as_ref()));
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(timed_out(limit, last_error.as_ref())),
            }
        }
    }

    /// Prints one line when polls start to fail, and another line when polls succeed again.
    fn note_failing(&self, before: Option<&Error>, now: Option<&Error>) {
        let name = self.name;
        match (before, now) {
            (None, Some(error)) => {
                let error = with_causes(error);
                self.output
                    .note(&format!("{name}a poll failed, still waiting: {error}"));
            }
            (Some(_), None) => {
                self.output.note(&format!("{name}polls work again"));
            }
            _ => {}
        }
    }
}

/// Waits for a request, and shows on standard error what the command is `doing`. Prints a line each minute, and a line
/// when the rate limiter pauses after a 429. Such a pause can take several minutes. The SDK makes the attempts and
/// reports no events, so the state of the rate limiter is read each second.
pub async fn showing<T>(output: &Output, doing: &str, request: impl Future<Output = T>) -> T {
    // After a short pause, the command continues before a person could react to a line.
    const SHORTEST_SHOWN: Duration = Duration::from_secs(10);
    let start = Instant::now();
    let mut minutes = interval_at(start + MINUTE, MINUTE);
    let mut seconds = interval_at(start + SECOND, SECOND);
    let mut request = pin!(request);
    let mut shown_end: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            response = &mut request => return response,
            _ = minutes.tick() => output.show_minute(&format!("still {doing}"), start.elapsed()),
            _ = seconds.tick() => {
                let pause = output.rate_limit_pause();
                let Some(left) = pause.filter(|left| *left >= SHORTEST_SHOWN) else {
                    continue;
                };
                let end = Instant::now() + left;
                // A later end is a new pause, after another 429. The second is for imprecise times.
                if shown_end.is_none_or(|shown| end > shown + SECOND) {
                    shown_end = Some(end);
                    let left = humantime::format_duration(Duration::from_secs(left.as_secs() + 1));
                    output.note(&format!("{doing}: rate limited for another {left}"));
                }
            }
        }
    }
}

fn timed_out(limit: Duration, last: Option<&Error>) -> Exit {
    let limit = humantime::format_duration(limit);
    let cause = last.map(|error| format!("; last error: {}", with_causes(error)));
    let cause = cause.unwrap_or_default();
    let message = format!("no reply within {limit}{cause}");
    let mut exit = Exit::new(Code::StillRunning, "timed_out", message);
    exit.error.retryable = true;
    exit.error.http_status = last.and_then(Error::status);
    exit.error.code = last.and_then(Error::code).map(str::to_owned);
    exit.error.request_id = last.and_then(Error::request_id).map(str::to_owned);
    exit
}

/// Stores the reply in the report. If the reply's text looks like a failure notice, the kind of the notice is also
/// stored.
///
/// # Errors
/// With `--fail-on-notice`, a reply that looks like a notice of failure is an error.
pub fn keep_reply(
    reply: &Reply,
    fail_on_notice: bool,
    report: &mut TurnReport,
) -> Result<(), Exit> {
    report.final_message = Some(reply.text().to_owned());
    let Some(notice) = reply.failure_notice() else {
        return Ok(());
    };
    let kind = match notice.kind {
        FailureNoticeKind::Authentication => "authentication",
        FailureNoticeKind::Limit => "limit",
        _ => "other",
    };
    report.failure_notice = Some(kind.to_owned());
    if !fail_on_notice {
        return Ok(());
    }
    let message = format!(
        "the reply looks like a notice of failure ({kind}): {}",
        notice.text
    );
    Err(Exit::new(Code::Notice, "failure_notice", message))
}

/// Reads the session's pull requests into the report. Called after the reply, because the agent opens pull requests
/// while it works. The read may take at most `MAX_SESSION_READ`. The caller prints an error as a warning, because the
/// command already has the reply.
pub async fn read_pull_requests(
    client: &Client,
    pending: &Pending,
    report: &mut TurnReport,
) -> Result<(), String> {
    let read = client.get_session(pending.session_id());
    match timeout(MAX_SESSION_READ, read).await {
        Ok(Ok(session)) => {
            describe(&session, report);
            Ok(())
        }
        Ok(Err(error)) => Err(format!(
            "cannot read pull requests: {}",
            with_causes(&error)
        )),
        Err(_) => {
            let limit = MAX_SESSION_READ.as_secs();
            Err(format!(
                "cannot read pull requests: no response within {limit} s"
            ))
        }
    }
}

/// Copies the address of the session's page and the session's pull requests into the report.
pub fn describe(session: &Session, report: &mut TurnReport) {
    if let Some(url) = session.html_url() {
        report.session_html_url = Some(url.to_owned());
    }
    let pull_requests = session.pull_requests().iter();
    report.pull_requests = pull_requests
        .filter_map(|pull_request| serde_json::to_value(pull_request).ok())
        .collect();
}

/// Copies the ids of the session and of the thread into the report.
pub fn identify(pending: &Pending, report: &mut TurnReport) {
    report.session_id = Some(pending.session_id().to_string());
    report.thread_id = pending.thread_id().map(|id| id.to_string());
}

/// Returns the command that resumes the wait, if the session is known and its id is a UUID. `blocks wait` accepts only
/// a UUID, and any other text of the service could contain another command for the shell. The option `--thread` also
/// accepts only a UUID, so any other thread id is left out. The returned command then waits for the session's newest
/// prompt.
pub fn resume_command(report: &TurnReport) -> Option<String> {
    let session = only_uuid(report.session_id.as_ref())?;
    Some(match only_uuid(report.thread_id.as_ref()) {
        Some(thread) => format!("blocks wait {session} --thread {thread}"),
        None => format!("blocks wait {session}"),
    })
}

/// Returns the command that shows whether the service has accepted a follow-up, if the id of the session is a UUID.
pub fn check_command(report: &TurnReport) -> Option<String> {
    let session = only_uuid(report.session_id.as_ref())?;
    Some(format!("blocks messages {session} --role user"))
}

fn only_uuid(id: Option<&String>) -> Option<&str> {
    let is_uuid = |id: &&str| id.len() == 36 && uuid::Uuid::try_parse(id).is_ok();
    id.map(String::as_str).filter(is_uuid)
}
