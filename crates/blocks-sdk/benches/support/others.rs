//! Runs the policies that this crate is compared with, against the mock. All policies except `fixed` and `spaced` have
//! the same limits as this crate, and the same minimum interval between polls. These policies differ from this crate
//! only in which session they poll next, and when.

use std::time::Duration;

use blocks_mock::Mock;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::admission::Admission;
use super::{Job, Outcome, Run, requests};

const LEAST_INTERVAL: f64 = 2.0;

/// The state of a session. A policy uses the states of all sessions to choose the session to poll next.
struct Session {
    job: usize,
    link: String,
    created: Instant,
    polled: Instant,
    next: Instant,
}

/// Runs `policy` until every session has completed or failed. A session that is older than `deadline` has failed,
/// except with the policy `fixed`, which ignores `deadline`.
pub async fn run(mock: &Mock, jobs: &[Job], policy: &str, deadline: Duration) -> Run {
    run_open(mock, jobs, policy, deadline, jobs.len()).await
}

/// Runs `policy` in the same way as [`run`], with at most `at_a_time` open sessions. The policy `fixed` ignores
/// `at_a_time`.
pub async fn run_open(
    mock: &Mock,
    jobs: &[Job],
    policy: &str,
    deadline: Duration,
    at_a_time: usize,
) -> Run {
    let start = Instant::now();
    let outcomes = match policy {
        "fixed" => fixed(mock, jobs, start).await,
        _ => paced(mock, jobs, policy, deadline, at_a_time).await,
    };
    Run {
        outcomes,
        requests: requests(mock, start),
    }
}

/// Runs a policy in one loop. Sends waiting creates first, and then the poll that the policy chooses.
async fn paced(
    mock: &Mock,
    jobs: &[Job],
    policy: &str,
    deadline: Duration,
    at_a_time: usize,
) -> Vec<Outcome> {
    let start = Instant::now();
    let mut admission = match policy {
        "spaced" => Admission::spaced(start),
        _ => Admission::window(),
    };
    let mut to_create: Vec<usize> = (0..jobs.len()).rev().collect();
    let mut open: Vec<Session> = Vec::new();
    let mut outcomes = Vec::new();
    while !to_create.is_empty() || !open.is_empty() {
        let now = Instant::now();
        let before = open.len();
        open.retain(|session| now - session.created < deadline);
        outcomes.extend((open.len()..before).map(|_| Outcome::Failed));
        let mut again = Vec::new();
        let next = to_create.last().filter(|_| open.len() < at_a_time);
        if let Some(job) = next.copied() {
            let arrives = start + jobs[job].arrives;
            let at = match arrives <= now {
                true => admission.next(now, false, open.iter().any(|s| s.next <= now)),
                false => arrives,
            };
            if at <= now {
                admission.take(now, false);
                to_create.pop();
                open.push(create(mock, job).await);
                continue;
            }
            again.push(at);
        }
        let ready = open.iter().enumerate().filter(|(_, s)| s.next <= now);
        let best = ready.max_by(|a, b| score(policy, a.1, now).total_cmp(&score(policy, b.1, now)));
        if let Some(place) = best.map(|(place, _)| place) {
            let at = admission.next(now, true, true);
            if at <= now {
                admission.take(now, true);
                if poll(mock, &open[place].link).await == Some(true) {
                    let session = open.swap_remove(place);
                    outcomes.push(completed(&session, start, &jobs[session.job]));
                    continue;
                }
                let session = &mut open[place];
                session.polled = now;
                let age = (now - session.created).as_secs_f64();
                let interval = if policy == "age" { 0.1 * age } else { 0.0 };
                session.next = now + Duration::from_secs_f64(interval.max(LEAST_INTERVAL));
                continue;
            }
            again.push(at);
        } else {
            again.extend(open.iter().map(|session| session.next));
        }
        match again.into_iter().min() {
            Some(again) => sleep_until(again).await,
            None => break,
        }
    }
    outcomes
}

/// Returns the score of a session. The session with the highest score is polled next.
fn score(policy: &str, session: &Session, now: Instant) -> f64 {
    let since = (now - session.polled).as_secs_f64();
    let age = (now - session.created).as_secs_f64();
    match policy {
        "greedy" => {}
        // Earlier versions of this crate calculated the score in this way.
        "spaced" => {
            let late = (age / 600.0).max(1.0);
            return since * (age / 60.0).min(1.0).sqrt() / late.powf(0.7);
        }
        _ => return since,
    }
    // `greedy` knows the distribution of the working times. Its score is the product of two factors. The first factor
    // is the probability that the reply arrived since the last poll. The second factor is the expected age of the
    // reply. This is half of the time since the last poll, because the reply can have arrived at any point of this
    // time.
    let alive = |t: f64| 1.0 - lognormal_cdf(t);
    let before = alive((age - since).max(0.0)).max(1e-12);
    (1.0 - alive(age) / before) * since / 2.0
}

/// Returns the probability that an agent works for at most `t` seconds. The distribution has a median of 180 s and a
/// sigma of 1.
fn lognormal_cdf(t: f64) -> f64 {
    if t <= 0.0 {
        return 0.0;
    }
    let x = (t / 180.0).ln() / std::f64::consts::SQRT_2;
    // This approximates the error function by formula 7.1.26 of Abramowitz and Stegun.
    let y = x.abs();
    let k = 1.0 / (1.0 + 0.327_591_1 * y);
    let poly = k
        * (0.254_829_592
            + k * (-0.284_496_736
                + k * (1.421_413_741 + k * (-1.453_152_027 + k * 1.061_405_429))));
    let erf = (1.0 - poly * (-y * y).exp()).copysign(x);
    0.5 * (1.0 + erf)
}

/// Polls each session every 5 s, independently of the other sessions. Sends a request up to five times if the response
/// is a 429.
async fn fixed(mock: &Mock, jobs: &[Job], start: Instant) -> Vec<Outcome> {
    let mut all = tokio::task::JoinSet::new();
    for (number, job) in jobs.iter().copied().enumerate() {
        let mock = mock.clone();
        all.spawn(async move {
            sleep_until(start + job.arrives).await;
            let Some(session) = retry(|| try_create(&mock, number)).await else {
                return Outcome::Failed;
            };
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                match retry(|| poll(&mock, &session.link)).await {
                    Some(true) => return completed(&session, start, &job),
                    Some(false) => {}
                    None => return Outcome::Failed,
                }
            }
        });
    }
    all.join_all().await
}

/// Makes up to five attempts, with pauses of 1, 2, 4 and 8 s between them.
async fn retry<T, F: Future<Output = Option<T>>>(attempt: impl Fn() -> F) -> Option<T> {
    for number in 0..5 {
        if let Some(value) = attempt().await {
            return Some(value);
        }
        if number < 4 {
            tokio::time::sleep(Duration::from_secs(1 << number)).await;
        }
    }
    None
}

fn completed(session: &Session, start: Instant, job: &Job) -> Outcome {
    let works = job.works.unwrap_or_default();
    Outcome::Completed {
        create_wait: session.created - (start + job.arrives),
        delay: Instant::now() - (session.created + works),
    }
}

async fn create(mock: &Mock, job: usize) -> Session {
    try_create(mock, job).await.expect("within the limit")
}

async fn try_create(mock: &Mock, job: usize) -> Option<Session> {
    let body = json!({"message": job.to_string(), "agent_name": "claude"}).to_string();
    let made = send(
        mock,
        "POST",
        "https://api.blocks.team/rest/v1/sessions",
        body,
    )
    .await?;
    let now = Instant::now();
    let link = made["_links"]["final_message"]["href"].as_str()?;
    Some(Session {
        job,
        link: link.to_owned(),
        created: now,
        polled: now,
        next: now + Duration::from_secs_f64(LEAST_INTERVAL),
    })
}

/// Polls a session. Returns whether there is a reply, or `None` after an error response, such as a 429.
pub async fn poll(mock: &Mock, link: &str) -> Option<bool> {
    let page = send(mock, "GET", link, String::new()).await?;
    Some(
        page["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty()),
    )
}

async fn send(mock: &Mock, method: &str, url: &str, body: String) -> Option<Value> {
    let request = http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", format!("ApiKey {}", mock.key()))
        .body(body)
        .ok()?;
    let response = mock.service().call(request).await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&bytes).ok()
}
