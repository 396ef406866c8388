//! How the program ends, as scripts see it.

use blocks_sdk::{Error, ErrorKind};

/// An end that is not success: its code, and what to tell.
#[derive(Debug)]
pub struct Exit {
    pub code: Code,
    pub message: String,
}

/// The exit codes; they are documented in `blocks --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Failed = 1,
    WrongUse = 2,
    StillRunning = 3,
    FateUnknown = 4,
    Interrupted = 130,
}

impl Exit {
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    pub fn wrong_use(message: impl Into<String>) -> Self {
        Self::new(Code::WrongUse, message)
    }

    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            _ if error.may_have_taken_effect() => Code::FateUnknown,
            ErrorKind::InvalidInput => Code::WrongUse,
            ErrorKind::Deadline => Code::StillRunning,
            _ => Code::Failed,
        };
        Self::new(code, error.to_string())
    }
}
