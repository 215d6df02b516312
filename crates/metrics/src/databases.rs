//! Sizes of databases from `dbStats`, bounded to the largest.

use bson::Document;

use crate::bound::largest;
use crate::catalogue::{
    DATABASES, DB_COLLECTIONS, DB_DATA_BYTES, DB_INDEX_BYTES, DB_OBJECTS, DB_STORAGE_BYTES, OPLOG_MAX_BYTES,
    OPLOG_SIZE_BYTES,
};
use crate::field::number;
use crate::sample::{Samples, float};

/// Databases with series of their own.
pub const LIMIT: usize = 20;

/// `replies`: name and `dbStats` of each database that was read; `databases` counts those that were not, too.
pub fn samples(databases: usize, replies: &[(String, Document)]) -> Samples {
    let figures = replies.iter().map(|(name, stats)| {
        let figure = |field: &str| number(stats, &[field]).unwrap_or(0.0).max(0.0);
        let figures = ["dataSize", "storageSize", "indexSize", "collections", "objects"].map(figure);
        (name.clone(), figures[1] + figures[2], figures)
    });
    let mut samples = Samples::default();
    samples.set(&DATABASES, &[], float(databases as u64));
    let metrics = [&DB_DATA_BYTES, &DB_STORAGE_BYTES, &DB_INDEX_BYTES, &DB_COLLECTIONS, &DB_OBJECTS];
    for (name, figures) in largest(figures.collect(), LIMIT) {
        for (metric, figure) in metrics.iter().zip(figures) {
            samples.set(metric, &[&name], figure);
        }
    }
    samples
}

/// `stats`: the one document of `$collStats` with `storageStats` of `local.oplog.rs`.
pub fn oplog_samples(set: &str, stats: &Document) -> Samples {
    let mut samples = Samples::default();
    samples.set_known(&OPLOG_SIZE_BYTES, &[set], number(stats, &["storageStats", "size"]));
    samples.set_known(&OPLOG_MAX_BYTES, &[set], number(stats, &["storageStats", "maxSize"]));
    samples
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::bound::OTHER;

    #[test]
    fn small_databases_are_one_series_and_none_is_lost() {
        let replies: Vec<_> = (1..=50_i32)
            .map(|size| {
                (format!("db{size}"), doc! { "dataSize": size, "storageSize": f64::from(size), "indexSize": 0_i64 })
            })
            .collect();
        let samples = samples(60, &replies);
        assert_eq!(samples.count(&DB_STORAGE_BYTES), LIMIT + 1);
        assert_eq!(samples.number(&DB_STORAGE_BYTES, &["db50"]), Some(50.0));
        assert_eq!(samples.number(&DB_STORAGE_BYTES, &[OTHER]), Some(f64::from((1..=30).sum::<i32>())));
        assert_eq!(samples.number(&DATABASES, &[]), Some(60.0));
    }
}
