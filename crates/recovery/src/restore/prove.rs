//! Proves every segment that there is to load before the first write, when somebody prefers to read twice.
//!
//! Without it a flipped byte is found while loading, which proves all that it reads as well, but has filled a part of the
//! destination by then. The slices need no such pass: the survey has read and proven all of them.

use archive::collection_page::CollectionRecord;
use archive::manifest::SnapshotManifest;
use futures::{StreamExt, stream};

use super::Context;
use super::survey::Window;
use crate::archive_reader::segment_key;
use crate::failure::{Failure, Result};
use crate::progress::Unit;
use crate::verify::content::{Unproven, prove_segment, task_failed};

/// Each holds about one decompressed block.
const CONCURRENT: usize = 4;

pub async fn prove(context: &Context, manifest: &SnapshotManifest, window: &Window) -> Result<()> {
    let total = window.records.iter().map(CollectionRecord::stored_bytes).sum();
    context.progress.phase("verify", Some(total), Unit::Bytes);
    let segments = window.records.iter().flat_map(|record| {
        record.segments.iter().map(move |segment| (segment_key(manifest, record, segment.part), *segment))
    });
    let needed = segments.filter(|(key, _)| !context.state.is_loaded(&key.to_string()));
    let tasks = needed.map(|(key, segment)| {
        let work = prove_segment(context.reader.clone(), key.clone(), segment.totals(), false);
        async move { (key, segment.stored_bytes, tokio::spawn(work).await) }
    });
    let mut proven = stream::iter(tasks).buffered(CONCURRENT);
    while let Some((key, stored_bytes, outcome)) = proven.next().await {
        context.progress.advance(stored_bytes);
        match outcome.map_err(|error| task_failed(&error))? {
            Ok(_) => {}
            Err(Unproven::Wrong(problem)) => {
                return Err(Failure::integrity(format!("a segment cannot be used: {problem}"))
                    .at(context.reader.place(&key.to_string())));
            }
            Err(Unproven::NeedsKey(needed)) => return Err(needed.failure(context.reader.place(&key.to_string()))),
            Err(Unproven::Failed(failure)) => return Err(*failure),
        }
    }
    Ok(())
}
