//! What a restore gave, to be compared with what it should have given.

use anyhow::{Context, Result, ensure};
use mongodb::Client;
use serde_json::Value;
use testkit::{ReplicaSet, StateCapture};

use crate::scenario::Moment;

#[derive(Debug)]
pub struct Restored {
    pub set: ReplicaSet,
    /// The JSON object of `dr-cli restore`.
    pub report: Value,
    pub state: StateCapture,
}

impl Restored {
    pub fn client(&self) -> Client {
        self.set.client()
    }

    /// Every collection, option, index and document is as it was, but for parked expiry.
    pub fn assert_equals(&self, moment: &Moment) -> Result<()> {
        let resolved = &self.report["target"]["resolved"];
        ensure!(*resolved == moment.at.to_string(), "restored to {resolved}, not to {}", moment.at);
        self.assert_state(&moment.state)
    }

    pub fn assert_state(&self, expected: &StateCapture) -> Result<()> {
        let differences = self.differences(expected)?;
        ensure!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
        Ok(())
    }

    /// What differs from `expected`, without the expiry that the report calls parked.
    pub fn differences(&self, expected: &StateCapture) -> Result<Vec<String>> {
        let mut parked = Vec::new();
        for entry in self.report["ttl_parked"].as_array().context("the report has ttl_parked")? {
            let namespace = entry["namespace"].as_str().context("a parked namespace")?;
            match entry["index"].as_str() {
                Some(index) => parked.push(format!("{namespace}: index {index}.expireAfterSeconds: missing")),
                None => parked.push(format!("{namespace}: option.expireAfterSeconds: missing")),
            }
            if let (None, Some((database, collection))) = (entry["index"].as_str(), namespace.split_once('.')) {
                // A time-series collection is listed twice: by its name and with its buckets.
                let other = match collection.strip_prefix("system.buckets.") {
                    Some(name) => format!("{database}.{name}"),
                    None => format!("{database}.system.buckets.{collection}"),
                };
                parked.push(format!("{other}: option.expireAfterSeconds: missing"));
            }
        }
        let mut differences = expected.diff(&self.state);
        differences.retain(|difference| !parked.iter().any(|parked| difference.starts_with(parked.as_str())));
        Ok(differences)
    }

    /// The numbers of a collection's `_id`s, in order.
    pub async fn ids(&self, database: &str, collection: &str) -> Result<Vec<i32>> {
        use mongodb::bson::{Document, doc};
        let found = self.client().database(database).collection::<Document>(collection);
        let mut cursor = found.find(doc! {}).sort(doc! { "_id": 1 }).await?;
        let mut ids = Vec::new();
        while cursor.advance().await? {
            ids.push(cursor.deserialize_current()?.get_i32("_id")?);
        }
        Ok(ids)
    }
}
