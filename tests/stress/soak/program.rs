//! A program as a careful user would write it. The program never repeats a request that may have
//! taken effect, and resumes every wait.

use blocks_sdk::{
    Agent, Client, CreateSession, Error, ErrorKind, FollowUp, MessageRole, MessageType, Pending,
    Session, types::Message,
};

use super::reply_to;

/// The work of one session: a message, its reply, a follow-up, its reply, and the transcript.
pub struct Job {
    client: Client,
    seed: u64,
    messages: [String; 2],
}

/// A message that was sent, and its result.
pub struct Turn {
    pub message: String,
    pub result: TurnResult,
}

#[derive(Debug, PartialEq)]
pub enum TurnResult {
    Replied(String),
    /// The request failed with an error that says that the request may have taken effect.
    OutcomeUnknown,
}

/// Maximum number of attempts of one request or wait. After this number of failures without an effect, the test fails.
const ATTEMPTS: usize = 200;

impl Job {
    pub fn new(seed: u64, number: usize, client: &Client) -> Self {
        Self {
            client: client.clone(),
            seed,
            messages: [format!("{number}, first"), format!("{number}, second")],
        }
    }

    pub async fn run(self) -> Vec<Turn> {
        let [first, second] = self.messages.clone();
        let Some(session) = self.create(&first).await else {
            return vec![outcome_unknown(first)];
        };
        let mut turns = vec![self.wait(&session, first, None).await];
        match self.follow_up(&session, &second).await {
            Some(pending) => turns.push(self.wait(&session, second, Some(pending)).await),
            None => turns.push(outcome_unknown(second)),
        }
        self.check_transcript(&session, &turns).await;
        turns
    }

    async fn create(&self, message: &str) -> Option<Session> {
        let request = || CreateSession::new(Agent::claude(), message);
        self.retry(async || self.client.create_session(request()).await)
            .await
    }

    async fn follow_up(&self, session: &Session, message: &str) -> Option<Pending> {
        let turn = self
            .retry(async || session.follow_up(FollowUp::new(message)).await)
            .await;
        turn.map(|turn| turn.pending().clone())
    }

    /// Repeats a request until it succeeds or may have taken effect.
    async fn retry<T>(&self, attempt: impl AsyncFn() -> Result<T, Error>) -> Option<T> {
        for _ in 0..ATTEMPTS {
            match attempt().await {
                Ok(value) => return Some(value),
                Err(error) if error.may_have_taken_effect() => return None,
                Err(error) => self.check(&error),
            }
        }
        panic!("seed {}: {:?} never succeeds", self.seed, self.messages);
    }

    /// Waits for the reply, and resumes after every error.
    async fn wait(&self, session: &Session, message: String, turn: Option<Pending>) -> Turn {
        let mut pending = match turn {
            Some(pending) => pending,
            None => self.pending(session).await,
        };
        for _ in 0..ATTEMPTS {
            match self.client.resume(pending.clone()).reply().await {
                Ok(reply) => {
                    let result = TurnResult::Replied(reply.text().to_owned());
                    return Turn { message, result };
                }
                Err(error) => {
                    self.check(&error);
                    pending = error.pending().expect("a pending handle").clone();
                }
            }
        }
        panic!("seed {}: {message} gets no reply", self.seed);
    }

    /// Returns the pending reply of the first turn, with which the program waits for the reply. If the response to the
    /// create did not contain the thread's id, finds the id in the session's messages.
    async fn pending(&self, session: &Session) -> Pending {
        if let Ok(turn) = session.first_turn() {
            return turn.pending().clone();
        }
        for _ in 0..ATTEMPTS {
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

    /// Checks that the prompt and the reply of each turn with a known outcome are in the transcript exactly once.
    async fn check_transcript(&self, session: &Session, turns: &[Turn]) {
        for _ in 0..ATTEMPTS {
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
            // A fault may have removed the thread ids from a page. The messages of this page are then in `notices`
            // instead of `turns`.
            let texts: Vec<_> = transcript
                .turns
                .iter()
                .flat_map(|turn| turn.prompt.iter().chain(&turn.reply))
                .chain(transcript.notices.iter().filter(|m| is_prompt_or_reply(m)))
                .collect();
            for turn in turns
                .iter()
                .filter(|turn| turn.result != TurnResult::OutcomeUnknown)
            {
                let count = |text: &str| {
                    let same = texts.iter().filter(|m| m.message.as_deref() == Some(text));
                    same.count()
                };
                let counts = (count(&turn.message), count(&reply_to(&turn.message)));
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

/// Returns whether the message is a prompt or a reply, and not an intermediate message.
fn is_prompt_or_reply(message: &Message) -> bool {
    let final_message = message.type_ == Some(MessageType::FinalMessage);
    final_message || message.role == Some(MessageRole::User)
}

fn outcome_unknown(message: String) -> Turn {
    let result = TurnResult::OutcomeUnknown;
    Turn { message, result }
}
