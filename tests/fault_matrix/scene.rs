//! The scene of each combination: a mock whose agent has done a bit of everything, and what
//! holds whatever went wrong.

use std::time::Duration;

use blocks_mock::{Action, Dialect, Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Agent, Client, CreateSession, Error, ErrorKind, RateLimit, RetryPolicy, Session};
use blocks_tests::{Exchange, KEY, Recorder};

use crate::faults::MAX_BODY;

/// The two dialects, by name.
pub fn dialects() -> [(&'static str, Dialect); 2] {
    let mut documented = Dialect::documented();
    // Not documented, and the only way to find a plan.
    documented.observed_fields = true;
    [
        ("observed", Dialect::observed()),
        ("documented", documented),
    ]
}

/// Where and how often a fault strikes.
#[derive(Clone, Debug)]
pub struct Strike {
    pub operation: Operation,
    pub when: Frequency,
    pub fault: Fault,
}

pub struct Scene {
    pub mock: Mock,
    pub client: Client,
    pub recorder: Recorder,
    /// A session whose agent has replied.
    pub session: Session,
    before: Effects,
    received_before: usize,
}

/// What exists.
#[derive(Clone, Copy, PartialEq)]
struct Effects {
    sessions: usize,
    messages: usize,
}

impl Scene {
    /// The scene, in which something goes wrong from now on.
    pub async fn new(dialect: Dialect, strike: Option<Strike>) -> Self {
        let mock = Mock::builder()
            .key(KEY)
            .dialect(dialect)
            .agent(busy())
            .seed(1)
            .build();
        let recorder = Recorder::new(&mock);
        let client = Client::builder(KEY)
            .service(recorder.clone())
            .max_body(MAX_BODY)
            .retry(RetryPolicy::default().call_timeout(Duration::from_secs(120)))
            .rate_limit(RateLimit::per_minute(6_000_000).expect("a rate"))
            .build()
            .expect("a client");
        let mut session = client.create_session(hello()).await.expect("a session");
        session.first_reply().await.expect("a reply");
        session.refresh().await.expect("the session again");
        recorder.clear();
        if let Some(strike) = strike {
            mock.inject(strike.operation, strike.when, strike.fault);
        }
        Self {
            before: Effects::of(&mock),
            received_before: mock.requests().len(),
            mock,
            client,
            recorder,
            session,
        }
    }

    /// The operations that were asked for, each once.
    pub fn touched(&self) -> Vec<Operation> {
        let received = self.mock.requests().split_off(self.received_before);
        let asked: Vec<_> = received.into_iter().filter_map(|r| r.operation).collect();
        let all = Operation::ALL.into_iter();
        all.filter(|operation| asked.contains(operation)).collect()
    }

    /// How many sessions and user's messages came about meanwhile.
    pub fn made(&self) -> (usize, usize) {
        let now = Effects::of(&self.mock);
        (
            now.sessions - self.before.sessions,
            now.messages - self.before.messages,
        )
    }

    /// What holds for every act: the key stays at home, and nothing is begun twice.
    pub fn check(&self, may_begin: usize) -> Vec<String> {
        let mut violations = Vec::new();
        for exchange in self.recorder.exchanges() {
            if exchange.with_key && exchange.host != "api.blocks.team" {
                violations.push(format!("the key went to {}", exchange.host));
            }
        }
        let (sessions, messages) = self.made();
        if messages > may_begin || sessions > may_begin {
            violations.push(format!(
                "{sessions} sessions, {messages} messages were made"
            ));
        }
        violations
    }
}

impl Effects {
    fn of(mock: &Mock) -> Self {
        Self {
            sessions: mock.session_count(),
            messages: mock.user_message_count(),
        }
    }
}

/// What holds for an error of the SDK: it names the operation, shows no key, and has all that
/// was received.
pub fn check_error(error: &Error, exchanges: &[Exchange]) -> Vec<String> {
    let mut violations = Vec::new();
    let told = format!("{error} {error:?}");
    if told.contains(KEY) {
        violations.push("the error shows the key".into());
    }
    let asked = matches!(
        error.kind(),
        ErrorKind::Status
            | ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Undecodable
            | ErrorKind::RateLimited
    );
    let waited = error.kind() == ErrorKind::Deadline;
    match error.operation() {
        Some(name) if !error.to_string().starts_with(name) => {
            violations.push(format!("the sentence does not begin with {name}: {error}"));
        }
        None if asked => violations.push(format!("it names no operation: {error:?}")),
        _ => {}
    }
    if waited && error.pending().is_none() {
        violations.push("a deadline without what is pending".into());
    }
    let Some(last) = exchanges.last().filter(|_| asked || waited) else {
        return violations;
    };
    // The download's refusals are kept as far as a person reads.
    if error.status() != last.status && error.operation() != Some("download") {
        violations.push(format!(
            "status {:?} instead of {:?}: {error:?}",
            error.status(),
            last.status
        ));
    }
    let kept = error.body().unwrap_or_default();
    let received = &last.body[..last.body.len().min(MAX_BODY)];
    let received = String::from_utf8_lossy(received);
    if error.operation() != Some("download") && kept != received {
        violations.push(format!(
            "{} bytes were received and {} kept",
            received.len(),
            kept.len()
        ));
    }
    violations
}

/// An agent that does a bit of everything at once.
fn busy() -> Script {
    let at = Duration::ZERO;
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: serde_json::json!({"command": "ls"}),
    };
    let plan = Action::Plan {
        file_name: "../plan.md".into(),
        text: "1. Go.".into(),
    };
    Script::reply("Done.")
        .step(at, Action::Message("Looking.".into()))
        .step(at, tool)
        .step(at, plan)
        .step(at, Action::PullRequest("https://example.com/1".into()))
}

pub fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}
