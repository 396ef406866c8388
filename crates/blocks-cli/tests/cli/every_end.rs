//! Tests of every command with each way of ending that [`End`] lists. They check the exit code, the JSON and the ids.
//! The JSON is validated against its schema.
//!
//! The module `ends` tests failed creates, failed polls, and signals during a create and after the reply. The module
//! `process` tests what needs a separate process.

use std::time::Duration;

use blocks_cli::Interruption;
use blocks_mock::{Action, Fault, Frequency, Mock, RetryAfter, Script};
use serde_json::Value;

use crate::Folder;
use crate::ends::{has_output, valid};
use crate::in_process::{Ended, REQUEST_ID, Stream, Test, creates};

/// The way in which a command ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Success,
    TimeOut,
    Rejected,
    RateLimited,
    /// The connection breaks after the request took effect.
    Broken,
    /// An HTML page from a proxy instead of the service's response.
    Html,
    Interrupt,
    Terminate,
    HangUp,
    FullDisk,
    ClosedPipe,
}

const ENDS: [End; 11] = [
    End::Success,
    End::TimeOut,
    End::Rejected,
    End::RateLimited,
    End::Broken,
    End::Html,
    End::Interrupt,
    End::Terminate,
    End::HangUp,
    End::FullDisk,
    End::ClosedPipe,
];

/// A command line, its exit codes in the order of `ENDS`, and the schema of its result.
struct Row(&'static str, [u8; 11], &'static str);

/// Exit codes of commands that create a session or send a follow-up. An unknown outcome has the code 4.
const CREATES: [u8; 11] = [0, 3, 1, 1, 4, 4, 130, 143, 129, 1, 141];
/// Exit codes of `wait`, which continues after transient errors.
const WAITS: [u8; 11] = [0, 3, 1, 3, 3, 1, 130, 143, 129, 1, 141];
const READS: [u8; 11] = [0, 1, 1, 1, 1, 1, 130, 143, 129, 1, 141];
/// Exit codes of commands that send no request, so only their output can fail.
const LOCAL: [u8; 11] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 141];

const ROWS: [Row; 18] = [
    Row(
        "run --agent claude --json --github-output --timeout 2m hello",
        CREATES,
        "result",
    ),
    Row(
        "send SESSION --json --github-output --timeout 2m more",
        CREATES,
        "result",
    ),
    Row(
        "wait SESSION --thread THREAD --json --github-output --timeout 2m",
        WAITS,
        "result",
    ),
    Row("batch - --timeout 2m", CREATES, "result"),
    Row("show SESSION --json", READS, "session"),
    Row("messages SESSION --json", READS, "message"),
    Row("messages SESSION --json --page 1", READS, "message"),
    Row("transcript SESSION --json", READS, "transcript"),
    Row("plan SESSION --json --output FOLDER/new", READS, "download"),
    Row(
        "artifact SESSION PLAN --json --output FOLDER/new",
        READS,
        "download",
    ),
    Row("check --json", READS, "check"),
    Row("list --json", LOCAL, "list"),
    Row("forget --all --json", LOCAL, "list"),
    Row("schema --json", LOCAL, ""),
    Row("schema result --json", LOCAL, ""),
    Row("completions bash", LOCAL, ""),
    Row("man run", LOCAL, ""),
    // `mock` serves until a signal arrives, and then ends with success.
    Row("mock --quiet", LOCAL, ""),
];

fn agent(replies: bool) -> Script {
    let script = match replies {
        true => Script::reply("Done.").reply_after(Duration::from_secs(4)),
        false => Script::no_reply(),
    };
    let plan = Action::Plan {
        file_name: "p.md".into(),
        text: "1. Go.\n".into(),
    };
    script.step(Duration::ZERO, plan)
}

impl End {
    /// Returns whether the agent (for a prompt) or the service (for other requests) stays silent until the command ends
    /// with a time-out or a signal.
    fn is_silent(self) -> bool {
        self == Self::TimeOut || self.signal().is_some()
    }

    fn signal(self) -> Option<Interruption> {
        match self {
            Self::Interrupt => Some(Interruption::Interrupt),
            Self::Terminate => Some(Interruption::Terminate),
            Self::HangUp => Some(Interruption::HangUp),
            _ => None,
        }
    }

    fn fault(self) -> Option<Fault> {
        match self {
            Self::Rejected => Some(Fault::status(403)),
            Self::RateLimited => Some(Fault::rate_limited(Some(RetryAfter::Seconds(9_000)))),
            Self::Broken => Some(Fault::ResetAfter),
            Self::Html => Some(Fault::Html),
            _ => None,
        }
    }

    /// Returns the HTTP status in the error of a create, or `Null` if there was no response.
    fn http_status(self) -> Value {
        match self {
            Self::Rejected => 403.into(),
            Self::RateLimited => 429.into(),
            Self::Html => 200.into(),
            _ => Value::Null,
        }
    }

    fn out(self) -> Stream {
        match self {
            Self::FullDisk => Stream::failing(28),
            Self::ClosedPipe => Stream::failing(32),
            _ => Stream::default(),
        }
    }

    fn status(self, code: u8) -> &'static str {
        match code {
            0 => "completed",
            1 => "failed",
            3 => "timed_out",
            4 => "unknown",
            _ => "interrupted",
        }
    }
}

/// A test case: one command that ends in one way.
struct Case<'a> {
    row: &'a Row,
    end: End,
    mock: Mock,
    folder: Folder,
    line: String,
}

impl<'a> Case<'a> {
    async fn new(row: &'a Row, end: End) -> Self {
        let folder = Folder::new("every-end");
        let is_turn = row.2 == "result";
        let mock = Mock::builder()
            .agent(agent(!is_turn || !end.is_silent()))
            .build();
        let setup = Test::new(&mock, "run --agent claude --no-wait --register hello");
        let state = folder.file("state");
        let started = setup.variable("XDG_STATE_HOME", &state).run().await;
        assert_eq!(started.code, 0, "{started:?}");
        let session = mock.sessions()[0].to_string();
        let show = Test::new(&mock, &format!("show {session} --json"))
            .run()
            .await;
        let plan = show.json()["plan_artifact_ids"][0]
            .as_str()
            .unwrap()
            .to_owned();
        let thread = mock.threads(&session)[0].to_string();
        let mut line = row
            .0
            .replace("SESSION", &session)
            .replace("THREAD", &thread)
            .replace("PLAN", &plan)
            .replace("FOLDER", folder.path().to_str().unwrap());
        if end.is_silent() && !is_turn {
            mock.inject(
                None,
                Frequency::Always,
                Fault::Delay(Duration::from_secs(500)),
            );
        }
        if end == End::TimeOut && !is_turn && row.1 == READS {
            line += " --request-timeout 5s";
        }
        if let Some(fault) = end.fault() {
            mock.inject(None, Frequency::Always, fault);
        }
        Self {
            row,
            end,
            mock,
            folder,
            line,
        }
    }

    fn is_served(&self) -> bool {
        self.row.0.starts_with("mock")
    }

    async fn run(&self) -> Ended {
        let mut test = Test::new(&self.mock, &self.line)
            .input("{\"id\":\"a\",\"agent_name\":\"claude\",\"message\":\"x\"}\n")
            .variable("GITHUB_OUTPUT", self.folder.file("outputs"))
            .variable("XDG_STATE_HOME", self.folder.file("state"))
            .out(self.end.out());
        let served = self.is_served().then_some(Interruption::Interrupt);
        if let Some(signal) = self.end.signal().or(served) {
            test = test.signal(Duration::from_secs(20), signal);
        }
        test.run().await
    }

    /// Returns the ids of the session and of the thread that the command waits for, if a response contained them.
    fn received_ids(&self) -> Option<(String, String)> {
        let sends = self.row.1 == CREATES;
        if sends && self.end.fault().is_some() {
            return None;
        }
        let session = *self.mock.sessions().last()?;
        let thread = *self.mock.threads(session).last()?;
        Some((session.to_string(), thread.to_string()))
    }

    fn check_json(&self, ended: &Ended, code: u8) {
        let context = format!("{} {:?}: {ended:?}", self.line, self.end);
        if matches!(self.end, End::FullDisk | End::ClosedPipe) {
            assert_eq!(ended.out, "", "{context}");
            return;
        }
        let schema = match (self.row.2, code) {
            ("", _) => return,
            (turn @ ("result" | "check"), _) => turn,
            (own, 0) => own,
            _ => "failure",
        };
        let lines = ended.lines();
        assert!(!lines.is_empty(), "{context}");
        assert!(schema == "message" || lines.len() == 1, "{context}");
        for line in &lines {
            valid(schema, line);
        }
        if ["session", "message", "transcript"].contains(&schema) {
            return;
        }
        let status = self.end.status(code);
        assert_eq!(lines[0]["status"], status, "{context}");
        assert_eq!(lines[0]["exit_code"], code, "{context}");
        if schema != "list" && schema != "download" {
            assert_eq!(lines[0]["error"].is_null(), code == 0, "{context}");
        }
        // A command that sends no prompt may repeat its request after a fault, but not after a rejection. So the HTTP
        // status in its error is checked only for a rejection.
        let is_certain = self.end == End::Rejected || self.row.1 == CREATES;
        if code != 0 && is_certain && self.end.fault().is_some() {
            let error = &lines[0]["error"];
            let http_status = self.end.http_status();
            let request_id = http_status.is_u64().then_some(REQUEST_ID);
            assert_eq!(error["http_status"], http_status, "{context}");
            assert_eq!(error["request_id"].as_str(), request_id, "{context}");
            assert_eq!(error["may_have_taken_effect"], code == 4, "{context}");
        }
        if self.line.contains("--github-output") {
            let outputs = std::fs::read_to_string(self.folder.file("outputs")).unwrap();
            let exit_code = code.to_string();
            for (name, value) in [("status", status), ("exit_code", exit_code.as_str())] {
                assert!(has_output(&outputs, name, value), "{context} {outputs}");
            }
        }
    }

    /// Checks the ids of a prompt that was sent, its reply or error, and the command that resumes the wait.
    fn check_turn(&self, ended: &Ended) {
        let context = format!("{} {:?}: {ended:?}", self.line, self.end);
        let Some((session, thread)) = self.received_ids().filter(|_| self.row.2 == "result") else {
            return;
        };
        let outputs = std::fs::read_to_string(self.folder.file("outputs")).unwrap_or_default();
        let is_batch = self.row.0.starts_with("batch");
        for (name, id) in [("session_id", &session), ("thread_id", &thread)] {
            assert!(
                is_batch || has_output(&outputs, name, id),
                "{context} {outputs}"
            );
        }
        if matches!(self.end, End::FullDisk | End::ClosedPipe) {
            assert!(ended.err.contains(&session), "{context}");
            return;
        }
        let report: &Value = &ended.lines()[0];
        assert_eq!(report["session_id"], session, "{context}");
        assert_eq!(report["thread_id"], thread, "{context}");
        if report["exit_code"] != 0 {
            let resume = format!("blocks wait {session} --thread {thread}");
            assert_eq!(report["error"]["resume"], resume, "{context}");
            let note = format!("to keep waiting, run: {resume}\n");
            assert!(is_batch || ended.err.contains(&note), "{context}");
        }
        if report["exit_code"] == 3 {
            // A second `wait` sends nothing. A second `run`, `send` or `batch` would send the prompt again.
            let is_wait = self.row.1 == WAITS;
            assert_eq!(report["error"]["retryable"], is_wait, "{context}");
        }
        match self.end {
            End::Success => assert_eq!(report["final_message"], "Done.", "{context}"),
            End::TimeOut => assert_eq!(report["error"]["kind"], "timed_out", "{context}"),
            End::Interrupt | End::Terminate | End::HangUp => {
                assert_eq!(report["error"]["kind"], "interrupted", "{context}");
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_command_is_machine_readable_at_every_end() {
    for row in &ROWS {
        for (end, code) in ENDS.into_iter().zip(row.1) {
            let case = Case::new(row, end).await;
            let before = case.mock.user_message_count();
            let creates_before = creates(&case.mock);
            let ended = case.run().await;
            assert_eq!(ended.code, code, "{} {end:?}: {ended:?}", case.line);
            case.check_json(&ended, code);
            case.check_turn(&ended);
            let has_effect = !matches!(end, End::Rejected | End::RateLimited);
            let prompts = usize::from(row.1 == CREATES && has_effect);
            let found = case.mock.user_message_count() - before;
            assert_eq!(found, prompts, "{} {end:?}", case.line);
            if code == 4 {
                let sent = creates(&case.mock) - creates_before;
                assert_eq!(sent, 1, "{} {end:?}", case.line);
            }
            if code == 1 {
                assert!(ended.err.contains("error: "), "{} {end:?}", case.line);
            }
        }
    }
}
