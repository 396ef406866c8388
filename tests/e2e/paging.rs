//! Tests that no message is lost or repeated if messages are added and deleted between two requests.

use std::time::Duration;

use blocks_mock::Mock;
use blocks_sdk::{
    ErrorKind, FollowUp, MessageRole, Watch, WatchCursor, WatchEvent, types::Message,
};
use blocks_tests::{
    Deviation, Meta, Placed, SESSION, Scripted, ScriptedResponse, ShiftingSession, THREAD, page,
    replied, session_id,
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{client, hello};

fn number(message: &Message) -> u128 {
    let id = message.id.as_ref().unwrap();
    id.to_uuid().unwrap().as_u128()
}

/// Returns messages 1 to `n`, one second apart.
fn many(n: u128) -> Vec<Placed> {
    let message = |i| Placed::new(i, Some(i as f64), "assistant");
    (1..=n).map(message).collect()
}

async fn all(service: &ShiftingSession) -> Vec<u128> {
    let messages = service.session().messages().collect().await.unwrap();
    messages.iter().map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_reads_page_by_page() {
    for (n, requests) in [
        (0, 1),
        (1, 1),
        (99, 1),
        (100, 2),
        (101, 2),
        (198, 3),
        (250, 3),
    ] {
        let service = ShiftingSession::new(many(n));
        assert_eq!(all(&service).await, (1..=n).collect::<Vec<_>>());
        assert_eq!(service.requests(), requests, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_and_an_arrival_lose_nothing() {
    let service = ShiftingSession::new(many(350));
    service.change_after(2, |messages| {
        messages.remove(4);
        messages.push(Placed::new(777, Some(351.0), "assistant"));
    });
    let expected: Vec<u128> = (1..=350).chain([777]).collect();
    assert_eq!(all(&service).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_late_message_comes_at_the_end() {
    let service = ShiftingSession::new(many(250));
    service.change_after(1, |messages| {
        messages.push(Placed::new(900, Some(251.0), "assistant"));
        messages.insert(50, Placed::new(901, Some(50.5), "assistant"));
    });
    service.change_after(2, |messages| {
        messages.remove(20);
    });
    let expected: Vec<u128> = (1..=250).chain([900, 901]).collect();
    assert_eq!(all(&service).await, expected);
}

#[tokio::test(start_paused = true)]
async fn newest_first_is_read_as_of_its_start() {
    let service = ShiftingSession::new(many(250));
    service.change_after(1, |messages| {
        messages.push(Placed::new(900, None, "assistant"));
    });
    let messages = service.session().messages().newest_first(true);
    let read = messages.collect().await.unwrap();
    let read: Vec<_> = read.iter().map(number).collect();
    assert_eq!(read, (1..=250).rev().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_stream_after_its_attempts() {
    let service = ShiftingSession::new(many(150));
    service.fail_next(4, 503);
    assert_eq!(all(&service).await.len(), 150);
    service.fail_next(5, 503);
    let session = service.session();
    let results: Vec<_> = session.messages().stream().collect().await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].as_ref().unwrap_err().attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_cut_off_is_read_again() {
    let whole = page(json!([{"id": SESSION, "message": "x"}])).to_string();
    let script = Scripted::new([
        ScriptedResponse::text(200, &whole[..20]),
        ScriptedResponse::text(200, r#"{"items": [], "meta": {"total": 0}}"#),
    ]);
    let session = script.client().session(session_id());
    assert_eq!(session.messages().collect().await.unwrap(), []);
    assert_eq!(script.count(), 2);
}

fn deviations() -> Vec<Deviation> {
    let metas = [
        Meta::Right,
        Meta::Missing,
        Meta::Total,
        Meta::RequestedLimit,
        Meta::TotalOfPage,
    ];
    let mut all = Vec::new();
    for meta in metas {
        for cap in [None, Some(1), Some(2), Some(7), Some(50), Some(99)] {
            let deviation = Deviation {
                meta,
                cap,
                ..Deviation::default()
            };
            // If a page has as many messages as the SDK requested, and reports this number as the total, the SDK cannot
            // detect that more messages exist.
            let is_undetectable = matches!(meta, Meta::TotalOfPage) && cap.is_none();
            all.extend((!is_undetectable).then_some(deviation));
        }
    }
    all.extend([100, 1000].map(|size| Deviation {
        ignores_limit: Some(size),
        ..Deviation::default()
    }));
    all.extend([2, 3].map(|page| Deviation {
        empty_page: Some(page),
        ..Deviation::default()
    }));
    all
}

#[tokio::test(start_paused = true)]
async fn deviating_pages_are_read_completely() {
    for deviation in deviations() {
        for n in [0, 1, 2, 50, 99, 100, 230] {
            let service = ShiftingSession::new(many(n)).deviating(deviation.clone());
            let read = service.session().messages().collect().await;
            let read = read.map(|all| all.iter().map(number).collect::<Vec<_>>());
            let expected: Vec<_> = (1..=n).collect();
            assert_eq!(read.ok(), Some(expected), "{n}, {deviation:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn missing_messages_are_an_error_that_counts_them() {
    let ignores_page = Deviation {
        ignores_page: true,
        ..Deviation::default()
    };
    let no_first = Deviation {
        empty_page: Some(1),
        ..Deviation::default()
    };
    let extra = Deviation {
        meta: Meta::Extra(5),
        ..Deviation::default()
    };
    for (deviation, given, missing) in [
        (ignores_page, 100, 130),
        (no_first, 0, 230),
        (extra, 230, 5),
    ] {
        let service = ShiftingSession::new(many(230)).deviating(deviation);
        let results: Vec<_> = service.session().messages().stream().collect().await;
        assert_eq!(results.len(), given + 1);
        let error = results[given].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete);
        let text = error.to_string();
        assert!(text.contains(&format!("{missing} are missing")), "{text}");
        assert!(service.requests() < 40, "{}", service.requests());
    }
}

/// Returns a message whose text has this many bytes.
fn large(number: u128, bytes: usize) -> Placed {
    let fields = json!({"ts": number as f64, "message": "x".repeat(bytes)});
    Placed::with(number, "assistant", &fields)
}

#[tokio::test(start_paused = true)]
async fn large_messages_are_read_in_smaller_pages() {
    let service = ShiftingSession::new((1..=100).map(|n| large(n, 2_000)).collect());
    let session = service.session_with(|builder| builder.max_body(50_000));
    let read = session.messages().collect().await.unwrap();
    let read: Vec<_> = read.iter().map(number).collect();
    assert_eq!(read, (1..=100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_is_reported_alone() {
    for places in [vec![1], vec![57], vec![57, 58], vec![120]] {
        let mut messages = many(120);
        for place in &places {
            messages[place - 1] = large(*place as u128, 60_000);
        }
        let service = ShiftingSession::new(messages);
        let session = service.session_with(|builder| builder.max_body(50_000));
        let results: Vec<_> = session.messages().stream().collect().await;
        let read: Vec<u128> = results
            .iter()
            .map(|result| result.as_ref().map_or(0, number))
            .collect();
        let expected = (1..=120).map(|n| if places.contains(&(n as usize)) { 0 } else { n });
        assert_eq!(read, expected.collect::<Vec<_>>());
        let errors = results.iter().filter_map(|result| result.as_ref().err());
        for error in errors {
            assert!(
                error.to_string().contains("larger than 50000 bytes"),
                "{error}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_reports_a_too_large_message_once() {
    let mut messages = many(10);
    messages.push(large(11, 60_000));
    let service = ShiftingSession::new(messages);
    let session = service.session_with(|builder| builder.max_body(50_000));
    let mut watch = session.messages().watch();
    let mut results = Vec::new();
    while let Ok(Some(result)) = timeout(Duration::from_secs(120), watch.next()).await {
        results.push(result.as_ref().map_or(0, number));
        if results.len() == 11 {
            service.change(|all| all.push(Placed::new(12, None, "assistant")));
        }
    }
    assert_eq!(results, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 12]);
}

fn one_role() -> Deviation {
    Deviation {
        one_role_at_a_time: true,
        ..Deviation::default()
    }
}

#[tokio::test(start_paused = true)]
async fn split_roles_are_requested_apart() {
    let mut messages = Vec::new();
    for n in 1..=120 {
        messages.push(Placed::new(2 * n, Some(n as f64), "user"));
        messages.push(Placed::new(2 * n + 1, Some(n as f64 + 0.5), "assistant"));
    }
    let service = ShiftingSession::new(messages).deviating(one_role());
    let session = service.session();
    let both = || {
        let messages = session.messages();
        messages.roles([MessageRole::User, MessageRole::Assistant])
    };
    let read: Vec<_> = both().collect().await.unwrap().iter().map(number).collect();
    assert_eq!(read, (2..=241).collect::<Vec<_>>());
    assert_eq!(
        service.requests(),
        5,
        "the rejection, then two pages of each role"
    );
    let page = both().page(2).limit(10).send().await.unwrap();
    let read: Vec<_> = page.messages().iter().map(number).collect();
    assert_eq!(read, (12..=21).collect::<Vec<_>>());
    assert_eq!(page.total(), Some(240));
    assert_eq!(service.requests(), 7, "the rejection is remembered");
}

#[tokio::test(start_paused = true)]
async fn split_role_pages_merge_in_order() {
    let role = |n: u32| {
        if n.is_multiple_of(4) {
            "user"
        } else {
            "assistant"
        }
    };
    let message = |n: u32| Placed::new(n.into(), Some(n.into()), role(n));
    let service = ShiftingSession::new((0..250).map(message).collect()).deviating(one_role());
    let messages = service.session().messages();
    let both = messages.roles([MessageRole::User, MessageRole::Assistant]);
    let read: Vec<_> = both.collect().await.unwrap().iter().map(number).collect();
    assert_eq!(read, (0..250).collect::<Vec<_>>());
}

/// Reads messages from `watch` until none has arrived for 50 seconds. Returns their numbers.
async fn drain(watch: &mut Watch) -> Vec<u128> {
    let mut read = Vec::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(50), watch.next()).await {
        read.push(number(&message.unwrap()));
    }
    read
}

#[tokio::test(start_paused = true)]
async fn a_watch_gives_old_and_new_messages() {
    let service = ShiftingSession::new(many(3));
    let mut watch = service.session().messages().watch();
    assert_eq!(drain(&mut watch).await, [1, 2, 3]);
    service.change(|messages| {
        messages.push(Placed::new(4, Some(3.0), "assistant"));
        messages.push(Placed::new(5, None, "assistant"));
        messages.insert(1, Placed::new(6, Some(1.5), "assistant"));
    });
    service.fail_next(3, 503);
    assert_eq!(drain(&mut watch).await, [6, 4, 5], "as the page shows them");
    let before = service.requests();
    assert_eq!(drain(&mut watch).await, []);
    let polls = service.requests() - before;
    assert!((23..=26).contains(&polls), "{polls} polls in 50 s");
}

#[tokio::test(start_paused = true)]
async fn a_watch_finds_a_message_late_by_a_thousand() {
    let service = ShiftingSession::new(many(1500));
    let mut watch = service.session().messages().watch();
    assert_eq!(drain(&mut watch).await.len(), 1500);
    let late = |n: u128| Placed::new(n, Some(501.5), "assistant");
    service.change(|messages| messages.insert(501, late(9000)));
    assert_eq!(drain(&mut watch).await, [9000]);
    // One message is added and one is removed, so the total and the positions of all later messages stay the same. Only
    // the watch's regular check of older pages can find the new message.
    service.change(|messages| {
        messages.insert(1000, late(9001));
        messages.remove(502);
    });
    let found = timeout(Duration::from_secs(300), watch.next()).await;
    assert_eq!(number(&found.unwrap().unwrap().unwrap()), 9001);
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_now_leaves_out_history() {
    for (n, one_role_at_a_time) in [(0, false), (40, false), (5_000, false), (5_000, true)] {
        let service = ShiftingSession::new(many(n)).deviating(Deviation {
            one_role_at_a_time,
            ..Deviation::default()
        });
        let mut watch = service.session().messages().all().watch().from_now();
        assert_eq!(drain(&mut watch).await, []);
        // The watch requests only the first and the last page of the history, and then polls every 2 s for 50 s. If
        // each role needs its own request, there are twice as many requests.
        assert!(service.requests() < 2 * (28 + 2), "{}", service.requests());
        service.change(|all| {
            all.push(Placed::new(9001, None, "assistant"));
            all.push(Placed::new(9002, Some(6_000.0), "assistant"));
        });
        assert_eq!(drain(&mut watch).await, [9001, 9002]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_resumes_from_a_stored_cursor() {
    for taken in [0, 1, 99, 100, 150, 230] {
        let service = ShiftingSession::new(many(230));
        let mut watch = service.session().messages().watch();
        let mut read = Vec::new();
        for _ in 0..taken {
            read.push(number(&watch.next().await.unwrap().unwrap()));
        }
        let stored = serde_json::to_string(&watch.cursor()).unwrap();
        drop(watch);
        service.change(|messages| {
            messages.remove(3);
            messages.push(Placed::new(900, Some(231.0), "assistant"));
        });
        let cursor: WatchCursor = serde_json::from_str(&stored).unwrap();
        let mut watch = service.session().messages().watch().resume(cursor);
        read.extend(drain(&mut watch).await);
        let there = |n: &u128| taken > 3 || *n != 4;
        let expected: Vec<u128> = (1..=230).filter(there).chain([900]).collect();
        assert_eq!(read, expected, "{taken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_two_roles_keeps_both() {
    let role = |n: u128| if n <= 10 { "user" } else { "assistant" };
    let message = |n: u128| Placed::new(n, Some(n as f64), role(n));
    let service = ShiftingSession::new((1..=2_100).map(message).collect()).deviating(one_role());
    let session = service.session();
    let both = || {
        let messages = session.messages();
        let messages = messages.roles([MessageRole::User, MessageRole::Assistant]);
        messages.watch()
    };
    let mut watch = both();
    assert_eq!(drain(&mut watch).await.len(), 2_100);
    let stored = serde_json::to_string(&watch.cursor()).unwrap();
    let cursor: WatchCursor = serde_json::from_str(&stored).unwrap();
    service.change(|all| {
        all.push(Placed::new(9_001, Some(9_001.0), "user"));
        all.push(Placed::new(9_002, Some(9_002.0), "assistant"));
    });
    let mut watch = both().resume(cursor);
    assert_eq!(drain(&mut watch).await, [9_001, 9_002]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_with_any_index_is_resumed() {
    let stored = r#"{"indexes":[18446744073709551615],"known":[1],"partial":false}"#;
    let cursor: WatchCursor = serde_json::from_str(stored).unwrap();
    let service = ShiftingSession::new(many(3));
    let mut watch = service.session().messages().watch().resume(cursor);
    assert_eq!(drain(&mut watch).await, [1, 2, 3]);
}

/// The pages of the search for late messages overlap. The late message is the first of one page and the last of the
/// next page.
#[tokio::test(start_paused = true)]
async fn a_late_message_between_two_pages_comes_once() {
    let service = ShiftingSession::new(many(3_000));
    let mut watch = service.session().messages().watch();
    assert_eq!(drain(&mut watch).await.len(), 3_000);
    service.change(|all| all.insert(2_870, Placed::new(9_001, Some(2_870.5), "assistant")));
    assert_eq!(drain(&mut watch).await, [9_001]);
    service.change(|all| {
        all.remove(0);
        all.push(Placed::new(9_002, None, "assistant"));
    });
    assert_eq!(drain(&mut watch).await, [9_002]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_reports_polls_that_fail_and_continues() {
    let service = ShiftingSession::new(many(1));
    service.fail_next(4, 503);
    let mut watch = service.session().messages().watch();
    let mut failures = Vec::new();
    let message = loop {
        match watch.next_event().await.unwrap().unwrap() {
            WatchEvent::PollFailed { error, failures: n } => {
                assert_eq!(error.status(), Some(503));
                failures.push(n);
            }
            WatchEvent::Message(message) => break message,
            _ => unreachable!("no other event"),
        }
    };
    assert_eq!((failures, number(&message)), (vec![1, 2, 3, 4], 1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_after_three_doubtful_statuses() {
    for (status, survives) in [(409, 2), (423, 2), (425, 2), (503, 20), (404, 0)] {
        let service = ShiftingSession::new(many(1));
        service.fail_next(survives, status);
        let mut watch = service.session().messages().watch();
        assert_eq!(number(&watch.next().await.unwrap().unwrap()), 1, "{status}");
        if status != 503 {
            service.fail_next(survives + 1, status);
            let error = watch.next().await.unwrap().unwrap_err();
            assert_eq!(error.status(), Some(status));
            assert!(watch.next().await.is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_waits_for_the_end_of_a_long_pause() {
    let message = json!([{"id": SESSION, "message": "late", "ts": 1.0}]);
    let script = Scripted::new([
        ScriptedResponse::text(429, "").header("retry-after", "3600"),
        ScriptedResponse::ok(&page(message)),
    ]);
    let session = script.client().session(session_id());
    let started = Instant::now();
    let mut watch = session.messages().watch();
    let message = watch.next().await.unwrap().unwrap();
    assert_eq!(message.message.as_deref(), Some("late"));
    assert_eq!((script.count(), started.elapsed().as_secs()), (2, 600));
}

#[tokio::test(start_paused = true)]
async fn a_page_leads_to_the_next_and_to_newer_messages() {
    let mock = Mock::new();
    let client = client(&mock);
    let session = client.create_session(hello()).await.unwrap();
    session.first_reply().await.unwrap();
    let all = session.messages().all().limit(1);
    let whole = session.messages().all().collect().await.unwrap();
    let mut page = all.send().await.unwrap();
    let mut read = page.messages().to_vec();
    while let Some(next) = page.next().await.unwrap() {
        read.extend_from_slice(next.messages());
        page = next;
    }
    assert_eq!(read, whole);

    session
        .follow_up(FollowUp::new("More."))
        .await
        .unwrap()
        .reply()
        .await
        .unwrap();
    let newest = page.newer().await.unwrap().unwrap();
    assert_eq!(
        newest.messages().len(),
        1,
        "the limit is kept, the page is not"
    );
    assert!(newest.messages()[0].ts > page.messages()[0].ts);
}

#[tokio::test(start_paused = true)]
async fn the_last_page_is_found_without_a_total() {
    let items = |n: u128| {
        let ids = (0..n).map(|n| json!({"id": uuid::Uuid::from_u128(n)}));
        ScriptedResponse::ok(&page(ids.collect()))
    };
    for (counts, pages) in [(vec![2, 2, 1], 3), (vec![2, 0], 2), (vec![0], 1)] {
        let script = Scripted::new(counts.into_iter().map(items));
        let session = script.client().session(session_id());
        let mut page = session.messages().limit(2).send().await.unwrap();
        while let Some(next) = page.next().await.unwrap() {
            page = next;
        }
        assert_eq!(script.count(), pages);
        assert!(
            page.newer().await.unwrap().is_none(),
            "the page has no link"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_message_link_without_its_thread_gets_it() {
    let link = format!("/rest/v1/sessions/{SESSION}/messages?type=final_message");
    let mut followed = json!({"id": SESSION, "chat_thread_id": THREAD});
    followed["_links"] = json!({"final_message": {"href": link}});
    let script = Scripted::new([
        ScriptedResponse::ok(&followed),
        ScriptedResponse::ok(&replied("second")),
    ]);
    let session = script.client().session(session_id());
    let turn = session.follow_up(FollowUp::new("More.")).await.unwrap();
    assert_eq!(turn.reply().await.unwrap().text(), "second");
    let query = format!("type=final_message&thread_id={THREAD}");
    assert_eq!(script.seen()[1].url.query(), Some(query.as_str()));
}
