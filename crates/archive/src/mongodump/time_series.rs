//! Time-series collections: the archive knows their buckets, a dump describes them as users see them.

use bson::raw::{CString, RawBsonRef};
use bson::{RawDocument, RawDocumentBuf};

/// What only the bucket collection has; the server makes it anew.
const OF_THE_BUCKETS: [&str; 5] = ["validator", "validationLevel", "validationAction", "clusteredIndex", "temp"];

/// Options to create the time-series collection with. `changes` are the `timeseries` parts of later `collMod`s.
///
/// Server behaviour: a granularity stands for a span of buckets (seconds: an hour, minutes: a day, hours: 30 days), which
/// the listing shows as well; spans that were set by hand (6.3 and newer) have no granularity.
pub fn options<'a>(buckets: &RawDocument, changes: impl Iterator<Item = &'a RawDocument>) -> RawDocumentBuf {
    let mut settings = buckets.get_document("timeseries").map(RawDocument::to_owned).unwrap_or_default();
    for change in changes {
        settings = changed(&settings, change);
    }
    let mut options = RawDocumentBuf::new();
    for (name, value) in buckets.iter().flatten() {
        match name.as_str() {
            "timeseries" => options.append(name, settings.clone()),
            name if OF_THE_BUCKETS.contains(&name) => {}
            _ => options.append(name, value),
        }
    }
    options
}

fn changed(settings: &RawDocument, change: &RawDocument) -> RawDocumentBuf {
    let span = match change.get_str("granularity") {
        Ok("seconds") => Some(3_600),
        Ok("minutes") => Some(86_400),
        Ok("hours") => Some(2_592_000),
        _ => None,
    };
    let mut result = RawDocumentBuf::new();
    for (name, value) in settings.iter().flatten() {
        match name.as_str() {
            "granularity" | "bucketMaxSpanSeconds" | "bucketRoundingSeconds" => {}
            _ => result.append(name, value),
        }
    }
    for (name, value) in change.iter().flatten() {
        result.append(name, value);
    }
    if let Some(span) = span {
        result.append(bson::raw::cstr!("bucketMaxSpanSeconds"), span);
    }
    result
}

/// The index as `listIndexes` of the time-series collection shows it, from that of its buckets; `None` when it has no such
/// form.
///
/// Server behaviour: the buckets keep the metadata in `meta` and the smallest and largest value of every other field in
/// `control.min` and `control.max`; an index that cannot be told from that carries `originalSpec`.
pub fn index(spec: &RawDocument, settings: &RawDocument) -> Option<RawDocumentBuf> {
    let original = spec.get_document("originalSpec").ok();
    let key = match original {
        Some(original) => original.get_document("key").ok()?.to_owned(),
        None => user_key(spec.get_document("key").ok()?, settings)?,
    };
    let mut index = RawDocumentBuf::new();
    for (name, value) in spec.iter().flatten() {
        match (name.as_str(), original) {
            ("key", _) => index.append(name, key.clone()),
            ("originalSpec", _) => {}
            (field, Some(original)) => index.append(name, original.get(field).ok().flatten().unwrap_or(value)),
            // Its condition speaks of fields of the buckets.
            ("partialFilterExpression", None) => return None,
            (_, None) => index.append(name, value),
        }
    }
    Some(index)
}

fn user_key(key: &RawDocument, settings: &RawDocument) -> Option<RawDocumentBuf> {
    let meta = settings.get_str("metaField").ok();
    let mut user = RawDocumentBuf::new();
    let mut fields = key.iter().flatten();
    while let Some((name, value)) = fields.next() {
        let name = name.as_str();
        if name == "meta" || name.starts_with("meta.") {
            user.append(field(&format!("{}{}", meta?, &name["meta".len()..]))?, value);
        } else if let Some((measured, is_descending)) = bound(name) {
            // Ascending is min before max, descending the other way round, both in the same direction.
            let (second, direction) = fields.next()?;
            let (other, ends_with_max) = bound(second.as_str())?;
            let goes_down = |direction| number(direction).map(|number| number < 0.0);
            let same_way = goes_down(value)? == is_descending && goes_down(direction)? == is_descending;
            if other != measured || is_descending == ends_with_max || !same_way {
                return None;
            }
            user.append(field(measured)?, value);
        } else if let (Some(measured), RawBsonRef::String("2dsphere_bucket")) = (name.strip_prefix("data."), value) {
            user.append(field(measured)?, "2dsphere");
        } else {
            return None;
        }
    }
    Some(user)
}

/// The measured field of a bound, and whether it is the upper one.
fn bound(name: &str) -> Option<(&str, bool)> {
    let lower = name.strip_prefix("control.min.").map(|field| (field, false));
    lower.or_else(|| name.strip_prefix("control.max.").map(|field| (field, true)))
}

fn number(value: RawBsonRef<'_>) -> Option<f64> {
    match value {
        RawBsonRef::Int32(number) => Some(f64::from(number)),
        #[allow(clippy::cast_precision_loss, reason = "a direction")]
        RawBsonRef::Int64(number) => Some(number as f64),
        RawBsonRef::Double(number) => Some(number),
        _ => None,
    }
}

fn field(name: &str) -> Option<CString> {
    name.to_owned().try_into().ok()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn settings() -> RawDocumentBuf {
        rawdoc! { "timeField": "at", "metaField": "sensor", "granularity": "seconds", "bucketMaxSpanSeconds": 3600 }
    }

    fn key(key: RawDocumentBuf) -> Option<RawDocumentBuf> {
        let spec = rawdoc! { "v": 2, "key": key, "name": "x" };
        index(&spec, &settings()).map(|spec| spec.get_document("key").unwrap().to_owned())
    }

    #[test]
    fn indexes_are_told_as_users_made_them() {
        let by_sensor = rawdoc! { "meta": 1, "meta.room": -1, "control.max.at": -1, "control.min.at": -1 };
        assert_eq!(key(by_sensor), Some(rawdoc! { "sensor": 1, "sensor.room": -1, "at": -1 }));
        assert_eq!(key(rawdoc! { "control.min.n": 1, "control.max.n": 1 }), Some(rawdoc! { "n": 1 }));
        assert_eq!(key(rawdoc! { "data.place": "2dsphere_bucket" }), Some(rawdoc! { "place": "2dsphere" }));
        let kept = rawdoc! {
            "key": { "control.min.n": 1, "control.max.n": 1 }, "name": "x", "partialFilterExpression": { "control.max.n": { "$gt": 3 } },
            "originalSpec": { "key": { "n": 1 }, "name": "x", "partialFilterExpression": { "n": { "$gt": 3 } } },
        };
        let told = rawdoc! { "key": { "n": 1 }, "name": "x", "partialFilterExpression": { "n": { "$gt": 3 } } };
        assert_eq!(index(&kept, &settings()), Some(told));
    }

    #[test]
    fn an_index_that_is_not_of_that_form_is_not_guessed() {
        for odd in [
            rawdoc! { "control.min.n": 1 },
            rawdoc! { "control.min.n": 1, "control.max.m": 1 },
            rawdoc! { "control.min.n": -1, "control.max.n": -1 },
            rawdoc! { "control.min.n": 1, "control.min.n": 1 },
            rawdoc! { "data.n": 1 },
        ] {
            assert_eq!(key(odd.clone()), None, "{odd:?}");
        }
    }

    #[test]
    fn a_changed_granularity_changes_the_span() {
        let buckets = rawdoc! {
            "validator": { "$jsonSchema": {} }, "clusteredIndex": true, "timeseries": settings(), "expireAfterSeconds": 5_i64,
        };
        let change = rawdoc! { "granularity": "minutes" };
        let made = options(&buckets, [&*change].into_iter());
        let settings = rawdoc! { "timeField": "at", "metaField": "sensor", "granularity": "minutes", "bucketMaxSpanSeconds": 86_400 };
        assert_eq!(made, rawdoc! { "timeseries": settings, "expireAfterSeconds": 5_i64 });
    }
}
