//! `batch`: many prompts, on one budget.

mod journal;

use std::time::Duration;

use blocks_sdk::{Client, Error, Pending};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::text_of;
use super::turn::interruptible;
use crate::args::BatchArgs;
use crate::exit::{Code, Exit};
use crate::output::Output;
use crate::prompts::{self, Prompt};
use journal::{Journal, State};

/// How many ended in each way.
#[derive(Default)]
struct Tally {
    replied: usize,
    failed: usize,
    running: usize,
    unknown: usize,
}

pub async fn batch(args: BatchArgs, output: &Output) -> Result<(), Exit> {
    let file = args.file.to_string_lossy();
    let text = if file == "-" {
        text_of("-")?
    } else {
        text_of(&format!("@{file}"))?
    };
    let prompts = prompts::parse(&text).map_err(Exit::wrong_use)?;
    let journal = Journal::open(args.journal.as_deref())?;
    let client = output.client()?;
    let total = prompts.len();
    let mut tally = Tally::default();
    // Those that go on from an earlier run come first: their agents may be done.
    let mut open = FuturesUnordered::new();
    for prompt in prompts {
        match journal.state(&prompt.id) {
            Some(State::Ended(result)) => {
                tally.replied += 1;
                output.json(&result)?;
            }
            Some(State::Created(pending)) => {
                open.push(one(&client, &journal, prompt, Some(pending), args.timeout));
            }
            Some(State::Starting) if !args.retry_unknown => {
                tally.unknown += 1;
                output.note(&format!(
                    "{}: an earlier run was interrupted while it was started, so a session may \
                     exist; --retry-unknown starts it again",
                    prompt.id
                ));
                output.json(&json!({"id": prompt.id, "status": "unknown"}))?;
            }
            Some(State::Starting) | None => {
                open.push(one(&client, &journal, prompt, None, args.timeout));
            }
        }
    }
    let run = async {
        while let Some((id, result)) = open.next().await {
            let line = result_line(&id, &result, &mut tally);
            output.json(&line)?;
            let ended = tally.replied + tally.failed + tally.running + tally.unknown;
            let status = line["status"].as_str().unwrap_or_default();
            output.note(&format!("{ended} of {total}: {id} {status}"));
        }
        Ok::<(), Exit>(())
    };
    interruptible(run).await.map_err(|exit| {
        Exit::new(
            exit.code,
            "interrupted; start it again with the same --journal to go on",
        )
    })??;
    output.note(&format!(
        "{} replied, {} failed, {} still running, {} of unknown fate",
        tally.replied, tally.failed, tally.running, tally.unknown
    ));
    match tally {
        Tally { unknown: 1.., .. } => {
            Err(Exit::new(Code::FateUnknown, "some may have been started"))
        }
        Tally { running: 1.., .. } => Err(Exit::new(Code::StillRunning, "some are still running")),
        Tally { failed: 1.., .. } => Err(Exit::failed("some failed")),
        _ => Ok(()),
    }
}

/// Starts a prompt, or goes on from where an earlier run left it, until its reply.
async fn one(
    client: &Client,
    journal: &Journal,
    prompt: Prompt,
    pending: Option<Pending>,
    timeout: Duration,
) -> (String, Result<Value, Failure>) {
    let result = async {
        let pending = match pending {
            Some(pending) => pending,
            None => {
                let note = {
                    let (journal, id) = (journal.clone(), prompt.id.clone());
                    move || journal.starting(&id)
                };
                let create = client.create_session_noting(prompt.request, note);
                let session = match create.await {
                    Err(error) if !error.may_have_taken_effect() => {
                        journal.not_started(&prompt.id)?;
                        return Err(error.into());
                    }
                    result => result?,
                };
                let pending = session.turn()?.pending().clone();
                journal.created(&prompt.id, &pending)?;
                pending
            }
        };
        let reply = client
            .resume(pending.clone())
            .reply()
            .timeout(timeout)
            .await?;
        let result = json!({
            "id": prompt.id, "status": "completed", "session_id": pending.session_id(),
            "thread_id": pending.thread_id(), "final_message": reply.text(),
        });
        journal.ended(&prompt.id, &result)?;
        Ok(result)
    };
    (prompt.id.clone(), result.await)
}

/// Why a prompt has no reply: its own error, or the journal's.
enum Failure {
    Sdk(Error),
    Journal(Exit),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sdk(error)
    }
}

impl From<Exit> for Failure {
    fn from(exit: Exit) -> Self {
        Self::Journal(exit)
    }
}

fn result_line(id: &str, result: &Result<Value, Failure>, tally: &mut Tally) -> Value {
    let error = match result {
        Ok(line) => {
            tally.replied += 1;
            return line.clone();
        }
        Err(Failure::Sdk(error)) => error,
        Err(Failure::Journal(exit)) => {
            tally.failed += 1;
            return json!({"id": id, "status": "failed", "error": exit.message});
        }
    };
    let status = if error.may_have_taken_effect() {
        tally.unknown += 1;
        "unknown"
    } else if error.kind() == blocks_sdk::ErrorKind::Deadline {
        tally.running += 1;
        "timed_out"
    } else {
        tally.failed += 1;
        "failed"
    };
    json!({"id": id, "status": status, "session_id": error.session_id(), "error": error.to_string()})
}
