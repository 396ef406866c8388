//! Tests several limiters with one store of a shared limit. Each limiter represents a process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

fn process(store: &Arc<impl LimitStore + 'static>) -> Arc<RateLimiter> {
    let store: Arc<dyn LimitStore> = Arc::clone(store) as _;
    Arc::new(RateLimiter::new(RateLimit::default(), Some(store)))
}

/// A store that counts the requests for a slot, and the slots that are given back. A test can make the requests for a
/// slot fail, panic, hang or end late.
#[derive(Default)]
struct Scripted {
    memory: MemoryLimitStore,
    fails: AtomicBool,
    panics: AtomicBool,
    hangs: AtomicBool,
    delay: Mutex<Duration>,
    asked: AtomicUsize,
    given_back: AtomicUsize,
}

impl LimitStore for Scripted {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.fails.load(Ordering::Relaxed) {
                return Err(LimitStoreError::new("the store is down"));
            }
            assert!(!self.panics.load(Ordering::Relaxed), "a lock is poisoned");
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let response = self.memory.take(request).await;
            let delay = *self.delay.lock().unwrap();
            tokio::time::sleep(delay).await;
            response
        })
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.memory.pause(pause)
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.given_back.fetch_add(1, Ordering::Relaxed);
        self.memory.give_back(slot)
    }
}

/// Yields several times, so that the tasks that call the store can run.
async fn settle() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_time_out_of_a_store_may_be_endless() {
    let now = Instant::now();
    let mut requests = super::super::store_requests::StoreRequests::new(1, Duration::MAX);
    requests.start(now, Vec::new());
    assert!(requests.is_running(now + SECOND * 3600));
}

#[tokio::test(start_paused = true)]
async fn processes_share_every_window() {
    let store = Arc::new(MemoryLimitStore::default());
    let start = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let limiter = process(&store);
        for _ in 0..10 {
            let limiter = Arc::clone(&limiter);
            calls.spawn(async move {
                acquire(&limiter, Priority::Create).await;
                start.elapsed()
            });
        }
    }
    let mut windows = [0; 4];
    for at in calls.join_all().await {
        let number = at.as_millis() / WINDOW.as_millis();
        assert_eq!(at.as_millis() % WINDOW.as_millis(), 0, "{at:?}");
        windows[number as usize] += 1;
    }
    assert_eq!(windows, [99, 99, 99, 3]);
}

/// Polls each session for five minutes, as often as the limiter allows, but at most every 2 s. Returns the times of the
/// polls of each session.
async fn polls(limiter: &Arc<RateLimiter>, sessions: usize) -> Vec<Vec<Duration>> {
    let start = Instant::now();
    let mut waits = tokio::task::JoinSet::new();
    for _ in 0..sessions {
        let limiter = Arc::clone(limiter);
        waits.spawn(async move {
            let mut times = Vec::new();
            let mut last_poll = start;
            while start.elapsed() < SECOND * 300 {
                let schedule = PollSchedule {
                    started: start,
                    last_poll,
                    ready_at: last_poll + SECOND * 2,
                    first_before: None,
                };
                acquire(&limiter, Priority::Poll(schedule)).await;
                last_poll = Instant::now();
                times.push(start.elapsed());
            }
            times
        });
    }
    waits.join_all().await
}

#[tokio::test(start_paused = true)]
async fn one_session_beside_49_polls_as_often_as_each() {
    let store = Arc::new(MemoryLimitStore::default());
    let (many, one) = (process(&store), process(&store));
    let (many, one) = tokio::join!(polls(&many, 49), polls(&one, 1));
    let all: usize = many.iter().map(Vec::len).sum();
    // The limit allows 99 requests in each window. Polls leave one of them for a request that is not a poll, such as a
    // create. So the polls of both processes together use up to 98.
    let windows = SECOND.as_secs_f64() * 300.0 / WINDOW.as_secs_f64();
    let most = 98.0 * windows;
    assert!((all + one[0].len()) as f64 > most * 0.97, "{all}");
    let average = all as f64 / 49.0;
    let ratio = one[0].len() as f64 / average;
    assert!(
        (0.9..1.2).contains(&ratio),
        "{} and {average}",
        one[0].len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_comes_before_polls_of_others() {
    let store = Arc::new(MemoryLimitStore::default());
    let (waits, creates) = (process(&store), process(&store));
    let polls = polls(&waits, 80);
    let create = async {
        tokio::time::sleep(SECOND * 200).await;
        let start = Instant::now();
        for _ in 0..10 {
            acquire(&creates, Priority::Create).await;
        }
        start.elapsed()
    };
    let (_, elapsed) = tokio::join!(polls, create);
    // The first create uses the slot that polls leave free. After that, a slot becomes free about every `WINDOW / 98`,
    // and the next create gets this slot before any poll.
    assert!(elapsed < WINDOW * 10 / 98, "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn polls_get_a_fifth_while_others_create() {
    let store = Arc::new(MemoryLimitStore::default());
    let (waits, creates) = (process(&store), process(&store));
    let start = Instant::now();
    let creating = tokio::spawn(async move {
        loop {
            acquire(&creates, Priority::Create).await;
        }
    });
    let polls: usize = polls(&waits, 80).await.iter().map(Vec::len).sum();
    creating.abort();
    let windows = start.elapsed().as_secs_f64() / WINDOW.as_secs_f64();
    let share = polls as f64 / windows;
    assert!((15.0..=20.0).contains(&share), "{share} in a window");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_panics_is_left_for_ten_seconds() {
    let failures: [fn(&Scripted) -> &AtomicBool; 2] = [|store| &store.fails, |store| &store.panics];
    for failure in failures {
        let store = Arc::new(Scripted::default());
        failure(&store).store(true, Ordering::Relaxed);
        let limiter = process(&store);
        let start = Instant::now();
        for _ in 0..20 {
            acquire(&limiter, Priority::Create).await;
        }
        assert_eq!(
            (start.elapsed(), store.asked.load(Ordering::Relaxed)),
            (Duration::ZERO, 1)
        );
        assert_eq!(limiter.status().store, LimitStoreStatus::Failed);
        failure(&store).store(false, Ordering::Relaxed);
        advance(SECOND * 10).await;
        acquire(&limiter, Priority::Create).await;
        assert_eq!(store.asked.load(Ordering::Relaxed), 2);
        assert_eq!(limiter.status().store, LimitStoreStatus::Shared);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_costs_350_ms() {
    let store = Arc::new(Scripted::default());
    store.hangs.store(true, Ordering::Relaxed);
    let limiter = process(&store);
    let start = Instant::now();
    acquire(&limiter, Priority::Interactive).await;
    assert_eq!(start.elapsed(), Duration::from_millis(350));
    acquire(&limiter, Priority::Create).await;
    assert_eq!(start.elapsed(), Duration::from_millis(350));
}

#[tokio::test(start_paused = true)]
async fn what_was_used_with_the_store_counts_when_alone() {
    let store = Arc::new(Scripted::default());
    let limiter = process(&store);
    for _ in 0..60 {
        acquire(&limiter, Priority::Create).await;
    }
    store.fails.store(true, Ordering::Relaxed);
    let start = Instant::now();
    for _ in 0..40 {
        acquire(&limiter, Priority::Create).await;
    }
    assert_eq!(start.elapsed(), WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_pause_reaches_every_process() {
    let store = Arc::new(MemoryLimitStore::default());
    let (first, second) = (process(&store), process(&store));
    let start = Instant::now();
    first.refused(Some(SECOND * 20), SECOND * 600);
    settle().await;
    let call = second.acquire(Priority::Interactive, Some(start + SECOND * 5));
    let paused_until = Some(start + SECOND * 20);
    assert_eq!(call.await.err(), Some(NoPermit { paused_until }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    acquire(&second, Priority::Create).await;
    assert_eq!(start.elapsed(), SECOND * 20);
}

#[tokio::test(start_paused = true)]
async fn a_slot_for_a_waiter_that_left_is_given_back() {
    let store = Arc::new(Scripted::default());
    *store.delay.lock().unwrap() = Duration::from_millis(100);
    let limiter = process(&store);
    let call = limiter.acquire(Priority::Create, None);
    assert!(timeout(Duration::from_millis(50), call).await.is_err());
    advance(SECOND).await;
    settle().await;
    assert_eq!(store.given_back.load(Ordering::Relaxed), 1);
    let permit = limiter.acquire(Priority::Create, None).await.unwrap();
    permit.give_back();
    settle().await;
    assert_eq!(store.given_back.load(Ordering::Relaxed), 2);
    assert_eq!(limiter.status().used_in_last_minute, 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_met_a_429_is_not_starved() {
    let store = Arc::new(MemoryLimitStore::default());
    let (careful, other) = (process(&store), process(&store));
    careful.refused(Some(SECOND), SECOND * 600);
    settle().await;
    let other = tokio::spawn(async move {
        loop {
            acquire(&other, Priority::Create).await;
        }
    });
    tokio::time::sleep(SECOND * 120).await;
    let start = Instant::now();
    acquire(&careful, Priority::Create).await;
    other.abort();
    assert!(start.elapsed() < WINDOW * 2, "{:?}", start.elapsed());
}

#[test]
fn a_store_request_of_a_dropped_runtime_is_replaced() {
    let store = Arc::new(Scripted::default());
    store.hangs.store(true, Ordering::Relaxed);
    let limiter = process(&store);
    let first = runtime();
    let mut moved = Box::pin(limiter.acquire(Priority::Create, None));
    first.block_on(async {
        assert!(futures_util::poll!(&mut moved).is_pending());
    });
    drop(first);
    store.hangs.store(false, Ordering::Relaxed);
    let result = ends(move || {
        runtime().block_on(async {
            moved.as_mut().await.unwrap();
            acquire(&limiter, Priority::Create).await;
        });
    });
    assert!(result.is_ok());
}
