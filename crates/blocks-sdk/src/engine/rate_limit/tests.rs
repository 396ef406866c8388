use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance, timeout};

use super::slots::WINDOW;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn limiter() -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(RateLimit::default(), None))
}

fn poll_at(ready_at: Instant) -> Priority {
    let now = Instant::now();
    Priority::Poll(PollSchedule {
        started: now,
        last_poll: now,
        ready_at,
        first_before: None,
    })
}

/// Returns the priority of a poll that may be made now.
fn poll_now() -> Priority {
    poll_at(Instant::now())
}

async fn acquire(limiter: &Arc<RateLimiter>, priority: Priority) {
    limiter.acquire(priority, None).await.expect("a permit");
}

/// Uses every permit that is available now.
async fn drain(limiter: &Arc<RateLimiter>) {
    let next = || timeout(Duration::ZERO, limiter.acquire(Priority::Create, None));
    while next().await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn a_thousand_creates_use_every_window() {
    let limiter = limiter();
    let start = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let limiter = Arc::clone(&limiter);
        calls.spawn(async move {
            acquire(&limiter, Priority::Create).await;
            start.elapsed()
        });
    }
    let mut windows = [0; 11];
    for at in calls.join_all().await {
        let number = at.as_millis() / WINDOW.as_millis();
        assert_eq!(at.as_millis() % WINDOW.as_millis(), 0);
        windows[number as usize] += 1;
    }
    assert_eq!(windows, [99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_hands_over_the_time() {
    let limiter = limiter();
    drain(&limiter).await;
    let start = Instant::now();
    // The first waiter is the timekeeper: its timer fires when the next permit can be granted. It stops waiting before
    // that time, so the second waiter must become the timekeeper.
    let impatient = timeout(SECOND, limiter.acquire(Priority::Create, None));
    let patient = acquire(&limiter, Priority::Create);
    let (first, ()) = tokio::join!(impatient, patient);
    assert!(first.is_err());
    assert_eq!(start.elapsed(), WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_was_not_picked_up_is_returned() {
    let limiter = Arc::new(RateLimiter::new(RateLimit::per_minute(1).unwrap(), None));
    drain(&limiter).await;
    let mut held = Box::pin(limiter.acquire(Priority::Create, None));
    assert!(futures_util::poll!(&mut held).is_pending());
    let start = Instant::now();
    let other = acquire(&limiter, Priority::Create);
    let drop_later = async {
        tokio::time::sleep(WINDOW + SECOND * 10).await;
        drop(held);
    };
    tokio::join!(other, drop_later);
    assert_eq!(start.elapsed(), WINDOW + SECOND * 10);
}

#[tokio::test(start_paused = true)]
async fn waiters_that_are_not_polled_stop_no_other() {
    let limiter = limiter();
    drain(&limiter).await;
    let mut held: Vec<_> = (0..3)
        .map(|_| Box::pin(limiter.acquire(poll_now(), None)))
        .collect();
    for acquire in &mut held {
        assert!(futures_util::poll!(acquire).is_pending());
    }
    let start = Instant::now();
    acquire(&limiter, Priority::Interactive).await;
    assert_eq!(start.elapsed(), WINDOW);
    acquire(&limiter, poll_now()).await;
    assert!(
        start.elapsed() < WINDOW + SECOND * 4,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_everyone_for_as_long_as_it_says() {
    let limiter = limiter();
    let start = Instant::now();
    let mut queued = Box::pin(limiter.acquire(poll_at(start + SECOND), None));
    assert!(futures_util::poll!(&mut queued).is_pending());
    limiter.refused(Some(SECOND * 20), SECOND * 600);
    acquire(&limiter, Priority::Interactive).await;
    assert_eq!(start.elapsed(), SECOND * 20);
    acquire(&limiter, Priority::Create).await;
    queued.await.unwrap();
    assert!(start.elapsed() < SECOND * 23, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_when_a_pause_exceeds_its_deadline() {
    let limiter = limiter();
    drain(&limiter).await;
    let start = Instant::now();
    let deadline = start + SECOND * 120;
    let call = limiter.acquire(Priority::Interactive, Some(deadline));
    let pause = async {
        tokio::time::sleep(SECOND).await;
        limiter.refused(Some(SECOND * 300), SECOND * 600)
    };
    let (call, until) = tokio::join!(call, pause);
    let paused_until = Some(start + SECOND * 301);
    assert_eq!(
        (call.err(), Some(until)),
        (Some(NoPermit { paused_until }), paused_until)
    );
    assert_eq!(start.elapsed(), SECOND);
    // A new call fails immediately, too, because the pause ends after its deadline.
    let call = limiter.acquire(Priority::Create, Some(deadline)).await;
    assert_eq!(call.err(), Some(NoPermit { paused_until }));
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(limiter.status().waiting_creates, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline_in_the_queue() {
    let limiter = limiter();
    drain(&limiter).await;
    let start = Instant::now();
    let call = limiter.acquire(Priority::Create, Some(start + SECOND * 7));
    assert_eq!(call.await.err(), Some(NoPermit { paused_until: None }));
    assert_eq!(start.elapsed(), SECOND * 7);
    assert_eq!(limiter.status().waiting_creates, 0);
}

#[tokio::test(start_paused = true)]
async fn one_probe_follows_a_pause_that_was_cut_short() {
    let limiter = limiter();
    limiter.refused(Some(SECOND * 3600), SECOND * 60);
    let start = Instant::now();
    let probe = limiter.acquire(Priority::Create, None).await.unwrap();
    assert_eq!(start.elapsed(), SECOND * 60);
    let other = limiter.acquire(Priority::Create, None);
    let end = async {
        tokio::time::sleep(SECOND * 9).await;
        limiter.responded();
        drop(probe);
    };
    let (other, ()) = tokio::join!(other, end);
    assert!(other.is_ok());
    assert_eq!(start.elapsed(), SECOND * 69);
}

#[tokio::test(start_paused = true)]
async fn a_call_does_not_wait_for_a_later_poll() {
    let limiter = limiter();
    let now = Instant::now();
    let later = limiter.acquire(poll_at(now + SECOND * 3600), None);
    let sleeper = tokio::spawn(later);
    tokio::task::yield_now().await;
    acquire(&limiter, Priority::Interactive).await;
    assert_eq!(now.elapsed(), Duration::ZERO);
    sleeper.await.unwrap().unwrap();
    assert_eq!(now.elapsed(), SECOND * 3600);
}

#[tokio::test(start_paused = true)]
async fn the_status_counts_what_waits() {
    let limiter = limiter();
    drain(&limiter).await;
    let priorities = [
        Priority::Interactive,
        Priority::Create,
        poll_now(),
        poll_now(),
    ];
    let mut waiting = priorities.map(|priority| Box::pin(limiter.acquire(priority, None)));
    for acquire in &mut waiting {
        assert!(futures_util::poll!(acquire).is_pending());
    }
    let expected = RateLimitStatus {
        waiting_interactive: 1,
        waiting_creates: 1,
        waiting_polls: 2,
        paused_for: None,
        used_in_last_minute: 99,
        share: 1.0,
        store: LimitStoreStatus::None,
    };
    assert_eq!(limiter.status(), expected);
    drop(waiting);
    limiter.refused(Some(SECOND * 5), SECOND * 600);
    let expected = RateLimitStatus {
        waiting_interactive: 0,
        waiting_creates: 0,
        waiting_polls: 0,
        paused_for: Some(SECOND * 5),
        used_in_last_minute: 99,
        share: 0.8,
        store: LimitStoreStatus::None,
    };
    assert_eq!(limiter.status(), expected);
    advance(SECOND * 60).await;
    assert_eq!(limiter.status().used_in_last_minute, 0);
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Creates a limiter with a very high limit. Its tests use the real clock, and must not wait for a minute.
fn short_limiter() -> Arc<RateLimiter> {
    Arc::new(RateLimiter::new(
        RateLimit::per_minute(600_000).unwrap(),
        None,
    ))
}

/// Runs `test` on a separate thread, and panics if `test` does not end within 20 seconds.
fn ends(test: impl FnOnce() + Send + 'static) -> std::thread::Result<()> {
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        test();
    });
    let limit = Duration::from_secs(20);
    assert_eq!(
        ended.recv_timeout(limit),
        Err(RecvTimeoutError::Disconnected),
        "it hangs"
    );
    thread.join()
}

#[test]
fn a_waiter_moves_to_another_runtime() {
    let limiter = limiter();
    let first = runtime();
    let mut moved = Box::pin(limiter.acquire(Priority::Create, None));
    first.block_on(async {
        drain(&limiter).await;
        assert!(futures_util::poll!(&mut moved).is_pending());
    });
    drop(first);
    let result = ends(move || {
        runtime().block_on(async {
            advance(WINDOW).await;
            moved.as_mut().await.unwrap();
            acquire(&limiter, Priority::Create).await;
        });
    });
    assert!(result.is_ok());
}

#[test]
fn an_idle_runtime_stops_no_other() {
    let limiter = short_limiter();
    let idle = Builder::new_current_thread().enable_time().build().unwrap();
    let mut held = idle.block_on(async {
        let now = Instant::now();
        let mut held = [(); 3].map(|()| Box::pin(limiter.acquire(poll_at(now + SECOND), None)));
        for acquire in &mut held {
            assert!(futures_util::poll!(acquire).is_pending());
        }
        held
    });
    let result = ends({
        let limiter = Arc::clone(&limiter);
        move || {
            let other = Builder::new_current_thread().enable_time().build().unwrap();
            other.block_on(async {
                let now = Instant::now();
                acquire(&limiter, poll_at(now + SECOND)).await;
                acquire(&limiter, Priority::Create).await;
            });
        }
    });
    assert!(result.is_ok());
    // The idle runtime runs again, so its waiters get their permits.
    idle.block_on(async {
        for acquire in &mut held {
            acquire.as_mut().await.unwrap();
        }
    });
}

#[test]
fn a_dropped_runtime_stops_no_other() {
    let limiter = short_limiter();
    let first = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for _ in 0..3 {
        let limiter = Arc::clone(&limiter);
        first
            .spawn(async move { acquire(&limiter, poll_at(Instant::now() + SECOND * 3600)).await });
    }
    drop(first);
    let result = ends(move || {
        let other = Builder::new_current_thread().enable_time().build().unwrap();
        other.block_on(acquire(&limiter, poll_at(std::time::Instant::now().into())));
        assert_eq!(limiter.status().waiting_polls, 0);
    });
    assert!(result.is_ok());
}

#[test]
fn a_runtime_that_was_shut_down_is_a_panic() {
    let limiter = limiter();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(drain(&limiter));
    let handle = runtime.handle().clone();
    drop(runtime);
    let result = ends({
        let limiter = Arc::clone(&limiter);
        move || handle.block_on(acquire(&limiter, Priority::Create))
    });
    assert!(result.is_err());
    assert_eq!(limiter.status().waiting_creates, 0, "it left the queue");
}

#[test]
fn no_runtime_is_a_panic_that_says_so() {
    let limiter = limiter();
    runtime().block_on(drain(&limiter));
    let result = ends(move || {
        let call = limiter.acquire(Priority::Create, None);
        let _ = futures_util::FutureExt::now_or_never(call);
    });
    let panic = result.unwrap_err();
    let message = panic.downcast_ref::<&str>().expect("a message");
    assert!(
        message.starts_with("blocks-sdk needs a tokio runtime"),
        "{message}"
    );
}

/// A waker that calls the limiter when it is woken or dropped. A real waker can also call the limiter: the waker may be
/// the last reference to a task. Then dropping the waker drops the task, and a waiter or permit of the task calls the
/// limiter when it is dropped.
struct Reentrant(Arc<RateLimiter>);

impl std::task::Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        self.0.status();
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.0.status();
    }
}

#[test]
fn no_waker_is_called_or_dropped_under_the_lock() {
    let result = ends(|| {
        runtime().block_on(async {
            let limiter = limiter();
            drain(&limiter).await;
            let mut waiting: Vec<_> = [Priority::Create, Priority::Interactive, poll_now()]
                .map(|priority| {
                    Box::pin(limiter.acquire(priority, Some(Instant::now() + SECOND * 90)))
                })
                .into();
            let poll_all = |waiting: &mut Vec<Pin<Box<Acquire>>>| {
                for acquire in waiting {
                    let waker = Waker::from(Arc::new(Reentrant(Arc::clone(&limiter))));
                    let _ = acquire.as_mut().poll(&mut Context::from_waker(&waker));
                }
            };
            poll_all(&mut waiting);
            poll_all(&mut waiting);
            limiter.refused(Some(SECOND * 100), SECOND * 600);
            limiter.responded();
            poll_all(&mut waiting);
            advance(SECOND * 200).await;
            poll_all(&mut waiting);
            drop(waiting);
        });
    });
    assert!(result.is_ok());
}

mod schedules;
mod store;
