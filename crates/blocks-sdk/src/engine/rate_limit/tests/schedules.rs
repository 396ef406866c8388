//! Tests the limiter with every order of a few steps, such as the poll or the drop of a waiter. Checks that no permit
//! is lost or granted twice, and that no wake-up is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const WAITERS: usize = 3;

/// One step of a schedule.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Polls a waiter if it was never polled, or if it was woken since its last poll.
    Poll(usize),
    /// Drops a waiter if it is still waiting.
    Cancel(usize),
    /// Advances the clock, so that some timers fire.
    Advance,
    /// Reports a 429 with a long `Retry-After` to the limiter, which shortens the pause. After the pause, the limiter
    /// grants one permit for a probe: all other requests wait for the response to the probe.
    Refuse,
    /// Reports a response other than a 429 to the limiter. The response ends a probe.
    Respond,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

enum Waiter {
    Waiting(Pin<Box<Acquire>>),
    Permitted,
    Cancelled,
}

struct Schedule {
    limiter: Arc<RateLimiter>,
    waiters: Vec<(Waiter, Arc<Woken>)>,
    start: Instant,
    permits: Vec<Duration>,
}

impl Schedule {
    fn new(store: Option<Arc<dyn LimitStore>>) -> Self {
        let limit = RateLimit::per_minute(1).unwrap();
        let limiter = Arc::new(RateLimiter::new(limit, store));
        let now = Instant::now();
        let priorities = [
            Priority::Create,
            poll_at(now + WINDOW / 2),
            Priority::Interactive,
        ];
        let waiters = priorities.map(|priority| {
            let acquire = Box::pin(limiter.acquire(priority, None));
            let woken = Arc::new(Woken(AtomicUsize::new(1)));
            (Waiter::Waiting(acquire), woken)
        });
        Self {
            limiter,
            waiters: waiters.into(),
            start: now,
            permits: Vec::new(),
        }
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Poll(number) => {
                self.poll(number);
                // A request to the store runs in a separate task. This line lets the task run.
                tokio::task::yield_now().await;
            }
            Op::Cancel(number) => {
                let waiter = &mut self.waiters[number].0;
                if matches!(waiter, Waiter::Waiting(_)) {
                    *waiter = Waiter::Cancelled;
                }
            }
            Op::Advance => advance(WINDOW / 3 + SECOND).await,
            Op::Refuse => {
                self.limiter.refused(Some(WINDOW), WINDOW / 2);
            }
            Op::Respond => self.limiter.responded(),
        }
    }

    /// Polls a waiter only if it was woken, because a poll without a wake-up would hide a lost wake-up.
    fn poll(&mut self, number: usize) {
        let (waiter, woken) = &mut self.waiters[number];
        if woken.0.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        let Waiter::Waiting(acquire) = waiter else {
            return;
        };
        let waker = Waker::from(Arc::clone(woken));
        if let Poll::Ready(result) = acquire.as_mut().poll(&mut Context::from_waker(&waker)) {
            drop(result.expect("a permit"));
            self.permits.push(self.start.elapsed());
            *waiter = Waiter::Permitted;
        }
    }

    /// Polls the woken waiters for so long that each waiter must get its permit. Then checks that no permit was granted
    /// too early, and that no permit was lost.
    async fn finish(mut self, ops: &[Op]) {
        for _ in 0..40 {
            for number in 0..WAITERS {
                self.poll(number);
                tokio::task::yield_now().await;
            }
            advance(SECOND * 13).await;
        }
        for (number, (waiter, _)) in self.waiters.iter().enumerate() {
            let waits = matches!(waiter, Waiter::Waiting(_));
            assert!(!waits, "{number} waits for ever after {ops:?}");
        }
        let permitted = self
            .waiters
            .iter()
            .filter(|(w, _)| matches!(w, Waiter::Permitted));
        assert_eq!(permitted.count(), self.permits.len(), "{ops:?}");
        // The limit is one permit in each window. A waiter may receive its permit late, but never early.
        for (number, at) in (0..).zip(&self.permits) {
            assert!(*at >= WINDOW * number, "{:?} after {ops:?}", self.permits);
        }
        let status = self.limiter.status();
        let waiting = status.waiting_interactive + status.waiting_creates + status.waiting_polls;
        assert_eq!(waiting, 0, "{ops:?}");
        // After three windows, the limiter no longer counts the used permits, so a permit must be available.
        advance(WINDOW * 3).await;
        let next = self.limiter.acquire(Priority::Create, None);
        assert!(
            timeout(Duration::from_millis(1), next).await.is_ok(),
            "a permit is lost after {ops:?}"
        );
    }
}

#[test]
fn no_order_loses_a_permit_or_a_wake_up() {
    assert_eq!(run_all(5, || None), 5 * 9_usize.pow(4));
}

#[test]
fn no_order_with_a_store_loses_a_permit() {
    let store = || Some(Arc::new(MemoryLimitStore::default()) as Arc<dyn LimitStore>);
    assert_eq!(run_all(4, store), 5 * 9_usize.pow(3));
}

/// Runs the schedules of `depth` steps, and returns the number of schedules. The schedules with the same first step run
/// in one thread, so that the test uses several processor cores.
fn run_all(depth: usize, store: impl Fn() -> Option<Arc<dyn LimitStore>> + Sync) -> usize {
    let all: Vec<Op> = (0..WAITERS)
        .flat_map(|number| [Op::Poll(number), Op::Cancel(number)])
        .chain([Op::Advance, Op::Refuse, Op::Respond])
        .collect();
    // `Respond` has no effect as the first step. `Cancel` as the first step drops a waiter that was never polled, and
    // has the same effect as a `Cancel` of this waiter in a later step before its first poll.
    let firsts = all
        .iter()
        .filter(|op| !matches!(op, Op::Cancel(_) | Op::Respond));
    let (all, store) = (&all, &store);
    std::thread::scope(|scope| {
        let threads: Vec<_> = firsts
            .map(|first| {
                scope.spawn(move || paused().block_on(run_from(*first, all, depth, store)))
            })
            .collect();
        let ran = threads.into_iter().map(|thread| thread.join());
        ran.map(|ran| ran.expect("every schedule succeeds")).sum()
    })
}

/// Runs every schedule of `depth` steps whose first step is `first`.
async fn run_from(
    first: Op,
    all: &[Op],
    depth: usize,
    store: impl Fn() -> Option<Arc<dyn LimitStore>>,
) -> usize {
    let schedules = all.len().pow(depth as u32 - 1);
    for mut number in 0..schedules {
        let mut ops = vec![first];
        while ops.len() < depth {
            ops.push(all[number % all.len()]);
            number /= all.len();
        }
        let mut schedule = Schedule::new(store());
        for op in &ops {
            schedule.apply(*op).await;
        }
        schedule.finish(&ops).await;
    }
    schedules
}

/// Returns a runtime whose clock is paused.
fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}
