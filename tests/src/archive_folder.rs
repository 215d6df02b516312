//! An archive in a folder: what lies in it, read from the names alone, and ways to damage it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::ClusterTime;
use archive::layout::ObjectKey;
use tempfile::TempDir;

#[derive(Debug)]
pub struct ArchiveFolder {
    path: PathBuf,
    /// What the product is given, where that is another way to the same files.
    url: Option<String>,
    /// Absent when the folder belongs to somebody else (a mounted disk).
    _owned: Option<TempDir>,
}

impl ArchiveFolder {
    pub fn new() -> Result<Self> {
        let folder = testkit::mongod::temp_folder("archive")?;
        Ok(Self { path: folder.path().to_owned(), url: None, _owned: Some(folder) })
    }

    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), url: None, _owned: None }
    }

    /// A folder that a server of objects keeps them in.
    pub fn served(path: &Path, url: String) -> Self {
        Self { url: Some(url), ..Self::at(path) }
    }

    /// A copy that a test may damage.
    pub fn duplicate(&self) -> Result<Self> {
        let copy = Self::new()?;
        for relative in self.files()? {
            let target = copy.path.join(&relative);
            std::fs::create_dir_all(target.parent().context("a file has a folder")?)?;
            std::fs::copy(self.path.join(&relative), &target)?;
        }
        Ok(copy)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| format!("file://{}", self.path.display()))
    }

    /// Every file, relative to the root, sorted.
    pub fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            // A folder may vanish while the sidecar tidies up.
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(relative) = path.strip_prefix(&self.path) {
                    files.push(relative.display().to_string());
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The keys that match, as text.
    pub fn keys(&self, wanted: impl Fn(&ObjectKey) -> bool) -> Result<Vec<String>> {
        let parse = |file: &String| file.parse::<ObjectKey>().is_ok_and(|key| wanted(&key));
        Ok(self.files()?.into_iter().filter(parse).collect())
    }

    pub fn manifests(&self) -> Result<Vec<String>> {
        self.keys(|key| matches!(key, ObjectKey::Manifest { .. }))
    }

    pub fn segments(&self) -> Result<Vec<String>> {
        self.keys(|key| matches!(key, ObjectKey::Segment { .. }))
    }

    pub fn pages(&self) -> Result<Vec<String>> {
        self.keys(|key| matches!(key, ObjectKey::Collections { .. }))
    }

    pub fn slices(&self) -> Result<Vec<String>> {
        self.keys(|key| matches!(key, ObjectKey::Slice { .. }))
    }

    /// Where the newest slice ends, by its name.
    pub fn archived_through(&self) -> Result<ClusterTime> {
        let through = self.files()?.into_iter().filter_map(|file| match file.parse() {
            Ok(ObjectKey::Slice { id, .. }) => Some(id.through),
            _ => None,
        });
        Ok(through.fold(ClusterTime::ZERO, std::cmp::max))
    }

    /// Names and contents of everything below `prefix`: equal lists are equal folders.
    pub fn contents(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let files = self.files()?.into_iter().filter(|file| file.starts_with(prefix));
        files.map(|file| Ok((file.clone(), self.read(&file)?))).collect()
    }

    pub fn read(&self, key: &str) -> Result<Vec<u8>> {
        std::fs::read(self.path.join(key)).with_context(|| format!("read {key}"))
    }

    /// Overwrites, as no part of the product may.
    pub fn write(&self, key: &str, body: &[u8]) -> Result<()> {
        let path = self.path.join(key);
        if let Ok(metadata) = std::fs::metadata(&path) {
            let mut permissions = metadata.permissions();
            #[allow(clippy::permissions_set_readonly_false, reason = "a file of this test")]
            permissions.set_readonly(false);
            std::fs::set_permissions(&path, permissions)?;
        }
        std::fs::write(&path, body).with_context(|| format!("write {key}"))
    }

    pub fn remove(&self, key: &str) -> Result<()> {
        std::fs::remove_file(self.path.join(key)).with_context(|| format!("remove {key}"))
    }

    /// Flips one bit in the middle.
    pub fn flip_bit(&self, key: &str) -> Result<()> {
        let mut body = self.read(key)?;
        let middle = body.len() / 2;
        *body.get_mut(middle).context("the object is empty")? ^= 0x10;
        self.write(key, &body)
    }

    pub fn truncate(&self, key: &str) -> Result<()> {
        let body = self.read(key)?;
        self.write(key, &body[..body.len() * 2 / 3])
    }

    pub fn swap(&self, first: &str, second: &str) -> Result<()> {
        let (one, two) = (self.read(first)?, self.read(second)?);
        self.write(first, &two)?;
        self.write(second, &one)
    }

    /// Replaces text in an object; an error when it is not there.
    pub fn replace(&self, key: &str, from: &str, to: &str) -> Result<()> {
        let text = String::from_utf8(self.read(key)?)?;
        anyhow::ensure!(text.contains(from), "{key} does not contain `{from}`: {text}");
        self.write(key, text.replace(from, to).as_bytes())
    }
}
