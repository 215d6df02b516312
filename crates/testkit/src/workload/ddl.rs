//! Definition changes: collections, indexes, views and options come, change and go.

use anyhow::Result;
use mongodb::bson::{Bson, Document, doc};
use rand::RngExt;

use super::{Kind, Name, Workload};
use crate::dataset::Random;

/// Twenty years and a random bit: nothing expires while a test runs.
fn ttl_seconds(random: &mut Random) -> i64 {
    20 * 365 * 86_400 + random.random_range(0..1_000)
}

fn validator(random: &mut Random) -> Document {
    match random.random_range(0..3) {
        0 => doc! { "n": { "$type": "number" } },
        1 => {
            doc! { "$jsonSchema": { "required": ["n"], "properties": { "n": { "maximum": random.random_range(100..120) } } } }
        }
        _ => doc! { "$or": [{ "s": { "$exists": true } }, { "n": { "$gt": 10 } }] },
    }
}

fn view_pipeline(random: &mut Random) -> Vec<Document> {
    match random.random_range(0..3) {
        0 => vec![doc! { "$match": { "n": { "$gt": random.random_range(0..90) }, "s": { "$exists": true } } }],
        1 => vec![doc! { "$sort": { "n": -1, "_id": 1 } }, doc! { "$limit": 5_i64 }],
        _ => vec![],
    }
}

impl Workload {
    pub(super) async fn definition(&mut self) -> Result<()> {
        match self.random.random_range(0..60) {
            0..=11 => {
                let kind = Kind::ALL[self.random.random_range(0..Kind::ALL.len())];
                let name = Name::any(&mut self.random);
                self.create(name, kind).await
            }
            12..=15 => self.drop_collection().await,
            16..=21 => self.rename().await,
            22..=35 => self.create_indexes().await,
            36..=40 => self.drop_indexes().await,
            41..=48 => self.modify().await,
            49..=54 => self.modify_index().await,
            55 | 56 => self.convert_to_capped().await,
            57 | 58 => self.recreate().await,
            _ => self.drop_database().await,
        }
    }

    pub(super) async fn create(&mut self, name: Name, kind: Kind) -> Result<()> {
        let random = &mut self.random;
        let mut command = doc! { "create": &name.collection };
        command.extend(match kind {
            Kind::Plain => doc! {},
            Kind::Capped if random.random() => {
                doc! { "capped": true, "size": 8_192, "max": random.random_range(20..60) }
            }
            Kind::Capped => doc! { "capped": true, "size": random.random_range(4_096..30_000) },
            Kind::Clustered => doc! { "clusteredIndex": { "key": { "_id": 1 }, "unique": true } },
            Kind::Collated => doc! { "collation": { "locale": "en", "strength": random.random_range(1..4) } },
            Kind::TimeSeries => doc! { "timeseries": { "timeField": "t", "metaField": "m" } },
            Kind::Validated => doc! { "validator": validator(random), "validationAction": "error" },
            Kind::View => doc! {
                "viewOn": Name::any(random).collection,
                "pipeline": view_pipeline(random),
            },
        });
        let result = self.database(&name).run_command(command.clone()).await;
        if self.settle("create", &format!("{name} {command}"), &result)? {
            self.world.set(name, kind);
        }
        Ok(())
    }

    async fn drop_collection(&mut self) -> Result<()> {
        let Some(name) = self.world.pick(&mut self.random, |_| true) else { return Ok(()) };
        let result = self.database(&name).run_command(doc! { "drop": &name.collection }).await;
        if self.settle("drop", &name.to_string(), &result)? {
            self.world.remove(&name);
        }
        Ok(())
    }

    /// Drops and creates the same name with other options, without a pause between them.
    async fn recreate(&mut self) -> Result<()> {
        let Some(name) = self.world.pick(&mut self.random, |_| true) else { return Ok(()) };
        let result = self.database(&name).run_command(doc! { "drop": &name.collection }).await;
        if self.settle("recreate", &name.to_string(), &result)? {
            self.world.remove(&name);
            let kind = Kind::ALL[self.random.random_range(0..Kind::ALL.len())];
            self.create(name, kind).await?;
        }
        Ok(())
    }

    async fn rename(&mut self) -> Result<()> {
        let Some(from) = self.world.pick(&mut self.random, |kind| !matches!(kind, Kind::View | Kind::TimeSeries))
        else {
            return Ok(());
        };
        let mut to = Name::any(&mut self.random);
        // Across databases the server copies: rarer, as with users.
        if self.random.random_bool(0.7) {
            to.database.clone_from(&from.database);
        }
        let drop_target = self.random.random_bool(0.6);
        let command = doc! { "renameCollection": from.to_string(), "to": to.to_string(), "dropTarget": drop_target };
        let result = self.client.database("admin").run_command(command).await;
        let kind = if from.database == to.database { "rename" } else { "renameAcross" };
        if self.settle(kind, &format!("{from} to {to} dropTarget {drop_target}"), &result)? {
            self.world.rename(&from, to);
        }
        Ok(())
    }

    fn index(&mut self) -> Document {
        let random = &mut self.random;
        let n = random.random_range(0..4);
        match random.random_range(0..15) {
            0 => doc! { "key": { "n": 1 }, "name": "n_1" },
            1 => doc! { "key": { "d.x": -1, "n": 1 }, "name": format!("x{n}") },
            2 => doc! { "key": { "t": 1 }, "name": "ttl", "expireAfterSeconds": ttl_seconds(random) },
            3 => doc! { "key": { "u": 1 }, "name": "u_1", "unique": true, "sparse": true },
            4 => {
                doc! { "key": { "s": 1 }, "name": format!("s{n}"), "partialFilterExpression": { "n": { "$gt": n * 10 } } }
            }
            5 => doc! { "key": { "d.$**": 1 }, "name": "wild" },
            6 => doc! { "key": { "_id": "hashed" }, "name": "hashed" },
            7 => doc! { "key": { "s": "text" }, "name": "text", "default_language": "english" },
            8 => doc! { "key": { "place": "2dsphere" }, "name": "place" },
            9 => doc! { "key": { "s": 1 }, "name": format!("de{n}"), "collation": { "locale": "de", "strength": 1 } },
            10 => doc! { "key": { "a": 1 }, "name": "a_1", "hidden": true },
            11 => doc! { "key": { "n": -0.5 }, "name": "half" },
            12 => doc! { "key": { "m": 1, "t": -1 }, "name": "meta" },
            13 => doc! { "key": { "count": 1 }, "name": "partial unique", "unique": true,
            "partialFilterExpression": { "count": { "$exists": true } } },
            _ => doc! { "key": { "items.k": 1 }, "name": "items", "sparse": true },
        }
    }

    async fn create_indexes(&mut self) -> Result<()> {
        let Some(name) = self.world.pick(&mut self.random, |kind| kind != Kind::View) else { return Ok(()) };
        let mut indexes = vec![self.index()];
        if self.random.random_range(0..3) == 0 {
            let second = self.index();
            if second.get("name") != indexes[0].get("name") {
                indexes.push(second);
            }
        }
        let command = doc! { "createIndexes": &name.collection, "indexes": &indexes };
        let result = self.database(&name).run_command(command.clone()).await;
        if self.settle("createIndexes", &format!("{name} {command}"), &result)? {
            for index in indexes.iter().filter_map(|index| index.get_str("name").ok()) {
                self.world.add_index(&name, index);
            }
        }
        Ok(())
    }

    async fn drop_indexes(&mut self) -> Result<()> {
        let Some((name, mut index)) = self.world.pick_index(&mut self.random) else { return Ok(()) };
        let mut wanted = Bson::from(index.clone());
        match self.random.random_range(0..6) {
            0 => "*".clone_into(&mut index),
            // By its key, if it happens to be of this kind.
            1 => wanted = self.index().get("key").cloned().unwrap_or(Bson::Null),
            _ => {}
        }
        if index == "*" {
            wanted = index.clone().into();
        }
        let command = doc! { "dropIndexes": &name.collection, "index": wanted };
        let result = self.database(&name).run_command(command.clone()).await;
        if self.settle("dropIndexes", &format!("{name} {command}"), &result)? {
            self.world.remove_index(&name, &index);
        }
        Ok(())
    }

    /// `collMod` of an index that exists.
    async fn modify_index(&mut self) -> Result<()> {
        let Some((name, index)) = self.world.pick_index(&mut self.random) else { return Ok(()) };
        let is_time_series = self.world.kind(&name) == Some(Kind::TimeSeries);
        let change = match self.random.random_range(0..5) {
            0 | 1 => doc! { "name": index, "hidden": self.random.random::<bool>() },
            // Of a wildcard index this ends mongod 6.0.5.
            2 if index != "wild" => doc! { "name": index, "expireAfterSeconds": ttl_seconds(&mut self.random) },
            // A time-series collection would refuse most of its inserts from then on.
            3 if !is_time_series => doc! { "name": index, "prepareUnique": true },
            4 if !is_time_series => doc! { "name": index, "unique": true },
            _ => doc! { "name": index, "hidden": true },
        };
        let command = doc! { "collMod": &name.collection, "index": change };
        let result = self.database(&name).run_command(command.clone()).await;
        self.settle("collModIndex", &format!("{name} {command}"), &result).map(|_| ())
    }

    async fn modify(&mut self) -> Result<()> {
        let Some(name) = self.world.pick(&mut self.random, |_| true) else { return Ok(()) };
        let kind = self.world.kind(&name);
        let random = &mut self.random;
        let change = match kind {
            Some(Kind::View) => doc! { "viewOn": Name::any(random).collection, "pipeline": view_pipeline(random) },
            Some(Kind::TimeSeries) if random.random() => doc! { "expireAfterSeconds": ttl_seconds(random) },
            Some(Kind::TimeSeries) => doc! { "timeseries": { "granularity": "minutes" } },
            Some(Kind::Capped) if random.random() => doc! { "cappedSize": random.random_range(8_192_i64..60_000) },
            _ => match random.random_range(0..9) {
                0 => doc! { "validator": validator(random), "validationLevel": "moderate" },
                1 => doc! { "validator": {}, "validationLevel": "off" },
                2 => doc! { "validationAction": "warn" },
                3 => doc! { "index": { "name": "n_1", "hidden": random.random::<bool>() } },
                4 => doc! { "index": { "keyPattern": { "a": 1 }, "hidden": random.random::<bool>() } },
                5 => doc! { "index": { "name": "ttl", "expireAfterSeconds": ttl_seconds(random) } },
                6 => doc! { "index": { "keyPattern": { "n": 1 }, "expireAfterSeconds": ttl_seconds(random) } },
                7 => doc! { "index": { "name": "n_1", "prepareUnique": random.random::<bool>() } },
                _ => doc! {},
            },
        };
        let mut command = doc! { "collMod": &name.collection };
        command.extend(change);
        let result = self.database(&name).run_command(command.clone()).await;
        self.settle("collMod", &format!("{name} {command}"), &result).map(|_| ())
    }

    async fn convert_to_capped(&mut self) -> Result<()> {
        let Some(name) = self.world.pick(&mut self.random, |kind| kind == Kind::Plain) else { return Ok(()) };
        let command = doc! { "convertToCapped": &name.collection, "size": self.random.random_range(8_192..60_000) };
        let result = self.database(&name).run_command(command).await;
        if self.settle("convertToCapped", &name.to_string(), &result)? {
            self.world.set(name, Kind::Capped);
        }
        Ok(())
    }

    async fn drop_database(&mut self) -> Result<()> {
        let database = Name::any(&mut self.random).database;
        let result = self.client.database(&database).drop().await;
        if self.settle("dropDatabase", &database, &result)? {
            self.world.remove_database(&database);
        }
        Ok(())
    }
}
