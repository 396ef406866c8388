//! Compares the service's responses, live or captured, with the OpenAPI document. Captured requests are compared too.

mod capture;
pub mod exchange;
pub mod mock;
mod probe;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::document::Document;
use crate::finding::CheckResult;
use exchange::{Body, Comparison, Exchange, parse_body};
use probe::{Auth, Probe};

/// The maximum number of requests in one run, not counting two requests that check the key and the session. The service
/// allows 100 requests per minute for one key, and this maximum is far below that limit.
const MOST_REQUESTS: usize = 60;

/// The service that the requests go to, and the API key for it.
pub struct Target {
    /// The base URL, such as `https://api.blocks.team`.
    pub base: String,
    /// The key, which is sent only to the base URL.
    pub key: Option<String>,
}

/// The options of a live check.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// The id of a session to read.
    pub session: Option<String>,
    /// Whether to create a session and to send a follow-up. The service bills both, but a mock server bills nothing.
    pub create: bool,
    /// The folder in which to save the responses.
    pub save: Option<PathBuf>,
}

impl Target {
    /// Reads the base URL and the key from the environment variables `BLOCKS_API_BASE_URL` and `BLOCKS_API_KEY`. The
    /// default base URL is `https://api.blocks.team`.
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        Self {
            base: variable("BLOCKS_API_BASE_URL")
                .unwrap_or_else(|| "https://api.blocks.team".to_owned()),
            key: variable("BLOCKS_API_KEY"),
        }
    }
}

/// Sends requests to the service and compares the responses with the OpenAPI document. A response with status 429 or
/// 5xx is an error instead. The responses to the two requests that check the key and the session are not compared.
///
/// # Errors
/// Fails if the base URL is invalid, or is neither `https` nor a loopback address. Also fails if `options` ask to read
/// or create a session, and `target` has no key.
pub async fn check(
    document: &Document,
    target: &Target,
    options: &LiveOptions,
) -> Result<CheckResult> {
    if target.key.is_none() && (options.session.is_some() || options.create) {
        bail!("BLOCKS_API_KEY is needed to read or create a session");
    }
    let mut run = Run::new(document, target, options)?;
    run.all().await;
    Ok(run.finish())
}

/// Compares captured requests and responses with the OpenAPI document. An entry of a HAR file is compared only if its
/// request was sent to a server in the OpenAPI document, or to the host in `base`.
///
/// # Errors
/// Fails if the captured responses cannot be read.
pub fn check_captures(document: &Document, path: &Path, base: &str) -> Result<CheckResult> {
    let servers = document.0.value["servers"].as_array().into_iter().flatten();
    let urls = servers.filter_map(|s| s["url"].as_str()).chain([base]);
    let hosts: Vec<String> = urls
        .filter_map(|url| Some(reqwest::Url::parse(url).ok()?.host_str()?.to_owned()))
        .collect();
    let captures = capture::read(path, &hosts)?;
    let mut comparison = Comparison::new(document);
    for exchange in &captures.exchanges {
        comparison.add(exchange, None);
    }
    let mut result = comparison.finish();
    result.notes.push(format!(
        "{} captured responses in {}; left out: {}",
        captures.exchanges.len(),
        path.display(),
        capture::counts(&captures.skipped)
    ));
    Ok(result)
}

/// Returns whether requests to a base URL are encrypted, or do not leave this machine.
fn keeps_secrets(base: &reqwest::Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|a| a.is_loopback());
    base.scheme() == "https" || (base.scheme() == "http" && loopback)
}

/// Returns the error for a response with status 429 or 5xx.
fn unavailable(exchange: &Exchange) -> String {
    let Exchange { name, status, .. } = exchange;
    format!("{name}: the service responded with {status}; try again later")
}

struct Run<'a> {
    target: &'a Target,
    options: &'a LiveOptions,
    base: reqwest::Url,
    http: reqwest::Client,
    sent: usize,
    /// The number of responses that were compared.
    compared: usize,
    /// Whether the run has stopped sending requests, because a request failed (no connection, or a body that is too
    /// large) or got a 429.
    stopped: bool,
    errors: Vec<String>,
    comparison: Comparison<'a>,
}

impl<'a> Run<'a> {
    fn new(document: &'a Document, target: &'a Target, options: &'a LiveOptions) -> Result<Self> {
        let base = reqwest::Url::parse(&target.base).context("BLOCKS_API_BASE_URL")?;
        if !keeps_secrets(&base) {
            bail!("BLOCKS_API_BASE_URL must be https, unless it is loopback");
        }
        let mut http = reqwest::Client::builder()
            // Redirects are not followed, because a redirect could send the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30));
        if base.scheme() != "https" {
            // The proxy that the environment names is not used. It could read the key, because the request is not
            // encrypted.
            http = http.no_proxy();
        }
        let http = http.build()?;
        Ok(Self {
            target,
            options,
            base,
            http,
            sent: 0,
            compared: 0,
            stopped: false,
            errors: Vec::new(),
            comparison: Comparison::new(document),
        })
    }

    async fn all(&mut self) {
        self.send_all(probe::without_key()).await;
        // After a 429 or a lost connection, the key and the session are not checked either.
        if self.target.key.is_none() || self.stopped {
            return;
        }
        // A rejected key or a missing session is reported as an error. It is not a finding, because it is not a
        // difference from the OpenAPI document.
        let probes = probe::rejected();
        let Some(exchange) = self.exchange_or_stop(&probes[0]).await else {
            return;
        };
        if matches!(exchange.status, 401 | 403) {
            let error = format!(
                "{}: the key was rejected with {}; check BLOCKS_API_KEY",
                exchange.name, exchange.status
            );
            return self.errors.push(error);
        }
        self.send_all(probes).await;
        if self.stopped {
            return;
        }
        if let Some(session) = self.options.session.clone() {
            let reads = probe::reads(&session);
            let Some(exchange) = self.exchange_or_stop(&reads[0]).await else {
                return;
            };
            if matches!(exchange.status, 404 | 410) {
                let name = exchange.name;
                self.errors.push(format!("{name}: the session does not exist; name another one"));
            } else {
                self.read(&session).await;
            }
        }
        if self.options.create
            && let Some(session) = self.send(&probe::create()).await
            && let Some(id) = session["id"].as_str().map(str::to_owned)
        {
            self.send(&probe::follow_up(&id)).await;
            self.read(&id).await;
        }
    }

    async fn read(&mut self, session: &str) {
        let (mut thread, mut artifact) = (None, None);
        for probe in probe::reads(session) {
            let Some(body) = self.send(&probe).await else {
                continue;
            };
            let text = |value: &Value| value.as_str().map(str::to_owned);
            // Searches for an item with a thread, because some items, such as a system notice, belong to no thread.
            let mut items = body["items"].as_array().into_iter().flatten();
            thread = thread.or_else(|| items.find_map(|item| text(&item["chat_thread_id"])));
            artifact = artifact.or_else(|| text(&body["plan_artifact_ids"][0]));
        }
        self.send_all(probe::parts(session, thread.as_deref(), artifact.as_deref())).await;
    }

    async fn send_all(&mut self, probes: Vec<Probe>) {
        for probe in probes {
            self.send(&probe).await;
        }
    }

    /// Sends the request of a probe, and compares the response with the OpenAPI document. Returns the JSON body of a
    /// 2xx response. A response with status 429 or 5xx is not compared, but becomes an error.
    async fn send(&mut self, probe: &Probe) -> Option<Value> {
        if self.stopped || self.sent == MOST_REQUESTS {
            return None;
        }
        self.sent += 1;
        let exchange = self.exchange_or_stop(probe).await?;
        if exchange.status >= 500 {
            self.errors.push(unavailable(&exchange));
            return None;
        }
        if let Some(folder) = &self.options.save
            && let Err(error) = capture::save(folder, self.sent, &exchange)
        {
            self.errors.push(format!("{error:#}"));
        }
        self.compared += 1;
        self.comparison.add(&exchange, Some(probe.expected));
        match exchange.body {
            Body::Json(value) if exchange.status < 300 => Some(value),
            _ => None,
        }
    }

    /// Sends the request of a probe. If the request fails or gets a 429, adds an error, stops the run and returns
    /// `None`.
    async fn exchange_or_stop(&mut self, probe: &Probe) -> Option<Exchange> {
        let error = match self.exchange(probe).await {
            Ok(exchange) if exchange.status != 429 => return Some(exchange),
            Ok(exchange) => unavailable(&exchange),
            Err(error) => format!("{error:#}"),
        };
        self.stopped = true;
        self.errors.push(error);
        None
    }

    async fn exchange(&self, probe: &Probe) -> Result<Exchange> {
        let path = format!("/rest/v1{}", probe.path);
        let query =
            if probe.query.is_empty() { String::new() } else { format!("?{}", probe.query) };
        let name = format!("{}: {} {path}{query}", probe.name, probe.method);
        let base = self.base.as_str().trim_end_matches('/');
        let mut request = self.http.request(probe.method.clone(), format!("{base}{path}{query}"));
        let key = match probe.auth {
            Auth::None => None,
            Auth::Wrong => Some("wrong-on-purpose"),
            Auth::Key => self.target.key.as_deref(),
        };
        if let Some(key) = key {
            let mut value = reqwest::header::HeaderValue::try_from(format!("ApiKey {key}"))
                .map_err(|_| anyhow!("BLOCKS_API_KEY has characters that no header can carry"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &probe.body {
            request = request.json(body);
        }
        let failed = |e: reqwest::Error| anyhow::Error::new(e.without_url()).context(name.clone());
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let media_type =
            response.headers().get("content-type").and_then(|v| v.to_str().ok().map(str::to_owned));
        let bytes = crate::limited::body(response).await.with_context(|| name.clone())?;
        Ok(Exchange {
            name: name.clone(),
            method: probe.method.to_string(),
            path,
            query: Vec::new(),
            sent: None,
            status,
            media_type,
            body: parse_body(&bytes),
        })
    }

    fn finish(self) -> CheckResult {
        let host = self.base.host_str().unwrap_or_default();
        let part = match (&self.target.key, self.sent) {
            (None, _) => ", without a key (BLOCKS_API_KEY)",
            (_, MOST_REQUESTS) => ", the most that one run sends",
            _ => "",
        };
        let mut result = self.comparison.finish();
        result.errors.extend(self.errors);
        result.notes.push(format!("{} responses of {host} were compared{part}", self.compared));
        result
    }
}
