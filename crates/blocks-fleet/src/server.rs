//! Runs scripts on a Redis or Valkey server. Connects to the server when a script is first run, and connects again
//! after the connection has failed.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, FromRedisValue, RedisError, ScriptInvocation,
};
use tokio::sync::Mutex;

use crate::limit::without_credentials;

/// Longest time for connecting, and for each response. The caller stops waiting after 345 ms. This time is shorter, so
/// that a connection that no longer responds is noticed here and closed.
const TIMEOUT: Duration = Duration::from_millis(300);

pub(crate) struct Server {
    client: Client,
    /// URL for messages, without user and password.
    pub url: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Server {
    /// Creates a client of the server at `url`, without connecting. [`run`](Self::run) connects to the server.
    ///
    /// # Errors
    /// The URL cannot be used. The text of the error does not contain the URL, because a URL can contain a password.
    pub fn new(url: &str) -> Result<Self, String> {
        // A URL with `#` is rejected, because the Redis client does not check certificates if the URL ends with
        // `#insecure`.
        if url.contains('#') {
            return Err("cannot use the server's URL: expected no `#`".to_owned());
        }
        let wrong = |error: RedisError| format!("cannot use the server's URL: {error}");
        let client = Client::open(url).map_err(wrong)?;
        if matches!(
            client.get_connection_info().addr(),
            ConnectionAddr::TcpTls { .. }
        ) {
            use_some_tls();
        }
        Ok(Self {
            client,
            url: without_credentials(url),
            connection: Mutex::default(),
        })
    }

    /// Runs a script on the server. If the server does not have the script in its cache, the script is loaded first. If
    /// the connection of an earlier call turns out to be closed, the script is run again on a new connection.
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RedisError> {
        let (mut connection, is_old) = self.connect().await?;
        let result = match script.invoke_async(&mut connection).await {
            Err(error) if is_old && error.is_connection_dropped() => {
                self.connection.lock().await.take();
                let (mut connection, _) = self.connect().await?;
                script.invoke_async(&mut connection).await
            }
            result => result,
        };
        if result.as_ref().is_err_and(is_broken) {
            self.connection.lock().await.take();
        }
        result
    }

    /// Returns a connection, and whether the connection existed before this call.
    async fn connect(&self) -> Result<(MultiplexedConnection, bool), RedisError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok((connection.clone(), true));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        Ok((connection.insert(made).clone(), false))
    }
}

/// Returns whether the connection must not be used again after this error. This includes time-outs, because the
/// connection may belong to a tokio runtime that has ended, and then never receives a response.
fn is_broken(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_timeout() || error.is_io_error()
}

/// Selects the cryptography library that rustls uses for TLS, unless the program has selected one. If a program
/// contains several such libraries, rustls does not choose one itself.
fn use_some_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has just selected a library.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
