//! Simulates many sessions with the same key over several hours. The whole client runs against the mock in the same
//! process, on tokio's paused clock. Other policies, which choose the next session to poll in another way, are
//! simulated against the same mock.

#![allow(dead_code, unused_imports)] // Each benchmark uses only a part of this module.

mod admission;
mod others;
mod ours;

use std::time::Duration;

use blocks_mock::{Mock, RateLimit, RequestLog, Script};
use tokio::time::Instant;

pub use others::{poll, run as run_other, run_open as run_other_open};
pub use ours::{run as run_ours, run_clients, run_over as run_ours_over};

pub const MINUTE: Duration = Duration::from_secs(60);
/// The service's limit of requests per minute.
pub const LIMIT: usize = 100;

/// A planned session. `arrives` is the time at which the session is requested. `works` is the time that the agent
/// needs. If `works` is `None`, the agent never finishes.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub arrives: Duration,
    pub works: Option<Duration>,
}

/// The result of a session.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Completed {
        /// Time from the arrival of the job until the session is created.
        create_wait: Duration,
        /// Time from the end of the agent's work until the client receives the reply.
        delay: Duration,
    },
    Failed,
}

/// The results of a simulation.
pub struct Run {
    pub outcomes: Vec<Outcome>,
    /// The time at which each request was received, and whether the request was rejected with 429.
    pub requests: Vec<(Duration, bool)>,
}

/// Returns the working times of `n` agents, from a lognormal distribution with a median of 180 s and a sigma of 1.
pub fn works(n: usize, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = || {
        // This is the Box-Muller transform: it makes a normally distributed number of two evenly distributed numbers.
        let (a, b) = (random.f64().max(1e-12), random.f64());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    };
    (0..n)
        .map(|_| Duration::from_secs_f64(180.0 * normal().exp()))
        .collect()
}

/// Returns `n` jobs that arrive at the same time.
pub fn burst(n: usize, seed: u64) -> Vec<Job> {
    let job = |works| Job {
        arrives: Duration::ZERO,
        works: Some(works),
    };
    works(n, seed).into_iter().map(job).collect()
}

/// Returns `n` jobs that arrive at even intervals over about 10 minutes, or over a longer time if more than 20 jobs
/// would arrive in a minute.
pub fn spread(n: usize, seed: u64) -> Vec<Job> {
    let apart = (10.0 * 60.0 / n as f64).max(3.0);
    let jobs = works(n, seed).into_iter().enumerate();
    jobs.map(|(i, works)| Job {
        arrives: Duration::from_secs_f64(i as f64 * apart),
        works: Some(works),
    })
    .collect()
}

/// Returns a mock of the service. If the message of a session is the number `i`, the agent works for the time of job
/// `i`.
pub fn service(jobs: &[Job]) -> Mock {
    let works: Vec<_> = jobs.iter().map(|job| job.works).collect();
    Mock::builder()
        .seed(1)
        .request_log(RequestLog::Counts)
        .request_log_size(usize::MAX)
        .rate_limit(RateLimit::default())
        .agent_fn(
            move |turn| match turn.message.parse().ok().and_then(|job: usize| works[job]) {
                Some(works) => Script::reply("Done.").reply_after(works),
                None => Script::no_reply(),
            },
        )
        .build()
}

/// Runs a simulation on a separate, paused clock.
pub fn simulate<F: Future>(simulation: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(simulation)
}

/// Returns the requests in the mock's log, each with the time since `start` and whether the request was rejected with
/// 429.
pub fn requests(mock: &Mock, start: Instant) -> Vec<(Duration, bool)> {
    let received = mock.requests();
    received
        .iter()
        .map(|r| (r.at - start, r.status == Some(429)))
        .collect()
}

impl Run {
    pub fn completed(&self) -> usize {
        self.delays().len()
    }

    pub fn failed(&self) -> usize {
        self.outcomes.len() - self.completed()
    }

    pub fn limited(&self) -> usize {
        self.requests.iter().filter(|(_, limited)| *limited).count()
    }

    /// Returns the create wait and the delay of each completed session, in seconds.
    fn parts(&self) -> Vec<(f64, f64)> {
        let completed = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Completed { create_wait, delay } => {
                Some((create_wait.as_secs_f64(), delay.as_secs_f64()))
            }
            Outcome::Failed => None,
        });
        completed.collect()
    }

    /// Returns the delay of each completed session, in seconds.
    pub fn delays(&self) -> Vec<f64> {
        self.parts().into_iter().map(|(_, delay)| delay).collect()
    }

    /// Returns the sum of the create wait and the delay of each completed session, in seconds.
    pub fn overheads(&self) -> Vec<f64> {
        self.parts()
            .into_iter()
            .map(|(wait, delay)| wait + delay)
            .collect()
    }

    pub fn create_waits(&self) -> Vec<f64> {
        self.parts().into_iter().map(|(wait, _)| wait).collect()
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub fn p95(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * 95).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or(0.0)
}

/// Returns how many of the requests at these times would be rejected by servers that count differently from the mock.
/// The first number is for a server that counts the requests of each fixed minute. It is not known at which second
/// these minutes start, so all 60 seconds are tried, and the highest number is returned. The second number is for a
/// server with a bucket of 100 tokens: each request takes a token, and 100 tokens are added per minute.
pub fn rejections(times: &[Duration]) -> (usize, usize) {
    let fixed = (0..60).map(|phase| {
        let mut counts = std::collections::HashMap::new();
        for time in times {
            let minute = (*time + Duration::from_secs(phase)).as_secs() / 60;
            *counts.entry(minute).or_insert(0_usize) += 1;
        }
        counts
            .values()
            .map(|count| count.saturating_sub(LIMIT))
            .sum()
    });
    let (mut tokens, mut last, mut empty) = (LIMIT as f64, Duration::ZERO, 0);
    for time in times {
        let refill = (*time - last).as_secs_f64() * LIMIT as f64 / 60.0;
        tokens = (tokens + refill).min(LIMIT as f64);
        last = *time;
        match tokens >= 1.0 - 1e-9 {
            true => tokens -= 1.0,
            false => empty += 1,
        }
    }
    (fixed.max().unwrap_or(0), empty)
}
