//! Measures the cost of ten thousand waiting sessions: the memory for each session, and the CPU time for all sessions
//! as a share of one core.
//!
//! `cargo bench -p blocks-sdk --bench waiting`
//!
//! The memory is measured only on Linux, because it is read from `/proc`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use blocks_sdk::{Client, Pending, replies};
use tower_service::Service;
use uuid::Uuid;

const SESSIONS: u128 = 10_000;
const SIMULATED: Duration = Duration::from_secs(1800);

/// A service whose response to each poll contains no reply.
#[derive(Clone)]
struct Silent;

impl Service<http::Request<blocks_sdk::Body>> for Silent {
    type Response = http::Response<blocks_sdk::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<blocks_sdk::Body>) -> Self::Future {
        ready(Ok(http::Response::new(r#"{"items": []}"#.into())))
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let client = Client::builder("key")
            .service(Silent)
            .build()
            .expect("a client");
        let before = resident();
        let turns = (0..SESSIONS).map(|n| {
            let pending = Pending::new(Uuid::from_u128(n), Uuid::from_u128(n));
            client.resume(pending)
        });
        let mut all = replies(
            turns
                .into_iter()
                .map(|turn| turn.reply().timeout(2 * SIMULATED)),
        );
        let start = Instant::now();
        let end = tokio::time::timeout(SIMULATED, all.next()).await;
        let busy = start.elapsed();
        assert!(end.is_err(), "no reply arrives");
        let each = (resident() - before) as f64 / SESSIONS as f64;
        println!("{SESSIONS} waiting sessions, {SIMULATED:?} simulated:");
        println!("memory of each   {each:.0} bytes");
        let share = 100.0 * busy.as_secs_f64() / SIMULATED.as_secs_f64();
        println!("share of a core  {share:.2} %");
    });
}

/// Returns the resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}
