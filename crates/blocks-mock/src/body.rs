//! Implements the body of the mock's responses. For faults and for incomplete recorded responses, the body can pause
//! between bytes, and can close the connection before the last byte.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::mock::Mock;

/// Contains the body of a response of the mock.
#[derive(Default)]
pub struct MockBody {
    pieces: VecDeque<Piece>,
    pause: Option<Pin<Box<Sleep>>>,
    events: Option<Events>,
}

/// Creates the server-sent events (SSE) for the mock's web page. After each event, the page reads its data again.
struct Events {
    mock: Mock,
    sent: Option<(u64, usize)>,
    /// Number of checks in a row without a change. Every 200 ms, the mock checks whether the data has changed. After
    /// every 50 checks without a change, it sends an SSE comment, which a reader ignores. If the connection was closed
    /// or lost, this fails, and the checks end. Without the comments, the mock would not notice the end of the
    /// connection, because the server also responds to a client that has closed its own direction.
    idle: u32,
}

impl Events {
    fn next(&mut self) -> Option<Bytes> {
        let version = self.mock.version();
        self.idle += 1;
        if self.sent != Some(version) {
            self.sent = Some(version);
            self.idle = 0;
            return Some(Bytes::from_static(b"data: changed\n\n"));
        }
        self.idle
            .is_multiple_of(50)
            .then(|| Bytes::from_static(b": idle\n\n"))
    }
}

impl std::fmt::Debug for MockBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockBody")
            .field("pieces", &self.pieces)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Pause(Duration),
    Reset,
}

impl MockBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let pieces = (!bytes.is_empty()).then_some(Piece::Bytes(bytes));
        Self {
            pieces: pieces.into_iter().collect(),
            pause: None,
            events: None,
        }
    }

    /// Returns the bytes of a body that was created by `whole` or `broken`.
    pub(crate) fn bytes(&self) -> Bytes {
        match self.pieces.front() {
            Some(Piece::Bytes(bytes)) => bytes.clone(),
            _ => Bytes::new(),
        }
    }

    /// Creates a body that sends server-sent events until the reader closes the connection.
    pub(crate) fn events(mock: Mock) -> Self {
        let events = Events {
            mock,
            sent: None,
            idle: 0,
        };
        Self {
            events: Some(events),
            ..Self::default()
        }
    }

    /// Creates a body that sends these bytes and then closes the connection.
    pub(crate) fn broken(bytes: Bytes) -> Self {
        let mut body = Self::whole(bytes);
        // Without this pause, hyper (the HTTP library) drops the bytes when the body returns the error, and the client
        // receives none of them.
        body.pieces
            .push_back(Piece::Pause(Duration::from_millis(1)));
        body.pieces.push_back(Piece::Reset);
        body
    }

    /// Creates a body that sends pieces of at most `size` bytes, each after a pause. A `size` of 0 counts as 1.
    pub(crate) fn slow(bytes: &Bytes, size: usize, every: Duration) -> Self {
        let pieces = bytes.chunks(size.max(1)).flat_map(|chunk| {
            let piece = Piece::Bytes(bytes.slice_ref(chunk));
            [Piece::Pause(every), piece]
        });
        Self {
            pieces: pieces.collect(),
            pause: None,
            events: None,
        }
    }
}

impl Body for MockBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            if self.pieces.is_empty()
                && let Some(events) = &mut self.events
            {
                let next = events.next();
                self.pieces.extend(next.map(Piece::Bytes));
                self.pieces
                    .push_back(Piece::Pause(Duration::from_millis(200)));
            }
            return Poll::Ready(match self.pieces.pop_front() {
                None => None,
                Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::Reset) => Some(Err(io::ErrorKind::ConnectionReset.into())),
                Some(Piece::Pause(duration)) => {
                    self.pause = Some(Box::pin(sleep(duration)));
                    continue;
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.pause.is_none() && self.events.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.events.is_some() {
            return SizeHint::default();
        }
        let length = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(bytes) => Some(bytes.len() as u64),
            Piece::Pause(_) => Some(0),
            // For a body that ends with a closed connection, this method returns no length. A `Content-Length` header
            // can state the length of the whole body.
            Piece::Reset => None,
        });
        length
            .sum::<Option<u64>>()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
