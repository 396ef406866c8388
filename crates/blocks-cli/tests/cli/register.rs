//! Tests of the register of sessions: `list`, `forget` and `--last`.

use std::time::{Duration, SystemTime};

use blocks_mock::{Fault, Frequency, Mock, Operation, Script};
use serde_json::Value;

use crate::ends::{replying, valid};
use crate::in_process::Test;
use crate::{Folder, Service};

/// Creates a test of a command. The test uses the state folder in `folder`, and its clock shows 1970-01-02.
fn test<'a>(mock: &'a Mock, line: &str, folder: &Folder) -> Test<'a> {
    Test::new(mock, line)
        .variable("XDG_STATE_HOME", folder.file("state"))
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400))
}

async fn listed(mock: &Mock, folder: &Folder) -> Vec<String> {
    let report = test(mock, "list --json", folder).run().await.json();
    valid("list", &report);
    let sessions = report["sessions"].as_array().unwrap().iter();
    sessions
        .map(|session| session["session_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn list_has_the_newest_session_first() {
    let folder = Folder::new("register");
    let mock = replying();
    assert_eq!(test(&mock, "list", &folder).run().await.out, "");
    for _ in 1..=2 {
        let run = test(&mock, "run --agent claude hello", &folder).run().await;
        assert_eq!(run.code, 0, "{run:?}");
    }
    let ids: Vec<String> = mock.sessions().iter().map(ToString::to_string).collect();
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(listed(&mock, &folder).await, newest_first);
    let send = format!("send {} more", ids[0]);
    test(&mock, &send, &folder).run().await;
    assert_eq!(listed(&mock, &folder).await, ids, "a follow-up is newer");
    let text = test(&mock, "list", &folder).run().await.out;
    let first = text.lines().next().unwrap();
    let start = format!("1970-01-02T00:00:00Z  {}  http", ids[0]);
    assert!(first.starts_with(&start), "{text}");
}

#[tokio::test(start_paused = true)]
async fn last_is_in_place_of_a_session() {
    let folder = Folder::new("register-last");
    let plan = blocks_mock::Action::Plan {
        file_name: "p.md".into(),
        text: "1. Go.\n".into(),
    };
    let script = Script::reply("Done.").reply_after(Duration::from_secs(4));
    let mock = Mock::builder()
        .agent(script.step(Duration::from_secs(1), plan))
        .build();
    let before = test(&mock, "show --last", &folder).run().await;
    assert_eq!((before.code, mock.request_count()), (2, 0), "{before:?}");
    assert!(before.err.contains("no session of"), "{before:?}");
    for _ in 1..=2 {
        test(&mock, "run --agent claude hello", &folder).run().await;
    }
    let id = mock.sessions()[1].to_string();
    let show = test(&mock, "show --last --json", &folder).run().await;
    assert_eq!(show.json()["id"], id);
    let artifact = show.json()["plan_artifact_ids"][0]
        .as_str()
        .unwrap()
        .to_owned();
    for (line, expected) in [
        ("wait --last".to_owned(), "Done.\n"),
        ("plan --last".to_owned(), "1. Go.\n"),
        (format!("artifact --last {artifact}"), "1. Go.\n"),
        (format!("artifact {id} {artifact}"), "1. Go.\n"),
        ("send --last more".to_owned(), "Done.\n"),
    ] {
        let ended = test(&mock, &line, &folder).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (0, expected), "{line}");
    }
    assert_eq!(mock.threads(&id).len(), 2);
    for line in ["messages --last", "transcript --last"] {
        assert_eq!(test(&mock, line, &folder).run().await.code, 0, "{line}");
    }
    for line in [
        format!("show --last {id}"),
        format!("wait --last {id}"),
        format!("send --last {id} more"),
        format!("artifact --last {id} {artifact}"),
        format!("send {id} --json"),
        "send nonsense more".to_owned(),
        format!("artifact {id} nonsense"),
        format!("send {id} more --prompt-file -"),
    ] {
        let before = mock.request_count();
        let ended = test(&mock, &line, &folder).run().await;
        assert_eq!((ended.code, mock.request_count()), (2, before), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn forget_removes_what_it_names() {
    let folder = Folder::new("register-forget");
    let mock = replying();
    for _ in 1..=4 {
        test(&mock, "run --agent claude hello", &folder).run().await;
    }
    let ids: Vec<String> = mock.sessions().iter().map(ToString::to_string).collect();
    let line = format!("forget {} --last --json", ids[0]);
    let report = test(&mock, &line, &folder).run().await.json();
    valid("list", &report);
    let removed = report["sessions"].as_array().unwrap();
    let removed: Vec<&Value> = removed.iter().map(|s| &s["session_id"]).collect();
    assert_eq!(removed, [&ids[3], &ids[0]], "the newest first");
    let left = vec![ids[2].clone(), ids[1].clone()];
    assert_eq!(listed(&mock, &folder).await, left);
    assert_eq!(test(&mock, "forget --all", &folder).run().await.code, 0);
    assert_eq!(listed(&mock, &folder).await, Vec::<String>::new());
    assert_eq!(test(&mock, "forget", &folder).run().await.code, 2);
    assert_eq!(mock.session_count(), 4, "the service keeps them");
}

#[tokio::test(start_paused = true)]
async fn ci_adds_sessions_only_where_asked() {
    for (option, variable, in_ci, count) in [
        ("", None, false, 1),
        ("", None, true, 0),
        ("--register", None, true, 1),
        ("", Some("1"), true, 1),
        ("", Some("0"), false, 0),
        ("--register", Some("0"), false, 1),
    ] {
        let folder = Folder::new("register-ci");
        let mock = replying();
        let line = format!("run --agent claude hello {option}");
        let mut test = test(&mock, line.trim(), &folder);
        if in_ci {
            test = test.variable("CI", "true");
        }
        if let Some(value) = variable {
            test = test.variable("BLOCKS_REGISTER", value);
        }
        assert_eq!(test.run().await.code, 0);
        let found = listed(&mock, &folder).await.len();
        assert_eq!(found, count, "{option} {variable:?} {in_ci}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_register_has_no_texts_and_is_private() {
    let folder = Folder::new("register-private");
    let mock = replying();
    let line = "run --agent claude --title SECRET-TITLE SECRET-PROMPT";
    assert_eq!(test(&mock, line, &folder).run().await.code, 0);
    let file = folder.path().join("state/blocks/sessions.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let entry: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = entry.as_object().unwrap().keys().collect();
    let expected = ["session_id", "session_html_url", "base_url", "started_at"];
    assert_eq!(names.len(), expected.len());
    assert!(
        expected.iter().all(|name| entry.get(name).is_some()),
        "{entry}"
    );
    assert!(!text.contains("SECRET"), "{text}");
    assert!(!text.contains("Done"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| {
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            mode & 0o777
        };
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_of_another_base_url_are_apart() {
    let folder = Folder::new("register-urls");
    let mock = replying();
    let other = "http://127.0.0.1:9";
    let run = test(&mock, "run --agent claude hello", &folder);
    run.variable("BLOCKS_API_BASE_URL", other).run().await;
    assert_eq!(listed(&mock, &folder).await.len(), 0);
    let all = test(&mock, "forget --all", &folder).run().await;
    assert_eq!(all.code, 0);
    let list = test(&mock, "list --json", &folder).variable("BLOCKS_API_BASE_URL", other);
    let sessions = list.run().await.json()["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "not forgotten");
}

#[tokio::test(start_paused = true)]
async fn secrets_in_the_base_url_are_not_printed() {
    let folder = Folder::new("register-base-url");
    let mock = replying();
    for (url, shown) in [
        (
            "https://SECRET:SECRET@gw.example/?SECRET",
            "https://gw.example",
        ),
        ("https://gw.example#SECRET", "https://gw.example"),
        ("sk/SECRET", "not usable"),
        ("https://ci:8443/SECRET@gw.example", "not usable"),
        ("ftp://SECRET", "not usable"),
    ] {
        for line in ["check", "check --json", "show --last"] {
            let test = test(&mock, line, &folder).variable("BLOCKS_API_BASE_URL", url);
            let ended = test.run().await;
            assert_eq!(ended.code, 2, "{line} {url}: {ended:?}");
            let all = format!("{}{}", ended.out, ended.err).to_lowercase();
            assert!(!all.contains("secret"), "{line} {url}: {ended:?}");
            assert!(all.contains(shown), "{line} {url}: {ended:?}");
        }
    }
    assert_eq!(mock.request_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_register_keeps_the_newest_sessions() {
    let folder = Folder::new("register-bound");
    let mock = replying();
    test(&mock, "run --agent claude hello", &folder).run().await;
    let file = folder.path().join("state/blocks/sessions.jsonl");
    let line = std::fs::read_to_string(&file).unwrap();
    let id = mock.sessions()[0].to_string();
    let old = |n: u32| line.replace(&id, &format!("{n:08}-0000-4000-8000-000000000000"));
    let mut text: String = (0..600).map(old).collect();
    text += "damaged\n";
    std::fs::write(&file, text).unwrap();
    test(&mock, "run --agent claude hello", &folder).run().await;
    let ids = listed(&mock, &folder).await;
    assert_eq!(ids.len(), 499, "one of the 500 lines is damaged");
    assert_eq!(ids[0], mock.sessions()[1].to_string());
    assert_eq!(ids[498], "00000102-0000-4000-8000-000000000000");
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_later_version_are_kept() {
    let folder = Folder::new("register-later");
    let mock = replying();
    test(&mock, "run --agent claude hello", &folder).run().await;
    let file = folder.path().join("state/blocks/sessions.jsonl");
    let line = std::fs::read_to_string(&file).unwrap();
    let later = line.replacen('{', "{\"new\":1,", 1);
    let before = format!("{{\"kind\":\"group\"}}\n{later}");
    std::fs::write(&file, &before).unwrap();
    test(&mock, "run --agent claude hello", &folder).run().await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&before), "{text}");
    assert_eq!(listed(&mock, &folder).await.len(), 2);
    test(&mock, "forget --all", &folder).run().await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, "{\"kind\":\"group\"}\n");
}

#[tokio::test(start_paused = true)]
async fn a_register_that_is_full_drops_the_oldest() {
    let folder = Folder::new("register-full");
    let mock = replying();
    test(&mock, "run --agent claude hello", &folder).run().await;
    let file = folder.path().join("state/blocks/sessions.jsonl");
    let line = std::fs::read_to_string(&file).unwrap();
    let mut first: Value = serde_json::from_str(&line).unwrap();
    first["session_id"] = "00000000-0000-4000-8000-000000000000".into();
    // The URL of the first session is made so long that the register with both sessions has exactly 4 MiB, its maximum.
    let url = first["session_html_url"].as_str().unwrap();
    let length = (4 << 20) - 2 * line.len() + url.len();
    first["session_html_url"] = "a".repeat(length).into();
    std::fs::write(&file, format!("{first}\n{line}")).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 4 << 20);
    assert_eq!(listed(&mock, &folder).await.len(), 2);
    test(&mock, "run --agent claude hello", &folder).run().await;
    let [second, third] = [0, 1].map(|n| mock.sessions()[n].to_string());
    assert_eq!(listed(&mock, &folder).await, [third, second]);
}

#[tokio::test(start_paused = true)]
async fn a_register_that_cannot_be_written_costs_nothing() {
    let mock = replying();
    let folder = Folder::new("register-broken");
    std::fs::write(folder.file("state"), "a file").unwrap();
    let run = test(&mock, "run --agent claude hello", &folder).run().await;
    assert_eq!((run.code, run.out.as_str()), (0, "Done.\n"), "{run:?}");
    assert!(
        run.err.contains("warning: cannot write the register"),
        "{run:?}"
    );
    let before = mock.request_count();
    let line = "run --agent claude --register --json hello";
    let asked = test(&mock, line, &folder).run().await;
    assert_eq!((asked.code, mock.request_count()), (2, before), "{asked:?}");
    assert_eq!(asked.json()["status"], "refused");
    // Here only the register cannot be written, and not its lock file: a folder is at the path of the register.
    let folder = Folder::new("register-folder");
    std::fs::create_dir_all(folder.path().join("state/blocks/sessions.jsonl")).unwrap();
    let asked = test(&mock, line, &folder).run().await;
    assert_eq!((asked.code, mock.request_count()), (2, before), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_create_with_unknown_outcome_is_listed() {
    let folder = Folder::new("register-unknown");
    let mock = replying();
    mock.inject(Operation::CreateSession, Frequency::ONCE, Fault::Truncate);
    let run = test(&mock, "run --agent claude hello", &folder).run().await;
    assert_eq!(run.code, 4, "{run:?}");
    let id = mock.sessions()[0].to_string();
    assert_eq!(listed(&mock, &folder).await, [id]);
}

#[test]
fn many_processes_lose_no_session() {
    let script = Script::reply("Done.").reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(script));
    let folder = Folder::new("register-many");
    let command = |arguments: &[&str]| {
        let mut command = service.command(arguments);
        command.env("XDG_STATE_HOME", folder.file("state"));
        command.env_remove("BLOCKS_REGISTER");
        command.stdout(std::process::Stdio::null());
        command
    };
    let run = ["run", "--agent", "claude", "--no-wait", "Go."];
    let children: Vec<_> = (0..12).map(|_| command(&run).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut list = command(&["list", "--json"]);
    let out = list.stdout(std::process::Stdio::piped()).output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["sessions"].as_array().unwrap().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_batch_are_listed() {
    let prompts = |n: usize| -> String {
        let line = |i| serde_json::json!({"id": i, "agent_name": "claude", "message": "x"});
        (0..n).map(|i| format!("{}\n", line(i))).collect()
    };
    for (option, in_ci, count) in [("", false, 3), ("", true, 0), (" --register", true, 3)] {
        let (mock, folder) = (replying(), Folder::new("register-batch"));
        let line = format!("batch - --max-running 1{option}");
        let mut batch = test(&mock, &line, &folder).input(prompts(3));
        if in_ci {
            batch = batch.variable("CI", "true");
        }
        let ended = batch.run().await;
        assert_eq!(ended.code, 0, "{ended:?}");
        let ids = mock.sessions().into_iter().rev();
        let newest_first: Vec<String> = ids.map(|id| id.to_string()).take(count).collect();
        assert_eq!(listed(&mock, &folder).await, newest_first);
    }
    let (mock, folder) = (replying(), Folder::new("register-batch-file"));
    std::fs::write(folder.file("state"), "").unwrap();
    let line = "batch - --register";
    let refused = test(&mock, line, &folder).input(prompts(2)).run().await;
    assert_eq!((refused.code, mock.request_count()), (2, 0), "{refused:?}");
}
