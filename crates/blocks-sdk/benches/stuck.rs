//! Runs fifty sessions at a time. About 15 % of the sessions never finish. Measures the mean delay of the replies of
//! the other sessions, for this crate and for the policy `alike`. This policy always polls the session whose last poll
//! is the oldest.
//!
//! `cargo bench -p blocks-sdk --bench stuck`

mod support;

use std::time::Duration;

use support::{Job, burst, run_other_open, run_ours_over, service, simulate};

const DEADLINE: Duration = Duration::from_secs(3600);
const SESSIONS: usize = 400;
const AT_A_TIME: usize = 50;

fn main() {
    let mut totals = [(0.0, 0), (0.0, 0)];
    for seed in 0..4 {
        let mut jobs: Vec<Job> = burst(SESSIONS, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        for job in &mut jobs {
            if random.f64() < 0.15 {
                job.works = None;
            }
        }
        for (policy, (sum, count)) in ["ours", "alike"].into_iter().zip(&mut totals) {
            let mock = service(&jobs);
            let run = simulate(async {
                match policy {
                    "ours" => {
                        run_ours_over(mock.service(), &mock, &jobs, DEADLINE, AT_A_TIME).await
                    }
                    other => run_other_open(&mock, &jobs, other, DEADLINE, AT_A_TIME).await,
                }
            });
            *sum += run.delays().iter().sum::<f64>();
            *count += run.completed();
        }
    }
    let [ours, alike] = totals.map(|(sum, count)| sum / f64::from(count as u32));
    println!("mean delay of the sessions that finish, 50 at a time, 15 % stuck for an hour:");
    println!("ours  {ours:>6.1} s");
    println!("alike {alike:>6.1} s");
    println!("ours / alike: {:.2}", ours / alike);
}
