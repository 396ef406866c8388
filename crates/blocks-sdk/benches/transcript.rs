//! Reads a long transcript as a stream. Compares the throughput of the client with the throughput of `serde_json`,
//! which decodes the same bytes. Also measures the peak memory for transcripts of two lengths.
//!
//! `cargo bench -p blocks-sdk --bench transcript`
//!
//! The memory is measured only on Linux, because it is read from `/proc`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use blocks_sdk::{Client, RateLimit, types};
use bytes::Bytes;
use serde_json::json;
use tower_service::Service;
use uuid::Uuid;

const LENGTHS: [usize; 2] = [1_000, 100_000];
const PAGE: usize = 100;
const ROUNDS: usize = 7;

/// A service with one session. The service generates each page of messages when the page is requested, so that only the
/// client's data takes memory.
#[derive(Clone)]
struct Pages {
    length: usize,
    /// The JSON text of a message: the part before the number in its id, and the part after it.
    message: Arc<(String, String)>,
}

impl Pages {
    fn new(length: usize) -> Self {
        let message = json!({
            "id": "5f0c7a52-3a1e-4a53-9d5e-NNNNNNNNNNNN",
            "chat_id": Uuid::from_u128(1), "chat_thread_id": Uuid::from_u128(2),
            "task_id": Uuid::from_u128(3), "role": "assistant", "type": "message",
            "message": "A step of the work, described in a sentence or two. ".repeat(8),
            "ts": 1_777_714_260.25, "created_at": "2026-05-02T09:30:00.000Z",
            "updated_at": "2026-05-02T09:30:00.000Z",
        });
        let message = message.to_string();
        let (before, after) = message.split_once("NNNNNNNNNNNN").expect("an id");
        Self {
            length,
            message: Arc::new((before.to_owned(), after.to_owned())),
        }
    }

    fn page(&self, number: usize, limit: usize) -> Bytes {
        use std::fmt::Write;

        let start = (number - 1) * limit;
        let end = (start + limit).min(self.length);
        let (before, after) = &*self.message;
        let mut page = String::with_capacity((before.len() + after.len() + 13) * limit + 100);
        page.push_str("{\"items\":[");
        for n in start..end {
            let comma = if n == start { "" } else { "," };
            let _ = write!(page, "{comma}{before}{n:012}{after}");
        }
        let (total, pages) = (self.length, self.length.div_ceil(limit));
        let meta = json!({"total": total, "page": number, "limit": limit, "total_pages": pages});
        let _ = write!(page, "],\"meta\":{meta}}}");
        page.into()
    }
}

impl Service<http::Request<blocks_sdk::Body>> for Pages {
    type Response = http::Response<blocks_sdk::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<blocks_sdk::Body>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let number = |name: &str| {
            let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name));
            values.next()?.strip_prefix('=')?.parse().ok()
        };
        let (page, limit) = (number("page").unwrap_or(1), number("limit").unwrap_or(PAGE));
        ready(Ok(http::Response::new(self.page(page, limit).into())))
    }
}

/// Streams all messages. Returns the time in seconds.
async fn stream(pages: &Pages) -> f64 {
    let client = Client::builder("key")
        .rate_limit(RateLimit::per_minute(u32::MAX).expect("a limit"))
        .service(pages.clone())
        .build()
        .expect("a client");
    let started = Instant::now();
    let session = client.session(Uuid::from_u128(1));
    let mut all = session.messages().all().stream();
    let mut count = 0;
    while let Some(message) = all.next().await {
        count += usize::from(message.is_ok());
    }
    assert_eq!(count, pages.length);
    started.elapsed().as_secs_f64()
}

/// Generates the same pages and decodes them without a client. Returns the time in seconds.
fn decode(pages: &Pages) -> f64 {
    let started = Instant::now();
    let mut count = 0;
    for number in 1..=pages.length / PAGE {
        let page: types::MessagePage =
            serde_json::from_slice(&pages.page(number, PAGE)).expect("a page");
        count += page.items.len();
    }
    assert_eq!(count, pages.length);
    started.elapsed().as_secs_f64()
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

/// Returns the peak memory of this process, in kB.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect();
    line.map(digits).unwrap_or_default()
}
