//! Runs the policy `ours`: creates the planned sessions (jobs) with this crate's client, and waits for the replies.

use std::sync::Arc;
use std::time::Duration;

use blocks_mock::{Mock, MockBody};
use blocks_sdk::{Agent, Client, CreateSession, Error};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{Job, Outcome, Run, requests};

/// Creates a session for every job and waits for the reply, with `deadline` as the time-out of each wait.
pub async fn run(mock: &Mock, jobs: &[Job], deadline: Duration) -> Run {
    run_over(mock.service(), mock, jobs, deadline, jobs.len()).await
}

/// Runs the jobs in the same way as [`run`], with at most `at_a_time` open sessions. Sends all requests to `service`,
/// which passes them to the mock.
pub async fn run_over<S>(
    service: S,
    mock: &Mock,
    jobs: &[Job],
    deadline: Duration,
    at_a_time: usize,
) -> Run
where
    S: Service<http::Request<blocks_sdk::Body>, Response = http::Response<MockBody>>,
    S: Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
{
    let start = Instant::now();
    let client = Client::builder(mock.key())
        .service(service)
        .build()
        .expect("a client");
    let open = Arc::new(Semaphore::new(at_a_time));
    let mut all = JoinSet::new();
    for (number, job) in jobs.iter().copied().enumerate() {
        let (client, open) = (client.clone(), Arc::clone(&open));
        all.spawn(async move {
            sleep_until(start + job.arrives).await;
            let _place = open.acquire().await;
            let result = run_session(&client, number, deadline).await;
            match (result, job.works) {
                (Ok((created, known)), Some(works)) => Outcome::Completed {
                    create_wait: created - (start + job.arrives),
                    delay: known - (created + works),
                },
                _ => Outcome::Failed,
            }
        });
    }
    let outcomes = all.join_all().await;
    Run {
        outcomes,
        requests: requests(mock, start),
    }
}

/// Runs the jobs with several clients. Client `i` gets as many jobs as `sizes[i]`. Returns the results of all clients
/// together, and the outcomes of the last client alone.
pub async fn run_clients(
    clients: &[Client],
    sizes: &[usize],
    mock: &Mock,
    jobs: &[Job],
    deadline: Duration,
) -> (Run, Vec<Outcome>) {
    let start = Instant::now();
    let mut all = JoinSet::new();
    // The jobs are distributed to the clients in the order of arrival, in proportion to the sizes of the clients.
    let mut left = sizes.to_vec();
    for (number, job) in jobs.iter().copied().enumerate() {
        let part = |place: &usize| left[*place] as f64 / sizes[*place] as f64;
        let place = (0..sizes.len()).max_by(|a, b| part(a).total_cmp(&part(b)));
        let place = place.expect("a client");
        left[place] -= 1;
        let client = clients[place].clone();
        all.spawn(async move {
            sleep_until(start + job.arrives).await;
            let outcome = match (run_session(&client, number, deadline).await, job.works) {
                (Ok((created, known)), Some(works)) => Outcome::Completed {
                    create_wait: created - (start + job.arrives),
                    delay: known - (created + works),
                },
                _ => Outcome::Failed,
            };
            (place, outcome)
        });
    }
    let outcomes = all.join_all().await;
    let of_last = outcomes
        .iter()
        .filter(|(place, _)| place + 1 == sizes.len());
    let of_last = of_last.map(|(_, outcome)| *outcome).collect();
    let run = Run {
        outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        requests: requests(mock, start),
    };
    (run, of_last)
}

async fn run_session(
    client: &Client,
    number: usize,
    deadline: Duration,
) -> Result<(Instant, Instant), Error> {
    let request = CreateSession::new(Agent::claude(), number.to_string());
    let session = client.create_session(request).await?;
    let created = Instant::now();
    session.first_turn()?.reply().timeout(deadline).await?;
    Ok((created, Instant::now()))
}
