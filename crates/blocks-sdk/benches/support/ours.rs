//! The SDK itself.

use std::sync::Arc;
use std::time::Duration;

use blocks_mock::{Mock, MockBody};
use blocks_sdk::{Agent, Client, CreateSession, Error};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{Fate, Job, Run, requests};

/// Creates and waits for every job, each with this deadline.
pub async fn run(mock: &Mock, jobs: &[Job], deadline: Duration) -> Run {
    run_over(mock.service(), mock, jobs, deadline, jobs.len()).await
}

/// The same over a service that leads to the mock, with so many open at a time.
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
            let result = one(&client, number, deadline).await;
            match (result, job.works) {
                (Ok((created, known)), Some(works)) => Fate::Completed {
                    create_wait: created - (start + job.arrives),
                    delay: known - (created + works),
                },
                _ => Fate::Failed,
            }
        });
    }
    let fates = all.join_all().await;
    Run {
        fates,
        requests: requests(mock, start),
    }
}

async fn one(
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
