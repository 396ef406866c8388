//! Tests of the messages that commands print while they wait, and of the messages that they print with a reply.

use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, RetryAfter, Script, TurnInfo};

use crate::ends::{replying, session, valid};
use crate::in_process::{REQUEST_ID, Stream, Test};

#[tokio::test(start_paused = true)]
async fn a_wait_says_when_polls_fail_and_what_failed_last() {
    let mock = replying();
    mock.inject(
        Operation::ListThreadMessages,
        Frequency::Always,
        Fault::status(503),
    );
    let ended = Test::new(&mock, "run --agent claude --json --timeout 1m hello")
        .run()
        .await;
    assert_eq!(ended.code, 3, "{ended:?}");
    let report = ended.json();
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("no reply within 1m; last error: "),
        "{message}"
    );
    assert_eq!(report["error"]["http_status"], 503);
    assert_eq!(report["error"]["request_id"], REQUEST_ID);
    assert_eq!(
        ended.err.matches("a poll failed, still waiting: ").count(),
        1,
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn finding_the_newest_prompt_is_bounded() {
    let mock = replying();
    let session = session(&mock).await;
    mock.inject(
        Operation::ListSessionMessages,
        Frequency::Always,
        Fault::Delay(Duration::from_secs(500)),
    );
    let start = tokio::time::Instant::now();
    let ended = Test::new(&mock, &format!("wait {session} --timeout 5s --json"))
        .run()
        .await;
    assert_eq!((ended.code, start.elapsed().as_secs()), (3, 5), "{ended:?}");
    assert_eq!(ended.json()["session_id"], session);
}

#[tokio::test(start_paused = true)]
async fn a_silent_wait_says_each_minute_that_it_continues() {
    let mock = Mock::builder().agent(Script::no_reply()).build();
    let ended = Test::new(&mock, "run --agent claude --timeout 5m30s hello")
        .run()
        .await;
    for minute in 1..=5 {
        let line = format!("still working, {minute}m\n");
        assert_eq!(ended.err.matches(&line).count(), 1, "{ended:?}");
    }
    assert_eq!(ended.err.matches("still working").count(), 5, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_request_says_that_it_waits() {
    for (line, operation, what) in [
        (
            "run --agent claude --json hello",
            Operation::CreateSession,
            "sending the prompt",
        ),
        (
            "send SESSION more",
            Operation::CreateMessage,
            "sending the prompt",
        ),
        (
            "wait SESSION",
            Operation::ListSessionMessages,
            "reading the newest prompt",
        ),
        (
            "show SESSION --json",
            Operation::GetSession,
            "reading the session",
        ),
    ] {
        let mock = replying();
        let session = session(&mock).await;
        // The time-out of a read is 2 minutes, and a read fails immediately if the pause is longer.
        let pause = Fault::rate_limited(Some(RetryAfter::Seconds(110)));
        mock.inject(operation, Frequency::ONCE, pause);
        let line = line.replace("SESSION", &session);
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        let notice = format!("{what}: rate limited for another 1m");
        assert_eq!(ended.err.matches(&notice).count(), 1, "{line}: {ended:?}");
        let text = format!("still {what}, 1m\n");
        assert_eq!(ended.err.matches(&text).count(), 1, "{line}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_printed_is_no_success() {
    for (errno, code) in [(28, 1), (32, 141)] {
        let mock = replying();
        let err = Stream::default();
        let line = "run --agent claude hello";
        let test = Test::new(&mock, line).out(Stream::failing(errno)).err(&err);
        let ended = test.run().await;
        assert_eq!(ended.code, code, "{ended:?}");
        let session = mock.sessions()[0];
        assert!(
            ended.err.contains(&format!("run: blocks wait {session}")),
            "{ended:?}"
        );
        assert_eq!(ended.err.contains("error: "), code == 1, "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_wait_prints_the_id() {
    let mock = replying();
    let ended = Test::new(&mock, "run --agent claude --no-wait hello")
        .run()
        .await;
    assert_eq!(ended.out, format!("{}\n", mock.sessions()[0]));
    let json = Test::new(&mock, "run --agent claude --no-wait --json hello")
        .run()
        .await
        .json();
    valid("result", &json);
    assert_eq!(json["status"], "started");
}

#[tokio::test(start_paused = true)]
async fn check_says_whether_the_key_is_accepted() {
    let mock = replying();
    let good = Test::new(&mock, "check --json").run().await;
    valid("check", &good.json());
    assert_eq!(
        (good.code, &good.json()["status"]),
        (0, &"completed".into())
    );
    mock.inject(None, Frequency::Always, Fault::status(403));
    let bad = Test::new(&mock, "check").run().await;
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.out.contains("key              rejected"), "{bad:?}");
    assert_eq!(mock.session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_404_of_another_server_accepts_no_key() {
    for (body, code) in [
        ("<html>Not Found</html>", 1),
        ("", 1),
        ("[]", 1),
        (r#"{"error": "Not found"}"#, 0),
    ] {
        let mock = replying();
        let fault = Fault::Status {
            status: 404,
            body: body.into(),
            retry_after: None,
            after_effect: false,
        };
        mock.inject(None, Frequency::Always, fault);
        let ended = Test::new(&mock, "check").run().await;
        assert_eq!(ended.code, code, "{body}: {ended:?}");
        let key = if code == 0 { "accepted" } else { "not checked" };
        let line = format!("key              {key}\n");
        assert!(ended.out.contains(&line), "{body}: {ended:?}");
        let is_named = ended.err.contains("is not from the service");
        assert_eq!(is_named, code == 1, "{body}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_of_failure_is_a_result_and_an_opinion() {
    let text = "Claude Code: Authentication failed. Check the account.";
    let mock = Mock::builder()
        .agent(Script::reply(text).reply_after(Duration::ZERO))
        .build();
    for (options, code) in [("", 0), ("--fail-on-notice", 5)] {
        let line = format!("run --agent claude --json hello {options}");
        let ended = Test::new(&mock, line.trim()).run().await;
        assert_eq!(ended.code, code, "{ended:?}");
        let report = ended.json();
        valid("result", &report);
        assert_eq!(report["status"], "completed");
        assert_eq!(report["failure_notice"], "authentication");
        assert_eq!(
            (&report["final_message"], &report["exit_code"]),
            (&text.into(), &code.into())
        );
        let plain = Test::new(&mock, line.replace(" --json", "").trim())
            .run()
            .await;
        assert_eq!((plain.code, plain.out), (code, format!("{text}\n")));
        let session = mock.sessions()[0];
        let wait = Test::new(&mock, format!("wait {session} {options}").trim())
            .run()
            .await;
        assert_eq!(wait.code, code, "{wait:?}");
        let prompt = r#"{"id":"a","agent_name":"claude","message":"x"}"#;
        let folder = crate::Folder::new("notice");
        let line = format!("batch - --journal {} {options}", folder.file("journal"));
        for _ in 1..=2 {
            let batch = Test::new(&mock, line.trim()).input(prompt).run().await;
            assert_eq!(
                (batch.code, batch.json()["exit_code"].clone()),
                (code, code.into())
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_prompt_of_another_process_is_named() {
    let mock = Mock::builder().agent(Script::no_reply()).build();
    let session = session(&mock).await;
    let first = mock.threads(&session)[0];
    tokio::time::sleep(Duration::from_secs(2)).await;
    Test::new(&mock, &format!("send {session} --no-wait more"))
        .run()
        .await;
    let second = mock.threads(&session)[1];
    let line = format!("wait {session} --thread {first} --timeout 30s --json");
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let error = &ended.json()["error"];
    assert_eq!(error["kind"], "superseded");
    let resume = format!("blocks wait {session} --thread {second}");
    assert_eq!(error["resume"], resume);
    let line = format!("wait {session} --thread {second} --timeout 30s");
    assert_eq!(Test::new(&mock, &line).run().await.code, 3);
}

#[tokio::test(start_paused = true)]
async fn follow_says_once_that_polls_fail() {
    let mock = replying();
    let session = session(&mock).await;
    mock.inject(
        Operation::ListSessionMessages,
        Frequency::Times(40),
        Fault::status(503),
    );
    let line = format!("messages {session} --follow --until-done");
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended
            .err
            .matches("a poll failed, still following: ")
            .count(),
        1,
        "{ended:?}"
    );
    assert!(ended.out.ends_with("assistant: Done.\n"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn follow_reports_each_outage() {
    let script = Script::reply("Done.").reply_after(Duration::from_secs(2000));
    let mock = Mock::builder().agent(script).build();
    let session = session(&mock).await;
    let outages = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(600)).await;
            mock.inject(
                Operation::ListSessionMessages,
                Frequency::Times(40),
                Fault::status(503),
            );
        }
    };
    let line = format!("messages {session} --follow --until-done");
    let (ended, ()) = tokio::join!(Test::new(&mock, &line).run(), outages);
    assert_eq!(ended.code, 0, "{ended:?}");
    let reports = ended.err.matches("a poll failed, still following: ");
    assert_eq!(reports.count(), 2, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn until_done_waits_for_the_newest_turn() {
    let script = |turn: &TurnInfo| {
        Script::reply(["One.", "Two."][turn.turn]).reply_after(Duration::from_secs(30))
    };
    let mock = Mock::builder().agent_fn(script).build();
    let run = Test::new(&mock, "run --agent claude hello").run().await;
    assert_eq!(run.code, 0, "{run:?}");
    let session = mock.sessions()[0];
    let send = format!("send {session} --no-wait more");
    assert_eq!(Test::new(&mock, &send).run().await.code, 0);
    let first = mock.threads(session)[0];
    for (options, last) in [
        // Only the messages of the first turn are followed.
        (format!("--thread {first}"), "One."),
        // The second turn starts to work.
        ("--type final_message".into(), "Two."),
        // The second turn has ended.
        ("--role assistant".into(), "Two."),
    ] {
        let line = format!("messages {session} --follow --until-done {options}");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let end = format!("assistant: {last}\n");
        assert!(ended.out.ends_with(&end), "{options}: {ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn until_done_ends_at_a_message_that_is_not_printed() {
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: serde_json::json!({}),
    };
    let script = Script::reply("Done.").reply_after(Duration::from_secs(30));
    let mock = Mock::builder()
        .agent(script.step(Duration::from_secs(10), tool))
        .build();
    let session = session(&mock).await;
    for (options, field, value) in [
        ("--type message", "type", "message"),
        ("--type tool_call", "type", "tool_call"),
        ("--role user", "role", "user"),
        ("--role user --type message", "role", "user"),
        ("--role assistant --type tool_call", "type", "tool_call"),
    ] {
        let line = format!("messages {session} --json --follow --until-done {options}");
        let run = Test::new(&mock, &line).run();
        let ended = tokio::time::timeout(Duration::from_secs(600), run).await;
        let ended = ended.expect("the command ends");
        assert_eq!(ended.code, 0, "{options}: {ended:?}");
        let lines = ended.lines();
        assert!(!lines.is_empty(), "{options}");
        for line in lines {
            assert_eq!(line[field], value, "{options}: {line}");
        }
    }
    // The final message of a turn that has ended can be older than the time of --newer-than.
    let thread = mock.threads(mock.sessions()[0])[0];
    for options in [String::new(), format!(" --type message --thread {thread}")] {
        let line = format!("messages {session} --follow --until-done --newer-than 9e9{options}");
        let run = Test::new(&mock, &line).run();
        let ended = tokio::time::timeout(Duration::from_secs(600), run).await;
        let ended = ended.expect("the command ends");
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_follow_says_each_minute_that_it_continues() {
    let mock = Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(200)))
        .build();
    let session = session(&mock).await;
    let line = format!("messages {session} --follow --until-done");
    let ended = Test::new(&mock, &line).run().await;
    let lines: Vec<&str> = ended.err.lines().collect();
    let expected = [1, 2, 3].map(|minute| format!("still following, {minute}m"));
    assert_eq!(lines, expected, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_names_its_host_and_cause() {
    let mock = replying();
    mock.inject(None, Frequency::Always, Fault::Refuse);
    let id = "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
    for line in [
        "run --agent claude --json hello".to_owned(),
        format!("send {id} --json more"),
        format!("show {id} --json"),
        "check --json".to_owned(),
    ] {
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        let report = ended.json();
        assert_eq!(report["error"]["kind"], "connection", "{line}");
        assert_eq!(report["error"]["may_have_taken_effect"], false, "{line}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(message.contains("api.blocks.team"), "{line}: {message}");
        assert!(message.contains("refused"), "{line}: {message}");
        assert!(ended.err.contains(message), "{line}: {ended:?}");
    }
}
