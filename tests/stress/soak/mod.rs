//! Runs thousands of sessions on tokio's paused clock, while the mock injects faults into a fifth of all requests.
//!
//! All random choices come from a seed: `SOAK_SEED=7 cargo test -p blocks-stress soak`
//! repeats the run of that seed exactly. `SOAK_RUNS=100` runs the first 100 seeds.

mod program;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blocks_mock::{
    Dialect, Fault, Frequency, Mock, MockBuilder, Operation, RateLimit, RequestLog, RetryAfter,
    Script,
};
use blocks_sdk::Client;
use blocks_tests::KEY;
use futures_util::future::join_all;
use serde_json::json;

use program::{Job, TurnResult};

/// Number of sessions in one run. They share a key and its 100 requests per minute.
const SESSIONS: usize = 500;
/// Number of runs, unless the variable `SOAK_RUNS` sets another number.
const RUNS: u64 = 20;

/// How often the agent received each message. Each [`Job`] is a simulated program that sends two messages. The test
/// compares these counts with the [`TurnResult`] of each message: a message with a reply was received exactly once, and
/// a message with an unknown outcome was received at most once.
#[derive(Clone, Default)]
struct Prompts(Arc<Mutex<HashMap<String, usize>>>);

impl Prompts {
    fn count(&self, message: &str) -> usize {
        let prompts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        prompts.get(message).copied().unwrap_or_default()
    }

    fn add(&self, message: &str) {
        let mut prompts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *prompts.entry(message.to_owned()).or_default() += 1;
    }
}

/// Returns the agent's reply to a message.
fn reply_to(message: &str) -> String {
    format!("The reply to: {message}")
}

/// Returns the faults that are injected into a fifth of the requests. No fault changes the meaning
/// of a response, since no client could detect such a change.
fn faults() -> Vec<Fault> {
    let second = Duration::from_secs(1);
    let mut all: Vec<Fault> = [403, 404, 408, 422, 500, 502, 503, 504]
        .map(Fault::status)
        .into();
    all.extend([500, 503].map(Fault::status_after_effect));
    all.extend(
        [
            None,
            Some(RetryAfter::Seconds(3)),
            Some(RetryAfter::Date(5)),
        ]
        .map(Fault::rate_limited),
    );
    all.extend([
        Fault::Delay(5 * second),
        Fault::Delay(90 * second),
        Fault::Refuse,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::ResetInBody,
        Fault::Truncate,
        Fault::InvalidJson,
        Fault::Html,
        Fault::ContentType("text/plain".into()),
        Fault::PadBody(50_000),
        Fault::Redirect("https://evil.example/rest/v1/sessions".into()),
        Fault::SlowBody {
            bytes: 50,
            every: second,
        },
        Fault::ForeignLinks("https://evil.example".into()),
        Fault::NullLinks,
        Fault::ReplaceField("brand_new".into(), json!([1])),
    ]);
    all
}

fn service(seed: u64, prompts: &Prompts) -> MockBuilder {
    let faults = faults();
    // Each fault is injected independently with this probability. Together, the faults affect a
    // fifth of the requests.
    let each = 1.0 - 0.8_f64.powf(1.0 / faults.len() as f64);
    let agent = {
        let prompts = prompts.clone();
        move |turn: &blocks_mock::TurnInfo| {
            prompts.add(&turn.message);
            // The agent works for seconds to minutes, for a different time in each session.
            let work = Duration::from_millis(2_000 + (turn.session as u64 * 7_919) % 400_000);
            Script::reply(reply_to(&turn.message)).reply_after(work)
        }
    };
    let dialect = match seed % 2 {
        0 => Dialect::observed(),
        _ => Dialect::documented(),
    };
    let builder = Mock::builder()
        .key(KEY)
        .seed(seed)
        .dialect(dialect)
        .agent_fn(agent)
        .rate_limit(RateLimit::default())
        .request_log(RequestLog::Counts);
    faults.into_iter().fold(builder, |builder, fault| {
        builder.fault(None::<Operation>, Frequency::Probability(each), fault)
    })
}

/// Counts of one run: requests, replies, and turns with an unknown outcome.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    requests: usize,
    replies: usize,
    unknown: usize,
}

async fn run(seed: u64) -> Tally {
    fastrand::seed(seed);
    let prompts = Prompts::default();
    let mock = service(seed, &prompts).build();
    let client = Client::builder(KEY).service(mock.service()).build();
    let client = client.expect("a client");
    let jobs = (0..SESSIONS).map(|number| Job::new(seed, number, &client));
    let mut tally = Tally::default();
    for turns in join_all(jobs.map(Job::run)).await {
        for turn in turns {
            let times = prompts.count(&turn.message);
            let turn_name = format!("seed {seed}, {}", turn.message);
            match turn.result {
                TurnResult::Replied(text) => {
                    assert_eq!(times, 1, "{turn_name}: started {times} times");
                    assert_eq!(text, reply_to(&turn.message), "{turn_name}");
                    tally.replies += 1;
                }
                TurnResult::OutcomeUnknown => {
                    assert!(times <= 1, "{turn_name}: started {times} times");
                    tally.unknown += 1;
                }
            }
        }
    }
    tally.requests = mock.request_count();
    tally
}

#[test]
fn no_reply_is_lost_and_no_session_duplicated() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("SOAK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SOAK_RUNS").unwrap_or(RUNS),
    };
    let seeds: Vec<u64> = seeds.collect();
    let mut all = Tally::default();
    for tally in crate::on_every_core(&seeds, async |seed| run(*seed).await) {
        all.requests += tally.requests;
        all.replies += tally.replies;
        all.unknown += tally.unknown;
    }
    let sessions = SESSIONS * seeds.len();
    println!("{sessions} sessions: {all:?}, none lost, none duplicated");
    assert!(all.replies > sessions, "each session has two turns");
}

#[test]
fn a_seed_replays_exactly() {
    let tallies = crate::on_every_core(&[3, 3], async |seed| run(*seed).await);
    assert_eq!(tallies[0], tallies[1]);
}
