//! Removes the API key from responses and errors. Wipes this crate's copies of the key from memory when the last copy
//! is dropped.

use std::fmt;
use std::sync::Arc;

use blocks_api::json::RawJson;
use bytes::Bytes;
use memchr::{memchr, memmem};
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::engine::error::Error;
use crate::engine::repair::text;

/// The text that replaces the key.
const REDACTED: &str = "<redacted>";

/// An API key that is a valid header value.
#[derive(Clone)]
pub(crate) struct Key(Arc<Zeroizing<String>>);

impl Key {
    /// Checks a key, and removes white space around the key. Copying a key often adds white space.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Error> {
        let key = text.trim();
        if key.is_empty() {
            return Err(Error::configuration(
                "the API key is empty; create a key in the settings of your Blocks workspace",
            ));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::configuration(
                "the API key contains invalid characters, such as spaces or control characters",
            ));
        }
        Ok(Self(Arc::new(Zeroizing::new(key.to_owned()))))
    }

    /// Returns whether `bytes` contain the key. Characters of the key may be written as escapes of JSON.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        let is_plain = memmem::find(bytes, self.0.as_bytes()).is_some();
        is_plain || self.without_escaped_key(bytes).is_some()
    }

    /// Returns the key as text, so that the caller can hash the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value of the `Authorization` header. The memory of this value is wiped when its last copy is
    /// dropped.
    pub fn authorization(&self) -> Result<HeaderValue, Error> {
        let text = Zeroizing::new(format!("ApiKey {}", self.0.as_str()).into_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
            .map_err(|_| Error::configuration("the API key is not a valid header value"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Replaces the key in `text`, because a server may repeat the key in a response. Characters of the key may be
    /// written as escapes of JSON.
    pub fn scrub(&self, text: String) -> String {
        let text = match self.without_escaped_key(text.as_bytes()) {
            Some(scrubbed) => String::from_utf8_lossy(&scrubbed).into_owned(),
            None => text,
        };
        match text.contains(self.0.as_str()) {
            true => text.replace(self.0.as_str(), REDACTED),
            false => text,
        }
    }

    /// Replaces the key in `bytes`, whether the key is encoded in UTF-8, UTF-16 or UTF-32. Characters of the key may be
    /// written as escapes of JSON. For example, many servers write `+` as `\u002b` and `/` as `\/`. If the key has such
    /// escapes in UTF-16 or UTF-32, the result is in UTF-8.
    pub fn scrub_bytes(&self, bytes: Bytes) -> Bytes {
        // The key with escapes is replaced first. The digits of an escape can look like the start of the key.
        let scrubbed = self.without_escaped_key(&bytes);
        let bytes = scrubbed.map_or(bytes, Bytes::from);
        let bytes = match memmem::find(&bytes, self.0.as_bytes()) {
            Some(_) => replace(&bytes, self.0.as_bytes(), REDACTED.as_bytes()).into(),
            None => bytes,
        };
        if memchr(0, &bytes).is_none() {
            return bytes;
        }
        let bytes = self.scrub_units(self.scrub_units(bytes, 2), 4);
        let scrubbed = self.without_escaped_key(text(&bytes, || None).as_bytes());
        scrubbed.map_or(bytes, Bytes::from)
    }

    /// Replaces the key in JSON text if some of the key's characters are written as escapes. Returns `None` if there is
    /// no such key.
    fn without_escaped_key(&self, json: &[u8]) -> Option<Vec<u8>> {
        memchr(b'\\', json)?;
        // The key with the escapes that [`RawJson::without_escapes`] leaves. The capacity is enough for all of them. If
        // the string grew, a copy of the key would remain in memory.
        let mut quoted = Zeroizing::new(String::with_capacity(2 * self.0.len()));
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        let scrubbed = |text: &[u8]| {
            memmem::find(text, quoted.as_bytes())
                .map(|_| replace(text, quoted.as_bytes(), REDACTED.as_bytes()))
        };
        let plain = RawJson::without_escapes(json);
        let first = scrubbed(&plain);
        // A string of the JSON text can contain JSON text with its own escapes. These escapes are removed only if they
        // hide the key, because a string that is not JSON would change.
        let plain = first.as_deref().unwrap_or(&plain);
        let second = scrubbed(&RawJson::without_nested_escapes(plain));
        second.or(first)
    }

    /// Replaces the key in `bytes` if each character of the key has `width` bytes, in either byte order.
    fn scrub_units(&self, bytes: Bytes, width: usize) -> Bytes {
        let spaced = |text: &str| {
            let mut spaced = Zeroizing::new(vec![0; text.len() * width - (width - 1)]);
            let units = spaced.iter_mut().step_by(width);
            units.zip(text.bytes()).for_each(|(to, from)| *to = from);
            spaced
        };
        let (key, redacted) = (spaced(&self.0), spaced(REDACTED));
        match memmem::find(&bytes, &key) {
            Some(_) => replace(&bytes, &key, &redacted).into(),
            None => bytes,
        }
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Result<Key, Error> {
        Key::new(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn a_key_is_trimmed_and_must_fit_a_header() {
        let header = key(" secret\n").unwrap().authorization().unwrap();
        assert_eq!(header.to_str().unwrap(), "ApiKey secret");
        assert!(header.is_sensitive());
        for bad in ["", " \t", "two words", "line\nbreak", "naïve"] {
            assert!(key(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_taken_out_of_what_a_server_echoes() {
        let key = key("secret").unwrap();
        assert_eq!(
            key.scrub("ApiKey secret is wrong".into()),
            "ApiKey <redacted> is wrong"
        );
        assert_eq!(format!("{key:?}"), "<redacted>");
        for (echo, clean) in [
            (
                &b"\xffsecret\xfe, secretsecret"[..],
                &b"\xff<redacted>\xfe, <redacted><redacted>"[..],
            ),
            (b"secret", b"<redacted>"),
            (b"secre", b"secre"),
            (b"", b""),
            (
                b"\0s\0e\0c\0r\0e\0t\0!",
                b"\0<\0r\0e\0d\0a\0c\0t\0e\0d\0>\0!",
            ),
            (
                b"s\0e\0c\0r\0e\0t\0!\0",
                b"<\0r\0e\0d\0a\0c\0t\0e\0d\0>\0!\0",
            ),
            (
                b"\0\0\0s\0\0\0e\0\0\0c\0\0\0r\0\0\0e\0\0\0t",
                b"\0\0\0<\0\0\0r\0\0\0e\0\0\0d\0\0\0a\0\0\0c\0\0\0t\0\0\0e\0\0\0d\0\0\0>",
            ),
        ] {
            assert_eq!(key.scrub_bytes(Bytes::from_static(echo)), clean);
        }
    }

    #[test]
    fn a_key_with_escapes_of_json_is_taken_out() {
        let key = key("a+b/c\"d\\=").unwrap();
        for echo in [
            r#"{"x": "a+b/c\"d\\="}"#,
            r#"{"x": "a\u002Bb\/c\"d\\\u003d"}"#,
            r#"{"x": "\u0061\u002b\u0062\u002f\u0063\u0022\u0064\u005c\u003d"}"#,
        ] {
            let clean = key.scrub_bytes(echo.into());
            assert_eq!(clean, r#"{"x": "<redacted>"}"#, "{echo}");
            let twice = key.scrub_bytes(format!("{echo}\n{echo}").into());
            assert_eq!(twice, "{\"x\": \"<redacted>\"}\n{\"x\": \"<redacted>\"}");
        }
        for other in [
            r#""a\\u002cb""#,
            r#""a\u002cb\/c\"d\\=""#,
            r#""a\u00"#,
            r#""\"#,
            r#""a+b\tc""#,
        ] {
            assert_eq!(key.scrub_bytes(other.into()), other);
        }
    }

    #[test]
    fn a_key_in_nested_json_is_taken_out() {
        let key = key("a+b/c").unwrap();
        for echo in [
            r#"{"x": "{\"y\": \"a\\u002Bb\\/c\"}"}"#,
            r#"{"x": "{\"y\": \"a\u002Bb\\/c\"}"}"#,
            r#"{"x": "{\"y\": \"a\\\\u002bb\\\\/c\"}"}"#,
        ] {
            let clean = r#"{"x": "{\"y\": \"<redacted>\"}"}"#;
            assert_eq!(key.scrub_bytes(echo.into()), clean, "{echo}");
            assert_eq!(key.scrub(echo.to_owned()), clean, "{echo}");
        }
    }

    #[test]
    fn a_key_with_escapes_is_taken_out_in_every_encoding() {
        let key = key("a+b").unwrap();
        let echo = r#"["a\u002bb"]"#;
        let utf_16: Vec<u8> = echo.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf_32: Vec<u8> = { echo.chars() }
            .flat_map(|c| u32::from(c).to_be_bytes())
            .collect();
        for bytes in [echo.as_bytes().to_vec(), utf_16, utf_32] {
            assert_eq!(key.scrub_bytes(bytes.into()), r#"["<redacted>"]"#);
        }
        assert_eq!(key.scrub(echo.to_owned()), r#"["<redacted>"]"#);
    }

    proptest! {
        #[test]
        fn no_escape_hides_a_key(
            // Keys of the service contain no backslash.
            text in "[!-\\[\\]-~]{6,9}",
            forms in prop::collection::vec(0..3_u8, 9),
            before in "[a-c\\\\\"/]{0,4}",
            after in "[a-c\\\\]{0,3}",
        ) {
            let clean = format!("{before}{REDACTED}{after}");
            prop_assume!(!clean.contains(&text));
            let unit = |(c, form): (char, &u8)| match form {
                0 => format!("\\u{:04x}", u32::from(c)),
                1 => format!("\\u{:04X}", u32::from(c)),
                _ if "\"\\/".contains(c) => format!("\\{c}"),
                _ => c.to_string(),
            };
            let escaped: String = text.chars().zip(&forms).map(unit).collect();
            let json = |text: &str| serde_json::to_string(text).unwrap();
            let (before, after) = (json(&before), json(&after));
            let echo = format!("{}{escaped}{}", &before[..before.len() - 1], &after[1..]);
            let scrubbed = key(&text).unwrap().scrub_bytes(echo.into());
            let read: String = serde_json::from_slice(&scrubbed).unwrap();
            prop_assert_eq!(read, clean);
        }
    }
}
