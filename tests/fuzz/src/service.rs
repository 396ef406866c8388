//! Targets that read responses of the service, or of a proxy that responds instead of the service.

use std::cell::RefCell;
use std::time::Duration;

use blocks_sdk::{
    Agent, Client, CreateSession, Error, ErrorKind, FollowUp, RateLimit, RetryPolicy,
};
use blocks_tests::{KEY, Scripted, ScriptedResponse, created, page, session_id, thread_id};
use futures_util::StreamExt;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// A client on a paused clock, and the transport that responds to the client.
struct Setup {
    runtime: Runtime,
    service: Scripted,
    client: RefCell<Client>,
}

thread_local! {
    /// The setup of this thread. It is reused, because building a client takes longer than checking most inputs.
    static SETUP: Setup = Setup::new();
}

impl Setup {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let service = Scripted::new([]);
        Self {
            runtime,
            client: client(&service).into(),
            service,
        }
    }

    fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// Runs `work`. The first response is `response`, and every later response is an empty page.
    fn run<T>(&self, response: ScriptedResponse, work: impl AsyncFnOnce(&Client) -> T) -> T {
        self.service
            .replace([response, ScriptedResponse::ok(&page(json!([])))]);
        let value = self.runtime.block_on(work(&self.client()));
        for seen in self.service.seen() {
            assert_eq!(seen.url.host_str(), Some("api.blocks.team"), "{}", seen.url);
            assert!(seen.url.path().starts_with("/rest/v1/"), "{}", seen.url);
        }
        value
    }
}

/// Checks that an error does not show the key. If a request was sent, the error must also name the operation.
fn check(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains(KEY));
    assert!(!format!("{error:?}").contains(KEY));
    let is_not_sent = matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::UntrustedLink | ErrorKind::UnknownTurn
    );
    assert!(error.operation().is_some() || is_not_sent, "{error}");
}

fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}

/// Runs an operation whose response has the status 200 and an arbitrary body. The first byte of `data` selects the
/// operation, and the other bytes are the body.
pub fn responses(data: &[u8]) {
    let Some((operation, body)) = data.split_first() else {
        return;
    };
    let response = ScriptedResponse::bytes(200, body.to_vec());
    SETUP.with(|setup| {
        let sent = setup.run(response, async |client| read(client, *operation).await);
        if let Err(error) = sent {
            check(&error);
            let creates = operation % 6 < 2;
            assert_eq!(error.may_have_taken_effect(), creates, "{error:?}");
            assert!(error.body().is_some(), "{error:?}");
        }
    });
}

async fn read(client: &Client, operation: u8) -> Result<(), Error> {
    let retry = RetryPolicy::none();
    let client = client.with_retry(retry);
    let session = client.session(session_id());
    let thread = thread_id();
    match operation % 6 {
        0 => {
            let session = client.create_session(hello()).await?;
            // The link to the reply comes from the input. The SDK must not follow the link to another host.
            if let Ok(turn) = session.first_turn() {
                let _ = turn.poll_once().await;
            }
            let _ = format!("{session:?}");
        }
        1 => drop(session.follow_up(FollowUp::new("more")).await?),
        2 => drop(client.get_session(session.id()).await?),
        3 => {
            let wait = session.turn_in_thread(thread).reply();
            let ended = wait.timeout(Duration::from_secs(5)).await;
            // One response that cannot be decoded does not end a wait, so the wait ends with a reply or at its
            // time-out.
            let error = ended.err().map(|error| error.kind());
            assert!(
                matches!(error, None | Some(ErrorKind::Deadline)),
                "{error:?}"
            );
        }
        4 => {
            let mut stream = std::pin::pin!(session.messages().stream());
            while let Some(message) = stream.next().await {
                message?;
            }
        }
        _ => drop(session.transcript().await?),
    }
    Ok(())
}

/// Runs a read whose response has an arbitrary body and a status from 300 to 599. The first two bytes of `data` select
/// the status, and the other bytes are the body.
pub fn errors(data: &[u8]) {
    let [high, low, body @ ..] = data else {
        return;
    };
    let status = 300 + u16::from_be_bytes([*high, *low]) % 300;
    let response = ScriptedResponse::bytes(status, body.to_vec());
    SETUP.with(|setup| {
        let id = session_id();
        let work =
            async |client: &Client| client.with_retry(RetryPolicy::none()).get_session(id).await;
        let error = setup.run(response, work).expect_err("no success");
        check(&error);
        assert_eq!(error.status(), Some(status));
        assert!(error.body().is_some());
        let text = error.to_string();
        assert!(text.chars().count() < 1_000, "{text}");
        assert!(!text.contains('\n'), "{text}");
    });
}

/// Uses the input as the text of each link of a session. Links are followed on the configured base URL, or rejected.
pub fn links(data: &[u8]) {
    let href = String::from_utf8_lossy(data);
    let mut session = created();
    for name in ["self", "messages", "thread", "final_message"] {
        session["_links"][name]["href"] = json!(href);
    }
    let response = ScriptedResponse::ok(&session);
    SETUP.with(|setup| {
        setup.run(response, async |client| {
            let session = client.create_session(hello()).await.expect("a session");
            if let Ok(turn) = session.first_turn()
                && let Err(error) = turn.poll_once().await
            {
                check(&error);
            }
            let wait = session.first_turn().map(|turn| turn.reply());
            if let Ok(wait) = wait {
                let _ = wait.timeout(Duration::from_secs(3)).await;
            }
        });
    });
}

/// Uses the input as the `Retry-After` of a 429. The call waits for that time, or fails within the call's time-out.
pub fn retry_after(data: &[u8]) {
    let text: String = String::from_utf8_lossy(data)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let response = ScriptedResponse::text(429, "").header("retry-after", text);
    SETUP.with(|setup| {
        let left = setup.runtime.block_on(async {
            setup
                .service
                .replace([response, ScriptedResponse::ok(&created())]);
            let started = Instant::now();
            let error = setup.client().create_session(hello()).await.err()?;
            assert!(started.elapsed() <= Duration::from_secs(125), "{error:?}");
            check(&error);
            assert!(!error.may_have_taken_effect());
            error.retry_after()
        });
        // After an error, the rate limiter of this client is still paused, and the next input would use the same
        // client. A pause of less than a day ends on the paused clock, before the next input. After a longer pause, a
        // new client replaces this client.
        match left {
            Some(left) if left < Duration::from_secs(86_400) => {
                setup
                    .runtime
                    .block_on(async { tokio::time::sleep(left).await });
            }
            Some(_) => *setup.client.borrow_mut() = client(&setup.service),
            None => {}
        }
    });
}

fn client(service: &Scripted) -> Client {
    let limit = RateLimit::per_minute(6_000_000).expect("a rate");
    let builder = service.builder().rate_limit(limit).max_body(1 << 20);
    builder.build().expect("a client")
}
