//! What a command has of the process around it. A test has one of its own, and runs commands
//! in its own process and time.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use blocks_sdk::{Client, Error};

use crate::exit::Exit;

/// Set in the logs of CI systems.
const CI: [&str; 4] = ["CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"];

/// Whether standard output goes to a file, which no CI system reads as its log.
#[cfg(unix)]
fn is_file(out: &std::io::Stdout) -> bool {
    use std::os::fd::AsFd;
    let copy = out.as_fd().try_clone_to_owned();
    let metadata = copy.and_then(|copy| std::fs::File::from(copy).metadata());
    metadata.is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn is_file(_: &std::io::Stdout) -> bool {
    false
}

type Sink = Mutex<Box<dyn Write + Send>>;
type MakeClient = Box<dyn Fn() -> Result<Client, Error> + Send + Sync>;

/// Two streams to write to, and the client that the environment describes.
pub struct Host {
    out: Sink,
    err: Sink,
    client: MakeClient,
    /// Whether a person sees standard output, and standard error, as it comes.
    pub(crate) out_is_terminal: bool,
    pub(crate) err_is_terminal: bool,
    /// Whether a CI system reads standard output for commands.
    pub(crate) in_ci: bool,
}

impl Host {
    /// The process's own streams and environment.
    pub fn process() -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        Self {
            out_is_terminal: out.is_terminal(),
            err_is_terminal: err.is_terminal(),
            in_ci: CI.iter().any(|name| std::env::var_os(name).is_some()) && !is_file(&out),
            out: Mutex::new(Box::new(out)),
            err: Mutex::new(Box::new(err)),
            client: Box::new(Client::from_env),
        }
    }

    /// A client and streams of one's own; nobody looks, and no CI system reads.
    pub fn new(
        client: Client,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            out: Mutex::new(Box::new(out)),
            err: Mutex::new(Box::new(err)),
            client: Box::new(move || Ok(client.clone())),
            out_is_terminal: false,
            err_is_terminal: false,
            in_ci: false,
        }
    }

    pub(crate) fn client(&self) -> Result<Client, Exit> {
        Ok((self.client)()?)
    }

    /// Bytes to standard output. A reader that has gone, as `head` does, is no failure.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Exit> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Exit::failed(format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Text to standard error. What cannot be told there is no reason to stop.
    pub(crate) fn tell(&self, text: &str) {
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}
