//! What the server remembers: sessions, their threads and messages, and what came in.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::server::Received;

#[derive(Default)]
pub struct Store {
    pub received: Vec<Received>,
    pub sessions: HashMap<Uuid, Session>,
}

pub struct Session {
    pub title: String,
    pub is_private: bool,
    pub session_group_id: Value,
    pub created_at: DateTime<Utc>,
    pub plan_id: Uuid,
    pub threads: Vec<Thread>,
}

pub struct Thread {
    pub id: Uuid,
    user: Entry,
    reply: Entry,
    due: Instant,
    interrupted: bool,
}

struct Entry {
    id: Uuid,
    text: String,
    ts: f64,
}

impl Thread {
    pub fn new(message: &str, reply: &str, after: Duration) -> Self {
        let now = Utc::now().timestamp_micros() as f64 / 1e6;
        Self {
            id: Uuid::new_v4(),
            user: Entry {
                id: Uuid::new_v4(),
                text: message.into(),
                ts: now,
            },
            reply: Entry {
                id: Uuid::new_v4(),
                text: reply.into(),
                ts: now + after.as_secs_f64(),
            },
            due: Instant::now() + after,
            interrupted: false,
        }
    }

    /// A follow-up ends a turn that is still in flight: its reply never comes.
    pub fn interrupt(&mut self) {
        self.interrupted |= Instant::now() < self.due;
    }

    fn replied(&self) -> bool {
        !self.interrupted && Instant::now() >= self.due
    }

    /// The user's message, as the service shows it.
    pub fn user_message(&self, session: Uuid) -> Value {
        self.message(session, &self.user, "user", "message")
    }

    /// Everything visible now, oldest first. The last message repeats the final one.
    pub fn messages(&self, session: Uuid) -> Vec<Value> {
        let mut all = vec![self.user_message(session)];
        if self.replied() {
            let mut last = self.message(session, &self.reply, "assistant", "message");
            last["id"] = json!(Uuid::from_u128(self.reply.id.as_u128() ^ 1));
            all.push(last);
            all.push(self.message(session, &self.reply, "assistant", "final_message"));
        }
        all
    }

    fn message(&self, session: Uuid, entry: &Entry, role: &str, kind: &str) -> Value {
        let at = DateTime::from_timestamp_micros((entry.ts * 1e6) as i64).unwrap_or_default();
        json!({
            "id": entry.id, "chat_id": session, "chat_thread_id": self.id, "task_id": self.id,
            "role": role, "type": kind, "message": entry.text, "ts": entry.ts,
            "created_at": at, "updated_at": at,
        })
    }
}

impl Session {
    /// Whether the agent has written its plan, which it does with the first reply.
    pub fn has_plan(&self) -> bool {
        self.threads.first().is_some_and(Thread::replied)
    }
}
