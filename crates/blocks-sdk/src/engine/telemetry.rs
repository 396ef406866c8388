//! Records spans and events of the crate `tracing` if the feature `tracing` is enabled. There is a span for each call.
//! There is an event for each attempt of a call, each poll of a wait, each wait for a permit, each pause of all
//! requests, each 429, and each change of the request rate. Several processes can share the request limit through a
//! store, such as a Redis server. There is also an event when this store fails, and when it works again. Downloads of
//! files are not recorded.
//!
//! Fields such as `http.request.method` have the names of OpenTelemetry's conventions for HTTP. The API key, texts of
//! messages and presigned URLs are never recorded.

#[cfg(feature = "tracing")]
mod on {
    use std::fmt::Display;
    use std::future::Future;
    use std::time::Duration;

    use reqwest::Url;
    use tokio::time::Instant;
    use tracing::{Instrument, Level};

    use crate::engine::call::Operation;
    use crate::engine::rate_limit::{LimitStoreError, Priority};
    use crate::engine::retry::Outcome;

    /// Runs `future` within the span of one call.
    pub(crate) fn operation<F: Future>(
        operation: Operation,
        base: &Url,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        let method = match operation.id.split_once(' ') {
            // The id of a raw request starts with the method, as in `PUT request`.
            Some((method, _)) => method,
            // This is OpenTelemetry's name for a method that is not in its list.
            None if operation.id == "request" => "_OTHER",
            None if operation.creates => "POST",
            None => "GET",
        };
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

    pub(crate) fn poll(session: impl Display, polls: u64, found: bool) {
        tracing::event!(Level::TRACE, %session, polls, found, "poll");
    }

    /// Records that a request has to wait for a permit of the rate limiter.
    pub(crate) fn waiting_for_permit(priority: Priority) {
        // A poll almost always waits for a permit, so the wait of a poll is recorded at `TRACE` and not at `DEBUG`.
        match priority {
            Priority::Interactive => {
                tracing::event!(
                    Level::DEBUG,
                    priority = "interactive",
                    "waiting for a permit"
                );
            }
            Priority::Create => {
                tracing::event!(Level::DEBUG, priority = "create", "waiting for a permit");
            }
            Priority::Poll(_) => {
                tracing::event!(Level::TRACE, priority = "poll", "waiting for a permit");
            }
        }
    }

    /// Records that the service asked for a pause, with the header `Retry-After` or with a 429. For a 429 without this
    /// header, `asked` is `None`.
    pub(crate) fn paused(until: Instant, asked: Option<Duration>) {
        let pause = until.saturating_duration_since(Instant::now());
        tracing::event!(
            Level::WARN,
            pause_s = pause.as_secs_f64(),
            retry_after_s = asked.map(|asked| asked.as_secs_f64()),
            "the service asks to wait: every request pauses"
        );
    }

    /// Records that the client now uses at most the fraction `share` of its request limit, for example 0.5.
    pub(crate) fn rate_changed(share: f64) {
        tracing::event!(Level::DEBUG, share, "the rate changed");
    }

    /// Records that the store through which processes share the request limit failed. Without an error, records that
    /// the store works again.
    pub(crate) fn limit_store(error: Option<&LimitStoreError>) {
        match error {
            Some(error) => tracing::event!(
                Level::WARN,
                error = %error,
                "the limit's store cannot be used: requests of other processes are not counted"
            ),
            None => tracing::event!(Level::INFO, "the limit's store is used again"),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::fmt::Display;
    use std::future::Future;
    use std::time::Duration;

    use reqwest::Url;
    use tokio::time::Instant;

    use crate::engine::call::Operation;
    use crate::engine::rate_limit::{LimitStoreError, Priority};
    use crate::engine::retry::Outcome;

    pub(crate) fn operation<F: Future>(_: Operation, _: &Url, future: F) -> F {
        future
    }

    pub(crate) fn attempt(_: &'static str, _: u32, _: Outcome) {}

    pub(crate) fn poll(_: impl Display, _: u64, _: bool) {}

    pub(crate) fn waiting_for_permit(_: Priority) {}

    pub(crate) fn paused(_: Instant, _: Option<Duration>) {}

    pub(crate) fn rate_changed(_: f64) {}

    pub(crate) fn limit_store(_: Option<&LimitStoreError>) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{
    attempt, limit_store, operation, paused, poll, rate_changed, waiting_for_permit,
};
#[cfg(feature = "tracing")]
pub(crate) use on::{
    attempt, limit_store, operation, paused, poll, rate_changed, waiting_for_permit,
};
