//! Reads nothing, writes everything: single, many, ordered, upserting, replacing, retryable.

use anyhow::Result;
use mongodb::bson::{Document, doc};
use mongodb::options::UpdateModifications;
use rand::RngExt;

use super::values::{body, document, filter, id, measurement, pipeline, update};
use super::{Kind, Name, Workload};
use crate::dataset::words::vocabulary;

impl Workload {
    pub(super) async fn crud(&mut self) -> Result<()> {
        let name = if self.random.random_bool(0.93) {
            self.world.pick(&mut self.random, |kind| kind != Kind::View)
        } else {
            None
        };
        // Now and then a name that may not exist, or be a view.
        let name = name.unwrap_or_else(|| Name::any(&mut self.random));
        match self.world.kind(&name) {
            Some(Kind::TimeSeries) => self.measure(&name).await,
            Some(Kind::Capped) => self.append(&name).await,
            _ => self.write(&name).await,
        }
    }

    async fn write(&mut self, name: &Name) -> Result<()> {
        match self.random.random_range(0..20) {
            0..=4 => self.insert(name).await,
            5 | 6 => self.insert_many(name).await,
            7..=12 => self.update(name).await,
            13 | 14 => self.replace(name).await,
            15 | 16 => self.find_and_modify(name).await,
            _ => self.delete(name).await,
        }
    }

    async fn insert(&mut self, name: &Name) -> Result<()> {
        let document = document(&mut self.random);
        let result = self.collection(name).insert_one(&document).await;
        if self.settle("insert", &format!("{name} {document}"), &result)? {
            self.world.touch(name);
        }
        Ok(())
    }

    async fn insert_many(&mut self, name: &Name) -> Result<()> {
        let ordered = self.random.random();
        let documents: Vec<Document> =
            (0..self.random.random_range(2..20)).map(|_| document(&mut self.random)).collect();
        let ids: Vec<_> = documents.iter().filter_map(|document| document.get("_id")).collect();
        let text = format!("{name} ordered {ordered} {ids:?}");
        let result = self.collection(name).insert_many(&documents).ordered(ordered).await;
        // Even when one was refused, others may have created the collection.
        self.world.touch(name);
        self.settle("insertMany", &text, &result).map(|_| ())
    }

    async fn update(&mut self, name: &Name) -> Result<()> {
        let filter = filter(&mut self.random);
        let (change, kind): (UpdateModifications, _) = if self.random.random_range(0..6) == 0 {
            (pipeline(&mut self.random).into(), "updatePipeline")
        } else {
            (update(&mut self.random).into(), "update")
        };
        let text = format!("{name} {filter} {change:?}");
        let collection = self.collection(name);
        if self.random.random_range(0..5) == 0 {
            let result = collection.update_many(filter, change).await;
            return self.settle("updateMany", &text, &result).map(|_| ());
        }
        let upsert = self.random.random_range(0..5) == 0;
        let result = collection.update_one(filter, change).upsert(upsert).await;
        let kind = if upsert { "upsert" } else { kind };
        if self.settle(kind, &text, &result)? && upsert {
            self.world.touch(name);
        }
        Ok(())
    }

    async fn replace(&mut self, name: &Name) -> Result<()> {
        let filter = doc! { "_id": id(&mut self.random) };
        let (body, upsert) = (body(&mut self.random), self.random.random());
        let result = self.collection(name).replace_one(filter.clone(), &body).upsert(upsert).await;
        if self.settle("replace", &format!("{name} {filter} upsert {upsert} {body}"), &result)? && upsert {
            self.world.touch(name);
        }
        Ok(())
    }

    async fn find_and_modify(&mut self, name: &Name) -> Result<()> {
        let filter = doc! { "_id": id(&mut self.random) };
        let text = format!("{name} {filter}");
        let collection = self.collection(name);
        let result = match self.random.random_range(0..3) {
            0 => collection.find_one_and_delete(filter).await,
            1 => collection.find_one_and_replace(filter, body(&mut self.random)).await,
            _ => collection.find_one_and_update(filter, update(&mut self.random)).await,
        };
        self.settle("findAndModify", &text, &result).map(|_| ())
    }

    async fn delete(&mut self, name: &Name) -> Result<()> {
        let many = self.random.random_range(0..6) == 0;
        let filter = if many {
            doc! { "n": { "$gt": 92 } }
        } else {
            filter(&mut self.random)
        };
        let text = format!("{name} {filter}");
        let collection = self.collection(name);
        let result = if many { collection.delete_many(filter).await } else { collection.delete_one(filter).await };
        self.settle(if many { "deleteMany" } else { "delete" }, &text, &result).map(|_| ())
    }

    /// A capped collection: mostly inserts, enough of them that old documents are evicted.
    async fn append(&mut self, name: &Name) -> Result<()> {
        if self.random.random_range(0..6) == 0 {
            return self.write(name).await;
        }
        let documents: Vec<Document> = (0..self.random.random_range(1..12))
            .map(
                |_| doc! { "n": self.random.random_range(0..100), "s": vocabulary().sentence(&mut self.random, 3..30) },
            )
            .collect();
        let text = format!("{name} {} documents", documents.len());
        let result = self.collection(name).insert_many(&documents).await;
        self.settle("insertCapped", &text, &result).map(|_| ())
    }

    async fn measure(&mut self, name: &Name) -> Result<()> {
        let collection = self.collection(name);
        let meta = doc! { "m": self.random.random_range(0..4) };
        match self.random.random_range(0..12) {
            // Before 7.0 only the meta field may be asked for or changed, and all that match.
            0 => {
                let text = format!("{name} {meta}");
                let result = collection.delete_many(meta).await;
                self.settle("deleteMeasurements", &text, &result).map(|_| ())
            }
            1 => {
                let text = format!("{name} {meta}");
                let change = doc! { "$set": { "m": self.random.random_range(0..4) } };
                let result = collection.update_many(meta, change).await;
                self.settle("updateMeasurements", &text, &result).map(|_| ())
            }
            _ => {
                let measurements: Vec<Document> =
                    (0..self.random.random_range(1..15)).map(|_| measurement(&mut self.random)).collect();
                let text = format!("{name} {} measurements", measurements.len());
                let result = collection.insert_many(&measurements).await;
                self.settle("insertMeasurements", &text, &result).map(|_| ())
            }
        }
    }
}
