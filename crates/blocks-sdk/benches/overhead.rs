//! Measures the overhead of a call with this crate, compared with a call with only `reqwest` and `serde_json`. Both
//! calls read the same types from the same server.
//!
//! `cargo bench -p blocks-sdk --bench overhead`
//!
//! The instructions of the processor are counted only if `valgrind` is installed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use blocks_mock::{MockServer, RequestLog, Script};
use blocks_sdk::{Agent, Client, CreateSession, RateLimit, Turn, types};
use uuid::Uuid;

const CALLS: [&str; 3] = ["create", "read", "wait"];
/// Number of rounds. A round is short (50 calls with each client), so that other load on the machine affects both
/// clients equally.
const ROUNDS: usize = 301;
const PER_ROUND: usize = 50;
const COUNTED: [usize; 2] = [50, 150];

/// A session that has a reply, and the two clients whose calls are compared.
struct Bench {
    url: String,
    session: Uuid,
    link: String,
    sdk: Client,
    turn: Turn,
    bare: reqwest::Client,
    key: String,
}

impl Bench {
    async fn new(url: &str) -> Self {
        let key = "test-key";
        let sdk = Client::builder(key)
            .base_url(url)
            .rate_limit(RateLimit::per_minute(u32::MAX).expect("a limit"))
            .build()
            .expect("a client");
        let request = CreateSession::new(Agent::claude(), "hello");
        let session = sdk.create_session(request).await.expect("a session");
        let turn = session.first_turn().expect("a turn");
        let thread = turn.thread_id().expect("a thread");
        Self {
            link: format!(
                "{url}/rest/v1/sessions/{}/threads/{thread}/messages?type=final_message&role=assistant",
                session.id()
            ),
            url: url.to_owned(),
            session: session.id().to_uuid().expect("a UUID"),
            turn,
            sdk,
            bare: reqwest::Client::new(),
            key: format!("ApiKey {key}"),
        }
    }

    async fn call(&self, how: &str, what: &str) {
        match (how, what) {
            ("sdk", "create") => {
                let request = CreateSession::new(Agent::claude(), "hello");
                self.sdk.create_session(request).await.expect("a session");
            }
            ("sdk", "read") => {
                self.sdk.get_session(self.session).await.expect("a session");
            }
            ("sdk", _) => {
                let reply = self.turn.poll_once().await.expect("a page");
                assert!(reply.is_some());
            }
            (_, "create") => {
                let body = serde_json::json!({"message": "hello", "agent_name": "claude"});
                let url = format!("{}/rest/v1/sessions", self.url);
                self.read::<types::Session>(self.bare.post(url).json(&body))
                    .await;
            }
            (_, "read") => {
                let url = format!("{}/rest/v1/sessions/{}", self.url, self.session);
                self.read::<types::Session>(self.bare.get(url)).await;
            }
            _ => {
                let page: types::MessagePage = self.read(self.bare.get(&self.link)).await;
                assert!(!page.items.is_empty());
            }
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> T {
        let request = request.header("authorization", &self.key);
        let response = request.send().await.expect("a response");
        assert!(response.status().is_success());
        let bytes = response.bytes().await.expect("a body");
        serde_json::from_slice(&bytes).expect("the type")
    }

    async fn time(&self, how: &str, what: &str) -> Duration {
        let start = Instant::now();
        for _ in 0..PER_ROUND {
            self.call(how, what).await;
        }
        start.elapsed()
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--child") {
        return child(&arguments[place + 1..]);
    }
    // The server has a separate runtime, so that it does not run in the measured thread.
    let server = tokio::runtime::Runtime::new().expect("a runtime");
    let mock = server
        .block_on(
            MockServer::builder()
                .agent(Script::reply("Done.").reply_after(Duration::ZERO))
                .request_log(RequestLog::Counts)
                .start(),
        )
        .expect("a server");
    let url = mock.url();
    println!("call     bare µs   sdk µs   time ratio   bare instr   sdk instr   instr ratio");
    for what in CALLS {
        let (bare, sdk, ratio) = times(&url, what);
        print!("{what:<7} {bare:>8.1} {sdk:>8.1} {ratio:>12.2}");
        match (
            instructions(&url, "bare", what),
            instructions(&url, "sdk", what),
        ) {
            (Some(bare), Some(sdk)) => {
                println!(" {bare:>12.0} {sdk:>11.0} {:>13.2}", sdk / bare);
            }
            _ => println!("   (no valgrind)"),
        }
    }
}

/// Returns the microseconds of a call with `reqwest` alone, the microseconds of a call with this crate, and the median
/// ratio of the two times. Each round measures 50 calls of each kind, and calculates one ratio.
fn times(url: &str, what: &str) -> (f64, f64, f64) {
    let (mut pairs, mut ratios) = (Vec::new(), Vec::new());
    runtime().block_on(async {
        let bench = Bench::new(url).await;
        for round in 0..ROUNDS {
            let (bare, sdk) = if round % 2 == 0 {
                let bare = bench.time("bare", what).await;
                (bare, bench.time("sdk", what).await)
            } else {
                let sdk = bench.time("sdk", what).await;
                (bench.time("bare", what).await, sdk)
            };
            ratios.push(sdk.as_secs_f64() / bare.as_secs_f64());
            pairs.push((bare, sdk));
        }
    });
    ratios.sort_by(f64::total_cmp);
    pairs.sort();
    let micros = |total: Duration| total.as_secs_f64() * 1e6 / PER_ROUND as f64;
    let (bare, sdk) = pairs[ROUNDS / 2];
    (micros(bare), micros(sdk), ratios[ROUNDS / 2])
}

/// Returns the number of instructions of a call. Two runs with different numbers of calls are compared, so that the
/// instructions of the program's start are not counted.
fn instructions(url: &str, how: &str, what: &str) -> Option<f64> {
    let counts = COUNTED.map(|n| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--child", url, how, what, &n.to_string()])
            .stdout(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    });
    let [Some(few), Some(many)] = counts else {
        return None;
    };
    Some((many - few) / (COUNTED[1] - COUNTED[0]) as f64)
}

fn child(arguments: &[String]) {
    let [url, how, what, n, ..] = arguments else {
        panic!("--child URL HOW WHAT N");
    };
    let n: usize = n.parse().expect("a number");
    runtime().block_on(async {
        let bench = Bench::new(url).await;
        for _ in 0..n {
            bench.call(how, what).await;
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}
