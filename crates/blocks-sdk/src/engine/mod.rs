//! Makes calls to the service: waits for permits, sends and repeats requests, and builds errors.
//!
//! This layer uses the generated client. The modules for clients, sessions and messages use this layer, and this layer
//! does not use those modules. The entry points are the methods of [`Engine`], such as [`Engine::call`].

pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod effect;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod http;
pub(crate) mod key;
pub(crate) mod link;
pub(crate) mod mismatch;
pub(crate) mod pending;
pub(crate) mod rate_limit;
pub(crate) mod received;
pub(crate) mod repair;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod retry_after;
pub(crate) mod telemetry;
pub(crate) mod transport;

use std::sync::Arc;

use blocks_api::hook::{Hook, Sender};
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::engine::key::Key;
use crate::engine::rate_limit::{RateLimit, RateLimiter};
use crate::engine::retry::{AttemptTimeouts, RetryPolicy};
use crate::engine::transport::{ClientTransport, Transport};

/// Makes calls with a retry policy and time-outs. Clones share `core`, and can differ in the other fields.
#[derive(Clone)]
pub(crate) struct Engine {
    pub core: Arc<Core>,
    pub retry: RetryPolicy,
    pub timeouts: AttemptTimeouts,
}

/// The state that the clones of an engine share.
#[derive(Clone)]
pub(crate) struct Core {
    pub base: Url,
    pub key: Key,
    /// Builds requests, which `transport` then sends.
    pub http: reqwest::Client,
    pub hook: Hook,
    pub transport: ClientTransport,
    /// Sends the requests that download files from storage hosts.
    pub downloads: Arc<dyn Transport>,
    pub limiter: Arc<RateLimiter>,
    pub rate_limit: RateLimit,
    pub user_agent: HeaderValue,
    pub max_body: usize,
    /// Whether files may be downloaded over plain http from any host. A loopback address is always allowed.
    pub allow_http: bool,
}

impl Core {
    /// Returns a generated client that sends its requests with `sender`.
    fn api(&self, sender: Arc<dyn Sender>) -> blocks_api::Client {
        let origin = self.base.as_str().trim_end_matches('/');
        blocks_api::Client::new_with_client(
            origin,
            self.http.clone(),
            self.hook.with_sender(sender),
        )
    }
}
