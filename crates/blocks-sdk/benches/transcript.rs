//! A long transcript as a stream: throughput against `serde_json` on the same bytes, and the
//! most memory that it takes, at two lengths.
//!
//! `cargo bench -p blocks-sdk --bench transcript` (memory is read from `/proc`, on Linux alone)

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use blocks_sdk::{Client, RateLimit, types};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use tower_service::Service;
use uuid::Uuid;

const LENGTHS: [usize; 2] = [1_000, 100_000];
const PAGE: usize = 100;
const ROUNDS: usize = 7;

/// A session whose pages are made on the way, so that only what the client keeps takes memory.
#[derive(Clone)]
struct Pages {
    length: usize,
    /// One page's items, whose ids are those of the page before with another number.
    template: Arc<str>,
}

impl Pages {
    fn new(length: usize) -> Self {
        let items: Vec<_> = (0..PAGE)
            .map(|n| {
                json!({
                    "id": format!("5f0c7a52-3a1e-4a53-9d5e-PPPPPPPP{n:04}"),
                    "chat_id": Uuid::from_u128(1), "chat_thread_id": Uuid::from_u128(2),
                    "task_id": Uuid::from_u128(3), "role": "assistant", "type": "message",
                    "message": "A step of the work, told in a sentence or two. ".repeat(8),
                    "ts": 1_777_714_260.25, "created_at": "2026-05-02T09:30:00.000Z",
                    "updated_at": "2026-05-02T09:30:00.000Z",
                })
            })
            .collect();
        Self {
            length,
            template: json!({
                "items": items,
                "meta": {"total": length, "limit": PAGE, "total_pages": length / PAGE},
            })
            .to_string()
            .into(),
        }
    }

    fn page(&self, number: usize) -> Bytes {
        self.template
            .replace("PPPPPPPP", &format!("{number:08}"))
            .into()
    }
}

impl Service<http::Request<reqwest::Body>> for Pages {
    type Response = http::Response<reqwest::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<reqwest::Body>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
        let number = page.and_then(|n| n.parse().ok()).unwrap_or(1);
        ready(Ok(http::Response::new(self.page(number).into())))
    }
}

/// Seconds to stream all of it.
async fn stream(pages: &Pages) -> f64 {
    let client = Client::builder("key")
        .rate_limit(RateLimit::per_minute(u32::MAX).expect("a limit"))
        .service(pages.clone())
        .build()
        .expect("a client");
    let begun = Instant::now();
    let session = client.session(Uuid::from_u128(1));
    let mut all = pin!(session.messages().everything().stream());
    let mut count = 0;
    while let Some(message) = all.next().await {
        count += usize::from(message.is_ok());
    }
    assert_eq!(count, pages.length);
    begun.elapsed().as_secs_f64()
}

/// Seconds to make the same pages and decode them, without a client.
fn decode(pages: &Pages) -> f64 {
    let begun = Instant::now();
    let mut count = 0;
    for number in 1..=pages.length / PAGE {
        let page: types::MessagePage = serde_json::from_slice(&pages.page(number)).expect("a page");
        count += page.items.len();
    }
    assert_eq!(count, pages.length);
    begun.elapsed().as_secs_f64()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--child") {
        let length = arguments[place + 1].parse().expect("a length");
        runtime.block_on(stream(&Pages::new(length)));
        println!("{}", peak());
        return;
    }
    let pages = Pages::new(LENGTHS[1]);
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| decode(&pages) / runtime.block_on(stream(&pages)))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let seconds = runtime.block_on(stream(&pages));
    println!("{} messages in {seconds:.2} s", LENGTHS[1]);
    println!("throughput of serde_json alone: {:.2}", ratios[ROUNDS / 2]);
    for length in LENGTHS {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--child", &length.to_string()])
            .output()
            .expect("a child");
        let peak = String::from_utf8_lossy(&child.stdout).trim().to_owned();
        println!("peak memory with {length} messages: {peak} kB");
    }
}

/// The most memory that this process had, in kB.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect();
    line.map(digits).unwrap_or_default()
}
