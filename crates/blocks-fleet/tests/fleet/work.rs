//! Implements [`BatchWork`], which creates the sessions of a batch and waits for the replies, for the tests of this
//! folder.

use std::collections::BTreeMap;
use std::sync::Mutex;

use blocks_fleet::{
    BatchPrompt, BatchWork, BeforeSend, Created, Fingerprint, NotCreated, Replied, WorkFuture,
};
use blocks_sdk::{Agent, Client, CreateEffect, CreateSession, Error};
use serde_json::json;

pub struct Work {
    client: Client,
    effects: Mutex<BTreeMap<usize, CreateEffect>>,
}

impl Work {
    pub fn new(client: Client) -> Self {
        let effects = Mutex::default();
        Self { client, effects }
    }
}

/// Returns a prompt whose text is its id.
pub fn prompt(id: &str) -> BatchPrompt {
    BatchPrompt {
        id: id.to_owned(),
        request: CreateSession::new(Agent::claude(), id),
        fingerprint: Fingerprint::new(&json!({"agent_name": "claude", "message": id})),
    }
}

impl BatchWork for Work {
    type Report = Result<String, String>;

    fn create<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        before_send: BeforeSend,
    ) -> WorkFuture<'a, Result<Created, NotCreated<Self::Report>>> {
        Box::pin(async move {
            let failed = |error: Error| NotCreated {
                may_have_taken_effect: error.may_have_taken_effect(),
                session_id: error.session_id().map(ToString::to_string),
                report: Err(error.to_string()),
            };
            let permit = self.client.acquire_create().await.map_err(failed)?;
            self.effects.lock().unwrap().insert(index, permit.effect());
            if let Err(error) = before_send.await {
                return Err(NotCreated {
                    may_have_taken_effect: false,
                    session_id: None,
                    report: Err(error.to_string()),
                });
            }
            let session = permit.create_session(prompt.request.clone()).await;
            let session = session.map_err(failed)?;
            Ok(Created {
                session_id: session.id().to_string(),
                session_html_url: None,
                pending: session.first_turn().ok().map(|turn| turn.pending().clone()),
            })
        })
    }

    fn may_have_taken_effect(&self, index: usize) -> bool {
        self.effects.lock().unwrap()[&index].may_have_taken_effect()
    }

    fn is_failed(&self, _: &serde_json::Value) -> bool {
        false
    }

    fn reply<'a>(
        &'a self,
        _: usize,
        _: &'a BatchPrompt,
        created: Created,
    ) -> WorkFuture<'a, Replied<Self::Report>> {
        Box::pin(async move {
            let pending = created.pending.expect("the mock names a thread");
            let reply = self.client.resume(pending).reply().await;
            let text = reply.map(|reply| reply.text().to_owned());
            let text = text.map_err(|error| error.to_string());
            Replied {
                result: text.as_ref().ok().map(|text| json!({"text": text})),
                report: text,
            }
        })
    }
}
