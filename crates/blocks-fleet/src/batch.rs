//! Many prompts, at most so many at a time, with a journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blocks_sdk::CreateSession;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::journal::{Created, Entry, Fingerprint, Journal, JournalError, Retry, State, Step};

/// How often claims are renewed, and the prompts of other workers are read again.
const TICK: Duration = Duration::from_secs(2);
/// A journal that cannot be reached is tried for so long.
const PATIENCE: Duration = Duration::from_secs(300);
const RETRY: Duration = Duration::from_millis(500);
/// Creates of one worker that wait for a permit at a time, so that most of a batch stays free
/// for the others.
const CREATES: usize = 20;

/// A future of [`BatchWork`].
pub type WorkFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Claims a prompt, just before its create is sent. After an error nothing may be sent.
pub type BeforeSend = WorkFuture<'static, io::Result<()>>;

/// A prompt of a batch.
#[derive(Clone, Debug)]
pub struct BatchPrompt {
    /// Unique in the batch, and in its journal.
    pub id: String,
    /// What to send.
    pub request: CreateSession,
    /// Of the request: a journal has no prompt with the same id and another request.
    pub fingerprint: Fingerprint,
}

/// What a batch does for each of its prompts.
pub trait BatchWork: Send + Sync {
    /// What came of a prompt.
    type Report: Send;

    /// Creates the session. `before_send` is awaited when the create has its permit, as with
    /// [`Client::acquire_create`](blocks_sdk::Client::acquire_create): a prompt that waits for a
    /// permit is free for other workers, and is in no doubt after a crash.
    fn create<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        before_send: BeforeSend,
    ) -> WorkFuture<'a, Result<Created, NotCreated<Self::Report>>>;

    /// Waits for the reply of a session, of this worker or another.
    fn reply<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        created: Created,
    ) -> WorkFuture<'a, Replied<Self::Report>>;

    /// Whether a recorded result is a failure, for [`BatchOptions::retry_failed`].
    fn is_failed(&self, result: &Value) -> bool;
}

/// A create that failed.
#[derive(Debug)]
pub struct NotCreated<R> {
    /// Whether it may have had an effect.
    pub may_have_taken_effect: bool,
    /// The session's id, where it was received.
    pub session_id: Option<String>,
    /// The report.
    pub report: R,
}

/// The end of a wait.
#[derive(Debug)]
pub struct Replied<R> {
    /// The result to record, so that the prompt is not waited for again. None after a time-out.
    pub result: Option<Value>,
    /// The report.
    pub report: R,
}

/// An item of a [`Batch`].
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchItem<R> {
    /// This worker finished a prompt.
    Finished {
        /// The prompt's place in the batch.
        index: usize,
        /// What came of it.
        report: R,
    },
    /// The result of an earlier run or of another worker.
    Known {
        /// The prompt's place in the batch.
        index: usize,
        /// The result that was recorded.
        result: Value,
    },
    /// A run or worker ended during the create, so that a session may exist.
    Unknown {
        /// The prompt's place in the batch.
        index: usize,
        /// The session, where its id was recorded.
        session_id: Option<String>,
    },
}

/// A batch that runs: take its items until there are no more.
///
/// Each prompt is an item once. Where several workers share a journal, each of them has every
/// prompt as an item, of which [`BatchItem::Finished`] are its own. Nothing runs, and no claim is
/// renewed, while [`next`](Self::next) is not awaited.
pub struct Batch<'w, W: BatchWork> {
    context: Arc<Context<W>>,
    max_running: usize,
    queue: VecDeque<usize>,
    open: FuturesUnordered<WorkFuture<'w, (usize, Outcome<W::Report>)>>,
    running: BTreeSet<usize>,
    /// Prompts that other workers have.
    elsewhere: BTreeSet<usize>,
    ready: VecDeque<BatchItem<W::Report>>,
    next_tick: Instant,
    is_stopped: bool,
    failure: Option<String>,
}

struct Context<W> {
    prompts: Vec<BatchPrompt>,
    journal: Arc<dyn Journal>,
    work: Arc<W>,
    retry_unknown: bool,
    /// The results of an earlier run that are failures, of the prompts that are sent again.
    failed: BTreeMap<usize, Value>,
    creates: Semaphore,
}

enum Outcome<R> {
    Item(BatchItem<R>),
    /// The prompt has ended, but the journal does not have that.
    NotRecorded(BatchItem<R>, JournalError),
    Elsewhere,
    /// Nothing was done, since the journal cannot be used.
    Failed(JournalError),
}

/// How a batch runs.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions {
    /// Sessions that work at the same time. Default: no limit.
    pub max_running: usize,
    /// Whether prompts with unknown outcome are created again.
    pub retry_unknown: bool,
    /// Whether prompts are created again whose recorded result is a failure. A create that
    /// certainly had no effect leaves no result, and is sent again in any case.
    pub retry_failed: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            max_running: usize::MAX,
            retry_unknown: false,
            retry_failed: false,
        }
    }
}

/// A prompt differs from the one that the journal has under its id.
#[derive(Debug)]
pub struct ChangedPrompt {
    /// The prompt's id.
    pub id: String,
    /// The fields that differ.
    pub fields: Vec<String>,
}

/// A batch that cannot be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchError {
    /// The journal cannot be read.
    Journal(JournalError),
    /// A prompt was edited under the same id: it would get the reply of the old one.
    Changed(ChangedPrompt),
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "cannot read the journal: {error}"),
            Self::Changed(ChangedPrompt { id, fields }) => write!(
                f,
                "prompt {id}: {} differs from the request that the journal has under this id; give it \
                 a new id, or undo the change",
                fields.join(", ")
            ),
        }
    }
}

impl std::error::Error for BatchError {}

impl<'w, W: BatchWork + 'w> Batch<'w, W> {
    /// Reads what the journal knows, and starts nothing yet.
    ///
    /// # Errors
    /// When the journal cannot be read, or when a prompt was changed under its id.
    pub async fn new(
        prompts: Vec<BatchPrompt>,
        journal: Arc<dyn Journal>,
        work: Arc<W>,
        options: BatchOptions,
    ) -> Result<Self, BatchError> {
        let ids: Vec<String> = prompts.iter().map(|prompt| prompt.id.clone()).collect();
        let entries = journal.read(&ids).await.map_err(BatchError::Journal)?;
        for (prompt, entry) in prompts.iter().zip(&entries) {
            check_unchanged(prompt, entry.as_ref())?;
        }
        let mut failed = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(State::Ended(result)) = state(entry)
                && options.retry_failed
                && work.is_failed(result)
            {
                failed.insert(index, result.clone());
            }
        }
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        if journal.is_shared() {
            // Workers that start together then seldom choose the same prompt.
            fastrand::shuffle(&mut order);
        }
        let mut batch = Self {
            max_running: options.max_running.max(1),
            queue: VecDeque::new(),
            open: FuturesUnordered::new(),
            running: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            ready: VecDeque::new(),
            next_tick: Instant::now() + TICK,
            is_stopped: false,
            failure: None,
            context: Arc::new(Context {
                prompts,
                journal,
                work,
                retry_unknown: options.retry_unknown,
                failed,
                creates: Semaphore::new(CREATES),
            }),
        };
        let mut created = VecDeque::new();
        // Known ones are items in the order of the prompts.
        for (index, entry) in entries.iter().enumerate() {
            if let Some(State::Ended(_) | State::Unknown { .. }) = state(entry)
                && !batch.context.failed.contains_key(&index)
            {
                batch.sort(index, entry.clone());
            }
        }
        for index in order {
            match state(&entries[index]) {
                Some(State::Ended(_)) if batch.context.failed.contains_key(&index) => {
                    batch.queue.push_back(index);
                }
                Some(State::Ended(_) | State::Unknown { .. }) => {}
                // Their agents may be done.
                Some(State::Created { .. }) => created.push_back(index),
                _ => batch.queue.push_back(index),
            }
        }
        created.append(&mut batch.queue);
        batch.queue.append(&mut created);
        Ok(batch)
    }

    /// The next item; none when every prompt was an item, or when the batch was stopped and
    /// nothing runs any more. It may be dropped before it is ready.
    pub async fn next(&mut self) -> Option<BatchItem<W::Report>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            self.start();
            let waits_for_others = !self.is_stopped && !self.elsewhere.is_empty();
            if self.open.is_empty() && !waits_for_others {
                return None;
            }
            if !self.context.journal.is_shared() {
                let (index, outcome) = self.open.next().await?;
                self.handle(index, outcome);
                continue;
            }
            // Also while there is always an item: a claim that is not renewed ends.
            if Instant::now() >= self.next_tick {
                self.tick().await;
                continue;
            }
            let tick = std::pin::pin!(sleep_until(self.next_tick));
            let ended = match self.open.is_empty() {
                true => {
                    tick.await;
                    None
                }
                false => match select(self.open.next(), tick).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(_) => None,
                },
            };
            match ended {
                Some((index, outcome)) => self.handle(index, outcome),
                None => self.tick().await,
            }
        }
    }

    /// Starts no more prompts.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// How many prompts run.
    pub fn running(&self) -> usize {
        self.open.len()
    }

    /// The prompts that were not started, in the order of the batch.
    pub fn not_started(&self) -> Vec<usize> {
        let rest: BTreeSet<usize> = self.queue.iter().chain(&self.elsewhere).copied().collect();
        rest.into_iter().collect()
    }

    /// Why the journal could not be written, if it could not: no more prompts are started then.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn start(&mut self) {
        while !self.is_stopped && self.open.len() < self.max_running {
            let Some(index) = self.queue.pop_front() else {
                return;
            };
            self.running.insert(index);
            let context = Arc::clone(&self.context);
            self.open
                .push(Box::pin(async move { (index, context.run(index).await) }));
        }
    }

    fn handle(&mut self, index: usize, outcome: Outcome<W::Report>) {
        self.running.remove(&index);
        match outcome {
            Outcome::Item(item) => self.ready.push_back(item),
            Outcome::Elsewhere => drop(self.elsewhere.insert(index)),
            Outcome::NotRecorded(item, error) => {
                self.fail(&error);
                self.ready.push_back(item);
            }
            Outcome::Failed(error) => {
                self.fail(&error);
                self.queue.push_front(index);
            }
        }
    }

    fn fail(&mut self, error: &JournalError) {
        self.is_stopped = true;
        self.failure.get_or_insert_with(|| error.to_string());
    }

    /// Renews this worker's claims, and reads what other workers did. A journal that does not
    /// respond is asked again at the next tick.
    async fn tick(&mut self) {
        let journal = &self.context.journal;
        let id = |index: &usize| self.context.prompts[*index].id.clone();
        let own: Vec<String> = self.running.iter().map(id).collect();
        if !own.is_empty() {
            let _ = journal.renew(&own).await;
        }
        let elsewhere: Vec<usize> = self.elsewhere.iter().copied().collect();
        let ids: Vec<String> = elsewhere.iter().map(id).collect();
        let entries = match ids.is_empty() {
            true => Ok(Vec::new()),
            false => journal.read(&ids).await,
        };
        for (index, entry) in elsewhere.into_iter().zip(entries.unwrap_or_default()) {
            self.sort(index, entry);
        }
        self.next_tick = Instant::now() + TICK;
    }

    /// Puts a prompt where its entry says that it belongs.
    fn sort(&mut self, index: usize, entry: Option<Entry>) {
        self.elsewhere.remove(&index);
        match entry.map(|entry| entry.state) {
            Some(State::Ended(result)) if self.context.is_retried(index, &result) => {
                self.queue.push_back(index);
            }
            Some(State::Ended(result)) => self.ready.push_back(BatchItem::Known { index, result }),
            Some(State::Unknown { session_id }) if !self.context.retry_unknown => {
                let item = BatchItem::Unknown { index, session_id };
                self.ready.push_back(item);
            }
            Some(
                State::Starting
                | State::Created {
                    is_claimed: true, ..
                },
            ) => drop(self.elsewhere.insert(index)),
            Some(State::Created { .. }) => self.queue.push_front(index),
            Some(State::Unknown { .. }) | None => self.queue.push_back(index),
        }
    }
}

fn state(entry: &Option<Entry>) -> Option<&State> {
    entry.as_ref().map(|entry| &entry.state)
}

fn check_unchanged(prompt: &BatchPrompt, entry: Option<&Entry>) -> Result<(), BatchError> {
    let Some(sent) = entry.and_then(|entry| entry.request.as_ref()) else {
        return Ok(());
    };
    let fields = sent.changes(&prompt.fingerprint);
    match fields.is_empty() {
        true => Ok(()),
        false => Err(BatchError::Changed(ChangedPrompt {
            id: prompt.id.clone(),
            fields,
        })),
    }
}

impl<W: BatchWork> Context<W> {
    /// One prompt, from where it is to its end.
    async fn run(&self, index: usize) -> Outcome<W::Report> {
        let ids = [self.prompts[index].id.clone()];
        let entry = match self.patiently(|| self.journal.read(&ids)).await {
            Ok(mut entries) => entries.pop().flatten(),
            Err(error) => return Outcome::Failed(error),
        };
        match entry.map(|entry| entry.state) {
            Some(State::Ended(result)) if self.is_retried(index, &result) => {
                self.create(index).await
            }
            Some(State::Ended(result)) => Outcome::Item(BatchItem::Known { index, result }),
            Some(State::Unknown { session_id }) if !self.retry_unknown => {
                Outcome::Item(BatchItem::Unknown { index, session_id })
            }
            Some(
                State::Starting
                | State::Created {
                    is_claimed: true, ..
                },
            ) => Outcome::Elsewhere,
            Some(State::Created { created, .. }) => {
                let taken = self.patiently(|| self.journal.take_over(&ids[0])).await;
                match taken {
                    Ok(true) => self.wait(index, created, None).await,
                    Ok(false) => Outcome::Elsewhere,
                    Err(error) => Outcome::Failed(error),
                }
            }
            Some(State::Unknown { .. }) | None => self.create(index).await,
        }
    }

    /// Whether this is the failure of an earlier run after which the prompt is sent again. The
    /// result of this run is another one, also where another worker has recorded it.
    fn is_retried(&self, index: usize, result: &Value) -> bool {
        self.failed.get(&index) == Some(result)
    }

    async fn create(&self, index: usize) -> Outcome<W::Report> {
        let prompt = &self.prompts[index];
        let is_shared = self.journal.is_shared();
        let start = Instant::now();
        loop {
            let place = match is_shared {
                true => self.creates.acquire().await.ok(),
                false => None,
            };
            let claim = Arc::new(Claim::default());
            let created = self
                .work
                .create(index, prompt, self.before_send(index, prompt, &claim));
            let created = created.await;
            drop(place);
            let failed = match created {
                Ok(created) => {
                    let step = Step::Created(created.clone());
                    let recorded = self.record(&prompt.id, &step).await;
                    return self.wait(index, created, recorded.err()).await;
                }
                Err(_) if claim.is_refused.load(Ordering::Relaxed) => return Outcome::Elsewhere,
                // Nothing was sent, since the claim could not be made.
                Err(_) if is_shared && claim.has_failed() && start.elapsed() < PATIENCE => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(failed) => failed,
            };
            let step = match failed.may_have_taken_effect {
                true => Step::Unknown(failed.session_id),
                false => Step::NotStarted,
            };
            let report = failed.report;
            let item = BatchItem::Finished { index, report };
            let claim_failed = claim.has_failed().then(|| claim.take()).flatten();
            return match claim_failed.map_or(self.record(&prompt.id, &step).await, Err) {
                Ok(_) => Outcome::Item(item),
                Err(error) => Outcome::NotRecorded(item, error),
            };
        }
    }

    /// Claims the prompt when it is awaited.
    fn before_send(&self, index: usize, prompt: &BatchPrompt, claim: &Arc<Claim>) -> BeforeSend {
        let journal = Arc::clone(&self.journal);
        let (id, request) = (prompt.id.clone(), prompt.fingerprint.clone());
        let retry = Retry {
            unknown: self.retry_unknown,
            result: self.failed.get(&index).cloned(),
        };
        let claim = Arc::clone(claim);
        Box::pin(async move {
            match journal.claim(&id, &request, &retry).await {
                Ok(true) => Ok(()),
                Ok(false) => {
                    claim.is_refused.store(true, Ordering::Relaxed);
                    Err(io::Error::other("another worker has this prompt"))
                }
                Err(error) => {
                    let what = error.to_string();
                    claim.set(error);
                    Err(io::Error::other(what))
                }
            }
        })
    }

    async fn wait(
        &self,
        index: usize,
        created: Created,
        mut not_recorded: Option<JournalError>,
    ) -> Outcome<W::Report> {
        let prompt = &self.prompts[index];
        let replied = self.work.reply(index, prompt, created).await;
        let report = replied.report;
        let item = BatchItem::Finished { index, report };
        if let Some(result) = replied.result {
            let step = Step::Ended(result.clone());
            match self.record(&prompt.id, &step).await {
                Ok(true) => {}
                // Another worker took this one over, since its claim was not renewed in time. The
                // result is that worker's.
                Ok(false) => return Outcome::Item(BatchItem::Known { index, result }),
                Err(error) => not_recorded = not_recorded.or(Some(error)),
            }
        }
        match not_recorded {
            None => Outcome::Item(item),
            Some(error) => Outcome::NotRecorded(item, error),
        }
    }

    async fn record(&self, id: &str, step: &Step) -> Result<bool, JournalError> {
        self.patiently(|| self.journal.record(id, step)).await
    }

    /// Tries again while the journal cannot be reached.
    async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, JournalError>
    where
        F: Future<Output = Result<T, JournalError>>,
    {
        let start = Instant::now();
        loop {
            match attempt().await {
                Err(error) if error.is_temporary() && start.elapsed() < PATIENCE => {
                    sleep(RETRY).await;
                }
                result => return result,
            }
        }
    }
}

/// What came of claiming a prompt.
#[derive(Default)]
struct Claim {
    is_refused: AtomicBool,
    error: std::sync::Mutex<Option<JournalError>>,
}

impl Claim {
    fn set(&self, error: JournalError) {
        let mut place = self.error.lock().unwrap_or_else(|e| e.into_inner());
        *place = Some(error);
    }

    fn has_failed(&self) -> bool {
        let error = self.error.lock().unwrap_or_else(|e| e.into_inner());
        error.is_some()
    }

    fn take(&self) -> Option<JournalError> {
        let mut error = self.error.lock().unwrap_or_else(|e| e.into_inner());
        error.take()
    }
}
