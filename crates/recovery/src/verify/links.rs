//! That slices which meet tell one history: the entry at which one starts is the entry that another one holds there.

use std::collections::HashMap;

use archive::layout::SliceId;
use archive::{ClusterTime, Digest};

/// What a slice that was read says about the entries at which slices meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SliceLinks {
    pub id: SliceId,
    /// Of the entry at its start, which it does not hold.
    pub after_digest: Option<Digest>,
    /// Entries that it holds: the last one, and those at which other slices start.
    pub entries: Vec<(ClusterTime, Digest)>,
}

/// Slices that contradict one that was met before, each with the moment and the other slice.
pub(super) fn contradictions(links: &[SliceLinks]) -> Vec<(SliceId, ClusterTime, SliceId)> {
    let mut known: HashMap<ClusterTime, (Digest, SliceId)> = HashMap::new();
    for slice in links {
        for (at, digest) in &slice.entries {
            known.entry(*at).or_insert((*digest, slice.id));
        }
    }
    let mut found = Vec::new();
    for slice in links {
        let claims = slice.after_digest.map(|digest| (slice.id.after, digest));
        for (at, digest) in claims.into_iter().chain(slice.entries.iter().copied()) {
            if let Some((_, other)) = known.get(&at).filter(|(known, _)| *known != digest) {
                found.push((slice.id, at, *other));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(after: u32, through: u32, after_digest: Option<&str>, entries: &[(u32, &str)]) -> SliceLinks {
        let at = |t| ClusterTime::new(t, 1);
        SliceLinks {
            id: SliceId::new(at(after), at(through), 1, &Digest::of(&after.to_le_bytes())),
            after_digest: after_digest.map(|text| Digest::of(text.as_bytes())),
            entries: entries.iter().map(|(t, text)| (at(*t), Digest::of(text.as_bytes()))).collect(),
        }
    }

    #[test]
    fn slices_that_continue_or_overlap_each_other_agree() {
        let chain = [
            slice(1, 5, None, &[(5, "five")]),
            slice(5, 9, Some("five"), &[(9, "nine"), (7, "seven")]),
            slice(7, 12, Some("seven"), &[(12, "twelve"), (9, "nine")]),
        ];
        assert_eq!(contradictions(&chain), []);
    }

    #[test]
    fn another_entry_at_the_seam_is_a_contradiction() {
        let chain = [slice(1, 5, None, &[(5, "five")]), slice(5, 9, Some("FIVE"), &[(9, "nine")])];
        assert_eq!(contradictions(&chain), [(chain[1].id, ClusterTime::new(5, 1), chain[0].id)]);
    }
}
