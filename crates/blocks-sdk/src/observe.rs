//! What the feature `tracing` tells: a span for each call, an event for each attempt and look.
//!
//! Names follow OpenTelemetry's conventions for HTTP. Never in it: the key, a message's text,
//! a presigned URL.

#[cfg(feature = "tracing")]
mod on {
    use std::future::Future;

    use reqwest::Url;
    use tracing::{Instrument, Level};

    use crate::call::Operation;
    use crate::retry::Outcome;

    /// `future` within the span of one call.
    pub(crate) fn operation<F: Future>(
        operation: Operation,
        base: &Url,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let method = if operation.creates { "POST" } else { "GET" };
        let span = tracing::span!(
            Level::DEBUG,
            "blocks.call",
            operation = operation.id,
            http.request.method = method,
            server.address = base.host_str().unwrap_or_default(),
            server.port = base.port_or_known_default(),
        );
        future.instrument(span)
    }

    pub(crate) fn attempt(id: &'static str, number: u32, outcome: Outcome) {
        let (status, error) = match outcome {
            Outcome::Status(status) => (Some(status), None),
            Outcome::NotSent => (None, Some("never_sent")),
            Outcome::Broken => (None, Some("connection")),
        };
        tracing::event!(
            Level::DEBUG,
            operation = id,
            http.request.resend_count = number - 1,
            http.response.status_code = status,
            error.r#type = error,
            "attempt"
        );
    }

    pub(crate) fn look(session: &blocks_api::open::Id, looks: u64, found: bool) {
        tracing::event!(Level::TRACE, %session, looks, found, "look");
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::future::Future;

    use reqwest::Url;

    use crate::call::Operation;
    use crate::retry::Outcome;

    pub(crate) fn operation<F: Future>(_: Operation, _: &Url, future: F) -> F {
        future
    }

    pub(crate) fn attempt(_: &'static str, _: u32, _: Outcome) {}

    pub(crate) fn look(_: &blocks_api::open::Id, _: u64, _: bool) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{attempt, look, operation};
#[cfg(feature = "tracing")]
pub(crate) use on::{attempt, look, operation};
