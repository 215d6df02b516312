//! Queries of users with the answers that they expect: what a restored database is for.

use std::time::Instant;

use archive::Namespace;
use archive::drill::{Outcome, QueryResult};
use bson::{Bson, Document, doc};
use replset::Destination;
use serde::Deserialize;
use serde_json::Value;

use super::expectation::{differ, shown};
use crate::failure::{Failure, FailureKind, Result};

/// Documents that one query may give: answers are compared by people, too.
const MAX_DOCUMENTS: usize = 1_000;

/// One query. `filter`, `pipeline` and `documents` are Extended JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub name: String,
    pub namespace: Namespace,
    pipeline: Vec<Document>,
    expected: Expected,
}

#[derive(Debug, Clone, PartialEq)]
enum Expected {
    Count(u64),
    Documents { documents: Vec<Document>, is_ordered: bool },
}

impl Expected {
    /// Whether an empty collection would give another answer.
    fn is_something(&self) -> bool {
        match self {
            Self::Count(count) => *count > 0,
            Self::Documents { documents, .. } => !documents.is_empty(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    namespace: Namespace,
    filter: Option<Value>,
    pipeline: Option<Value>,
    count: Option<u64>,
    documents: Option<Value>,
    #[serde(default)]
    ordered: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    query: Vec<Written>,
}

/// `[[query]]` tables of TOML, or `{"query": [...]}` of JSON.
pub fn parse(text: &str) -> Result<Vec<Query>, String> {
    let file: File = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        // The parser quotes whole lines; where it is says enough.
        toml::from_str(text).map_err(|error| error.message().to_owned())?
    };
    if file.query.is_empty() {
        return Err("it holds no query: write [[query]] with namespace, and count or documents".to_owned());
    }
    (1..).zip(file.query).map(|(number, written)| check(number, written)).collect()
}

fn check(number: usize, written: Written) -> Result<Query, String> {
    let name = written.name.unwrap_or_else(|| format!("query {number}"));
    let problem = |what: String| format!("`{name}`: {what}");
    let mut pipeline = match (written.filter, written.pipeline) {
        (Some(_), Some(_)) => return Err(problem("give filter or pipeline, not both".to_owned())),
        (Some(filter), None) => vec![doc! { "$match": document(filter).map_err(problem)? }],
        (None, Some(pipeline)) => documents(pipeline).map_err(problem)?,
        (None, None) => Vec::new(),
    };
    let writes = |stage: &Document| stage.contains_key("$out") || stage.contains_key("$merge");
    if pipeline.iter().any(writes) {
        return Err(problem("a query of a drill writes nothing".to_owned()));
    }
    let expected = match (written.count, written.documents) {
        (Some(count), None) => {
            pipeline.push(doc! { "$count": "n" });
            Expected::Count(count)
        }
        (None, Some(expected)) => {
            let expected = documents(expected).map_err(problem)?;
            pipeline.push(doc! { "$limit": i64::try_from(MAX_DOCUMENTS + 1).unwrap_or(i64::MAX) });
            Expected::Documents { documents: expected, is_ordered: written.ordered }
        }
        _ => return Err(problem("give count or documents, one of them".to_owned())),
    };
    Ok(Query { name, namespace: written.namespace, pipeline, expected })
}

/// Extended JSON, as it is or as a text that holds it.
fn value(value: Value) -> Result<Bson, String> {
    let value = match value {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))?,
        other => other,
    };
    serde_json::from_value(value).map_err(|error| format!("not Extended JSON: {error}"))
}

fn document(written: Value) -> Result<Document, String> {
    match value(written)? {
        Bson::Document(document) => Ok(document),
        _ => Err("a filter is one document".to_owned()),
    }
}

fn documents(written: Value) -> Result<Vec<Document>, String> {
    let Bson::Array(array) = value(written)? else { return Err("pipeline and documents are arrays".to_owned()) };
    let documents = array.into_iter().map(|entry| match entry {
        Bson::Document(document) => Ok(document),
        _ => Err("pipeline and documents hold documents only".to_owned()),
    });
    documents.collect()
}

/// The answer, judged. A query that the server refuses has failed; a server that is away is a failure of the drill.
pub async fn run(destination: &Destination, query: &Query) -> Result<QueryResult> {
    let started = Instant::now();
    let answer = answer(destination, query).await;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (outcome, expected, found) = match answer {
        Ok(found) => judge(&query.expected, &found),
        Err(failure) if failure.kind == FailureKind::Unreachable => return Err(failure),
        Err(failure) => (Outcome::Failed, expected_text(&query.expected), failure.what),
    };
    let expects_data = query.expected.is_something();
    Ok(QueryResult { name: query.name.clone(), outcome, expected, found, milliseconds, expects_data })
}

async fn answer(destination: &Destination, query: &Query) -> Result<Vec<Document>> {
    let batch = i64::try_from(MAX_DOCUMENTS + 2).unwrap_or(i64::MAX);
    let command = doc! {
        "aggregate": query.namespace.coll.as_str(), "pipeline": query.pipeline.clone(), "cursor": { "batchSize": batch },
    };
    let unexpected = |what: String| Failure::new(FailureKind::Unexpected, what).at(destination.server());
    let command = bson::RawDocumentBuf::try_from(command).map_err(|error| unexpected(error.to_string()))?;
    let reply = destination.run_raw(&query.namespace.db, command).await?;
    let cursor =
        reply.document().get_document("cursor").map_err(|_| unexpected("the reply has no cursor".to_owned()))?;
    let batch = cursor.get_array("firstBatch").map_err(|_| unexpected("the reply has no documents".to_owned()))?;
    if batch.len() > MAX_DOCUMENTS || cursor.get_i64("id").unwrap_or_default() != 0 {
        let what = format!("it gives more than {MAX_DOCUMENTS} documents, or more than a reply holds");
        return Err(unexpected(what).then("count them, or narrow the query"));
    }
    Ok(batch.iter().filter_map(|entry| entry.as_document().cloned()).collect())
}

fn judge(expected: &Expected, found: &[Document]) -> (Outcome, String, String) {
    let outcome = |is_same: bool| if is_same { Outcome::Passed } else { Outcome::Failed };
    match expected {
        Expected::Count(count) => {
            // Nothing at all gives no document.
            let number = |counted: &Document| counted.get_i32("n").map(i64::from).or_else(|_| counted.get_i64("n"));
            let counted = found.first().and_then(|counted| number(counted).ok()).unwrap_or(0);
            (outcome(u64::try_from(counted) == Ok(*count)), count.to_string(), counted.to_string())
        }
        Expected::Documents { documents, is_ordered } => {
            let difference = differ(documents, found, *is_ordered);
            let text = difference.clone().unwrap_or_else(|| expected_text(expected));
            (outcome(difference.is_none()), expected_text(expected), text)
        }
    }
}

fn expected_text(expected: &Expected) -> String {
    match expected {
        Expected::Count(count) => count.to_string(),
        Expected::Documents { documents, .. } => {
            let first = documents.first().map(|first| format!(", the first {}", shown(first))).unwrap_or_default();
            format!("{} documents{first}", documents.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
[[query]]
name = "open orders"
namespace = "shop.orders"
filter = '{"status": "open", "at": {"$gt": {"$date": "2026-01-01T00:00:00Z"}}}'
count = 17

[[query]]
namespace = "shop.orders"
pipeline = [{ "$group" = { _id = "$status", n = { "$sum" = 1 } } }]
documents = [{ _id = "open", n = 17 }]
"#;

    #[test]
    fn queries_are_read_from_toml_and_json() {
        let queries = parse(TOML).unwrap();
        let names: Vec<_> = queries.iter().map(|query| query.name.as_str()).collect();
        assert_eq!(names, ["open orders", "query 2"]);
        let at = queries[0].pipeline[0].get_document("$match").and_then(|filter| filter.get_document("at")).unwrap();
        assert!(at.get_datetime("$gt").is_ok(), "Extended JSON: {at}");
        assert_eq!(queries[0].expected, Expected::Count(17));
        assert_eq!(queries[1].pipeline.len(), 2, "the answer is limited");
        let json = r#"{"query": [{"namespace": "shop.orders", "filter": {"status": "open"}, "documents": []}]}"#;
        assert_eq!(parse(json).unwrap().len(), 1);
    }

    #[test]
    fn a_query_without_an_answer_or_one_that_writes_is_refused() {
        let query = |rest: &str| format!("[[query]]\nname = \"q\"\nnamespace = \"shop.orders\"\n{rest}");
        for (text, part) in [
            ("", "no query"),
            ("[[query]]\nnamespace = \"shop\"\ncount = 1", "database.collection"),
            (&*query(""), "count or documents"),
            (&*query("count = 1\ndocuments = []"), "count or documents"),
            (&*query("filter = {}\npipeline = []\ncount = 1"), "not both"),
            (&*query("pipeline = [{ \"$out\" = \"x\" }]\ncount = 1"), "writes nothing"),
            (&*query("filter = '{'\ncount = 1"), "not JSON"),
            (&*query("cuont = 1"), "cuont"),
            ("[[query", "unclosed"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn answers_are_judged_by_value() {
        let outcome = |expected: &Expected, found: &[Document]| judge(expected, found).0;
        assert_eq!(outcome(&Expected::Count(17), &[doc! { "n": 17 }]), Outcome::Passed);
        assert_eq!(outcome(&Expected::Count(17), &[doc! { "n": 18_i64 }]), Outcome::Failed);
        assert_eq!(outcome(&Expected::Count(0), &[]), Outcome::Passed);
        assert!(Expected::Count(17).is_something() && !Expected::Count(0).is_something());
        let expected = Expected::Documents { documents: vec![doc! { "_id": 1 }], is_ordered: false };
        assert_eq!(outcome(&expected, &[doc! { "_id": 1.0 }]), Outcome::Passed);
        let nothing = Expected::Documents { documents: Vec::new(), is_ordered: false };
        assert!(expected.is_something() && !nothing.is_something());
        let (failed, text, found) = judge(&expected, &[]);
        assert_eq!(failed, Outcome::Failed);
        assert!(text.contains("1 documents") && found.contains("0 documents"), "{text} {found}");
    }
}
