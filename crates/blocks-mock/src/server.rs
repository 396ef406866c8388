//! The server's life: its settings, its port, its ledger.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::handlers;
use crate::store::Store;

/// A request that the server received, whether or not it answered it well.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in the order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
}

pub(crate) struct State {
    pub key: String,
    pub reply: String,
    pub reply_after: Duration,
    pub link_origin: Option<String>,
    pub address: SocketAddr,
    pub store: Mutex<Store>,
}

impl State {
    /// The store, also after a handler panicked: a test then still sees its ledger.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What links begin with.
    pub fn origin(&self) -> String {
        self.link_origin
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.address))
    }
}

/// Settings of a [`MockServer`].
#[derive(Clone, Debug)]
pub struct MockServerBuilder {
    key: String,
    reply: String,
    reply_after: Duration,
    link_origin: Option<String>,
}

impl MockServerBuilder {
    /// The key that is accepted; `test-key` unless set.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// What the agent answers.
    pub fn reply(mut self, text: impl Into<String>) -> Self {
        self.reply = text.into();
        self
    }

    /// How long the agent works on each turn; one second unless set.
    pub fn reply_after(mut self, duration: Duration) -> Self {
        self.reply_after = duration;
        self
    }

    /// The origin that links name, as the service does: it can differ from the one called.
    pub fn link_origin(mut self, origin: impl Into<String>) -> Self {
        self.link_origin = Some(origin.into());
        self
    }

    /// Binds a free loopback port and serves until the value is dropped.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(self) -> std::io::Result<MockServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let state = Arc::new(State {
            key: self.key,
            reply: self.reply,
            reply_after: self.reply_after,
            link_origin: self.link_origin,
            address: listener.local_addr()?,
            store: Mutex::default(),
        });
        let router = handlers::router(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends with the task; a failure shows as refused connections.
            let _ = axum::serve(listener, router).await;
        });
        Ok(MockServer { state, task })
    }
}

/// A running mock server. Dropping it closes its port.
pub struct MockServer {
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl MockServer {
    /// Starts a server with the default settings.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> std::io::Result<Self> {
        Self::builder().start().await
    }

    /// Settings to change before the start.
    pub fn builder() -> MockServerBuilder {
        MockServerBuilder {
            key: "test-key".into(),
            reply: "Done.".into(),
            reply_after: Duration::from_secs(1),
            link_origin: None,
        }
    }

    /// The base URL to give to a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.state.address)
    }

    /// The key that is accepted.
    pub fn key(&self) -> &str {
        &self.state.key
    }

    /// Every request so far, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.store().received.clone()
    }

    /// How many sessions exist.
    pub fn session_count(&self) -> usize {
        self.state.store().sessions.len()
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
