//! Tests of the commands against a server whose responses have the shapes and the short ids of the
//! vendor's public mock.

use blocks_sdk::Client;
use blocks_tests::Vendor;
use serde_json::Value;

/// Runs a command. Returns its exit code, standard output and standard error.
async fn blocks(vendor: &Vendor, line: &str, input: &str) -> (u8, String, String) {
    let client = Client::builder(Vendor::KEY).service(vendor.clone()).build();
    let line: Vec<&str> = line.split(' ').collect();
    crate::blocks(client.unwrap(), &line, input).await
}

async fn session(vendor: &Vendor) -> String {
    let (code, out, err) = blocks(vendor, "run --agent claude --no-wait Go.", "").await;
    assert_eq!(code, 0, "{err}");
    out.trim().to_owned()
}

#[tokio::test(start_paused = true)]
async fn each_prompt_is_sent_once_and_gets_a_reply() {
    let prompt = r#"{"id":"a","agent_name":"claude","message":"Go."}"#;
    for line in [
        "run --agent claude Go.",
        "run --agent claude --json Go.",
        "batch -",
    ] {
        let vendor = Vendor::new();
        let (code, out, err) = blocks(&vendor, line, prompt).await;
        assert_eq!(code, 0, "{line}: {err}");
        match serde_json::from_str::<Value>(&out) {
            Ok(report) => {
                assert_eq!(report["final_message"], "Done.", "{line}");
                assert_eq!(report["thread_id"], "t1", "{line}");
            }
            Err(_) => assert_eq!(out, "Done.\n", "{line}"),
        }
        assert_eq!(vendor.post_count(), 1, "{line}");
    }
    let vendor = Vendor::new();
    let line = format!("send {} More.", session(&vendor).await);
    vendor.set_reply("More done.");
    let (code, out, err) = blocks(&vendor, &line, "").await;
    assert_eq!((code, out.as_str()), (0, "More done.\n"), "{err}");
    assert_eq!(vendor.post_count(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_reading_command_prints_what_is_there() {
    let vendor = Vendor::new();
    let session = session(&vendor).await;
    for (line, expected) in [
        (format!("wait {session}"), "Done."),
        (format!("show {session}"), session.as_str()),
        (format!("messages {session}"), "assistant: Done."),
        (format!("transcript {session} --tools"), "## Agent\n\nDone."),
    ] {
        let (code, out, err) = blocks(&vendor, &line, "").await;
        assert_eq!(code, 0, "{line}: {err}");
        assert!(out.contains(expected), "{line}: {out}");
    }
    assert_eq!(vendor.post_count(), 1);
}

/// Runs the command that `run --no-wait` prints for resuming the wait. In this server's responses, the thread's id is
/// not a UUID, but the option `--thread` accepts only a UUID. The printed command must therefore not contain this
/// option.
#[tokio::test(start_paused = true)]
async fn the_printed_command_to_resume_works() {
    let vendor = Vendor::new();
    let line = "run --agent claude --no-wait Go.";
    let (code, _, err) = blocks(&vendor, line, "").await;
    assert_eq!(code, 0, "{err}");
    let (_, resume) = err.split_once("run: blocks ").unwrap();
    let (code, out, err) = blocks(&vendor, resume.trim(), "").await;
    assert_eq!((code, out.as_str()), (0, "Done.\n"), "{err}");
}
