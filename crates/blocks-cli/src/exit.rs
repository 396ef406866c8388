//! The exit codes and errors with which a command of `blocks` ends.

use std::error::Error as _;

use blocks_sdk::{Error, ErrorKind};

use crate::host::Interruption;
use crate::report::{ErrorReport, Status};

/// The exit code and the error of a command that did not succeed.
#[derive(Clone, Debug)]
pub struct Exit {
    pub code: Code,
    pub error: Box<ErrorReport>,
    /// Id of the session, if the SDK's error contains one.
    pub session_id: Option<String>,
    /// Whether the command has already printed this error as JSON.
    pub is_reported: bool,
}

/// The exit codes, which `blocks --help` explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Failed = 1,
    Usage = 2,
    StillRunning = 3,
    OutcomeUnknown = 4,
    Notice = 5,
    ReplyMismatch = 6,
    HungUp = 129,
    Interrupted = 130,
    ClosedOutput = 141,
    Terminated = 143,
}

impl Code {
    /// Returns the value of the JSON field `status` for this exit code.
    pub fn status(self) -> Status {
        match self {
            Self::Failed => Status::Failed,
            Self::Usage => Status::Refused,
            Self::StillRunning => Status::TimedOut,
            Self::OutcomeUnknown => Status::Unknown,
            Self::Notice | Self::ReplyMismatch => Status::Completed,
            Self::HungUp | Self::Interrupted | Self::ClosedOutput | Self::Terminated => {
                Status::Interrupted
            }
        }
    }
}

impl Exit {
    pub fn new(code: Code, kind: &str, message: impl Into<String>) -> Self {
        let error = ErrorReport {
            kind: kind.to_owned(),
            message: message.into(),
            ..ErrorReport::default()
        };
        Self {
            code,
            error: Box::new(error),
            session_id: None,
            is_reported: false,
        }
    }

    /// Marks the error as already printed as JSON.
    pub fn reported(mut self) -> Self {
        self.is_reported = true;
        self
    }

    /// Creates an `Exit` for a local failure, such as a file that cannot be written. `batch` also uses it if some
    /// prompts failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, "file", message)
    }

    /// Creates an `Exit` for a command line or an input that cannot be used. Nothing was sent. `batch` also uses it for
    /// each prompt that was not started after a failure.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, "usage", message)
    }

    /// Creates an `Exit` for a command that a signal or a closed output ended.
    pub fn interrupted(by: Interruption, message: impl Into<String>) -> Self {
        let (code, kind) = match by {
            Interruption::Interrupt => (Code::Interrupted, "interrupted"),
            Interruption::HangUp => (Code::HungUp, "interrupted"),
            Interruption::Terminate => (Code::Terminated, "interrupted"),
            Interruption::ClosedOutput => (Code::ClosedOutput, "closed_output"),
        };
        Self::new(code, kind, message)
    }

    /// Changes the exit code of a usage error from 2 to 1. Called after the service has accepted a prompt, because exit
    /// code 2 says that nothing was sent.
    pub fn after_create(mut self) -> Self {
        if self.code == Code::Usage {
            self.code = Code::Failed;
            self.error.kind = "failed".into();
        }
        self
    }

    pub fn status(&self) -> Status {
        self.code.status()
    }
}

impl From<Interruption> for Exit {
    fn from(by: Interruption) -> Self {
        Self::interrupted(by, "interrupted")
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        let unknown = error.may_have_taken_effect();
        let code = match error.kind() {
            _ if unknown => Code::OutcomeUnknown,
            ErrorKind::InvalidInput | ErrorKind::Configuration if error.attempts() == 0 => {
                Code::Usage
            }
            ErrorKind::Deadline => Code::StillRunning,
            ErrorKind::ReplyMismatch => Code::ReplyMismatch,
            _ => Code::Failed,
        };
        let report = ErrorReport {
            kind: kind_name(error.kind()).to_owned(),
            message: with_causes(&error),
            http_status: error.status(),
            code: error.code().map(str::to_owned),
            request_id: error.request_id().map(str::to_owned),
            retryable: !unknown && (code == Code::StillRunning || error.is_transient()),
            may_have_taken_effect: unknown,
            resume: None,
        };
        Self {
            code,
            error: Box::new(report),
            session_id: error.session_id().map(|id| id.to_string()),
            is_reported: false,
        }
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidInput => "usage",
        ErrorKind::Status => "status",
        ErrorKind::Connection => "connection",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Undecodable => "undecodable",
        ErrorKind::Deadline => "timed_out",
        ErrorKind::Interrupted => "superseded",
        ErrorKind::UnknownTurn => "no_thread",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::UntrustedLink => "untrusted_link",
        ErrorKind::Configuration => "configuration",
        ErrorKind::Incomplete => "incomplete",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::File => "file",
        ErrorKind::ReplyMismatch => "reply_mismatch",
        _ => "other",
    }
}

/// Returns the error's message and its innermost cause. The cause is left out if the message already contains it.
pub fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut innermost = None;
    while let Some(cause) = source {
        innermost = Some(cause.to_string());
        source = cause.source();
    }
    if let Some(cause) = innermost.filter(|cause| !text.contains(cause.as_str())) {
        text = format!("{text}: {cause}");
    }
    text
}
