//! Listing a tree of folders in byte order of the whole key, as object stores do. Pure: the folders are read by the
//! caller, so that tests can tell which ones were needed.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FolderEntry {
    pub name: String,
    pub is_folder: bool,
}

/// The first `limit` keys that begin with `prefix` and come after `start_after`. `read_folder` is given the prefix of
/// a folder (empty, or ending with `/`). Folders that cannot hold such a key are not read: an archive has one folder
/// per day with thousands of slices, and a reader that resumes at a day must not pay for all days before it.
pub(super) fn walk<E>(
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
    mut read_folder: impl FnMut(&str) -> Result<Vec<FolderEntry>, E>,
) -> Result<Vec<String>, E> {
    let selects = |name: &str| {
        if name.ends_with('/') || name.is_empty() {
            (name.starts_with(prefix) || prefix.starts_with(name))
                && start_after.is_none_or(|after| name > after || after.starts_with(name))
        } else {
            name.starts_with(prefix) && start_after.is_none_or(|after| name > after)
        }
    };
    let base = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
    let mut keys = Vec::new();
    // What is still to visit, next one last. A folder stands here with its slash, since that is the byte its keys go
    // on with: the file `a-b` comes before the folder `a/`, although `a` sorts before `a-b`.
    let mut pending = vec![base.to_owned()];
    pending.retain(|name| selects(name));
    while let Some(name) = pending.pop() {
        if !(name.ends_with('/') || name.is_empty()) {
            keys.push(name);
            if keys.len() >= limit {
                break;
            }
            continue;
        }
        let start = pending.len();
        for entry in read_folder(&name)? {
            let child = format!("{name}{}{}", entry.name, if entry.is_folder { "/" } else { "" });
            if selects(&child) {
                pending.push(child);
            }
        }
        pending[start..].sort_unstable_by(|a, b| b.cmp(a));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use super::*;

    /// Lists a tree given by its keys; returns the folders that were read as well.
    fn list(keys: &[&str], prefix: &str, start_after: Option<&str>, limit: usize) -> (Vec<String>, Vec<String>) {
        let mut read = Vec::new();
        let found = walk(prefix, start_after, limit, |folder| {
            read.push(folder.to_owned());
            let below = keys.iter().filter_map(|key| key.strip_prefix(folder));
            let entries: BTreeSet<_> =
                below.map(|rest| rest.split_once('/').map_or((rest, false), |(f, _)| (f, true))).collect();
            let entry = |(name, is_folder): (&str, bool)| FolderEntry { name: name.to_owned(), is_folder };
            Ok::<_, Infallible>(entries.into_iter().map(entry).collect())
        });
        (found.unwrap(), read)
    }

    const DAYS: [&str; 7] = [
        "l/lineage.json",
        "l/oplog/20250101/1",
        "l/oplog/20250101/2",
        "l/oplog/20250102/3",
        "l/oplog/20250102/4",
        "l/oplog/20250103/5",
        "l/snapshots/s/manifest.json",
    ];

    #[test]
    fn order_is_by_the_bytes_of_the_whole_key() {
        let (found, _) = list(&["a/b", "a-b", "a/b-c", "a/b.d/x", "a0", "ab", "a/b0/y"], "", None, 100);
        assert_eq!(found, ["a-b", "a/b", "a/b-c", "a/b.d/x", "a/b0/y", "a0", "ab"]);
    }

    #[test]
    fn days_before_the_start_are_not_read() {
        let (found, read) = list(&DAYS, "l/oplog/", Some("l/oplog/20250102/3"), 100);
        assert_eq!(found, ["l/oplog/20250102/4", "l/oplog/20250103/5"]);
        assert_eq!(read, ["l/oplog/", "l/oplog/20250102/", "l/oplog/20250103/"]);
    }

    #[test]
    fn folders_beside_the_prefix_and_past_the_limit_are_not_read() {
        let (found, read) = list(&DAYS, "l/oplog/20250101", None, 100);
        assert_eq!(found, ["l/oplog/20250101/1", "l/oplog/20250101/2"]);
        assert_eq!(read, ["l/oplog/", "l/oplog/20250101/"]);

        let (found, read) = list(&DAYS, "l/", None, 2);
        assert_eq!(found, ["l/lineage.json", "l/oplog/20250101/1"]);
        assert_eq!(read, ["l/", "l/oplog/", "l/oplog/20250101/"]);
    }

    #[test]
    fn a_start_after_the_whole_prefix_reads_nothing() {
        let (found, read) = list(&DAYS, "l/oplog/", Some("m"), 100);
        assert_eq!((found.len(), read.len()), (0, 0));
    }
}
