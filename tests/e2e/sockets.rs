//! Tests of behaviour that only a real connection can show, and of tower services that replace the connection.

use std::sync::Arc;

use blocks_sdk::{Client, ErrorKind, MemoryLimitStore, RateLimit};
use blocks_tests::{KEY, SESSION, created};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_service::Service;

use crate::hello;

fn client(address: std::net::SocketAddr) -> Client {
    let builder = Client::builder(KEY).base_url(format!("http://{address}"));
    // The tests with this client run in real time. The rate limit is so high that no request waits for a permit.
    let limit = RateLimit::per_minute(1_000_000).unwrap();
    builder.rate_limit(limit).build().unwrap()
}

/// Runs a server that responds to one request on each connection, and then closes the connection. The response has no
/// header `connection: close`, so the client keeps the closed connection for its next request.
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
async fn a_closed_idle_connection_does_not_fail_a_create() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    tokio::spawn(closing(listener, closed));
    for _ in 0..10 {
        let session = client.create_session(hello()).await.unwrap();
        assert_eq!(session.id().to_string(), SESSION);
        is_closed.recv().await.unwrap();
        // Lets the client's connection pool notice that the connection was closed.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_closed_connection_leaves_the_outcome_unknown() {
    let mock = blocks_mock::Mock::builder()
        .fault(
            None,
            blocks_mock::Frequency::ONCE,
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
    assert_eq!((mock.session_count(), mock.requests().len()), (1, 1));
}

/// Creates a session with a server whose response has these headers.
async fn create_with_response_headers(headers: String) -> blocks_sdk::Session {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let _ = stream.read(&mut request).await;
        let body = created().to_string();
        let length = body.len();
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n{headers}\r\n");
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        std::future::pending::<()>().await;
    });
    client.create_session(hello()).await.unwrap()
}

#[tokio::test]
async fn odd_headers_do_not_lose_a_session() {
    let many: String = (0..500).map(|n| format!("x-{n}: {n}\r\n")).collect();
    for headers in [
        many,
        "x-a : 1\r\n".to_owned(),
        "x-a: 1\r\n folded\r\n".to_owned(),
        "x(a): 1\r\n".to_owned(),
        "no colon\r\n".to_owned(),
    ] {
        let session = create_with_response_headers(headers).await;
        assert_eq!(session.id().to_string(), SESSION);
    }
}

/// A tower service that, like an axum router, is `Send` but not `Sync`. Its response body is not `Sync` either.
#[derive(Clone)]
struct UnsyncService(
    std::marker::PhantomData<std::cell::Cell<()>>,
    Option<std::io::ErrorKind>,
);

impl Service<http::Request<blocks_sdk::Body>> for UnsyncService {
    type Response =
        http::Response<http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, std::io::Error>>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<blocks_sdk::Body>) -> Self::Future {
        use http_body_util::BodyExt;
        if let Some(kind) = self.1 {
            return std::future::ready(Err(kind.into()));
        }
        let body = http_body_util::Full::from(created().to_string());
        let body = body.map_err(|never| match never {}).boxed_unsync();
        std::future::ready(Ok(http::Response::new(body)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_need_not_be_sync() {
    let service = UnsyncService(std::marker::PhantomData, None);
    let client = Client::builder(KEY).service(service).build().unwrap();
    let session = client.create_session(hello()).await.unwrap();
    assert_eq!(session.id().to_string(), SESSION);
}

#[test]
fn http_settings_and_a_service_are_an_error() {
    let builder = || Client::builder(KEY).service(UnsyncService(std::marker::PhantomData, None));
    for builder in [
        builder().configure_http(|http| http),
        builder().configure_download_http(|http| http),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), blocks_sdk::ErrorKind::Configuration);
        assert!(error.to_string().contains("configure_http"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_refused_connection_is_never_sent() {
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
    for (kind, outcome_unknown, attempts) in
        [(ConnectionRefused, false, 5), (ConnectionReset, true, 1)]
    {
        let service = UnsyncService(std::marker::PhantomData, Some(kind));
        let client = Client::builder(KEY).service(service).build().unwrap();
        let error = client.create_session(hello()).await.unwrap_err();
        let found = (error.may_have_taken_effect(), error.attempts());
        assert_eq!(found, (outcome_unknown, attempts), "{kind:?}");
    }
}

#[tokio::test]
async fn a_response_that_is_cut_off_is_read_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let body = created().to_string();
        for body in [&body[..body.len() / 2], &body[..]] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let response = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    let session = client
        .get_session(uuid::uuid!("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11"))
        .await
        .unwrap();
    assert_eq!(session.id().to_string(), SESSION);
}

#[tokio::test]
async fn clients_of_a_key_share_one_rate_limiter() {
    let mock = blocks_mock::MockServer::start().await.unwrap();
    let builder = || Client::builder(mock.key()).base_url(mock.url());
    let first = builder().build().unwrap();
    let second = builder().build().unwrap();
    let own = builder().own_rate_limiter().build().unwrap();
    let other_key = Client::builder("other").base_url(mock.url()).build();
    let other_key = other_key.unwrap();
    first.create_session(hello()).await.unwrap();
    let used = |client: &Client| client.rate_limit_status().used_in_last_minute;
    let counts = [&first, &second, &own, &other_key].map(used);
    assert_eq!(counts, [1, 1, 0, 0]);

    let fifty = RateLimit::per_minute(50).unwrap();
    let error = builder().rate_limit(fifty).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let error = builder()
        .rate_limit(fifty)
        .share_rate_limiter(&own)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let error = builder()
        .limit_store(Arc::new(MemoryLimitStore::default()))
        .share_rate_limiter(&own)
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("limit_store"), "{error}");
    let shared = builder().share_rate_limiter(&own).build().unwrap();
    assert_eq!(shared.rate_limit(), RateLimit::default());
    drop((first, second));
    let alone = builder().rate_limit(fifty).build().unwrap();
    assert_eq!(
        alone.rate_limit(),
        fifty,
        "no other client of the key was left"
    );
}
