//! A program as a careful user writes one: it begins nothing again that may have begun, and
//! gives up no wait.

use blocks_sdk::{
    Agent, Client, CreateSession, Error, ErrorKind, FollowUp, MessageRole, MessageType, Pending,
    Session, types::Message,
};

use crate::answer_to;

/// One session's worth of work: a message, its reply, a follow-up, its reply, the transcript.
pub struct Job {
    client: Client,
    seed: u64,
    messages: [String; 2],
}

/// What became of a message.
pub struct Turn {
    pub message: String,
    pub end: Ended,
}

#[derive(Debug, PartialEq)]
pub enum Ended {
    Replied(String),
    /// It may have been begun, and the error said so.
    InDoubt,
}

/// How often a request that certainly had no effect is made again: more would be a hang.
const PATIENCE: usize = 200;

impl Job {
    pub fn new(seed: u64, number: usize, client: &Client) -> Self {
        Self {
            client: client.clone(),
            seed,
            messages: [format!("{number}, first"), format!("{number}, then")],
        }
    }

    pub async fn run(self) -> Vec<Turn> {
        let [first, then] = self.messages.clone();
        let Some(session) = self.create(&first).await else {
            return vec![in_doubt(first)];
        };
        let mut ended = vec![self.replied(&session, first, None).await];
        match self.follow_up(&session, &then).await {
            Some(pending) => ended.push(self.replied(&session, then, Some(pending)).await),
            None => ended.push(in_doubt(then)),
        }
        self.check_transcript(&session, &ended).await;
        ended
    }

    async fn create(&self, message: &str) -> Option<Session> {
        let request = || CreateSession::new(Agent::claude(), message);
        self.begin(async || self.client.create_session(request()).await)
            .await
    }

    async fn follow_up(&self, session: &Session, message: &str) -> Option<Pending> {
        let begun = self
            .begin(async || session.follow_up(FollowUp::new(message)).await)
            .await;
        begun.map(|turn| turn.pending().clone())
    }

    /// Tries until it has certainly begun, or may have.
    async fn begin<T>(&self, attempt: impl AsyncFn() -> Result<T, Error>) -> Option<T> {
        for _ in 0..PATIENCE {
            match attempt().await {
                Ok(begun) => return Some(begun),
                Err(error) if error.may_have_taken_effect() => return None,
                Err(error) => self.check(&error),
            }
        }
        panic!("seed {}: {:?} never begins", self.seed, self.messages);
    }

    /// Waits until the reply is there, whatever ends a wait before.
    async fn replied(&self, session: &Session, message: String, turn: Option<Pending>) -> Turn {
        let mut pending = match turn {
            Some(pending) => pending,
            None => self.pending(session).await,
        };
        for _ in 0..PATIENCE {
            match self.client.resume(pending.clone()).reply().await {
                Ok(reply) => {
                    let end = Ended::Replied(reply.text().to_owned());
                    return Turn { message, end };
                }
                Err(error) => {
                    self.check(&error);
                    pending = error.pending().expect("what is pending").clone();
                }
            }
        }
        panic!("seed {}: {message} is never replied to", self.seed);
    }

    /// The first turn, also where the answer to the create did not name its thread.
    async fn pending(&self, session: &Session) -> Pending {
        if let Ok(turn) = session.first_turn() {
            return turn.pending().clone();
        }
        for _ in 0..PATIENCE {
            let prompts = session.messages().roles([MessageRole::User]).send().await;
            let thread = match &prompts {
                Ok(page) => page
                    .messages()
                    .iter()
                    .find_map(|m| m.chat_thread_id.clone()),
                Err(_) => None,
            };
            if let Some(thread) = thread {
                return Pending::new(session.id(), thread);
            }
        }
        panic!("seed {}: {:?} has no thread", self.seed, self.messages);
    }

    /// Everything that was said is in the transcript once.
    async fn check_transcript(&self, session: &Session, ended: &[Turn]) {
        for _ in 0..PATIENCE {
            let transcript = match session
                .messages()
                .all()
                .types([MessageType::Message, MessageType::FinalMessage])
                .transcript()
                .await
            {
                Ok(transcript) => transcript,
                Err(error) => {
                    self.check(&error);
                    continue;
                }
            };
            // A fault may have struck out the threads of a page, whose messages are notices then.
            let turns = transcript.turns.iter();
            let said: Vec<_> = turns
                .flat_map(|turn| turn.prompt.iter().chain(&turn.reply))
                .chain(transcript.notices.iter().filter(|m| is_said(m)))
                .collect();
            for turn in ended.iter().filter(|turn| turn.end != Ended::InDoubt) {
                let told = |text: &str| {
                    let same = said.iter().filter(|m| m.message.as_deref() == Some(text));
                    same.count()
                };
                let counts = (told(&turn.message), told(&answer_to(&turn.message)));
                assert_eq!(counts, (1, 1), "seed {}: {}", self.seed, turn.message);
            }
            return;
        }
        panic!("seed {}: {:?} cannot be read", self.seed, self.messages);
    }

    fn check(&self, error: &Error) {
        let seed = self.seed;
        let named = error.operation().is_some() || error.kind() == ErrorKind::Deadline;
        assert!(named, "seed {seed}: {error:?}");
    }
}

/// Whether it is a prompt or a reply, and nothing that came between.
fn is_said(message: &Message) -> bool {
    let final_message = message.type_ == Some(MessageType::FinalMessage);
    final_message || message.role == Some(MessageRole::User)
}

fn in_doubt(message: String) -> Turn {
    let end = Ended::InDoubt;
    Turn { message, end }
}
