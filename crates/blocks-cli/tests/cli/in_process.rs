//! Runs commands and the mock inside the test process. The clock of tokio is paused: when every task waits, tokio moves
//! the clock to the next timer, so no test takes real time for a wait.

use std::io::{Error, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use blocks_cli::{Host, Interruption, Signals};
use blocks_mock::{Mock, Operation};
use blocks_sdk::{Body, Client};
use http::HeaderValue;
use serde_json::Value;

/// The id of the request in each response that a command receives.
pub const REQUEST_ID: &str = "req-1";

/// One command line with its streams, variables and signal.
pub struct Test<'a> {
    mock: &'a Mock,
    line: Vec<String>,
    input: Vec<u8>,
    variables: Vec<(String, String)>,
    signal: Option<(Duration, Interruption)>,
    time: Option<SystemTime>,
    has_terminal: bool,
    out: Stream,
    err: Stream,
}

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct Ended {
    pub code: u8,
    pub out: String,
    pub err: String,
}

/// An output stream in memory. A test can make every write fail, as on a full disk.
#[derive(Clone, Default)]
pub struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    failure: Option<i32>,
}

impl Stream {
    /// Creates a stream on which every write fails with this OS error number.
    pub fn failing(errno: i32) -> Self {
        Self {
            failure: Some(errno),
            ..Self::default()
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(errno) = self.failure {
            return Err(Error::from_raw_os_error(errno));
        }
        self.bytes.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> Test<'a> {
    /// Creates a test of a command line. `line` contains the words after `blocks`, separated by spaces.
    pub fn new(mock: &'a Mock, line: &str) -> Self {
        Self {
            mock,
            line: line.split(' ').map(str::to_owned).collect(),
            input: Vec::new(),
            variables: Vec::new(),
            signal: None,
            time: None,
            has_terminal: false,
            out: Stream::default(),
            err: Stream::default(),
        }
    }

    /// Adds one argument, which may contain spaces.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.line.push(argument.into());
        self
    }

    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sends a signal to the command after this time.
    pub fn signal(mut self, after: Duration, signal: Interruption) -> Self {
        self.signal = Some((after, signal));
        self
    }

    pub fn time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Treats standard error as a terminal.
    pub fn terminal(mut self) -> Self {
        self.has_terminal = true;
        self
    }

    pub fn out(mut self, out: Stream) -> Self {
        self.out = out;
        self
    }

    pub fn err(mut self, err: &Stream) -> Self {
        self.err = err.clone();
        self
    }

    pub async fn run(self) -> Ended {
        let service = tower::ServiceExt::<http::Request<Body>>::map_response(
            self.mock.service(),
            |mut response| {
                let id = HeaderValue::from_static(REQUEST_ID);
                response.headers_mut().insert("x-request-id", id);
                response
            },
        );
        let client = Client::builder(self.mock.key())
            .service(service)
            .build()
            .unwrap();
        let signals = Signals::default();
        let mut host = Host::new(client, self.out.clone(), self.err.clone())
            .input(std::io::Cursor::new(self.input))
            .signals(signals.clone());
        if let Some(time) = self.time {
            host = host.time(time);
        }
        if self.has_terminal {
            host = host.with_terminal();
        }
        for (name, value) in self.variables {
            host = host.variable(&name, value);
        }
        let line = std::iter::once("blocks".to_owned()).chain(self.line);
        let sender = async {
            if let Some((after, signal)) = self.signal {
                tokio::time::sleep(after).await;
                signals.send(signal);
            }
            std::future::pending::<()>().await
        };
        let code = tokio::select! {
            code = blocks_cli::run(line, host) => code,
            () = sender => unreachable!(),
        };
        Ended {
            code,
            out: self.out.text(),
            err: self.err.text(),
        }
    }
}

impl Ended {
    /// Parses standard output as exactly one line of JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    pub fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub fn creates(mock: &Mock) -> usize {
    mock.count(Operation::CreateSession) + mock.count(Operation::CreateMessage)
}
