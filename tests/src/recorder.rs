//! Records the requests to a mock in this process, and the responses.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use blocks_mock::{Mock, MockBody, MockService};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower_service::Service;

/// A request, and the part of its response that was received.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The host that the request was sent to.
    pub host: String,
    /// The path of the request.
    pub path: String,
    /// Whether the request carried `Authorization`.
    pub with_key: bool,
    /// The status; `None` if no response was received.
    pub status: Option<u16>,
    /// The bytes of the body that were read.
    pub body: Vec<u8>,
}

/// A tower service that passes each request to a mock, and records the request and its response.
#[derive(Clone)]
pub struct Recorder {
    service: MockService,
    exchanges: Exchanges,
}

type Exchanges = Arc<Mutex<Vec<Exchange>>>;

fn lock(exchanges: &Exchanges) -> MutexGuard<'_, Vec<Exchange>> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Creates a recorder of the requests to `mock`.
    pub fn new(mock: &Mock) -> Self {
        Self {
            service: mock.service(),
            exchanges: Arc::default(),
        }
    }

    /// Returns all recorded exchanges.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.exchanges).clone()
    }

    /// Removes all recorded exchanges.
    pub fn clear(&self) {
        lock(&self.exchanges).clear();
    }
}

impl<B> Service<Request<B>> for Recorder
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<RecordedBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Service::<Request<B>>::poll_ready(&mut self.service, context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let place = {
            let mut exchanges = lock(&self.exchanges);
            exchanges.push(Exchange {
                host: request.uri().host().unwrap_or_default().to_owned(),
                path: request.uri().path().to_owned(),
                with_key: request.headers().contains_key("authorization"),
                status: None,
                body: Vec::new(),
            });
            exchanges.len() - 1
        };
        let exchanges = Arc::clone(&self.exchanges);
        let response = self.service.call(request);
        Box::pin(async move {
            let response = response.await?;
            lock(&exchanges)[place].status = Some(response.status().as_u16());
            Ok(response.map(|body| RecordedBody {
                body,
                exchanges,
                place,
            }))
        })
    }
}

/// A body whose bytes are recorded as they are read.
pub struct RecordedBody {
    body: MockBody,
    exchanges: Exchanges,
    place: usize,
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
            && let Some(exchange) = lock(&self.exchanges).get_mut(self.place)
        {
            exchange.body.extend_from_slice(data);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
