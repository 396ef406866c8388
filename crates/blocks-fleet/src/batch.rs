//! Runs many prompts. A batch can limit how many run at the same time, and can record each step in a journal. Several
//! processes, the workers, can run the same batch with a shared journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, pending};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blocks_sdk::CreateSession;
use futures_util::future::{Either, join_all, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::journal::{
    Created, Entry, Fingerprint, InUse, Journal, JournalError, Retry, State, Step,
};

/// Interval at which a worker renews its claims, and reads the entries of the prompts that others have claimed.
const TICK: Duration = Duration::from_secs(2);
/// Largest number of entries that a tick reads. More entries could take so long that the next renewal of the claims is
/// late.
const PER_TICK: usize = 200;
/// How long a worker repeats an operation of the journal that fails temporarily. A failed claim of a shared journal is
/// repeated after every error. If the operation still fails, the batch starts no more prompts after the operation's
/// prompt has ended.
const PATIENCE: Duration = Duration::from_secs(300);
const RETRY: Duration = Duration::from_millis(500);
/// How long an interrupted batch waits for the journal. The command `blocks` must end within 2 seconds after a signal.
const LAST_RECORDS: Duration = Duration::from_secs(1);
/// How often a worker at least tries to claim a prompt before it gives up because of `PATIENCE`. Between two attempts,
/// a prompt can wait for a permit for longer than `PATIENCE`.
const CLAIM_ATTEMPTS: u32 = 10;
/// Largest number of creates that one worker runs at the same time, if the journal is shared. These creates wait for a
/// permit or are being sent. Without this limit, one worker could start all prompts, and leave none to the other
/// workers.
const CREATES: usize = 20;

/// The future that a method of [`BatchWork`] returns.
pub type WorkFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// The future that claims a prompt. [`BatchWork::create`] awaits this future just before it sends the create. If the
/// future returns an error, the create must not be sent.
pub type BeforeSend = WorkFuture<'static, io::Result<()>>;

/// Contains a prompt of a batch.
#[derive(Clone, Debug)]
pub struct BatchPrompt {
    /// Id of the prompt. It must be unique in the batch. Batches that share a journal must not use it for another
    /// prompt.
    pub id: String,
    /// Request that creates the session.
    pub request: CreateSession,
    /// Fingerprint of the request. [`Batch::new`] fails if the journal contains a different fingerprint for the same
    /// id.
    pub fingerprint: Fingerprint,
}

/// Creates the session of each prompt of a batch, and waits for the reply. Programs implement this trait.
pub trait BatchWork: Send + Sync {
    /// Report on the outcome of a prompt. The batch returns the report to the caller.
    type Report: Send;

    /// Creates the session of a prompt.
    ///
    /// An implementation first gets a permit for the create, for example with
    /// [`Client::acquire_create`](blocks_sdk::Client::acquire_create). Then it awaits `before_send`, which claims the
    /// prompt. In this order, a prompt that waits for a permit is not claimed yet. So another worker can start the
    /// prompt during the wait. If this worker crashes during the wait, the prompt certainly had no effect.
    fn create<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        before_send: BeforeSend,
    ) -> WorkFuture<'a, Result<Created, NotCreated<Self::Report>>>;

    /// Returns whether the create of this prompt may have had an effect until now. The batch calls this method after it
    /// has dropped the future of [`create`](Self::create), for example because the batch was interrupted. If the value
    /// is false, the journal records that the create had no effect, and the next run sends the prompt again.
    ///
    /// An implementation that uses [`Client::acquire_create`](blocks_sdk::Client::acquire_create) stores the handle of
    /// [`CreatePermit::effect`](blocks_sdk::CreatePermit::effect) before it awaits `before_send`, and returns the value
    /// of the handle. The default is always true.
    fn may_have_taken_effect(&self, index: usize) -> bool {
        let _ = index;
        true
    }

    /// Waits for the reply of a session that this worker, another worker or an earlier run has created.
    fn reply<'a>(
        &'a self,
        index: usize,
        prompt: &'a BatchPrompt,
        created: Created,
    ) -> WorkFuture<'a, Replied<Self::Report>>;

    /// Returns whether a recorded result is a failure. With [`BatchOptions::retry_failed`], the batch sends a prompt
    /// again if the journal contains a failure of the prompt when the batch is created.
    fn is_failed(&self, result: &Value) -> bool;
}

/// Reports a create that failed.
#[derive(Debug)]
pub struct NotCreated<R> {
    /// Whether the create may have had an effect.
    pub may_have_taken_effect: bool,
    /// Id of the session, if it was received.
    pub session_id: Option<String>,
    /// Report for the caller.
    pub report: R,
}

/// Reports how a wait for a reply ended.
#[derive(Debug)]
pub struct Replied<R> {
    /// Result to record in the journal. `None` if there is no result, for example after a time-out. A later run, or
    /// another worker after the claim has ended, then waits for the reply again.
    ///
    /// The result must contain the session's id. With [`BatchOptions::retry_failed`], a worker sends a failed prompt
    /// again if the journal still contains the failure of the earlier run. A second session can fail in the same way.
    /// Without the id, the two results would be equal, and the prompt would be sent a third time.
    pub result: Option<Value>,
    /// Report for the caller.
    pub report: R,
}

/// Reports on one prompt of a [`Batch`].
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchItem<R> {
    /// This worker has run the prompt. If the create failed, the report may say that nothing was sent.
    Finished {
        /// Index of the prompt in the batch.
        index: usize,
        /// Report from [`BatchWork`].
        report: R,
    },
    /// The journal already contained a result. Usually an earlier run or another worker has recorded the result. If the
    /// response to this worker's record was lost, this worker has recorded the result itself.
    Known {
        /// Index of the prompt in the batch.
        index: usize,
        /// Recorded result. If another worker has just claimed the prompt again, this is the result of this worker.
        result: Value,
    },
    /// An earlier run or another worker may have sent a create, and the journal does not contain the outcome. The
    /// session may exist.
    Unknown {
        /// Index of the prompt in the batch.
        index: usize,
        /// Id of the session, if it was recorded.
        session_id: Option<String>,
    },
}

/// Runs a batch of prompts. Call [`next`](Self::next) until it returns `None`.
///
/// The batch returns one item for each prompt, unless the batch is stopped or the journal fails. If several workers
/// share a journal, each worker's batch returns an item for every prompt. The item is [`BatchItem::Finished`] if this
/// worker has run the prompt, unless the journal already contained a result when this worker recorded its own. The
/// batch runs prompts and renews claims only while [`next`](Self::next) is awaited.
///
/// To end a batch early, call [`interrupt`](Self::interrupt) before you drop it. If the batch is dropped without this
/// call, a shared journal does not record that the create of a claimed prompt had no effect. The outcome of the prompt
/// is then unknown.
pub struct Batch<'w, W: BatchWork> {
    context: Arc<Context<W>>,
    max_running: usize,
    queue: VecDeque<usize>,
    open: FuturesUnordered<WorkFuture<'w, (usize, Outcome<W::Report>)>>,
    running: BTreeSet<usize>,
    /// Indexes of the prompts that other workers have claimed.
    elsewhere: BTreeSet<usize>,
    ready: VecDeque<BatchItem<W::Report>>,
    next_tick: Instant,
    /// The tick that is running. It is not a part of the future of [`next`](Self::next). Otherwise, if the caller
    /// always dropped that future before a tick has ended, no tick would end.
    tick: Option<WorkFuture<'w, Ticked>>,
    /// The index from which the next tick reads the entries of other workers' prompts.
    read_from: usize,
    /// When the reads and renewals of the tick began to fail, if the last one failed.
    failing_since: Option<Instant>,
    is_stopped: bool,
    failure: Option<String>,
    /// The last field, because the fields are dropped in this order. The mark must last until no prompt runs.
    _in_use: InUse,
}

/// Contains the entries that a tick has read, with the indexes of their prompts.
type Ticked = Result<Vec<(usize, Option<Entry>)>, JournalError>;

/// Describes for what a batch waits while other workers may have claims.
enum Event<R> {
    TickIsDue,
    Ticked(Ticked),
    Ended(usize, Outcome<R>),
}

struct Context<W> {
    prompts: Vec<BatchPrompt>,
    journal: Arc<dyn Journal>,
    work: Arc<W>,
    retry_unknown: bool,
    /// The prompts that this batch sends again, because the journal contained a failure when the batch was created. The
    /// key is the index of the prompt in the batch, and the value is the recorded failure.
    failed: BTreeMap<usize, Value>,
    creates: Semaphore,
    /// The prompts for which this worker has asked the journal for a claim. A claim is requested just before a create
    /// is sent, so a session of these prompts may exist. Also
    /// contains the prompts for whose existing session this worker waits.
    started: Arc<Mutex<BTreeSet<usize>>>,
    /// Becomes true when the batch is stopped.
    stop: watch::Sender<bool>,
    /// The prompts that were claimed, and whose create was dropped and certainly had no effect. A shared journal has no
    /// record of this yet.
    dropped: Mutex<BTreeSet<usize>>,
}

enum Outcome<R> {
    Item(BatchItem<R>),
    /// A step of the prompt could not be recorded in the journal. The prompt has been run, or its create was not sent
    /// because the claim could not be recorded.
    NotRecorded(BatchItem<R>, JournalError),
    /// Another worker has claimed the prompt, and may have recorded its outcome already.
    Elsewhere,
    /// The batch was stopped before the prompt was claimed, so nothing was sent.
    NotStarted,
    /// The prompt was not run, because the journal could not be used.
    Failed(JournalError),
}

/// Sets how a batch runs.
#[derive(Clone, Copy, Debug)]
pub struct BatchOptions {
    /// Largest number of prompts that run at the same time. Zero counts as one. Default: no limit.
    pub max_running: usize,
    /// Whether to send a prompt again if the journal says that its outcome is unknown.
    pub retry_unknown: bool,
    /// Whether to send a prompt again if the journal contains a failure of the prompt when the batch is created. A
    /// create that certainly had no effect changes no entry. If the journal contains no result for its prompt, another
    /// worker or a later run sends the prompt again, whatever this option is.
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

/// Reports a prompt whose request has a different fingerprint than the journal contains under the prompt's id.
#[derive(Debug)]
pub struct ChangedPrompt {
    /// Id of the prompt.
    pub id: String,
    /// Names of the fields that differ.
    pub fields: Vec<String>,
}

/// Reports why a batch cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchError {
    /// The journal cannot be read.
    Journal(JournalError),
    /// The request of a prompt was changed since an earlier run, but the prompt's id was not. If the batch started, it
    /// would return the reply to the earlier request.
    Changed(ChangedPrompt),
    /// Two prompts of the batch have this id.
    RepeatedId(String),
    /// Another batch of this process uses the same value of the journal.
    JournalInUse,
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
            Self::JournalInUse => f.write_str(
                "another batch of this process uses the same journal; drop that batch first, or give \
                 this batch its own journal",
            ),
            Self::RepeatedId(id) => {
                write!(
                    f,
                    "prompt {id}: another prompt of the batch has the same id"
                )
            }
        }
    }
}

impl std::error::Error for BatchError {}

impl<'w, W: BatchWork + 'w> Batch<'w, W> {
    /// Creates a batch and reads its journal. No prompt starts before [`next`](Self::next) is awaited.
    ///
    /// A value of a journal represents one worker, so it can be used by one batch at a time. If two batches used the
    /// same value, the journal could not distinguish their claims, and both batches could send a prompt. Workers in one
    /// process each need their own value, for example their own `RedisJournal` with the same URL. After a batch was
    /// dropped, a new batch can use its journal. [`NoJournal`](crate::NoJournal) can be used by several batches.
    ///
    /// # Errors
    /// Two prompts have the same id, another batch that was not dropped uses the same value of the journal, the journal
    /// cannot be read, or it contains a different request under the id of a prompt.
    pub async fn new(
        prompts: Vec<BatchPrompt>,
        journal: Arc<dyn Journal>,
        work: Arc<W>,
        options: BatchOptions,
    ) -> Result<Self, BatchError> {
        let ids: Vec<String> = prompts.iter().map(|prompt| prompt.id.clone()).collect();
        let mut known = BTreeSet::new();
        if let Some(id) = ids.iter().find(|id| !known.insert(*id)) {
            return Err(BatchError::RepeatedId(id.clone()));
        }
        let in_use = InUse::mark(&journal).ok_or(BatchError::JournalInUse)?;
        let entries = read(&*journal, &ids).await.map_err(BatchError::Journal)?;
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
            // The order is random, so that workers that start at the same time seldom choose the same prompt.
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
            tick: None,
            read_from: 0,
            failing_since: None,
            is_stopped: false,
            failure: None,
            _in_use: in_use,
            context: Arc::new(Context {
                prompts,
                journal,
                work,
                retry_unknown: options.retry_unknown,
                failed,
                creates: Semaphore::new(CREATES),
                started: Arc::default(),
                stop: watch::Sender::new(false),
                dropped: Mutex::default(),
            }),
        };
        let mut created = VecDeque::new();
        // Adds an item for each prompt whose journal entry already contains a result or an unknown outcome, in the
        // order of the batch. A prompt that this run sends again is queued, and gets no item yet.
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
                // Prompts whose session already exists are first in the queue, because their agents may have replied
                // already.
                Some(State::Created { .. }) => created.push_back(index),
                _ => batch.queue.push_back(index),
            }
        }
        created.append(&mut batch.queue);
        batch.queue.append(&mut created);
        Ok(batch)
    }

    /// Returns the next item, or `None` after the last item. After [`stop`](Self::stop), the batch returns the items
    /// that are ready and the items of the prompts that are still running, and then `None`. If the future is dropped
    /// before it is ready, no item is lost: the next call returns it. A renewal or read of the journal that was running
    /// is continued by the next call.
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
            if !self.context.journal.is_shared() && self.elsewhere.is_empty() {
                let (index, outcome) = self.open.next().await?;
                self.handle(index, outcome);
                continue;
            }
            match self.event().await {
                Event::TickIsDue => self.start_tick(),
                Event::Ticked(ticked) => {
                    self.tick = None;
                    self.end_tick(ticked);
                }
                Event::Ended(index, outcome) => self.handle(index, outcome),
            }
        }
    }

    /// Waits until a tick is due, the running tick has ended, or a prompt has ended. If the future is dropped, the tick
    /// and the prompts continue in the next call.
    async fn event(&mut self) -> Event<W::Report> {
        let next_tick = self.next_tick;
        let (tick, open) = (&mut self.tick, &mut self.open);
        let ticked = async move {
            match tick {
                Some(tick) => Event::Ticked(tick.await),
                None => {
                    sleep_until(next_tick).await;
                    Event::TickIsDue
                }
            }
        };
        let ended = async move {
            match open.next().await {
                Some((index, outcome)) => Event::Ended(index, outcome),
                None => pending().await,
            }
        };
        // The tick is first. Otherwise, if prompts ended one after another without a pause, no tick would run, and this
        // worker's claims would not be renewed.
        let (event, _) = select(pin!(ticked), pin!(ended)).await.factor_first();
        event
    }

    /// Stops the batch from starting more prompts. Running prompts continue, except those that still wait for a permit
    /// for their create: these are not sent, and [`not_started`](Self::not_started) returns their indexes. To drop the
    /// running prompts too, call [`interrupt`](Self::interrupt).
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.context.stop.send_replace(true);
    }

    /// Stops the batch immediately: also drops the prompts that are running. If the create of a prompt certainly had no
    /// effect until now, for example because it waits to be sent again after a 429, the journal records this, and
    /// [`not_started`](Self::not_started) returns the index of the prompt. Sessions that exist continue, and a rerun
    /// with the same journal waits for their replies. Waits for a shared journal for at most a second.
    pub async fn interrupt(&mut self) {
        self.stop();
        self.open.clear();
        let dropped = std::mem::take(&mut *lock(&self.context.dropped));
        let context = &*self.context;
        let records = dropped.into_iter().map(|index| async move {
            let id = &context.prompts[index].id;
            // If this fails, the claim stays in the journal, and the next run reports an unknown outcome.
            let _ = context.record(id, &Step::NotStarted).await;
        });
        let _ = timeout(LAST_RECORDS, join_all(records)).await;
    }

    /// Returns the number of running prompts, including those that wait for a permit for their create.
    pub fn running(&self) -> usize {
        self.open.len()
    }

    /// Returns the indexes of the prompts that wait to be started or for a permit, of those that other workers have
    /// claimed, and of those whose create had no effect before [`interrupt`](Self::interrupt). No create of this worker
    /// for them had an effect. An index is the place of a prompt in the batch. The indexes are in ascending order.
    pub fn not_started(&self) -> Vec<usize> {
        let started = self.context.started();
        let waiting = self.running.difference(&started);
        let rest = self.queue.iter().chain(&self.elsewhere).chain(waiting);
        rest.copied()
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .collect()
    }

    /// Returns the journal's error, if the journal has failed. If a step of a prompt cannot be recorded, the batch
    /// first runs this prompt to its end. Only then does this method return the error, and the batch starts no more
    /// prompts.
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
            Outcome::NotStarted => self.queue.push_front(index),
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
        self.stop();
        self.failure.get_or_insert_with(|| error.to_string());
    }

    /// Starts a tick, which renews this worker's claims, and reads the entries of other workers' prompts.
    fn start_tick(&mut self) {
        self.next_tick = Instant::now() + TICK;
        let own: Vec<usize> = self.running.iter().copied().collect();
        let (before, after) = (..self.read_from, self.read_from..);
        let next = self
            .elsewhere
            .range(after)
            .chain(self.elsewhere.range(before));
        let others: Vec<usize> = next.copied().take(PER_TICK).collect();
        let context = Arc::clone(&self.context);
        self.tick = Some(Box::pin(async move {
            context.renew_and_read(&own, others).await
        }));
    }

    /// Handles the entries that a tick has read. If the journal does not respond, the next tick tries again, for up to
    /// `PATIENCE`.
    fn end_tick(&mut self, ticked: Ticked) {
        match ticked {
            Ok(entries) => {
                self.failing_since = None;
                if let Some((last, _)) = entries.last() {
                    self.read_from = last + 1;
                }
                for (index, entry) in entries {
                    self.sort(index, entry);
                }
            }
            Err(error) => {
                let since = *self.failing_since.get_or_insert_with(Instant::now);
                if !error.is_temporary() || since.elapsed() >= PATIENCE {
                    self.fail(&error);
                }
            }
        }
    }

    /// Handles a prompt by its entry in the journal. Adds an item with the outcome, queues the prompt, or leaves the
    /// prompt to another worker.
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

/// Reads the entries of prompts. Fails if the journal does not return one entry for each prompt.
async fn read(journal: &dyn Journal, ids: &[String]) -> Result<Vec<Option<Entry>>, JournalError> {
    let entries = journal.read(ids).await?;
    match entries.len() == ids.len() {
        true => Ok(entries),
        false => Err(JournalError::new(format!(
            "the journal returned {} entries for {} prompts",
            entries.len(),
            ids.len()
        ))),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Runs one prompt, starting from its state in the journal. Returns when the prompt has an outcome, when another
    /// worker has claimed it, or when the journal cannot be used.
    async fn run(&self, index: usize) -> Outcome<W::Report> {
        self.started().remove(&index);
        let ids = [self.prompts[index].id.clone()];
        let entry = match self.patiently(|| read(&*self.journal, &ids)).await {
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
                    Ok(true) => {
                        self.started().insert(index);
                        self.wait(index, created, None).await
                    }
                    Ok(false) => Outcome::Elsewhere,
                    Err(error) => Outcome::Failed(error),
                }
            }
            Some(State::Unknown { .. }) | None => self.create(index).await,
        }
    }

    /// Renews the claims of the prompts `own`, and reads the entries of the prompts `others`.
    async fn renew_and_read(&self, own: &[usize], others: Vec<usize>) -> Ticked {
        let id = |index: &usize| self.prompts[*index].id.clone();
        let own: Vec<String> = own.iter().map(id).collect();
        if !own.is_empty() {
            self.journal.renew(&own).await?;
        }
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = others.iter().map(id).collect();
        let entries = read(&*self.journal, &ids).await?;
        Ok(others.into_iter().zip(entries).collect())
    }

    /// Returns whether this batch sends the prompt again after `result`. This is true only if `result` is the failure
    /// that the journal contained when this batch was created. A failure that is recorded later is a different value
    /// (it contains another session's id), and this batch does not send the prompt again.
    fn is_retried(&self, index: usize, result: &Value) -> bool {
        self.failed.get(&index) == Some(result)
    }

    fn started(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        lock(&self.started)
    }

    async fn create(&self, index: usize) -> Outcome<W::Report> {
        let mut guard = CreateGuard {
            context: self,
            index,
            has_ended: false,
        };
        let outcome = self.create_and_wait(index).await;
        guard.has_ended = true;
        outcome
    }

    async fn create_and_wait(&self, index: usize) -> Outcome<W::Report> {
        let prompt = &self.prompts[index];
        let is_shared = self.journal.is_shared();
        let mut failures = 0;
        let mut failing_since = None;
        loop {
            let place = match is_shared {
                true => self.creates.acquire().await.ok(),
                false => None,
            };
            let claim = Arc::new(Claim::default());
            let before_send = self.before_send(index, prompt, &claim);
            let create = self.work.create(index, prompt, before_send);
            let created = match select(pin!(self.stopped()), create).await {
                Either::Right((created, _)) => created,
                Either::Left(((), create)) if self.started().contains(&index) => create.await,
                Either::Left(_) => {
                    if failures > 0 {
                        // The journal may contain a claim whose response was lost. No create was sent.
                        let _ = self.journal.record(&prompt.id, &Step::NotStarted).await;
                    }
                    return Outcome::NotStarted;
                }
            };
            drop(place);
            let failed = match created {
                Ok(created) => {
                    let step = Step::Created(created.clone());
                    let recorded = self.record(&prompt.id, &step).await;
                    return self.wait(index, created, recorded.err()).await;
                }
                Err(_) if claim.is_refused.load(Ordering::Relaxed) => return Outcome::Elsewhere,
                Err(failed) => failed,
            };
            let claim_failed = claim.take();
            if is_shared && claim_failed.is_some() {
                // The create was not sent, because the journal could not record the claim. After a pause, the loop
                // tries the create again, which repeats the claim.
                failures += 1;
                let since = *failing_since.get_or_insert_with(Instant::now);
                if failures < CLAIM_ATTEMPTS || since.elapsed() < PATIENCE {
                    self.started().remove(&index);
                    sleep(RETRY).await;
                    continue;
                }
            }
            let step = match failed.may_have_taken_effect {
                true => Step::Unknown(failed.session_id),
                false => Step::NotStarted,
            };
            let report = failed.report;
            let item = BatchItem::Finished { index, report };
            let recorded = match claim_failed {
                Some(error) => Err(error),
                None => self.record(&prompt.id, &step).await.map(drop),
            };
            return match recorded {
                Ok(()) => Outcome::Item(item),
                Err(error) => Outcome::NotRecorded(item, error),
            };
        }
    }

    /// Waits until the batch is stopped.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // An error would mean that the sender is gone, but the sender is in `self`.
        let _ = stop.wait_for(|stopped| *stopped).await;
    }

    /// Returns a future that claims the prompt when it is awaited.
    fn before_send(&self, index: usize, prompt: &BatchPrompt, claim: &Arc<Claim>) -> BeforeSend {
        let journal = Arc::clone(&self.journal);
        let (id, request) = (prompt.id.clone(), prompt.fingerprint.clone());
        let retry = Retry {
            unknown: self.retry_unknown,
            result: self.failed.get(&index).cloned(),
        };
        let claim = Arc::clone(claim);
        let started = Arc::clone(&self.started);
        Box::pin(async move {
            lock(&started).insert(index);
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
                // Usually this worker did not renew its claim in time, and another worker has taken over the prompt and
                // recorded a result. Or the response to an earlier attempt of this worker was lost.
                Ok(false) => match self.recorded(&prompt.id).await {
                    Ok(recorded) => {
                        let result = recorded.unwrap_or(result);
                        return Outcome::Item(BatchItem::Known { index, result });
                    }
                    Err(error) => not_recorded = not_recorded.or(Some(error)),
                },
                Err(error) => not_recorded = not_recorded.or(Some(error)),
            }
        }
        match not_recorded {
            None => Outcome::Item(item),
            Some(error) => Outcome::NotRecorded(item, error),
        }
    }

    /// Returns the result that the journal has recorded for a prompt.
    async fn recorded(&self, id: &str) -> Result<Option<Value>, JournalError> {
        let ids = [id.to_owned()];
        let mut entries = self.patiently(|| self.journal.read(&ids)).await?;
        Ok(match entries.pop().flatten().map(|entry| entry.state) {
            Some(State::Ended(result)) => Some(result),
            _ => None,
        })
    }

    async fn record(&self, id: &str, step: &Step) -> Result<bool, JournalError> {
        self.patiently(|| self.journal.record(id, step)).await
    }

    /// Repeats `attempt` while it fails temporarily, for up to `PATIENCE`.
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

/// Handles a create whose future is dropped: records that the create had no effect, if this is certain.
struct CreateGuard<'a, W: BatchWork> {
    context: &'a Context<W>,
    index: usize,
    has_ended: bool,
}

impl<W: BatchWork> Drop for CreateGuard<'_, W> {
    fn drop(&mut self) {
        let (context, index) = (self.context, self.index);
        let is_claimed = context.started().contains(&index);
        if self.has_ended || !is_claimed || context.work.may_have_taken_effect(index) {
            return;
        }
        context.started().remove(&index);
        if context.journal.is_shared() {
            // This journal needs time, which a drop does not have.
            lock(&context.dropped).insert(index);
            return;
        }
        // The file of a journal is written when the future is polled for the first time. If the write fails, the next
        // run reports an unknown outcome.
        let id = &context.prompts[index].id;
        let _ = context.journal.record(id, &Step::NotStarted).now_or_never();
    }
}

/// Contains why a claim was not made: the journal refused the claim, or failed with an error. Both fields are empty if
/// the claim was made, or was not attempted yet.
#[derive(Default)]
struct Claim {
    is_refused: AtomicBool,
    error: Mutex<Option<JournalError>>,
}

impl Claim {
    fn set(&self, error: JournalError) {
        *lock(&self.error) = Some(error);
    }

    fn take(&self) -> Option<JournalError> {
        lock(&self.error).take()
    }
}
