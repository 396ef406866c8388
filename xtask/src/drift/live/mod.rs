//! The service's answers against the document, live or captured.

mod capture;
pub mod exchange;
pub mod mock;
mod probe;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use super::document::Document;
use super::finding::Outcome;
use exchange::Exchange;
use probe::{Auth, Probe};

/// Far below the 100 requests that the service takes in a minute with one key.
const MOST_REQUESTS: usize = 60;

/// The service that is asked, and with which key.
pub struct Target {
    /// The base URL, such as `https://api.blocks.team`.
    pub base: String,
    /// The key, which goes to the base URL only.
    pub key: Option<String>,
}

/// How far a live check goes.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// A session to read.
    pub session: Option<String>,
    /// Whether to create a session and to follow up, both of which are billed.
    pub create: bool,
    /// Where to write the answers down.
    pub save: Option<PathBuf>,
}

impl Target {
    /// The service of the environment: `BLOCKS_API_BASE_URL` and `BLOCKS_API_KEY`.
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        Self {
            base: variable("BLOCKS_API_BASE_URL")
                .unwrap_or_else(|| "https://api.blocks.team".to_owned()),
            key: variable("BLOCKS_API_KEY"),
        }
    }
}

/// Asks the service and compares every answer with the document.
///
/// # Errors
/// The base URL is none, or a session is asked for without a key.
pub async fn check(document: &Document, target: &Target, reach: &Reach) -> Result<Outcome, String> {
    if target.key.is_none() && (reach.session.is_some() || reach.create) {
        return Err("BLOCKS_API_KEY is needed to read or create a session".to_owned());
    }
    let mut run = Run::new(document, target, reach)?;
    run.all().await;
    Ok(run.finish())
}

/// Compares captured answers with the document.
///
/// # Errors
/// They cannot be read.
pub fn check_captures(document: &Document, path: &Path) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let exchanges = capture::read(path)?;
    for exchange in &exchanges {
        add(&mut outcome, exchange.findings(document, None));
    }
    outcome.looked_at.push(format!(
        "{} captured answers in {}",
        exchanges.len(),
        path.display()
    ));
    Ok(outcome)
}

/// The same difference in many answers is one.
fn add(outcome: &mut Outcome, findings: Vec<super::finding::Finding>) {
    for finding in findings {
        let same = |f: &super::finding::Finding| {
            (f.kind, &f.pointer, &f.scope, &f.other)
                == (
                    finding.kind,
                    &finding.pointer,
                    &finding.scope,
                    &finding.other,
                )
        };
        if !outcome.findings.iter().any(same) {
            outcome.findings.push(finding);
        }
    }
}

/// Whether nobody on the way can read what is sent there.
fn keeps_secrets(base: &reqwest::Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|a| a.is_loopback());
    base.scheme() == "https" || (base.scheme() == "http" && loopback)
}

struct Run<'a> {
    document: &'a Document,
    target: &'a Target,
    reach: &'a Reach,
    base: reqwest::Url,
    http: reqwest::Client,
    sent: usize,
    /// Set once asking on is of no use.
    stopped: bool,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(document: &'a Document, target: &'a Target, reach: &'a Reach) -> Result<Self, String> {
        let base =
            reqwest::Url::parse(&target.base).map_err(|e| format!("BLOCKS_API_BASE_URL: {e}"))?;
        if !keeps_secrets(&base) {
            return Err("BLOCKS_API_BASE_URL must be https, unless it is loopback".into());
        }
        let mut http = reqwest::Client::builder()
            // The key goes to the configured host only.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30));
        if base.scheme() != "https" {
            // What is not encrypted would show the key to a proxy that the environment names.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| e.to_string())?;
        Ok(Self {
            document,
            target,
            reach,
            base,
            http,
            sent: 0,
            stopped: false,
            outcome: Outcome::default(),
        })
    }

    async fn all(&mut self) {
        self.send_all(probe::without_key()).await;
        if self.target.key.is_none() {
            return;
        }
        self.send_all(probe::refused()).await;
        if let Some(session) = self.reach.session.clone() {
            self.read(&session).await;
        }
        if self.reach.create
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
            // A system notice belongs to no thread.
            let mut items = body["items"].as_array().into_iter().flatten();
            thread = thread.or_else(|| items.find_map(|item| text(&item["chat_thread_id"])));
            artifact = artifact.or_else(|| text(&body["plan_artifact_ids"][0]));
        }
        self.send_all(probe::parts(
            session,
            thread.as_deref(),
            artifact.as_deref(),
        ))
        .await;
    }

    async fn send_all(&mut self, probes: Vec<Probe>) {
        for probe in probes {
            self.send(&probe).await;
        }
    }

    /// Sends a probe and gives the JSON that came back, if any did.
    async fn send(&mut self, probe: &Probe) -> Option<Value> {
        if self.stopped || self.sent == MOST_REQUESTS {
            return None;
        }
        self.sent += 1;
        let exchange = match self.exchange(probe).await {
            Ok(exchange) => exchange,
            Err(error) => {
                self.stopped = true;
                self.outcome.errors.push(error);
                return None;
            }
        };
        if exchange.status == 429 || exchange.status >= 500 {
            let error = format!(
                "{}: the service answered {}; try again later",
                exchange.name, exchange.status
            );
            self.stopped = exchange.status == 429;
            self.outcome.errors.push(error);
            return None;
        }
        if let Some(folder) = &self.reach.save
            && let Err(error) = capture::save(folder, self.sent, &exchange)
        {
            self.outcome.errors.push(error);
        }
        add(
            &mut self.outcome,
            exchange.findings(self.document, Some(probe.expected)),
        );
        exchange.body.filter(|_| exchange.status < 300)
    }

    async fn exchange(&self, probe: &Probe) -> Result<Exchange, String> {
        let path = format!("/rest/v1{}", probe.path);
        let query = if probe.query.is_empty() {
            String::new()
        } else {
            format!("?{}", probe.query)
        };
        let name = format!("{}: {} {path}{query}", probe.name, probe.method);
        let base = self.base.as_str().trim_end_matches('/');
        let mut request = self
            .http
            .request(probe.method.clone(), format!("{base}{path}{query}"));
        let key = match probe.auth {
            Auth::None => None,
            Auth::Wrong => Some("wrong-on-purpose"),
            Auth::Key => self.target.key.as_deref(),
        };
        if let Some(key) = key {
            let mut value = reqwest::header::HeaderValue::try_from(format!("ApiKey {key}"))
                .map_err(|_| "BLOCKS_API_KEY has characters that no header can carry".to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &probe.body {
            request = request.json(body);
        }
        let failed = |e: reqwest::Error| format!("{name}: {}", reason(&e.without_url()));
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(failed)?;
        let body = serde_json::from_slice(&bytes).ok();
        Ok(Exchange {
            name,
            method: probe.method.to_string(),
            path,
            status,
            body,
        })
    }

    fn finish(mut self) -> Outcome {
        let host = self.base.host_str().unwrap_or_default();
        let part = match (&self.target.key, self.sent) {
            (None, _) => ", without a key (BLOCKS_API_KEY)",
            (_, MOST_REQUESTS) => ", the most that one run sends",
            _ => "",
        };
        self.outcome
            .looked_at
            .push(format!("{} answers of {host}{part}", self.sent));
        self.outcome
    }
}

/// An error with its causes: reqwest's own text leaves them out.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
