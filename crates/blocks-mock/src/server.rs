//! Serves the mock on a port.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::PoisonError;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::mock::{Mock, MockBuilder};

/// Serves a mock on a port until this value is dropped. All methods of [`Mock`] can be called on the server.
///
/// The server needs a runtime whose clock is not paused. While sockets wait for data, tokio advances a paused clock to
/// the next timer, so time-outs would pass before the data arrives. With a paused clock, use [`Mock::service`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mock = blocks_mock::MockServer::start().await?;
/// assert!(mock.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
pub struct MockServer {
    mock: Mock,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MockServer {
    /// Serves a mock with default settings on a free port.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start() -> io::Result<Self> {
        Mock::builder().start().await
    }

    /// Creates a builder. [`MockBuilder::start`] starts the server.
    pub fn builder() -> MockBuilder {
        Mock::builder()
    }

    pub(crate) async fn serve(
        mock: Mock,
        address: SocketAddr,
        public: Option<String>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        {
            let origin = &mock.inner.origin;
            let mut origin = origin.lock().unwrap_or_else(PoisonError::into_inner);
            *origin = public.unwrap_or_else(|| format!("http://{address}"));
        }
        let task = tokio::spawn(accept(listener, mock.clone()));
        Ok(Self {
            mock,
            address,
            task,
        })
    }

    /// Returns the base URL, such as `http://127.0.0.1:49152`.
    pub fn url(&self) -> String {
        // On some systems, a client cannot connect to an unspecified address, such as 0.0.0.0.
        match self.address.ip().is_unspecified() {
            true => format!("http://127.0.0.1:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// Returns the mock that the server serves.
    pub fn mock(&self) -> &Mock {
        &self.mock
    }
}

impl Deref for MockServer {
    type Target = Mock;

    fn deref(&self) -> &Mock {
        &self.mock
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts and serves connections until the future is dropped.
///
/// The future is boxed so that the compiler generates its code in this crate, not in each program that starts a server.
fn accept(listener: TcpListener, mock: Mock) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        // Dropping the server drops this set, and the connections are closed.
        let mut connections = JoinSet::new();
        loop {
            // Accepting may fail while too many connections are open, so the server tries again.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let service = mock.service();
            connections.spawn(async move {
                let responder = service_fn(|request| service.serve(request));
                // The service returns an error if a fault or a replayed failure closes the connection, or if the
                // request cannot be read. hyper then closes the connection.
                let _ = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), responder)
                    .await;
            });
            while connections.try_join_next().is_some() {}
        }
    })
}
