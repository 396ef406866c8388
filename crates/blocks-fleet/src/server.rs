//! A connection to Redis or Valkey: made when it is needed, made again when it broke.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::Mutex;

use crate::limit::without_credentials;

/// How long connecting may take, and each response.
const TIMEOUT: Duration = Duration::from_millis(350);

pub(crate) struct Server {
    client: Client,
    /// To show: without a password.
    pub url: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Server {
    /// # Errors
    /// What is wrong with the URL, without repeating it.
    pub fn new(url: &str) -> Result<Self, String> {
        // The client would take `#insecure` to mean that certificates are not checked.
        if url.contains('#') {
            return Err("cannot use the server's URL: expected no `#`".to_owned());
        }
        if url.starts_with("rediss:") {
            use_some_tls();
        }
        let wrong = |error: RedisError| format!("cannot use the server's URL: {error}");
        Ok(Self {
            client: Client::open(url).map_err(wrong)?,
            url: without_credentials(url),
            connection: Mutex::default(),
        })
    }

    /// Runs a script on the server, and loads it first where the server does not know it. On a
    /// connection that broke it is run once more.
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

    /// A connection, and whether it was used before.
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

/// Whether a connection is not to be used again. After a time-out it may be that of a runtime
/// that does not run any more.
fn is_broken(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_timeout() || error.is_io_error()
}

/// Without a process-wide choice, the connection could not know which cryptography to use, if
/// the program has more than one.
fn use_some_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has just chosen one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
