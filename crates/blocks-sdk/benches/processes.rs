//! Simulates several processes that use the same key and share the rate limit through a `LimitStore`, which counts the
//! requests of all processes. Measures the waiting time that the client adds to each session, and compares this time
//! with the time in a single process.
//!
//! `cargo bench -p blocks-sdk --bench processes`

mod support;

use std::sync::Arc;
use std::time::Duration;

use blocks_sdk::{Client, LimitStore, MemoryLimitStore};
use support::{Job, Outcome, Run, burst, mean, p95, run_clients, service, simulate, spread};

/// The cases of the benchmark. Each case has a name, and lists the number of sessions of each process. For example, the
/// case `10 x 5` has 10 processes with 5 sessions each.
const SPLITS: [(&str, &[usize]); 4] = [
    ("1 x 50", &[50]),
    ("10 x 5", &[5; 10]),
    ("50 x 1", &[1; 50]),
    ("49 and 1", &[49, 1]),
];
/// The number of simulations of each case. Each simulation has its own seed, and their results are combined.
const RUNS: u64 = 8;
const DEADLINE: Duration = Duration::from_secs(48 * 3600);

fn main() {
    println!(
        "arrival  processes    completed  429s  overhead        p95  of one client  last process"
    );
    for (arrival, jobs) in [
        ("burst", burst as fn(usize, u64) -> Vec<Job>),
        ("spread", spread),
    ] {
        let mut one_client = None;
        for (name, sizes) in SPLITS.into_iter().chain([("no store", &[50][..])]) {
            let is_shared = name != "no store";
            let (whole, last) = processes(sizes, jobs, is_shared);
            let overhead = mean(&whole.overheads());
            let of_one = overhead
                / *one_client.get_or_insert_with(|| {
                    let (alone, _) = processes(&[50], jobs, false);
                    mean(&alone.overheads())
                });
            println!(
                "{arrival:<8} {name:<11} {:>10} {:>5} {overhead:>8.2}s {:>9.2}s {of_one:>14.2} {:>12.2}s",
                whole.completed(),
                whole.limited(),
                p95(whole.overheads()),
                mean(&last.overheads()),
            );
        }
    }
}

/// Simulates a process with `sizes[i]` sessions for each `i`. Returns the results of all processes together, and the
/// results of the last process alone.
fn processes(sizes: &[usize], jobs: fn(usize, u64) -> Vec<Job>, is_shared: bool) -> (Run, Run) {
    let empty = || Run {
        outcomes: Vec::new(),
        requests: Vec::new(),
    };
    let (mut whole, mut last) = (empty(), empty());
    for seed in 0..RUNS {
        let jobs = jobs(sizes.iter().sum(), seed);
        let mock = service(&jobs);
        let (run, of_last): (Run, Vec<Outcome>) = simulate(async {
            let store: Arc<dyn LimitStore> = Arc::new(MemoryLimitStore::default());
            let clients = sizes.iter().map(|_| {
                let builder = Client::builder(mock.key()).service(mock.service());
                match is_shared {
                    true => builder.limit_store(Arc::clone(&store)).build(),
                    false => builder.build(),
                }
            });
            let clients: Vec<Client> = clients.map(|client| client.expect("a client")).collect();
            run_clients(&clients, sizes, &mock, &jobs, DEADLINE).await
        });
        whole.outcomes.extend(run.outcomes);
        whole.requests.extend(run.requests);
        last.outcomes.extend(of_last);
    }
    (whole, last)
}
