//! Reading object keys back from a listing.

use std::str::FromStr;

use super::{AGE, FRAMED, ObjectKey, SliceId, day};
use crate::ClusterTime;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is not the key of an archive object: {problem}")]
pub struct ParseKeyError {
    pub key: String,
    pub problem: &'static str,
}

impl ParseKeyError {
    pub(super) fn new(key: &str, problem: &'static str) -> Self {
        Self { key: key.chars().take(300).flat_map(char::escape_default).collect(), problem }
    }
}

impl FromStr for ObjectKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = parse(text).map_err(|problem| ParseKeyError::new(text, problem))?;
        // One object, one spelling: what would be written differently is not ours.
        if key.to_string() == text { Ok(key) } else { Err(ParseKeyError::new(text, "not in its canonical spelling")) }
    }
}

impl FromStr for SliceId {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = slice_id(text).map_err(|problem| ParseKeyError::new(text, problem))?;
        if id.to_string() == text { Ok(id) } else { Err(ParseKeyError::new(text, "not in its canonical spelling")) }
    }
}

fn parse(text: &str) -> Result<ObjectKey, &'static str> {
    if text.len() > 1024 {
        return Err("longer than any store allows");
    }
    if text == "archive.json" {
        return Ok(ObjectKey::Archive);
    }
    let (lineage, rest) = text.split_once('/').ok_or("no object has this name")?;
    let lineage = lineage.parse().map_err(|_| "the lineage is not one")?;
    if rest == "lineage.json" {
        return Ok(ObjectKey::Lineage { lineage });
    }
    let (folder, rest) = rest.split_once('/').ok_or("no object of a lineage has this name")?;
    match folder {
        "control" => Ok(ObjectKey::Control { lineage, path: rest.parse().map_err(|_| "not a path below control/")? }),
        "oplog" => {
            let (folder, name) = rest.split_once('/').ok_or("a slice lies in the folder of a day")?;
            let (stem, encrypted) = framed_stem(name)?;
            let id = slice_id(stem)?;
            if day(id.after) == folder {
                Ok(ObjectKey::Slice { lineage, id, encrypted })
            } else {
                Err("the folder is not the day on which the slice starts")
            }
        }
        "gaps" => {
            let (after, through) = json_stem(rest)?.split_once('_').ok_or("a gap is named <after>_<through>")?;
            let (after, through) = range(after, through)?;
            Ok(ObjectKey::Gap { lineage, after, through })
        }
        "references" => {
            let at = ClusterTime::from_key(json_stem(rest)?).ok_or("a reference is named by its cluster time")?;
            Ok(ObjectKey::Reference { lineage, at })
        }
        "recipients" => {
            const FORM: &str = "a record of recipients is named <since>_<digest>";
            let (since, digest) = json_stem(rest)?.split_once('_').ok_or(FORM)?;
            let mut short = [0; 16];
            hex::decode_to_slice(digest, &mut short).map_err(|_| FORM)?;
            Ok(ObjectKey::Recipients { lineage, since: ClusterTime::from_key(since).ok_or(FORM)?, digest: short })
        }
        "drills" => {
            let id = |stem: &str| stem.parse().map_err(|_| "the drill id is not one");
            if let Some(stem) = rest.strip_suffix(".json.minisig") {
                return Ok(ObjectKey::DrillSignature { lineage, id: id(stem)? });
            }
            if let Some(stem) = rest.strip_suffix(".md") {
                return Ok(ObjectKey::DrillText { lineage, id: id(stem)? });
            }
            Ok(ObjectKey::Drill { lineage, id: id(json_stem(rest)?)? })
        }
        "snapshots" => {
            let (snapshot, rest) = rest.split_once('/').ok_or("a snapshot is a folder")?;
            let snapshot = snapshot.parse().map_err(|_| "the snapshot id is not one")?;
            match rest {
                "start.json" => return Ok(ObjectKey::SnapshotStart { lineage, snapshot }),
                "manifest.json" => return Ok(ObjectKey::Manifest { lineage, snapshot }),
                _ => {}
            }
            if let Some(name) = rest.strip_prefix("data/") {
                let (stem, encrypted) = framed_stem(name)?;
                let (uuid, part) = stem.split_once('-').ok_or("a segment is named <uuid>-<part>")?;
                let uuid = uuid.parse().map_err(|_| "the collection UUID is not one")?;
                return Ok(ObjectKey::Segment { lineage, snapshot, uuid, part: number(part)?, encrypted });
            }
            let name = rest.strip_prefix("collections-").ok_or("no object of a snapshot has this name")?;
            let (stem, encrypted) = framed_stem(name)?;
            Ok(ObjectKey::Collections { lineage, snapshot, page: number(stem)?, encrypted })
        }
        _ => Err("no folder of a lineage has this name"),
    }
}

fn slice_id(stem: &str) -> Result<SliceId, &'static str> {
    const FORM: &str = "a slice is named <after>_<through>_<term>_<digest>";
    let mut fields = stem.split('_');
    let (Some(after), Some(through), Some(term), Some(digest), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(FORM);
    };
    let (after, through) = range(after, through)?;
    let mut short = [0; 16];
    hex::decode_to_slice(digest, &mut short).map_err(|_| FORM)?;
    Ok(SliceId { after, through, term: number(term)?, digest: short })
}

fn range(after: &str, through: &str) -> Result<(ClusterTime, ClusterTime), &'static str> {
    const FORM: &str = "a range is two cluster times of ten digits each";
    let after = ClusterTime::from_key(after).ok_or(FORM)?;
    let through = ClusterTime::from_key(through).ok_or(FORM)?;
    if after < through { Ok((after, through)) } else { Err("the range ends before it starts") }
}

fn number<T: FromStr>(digits: &str) -> Result<T, &'static str> {
    const FORM: &str = "a number is expected, zero-padded";
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FORM);
    }
    digits.parse().map_err(|_| FORM)
}

fn framed_stem(name: &str) -> Result<(&str, bool), &'static str> {
    let (plain, encrypted) = match name.strip_suffix(AGE) {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    plain.strip_suffix(FRAMED).map(|stem| (stem, encrypted)).ok_or("the extension is not .bson.zst or .bson.zst.age")
}

fn json_stem(name: &str) -> Result<&str, &'static str> {
    name.strip_suffix(".json").ok_or("the extension is not .json")
}
