//! Counts the requests that a client sends, and the 429 responses, in each of 62 minutes. From minute 20 to minute 40,
//! another process with the same key sends requests at half of the rate limit.
//!
//! `cargo bench -p blocks-sdk --bench shared`

mod support;

use std::time::Duration;

use std::pin::Pin;
use std::task::{Context, Poll};

use blocks_mock::{Mock, MockBody, MockService};
use support::{Job, MINUTE, run_ours_over, service, simulate};
use tokio::time::Instant;
use tower_service::Service;

/// The number of sessions. All are unfinished for an hour, and their polls are enough to use the whole rate limit.
const SESSIONS: usize = 60;
/// The minutes in which the other process sends requests.
const OTHER: std::ops::Range<u32> = 20..40;

fn main() {
    fastrand::seed(1);
    let jobs = vec![
        Job {
            arrives: Duration::ZERO,
            works: Some(MINUTE * 62),
        };
        SESSIONS
    ];
    let mock = service(&jobs);
    let (run, other) = simulate(async {
        let other = tokio::spawn(other_process(mock.clone()));
        let run = run_ours_over(
            Network(mock.service()),
            &mock,
            &jobs,
            Duration::from_secs(7200),
            SESSIONS,
        )
        .await;
        (run, other.await.expect("the other process"))
    });
    let ours: Vec<_> = run
        .requests
        .iter()
        .filter(|(at, _)| !other.contains(at))
        .collect();
    println!("minute  ours  429s");
    for minute in 0..62 {
        let within = |at: &Duration| (MINUTE * minute..MINUTE * (minute + 1)).contains(at);
        let these = ours.iter().filter(|(at, _)| within(at));
        let limited = these.clone().filter(|(_, limited)| *limited).count();
        println!("{minute:>6} {:>5} {limited:>5}", these.count());
    }
    let shared = MINUTE * OTHER.start..MINUTE * OTHER.end;
    let during = ours.iter().filter(|(at, _)| shared.contains(at));
    let limited = during.clone().filter(|(_, limited)| *limited).count();
    println!("completed {} of {SESSIONS}", run.completed());
    println!(
        "while shared: {limited} of {} requests rejected with 429, {:.1} %",
        during.clone().count(),
        100.0 * limited as f64 / during.count().max(1) as f64
    );
}

/// Delays each request to the mock by a random time, like a network. Without this delay, the client would send each
/// request exactly when the server permits the next request. All requests of the other process would then be rejected.
#[derive(Clone)]
struct Network(MockService);

impl Service<http::Request<blocks_sdk::Body>> for Network {
    type Response = http::Response<MockBody>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<blocks_sdk::Body>) -> Self::Future {
        let mut service = self.0.clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(20..220))).await;
            service.call(request).await
        })
    }
}

/// Sends requests at even intervals, at half of the rate limit. Returns the times of these requests.
async fn other_process(mock: Mock) -> std::collections::HashSet<Duration> {
    let start = Instant::now();
    let mut sent = std::collections::HashSet::new();
    tokio::time::sleep_until(start + MINUTE * OTHER.start + Duration::from_nanos(7)).await;
    while start.elapsed() < MINUTE * OTHER.end {
        sent.insert(start.elapsed());
        support::poll(&mock, "https://api.blocks.team/rest/v1/sessions/x").await;
        tokio::time::sleep(MINUTE / 50).await;
    }
    sent
}
