//! Repairs text that is not valid Unicode, so that no reply is lost because of one character.
//!
//! Programs that cut a text inside an emoji send half of a surrogate pair, `\ud83d`, which JSON allows and Unicode does
//! not. Such a half, and each byte sequence that is not UTF-8, becomes U+FFFD.

use std::str::from_utf8;

use bytes::Bytes;
use memchr::memchr_iter;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// The JSON text `body` in valid Unicode and without a byte order mark. It is copied only if something is repaired.
pub(crate) fn repair(body: Bytes) -> Bytes {
    let body = match body.strip_prefix(BYTE_ORDER_MARK) {
        Some(_) => body.slice(BYTE_ORDER_MARK.len()..),
        None => body,
    };
    let body = match from_utf8(&body) {
        Ok(_) => body,
        Err(_) => String::from_utf8_lossy(&body).into_owned().into(),
    };
    let halves = lone_surrogates(&body);
    if halves.is_empty() {
        return body;
    }
    let mut repaired = body.to_vec();
    for at in halves {
        repaired[at..at + REPLACEMENT.len()].copy_from_slice(REPLACEMENT);
    }
    repaired.into()
}

/// Where escapes of half a surrogate pair begin. A backslash occurs in JSON inside of texts only, so texts need not be
/// followed.
fn lone_surrogates(body: &[u8]) -> Vec<usize> {
    let mut halves = Vec::new();
    let mut next = 0;
    for at in memchr_iter(b'\\', body) {
        if at < next {
            continue;
        }
        next = at
            + match (code_unit(body, at), code_unit(body, at + 6)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff), _) => {
                    halves.push(at);
                    6
                }
                // Another escape, of which the second byte may be a backslash too.
                _ => 2,
            };
    }
    halves
}

/// The code unit of the escape `\uXXXX` at a place, if there is one.
fn code_unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(from_utf8(digits).ok()?, 16)
        .ok()
        .filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn repaired(body: &[u8]) -> String {
        String::from_utf8(repair(Bytes::copy_from_slice(body)).to_vec()).unwrap()
    }

    #[test]
    fn halves_of_pairs_become_replacement_characters() {
        for (body, expected) in [
            (&br#""cut \ud83d here""#[..], r#""cut \ufffd here""#),
            (br#""\uD83D""#, r#""\ufffd""#),
            (br#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (br#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (br#""\ud83d\n""#, r#""\ufffd\n""#),
            (br#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (br#""\\ud83d""#, r#""\\ud83d""#),
            (br#""\\\ud83d""#, r#""\\\ufffd""#),
            (br#""\u00e9""#, r#""\u00e9""#),
            (br#""\ud8""#, r#""\ud8""#),
            (b"\"a\xff\xfeb\"", "\"a\u{fffd}\u{fffd}b\""),
            (b"\xef\xbb\xbf{}", "{}"),
            (b"", ""),
        ] {
            assert_eq!(
                repaired(body),
                expected,
                "{:?}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn a_valid_body_is_not_copied() {
        let body = Bytes::from_static(br#"{"a": "\ud83d\ude00 \u00e9 \\"}"#);
        assert_eq!(repair(body.clone()).as_ptr(), body.as_ptr());
    }

    proptest! {
        #[test]
        fn any_text_of_code_units_can_be_read(units in prop::collection::vec(any::<u16>(), 0..40)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text: String = serde_json::from_str(&repaired(format!("\"{escapes}\"").as_bytes())).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_bytes_become_text(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = repaired(&body);
        }

        #[test]
        fn valid_json_means_the_same_afterwards(text in ".*") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(repaired(json.as_bytes()), json);
        }
    }
}
