//! Compares 150 processes that share a key (`seq 150 | xargs -P 150 blocks run …`) with one `blocks batch` of the same
//! prompts. Both use a mock server that allows at most 100 requests in any minute.
//!
//! Run this benchmark with `cargo bench -p blocks-cli --bench processes`. It takes about five minutes.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use blocks_mock::{Mock, MockServer, Operation, RateLimit, Script};

const PROMPTS: usize = 150;
const WORK: Duration = Duration::from_secs(20);
/// Returns the path of the command to measure. The environment variable `BLOCKS_BINARY` can name another build of the
/// command.
fn blocks() -> String {
    std::env::var("BLOCKS_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_blocks").to_owned())
}

/// Measurements of one run of all prompts, either by one batch or by many processes.
struct Run {
    failed: usize,
    /// Number of requests that got a 429: the total, and those after the first second.
    refused: (usize, usize),
    requests: usize,
    /// Mean seconds from a prompt's reply to the poll that found it.
    delay: f64,
    /// Mean seconds from the start of the run to the poll that found the reply, minus the duration of the agent's work.
    overhead: f64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("           failed  refused  after 1 s  requests  mean delay  mean overhead");
    let batch = measure(&runtime, "batch", |command| {
        let lines = (1..=PROMPTS).map(|n| {
            format!("{{\"id\": {n}, \"agent_name\": \"claude\", \"message\": \"{n}\"}}\n")
        });
        let command = command.args(["-c", "exec \"$0\" batch -", &blocks()]);
        run(command, &lines.collect::<String>())
    });
    let processes = measure(&runtime, "processes", |command| {
        let script = "exec xargs -P 150 -I N \"$0\" run --agent claude N";
        let lines = (1..=PROMPTS).map(|n| format!("{n}\n"));
        run(
            command.args(["-c", script, &blocks()]),
            &lines.collect::<String>(),
        )
    });
    let (delay, overhead) = (
        processes.delay / batch.delay,
        processes.overhead / batch.overhead,
    );
    println!("mean delay {delay:.2} times, mean overhead {overhead:.2} times that of one batch");
    let is_met = processes.failed == 0 && processes.refused.1 <= 2 && delay <= 1.25;
    println!("{}", if is_met { "met" } else { "not met" });
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("the input");
    drop(stdin);
    child.wait_with_output().expect("the end")
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    name: &str,
    run: impl FnOnce(&mut Command) -> Output,
) -> Run {
    let builder = Mock::builder()
        .rate_limit(RateLimit::default())
        .agent(Script::reply("Done.").reply_after(WORK));
    let server = runtime.block_on(builder.start()).expect("a port");
    let state = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command
        .env("BLOCKS_API_KEY", server.key())
        .env("BLOCKS_API_BASE_URL", server.url())
        .env("XDG_STATE_HOME", state.path())
        .stderr(Stdio::null());
    let output = run(&mut command);
    let replies = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains("Done."))
        .count();
    let run = evaluate(&server, PROMPTS - replies);
    println!(
        "{name:<10} {:>6} {:>8} {:>10} {:>9} {:>10.2}s {:>13.2}s",
        run.failed, run.refused.0, run.refused.1, run.requests, run.delay, run.overhead
    );
    run
}

fn evaluate(server: &MockServer, failed: usize) -> Run {
    let received = server.mock().requests();
    let start = received.first().map(|first| first.at).expect("requests");
    let refused = received.iter().filter(|r| r.status == Some(429));
    let refused_later = refused
        .clone()
        .filter(|r| r.at > start + Duration::from_secs(1));
    // The requests that created a session. The mock lists its sessions in the same order, so each session can be paired
    // with its create.
    let creates = received.iter().filter(|r| {
        r.operation == Some(Operation::CreateSession) && r.status.is_some_and(|s| s < 300)
    });
    let sessions = server.mock().sessions();
    let created: HashMap<String, _> = sessions
        .iter()
        .map(ToString::to_string)
        .zip(creates.map(|r| r.at))
        .collect();
    let mut last_poll = HashMap::new();
    for request in received.iter().filter(|r| r.target.contains("/threads/")) {
        if let Some(session) = request.target.split('/').nth(4) {
            last_poll.insert(session.to_owned(), request.at);
        }
    }
    let (mut delay, mut overhead) = (0.0, 0.0);
    for (session, polled) in &last_poll {
        delay += (*polled - created[session] - WORK).as_secs_f64();
        overhead += (*polled - start - WORK).as_secs_f64();
    }
    let count = last_poll.len().max(1) as f64;
    Run {
        failed,
        refused: (refused.count(), refused_later.count()),
        requests: received.len(),
        delay: delay / count,
        overhead: overhead / count,
    }
}
