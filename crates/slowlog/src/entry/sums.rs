//! Sums over nested objects: the server gives waiting times for each lock and each queue, we want how long in all.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::Key;

/// Adds up every number under each of the `wanted` keys, however deep below the object that is read.
#[derive(Clone, Copy)]
pub struct Sums<const N: usize> {
    pub wanted: [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for Sums<N> {
    type Value = [u64; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let mut sums = [0; N];
        deserializer.deserialize_any(Walk { wanted: self.wanted, within: None, sums: &mut sums })?;
        Ok(sums)
    }
}

struct Walk<'s, const N: usize> {
    wanted: [&'static str; N],
    /// Which of `wanted` the value stands under.
    within: Option<usize>,
    sums: &'s mut [u64; N],
}

impl<const N: usize> Walk<'_, N> {
    fn add(self, number: u64) {
        if let Some(sum) = self.within.and_then(|index| self.sums.get_mut(index)) {
            *sum = sum.saturating_add(number);
        }
    }
}

impl<'de, const N: usize> DeserializeSeed<'de> for Walk<'_, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Walk<'_, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        // Only what is below zero comes this way.
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.add(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating is what is wanted")]
        self.add(value as u64);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.add(text.parse().unwrap_or(0));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            let here = self.wanted.iter().position(|wanted| *wanted == key.0);
            map.next_value_seed(Walk { wanted: self.wanted, within: here.or(self.within), sums: self.sums })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums<const N: usize>(wanted: [&'static str; N], json: &str) -> [u64; N] {
        Sums { wanted }.deserialize(&mut serde_json::Deserializer::from_str(json)).unwrap()
    }

    #[test]
    fn waiting_times_of_all_locks_and_modes_are_added() {
        let locks = r#"{"Global":{"acquireCount":{"r":9,"w":4},"acquireWaitCount":{"r":1},"timeAcquiringMicros":{"r":100,"w":20}},
            "Collection":{"acquireCount":{"w":3},"timeAcquiringMicros":{"w":{"$numberLong":"5"}}}}"#;
        assert_eq!(sums(["timeAcquiringMicros"], locks), [125]);
    }

    #[test]
    fn several_keys_are_summed_apart_and_other_types_count_nothing() {
        let storage = r#"{"data":{"bytesRead":4096,"timeReadingMicros":29},"timeWaitingMicros":{"cache":7},"x":null}"#;
        assert_eq!(sums(["timeReadingMicros", "bytesRead"], storage), [29, 4096]);
        for json in ["null", "[1,2]", "5", "\"x\"", "-4", "true", r#"{"bytesRead":[1],"timeReadingMicros":-3}"#] {
            assert_eq!(sums(["timeReadingMicros", "bytesRead"], json), [0, 0], "{json}");
        }
    }
}
