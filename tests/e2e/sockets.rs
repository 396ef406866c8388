//! What only a real connection can show.

use blocks_sdk::{Client, ErrorKind, RateLimit};
use blocks_tests::{KEY, SESSION, created};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::hello;

fn client(address: std::net::SocketAddr) -> Client {
    let builder = Client::builder(KEY).base_url(format!("http://{address}"));
    // Real time passes here, and none of it on waiting for turns.
    let limit = RateLimit::per_minute(1_000_000).unwrap();
    builder.rate_limit(limit).build().unwrap()
}

/// A server that answers one request on each connection, leaves it open for more, and closes it
/// at once: what a client finds when its idle connection was closed by the other side.
async fn closing(listener: TcpListener, closed: mpsc::UnboundedSender<()>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = vec![0; 4096];
        let _ = stream.read(&mut request).await;
        let body = created().to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _ = stream.shutdown().await;
        let _ = closed.send(());
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_leaves_no_create_in_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    tokio::spawn(closing(listener, closed));
    for _ in 0..10 {
        let session = client.create_session(hello()).await.unwrap();
        assert_eq!(session.id().to_string(), SESSION);
        is_closed.recv().await.unwrap();
        // Lets the pool see that the connection is gone.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_certainly_received_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(address).with_retry(blocks_sdk::RetryPolicy::none());
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_leaves_the_create_in_doubt() {
    let mock = blocks_mock::Mock::builder()
        .fault(
            None,
            blocks_mock::When::ONCE,
            blocks_mock::Fault::ResetAfter,
        )
        .start()
        .await
        .unwrap();
    let builder = Client::builder(mock.key()).base_url(mock.url());
    let error = builder
        .build()
        .unwrap()
        .create_session(hello())
        .await
        .unwrap_err();
    assert!(error.may_have_taken_effect(), "{error}");
    assert_eq!((mock.session_count(), mock.received().len()), (1, 1));
}
