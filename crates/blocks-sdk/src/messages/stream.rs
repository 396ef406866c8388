//! Returns messages as a stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use blocks_api::types::Message;
use futures_core::Stream;

use crate::engine::error::Error;
use crate::engine::rate_limit::Priority;
use crate::messages::MessagesQuery;
use crate::messages::merged::{Batch, MergedPages, Start};

/// Reads the messages of a query page by page; see [`MessagesQuery::stream`].
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// use blocks_sdk::MessageStream;
///
/// struct Reader {
///     messages: MessageStream,
/// }
///
/// let mut reader = Reader { messages: session.messages().stream() };
/// while let Some(message) = reader.messages.next().await {
///     println!("{:?}", message?.message);
/// }
/// # Ok(()) });
/// ```
#[must_use = "a stream reads nothing until it is polled"]
pub struct MessageStream {
    ready: VecDeque<Message>,
    too_large: Option<Error>,
    source: Source<MergedPages, Result<Batch, Error>>,
}

impl MessageStream {
    pub(crate) fn new(query: MessagesQuery) -> Self {
        Self {
            ready: VecDeque::new(),
            too_large: None,
            source: Source::new(MergedPages::new(query, Start::First)),
        }
    }

    /// Returns the next message; `None` at the end. No message is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for MessageStream {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(message) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(message)));
            }
            if let Some(error) = this.too_large.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let batch = this.source.poll(context, |mut pages| {
                Box::pin(async move {
                    let batch = pages.batch(Priority::Interactive).await;
                    (pages, batch)
                })
            });
            match ready!(batch) {
                None => return Poll::Ready(None),
                Some(Ok(batch)) if batch.is_empty() => this.source.end(),
                Some(Ok(batch)) => {
                    this.ready = batch.messages;
                    this.too_large = batch.too_large;
                }
                Some(Err(error)) => {
                    this.source.end();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl std::fmt::Debug for MessageStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageStream").finish_non_exhaustive()
    }
}

/// A step in progress, such as the read of a page. The future owns the state `S` of the stream, and returns the state
/// with the result `T`.
pub(crate) type Step<S, T> = Pin<Box<dyn Future<Output = (Box<S>, T)> + Send>>;

/// The state of a stream, or the step in progress that owns the state. This enum is `Unpin`, so the stream is `Unpin`
/// too.
pub(crate) enum Source<S, T> {
    Idle(Box<S>),
    Busy(Step<S, T>),
    Ended,
}

impl<S, T> Source<S, T> {
    pub fn new(state: S) -> Self {
        Self::Idle(Box::new(state))
    }

    /// Returns the state; `None` during a step and after the end.
    pub fn state(&mut self) -> Option<&mut S> {
        match self {
            Self::Idle(state) => Some(state),
            Self::Busy(_) | Self::Ended => None,
        }
    }

    pub fn end(&mut self) {
        *self = Self::Ended;
    }

    /// Polls the future of the step in progress. If no step is in progress, starts one and polls it. Returns the result
    /// of the step, or `None` after [`end`](Self::end) was called.
    pub fn poll(
        &mut self,
        context: &mut Context<'_>,
        start: impl FnOnce(Box<S>) -> Step<S, T>,
    ) -> Poll<Option<T>> {
        if let Self::Idle(_) = self
            && let Self::Idle(state) = std::mem::replace(self, Self::Ended)
        {
            *self = Self::Busy(start(state));
        }
        let Self::Busy(step) = self else {
            return Poll::Ready(None);
        };
        let (state, result) = ready!(step.as_mut().poll(context));
        *self = Self::Idle(state);
        Poll::Ready(Some(result))
    }
}
