//! Leaves of a log line, read without insisting on a type: another server version, or a log shipper in between, may
//! write a number as text or as extended JSON. What cannot be understood is absent, never an error for its line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A key or text of a line, borrowed where it needs no unescaping.
#[derive(Debug)]
pub struct Key<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// One value of whatever type.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// `null`, an array, or an object that is no extended JSON number or date.
    Nothing,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// A number that counts or measures something: never below zero.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => Some(u64::try_from(*number).unwrap_or(0)),
            // Saturates, and a number that is not one becomes zero.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating is what is wanted")]
            Self::Float(number) => Some(*number as u64),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Nothing | Self::Bool(_) => None,
        }
    }

    /// The server writes flags only when they are set, as `true`; its `ok` is a number.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Integer(number) => Some(*number != 0),
            Self::Float(number) => Some(*number != 0.0),
            Self::Nothing | Self::Text(_) => None,
        }
    }

    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = Scalar::Nothing;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if key.0.starts_with("$number") {
                // Extended JSON has its numbers as text.
                value = match map.next_value()? {
                    Scalar::Text(text) => number(&text),
                    other => other,
                };
            } else if key.0 == "$date" {
                value = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}

fn number(text: &str) -> Scalar<'static> {
    let integer = text.parse().map(Scalar::Integer);
    integer.or_else(|_| text.parse().map(Scalar::Float)).unwrap_or(Scalar::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Scalar<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_read_in_whichever_way_they_are_written() {
        for json in
            ["7", "7.9", "\"7\"", r#"{"$numberLong":"7"}"#, r#"{"$numberInt":"7"}"#, r#"{"$numberDouble":"7.0"}"#]
        {
            assert_eq!(read(json).count(), Some(7), "{json}");
        }
        for json in ["null", "[7]", "{}", r#"{"a":7}"#, "true", "\"seven\"", r#"{"$numberLong":"x"}"#] {
            assert_eq!(read(json).count(), None, "{json}");
        }
        assert_eq!(read("-7").count(), Some(0));
        assert_eq!(read("1e300").count(), Some(u64::MAX));
        assert_eq!(read("18446744073709551615").count(), Some(i64::MAX.unsigned_abs()));
    }

    #[test]
    fn flags_are_booleans_or_numbers() {
        assert_eq!(read("true").flag(), Some(true));
        assert_eq!(read("0").flag(), Some(false));
        assert_eq!(read("1.0").flag(), Some(true));
        assert_eq!(read("\"true\"").flag(), None);
    }
}
