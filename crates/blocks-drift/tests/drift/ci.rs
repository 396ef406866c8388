//! Tests of the GitHub workflow `drift.yml`. Every day, the workflow checks the vendor's pages and the live service,
//! and reports differences in one issue. A test runs the shell scripts of the job that does this. A local HTTP server
//! serves the documentation pages, and the mock replaces the service. A fake `gh` (GitHub's command) records its
//! arguments. Another test checks the texts of reports.

use std::process::Command;

use blocks_drift::spanned::Spanned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Serves each text at its path until the test ends, and returns the base URL.
async fn serve(files: Vec<(String, String)>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let found = files.iter().find(|(name, _)| *name == path);
            let (status, body) = found.map_or((404, ""), |(_, text)| (200, text.as_str()));
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: text/markdown\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    format!("http://{address}")
}

/// Creates a folder with a fake `cargo` and a fake `gh`. The fake `cargo xtask` starts the program `blocks-drift`. The
/// fake `gh` writes its arguments to the file `$LOG`. For `gh issue list`, it also prints the file `$OPEN`, which
/// contains the number of the open issue.
fn tools() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    let cargo = format!(
        "#!/bin/sh\n[ \"$1\" = xtask ] && shift 2 && exec '{}' \"$@\"\nexit 0\n",
        env!("CARGO_BIN_EXE_blocks-drift")
    );
    let gh = "#!/bin/sh\necho \"$@\" >> \"$LOG\"\n[ \"$1 $2\" = 'issue list' ] && cat \"$OPEN\"\nexit 0\n";
    for (name, text) in [("cargo", cargo.as_str()), ("gh", gh)] {
        let file = folder.path().join("bin").join(name);
        std::fs::write(&file, text).unwrap();
        let status = Command::new("chmod").arg("+x").arg(&file).status().unwrap();
        assert!(status.success());
    }
    folder
}

/// Runs the scripts of the job `vendor` in `drift.yml`. `open` is the output of `gh issue list`: the number of the open
/// issue, or an empty text. Returns whether the last script succeeded, the recorded arguments of `gh`, and the text of
/// `report.md`.
async fn workflow(index: &str, service: &str, open: &str) -> (bool, String, String) {
    let temporary = tools();
    let folder = temporary.path();
    let workflow = blocks_drift::read(".github/workflows/drift.yml").unwrap();
    let workflow = Spanned::parse("drift.yml", &workflow).unwrap().value;
    std::fs::write(folder.join("open"), open).unwrap();
    std::fs::write(folder.join("log"), "").unwrap();
    std::fs::write(folder.join("outputs"), "").unwrap();
    std::fs::create_dir_all(folder.join(".github")).unwrap();
    std::fs::write(
        folder.join(".github/drift-issue.sh"),
        blocks_drift::read(".github/drift-issue.sh").unwrap(),
    )
    .unwrap();
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut success = true;
    let mut codes = Vec::new();
    for step in workflow["jobs"]["vendor"]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else {
            continue;
        };
        let mut command = std::process::Command::new("bash");
        command.args(["-e", "-c", script]).current_dir(folder).env("PATH", &path);
        for (key, value) in [
            ("INDEX", index),
            ("BLOCKS_API_BASE_URL", service),
            ("BLOCKS_API_KEY", ""),
            ("SESSION", ""),
            ("RUN", "https://run.example/1"),
        ] {
            command.env(key, value);
        }
        for (key, file) in [
            ("GITHUB_OUTPUT", "outputs"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("LOG", "log"),
            ("OPEN", "open"),
        ] {
            command.env(key, folder.join(file));
        }
        for (key, code) in ["PAGES", "LIVE"].iter().zip(&codes) {
            command.env(key, code);
        }
        let status = tokio::task::spawn_blocking(move || command.status()).await;
        success = status.unwrap().unwrap().success();
        let outputs = std::fs::read_to_string(folder.join("outputs")).unwrap();
        codes =
            outputs.lines().filter_map(|l| l.strip_prefix("code=").map(str::to_owned)).collect();
    }
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    (success, text("log"), text("report.md"))
}

async fn site(change: impl Fn(&str) -> String) -> String {
    let mut files: Vec<(String, String)> =
        pages("md").into_iter().map(|p| (format!("/{}", p.name), change(&p.text))).collect();
    let links: String =
        files.iter().map(|(path, _)| format!("- [Page]({path}): about it\n")).collect();
    files.push((
        "/llms.txt".to_owned(),
        format!("# Index\n\n{links}- [Elsewhere](https://else.invalid/x.md)\n"),
    ));
    serve(files).await + "/llms.txt"
}

#[tokio::test]
async fn the_daily_workflow_keeps_one_issue() {
    let mock = blocks_mock::Mock::builder().start().await.unwrap();
    let same = site(str::to_owned).await;
    let (success, log, report) = workflow(&same, &mock.url(), "").await;
    assert!(success, "{report}");
    assert!(!log.contains("create"), "{log}");
    assert!(report.contains("## Spec drift: in sync"), "{report}");
    let (success, log, _) = workflow(&same, &mock.url(), "7").await;
    assert!(success);
    assert!(log.contains("issue close 7"), "{log}");

    let changed = site(|text| text.replace("maximum 100", "maximum 500")).await;
    let (success, log, report) = workflow(&changed, &mock.url(), "").await;
    assert!(!success);
    assert_eq!(log.matches("issue create").count(), 1, "{log}");
    assert!(log.contains("--title Spec drift"), "{log}");
    for part in [
        "maximum 100",
        "maximum 500",
        "openapi/blocks.yaml:",
        "messages.md:",
        "change the document",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let (_, log, _) = workflow(&changed, &mock.url(), "7").await;
    assert!(log.contains("issue edit 7"), "{log}");
    assert!(!log.contains("issue create"), "{log}");

    // No server listens at this address, so no page can be read. This is not drift, so the issue must have another
    // title than an issue about drift.
    let (success, log, _) = workflow("http://127.0.0.1:1/llms.txt", &mock.url(), "").await;
    assert!(!success);
    assert!(log.contains("--title Drift could not be checked"), "{log}");
}

/// The URL of a page can contain a password or a token, and a report can become a public issue.
#[tokio::test]
async fn the_name_of_a_page_contains_no_secret() {
    let base = serve(vec![("/a.md?token=secret".to_owned(), "# A\n".to_owned())]).await;
    let base = base.replace("http://", "http://me:secret@");
    let page = blocks_drift::page::source::read(&format!("{base}/a.md?token=secret")).await;
    let name = page.unwrap().name;
    assert!(name.starts_with("http://127.0.0.1:") && name.ends_with("/a.md"), "{name}");
    let index = format!("{base}/none?token=secret");
    let errors = [
        blocks_drift::page::source::read(&index).await.unwrap_err(),
        blocks_drift::page::source::read_index(&index).await.unwrap_err(),
        blocks_drift::page::source::read_index("http://me:secret@[/").await.unwrap_err(),
    ];
    for error in errors {
        assert!(!format!("{error:#}").contains("secret"), "{error:#}");
    }
}

#[tokio::test]
async fn a_huge_page_is_an_error() {
    let url = serve(vec![("/a.md".to_owned(), "x".repeat((16 << 20) + 1))]).await + "/a.md";
    let error = blocks_drift::page::source::read(&url).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.ends_with("the body is larger than 16777216 bytes"), "{error}");
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_an_error() {
    let endless = "/dev/zero";
    for (arguments, error) in [
        (["docs", endless], "could not check: /dev/zero: the file is larger than"),
        (["docs", "-"], "could not check: standard input: the input is larger than"),
        (["sdk", "--deviations=/dev/zero"], "could not check: /dev/zero: the file is larger than"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blocks-drift"));
        command.args(arguments).stdin(std::fs::File::open(endless).unwrap());
        let ended = command.output().unwrap();
        let shown = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert!(shown.contains(error), "{error}: {shown}");
        assert_eq!(ended.status.code(), Some(2), "{shown}");
    }
}

/// Reports escape the text of pages. Otherwise, the text could change a workflow command (a line such as
/// `::error file=…`, from which GitHub creates an annotation), add an HTML tag, or mention a user of GitHub.
#[test]
fn reports_are_safe_and_name_both_places() {
    use blocks_drift::report::Format;
    let text = pages("md")[2]
        .text
        .replace("type=\"number\" default={50}", "type=\"number\" default={\"5|<b>@all%\"}");
    let result = changed("md", 2, &text);
    let report = Report { document: &DOCUMENT, result: &result };
    let github = report.render(Format::Github);
    assert!(github.contains("::error file=openapi/blocks.yaml,line="), "{github}");
    assert!(github.contains("@all%25"), "{github}");
    let markdown = report.render(Format::Markdown);
    assert!(markdown.contains("5&#124;&lt;b>@\u{200b}all"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&report.render(Format::Json)).unwrap();
    assert_eq!(json["verdict"], "drift");
    assert_eq!(json["drift"][0]["kind"], "default");
    let plain = report.render(Format::Text);
    assert!(plain.contains("breaking[default]: listSessionMessages"), "{plain}");
    assert!(plain.contains("(messages.md:"), "{plain}");
    assert!(plain.contains("compared getArtifact (page): not compared"), "{plain}");
}
