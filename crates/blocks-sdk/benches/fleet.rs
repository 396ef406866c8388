//! Runs many sessions on one key. A policy decides which session is polled next, and when. For each policy, measures
//! the time between each reply and its arrival at the client.
//!
//! `cargo bench -p blocks-sdk --bench fleet`
//!
//! With `-- --json`, each line of the output is one row of the table in JSON.

mod support;

use std::time::Duration;

use support::{
    Job, Run, burst, mean, p95, rejections, run_other, run_ours, service, simulate, spread,
};

const POLICIES: [&str; 5] = ["ours", "spaced", "fixed", "age", "greedy"];
const SIZES: [usize; 9] = [1, 8, 20, 50, 80, 120, 200, 500, 1000];
/// The minimum number of sessions for a result. With 200 sessions the mean delay differed by up to 10 % between seeds.
const SESSIONS: usize = 4_000;
const DEADLINE: Duration = Duration::from_secs(48 * 3600);

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    if !json {
        println!(
            "arrival      n  policy   completed failed  429s  req/session  create wait  mean delay  p95 delay   overhead        p95  of greedy"
        );
    }
    for (arrival, jobs) in [
        ("burst", burst as fn(usize, u64) -> Vec<Job>),
        ("spread", spread),
    ] {
        for n in SIZES {
            let runs: Vec<(&str, Run)> = POLICIES
                .iter()
                .map(|policy| (*policy, fleet(policy, n, jobs)))
                .collect();
            let greedy = runs.iter().find(|(policy, _)| *policy == "greedy");
            let greedy = greedy.map_or(1.0, |(_, run)| mean(&run.overheads()));
            for (policy, run) in &runs {
                report(policy, arrival, n, run, greedy, json);
            }
        }
    }
}

/// Runs a policy with `n` sessions. Repeats the run with other seeds until all runs together have at least `SESSIONS`
/// sessions.
fn fleet(policy: &str, n: usize, jobs: fn(usize, u64) -> Vec<Job>) -> Run {
    let mut whole = Run {
        outcomes: Vec::new(),
        requests: Vec::new(),
    };
    let (mut fixed, mut bucket) = (0, 0);
    for seed in 0..SESSIONS.div_ceil(n) as u64 {
        let jobs = jobs(n, seed);
        let mock = service(&jobs);
        let run = simulate(async {
            match policy {
                "ours" => run_ours(&mock, &jobs, DEADLINE).await,
                other => run_other(&mock, &jobs, other, DEADLINE).await,
            }
        });
        let times: Vec<_> = run.requests.iter().map(|(at, _)| *at).collect();
        let (of_fixed, of_bucket) = rejections(&times);
        (fixed, bucket) = (fixed.max(of_fixed), bucket.max(of_bucket));
        whole.outcomes.extend(run.outcomes);
        whole.requests.extend(run.requests);
    }
    if policy == "ours" {
        eprintln!(
            "ours, {n}: at most {fixed} requests rejected by fixed minutes, at most {bucket} by a bucket"
        );
    }
    whole
}

fn report(policy: &str, arrival: &str, n: usize, run: &Run, greedy: f64, json: bool) {
    let sessions = run.outcomes.len().max(1);
    let per_session = run.requests.len() as f64 / sessions as f64;
    let (delays, overheads) = (run.delays(), run.overheads());
    let (delay, delay_p95) = (mean(&delays), p95(delays));
    let (overhead, overhead_p95) = (mean(&overheads), p95(overheads));
    let create_wait = mean(&run.create_waits());
    if json {
        let row = serde_json::json!({
            "policy": policy, "arrival": arrival, "n": n, "completed": run.completed(),
            "failed": run.failed(), "rate_limited": run.limited(),
            "requests_per_session": per_session, "mean_delay_s": delay, "p95_delay_s": delay_p95,
            "overhead_mean_s": overhead, "overhead_p95_s": overhead_p95,
            "create_wait_mean_s": create_wait,
        });
        println!("{row}");
    } else {
        println!(
            "{arrival:<7} {n:>6}  {policy:<8} {:>9} {:>6} {:>5} {per_session:>12.1} {create_wait:>11.2}s {delay:>10.2}s {delay_p95:>9.2}s {overhead:>9.2}s {overhead_p95:>9.2}s  {:.2}",
            run.completed(),
            run.failed(),
            run.limited(),
            overhead / greedy,
        );
    }
}
