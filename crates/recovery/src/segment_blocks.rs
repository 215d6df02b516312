//! Reading one segment of a snapshot block by block, proven while it is read; for those who load it and those who export it.

use archive::collection_page::SegmentRecord;
use archive::framed::Block;
use archive::layout::ObjectKey;
use archive::segment::{SegmentDecoder, SegmentEvent};

use crate::archive_reader::{ArchiveReader, Content};
use crate::failure::{Failure, Result};

const SEGMENT: &str = "a segment";

/// The blocks of one segment, each verified by its own checksum, the whole at the end.
pub(crate) struct SegmentBlocks {
    content: Content,
    decoder: Option<SegmentDecoder>,
    record: SegmentRecord,
    place: String,
}

impl SegmentBlocks {
    pub async fn open(reader: &ArchiveReader, key: &ObjectKey, record: &SegmentRecord) -> Result<Self> {
        let place = reader.place(&key.to_string());
        let content = reader.content(key).await.map_err(|error| error.into_failure(SEGMENT, place.clone()))?;
        Ok(Self { content, decoder: Some(SegmentDecoder::new(key.clone())), record: *record, place })
    }

    pub async fn next(&mut self) -> Result<Option<Block>> {
        let damaged =
            |problem: String| Failure::integrity(format!("{SEGMENT} cannot be used: {problem}")).at(&self.place);
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        loop {
            match decoder.next_event().map_err(|error| damaged(error.to_string()))? {
                Some(SegmentEvent::Documents(block)) => return Ok(Some(block)),
                Some(SegmentEvent::Header(_) | SegmentEvent::Footer(_)) => {}
                None => match self.content.next().await {
                    Ok(Some(chunk)) => decoder.feed(&chunk),
                    Ok(None) => break,
                    Err(error) => return Err(error.into_failure(SEGMENT, self.place.clone())),
                },
            }
        }
        let totals = match self.decoder.take() {
            Some(decoder) => decoder.finish().map_err(|error| damaged(error.to_string()))?,
            None => return Ok(None),
        };
        if totals == self.record.totals() {
            Ok(None)
        } else {
            Err(damaged("it is not the segment that the manifest means".into()))
        }
    }
}
