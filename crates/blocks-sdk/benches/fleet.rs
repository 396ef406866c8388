//! Many sessions on one key: how soon their replies are known, by policy.
//!
//! `cargo bench -p blocks-sdk --bench fleet`, and `-- --json` for a row a line.

mod support;

use std::time::Duration;

use support::{Job, Run, burst, run_other, run_ours, service, simulate, spread};

const POLICIES: [&str; 5] = ["ours", "fixed", "age", "alike", "greedy"];
const SIZES: [usize; 6] = [1, 8, 20, 50, 200, 1000];
/// Runs of small fleets, whose delays depend much on a few draws, are put together.
const SESSIONS: usize = 200;
const DEADLINE: Duration = Duration::from_secs(48 * 3600);

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    if !json {
        println!(
            "arrival      n  policy   completed failed  429s  req/session  mean delay  p95 delay  of greedy"
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
            let greedy = greedy.map_or((1.0, 1.0), |(_, run)| (run.mean(), run.p95()));
            for (policy, run) in &runs {
                report(policy, arrival, n, run, greedy, json);
            }
        }
    }
}

/// One policy at one size: at least as many sessions as give a stable mean.
fn fleet(policy: &str, n: usize, jobs: fn(usize, u64) -> Vec<Job>) -> Run {
    let mut whole = Run {
        fates: Vec::new(),
        requests: Vec::new(),
    };
    let mut densest = 0;
    for seed in 0..SESSIONS.div_ceil(n) as u64 {
        let jobs = jobs(n, seed);
        let mock = service(&jobs);
        let run = simulate(async {
            match policy {
                "ours" => run_ours(&mock, &jobs, DEADLINE).await,
                other => run_other(&mock, &jobs, other, DEADLINE).await,
            }
        });
        densest = densest.max(run.densest_minute());
        whole.fates.extend(run.fates);
        whole.requests.extend(run.requests);
    }
    if policy == "ours" {
        eprintln!("ours, {n}: at most {densest} requests in any minute");
    }
    whole
}

fn report(policy: &str, arrival: &str, n: usize, run: &Run, greedy: (f64, f64), json: bool) {
    let sessions = run.fates.len().max(1);
    let per_session = run.requests.len() as f64 / sessions as f64;
    let (mean, p95) = (run.mean(), run.p95());
    if json {
        let row = serde_json::json!({
            "policy": policy, "arrival": arrival, "n": n, "completed": run.completed(),
            "failed": run.failed(), "rate_limited": run.limited(),
            "requests_per_session": per_session, "mean_delay_s": mean, "p95_delay_s": p95,
        });
        println!("{row}");
    } else {
        println!(
            "{arrival:<7} {n:>6}  {policy:<8} {:>9} {:>6} {:>5} {per_session:>12.1} {mean:>10.2}s {p95:>9.2}s  {:.2} / {:.2}",
            run.completed(),
            run.failed(),
            run.limited(),
            mean / greedy.0,
            p95 / greedy.1,
        );
    }
}
