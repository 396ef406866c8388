//! The test setup of each combination, and the guarantees that are checked after each combination. A combination is a
//! call or command, a fault and a dialect (whether the mock behaves like the live service or like the documentation).
//! The setup is a mock with a session whose agent has sent a message, a tool call, a notice, a pull request, a plan and
//! the reply.

use std::time::Duration;

use blocks_mock::{Dialect, Fault, Frequency, Mock, Operation};
use blocks_sdk::{Agent, Client, CreateSession, Error, ErrorKind, RateLimit, RetryPolicy, Session};
use blocks_tests::{Exchange, KEY, Recorder, sample_agent};

use super::faults::MAX_BODY;

/// Returns the two dialects with their names: the behaviour of the live service, and that of the documentation.
pub fn dialects() -> [(&'static str, Dialect); 2] {
    let mut documented = Dialect::documented();
    // The fields `session_group_id` and `plan_artifact_ids` are not in the vendor's documentation. They are added,
    // because otherwise no response would contain the id of a plan.
    documented.observed_fields = true;
    [
        ("observed", Dialect::observed()),
        ("documented", documented),
    ]
}

/// A fault, and the requests that it is injected into.
#[derive(Clone, Debug)]
pub struct InjectedFault {
    pub operation: Operation,
    pub frequency: Frequency,
    pub fault: Fault,
}

pub struct Setup {
    pub mock: Mock,
    pub client: Client,
    pub recorder: Recorder,
    /// A session whose agent has replied.
    pub session: Session,
    /// Another session whose agent has replied, if [`Setup::add_session`] was called.
    pub other: Option<Session>,
    before: Effects,
    received_before: usize,
}

/// The number of sessions and the number of user messages that the mock contains.
#[derive(Clone, Copy, Default, PartialEq)]
struct Effects {
    sessions: usize,
    messages: usize,
}

impl Setup {
    /// Creates a session that has its reply.
    pub async fn new(dialect: Dialect) -> Self {
        let mock = Mock::builder()
            .key(KEY)
            .dialect(dialect)
            .agent(sample_agent())
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
        let session = replied_session(&client).await;
        Self {
            before: Effects::default(),
            received_before: 0,
            mock,
            client,
            recorder,
            session,
            other: None,
        }
    }

    /// Creates another session that has its reply.
    pub async fn add_session(&mut self) {
        self.other = Some(replied_session(&self.client).await);
    }

    /// Injects the fault. The checks ignore everything that happened before this call.
    pub fn inject(&mut self, fault: Option<InjectedFault>) {
        self.recorder.clear();
        self.before = Effects::of(&self.mock);
        self.received_before = self.mock.requests().len();
        if let Some(injected) = fault {
            let InjectedFault {
                operation,
                frequency,
                fault,
            } = injected;
            self.mock.inject(operation, frequency, fault);
        }
    }

    /// Returns the operations that were called since the call of [`Setup::inject`], each once.
    pub fn called(&self) -> Vec<Operation> {
        let received = self.mock.requests().split_off(self.received_before);
        let called: Vec<_> = received.into_iter().filter_map(|r| r.operation).collect();
        let all = Operation::ALL.into_iter();
        all.filter(|operation| called.contains(operation)).collect()
    }

    /// Returns how many sessions and user messages were created since the call of [`Setup::inject`].
    pub fn created(&self) -> (usize, usize) {
        let now = Effects::of(&self.mock);
        (
            now.sessions - self.before.sessions,
            now.messages - self.before.messages,
        )
    }

    /// Checks the guarantees of every combination: the key is sent to the configured base URL only,
    /// and no create or follow-up is duplicated.
    pub fn check(&self, max_created: usize) -> Vec<String> {
        let mut violations = Vec::new();
        for exchange in self.recorder.exchanges() {
            if exchange.with_key && exchange.host != "api.blocks.team" {
                violations.push(format!("the key was sent to {}", exchange.host));
            }
        }
        let (sessions, messages) = self.created();
        if messages > max_created || sessions > max_created {
            violations.push(format!(
                "{sessions} sessions, {messages} messages were created"
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

async fn replied_session(client: &Client) -> Session {
    let mut session = client.create_session(hello()).await.expect("a session");
    // The agent replies without a delay, so the refreshed session already has its reply. A poll would only take time.
    session.refresh().await.expect("the refreshed session");
    session
}

/// Checks the guarantees of every error of the SDK: the error names the operation, does not show the key, and contains
/// the status and the body of the last exchange. The error of a wait's time-out must contain the pending handle.
pub fn check_error(error: &Error, last: Option<&Exchange>) -> Vec<String> {
    let mut violations = Vec::new();
    if format!("{error} {error:?}").contains(KEY) {
        violations.push("the error shows the key".into());
    }
    let was_sent = matches!(
        error.kind(),
        ErrorKind::Status
            | ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Undecodable
            | ErrorKind::RateLimited
    );
    let is_deadline = error.kind() == ErrorKind::Deadline;
    match error.operation() {
        Some(name) if !error.to_string().starts_with(name) => {
            violations.push(format!("the error does not start with {name}: {error}"));
        }
        None if was_sent => violations.push(format!("it names no operation: {error:?}")),
        _ => {}
    }
    if is_deadline && error.pending().is_none() {
        violations.push("a deadline without a pending handle".into());
    }
    let Some(last) = last.filter(|_| was_sent || is_deadline) else {
        return violations;
    };
    // The error of a download has no status and no body if the response was successful, and at most 64 KiB of the body
    // otherwise. So neither is compared.
    if error.operation() == Some("download") {
        return violations;
    }
    if error.status() != last.status {
        violations.push(format!(
            "status {:?} instead of {:?}: {error:?}",
            error.status(),
            last.status
        ));
    }
    let kept = error.body().unwrap_or_default();
    let received = &last.body[..last.body.len().min(MAX_BODY)];
    let received = String::from_utf8_lossy(received);
    if kept != received {
        violations.push(format!(
            "{} bytes were received and {} kept",
            received.len(),
            kept.len()
        ));
    }
    violations
}

pub fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}
