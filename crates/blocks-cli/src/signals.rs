//! The signals that end the process: SIGINT, SIGQUIT, SIGTERM and SIGHUP.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The signal or event that interrupted a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Ctrl-C, which is SIGINT, or SIGQUIT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// No process reads standard output any more.
    ClosedOutput,
}

/// Delivers the signals of the process to a command. A test sends its own signals instead.
#[derive(Clone, Debug)]
pub struct Signals(watch::Sender<Option<Interruption>>);

impl Default for Signals {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Signals {
    /// Interrupts the command.
    pub fn send(&self, interruption: Interruption) {
        self.0.send_replace(Some(interruption));
    }

    /// Waits for the first signal. Returns immediately if a signal was already sent.
    pub(crate) async fn received(&self) -> Interruption {
        let mut receiver = self.0.subscribe();
        match receiver.wait_for(Option::is_some).await.map(|value| *value) {
            Ok(Some(interruption)) => interruption,
            // Never reached: `wait_for` fails only if the `watch::Sender` was dropped, and `self` contains the sender.
            _ => std::future::pending().await,
        }
    }
}

/// The text that is printed if the thread of [`listen`] ends the process: after a second signal, or while the command
/// is blocked. For example, a write to a full pipe blocks the command. The text says how to resume the wait. The text
/// is empty before the wait starts and after the reply was received.
pub(crate) type LastWords = Arc<Mutex<String>>;

/// Receives the process's signals in a separate thread, so that they are handled even while the
/// command is blocked. The thread ends the process after a second signal that arrives at least half a second
/// later, or if the command has not ended 2 seconds after the first signal. Before that, it takes at most another second
/// to print the last words.
#[cfg(unix)]
pub(crate) fn listen(signals: Signals, last_words: LastWords) {
    use std::time::Duration;

    use tokio::signal::unix::{SignalKind, signal};

    const GRACE: Duration = Duration::from_secs(2);
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
            for (kind, interruption) in [
                (SignalKind::interrupt(), Interruption::Interrupt),
                (SignalKind::quit(), Interruption::Interrupt),
                (SignalKind::terminate(), Interruption::Terminate),
                (SignalKind::hangup(), Interruption::HangUp),
            ] {
                // If the process was started with an ignored signal, it continues to ignore the signal. For example,
                // `nohup` starts its command with SIGHUP ignored.
                if is_ignored(kind) {
                    continue;
                }
                let Ok(mut stream) = signal(kind) else {
                    continue;
                };
                let sender = sender.clone();
                tokio::spawn(async move {
                    while stream.recv().await.is_some() {
                        let _ = sender.send(interruption);
                    }
                });
            }
            let _ = ready.send(());
            let Some(first) = received.recv().await else {
                return;
            };
            signals.send(first);
            let second = tokio::time::timeout(GRACE, next_signal(&mut received)).await;
            let last = second.ok().flatten().unwrap_or(first);
            let words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            print_briefly(words.clone());
            std::process::exit(crate::exit::Exit::from(last).code as i32);
        });
    };
    if std::thread::Builder::new().spawn(thread).is_ok() {
        // Waits until the thread can receive signals. The callers create temporary files only after this, because an
        // earlier signal would end the process, and the temporary files would remain.
        let _ = is_ready.recv();
    }
}

/// Waits for the next signal after the first. The program `timeout` sends its signal twice: to the command, and to the
/// group of processes. So signals in the first half second count as the first signal.
#[cfg(unix)]
async fn next_signal(
    received: &mut tokio::sync::mpsc::UnboundedReceiver<Interruption>,
) -> Option<Interruption> {
    const SAME_SIGNAL: std::time::Duration = std::time::Duration::from_millis(500);
    let first = tokio::time::Instant::now();
    loop {
        let next = received.recv().await;
        if next.is_none() || first.elapsed() >= SAME_SIGNAL {
            return next;
        }
    }
}

/// Lets a write fail that would make a file larger than the limit of `ulimit -f`, as on a full disk. Without this, the
/// signal SIGXFSZ would end the process, and a reply could be lost. Must be called in a runtime.
#[cfg(unix)]
pub(crate) fn survive_file_size_limit() {
    // The number of SIGXFSZ on Linux and macOS. The handler stays when the returned value is dropped.
    const SIGXFSZ: i32 = 25;
    let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ));
}

#[cfg(not(unix))]
pub(crate) fn survive_file_size_limit() {}

/// Prints the text to standard error in a separate thread, and waits at most 1 second for this thread. The print never
/// ends if standard error is a full pipe that no process reads, or if a blocked thread has locked standard error.
#[cfg(unix)]
fn print_briefly(text: String) {
    use std::io::Write;
    use std::time::Duration;

    const LIMIT: Duration = Duration::from_secs(1);
    let (printed, is_printed) = std::sync::mpsc::channel();
    let print = move || {
        let _ = crate::waiting::Waiting(std::io::stderr()).write_all(text.as_bytes());
        let _ = printed.send(());
    };
    if std::thread::Builder::new().spawn(print).is_ok() {
        let _ = is_printed.recv_timeout(LIMIT);
    }
}

/// Returns whether the process has ignored this signal since its start. Linux lists the ignored signals in `/proc`. On
/// other systems, SIGHUP counts as ignored if standard error is not a terminal, since `nohup` redirects it.
#[cfg(unix)]
fn is_ignored(kind: tokio::signal::unix::SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    let mask = status.ok().and_then(|status| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    });
    match mask {
        Some(mask) => mask >> (kind.as_raw_value() - 1) & 1 == 1,
        None => {
            use std::io::IsTerminal;
            kind == tokio::signal::unix::SignalKind::hangup() && !std::io::stderr().is_terminal()
        }
    }
}

/// Receives Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn listen(signals: Signals, _: LastWords) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            signals.send(Interruption::Interrupt);
        }
    });
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_that_arrives_twice_counts_once() {
        let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
        sender.send(Interruption::Terminate).unwrap();
        let later = async {
            tokio::time::sleep(Duration::from_millis(499)).await;
            sender.send(Interruption::Terminate).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            sender.send(Interruption::Interrupt).unwrap();
        };
        let (next, ()) = tokio::join!(next_signal(&mut received), later);
        assert_eq!(next, Some(Interruption::Interrupt));
    }
}
