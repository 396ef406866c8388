//! The one harness of the tests across the crates: they act as a user of them would.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The OpenAPI document.
pub fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/blocks.yaml");
    let text = std::fs::read_to_string(path).expect("the document is in the repository");
    serde_yaml_ng::from_str(&text).expect("the document is YAML")
}

/// A server that answers with raw bytes and counts the requests.
pub struct Scripted {
    /// Its base URL.
    pub url: String,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    /// Serves `status` with `body` and further header lines, each ended by CRLF.
    pub async fn start(status: &'static str, headers: &'static str, body: &'static str) -> Self {
        let length = body.len();
        Self::start_raw(vec![format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )])
        .await
    }

    /// Serves one answer after the other and then the last for ever, as they are; too few
    /// bytes break the connection.
    pub async fn start_raw(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut buffer = vec![0; 16 * 1024];
                if socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    let earlier = count.fetch_add(1, Ordering::SeqCst);
                    let answer = &answers[earlier.min(answers.len() - 1)];
                    let _ = socket.write_all(answer.as_bytes()).await;
                    let _ = socket.shutdown().await;
                }
            }
        });
        Self { url, requests }
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
