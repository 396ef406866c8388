//! Reads responses. A response must contain the required fields, such as the id of a session. All other fields may be
//! missing or have an unexpected type.
//!
//! A session costs money, and its reply must not be lost because one field of a response is unusual. If an optional
//! field has an unexpected type, the field of the Rust type is `None`, and `extra` contains the JSON text of the field.
//! `extra` also contains the JSON text of a field that is null, and of a number that the Rust type would round. The
//! exception is a field whose type has no required fields, such as `_links`. Such a field can be read from every JSON
//! value, and its own `extra` keeps a value that is not an object. So if a response is read and then written as JSON,
//! the written JSON contains everything that was received, with one exception: if an object contains several fields
//! with the same name, only the last of these fields is kept. The generated code calls [`tolerant_object!`] for each
//! response type.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64};

use serde::de::{self, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{JsonObject, RawJson};

/// Contains a value that was read from JSON text.
pub struct Decoded<T> {
    pub value: T,
    /// Whether `value`, written as JSON, contains everything that the received text contained. If not, for example
    /// because a number was rounded, the caller must also keep the received text.
    pub exact: bool,
}

impl<T> Decoded<T> {
    pub fn exact(value: T) -> Self {
        Self { value, exact: true }
    }
}

/// Reads a value of the type from JSON text. Only this crate implements this trait.
pub trait FromJson: Sized {
    /// Reads the value from the JSON text `raw`. Fails if `raw` is not a value of this type, for example because a
    /// required field is missing.
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error>;

    /// Returns the value of a required field whose JSON is `null`, for example an empty list for a `Vec`. By default,
    /// this method returns `None`, and a required field that is `null` is an error.
    fn when_null() -> Option<Self> {
        None
    }
}

/// Implements `FromJson` for types of which each JSON text has one exact value.
macro_rules! exact {
    ($($name:ty,)*) => {
        $(impl FromJson for $name {
            fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
                serde_json::from_str(raw).map(Decoded::exact)
            }
        })*
    };
}

exact! { String, bool, RawJson, }

// The generator derives the type of an integer from the format and the limits in the OpenAPI document.
exact! { i8, i16, i32, i64, u8, u16, u32, u64, NonZeroU8, NonZeroU16, NonZeroU32, NonZeroU64, }

/// Implements `FromJson` for types that can change a value, for example by rounding a number.
macro_rules! inexact {
    ($($name:ty,)*) => {
        $(impl FromJson for $name {
            fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
                let value: Self = serde_json::from_str(raw)?;
                let exact = serde_json::to_string(&value).is_ok_and(|written| written == raw);
                Ok(Decoded { value, exact })
            }
        })*
    };
}

inexact! { f32, f64, serde_json::Value, }

impl FromJson for JsonObject {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        raw.parse().map(Decoded::exact)
    }

    fn when_null() -> Option<Self> {
        Some(Self::new())
    }
}

/// Reads the items of a list, or the values of a map, that can be null.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        if raw == "null" {
            return Ok(Decoded::exact(None));
        }
        let Decoded { value, exact } = T::from_json(raw)?;
        let value = Some(value);
        Ok(Decoded { value, exact })
    }
}

/// Reads a value whose type contains itself, such as a session with a parent session.
impl<T: FromJson> FromJson for Box<T> {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        let Decoded { value, exact } = T::from_json(raw)?;
        let value = Self::new(value);
        Ok(Decoded { value, exact })
    }

    fn when_null() -> Option<Self> {
        T::when_null().map(Self::new)
    }
}

/// Reads a map, and leaves out only those values that cannot be read.
impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        let mut map = Decoded::exact(Self::new());
        for_each_field(raw, |name, raw| match T::from_json(raw) {
            Ok(item) => {
                map.exact &= item.exact;
                map.value.insert(name.to_owned(), item.value);
            }
            Err(_) => {
                map.exact = false;
                map.value.remove(name);
            }
        })?;
        Ok(map)
    }

    fn when_null() -> Option<Self> {
        Some(Self::new())
    }
}

/// Reads a list, and leaves out only those items that cannot be read.
impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(raw: &str) -> Result<Decoded<Self>, serde_json::Error> {
        let mut list = Decoded::exact(Self::new());
        for_each_item(raw, |item| match T::from_json(item) {
            Ok(item) => {
                list.exact &= item.exact;
                list.value.push(item.value);
            }
            Err(_) => list.exact = false,
        })?;
        Ok(list)
    }

    fn when_null() -> Option<Self> {
        Some(Self::new())
    }
}

/// Reads a value from the whole body of a response.
pub(crate) fn from_slice<T: FromJson>(body: &[u8]) -> Result<T, serde_json::Error> {
    let text = std::str::from_utf8(body).map_err(de::Error::custom)?;
    T::from_json(text).map(|decoded| decoded.value)
}

/// Returns a [`JsonObject`] for JSON text that is not an object. The returned object has no fields, and keeps `raw` so
/// that the same JSON text can be written again.
///
/// # Errors
/// Returns `error` if `raw` is not exactly one JSON value.
pub(crate) fn not_an_object(
    raw: &str,
    error: serde_json::Error,
) -> Result<JsonObject, serde_json::Error> {
    let value: Result<&RawValue, _> = serde_json::from_str(raw);
    value
        .map(|value| JsonObject::of_other(value.get()))
        .map_err(|_| error)
}

/// Reads the JSON text `raw` of the field `name` into `field`. If the field's type cannot represent all of `raw`, also
/// adds `raw` to `others`. If an object contains a field several times, the last value counts: see [`known`].
pub(crate) fn read_field<T: FromJson>(
    field: &mut Option<Decoded<T>>,
    others: &mut Vec<(String, RawJson)>,
    name: &str,
    raw: &str,
) {
    *field = T::from_json(raw).ok();
    if !field.as_ref().is_some_and(|decoded| decoded.exact) {
        others.push((name.to_owned(), RawJson::of_valid(raw)));
    }
}

/// Returns the value of a known field. If the value is exact, removes an earlier value of this field from `extra`.
///
/// This function is called once for each known field, after the whole object was read. If [`read_field`] removed the
/// earlier values, an object with many duplicate fields would take hours to read.
pub(crate) fn known<T>(field: Option<Decoded<T>>, extra: &mut JsonObject, name: &str) -> Option<T> {
    let decoded = field?;
    if decoded.exact {
        extra.remove(name);
    }
    Some(decoded.value)
}

/// Returns the value of a required field, or an error if the field is missing or cannot be read.
pub(crate) fn needed<T: FromJson>(
    field: Option<T>,
    extra: &JsonObject,
    name: &'static str,
) -> Result<T, serde_json::Error> {
    let Some(raw) = extra.raw(name).filter(|_| field.is_none()) else {
        return field.ok_or_else(|| de::Error::missing_field(name));
    };
    if raw == "null"
        && let Some(value) = T::when_null()
    {
        return Ok(value);
    }
    T::from_json(raw)
        .map(|decoded| decoded.value)
        .map_err(|error| de::Error::custom(format_args!("cannot read `{name}`: {error}")))
}

/// Calls `each` with the name and the JSON text of each field of the object `raw`.
pub(crate) fn for_each_field(
    raw: &str,
    each: impl FnMut(&str, &str),
) -> Result<(), serde_json::Error> {
    struct Fields<F>(F);

    impl<'de, F: FnMut(&str, &str)> Visitor<'de> for Fields<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(name)) = map.next_key()? {
                let raw: &RawValue = map.next_value()?;
                (self.0)(&name, raw.get());
            }
            Ok(())
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(raw);
    deserializer.deserialize_map(Fields(each))?;
    deserializer.end()
}

/// Calls `each` with the JSON text of each item of the list `raw`.
fn for_each_item(raw: &str, each: impl FnMut(&str)) -> Result<(), serde_json::Error> {
    struct Items<F>(F);

    impl<'de, F: FnMut(&str)> Visitor<'de> for Items<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(raw) = list.next_element::<&RawValue>()? {
                (self.0)(raw.get());
            }
            Ok(())
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(raw);
    deserializer.deserialize_seq(Items(each))?;
    deserializer.end()
}

/// Contains a string, which is borrowed from the JSON text if the string contains no escapes.
pub(crate) struct Text<'de>(pub Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Text<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Texts)
    }
}

/// Implements `FromJson`, `Deserialize` and `Serialize` for a response type. The last field of the type is `extra`.
///
/// A type without required fields can be read from every JSON value. A value that is not an object is kept in `extra`.
/// So a page of messages can be read even if one item is not an object.
macro_rules! tolerant_object {
    ($name:ident {
        needed: { $($needed:ident: $needed_name:literal,)* }
        optional: { $($optional:ident: $optional_name:literal,)* }
    }) => {
        impl crate::decode::FromJson for $name {
            fn from_json(
                raw: &str,
            ) -> ::std::result::Result<crate::decode::Decoded<Self>, ::serde_json::Error> {
                let mut others = ::std::vec::Vec::new();
                $(let mut $needed = None;)*
                $(let mut $optional = None;)*
                let read = crate::decode::for_each_field(raw, |name, raw| match name {
                    $($needed_name => crate::decode::read_field(&mut $needed, &mut others, name, raw),)*
                    $($optional_name => crate::decode::read_field(&mut $optional, &mut others, name, raw),)*
                    _ => others.push((name.to_owned(), crate::json::RawJson::of_valid(raw))),
                });
                let needs_nothing = [$($needed_name,)* ""].len() == 1;
                let mut extra = match read {
                    Err(error) if needs_nothing => {
                        $($optional = None;)*
                        crate::decode::not_an_object(raw, error)?
                    }
                    read => read.map(|()| others.into_iter().collect::<crate::json::JsonObject>())?,
                };
                $(let $needed = crate::decode::known($needed, &mut extra, $needed_name);)*
                $(let $optional = crate::decode::known($optional, &mut extra, $optional_name);)*
                $(let $needed = crate::decode::needed($needed, &extra, $needed_name)?;)*
                Ok(crate::decode::Decoded::exact(Self { $($needed,)* $($optional,)* extra }))
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let raw = <::std::boxed::Box<::serde_json::value::RawValue>>::deserialize(deserializer)?;
                <Self as crate::decode::FromJson>::from_json(raw.get())
                    .map(|decoded| decoded.value)
                    .map_err(::serde::de::Error::custom)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap as _;
                if let Some(value) = self.extra.not_an_object() {
                    return value.serialize(serializer);
                }
                let mut map = serializer.serialize_map(None)?;
                $(if !self.extra.contains_key($needed_name) {
                    map.serialize_entry($needed_name, &self.$needed)?;
                })*
                $(if let Some(value) = &self.$optional
                    && !self.extra.contains_key($optional_name)
                {
                    map.serialize_entry($optional_name, value)?;
                })*
                for (name, value) in self.extra.iter() {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    };
}

pub(crate) use tolerant_object;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: FromJson>(raw: &str) -> Option<(T, bool)> {
        let decoded = T::from_json(raw).ok()?;
        Some((decoded.value, decoded.exact))
    }

    #[test]
    fn unsigned_numbers_are_read() {
        assert_eq!(read::<u64>("18446744073709551615"), Some((u64::MAX, true)));
        assert_eq!(read::<u64>("-1"), None);
        assert_eq!(read::<u8>("256"), None);
        assert_eq!(read::<NonZeroU64>("0"), None);
        assert_eq!(read::<f32>("0.5"), Some((0.5, true)));
        assert_eq!(
            read::<f32>("0.123456789").map(|(_, exact)| exact),
            Some(false)
        );
    }

    #[test]
    fn free_objects_and_values_are_read() {
        let object = read::<JsonObject>(r#"{"a":1e999}"#).unwrap();
        assert_eq!((object.0.raw("a"), object.1), (Some("1e999"), true));
        assert!(read::<JsonObject>("7").is_none());
        let raw = read::<RawJson>("[1e999]").unwrap();
        assert_eq!((raw.0.as_str(), raw.1), ("[1e999]", true));
        let value = serde_json::Value::from("x");
        assert_eq!(read::<serde_json::Value>(r#""x""#), Some((value, true)));
        let spaced = read::<serde_json::Value>(r#"{"a": 1}"#);
        assert_eq!(spaced.map(|(_, exact)| exact), Some(false));
    }

    #[test]
    fn maps_leave_out_values_of_another_type() {
        let map = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value));
            pairs.collect()
        };
        let all = map(&[("a", 1), ("b", 2)]);
        for (raw, expected) in [
            (r#"{"b":2,"a":1}"#, Some((all, true))),
            (r#"{"a":1,"b":"x"}"#, Some((map(&[("a", 1)]), false))),
            (r#"{"a":1,"a":"x"}"#, Some((map(&[]), false))),
            ("[]", None),
        ] {
            assert_eq!(read::<BTreeMap<String, u64>>(raw), expected, "{raw}");
        }
        assert_eq!(<BTreeMap<String, u64>>::when_null(), Some(map(&[])));
    }

    #[test]
    fn boxes_and_options_are_read_as_their_values() {
        assert_eq!(read::<Box<i64>>("7"), Some((Box::new(7), true)));
        assert_eq!(read::<Box<i64>>("null"), None);
        let list = vec![Some("a".to_owned()), None];
        assert_eq!(
            read::<Vec<Option<String>>>(r#"["a",null]"#),
            Some((list, true))
        );
    }
}
