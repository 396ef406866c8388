//! Tests of connections that fail. The error names the host and the cause, says what to do next,
//! and says that a create certainly had no effect.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use blocks_mock::{Action, Mock, Script};
use blocks_sdk::{
    Body, Client, ClientBuilder, Error, ErrorKind, HttpTransport, RetryPolicy, SendError,
    SendFuture, Transport,
};
use blocks_tests::{KEY, SESSION, THREAD, created, session_id, thread_id};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::hello;

/// The certificate authority that signed the certificates in `certificates/`. These certificates
/// are for 127.0.0.1 and localhost, and are valid from 2026 to 2125, unless the file name says
/// otherwise. Their private key, `key.pem`, is not secret.
const AUTHORITY: &[u8] = include_bytes!("certificates/ca.pem");
const KEY_OF_SERVERS: &[u8] = include_bytes!("certificates/key.pem");
const VALID: &[u8] = include_bytes!("certificates/valid.pem");
const EXPIRED: &[u8] = include_bytes!("certificates/expired.pem");
const NOT_YET_VALID: &[u8] = include_bytes!("certificates/early.pem");
const OTHER_HOST: &[u8] = include_bytes!("certificates/other-host.pem");

/// Starts a TLS server that has this certificate and responds to creates with success.
async fn tls_server(certificate: &[u8]) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY_OF_SERVERS).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let body = created().to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// Starts a server without TLS that responds to each connection with `response` and closes the
/// connection. The returned `Receiver` yields the requests as strings.
fn plain_server(response: &'static str) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (received, all) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            // The request is recorded first, so that a test finds the request as soon as the client has the response.
            let _ = received.send(request);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    (address, all)
}

/// Returns a builder of a client that never retries.
fn builder(url: String) -> ClientBuilder {
    let builder = Client::builder(KEY).base_url(url);
    builder.retry(RetryPolicy::none())
}

/// Creates a client that trusts the certificate authority of these tests.
fn trusting(address: SocketAddr) -> Client {
    let authority = reqwest::Certificate::from_pem(AUTHORITY).unwrap();
    builder(format!("https://{address}"))
        .configure_http(|http| http.no_proxy().tls_certs_merge([authority]))
        .build()
        .unwrap()
}

/// Checks that a create certainly had no effect and that its error contains all of `parts`.
fn check(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Connection, "{text}");
    assert!(!error.may_have_taken_effect(), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    for absent in [KEY, "s3cret", "may have taken effect"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

async fn create(client: &Client) -> Error {
    client.create_session(hello()).await.unwrap_err()
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted() {
    let client = trusting(tls_server(VALID).await);
    let session = client.create_session(hello()).await.unwrap();
    assert_eq!(session.id().as_str(), SESSION);
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_explained() {
    let at = "could not connect to 127.0.0.1: ";
    for (certificate, cause, advice) in [
        (EXPIRED, "certificate expired", "check the clock"),
        (NOT_YET_VALID, "not valid yet", "check the clock"),
        (
            OTHER_HOST,
            "certificate not valid for name \"127.0.0.1\"",
            "check the host name",
        ),
    ] {
        let error = create(&trusting(tls_server(certificate).await)).await;
        check(&error, &[at, cause, advice]);
    }
    let address = tls_server(VALID).await;
    let client = builder(format!("https://{address}"));
    let client = client.configure_http(reqwest::ClientBuilder::no_proxy);
    let error = create(&client.build().unwrap()).await;
    check(&error, &[at, "UnknownIssuer", "SSL_CERT_FILE"]);
}

#[tokio::test]
async fn a_port_without_tls_is_explained() {
    let at = "could not connect to 127.0.0.1: ";
    for (response, cause, advice) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "corrupt message",
            "does not speak TLS at this port: check the address",
        ),
        ("", "eof", "whether a firewall or a proxy is in between"),
    ] {
        let (address, _received) = plain_server(response);
        check(&create(&trusting(address)).await, &[at, cause, advice]);
    }
}

/// Creates a client that connects to a service through this proxy.
fn behind(proxy: SocketAddr) -> Client {
    let proxy = reqwest::Proxy::https(format!("http://user:s3cret@{proxy}")).unwrap();
    builder("https://service.example".to_owned())
        .configure_http(|http| http.no_proxy().proxy(proxy))
        .build()
        .unwrap()
}

/// Returns an address at which nothing listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn each_fault_of_a_proxy_is_explained() {
    let at = "could not connect to service.example through the configured proxy: ";
    let configured = "; check the proxy that the program has configured";
    for (response, cause, advice) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "the proxy requires authorization (status 407)",
            "http://USER:PASSWORD@HOST:PORT",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "the proxy rejected the connection",
            configured,
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "the proxy rejected the connection",
            configured,
        ),
        ("", "the proxy closed the connection", configured),
    ] {
        let (proxy, received) = plain_server(response);
        let error = create(&behind(proxy)).await;
        check(&error, &[at, cause, advice]);
        let request = received.recv().unwrap();
        assert!(request.starts_with("CONNECT service.example:443 HTTP/1.1\r\n"));
        assert!(!request.contains(KEY), "{request}");
    }
    let error = create(&behind(closed_port())).await;
    check(&error, &[at, "refused", configured]);
    // This proxy accepts the CONNECT, and then closes the connection as if the host behind the proxy had closed it.
    let (proxy, _received) = plain_server("HTTP/1.1 200 OK\r\n\r\n");
    let error = create(&behind(proxy)).await;
    check(&error, &["could not connect to service.example: ", "eof"]);
}

#[tokio::test(start_paused = true)]
async fn a_create_behind_a_silent_proxy_is_never_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = create(&behind(listener.local_addr().unwrap())).await;
    check(
        &error,
        &[
            "could not connect to service.example: no connection within",
            "a proxy is in between",
        ],
    );
}

/// A custom transport that wraps the standard transport.
struct Wrapped(HttpTransport);

impl Transport for Wrapped {
    fn send(&self, request: http::Request<Body>) -> SendFuture<'_> {
        self.0.send(request)
    }

    fn connect_timeout(&self) -> Option<Duration> {
        self.0.connect_timeout()
    }
}

/// Returns a listener to which no client can connect, because its queue of connections is full. Also returns the
/// connections that fill the queue; the caller must keep them open.
async fn full_listener() -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    let filling = std::iter::from_fn(connect).collect();
    (listener, filling)
}

#[tokio::test(start_paused = true)]
async fn a_time_out_while_connecting_is_never_sent() {
    let (listener, _filling) = full_listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let short = Duration::from_millis(1);
    let builders = [
        builder(url.clone()),
        builder(url.clone()).connect_timeout(Duration::from_secs(60)),
        builder(url.clone()).transport(HttpTransport::new().unwrap()),
        builder(url.clone()).transport(Wrapped(HttpTransport::new().unwrap())),
    ];
    let parts = [
        "could not connect to 127.0.0.1: no connection within",
        "network",
    ];
    for builder in builders {
        let client = builder
            .attempt_timeout(short)
            .create_timeout(short)
            .build()
            .unwrap();
        check(&create(&client).await, &parts);
    }
    // The transport of this client keeps its time-out of 10 s, and the attempt waits for it.
    let client = builder(url).build().unwrap().with_attempt_timeout(short);
    check(&create(&client).await, &parts);
}

/// A transport that needs 20 s to find out that it cannot connect.
struct Tunnel;

impl Transport for Tunnel {
    fn send(&self, _: http::Request<Body>) -> SendFuture<'_> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Err(SendError::never_sent("the tunnel is down"))
        })
    }

    fn connect_timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(20))
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_transport_has_time_to_connect() {
    let short = Duration::from_millis(1);
    let builder = builder("http://127.0.0.1:9".to_owned());
    let client = builder.attempt_timeout(short).create_timeout(short).build();
    let client = client.unwrap().with_transport(|_| Tunnel);
    let error = create(&client).await;
    assert!(!error.may_have_taken_effect(), "{error:?}");
}

/// Runs the test with this name in this file as a child process, with these environment variables.
/// Returns the standard output of the child process.
fn run_with(test: &str, variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command
        .args(["--exact", "--nocapture", &format!("connections::{test}")])
        .env("BLOCKS_TEST_CHILD", "1")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

fn is_child() -> bool {
    std::env::var_os("BLOCKS_TEST_CHILD").is_some()
}

/// The next test runs this test in a child process, whose environment variables name a proxy. Outside the child
/// process, this test does nothing.
#[tokio::test]
async fn child_creates_behind_a_proxy() {
    if is_child() {
        let client = builder("https://service.example".to_owned()).build();
        let error = create(&client.unwrap()).await;
        check(&error, &[]);
        println!("{error}");
    }
}

#[test]
fn a_proxy_of_the_environment_is_named() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (proxy, received) = plain_server("HTTP/1.1 502 Bad Gateway\r\n\r\n");
        let url = format!("http://user:s3cret@{proxy}");
        let text = run_with("child_creates_behind_a_proxy", &[(variable, url)]);
        let at = format!("could not connect to service.example through the proxy {proxy}: ");
        assert!(text.contains(&at), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
        let request = received.recv().unwrap().to_lowercase();
        // This is the base64 of "user:s3cret", in lower case like the whole `request`.
        let authorization = "proxy-authorization: basic dxnlcjpzm2nyzxq=";
        assert!(request.contains(authorization), "{request}");
    }
    let closed = closed_port();
    let proxy = ("HTTPS_PROXY", format!("http://{closed}"));
    let text = run_with("child_creates_behind_a_proxy", std::slice::from_ref(&proxy));
    assert!(text.contains(&format!("through the proxy {closed}: ")));
    assert!(text.contains("refused"));
    let direct = ("NO_PROXY", "service.example".to_owned());
    let text = run_with("child_creates_behind_a_proxy", &[proxy, direct]);
    assert!(
        text.contains("could not connect to service.example: "),
        "{text}"
    );
}

/// The next test runs this test in a child process, whose environment variables name proxies. Outside the child
/// process, this test does nothing. Requests over plain http use no proxy, but a download over https uses the proxy.
#[tokio::test]
async fn child_downloads_behind_a_proxy() {
    if !is_child() {
        return;
    }
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let agent = Script::default().step(Duration::ZERO, plan);
    let server = Mock::builder().agent(agent).start().await.unwrap();
    let client = Client::builder(server.key()).base_url(server.url());
    let session = client.build().unwrap().create_session(hello()).await;
    let plan = session.unwrap().plans().await.unwrap().remove(0).unwrap();
    assert_eq!(plan.bytes().await.unwrap(), "1. Go.");

    let artifact = json!({"id": THREAD, "url": "https://storage.example/x?signature=s3cret"});
    let body = artifact.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let (service, _received) = plain_server(Box::leak(format!("{head}{body}").into_boxed_str()));
    let client = builder(format!("http://{service}")).build().unwrap();
    let session = client.session(session_id());
    let artifact = session.artifact(thread_id()).await;
    println!("{}", artifact.unwrap().bytes().await.unwrap_err());
}

#[test]
fn downloads_use_the_proxy_for_https_only() {
    let (proxy, received) = plain_server("HTTP/1.1 403 Forbidden\r\n\r\n");
    let text = run_with(
        "child_downloads_behind_a_proxy",
        &[
            ("HTTP_PROXY", format!("http://{}", closed_port())),
            ("HTTPS_PROXY", format!("http://{proxy}")),
        ],
    );
    let at = format!("could not connect to storage.example through the proxy {proxy}: ");
    assert!(
        text.contains("download at storage.example failed: "),
        "{text}"
    );
    assert!(text.contains(&at), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let requests: Vec<String> = received.try_iter().collect();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("CONNECT storage.example:443 "));
}

#[test]
fn proxies_that_are_not_supported_are_refused() {
    for (value, why) in [
        ("socks5://user:s3cret@127.0.0.1:1080", "scheme socks5"),
        ("socks4://127.0.0.1:1080", "scheme socks4"),
        ("not a url", "is not a URL"),
    ] {
        let variables = [("ALL_PROXY", value.to_owned())];
        let text = run_with("child_builds_a_client", &variables);
        let expected = format!(
            "the proxy in ALL_PROXY {}",
            why.replace("scheme", "has the scheme")
        );
        assert!(text.contains(&expected), "{text}");
        assert!(text.contains("write http://HOST:PORT"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

/// The previous test runs this test in a child process, whose `ALL_PROXY` is invalid. Outside the child process, this
/// test does nothing.
#[test]
fn child_builds_a_client() {
    if is_child() {
        for url in ["https://service.example", "http://127.0.0.1:1"] {
            let error = builder(url.to_owned()).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            println!("{error}");
        }
    }
}
