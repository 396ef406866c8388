//! The mock on a loopback port.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::PoisonError;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::mock::{Mock, MockBuilder};

/// A mock that serves on a loopback port until it is dropped. It is a [`Mock`], and has all
/// of its methods. It needs a runtime whose time is real: a paused clock runs ahead of
/// sockets, for which there is [`Mock::service`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use blocks_mock::{MockServer, Operation};
///
/// let mock = MockServer::start().await?;
/// println!("a program in any language finds it at {}", mock.url());
/// assert_eq!(mock.count(Operation::CreateSession), 0);
/// # Ok(())
/// # }
/// ```
pub struct MockServer {
    mock: Mock,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MockServer {
    /// Serves with the default settings, on a free port.
    ///
    /// # Errors
    /// When no port can be bound.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mock = blocks_mock::MockServer::start().await?;
    /// assert_eq!(mock.key(), "test-key");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start() -> io::Result<Self> {
        Mock::builder().start().await
    }

    /// A server with settings.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mock = blocks_mock::MockServer::builder().reply("Three hearts.").start().await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// The base URL, without a slash at its end, such as `http://127.0.0.1:49152`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mock = blocks_mock::MockServer::start().await?;
    /// assert!(mock.url().starts_with("http://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn url(&self) -> String {
        // The address to listen on may be the unspecified one, which no client can call.
        match self.address.ip().is_unspecified() {
            true => format!("http://127.0.0.1:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// The mock that is served.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = blocks_mock::MockServer::start().await?;
    /// let mock = server.mock().clone(); // to ask from elsewhere what was received
    /// assert!(mock.requests().is_empty());
    /// # Ok(())
    /// # }
    /// ```
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

async fn accept(listener: TcpListener, mock: Mock) {
    // Ends the connections with itself, so that a dropped server answers nobody.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        // What cannot be accepted now may be accepted once others have closed.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = mock.service();
        connections.spawn(async move {
            let answer = service_fn(|request| service.serve(request));
            // An error of the service is a fault: hyper then closes without an answer.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}
