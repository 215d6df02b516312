//! Whether an answer is the expected one. People write `17` and not which of four number types that is, and fields in any
//! order; so numbers are compared by value and documents as sets of fields.

use bson::{Bson, Document};

/// Characters of a document that are shown.
const SHOWN: usize = 200;

/// What differs, for people; `None` when nothing does. Without an order each document is expected as often as it is listed.
pub fn differ(expected: &[Document], found: &[Document], is_ordered: bool) -> Option<String> {
    let count = format!("{} documents", found.len());
    if is_ordered {
        let first = (0..expected.len().max(found.len())).find(|at| match (expected.get(*at), found.get(*at)) {
            (Some(expected), Some(found)) => !same_document(expected, found),
            _ => true,
        })?;
        let there = found.get(first).map_or_else(|| "nothing".to_owned(), shown);
        return Some(format!("{count}; as number {} {there}", first + 1));
    }
    let mut rest: Vec<&Document> = found.iter().collect();
    for wanted in expected {
        match rest.iter().position(|found| same_document(wanted, found)) {
            Some(at) => drop(rest.swap_remove(at)),
            None => return Some(format!("{count}, among them no {}", shown(wanted))),
        }
    }
    rest.first().map(|unexpected| format!("{count}, among them {}, which is not expected", shown(unexpected)))
}

fn same_document(expected: &Document, found: &Document) -> bool {
    expected.len() == found.len()
        && expected.iter().all(|(name, value)| found.get(name).is_some_and(|found| same(value, found)))
}

fn same(expected: &Bson, found: &Bson) -> bool {
    match (expected, found) {
        (Bson::Document(expected), Bson::Document(found)) => same_document(expected, found),
        (Bson::Array(expected), Bson::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| same(expected, found))
        }
        _ => match (whole(expected), whole(found)) {
            (Some(expected), Some(found)) => expected == found,
            _ => match (number(expected), number(found)) {
                (Some(expected), Some(found)) => expected.total_cmp(&found).is_eq(),
                _ => expected == found,
            },
        },
    }
}

fn whole(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Int64(value) => Some(*value),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a double")]
fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Double(value) => Some(*value),
        Bson::Decimal128(value) => value.to_string().parse().ok(),
        value => whole(value).map(|value| value as f64),
    }
}

pub fn shown(document: &Document) -> String {
    // As JSON, which is what people wrote.
    let text = serde_json::to_string(document).unwrap_or_else(|_| document.to_string());
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { text }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value_and_fields_in_any_order() {
        let equal = |a: Document, b: Document| differ(&[a], &[b], true).is_none();
        assert!(equal(doc! { "a": 1, "b": [1, { "c": 2.0 }] }, doc! { "b": [1_i64, { "c": 2 }], "a": 1.0 }));
        assert!(!equal(doc! { "a": 1 }, doc! { "a": 1, "b": 2 }));
        assert!(!equal(doc! { "a": 1 }, doc! { "a": "1" }));
        assert!(!equal(doc! { "a": [1, 2] }, doc! { "a": [2, 1] }));
        assert!(!equal(doc! { "a": i64::MAX }, doc! { "a": i64::MAX - 1 }), "no detour over doubles");
        let decimal: bson::Decimal128 = "1.50".parse().unwrap();
        assert!(equal(doc! { "a": 1.5 }, doc! { "a": decimal }));
    }

    #[test]
    fn without_an_order_each_document_counts_as_often_as_it_is_listed() {
        let (one, two) = (doc! { "n": 1 }, doc! { "n": 2 });
        let both = [one.clone(), two.clone()];
        assert_eq!(differ(&both, &[two.clone(), one.clone()], false), None);
        assert!(differ(&both, &[two.clone(), one.clone()], true).is_some());
        let doubled = differ(&both, &[one.clone(), one.clone()], false).unwrap();
        assert!(doubled.contains("no {\"n\":2}"), "{doubled}");
        let more = differ(std::slice::from_ref(&one), &both, false).unwrap();
        assert!(more.contains("{\"n\":2}, which is not expected"), "{more}");
        assert!(differ(&[], &both, true).is_some());
    }
}
