//! Tests `RedisLimitStore` with a real Redis server.

use blocks_fleet::RedisLimitStore;
use blocks_sdk::{LimitStore, SlotResponse};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

use crate::redis_server::RedisServer;
use crate::{create, name, take};

fn store(url: &str) -> RedisLimitStore {
    RedisLimitStore::new(url, &name()).unwrap()
}

async fn error(store: &RedisLimitStore) -> String {
    store.take(&create(1, 1)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn machines_count_together() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let stores = [(); 2].map(|()| store(&server.url()));
    let mut slots = Vec::new();
    for n in 0..6 {
        slots.extend(take(&stores[n % 2], &create(n as u64, 6)).await);
    }
    assert_eq!(slots.len(), 6);
    assert_eq!(take(&stores[0], &create(1, 6)).await, None);
    stores[1].give_back(slots[3]).await.unwrap();
    assert!(take(&stores[0], &create(1, 6)).await.is_some());
    stores[0].pause(Duration::from_secs(30)).await.unwrap();
    let response = stores[1].take(&create(2, 99)).await.unwrap();
    let SlotResponse::Wait {
        again, is_paused, ..
    } = response
    else {
        panic!("{response:?}");
    };
    assert!(is_paused);
    assert!(again <= Duration::from_secs(30));
}

#[tokio::test]
async fn a_connection_that_became_silent_is_replaced() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let port = server.port();
    // Forwards each connection to the server, until `silent` has the number of the connection.
    let (silent, watch) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        for number in 1.. {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut watch = watch.clone();
            tokio::spawn(async move {
                let mut to = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                    _ = async { watch.wait_for(|silent| *silent >= number).await.is_ok() } => {
                        // The connection stays open, but nothing is forwarded.
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
    });
    let store = store(&url);
    take(&store, &create(1, 9)).await.unwrap();
    silent.send(1).unwrap();
    let request = create(1, 9);
    let limit = store.response_timeout() - Duration::from_millis(5);
    let lost = tokio::time::timeout(limit, store.take(&request)).await;
    assert!(!matches!(lost, Ok(Ok(_))), "{lost:?}");
    take(&store, &request).await.unwrap();
}

#[tokio::test]
async fn one_key_of_the_database_has_the_limit() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    take(&store(&server.url()), &create(1, 1)).await.unwrap();
    let mut connection = server.connection();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(keys, [format!("blocks:{{{}}}:limit", name())]);
    let ttl: i64 = redis::cmd("PTTL")
        .arg(&keys[0])
        .query(&mut connection)
        .unwrap();
    assert!((3_500_000..=3_600_000).contains(&ttl), "{ttl}");
}

#[tokio::test]
async fn an_empty_script_cache_is_filled() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let store = store(&server.url());
    for _ in 0..2 {
        server.run(&["SCRIPT", "FLUSH"]);
        assert!(take(&store, &create(1, 2)).await.is_some());
    }
    assert!(take(&store, &create(1, 2)).await.is_none());
}

#[tokio::test]
async fn a_flushed_server_starts_again() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let store = store(&server.url());
    let first = take(&store, &create(1, 1)).await.unwrap();
    server.run(&["FLUSHALL"]);
    let second = take(&store, &create(1, 1)).await.unwrap();
    // Gives back the slot that was taken before `FLUSHALL` deleted all data. This must not free the slot that was taken
    // later.
    store.give_back(first).await.unwrap();
    assert!(take(&store, &create(1, 1)).await.is_none());
    assert!(second > first);
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again() {
    let Some(mut server) = RedisServer::start(&[]) else {
        return;
    };
    let store = store(&server.url());
    assert!(take(&store, &create(1, 1)).await.is_some());
    server.kill();
    let message = error(&store).await;
    assert!(
        message.starts_with(&format!("cannot use {}", server.url())),
        "{message}"
    );
    server.restart();
    assert!(take(&store, &create(1, 1)).await.is_some());
    // The server now restarts between two requests of the store, so the old connection is closed. The store must
    // connect again.
    server.kill();
    server.restart();
    assert!(take(&store, &create(1, 1)).await.is_some());
}

#[tokio::test]
async fn a_stopped_server_is_an_error_until_it_continues() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let (used, new) = (store(&server.url()), store(&server.url()));
    take(&used, &create(1, 99)).await.unwrap();
    server.signal("-STOP");
    for store in [&used, &new] {
        let message = error(store).await;
        assert!(message.contains("timed out"), "{message}");
    }
    server.signal("-CONT");
    for store in [&used, &new] {
        assert!(take(store, &create(1, 99)).await.is_some());
    }
}

#[tokio::test]
async fn a_slow_server_is_an_error() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let store = store(&server.url());
    take(&store, &create(1, 99)).await.unwrap();
    server.run(&["CLIENT", "PAUSE", "600", "ALL"]);
    let message = error(&store).await;
    assert!(message.contains("timed out"), "{message}");
    server.run(&["CLIENT", "UNPAUSE"]);
    assert!(take(&store, &create(1, 99)).await.is_some());
}

#[tokio::test]
async fn a_read_only_replica_is_an_error() {
    let (Some(main), Some(replica)) = (RedisServer::start(&[]), RedisServer::start(&[])) else {
        return;
    };
    replica.run(&["REPLICAOF", "127.0.0.1", &main.port().to_string()]);
    let message = error(&store(&replica.url())).await;
    assert!(message.contains("read only replica"), "{message}");
}

#[tokio::test]
async fn user_and_password_are_used_and_not_shown() {
    let Some(server) = RedisServer::start(&["--requirepass", "s3cret"]) else {
        return;
    };
    let with = |user: &str| server.url().replace("//", &format!("//{user}@"));
    assert!(
        take(&store(&with(":s3cret")), &create(1, 99))
            .await
            .is_some()
    );
    let mut connection = redis::Client::open(with(":s3cret"))
        .unwrap()
        .get_connection()
        .unwrap();
    let rule = ["ACL", "SETUSER", "ci", "on", ">pa55", "~blocks:*", "+@all"];
    redis::cmd(rule[0])
        .arg(&rule[1..])
        .exec(&mut connection)
        .unwrap();
    assert!(
        take(&store(&with("ci:pa55")), &create(1, 99))
            .await
            .is_some()
    );
    for wrong in [":wr0ng", "ci:wr0ng", "wr0ng:pa55"] {
        let store = store(&with(wrong));
        let message = error(&store).await;
        assert!(
            message.starts_with(&format!("cannot use {}", server.url())),
            "{message}"
        );
        assert!(!message.contains("wr0ng"), "{message}");
        assert!(!format!("{store:?}").contains("wr0ng"), "{store:?}");
    }
    let message = error(&store(&server.url())).await;
    assert!(message.contains("unauthenticated"), "{message}");
}

#[test]
fn a_url_that_cannot_be_used_is_refused() {
    for url in [
        "redis://",
        "redis://host:port:s3cret",
        "rediss://h/#insecure",
        "http://s3cret@h",
    ] {
        let error = RedisLimitStore::new(url, &name()).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{url}: {error}");
    }
}
