//! Keeps sessions, threads and messages. No timer executes the steps of a script. Instead, a request for the session
//! first executes all steps whose time has passed.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Clock;
use crate::dialect::Dialect;
use crate::script::{Action, ReplyTiming, Script, Step, TurnInfo};

/// Describes a message that a test adds to a session with [`Mock::add_message`](crate::Mock::add_message).
///
/// ```
#[doc = include_str!("doctest.txt")]
/// # let mock = blocks_mock::Mock::new();
/// # let (_, session) = create(&mock).await?;
/// use blocks_mock::NewMessage;
///
/// // A cursor cannot separate two messages with the same time.
/// for text in ["One.", "Two."] {
///     mock.add_message(session.id(), None, NewMessage::assistant(text, Some(1.0)));
/// }
/// assert_eq!(session.messages().collect().await?.len(), 3, "with the notice of the start");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NewMessage {
    /// `user`, `assistant`, or an unknown value.
    pub role: String,
    /// `message`, `final_message`, `tool_call`, or an unknown value.
    pub kind: String,
    /// Text.
    pub text: String,
    /// Epoch seconds, or null.
    pub ts: Option<f64>,
}

impl NewMessage {
    /// Creates a message with the role `assistant` and the type `message`.
    pub fn assistant(text: impl Into<String>, ts: Option<f64>) -> Self {
        Self {
            role: "assistant".into(),
            kind: "message".into(),
            text: text.into(),
            ts,
        }
    }
}

/// Role and type of a prompt.
const PROMPT: (&str, &str) = ("user", "message");
pub const MESSAGE: (&str, &str) = ("assistant", "message");
const TOOL_CALL: (&str, &str) = ("assistant", "tool_call");
pub const FINAL: (&str, &str) = ("assistant", "final_message");
const NOTICE: (&str, &str) = MESSAGE;

pub struct Message {
    pub id: Uuid,
    /// Number of the message in its session, in the order of creation. Short ids, such as `m3`, contain this number.
    number: u32,
    pub thread: Option<Uuid>,
    task: Uuid,
    pub role: Arc<str>,
    pub kind: Arc<str>,
    text: String,
    pub ts: Option<f64>,
    /// Epoch seconds of the message's creation. Messages without `ts` are sorted by this time.
    created: f64,
}

impl Message {
    pub fn sort_key(&self) -> f64 {
        self.ts.unwrap_or(self.created)
    }

    pub fn json(&self, session: &Session, dialect: &Dialect, clock: &Clock) -> Value {
        let names = Names { session, dialect };
        let thread = match session.threads.first() {
            Some(first) if dialect.final_names_first_thread && *self.kind == *FINAL.1 => {
                self.thread.map(|_| first.id)
            }
            _ => self.thread,
        };
        let mut item = json!({
            "id": names.message(self), "chat_thread_id": thread.map(|id| names.thread(id)),
            "role": *self.role, "type": *self.kind, "message": self.text, "ts": self.ts,
        });
        if !dialect.bare_items {
            let time = dialect.time(clock.iso(self.created));
            item["chat_id"] = json!(session.id);
            item["task_id"] = json!(names.task(self));
            item["created_at"] = json!(time);
            item["updated_at"] = json!(time);
        }
        item
    }
}

/// Formats the ids of a session's messages and threads, and of the tasks that a message names in `task_id`. Parses the
/// ids of threads. The dialect selects UUIDs or short ids, such as `t1`.
pub struct Names<'a> {
    pub session: &'a Session,
    pub dialect: &'a Dialect,
}

impl Names<'_> {
    fn message(&self, message: &Message) -> String {
        match self.dialect.short_ids {
            true => format!("m{}", message.number),
            false => message.id.to_string(),
        }
    }

    pub fn thread(&self, id: Uuid) -> String {
        let threads = &self.session.threads;
        match threads.iter().position(|thread| thread.id == id) {
            Some(index) if self.dialect.short_ids => format!("t{}", index + 1),
            _ => id.to_string(),
        }
    }

    fn task(&self, message: &Message) -> String {
        let threads = &self.session.threads;
        let turn = threads
            .iter()
            .position(|thread| thread.task == message.task);
        match self.dialect.short_ids {
            true => format!("task-{}", turn.map_or(0, |index| index + 1)),
            false => message.task.to_string(),
        }
    }

    /// Parses the id of a thread in a request. Returns the nil UUID, which is not the id of any thread, if the dialect
    /// has UUIDs and the text is not a UUID, or if the dialect has short ids and no thread has this id.
    pub fn read_thread(&self, text: &str) -> Uuid {
        if !self.dialect.short_ids {
            return crate::query::uuid(text).unwrap_or_default();
        }
        let threads = &self.session.threads;
        let found = threads.iter().find(|thread| self.thread(thread.id) == text);
        found.map_or(Uuid::nil(), |thread| thread.id)
    }
}

pub struct Artifact {
    pub id: Uuid,
    pub file_name: String,
    pub text: String,
    pub created: f64,
}

/// Contains a turn of the agent, with the remaining steps of its script.
pub struct Thread {
    pub id: Uuid,
    task: Uuid,
    started: Instant,
    /// Remaining steps with their times. The next step is at the end of the list, so that `pop` returns it.
    to_come: Vec<(Instant, Action)>,
    when: ReplyTiming,
    text: String,
    polls: u64,
    /// Whether the turn has ended, by its reply or by an interruption.
    over: bool,
}

pub struct Session {
    pub id: Uuid,
    /// Number of the session, from 0 in the order of creation.
    pub number: usize,
    pub title: String,
    pub agent_name: Option<String>,
    pub is_private: bool,
    pub group: Value,
    pub created: f64,
    pub pull_requests: Vec<String>,
    pub plans: Vec<Artifact>,
    pub threads: Vec<Thread>,
    /// Messages, sorted by time if `in_order` is true.
    pub messages: Vec<Message>,
    /// The positions of each thread's messages in `messages`. They are correct only if `in_order` is true.
    by_thread: HashMap<Uuid, Vec<usize>>,
    in_order: bool,
    /// The number of messages that were added so far, including deleted messages.
    placed: u32,
}

impl Session {
    pub fn new(id: Uuid, title: String, is_private: bool, group: Value, clock: &Clock) -> Self {
        Self {
            id,
            number: 0,
            title,
            agent_name: None,
            is_private,
            group,
            created: clock.now(),
            pull_requests: Vec::new(),
            plans: Vec::new(),
            threads: Vec::new(),
            messages: Vec::new(),
            by_thread: HashMap::new(),
            in_order: true,
            placed: 0,
        }
    }

    /// Describes the turn that a prompt will start.
    pub fn next_turn(&self, prompt: &str) -> TurnInfo {
        TurnInfo {
            session: self.number,
            turn: self.threads.len(),
            message: prompt.to_owned(),
            title: self.title.clone(),
            agent_name: self.agent_name.clone(),
        }
    }

    /// Starts a turn, and interrupts the turn in progress. Returns the ids of the new thread and of the user's
    /// message.
    pub fn start_turn(
        &mut self,
        text: &str,
        script: Script,
        dialect: &Dialect,
        clock: &Clock,
    ) -> (Uuid, Uuid) {
        let started = clock.instant();
        let time = clock.at(started);
        self.threads.iter_mut().for_each(|thread| {
            thread.over = true;
            thread.to_come.clear();
        });
        let reply = script.schema_reply.and_then(|reply| {
            let prompts = self.prompts().chain([text]);
            reply.text(self.threads.len(), prompts)
        });
        let to_come = schedule(script.steps, started);
        let thread = Thread {
            id: clock.id(),
            task: clock.id(),
            started,
            to_come,
            when: script.when,
            text: reply.unwrap_or(script.text),
            polls: 0,
            over: false,
        };
        let (id, task) = (thread.id, thread.task);
        let first = self.threads.is_empty();
        self.threads.push(thread);
        if first && dialect.system_notices {
            self.place(
                None,
                task,
                NOTICE,
                "The session started.".into(),
                (Some(time), time),
                clock,
            );
        }
        let ts = Some(time).filter(|_| !dialect.user_ts_null);
        let message = self.place(Some(id), task, PROMPT, text.to_owned(), (ts, time), clock);
        (id, message)
    }

    /// Adds a message with the field `ts`, which can be null, and with the time of creation `created`. Returns the
    /// message's id.
    fn place(
        &mut self,
        thread: Option<Uuid>,
        task: Uuid,
        (role, kind): (&str, &str),
        text: String,
        (ts, created): (Option<f64>, f64),
        clock: &Clock,
    ) -> Uuid {
        self.placed += 1;
        let message = Message {
            id: clock.id(),
            number: self.placed - 1,
            thread,
            task,
            role: clock.shared(role),
            kind: clock.shared(kind),
            text,
            ts,
            created,
        };
        let id = message.id;
        let last = self.messages.last().map(Message::sort_key);
        if last.is_some_and(|last| message.sort_key() < last) {
            self.in_order = false;
        } else if let Some(thread) = thread {
            let places = self.by_thread.entry(thread).or_default();
            places.push(self.messages.len());
        }
        self.messages.push(message);
        id
    }

    pub fn add_message(&mut self, thread: Option<Uuid>, spec: NewMessage, clock: &Clock) -> Uuid {
        let (task, kind) = (clock.id(), (spec.role.as_str(), spec.kind.as_str()));
        let times = (spec.ts, clock.now());
        self.place(thread, task, kind, spec.text, times, clock)
    }

    pub fn delete(&mut self, message: Uuid) -> bool {
        let before = self.messages.len();
        self.messages.retain(|m| m.id != message);
        self.in_order &= self.messages.len() == before;
        self.messages.len() < before
    }

    /// Executes the steps that are due, and adds the replies that are due.
    pub fn advance(&mut self, dialect: &Dialect, clock: &Clock) {
        let now = clock.instant();
        for index in 0..self.threads.len() {
            if self.threads[index].over {
                continue;
            }
            let end = match self.threads[index].when {
                ReplyTiming::After(after) => self.threads[index].started.checked_add(after),
                ReplyTiming::AfterPolls(polls) if self.threads[index].polls >= polls => Some(now),
                ReplyTiming::AfterPolls(_) | ReplyTiming::Never => None,
            };
            let until = end.map_or(now, |end| end.min(now));
            while let Some((at, _)) = self.threads[index].to_come.last()
                && *at <= until
                && let Some((at, action)) = self.threads[index].to_come.pop()
            {
                self.act(index, at, action, dialect, clock);
            }
            if let Some(end) = end.filter(|end| *end <= now) {
                let text = std::mem::take(&mut self.threads[index].text);
                self.finish(index, text, clock.at(end), dialect, clock);
            }
        }
        self.put_in_order();
    }

    fn act(
        &mut self,
        thread: usize,
        at: Instant,
        action: Action,
        dialect: &Dialect,
        clock: &Clock,
    ) {
        let (id, task) = (self.threads[thread].id, self.threads[thread].task);
        let time = clock.at(at);
        let (thread, kind, text) = match action {
            Action::Message(text) => (Some(id), MESSAGE, text),
            Action::ToolCall { name, input } => {
                (Some(id), TOOL_CALL, tool_call(name, input, dialect))
            }
            Action::Notice(text) => (None, NOTICE, text),
            Action::PullRequest(url) => return self.pull_requests.push(url),
            Action::Plan { file_name, text } => {
                return self.plans.push(Artifact {
                    id: clock.id(),
                    file_name,
                    text,
                    created: time,
                });
            }
        };
        self.place(thread, task, kind, text, (Some(time), time), clock);
    }

    /// Executes an action immediately, as a step of the latest turn.
    pub fn act_now(&mut self, action: Action, dialect: &Dialect, clock: &Clock) {
        let latest = self.threads.len().saturating_sub(1);
        self.act(latest, clock.instant(), action, dialect, clock);
        self.put_in_order();
    }

    /// Replaces the reply and the remaining steps of the latest turn with those of `script`. The times of the script
    /// count from now. Returns `false`, without a change, if the turn has ended.
    pub fn continue_turn(&mut self, script: Script, clock: &Clock) -> bool {
        let latest = self.threads.len().checked_sub(1);
        let Some(latest) = latest.filter(|latest| !self.threads[*latest].over) else {
            return false;
        };
        let reply = script.schema_reply;
        let reply = reply.and_then(|reply| reply.text(latest, self.prompts()));
        let started = clock.instant();
        let turn = &mut self.threads[latest];
        turn.started = started;
        turn.polls = 0;
        turn.to_come = schedule(script.steps, started);
        turn.when = script.when;
        turn.text = reply.unwrap_or(script.text);
        true
    }

    /// Returns whether the latest turn has no reply yet.
    pub fn is_working(&self) -> bool {
        self.threads.last().is_some_and(|turn| !turn.over)
    }

    /// Ends the turn of a thread with a final message. Returns `false`, without a change, if the turn has ended.
    pub fn finish(
        &mut self,
        thread: usize,
        text: String,
        ts: f64,
        dialect: &Dialect,
        clock: &Clock,
    ) -> bool {
        let Some(turn) = self.threads.get_mut(thread).filter(|turn| !turn.over) else {
            return false;
        };
        turn.over = true;
        let (id, task) = (turn.id, turn.task);
        let times = (Some(ts), ts);
        if dialect.duplicated_final {
            self.place(Some(id), task, MESSAGE, text.clone(), times, clock);
        }
        self.place(Some(id), task, FINAL, text, times, clock);
        true
    }

    fn put_in_order(&mut self) {
        if self.in_order {
            return;
        }
        self.messages
            .sort_by(|a, b| a.sort_key().total_cmp(&b.sort_key()));
        self.by_thread.clear();
        for (place, message) in self.messages.iter().enumerate() {
            if let Some(thread) = message.thread {
                self.by_thread.entry(thread).or_default().push(place);
            }
        }
        self.in_order = true;
    }

    /// Returns the user's messages so far, oldest first.
    pub fn prompts(&self) -> impl DoubleEndedIterator<Item = &str> {
        let prompts = self.messages.iter().filter(|m| *m.role == *PROMPT.0);
        prompts.map(|message| message.text.as_str())
    }

    /// Returns the messages of one thread, oldest first.
    pub fn of_thread(&self, thread: Uuid) -> impl DoubleEndedIterator<Item = &Message> {
        let places = self.by_thread.get(&thread).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.messages[*place])
    }

    /// Counts a poll of a thread for [`ReplyTiming::AfterPolls`]. Polls after the end of the turn are not counted.
    pub fn count_poll(&mut self, thread: Uuid) {
        if let Some(turn) = self.threads.iter_mut().find(|t| t.id == thread && !t.over) {
            turn.polls += 1;
        }
    }
}

/// Sorts steps by their time, the latest first, so that the next step is at the end. Steps with equal times keep
/// their order.
fn schedule(steps: Vec<Step>, started: Instant) -> Vec<(Instant, Action)> {
    let steps = steps.into_iter().rev();
    let mut to_come: Vec<_> = steps
        .filter_map(|step| Some((started.checked_add(step.at)?, step.action)))
        .collect();
    to_come.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    to_come
}

/// Returns the text of a message for a tool call. The dialect selects the form of the arguments.
fn tool_call(name: String, input: Value, dialect: &Dialect) -> String {
    let mut call = match input {
        Value::Null => Map::new(),
        Value::Object(arguments) if !dialect.tool_input_text => arguments,
        Value::String(text) => Map::from_iter([("input".into(), text.into())]),
        other if dialect.tool_input_text => {
            Map::from_iter([("input".into(), other.to_string().into())])
        }
        other => Map::from_iter([("input".into(), other)]),
    };
    call.insert("__name__".into(), name.into());
    Value::Object(call).to_string()
}
