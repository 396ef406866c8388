//! Simulates an hour of six clients that share one Redis server. The server runs the real script, but with a simulated
//! clock. The mock service admits 100 requests in any minute.

use std::sync::Arc;
use std::time::Duration;

use blocks_mock::{Mock, RateLimit, RequestLog, Script};
use blocks_sdk::{Agent, Client, CreateSession, LimitStore};
use tokio::time::{Instant, sleep};

use crate::redis_server::RedisServer;
use crate::script::Scripted;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs six clients. No request may get a 429. The clients use tokio's clock, and the server's clock is an hour ahead
/// of the clients' clock.
#[tokio::test(start_paused = true)]
async fn six_clients_meet_no_429_in_an_hour() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let store: Arc<dyn LimitStore> = Arc::new(Scripted::new(&server));
    let mock = Mock::builder()
        .rate_limit(RateLimit::default())
        .request_log(RequestLog::Counts)
        .request_log_size(100_000)
        .agent_fn(|turn| {
            let seconds = 30 + 17 * (turn.message.len() as u64 % 40);
            Script::reply("Done.").reply_after(Duration::from_secs(seconds))
        })
        .build();
    let start = Instant::now();
    let mut processes = tokio::task::JoinSet::new();
    for process in 0..6_usize {
        let builder = Client::builder(mock.key()).service(mock.service());
        let client = builder.limit_store(Arc::clone(&store)).build().unwrap();
        for session in 0..4 {
            let client = client.clone();
            processes.spawn(async move {
                let mut replies = 0;
                while start.elapsed() < HOUR {
                    let text = "x".repeat(1 + process * 4 + session + replies);
                    let request = CreateSession::new(Agent::claude(), text);
                    let session = client.create_session(request).await.unwrap();
                    session.first_reply().await.unwrap();
                    replies += 1;
                    sleep(Duration::from_secs(5)).await;
                }
                replies
            });
        }
    }
    let replies: usize = processes.join_all().await.into_iter().sum();
    let requests = mock.requests();
    let refused = requests
        .iter()
        .filter(|request| request.status == Some(429));
    assert_eq!(refused.count(), 0);
    // The clients must also use most of the limit: while they wait for replies, they poll as often as the limit allows.
    assert!(requests.len() > 80 * 60, "{} requests", requests.len());
    assert!(replies > 100, "{replies} replies");
}
