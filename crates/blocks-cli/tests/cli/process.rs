//! Tests that start `blocks` as a separate process: signals, closed pipes, full disks, and the output in a CI system.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use blocks_mock::{Action, Mock, Script};

use crate::{Ended, Folder, Service, all_together, blocks, kill, spawn};

fn stuck() -> Service {
    Service::new(Mock::builder().agent(Script::no_reply()))
}

/// Waits for the first line of standard error, which names the session. Returns the line and the
/// rest of the stream.
fn wait_for_session(child: &mut Child) -> (String, BufReader<std::process::ChildStderr>) {
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    (line, err)
}

#[cfg(unix)]
#[test]
fn each_signal_ends_a_wait_with_its_code() {
    for (signal, code) in [("-INT", 130), ("-QUIT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let service = stuck();
        let mut child = spawn(service.command(&["run", "--agent", "claude", "--json", "Go."]));
        let (_, mut err) = wait_for_session(&mut child);
        kill(signal, &child);
        let mut rest = String::new();
        err.read_to_string(&mut rest).unwrap();
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(code), "{signal}: {ended:?} {rest}");
        assert!(
            rest.contains("to keep waiting, run: blocks wait "),
            "{rest}"
        );
        let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(report["status"], "interrupted");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_ignored_signal_stays_ignored() {
    let service = stuck();
    let binary = env!("CARGO_BIN_EXE_blocks");
    let script = format!("trap '' INT HUP; exec {binary} run --agent claude Go.");
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    command.env("BLOCKS_REGISTER", "0");
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.env("BLOCKS_API_KEY", service.mock.key());
    command.env("BLOCKS_API_BASE_URL", service.mock.url());
    let mut child = spawn(command);
    let (_, _err) = wait_for_session(&mut child);
    kill("-INT", &child);
    kill("-HUP", &child);
    // SIGTERM is sent last. If the exit code is that of SIGTERM, the command ignored the other signals.
    kill("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

/// The reply is larger than the buffer of a pipe (64 KiB). The test does not read the reply, so the command blocks
/// while it writes. A signal must end the command nevertheless.
#[cfg(unix)]
#[test]
fn a_signal_works_while_a_write_blocks() {
    let agent = Script::reply("x".repeat(1 << 20)).reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(agent));
    let mut child = spawn(service.command(&["run", "--agent", "claude", "Go."]));
    let mut first = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    kill("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// The parent of a command can switch its pipes to non-blocking mode. A write to a full pipe then fails instead of
/// waiting.
#[cfg(unix)]
#[test]
fn a_full_pipe_in_non_blocking_mode_loses_nothing() {
    let agent = Script::reply("x".repeat(1 << 20)).reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(agent));
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut command = service.command(&["run", "--agent", "claude", "Go."]);
    let mut child = command
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(command);
    // The pipe is full when it contains 64 KiB. The command then tries to write more.
    while rustix::io::ioctl_fionread(&reader).unwrap() < 1 << 16 {
        std::thread::yield_now();
    }
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(out.len(), (1 << 20) + 1);
}

/// The message is larger than the buffer of a pipe, and the test does not read it. So the command blocks while it
/// writes to standard error, and the last words cannot be printed either.
#[cfg(unix)]
#[test]
fn a_signal_works_while_standard_error_is_full() {
    let message = Action::Message("x".repeat(1 << 20));
    let agent = Script::no_reply().step(Duration::ZERO, message);
    let service = Service::new(Mock::builder().agent(agent));
    let mut child = spawn(service.command(&["run", "--agent", "claude", "--follow", "Go."]));
    let (_, mut err) = wait_for_session(&mut child);
    err.read_exact(&mut [0]).unwrap();
    kill("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_pipe_ends_follow_without_more_requests() {
    let service =
        Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)));
    service.run(&["run", "--agent", "claude", "Go."]);
    let id = service.mock.sessions()[0].to_string();
    let mut child = spawn(service.command(&["messages", &id, "--follow"]));
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(141), ""));
}

#[test]
fn a_closed_pipe_is_quiet_for_every_text() {
    for arguments in [
        &["completions", "bash"][..],
        &["man"],
        &["man", "run"],
        &["schema"],
        &["--help"],
    ] {
        let mut command = blocks(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer);
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(
            (ended.code, ended.err.as_str()),
            (Some(141), ""),
            "{arguments:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let service =
        Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)));
    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let read_only = || std::fs::File::open("/dev/null").unwrap();
    for arguments in [
        &["run", "--agent", "claude", "Go."][..],
        &["completions", "bash"],
        &["man"],
    ] {
        for out in [full(), read_only()] {
            let mut command = service.command(arguments);
            command.stdout(out);
            let ended = Ended::of(command.output().unwrap());
            assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
            assert!(
                ended.err.contains("cannot write standard output"),
                "{ended:?}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_of_an_option_is_not_standard_output() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("option-output");
    let (prompts, file) = (folder.file("prompts"), folder.file("file"));
    let link = folder.file("link");
    let line = r#"{"id": "a", "agent_name": "claude", "message": "x"}"#;
    std::fs::write(&prompts, line).unwrap();
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    for (arguments, option) in [
        (vec!["batch", &prompts, "--journal", &file], "--journal"),
        (
            vec!["--json", "batch", &prompts, "--journal", &link],
            "--journal",
        ),
        (vec!["--json", "wait", "--pending", &link], "--pending"),
    ] {
        let mut command = service.command(&arguments);
        let out = std::fs::OpenOptions::new().append(true).open(&file);
        command.stdout(out.unwrap());
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        let expected =
            format!("error: {option} and standard output are the same file; nothing was sent\n");
        assert_eq!(ended.err, expected, "{arguments:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "", "{arguments:?}");
    }
    assert_eq!(service.mock.request_count(), 0);
}

/// Runs a shell script with the environment variables that `Service::command` sets.
#[cfg(unix)]
fn in_shell(service: &Service, script: &str) -> Ended {
    let command = service.command(&[]);
    let variables = command.get_envs();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    Ended::of(shell.output().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_output_loses_no_reply_silently() {
    let service =
        Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)));
    let run = |redirection: &str| {
        let binary = env!("CARGO_BIN_EXE_blocks");
        let script = format!("exec {binary} run --agent claude Go. {redirection}");
        in_shell(&service, &script)
    };
    let warning = "warning: standard output is closed or discards everything";
    let closed = run(">&-");
    // Rust's standard library replaces a closed standard output with `/dev/null`, opened for reading and writing. Some
    // parent processes discard the output in this way, too. The command cannot distinguish the two cases, so a closed
    // standard output is a warning and not a failure. A shell opens `/dev/null` only for writing: no warning is needed.
    assert_eq!(closed.code, Some(0), "{closed:?}");
    assert!(closed.err.contains(warning), "{closed:?}");
    let id = service.mock.sessions()[0];
    assert!(closed.err.contains(&id.to_string()), "{closed:?}");
    let discarded = run(">/dev/null");
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    assert!(!discarded.err.contains(warning), "{discarded:?}");
}

#[cfg(unix)]
#[test]
fn github_has_the_ids_while_the_command_waits() {
    let (service, folder) = (stuck(), Folder::new("ids-first"));
    let (outputs, summary) = (folder.file("outputs"), folder.file("summary"));
    let line = "run --github-output --agent claude --timeout 30s Go.";
    let mut command = service.command(&line.split(' ').collect::<Vec<_>>());
    command.env("GITHUB_OUTPUT", &outputs);
    command.env("GITHUB_STEP_SUMMARY", &summary);
    let mut child = spawn(command);
    let written = || std::fs::read_to_string(&outputs).unwrap_or_default();
    // The agent never replies, so the command still waits when the file contains the id.
    while !written().contains("session_html_url<<") {
        assert!(child.try_wait().unwrap().is_none(), "{}", written());
        std::thread::yield_now();
    }
    assert!(written().contains(&service.mock.sessions()[0].to_string()));
    kill("-TERM", &child);
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(143), "{ended:?}");
}

/// A limit on the file size simulates a full disk. The ids fit into the file of the step outputs, but the reply does
/// not.
#[cfg(target_os = "linux")]
#[test]
fn json_has_the_exit_code_if_the_outputs_cannot_be_written() {
    let agent = Script::reply("x".repeat(20_000)).reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(agent));
    let folder = Folder::new("full-outputs");
    let outputs = folder.file("outputs");
    let binary = env!("CARGO_BIN_EXE_blocks");
    let run = format!("{binary} run --json --github-output --no-shared-limit --agent claude Go.");
    let limit = "trap '' XFSZ; ulimit -f 6";
    let script = format!("{limit}; export GITHUB_OUTPUT={outputs}; exec {run}");
    let ended = in_shell(&service, &script);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["status"], "completed");
    assert_eq!(report["exit_code"], 1, "{}", ended.err);
    assert_eq!(report["error"]["kind"], "file");
    let outputs = std::fs::read_to_string(outputs).unwrap();
    assert!(outputs.starts_with("session_id<<"), "{outputs}");
}

#[test]
fn a_variable_that_says_no_means_no_ci() {
    let text = "::set-output name=x::y";
    let agent = Script::reply(text).reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(agent));
    let cases = [
        ("CI", "true", &[][..], true),
        ("GITHUB_ACTIONS", "true", &[], true),
        ("TEAMCITY_VERSION", "2025.1", &[], true),
        ("CI", "true", &["--raw"], false),
        ("CI", "false", &[], false),
        ("CI", "0", &[], false),
        ("CI", "", &[], false),
        ("TF_BUILD", "False", &[], false),
    ];
    all_together(&cases, |&(name, value, options, changed)| {
        let mut command = service.command(&["run", "--agent", "claude", "Go."]);
        command.args(options).env(name, value);
        let ended = Ended::of(command.output().unwrap());
        let expected = if changed {
            ":\u{200b}:set-output name=x::y\n"
        } else {
            "::set-output name=x::y\n"
        };
        assert_eq!(ended.out, expected, "{name}={value} {options:?}");
    });
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_named() {
    use std::os::unix::ffi::OsStringExt;
    let service = stuck();
    for name in ["BLOCKS_API_KEY", "BLOCKS_API_BASE_URL"] {
        let mut command = service.command(&["run", "--agent", "claude", "Go."]);
        let value = b"http://127.0.0.1:1\xff".to_vec();
        command.env(name, std::ffi::OsString::from_vec(value));
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert_eq!(ended.err, format!("error: {name} is not valid UTF-8\n"));
    }
    assert_eq!(service.mock.requests().len(), 0);
}

#[cfg(unix)]
#[test]
fn a_file_name_that_is_not_utf8_is_found() {
    use std::os::unix::ffi::OsStringExt;
    let service =
        Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)));
    let folder = Folder::new("not-utf8");
    let name = std::ffi::OsString::from_vec(b"p\xff.jsonl".to_vec());
    let path = folder.path().join(name);
    std::fs::write(&path, r#"{"id":"a","agent_name":"claude","message":"x"}"#).unwrap();
    let mut command = service.command(&["batch"]);
    command.arg(&path);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_dumb_terminal_gets_no_escape_sequence() {
    let agent = Script::reply("Done.").reply_after(Duration::from_millis(2500));
    let service = Service::new(Mock::builder().agent(agent));
    all_together(&[("TERM", "dumb"), ("CI", "true")], |(name, value)| {
        let mut command = service.command(&["run", "--agent", "claude", "Go."]);
        command.env(name, value);
        let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        let shown = terminal.exp_eof().unwrap();
        assert!(shown.contains("Done."), "{name}: {shown:?}");
        assert!(!shown.contains('\u{1b}'), "{name}: {shown:?}");
    });
}

#[test]
fn each_command_has_a_man_page() {
    let folder = Folder::new("man");
    let path = folder.file("");
    assert_eq!(
        Ended::of(blocks(&["man", "--output-dir", &path]).output().unwrap()).code,
        Some(0)
    );
    let expected = [
        "artifact",
        "batch",
        "check",
        "completions",
        "forget",
        "list",
        "man",
        "messages",
        "mock",
        "plan",
        "run",
        "schema",
        "send",
        "show",
        "transcript",
        "wait",
    ];
    for name in expected {
        let page = folder.path().join(format!("blocks-{name}.1"));
        assert!(page.is_file(), "{name}");
    }
    assert!(folder.path().join("blocks.1").is_file());
    let count = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(count, expected.len() + 1);
    let run = Ended::of(blocks(&["man", "run"]).output().unwrap()).out;
    assert!(run.contains(".TH blocks-run 1"), "{run}");
    assert!(run.contains("prompt\\-file"), "{run}");
}

/// A limit on the file size simulates a disk that is full after the first session was created. Its reply is printed,
/// and no other session is created.
#[cfg(target_os = "linux")]
#[test]
fn a_journal_that_cannot_be_written_loses_no_reply() {
    let service =
        Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)));
    let folder = Folder::new("full-journal");
    let (file, journal) = (folder.file("prompts"), folder.file("journal"));
    let line =
        |id: &str| format!("{{\"id\":\"{id}\",\"agent_name\":\"claude\",\"message\":\"x\"}}\n");
    std::fs::write(&file, line("a") + &line("b") + &line("c")).unwrap();
    let run = |limit: &str| {
        let binary = env!("CARGO_BIN_EXE_blocks");
        let script = format!(
            "trap '' XFSZ; {limit} exec {binary} batch {file} --journal {journal} --max-running 1"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
        command.env("BLOCKS_API_KEY", service.mock.key());
        command.env("BLOCKS_API_BASE_URL", service.mock.url());
        Ended::of(command.output().unwrap())
    };
    let statuses = |ended: &Ended| -> Vec<String> {
        let value = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let lines = ended.out.lines().map(value);
        lines
            .map(|line| format!("{} {}", line["id"], line["status"]).replace('"', ""))
            .collect()
    };
    let full = run("ulimit -f 1;");
    assert_eq!(full.code, Some(1), "{full:?}");
    assert_eq!(
        statuses(&full),
        ["a completed", "b refused", "c refused"],
        "{full:?}"
    );
    assert!(full.out.contains("Done."), "{full:?}");
    assert!(full.err.contains("cannot write the journal"), "{full:?}");
    assert_eq!(service.mock.session_count(), 1);
    let again = run("");
    assert_eq!(again.code, Some(4), "{again:?}");
    assert_eq!(
        statuses(&again),
        ["a unknown", "b completed", "c completed"],
        "{again:?}"
    );
    assert_eq!(service.mock.session_count(), 3);
}

#[cfg(unix)]
#[test]
fn what_the_mock_prints_can_be_pasted() {
    let key = "x';echo${IFS}INJECTED;#";
    let folder = Folder::new("mock-key");
    let script = folder.file("pasted");
    let mut mock = spawn(blocks(&["mock", "--key", key]));
    let mut out = BufReader::new(mock.stdout.take().unwrap());
    let (mut url, mut key_line) = (String::new(), String::new());
    out.read_line(&mut url).unwrap();
    out.read_line(&mut key_line).unwrap();
    kill("-TERM", &mock);
    assert_eq!(mock.wait().unwrap().code(), Some(0));
    std::fs::write(&script, url + &key_line + "printf %s \"$BLOCKS_API_KEY\"\n").unwrap();
    let pasted = Ended::of(Command::new("sh").arg(&script).output().unwrap());
    assert_eq!(pasted.out, key);
}

#[test]
fn what_the_mock_cannot_use_is_a_usage_error() {
    let folder = Folder::new("mock-settings");
    let script = folder.file("script.json");
    std::fs::write(&script, r#"{"$schema": "mock.schema.json", "key": " x "}"#).unwrap();
    for (arguments, expected) in [
        (["mock", "--key", ""], "invalid key: expected "),
        (["mock", "--key", "é"], "invalid key: expected "),
        (["mock", "--key", "a\nb"], "invalid key: expected "),
        (["mock", "--script", &script], "invalid key: expected "),
        (
            ["mock", "--public-url", "mock:8765"],
            "invalid public URL: expected ",
        ),
    ] {
        let ended = Ended::of(blocks(&arguments).output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains(expected), "{ended:?}");
    }
}

#[test]
fn a_port_of_the_script_file_is_named_if_it_is_in_use() {
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = used.local_addr().unwrap().port();
    let folder = Folder::new("mock-port");
    let script = folder.file("script.json");
    std::fs::write(&script, format!(r#"{{"port": {port}}}"#)).unwrap();
    let ended = Ended::of(blocks(&["mock", "--script", &script]).output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = format!("cannot start the mock server on port {port}: ");
    assert!(ended.err.contains(&expected), "{ended:?}");
}

/// A limit on the file size simulates a full disk. No incomplete file may remain.
#[cfg(target_os = "linux")]
#[test]
fn a_plan_that_does_not_fit_leaves_no_file() {
    let plan = Action::Plan {
        file_name: "p.md".into(),
        text: "x".repeat(16_400),
    };
    let agent = Script::reply("Done.")
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, plan);
    let service = Service::new(Mock::builder().agent(agent));
    service.run(&["run", "--agent", "claude", "Go."]);
    let id = service.mock.sessions()[0];
    let folder = Folder::new("full-plan");
    let file = folder.file("plan.md");
    let binary = env!("CARGO_BIN_EXE_blocks");
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {binary} plan {id} --output {file}");
    let ended = in_shell(&service, &script);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("File too large"), "{ended:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_used_port_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ended = Ended::of(blocks(&["mock", "--port", &port]).output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains(&port), "{ended:?}");
}

#[test]
fn no_color_is_ever_written() {
    let agent = Script::reply("Done.").reply_after(Duration::from_millis(2500));
    let service = Service::new(Mock::builder().agent(agent));
    all_together(
        &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
        |(name, value)| {
            for arguments in [
                &["--verbose", "run", "--agent", "claude", "Go."][..],
                &["run", "--help"],
                &["run", "--agnt", "claude"],
            ] {
                let mut command = service.command(arguments);
                command.env(name, value);
                let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
                let shown = terminal.exp_eof().unwrap();
                let escapes = shown.matches('\u{1b}').count();
                let erasures = shown.matches("\u{1b}[K").count();
                assert_eq!(escapes, erasures, "only a line is erased: {shown:?}");
            }
        },
    );
}

#[test]
fn plain_http_needs_no_certificates() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("no-certificates");
    let none = folder.file("none");
    let mut command = service.command(&["check"]);
    command.env("SSL_CERT_FILE", &none);
    command.env("SSL_CERT_DIR", &none);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
