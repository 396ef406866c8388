//! Tests of responses in encodings other than UTF-8, and of compressed responses. No request of the SDK accepts
//! compression.

use blocks_sdk::{Client, Error, ErrorKind, Pending};
use blocks_tests::{KEY, SESSION, Scripted, ScriptedResponse, created, session_id, thread_id};
use serde_json::{Value, json};

use crate::hello;

fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

fn utf_32(text: &str, unit: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|c| unit(c.into())).collect()
}

/// Returns the text in UTF-16 and UTF-32, with and without a byte order mark. The SDK recognizes
/// these encodings from the bytes.
fn wide(text: &str) -> Vec<Vec<u8>> {
    let marked = format!("\u{feff}{text}");
    [text, &marked]
        .iter()
        .flat_map(|text| {
            [
                utf_16(text, u16::to_le_bytes),
                utf_16(text, u16::to_be_bytes),
                utf_32(text, u32::to_le_bytes),
                utf_32(text, u32::to_be_bytes),
            ]
        })
        .collect()
}

fn reply(text: &str) -> Value {
    json!({"items": [{"message": text}]})
}

fn client(responses: impl IntoIterator<Item = ScriptedResponse>) -> Client {
    Scripted::new(responses).client()
}

async fn create(response: ScriptedResponse) -> Error {
    client([response])
        .create_session(hello())
        .await
        .unwrap_err()
}

/// Creates a session with the first response, and returns the text of the reply from the second response.
async fn read(created: ScriptedResponse, reply: ScriptedResponse) -> String {
    let session = client([created, reply]).create_session(hello()).await;
    let session = session.unwrap();
    assert_eq!(session.id().as_str(), SESSION);
    session.first_reply().await.unwrap().text().to_owned()
}

#[tokio::test(start_paused = true)]
async fn every_encoding_of_unicode_is_read() {
    let text = "Déjà vu \u{1f600}";
    let creates = wide(&created().to_string());
    let replies = wide(&reply(text).to_string());
    for (created, reply) in creates.into_iter().zip(replies) {
        let created = ScriptedResponse::bytes(200, created);
        assert_eq!(
            read(created, ScriptedResponse::bytes(200, reply)).await,
            text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn latin_1_is_read_when_the_header_names_it() {
    let reply = reply("Déjà vu").to_string();
    let latin_1: Vec<u8> = reply.chars().map(|c| c as u8).collect();
    let response = |charset: &str| {
        let kind = format!("application/json; charset={charset}");
        ScriptedResponse::bytes(200, latin_1.clone()).header("content-type", kind)
    };
    for charset in ["ISO-8859-1", "\"iso-8859-1\"", "latin1"] {
        let text = read(ScriptedResponse::ok(&created()), response(charset)).await;
        assert_eq!(text, "Déjà vu", "{charset}");
    }
    // If the header names UTF-8, each byte that is not valid UTF-8 becomes U+FFFD.
    let text = read(ScriptedResponse::ok(&created()), response("utf-8")).await;
    assert_eq!(text, "D\u{fffd}j\u{fffd} vu");
    let named = ScriptedResponse::text(200, reply)
        .header("content-type", "application/json; charset=latin1");
    assert_eq!(
        read(ScriptedResponse::ok(&created()), named).await,
        "Déjà vu"
    );
}

#[tokio::test(start_paused = true)]
async fn errors_are_explained_in_every_encoding() {
    for body in wide(r#"{"error": "no credit, \ud83d"}"#) {
        let error = create(ScriptedResponse::bytes(400, body.clone())).await;
        assert_eq!(error.message(), Some("no credit, \u{fffd}"));
        assert_eq!(error.body_bytes(), Some(&body[..]));
        let body = error.body().unwrap();
        assert_eq!(body, r#"{"error": "no credit, \ud83d"}"#);
    }
    for body in wide(&created().to_string()) {
        let half = body[..body.len() / 2].to_vec();
        let error = create(ScriptedResponse::bytes(200, half)).await;
        assert!(error.may_have_taken_effect(), "{error}");
        assert_eq!(error.session_id().map(|id| id.as_str()), Some(SESSION));
    }
    for body in wide("<html>Sign in</html>") {
        let error = create(ScriptedResponse::bytes(200, body)).await;
        assert!(
            error.to_string().contains("<html>Sign in</html>"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_is_removed_in_every_encoding() {
    for body in wide(&format!(r#"{{"error": "ApiKey {KEY} is wrong"}}"#)) {
        for status in [200, 403] {
            let error = create(ScriptedResponse::bytes(status, body.clone())).await;
            let shown = format!("{error} {error:?} {:?} {:?}", error.body(), error.message());
            assert!(shown.contains("ApiKey <redacted> is wrong"), "{shown}");
            let bytes = error.body_bytes().unwrap();
            let ascii: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
            let ascii = String::from_utf8_lossy(&ascii).into_owned();
            assert!(!ascii.contains(KEY), "{shown}");
            assert!(!shown.contains(KEY), "{shown}");
        }
    }
}

/// The value of the header `content-encoding` and the first bytes of a body, for each compression.
const COMPRESSED: [(&str, &[u8]); 4] = [
    ("gzip", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab]),
    ("br", &[0x1b, 0x0f, 0, 0xf8, 0xa5]),
    ("zstd", &[0x28, 0xb5, 0x2f, 0xfd, 4, 0x58]),
    ("deflate", &[0x78, 0x9c, 0xab, 0x56]),
];

fn compressed(status: u16, (encoding, body): (&'static str, &'static [u8])) -> ScriptedResponse {
    ScriptedResponse::bytes(status, body).header("content-encoding", encoding)
}

/// Checks that the text of an error names the encoding and contains no bytes of the body, and that
/// the error keeps the whole body.
fn check(error: &Error, (encoding, body): (&str, &[u8])) {
    let text = error.to_string();
    let named = format!("its body is compressed (content encoding {encoding})");
    assert!(text.contains(&named), "{text}");
    assert!(text.contains("may compress responses"), "{text}");
    assert!(text.is_ascii(), "{text}");
    assert_eq!(error.body_bytes(), Some(body));
}

#[tokio::test(start_paused = true)]
async fn a_compressed_response_is_named_and_kept() {
    for compression in COMPRESSED {
        let error = create(compressed(201, compression)).await;
        assert_eq!(error.kind(), ErrorKind::Undecodable);
        assert!(error.may_have_taken_effect());
        assert!(error.attempts() == 1);
        check(&error, compression);

        let error = create(compressed(400, compression)).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Status, Some(400))
        );
        check(&error, compression);

        let client = client([compressed(200, compression)]);
        let error = client.get_session(session_id()).await;
        check(&error.unwrap_err(), compression);

        let pending = Pending::new(session_id(), thread_id());
        let error = client.resume(pending).reply().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Undecodable);
        check(&error, compression);
    }
}

#[tokio::test(start_paused = true)]
async fn a_compression_without_a_header_is_named() {
    for (encoding, body) in COMPRESSED {
        // A Brotli stream has no fixed first bytes, so the SDK cannot recognize it without the header.
        if encoding != "br" {
            let error = create(ScriptedResponse::bytes(201, body)).await;
            check(&error, (encoding, body));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_header_does_not_lose_a_session() {
    for encoding in ["gzip", "br", "identity", ""] {
        let response = ScriptedResponse::ok(&created()).header("content-encoding", encoding);
        let session = client([response]).create_session(hello()).await.unwrap();
        assert_eq!(session.id().as_str(), SESSION);
    }
    for encoding in ["identity", ""] {
        let response = ScriptedResponse::text(400, "no").header("content-encoding", encoding);
        let text = create(response).await.to_string();
        assert!(!text.contains("compress"), "{text}");
    }
}
