//! Bodies of requests and responses, independent of the HTTP client library.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::StreamBody;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Contains the body of a request or of a response of a [`Transport`](crate::Transport).
///
/// `Body` implements [`http_body::Body`]. The whole body of each request to the service is in memory, so
/// [`as_bytes`](Self::as_bytes) returns the content of the body.
///
/// ```
/// use blocks_sdk::Body;
///
/// let body = Body::from("hello");
/// assert_eq!(body.as_bytes(), Some(&b"hello"[..]));
/// ```
pub struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    /// The body of a response from reqwest. Almost every response has a body of this kind. The kind `Stream` would need
    /// two additional allocations for each body.
    Http(reqwest::Body),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>),
}

impl Body {
    /// Creates an empty body.
    pub fn empty() -> Self {
        Self(Kind::Whole(None))
    }

    /// Wraps another implementation of [`http_body::Body`], for example a body that is received in pieces.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream(Box::pin(BoxedErrors(Box::pin(body)))))
    }

    pub(crate) fn of_reqwest(body: reqwest::Body) -> Self {
        Self(Kind::Http(body))
    }

    /// Creates a body from the pieces of a stream.
    pub fn from_stream<S, E>(pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let frames = pieces.map(|piece| piece.map(Frame::data));
        Self::new(StreamBody::new(frames))
    }

    /// Returns the content, if the whole content is in memory. After the content was read through [`http_body::Body`],
    /// returns an empty slice.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Whole(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            Kind::Http(_) | Kind::Stream(_) => None,
        }
    }

    /// Returns the content without a copy, or the body itself if the body is a stream.
    pub(crate) fn into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Whole(bytes) => Ok(bytes.unwrap_or_default()),
            body @ (Kind::Http(_) | Kind::Stream(_)) => Err(Self(body)),
        }
    }

    /// Reads the next piece of the content. Returns `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                // Trailers (headers after the content) are skipped, because no caller uses them.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Http(body) => {
                let frame = Pin::new(body).poll_frame(context);
                // The error omits the URL, because the query of a download URL may grant access to the file. The error
                // of the call contains the name of the operation instead.
                let boxed = |error: reqwest::Error| error.without_url().into();
                frame.map(|frame| frame.map(|frame| frame.map_err(boxed)))
            }
            Kind::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Http(body) => body.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Http(body) => body.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// Wraps a body, and converts its errors into `BoxError`.
struct BoxedErrors<B>(Pin<Box<B>>);

impl<B> HttpBody for BoxedErrors<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.0.as_mut().poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

/// Prints the length only, because the content may be secret.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.size_hint().exact();
        f.debug_struct("Body")
            .field("length", &length)
            .finish_non_exhaustive()
    }
}
