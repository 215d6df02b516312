//! Slices that no server wrote: histories that take a sharded cluster, another release or too much time to make.

use anyhow::{Context, Result, ensure};
use archive::framed::DEFAULT_BLOCK_BYTES;
use archive::layout::{ObjectKey, SliceId};
use archive::slice::{SliceDecoder, SliceEncoder, SliceEvent, SliceHeader};
use archive::{ClusterTime, Digest, LineageId};
use bson::raw::cstr;
use bson::{DateTime, RawDocumentBuf, Timestamp};

use crate::ArchiveFolder;

/// Appends a slice of these entries behind the newest one, as the server would have gone on: each gets its time and
/// the fields that all have. Gives the times.
pub fn append_slice(
    archive: &ArchiveFolder,
    entries: impl IntoIterator<Item = RawDocumentBuf>,
) -> Result<Vec<ClusterTime>> {
    let (lineage, newest) = newest_slice(archive)?;
    let (after, term) = (newest.through, newest.term);
    let digest = last_entry_digest(archive, &lineage, newest)?;
    let header = SliceHeader { lineage, after, after_term: Some(term), after_digest: Some(digest) };
    let (mut encoder, mut object) = SliceEncoder::new(&header, DEFAULT_BLOCK_BYTES)?;
    let mut times = Vec::new();
    for (increment, fields) in (1..).zip(entries) {
        let at = ClusterTime::new(after.seconds + 1, increment);
        let mut entry = RawDocumentBuf::new();
        for field in &fields {
            let (key, value) = field?;
            entry.append(key, value);
        }
        entry.append(cstr!("ts"), Timestamp::from(at));
        entry.append(cstr!("t"), term);
        entry.append(cstr!("v"), 2_i64);
        entry.append(cstr!("wall"), DateTime::from_millis(i64::from(at.seconds) * 1_000));
        if let Some(block) = encoder.push(entry.as_bytes())? {
            object.extend(block.compress(1)?.bytes);
        }
        times.push(at);
    }
    let sealed = encoder.seal()?;
    let last = sealed.last_block.context("a slice has a last block")?;
    object.extend(last.compress(1)?.bytes);
    object.extend(&sealed.footer_frame);
    let path = archive.path().join(sealed.id.key(&header.lineage, false).to_string());
    std::fs::create_dir_all(path.parent().context("a slice has a folder")?)?;
    std::fs::write(&path, object).with_context(|| format!("write {}", path.display()))?;
    Ok(times)
}

fn newest_slice(archive: &ArchiveFolder) -> Result<(LineageId, SliceId)> {
    let slices = archive.slices()?;
    let parsed = slices.iter().filter_map(|key| match key.parse() {
        Ok(ObjectKey::Slice { lineage, id, .. }) => Some((lineage, id)),
        _ => None,
    });
    parsed.max_by_key(|(_, id)| id.through).context("the archive has a slice")
}

fn last_entry_digest(archive: &ArchiveFolder, lineage: &LineageId, id: SliceId) -> Result<Digest> {
    let mut decoder = SliceDecoder::new(lineage.clone(), id);
    decoder.feed(&archive.read(&id.key(lineage, false).to_string())?);
    let mut is_whole = false;
    while let Some(event) = decoder.next_event()? {
        is_whole |= matches!(event, SliceEvent::Footer(..));
    }
    ensure!(is_whole, "the newest slice has no footer");
    decoder.last_digest().context("the newest slice has an entry")
}
