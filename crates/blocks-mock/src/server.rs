//! Serves the mock on a port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::PoisonError;
use std::time::Duration;

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
            *origin = public.unwrap_or_else(|| url(address));
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
        url(self.address)
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

/// Returns the base URL of a server that listens on `address`. For an unspecified address, such as 0.0.0.0, the URL has
/// a loopback address, because the SDK and some systems refuse to connect to an unspecified address.
fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// Accepts and serves connections until the future is dropped.
///
/// The future is boxed so that the compiler generates its code in this crate, not in each program that starts a server.
fn accept(listener: TcpListener, mock: Mock) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        // Dropping the server drops this set, and the connections are closed.
        let mut connections = JoinSet::new();
        loop {
            // Accepting may fail while too many connections are open, so the server tries again. Without the pause, it
            // would use a whole processor until then.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let service = mock.service();
            connections.spawn(async move {
                let responder = service_fn(|request| service.serve(request));
                // The service returns an error if a fault or a replayed failure closes the connection, or if the
                // request cannot be read. hyper then closes the connection. With `half_close`, a client that has closed
                // only its own direction still gets the response.
                let _ = http1::Builder::new()
                    .half_close(true)
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), responder)
                    .await;
            });
            while connections.try_join_next().is_some() {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_has_no_unspecified_address() {
        for (address, expected) in [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.1:80", "http://192.0.2.1:80"),
        ] {
            assert_eq!(url(address.parse().unwrap()), expected);
        }
    }

    /// Accepting fails each time, because the socket does not listen.
    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn the_server_pauses_after_a_failed_accept() {
        let (socket, _) = std::os::unix::net::UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = std::net::TcpListener::from(std::os::fd::OwnedFd::from(socket));
        let mut server = accept(TcpListener::from_std(listener).unwrap(), Mock::new());
        let mut polls = 0;
        let polled_too_often = std::future::poll_fn(|context| {
            polls += 1;
            match polls > 100 {
                true => std::task::Poll::Ready(()),
                false => server.as_mut().poll(context),
            }
        });
        let second = Duration::from_secs(1);
        assert!(
            tokio::time::timeout(second, polled_too_often)
                .await
                .is_err()
        );
        assert!(polls > 5, "accepting has failed several times: {polls}");
    }
}
