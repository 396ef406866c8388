//! Repairs text that is not valid Unicode, so that no reply is lost because of one character.
//!
//! A program that cuts a text inside an emoji sends half of a surrogate pair, such as `\ud83d`. JSON allows such a
//! half, but Unicode does not. Each half without its other half, and each byte sequence that is not UTF-8, becomes
//! U+FFFD. Text in UTF-16 or UTF-32 is converted to UTF-8. Text in ISO 8859-1 is converted if the content type names
//! that encoding and the text is not valid UTF-8.

use std::borrow::Cow;
use std::str::from_utf8;

use bytes::Bytes;
use memchr::memchr_iter;

const BYTE_ORDER_MARK: char = '\u{feff}';
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// Returns the JSON text `body` in valid Unicode and without a byte order mark. Copies `body` only if a part of `body`
/// must be repaired.
pub(crate) fn repair<'a>(body: Bytes, charset: impl FnOnce() -> Option<&'a str>) -> Bytes {
    let body = match text(&body, charset) {
        Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
        Cow::Owned(text) => text.into(),
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

/// Decodes `body` as text, without a byte order mark. Bytes that are invalid in the encoding of `body` become U+FFFD.
/// `charset` is the encoding that the content type names. `charset` is used only if `body` is not UTF-8, because
/// servers often name a wrong encoding.
pub(crate) fn text<'a, 'c>(
    body: &'a [u8],
    charset: impl FnOnce() -> Option<&'c str>,
) -> Cow<'a, str> {
    let text = match wide(body) {
        Some(decoded) => Cow::Owned(decoded),
        None => match from_utf8(body) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) if charset().is_some_and(is_latin_1) => {
                Cow::Owned(body.iter().map(|byte| char::from(*byte)).collect())
            }
            Err(_) => String::from_utf8_lossy(body),
        },
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.starts_with(BYTE_ORDER_MARK) {
                text.remove(0);
            }
            Cow::Owned(text)
        }
    }
}

fn is_latin_1(charset: &str) -> bool {
    ["iso-8859-1", "iso8859-1", "latin1", "latin-1"]
        .iter()
        .any(|name| charset.eq_ignore_ascii_case(name))
}

/// Decodes text in UTF-16 or UTF-32. Returns `None` for other encodings. Recognizes the encoding by the byte order
/// mark, or by bytes with the value 0 in the first character. JSON and HTML start with an ASCII character. An ASCII
/// character in UTF-16 or UTF-32 contains at least one byte with the value 0.
fn wide(body: &[u8]) -> Option<String> {
    let units_of_2 = |unit: fn([u8; 2]) -> u16| {
        let (units, rest) = body.as_chunks::<2>();
        let units = units.iter().map(|bytes| unit(*bytes));
        let chars = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        chars.chain(cut(rest)).collect()
    };
    let units_of_4 = |unit: fn([u8; 4]) -> u32| {
        let (units, rest) = body.as_chunks::<4>();
        let chars = units
            .iter()
            .map(|bytes| char::from_u32(unit(*bytes)).unwrap_or(char::REPLACEMENT_CHARACTER));
        chars.chain(cut(rest)).collect()
    };
    match *body {
        [0, 0, 0, 0, ..] | [0, 0] => None,
        [0xff, 0xfe, 0, 0, ..] | [_, 0, 0, 0, ..] => Some(units_of_4(u32::from_le_bytes)),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] => Some(units_of_4(u32::from_be_bytes)),
        [0xff, 0xfe, ..] | [_, 0, ..] => Some(units_of_2(u16::from_le_bytes)),
        [0xfe, 0xff, ..] | [0, _, ..] => Some(units_of_2(u16::from_be_bytes)),
        _ => None,
    }
}

/// Returns U+FFFD if a text was cut off in the middle of a code unit, which has 2 bytes in UTF-16 and 4 bytes in
/// UTF-32. `rest` contains the bytes after the last complete code unit.
fn cut(rest: &[u8]) -> Option<char> {
    (!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER)
}

/// Returns the positions of escapes such as `\ud83d` that are one half of a surrogate pair without the other half. In
/// JSON, a backslash occurs only inside strings, so this function need not track where strings start and end.
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
                // This is another escape. The byte after the backslash is skipped too, because this byte may be another
                // backslash.
                _ => 2,
            };
    }
    halves
}

/// Returns the code unit of the escape `\uXXXX` at position `at`, if there is such an escape.
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
        String::from_utf8(repair(Bytes::copy_from_slice(body), || None).to_vec()).unwrap()
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
        assert_eq!(repair(body.clone(), || None).as_ptr(), body.as_ptr());
    }

    fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn utf_32(text: &str, unit: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|c| unit(c.into())).collect()
    }

    #[test]
    fn every_encoding_of_unicode_is_read() {
        for json in [r#"{"a": "café \u{1f600}"}"#, "7", "[]", r#""\u{1f600}""#] {
            for text in [json.to_owned(), format!("{BYTE_ORDER_MARK}{json}")] {
                for body in [
                    text.as_bytes().to_vec(),
                    utf_16(&text, u16::to_le_bytes),
                    utf_16(&text, u16::to_be_bytes),
                    utf_32(&text, u32::to_le_bytes),
                    utf_32(&text, u32::to_be_bytes),
                ] {
                    assert_eq!(repaired(&body), json, "{body:?}");
                }
            }
        }
        let mut cut = utf_16("{\"a\": 1", u16::to_le_bytes);
        cut.pop();
        assert_eq!(repaired(&cut), "{\"a\": \u{fffd}");
    }

    #[test]
    fn latin_1_counts_only_for_what_is_not_utf_8() {
        let read = |body: &[u8], charset| text(body, || Some(charset)).into_owned();
        assert_eq!(read(b"caf\xe9", "ISO-8859-1"), "café");
        assert_eq!(read("café".as_bytes(), "iso-8859-1"), "café");
        assert_eq!(read(b"caf\xe9", "utf-8"), "caf\u{fffd}");
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
