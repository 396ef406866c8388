use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::*;

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(RateLimit::default()))
}

/// A poll that may be made at once.
fn poll_now() -> Lane {
    let now = Instant::now();
    Lane::Poll(Poll {
        began: now,
        looked: now,
        not_before: now,
    })
}

/// Spends what may be taken at once.
async fn drain(budget: &Arc<Budget>) {
    while timeout(Duration::ZERO, budget.turn(Lane::Create))
        .await
        .is_ok()
    {}
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_use_the_limit_and_never_pass_it() {
    let budget = budget();
    let start = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let budget = Arc::clone(&budget);
        calls.spawn(async move {
            budget.turn(Lane::Create).await;
            start.elapsed().as_secs_f64()
        });
    }
    let mut times: Vec<f64> = calls.join_all().await;
    times.sort_by(f64::total_cmp);
    for (n, first) in times.iter().enumerate() {
        let window = times[n..].iter().take_while(|t| **t < first + 60.0).count();
        assert!(window <= 100, "{window} from {first}");
    }
    assert!(
        times
            .last()
            .is_some_and(|last| *last < 1000.0 * 60.0 / 95.0),
        "{:?}",
        times.last()
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_first_in_rank_goes_first() {
    let budget = budget();
    drain(&budget).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    for (name, lane) in [
        ("poll", poll_now()),
        ("create", Lane::Create),
        ("second create", Lane::Create),
        ("call", Lane::Interactive),
    ] {
        let (budget, order) = (Arc::clone(&budget), Arc::clone(&order));
        calls.spawn(async move {
            budget.turn(lane).await;
            order.lock().unwrap().push(name);
        });
        tokio::task::yield_now().await;
    }
    calls.join_all().await;
    assert_eq!(
        *order.lock().unwrap(),
        ["call", "create", "second create", "poll"]
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_returns_its_turn_and_the_timer() {
    let budget = budget();
    drain(&budget).await;
    let start = Instant::now();
    // The first holds the timer for both; it gives up before its turn comes.
    let impatient = timeout(Duration::from_millis(100), budget.turn(Lane::Create));
    let patient = budget.turn(Lane::Create);
    let (first, ()) = tokio::join!(impatient, patient);
    assert!(first.is_err());
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_came_and_was_not_taken_goes_to_the_next() {
    let budget = budget();
    drain(&budget).await;
    let mut dropped = Box::pin(budget.turn(Lane::Create));
    assert!(futures_util::poll!(&mut dropped).is_pending());
    let start = Instant::now();
    // Its turn comes, but nobody looks.
    advance(Duration::from_millis(700)).await;
    tokio::task::yield_now().await;
    drop(dropped);
    budget.turn(Lane::Create).await;
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn waiters_that_are_held_and_not_polled_stop_nobody() {
    let budget = budget();
    drain(&budget).await;
    let mut held: Vec<_> = (0..3).map(|_| Box::pin(budget.turn(poll_now()))).collect();
    for turn in &mut held {
        assert!(futures_util::poll!(turn).is_pending());
    }
    let start = Instant::now();
    budget.turn(Lane::Interactive).await;
    budget.turn(poll_now()).await;
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn another_runtime_goes_on_when_one_ends() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let first = runtime();
    let (budget, mut turn) = first.block_on(async {
        let budget = budget();
        drain(&budget).await;
        let mut turn = Box::pin(budget.turn(Lane::Create));
        assert!(futures_util::poll!(&mut turn).is_pending());
        (budget, turn)
    });
    drop(first);
    runtime().block_on(async {
        turn.as_mut().await;
        budget.turn(Lane::Create).await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_429_stops_everyone_for_as_long_as_it_says() {
    let budget = budget();
    let start = Instant::now();
    budget.refused(Some(Duration::from_secs(20)));
    tokio::join!(
        budget.turn(Lane::Interactive),
        budget.turn(Lane::Create),
        budget.turn(poll_now())
    );
    assert!(start.elapsed() >= Duration::from_secs(20));
    assert!(start.elapsed() < Duration::from_secs(23));
}

#[tokio::test(start_paused = true)]
async fn a_call_wakes_a_timer_that_sleeps_for_a_later_poll() {
    let budget = budget();
    let now = Instant::now();
    let later = Lane::Poll(Poll {
        began: now,
        looked: now,
        not_before: now + Duration::from_secs(3600),
    });
    let sleeper = tokio::spawn(budget.turn(later));
    tokio::task::yield_now().await;
    budget.turn(Lane::Interactive).await;
    assert_eq!(now.elapsed(), Duration::ZERO);
    sleeper.await.unwrap();
    assert_eq!(now.elapsed().as_secs(), 3600);
}
